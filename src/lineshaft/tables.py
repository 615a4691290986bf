"""Tables: NumPy columns with a name, a unit and a meaning, declared once.

A table is a frozen dataclass. Its columns are arrays over its keys and, last, the draw axis:
``(month, kind, draw)`` for a table with ``KEYS = ("month", "kind")``. Column 0 of the draw axis is
the median case. In long form (one row per key, and per draw if asked) a table reads and writes
Parquet, with unit and meaning in the Arrow field metadata, and hands itself to polars, pandas,
DuckDB and pyarrow through ``__arrow_c_stream__``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from lineshaft.files import whole

if TYPE_CHECKING:
    import pyarrow

Array = NDArray[np.float64]
Codes = NDArray[np.int8]

COMPOSITE: dict[str, tuple[str, ...]] = {"fleet": ("site", "accelerator")}
"""Keys whose labels hold several parts, separated by ' / ', written as columns of their own."""


@dataclass(frozen=True, slots=True)
class Column:
    """What is known of a column: its name, unit and one-line meaning."""

    name: str
    unit: str
    meaning: str
    dtype: str = "float64"
    words: tuple[str, ...] = ()
    """What the codes of the column stand for, where it holds codes."""


@dataclass(frozen=True, slots=True)
class Dims:
    """The labels of every key, and the width of the draw axis (1 + number of draws)."""

    labels: Mapping[str, tuple[str, ...]]
    width: int = 1

    def size(self, key: str) -> int:
        """Number of labels of a key."""
        return len(self.labels[key])

    def index(self, key: str, label: str) -> int:
        """Position of a label on its key's axis."""
        return self.labels[key].index(label)


def column(unit: str, meaning: str, dtype: str = "float64", words: tuple[str, ...] = ()) -> Any:
    """A dataclass field that declares a column of a table."""
    return dataclasses.field(
        metadata={"unit": unit, "meaning": meaning, "dtype": dtype, "words": words}
    )


def param(unit: str, meaning: str, keys: tuple[str, ...] = ()) -> Any:
    """A dataclass field that declares a stage's parameter: an array over `keys`, then draws.

    The draw axis has length 1 where the parameter is certain. Kernels and formulas find a
    parameter by its name, `stage.name`, just as they find a column by `table.column`.
    """
    return dataclasses.field(metadata={"unit": unit, "meaning": meaning, "keys": keys})


@dataclass(frozen=True, repr=False, eq=False)
class Table:
    """Base of all hand-over tables. Subclasses set KEYS and declare their columns."""

    KEYS: ClassVar[tuple[str, ...]] = ()

    dims: Dims

    @classmethod
    def name(cls) -> str:
        """The table's name in formulas and file names, for example ``funded``."""
        return "".join(f"_{c.lower()}" if c.isupper() else c for c in cls.__name__).lstrip("_")

    @classmethod
    def columns(cls) -> tuple[Column, ...]:
        """All declared columns, in the order of declaration."""
        return tuple(Column(f.name, **f.metadata) for f in dataclasses.fields(cls) if f.metadata)

    @classmethod
    def allocate(cls, dims: Dims) -> Self:
        """A table of zeros with one slab per column, of shape (*keys, draw)."""
        shape = (*(dims.size(key) for key in cls.KEYS), dims.width)
        return cls(dims, **{c.name: np.zeros(shape, c.dtype) for c in cls.columns()})

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in {c.name for c in self.columns()}:
            raise KeyError(f"table '{self.name()}' has no column '{name}'")
        array: NDArray[Any] = getattr(self, name)
        return array

    def __iter__(self) -> Iterator[tuple[Column, NDArray[Any]]]:
        for c in self.columns():
            yield c, getattr(self, c.name)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the key axes, then of the draw axis."""
        return (*(self.dims.size(key) for key in self.KEYS), self.dims.width)

    def to_arrow(self, *, draws: bool = False) -> pyarrow.Table:
        """The table in long form: one row per key, median case only, or with a ``draw`` column."""
        import pyarrow as pa

        width = self.dims.width if draws else 1
        shape = (*self.shape[:-1], width)
        arrays: list[Any] = []
        fields: list[pa.Field] = []
        for axis, key in enumerate(self.KEYS):
            labels = self.dims.labels[key]
            place = np.broadcast_to(
                np.arange(len(labels), dtype=np.int32).reshape(
                    [-1 if a == axis else 1 for a in range(len(shape))]
                ),
                shape,
            ).ravel()
            parts = COMPOSITE.get(key, (key,))
            for p, part in enumerate(parts):
                words = [x.split(" / ")[p] if len(parts) > 1 else x for x in labels]
                # pandas wants each word once, and two fleets may share a site
                number = {word: i for i, word in enumerate(dict.fromkeys(words))}
                codes = np.array([number[word] for word in words], np.int32)[place]
                arrays.append(coded(codes, [*number]))
                fields.append(pa.field(part, arrays[-1].type, metadata={"meaning": f"key {part}"}))
        if draws:
            arrays.append(numbers(np.broadcast_to(np.arange(width), shape).ravel()))
            fields.append(pa.field("draw", pa.int64(), metadata={"meaning": "0 = median case"}))
        for c, values in self:
            flat = np.ascontiguousarray(values[..., :width]).ravel()
            data = coded(flat, c.words) if c.words else numbers(flat)
            arrays.append(data)
            fields.append(
                pa.field(c.name, data.type, metadata={"unit": c.unit, "meaning": c.meaning})
            )
        return pa.Table.from_arrays(
            arrays, schema=pa.schema(fields, metadata={"table": self.name()})
        )

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def write(self, path: Path, *, draws: bool = False) -> None:
        """Write the long form as Parquet, to a temporary name first."""
        import pyarrow.parquet as pq

        with whole(path) as part:
            pq.write_table(self.to_arrow(draws=draws), part, compression="zstd")

    @classmethod
    def read(cls, path: Path, labels: Mapping[str, tuple[str, ...]] | None = None) -> Self:
        """Read back what `write` wrote. Labels come from the file, or are those given.

        Raises ValueError where the rows are not those of the labels.
        """
        import pyarrow.parquet as pq

        data = pq.ParquetFile(path).read()
        if labels is None:
            labels = {}
            for key in cls.KEYS:
                parts = [data.column(p).to_pylist() for p in COMPOSITE.get(key, (key,))]
                labels[key] = tuple(dict.fromkeys(map(" / ".join, zip(*parts, strict=True))))
        draws = data.column("draw").to_pylist() if "draw" in data.column_names else []
        dims = Dims(labels, 1 + max(draws, default=0))
        shape = (*(dims.size(key) for key in cls.KEYS), dims.width)
        slabs = {}
        for c in cls.columns():
            values = data.column(c.name)
            flat = (
                np.array([c.words.index(v) for v in values.to_pylist()])
                if c.words
                else numpy_of(values)
            )
            slabs[c.name] = np.array(flat, c.dtype).reshape(shape)
        return cls(dims, **slabs)

    def __repr__(self) -> str:
        keys = " × ".join(f"{self.dims.size(k)} {k}" for k in self.KEYS) or "1"
        names = ", ".join(c.name for c in self.columns())
        return f"{type(self).__name__}({keys} × {self.dims.width} draw: {names})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(c.name)}</td><td>{escape(c.unit)}</td>"
            f"<td>{_brief(c, v)}</td><td>{escape(c.meaning)}</td></tr>"
            for c, v in self
        )
        return (
            f"<table><caption>{escape(repr(self).split(':')[0])})</caption><thead><tr><th>column"
            f"</th><th>unit</th><th>last month, median case</th><th>meaning</th></tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )


# Not pa.array and to_numpy: they import pandas where it is there, which takes a fifth of a second.


def numbers(values: NDArray[Any]) -> pyarrow.Array:
    """Numbers as an Arrow array that shares their memory."""
    import pyarrow as pa

    flat = np.ascontiguousarray(values)
    kind = pa.from_numpy_dtype(flat.dtype)
    return pa.Array.from_buffers(kind, len(flat), [None, pa.py_buffer(flat)])


def texts(words: Sequence[str]) -> pyarrow.Array:
    """Words as an Arrow array."""
    import pyarrow as pa

    encoded = [word.encode() for word in words]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    data = pa.py_buffer(b"".join(encoded))
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(ends), data)


def coded(codes: NDArray[Any], words: Sequence[str]) -> pyarrow.Array:
    """Words by their codes, as an Arrow array."""
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(numbers(codes), texts(words))


def numpy_of(values: pyarrow.ChunkedArray) -> NDArray[Any]:
    """Numbers of a column; ValueError where one is missing."""
    if values.null_count:
        raise ValueError(f"{values.null_count} numbers are missing")
    parts = [
        np.frombuffer(part.buffers()[1], values.type.to_pandas_dtype())[part.offset :][: len(part)]
        for part in values.chunks
        if len(part)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0), *parts])


def _brief(c: Column, values: NDArray[Any]) -> str:
    if values.size == 0:
        return "–"
    last = values[-1, ..., 0].ravel() if values.ndim > 1 else values[:1]
    if c.words:
        return ", ".join(sorted({c.words[int(code)] for code in last}))
    return f"{last.sum():.3g}" if last.size == 1 else f"{last.min():.3g} … {last.max():.3g}"
