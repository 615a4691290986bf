"""One Parquet file of events as compact arrays: a pure function of the file, kept beside the log.

Names and tasks have numbers of their own in each file; `gather.py` joins the files. Quantities,
which most events do not state, are (row, amount) pairs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lineshaft.meter.compact import Ids
from lineshaft.meter.events import AGENT_KINDS, COLUMNS, KINDS, METHODS, QUANTITIES, Faults, schema
from lineshaft.meter.keys import NONE, Numbers, pair_keys, text_keys
from lineshaft.meter.normal import normalise

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = "events-2"
"""Of the arrays: another one is extracted anew."""
OWN_ROOT, SELF_REVIEW, SKEW, NO_TASK, UNKNOWN_METHOD = 1, 2, 4, 8, 16
"""Flags of an event: its own task is the root; reviewed by its own agent; and faults."""
FLAG_FAULTS = {"skew": SKEW, "no_task": NO_TASK, "unknown_method": UNKNOWN_METHOD}
UNKNOWN = 255
"""The code of a method that is not stated or not known."""
LINKS = ("tenant", "agent_id", "requester_id", "reviewer_id", "task_id", "root_task_id")
CODES = ("kind", "method", "agent_kind", "src")
READ = ("event_id", "ts", "ingest_ts", *LINKS, *CODES, *QUANTITIES)
BATCH_ROWS = 1 << 18
BETWEEN = "\x00"
"""Between the tenant and the name in a file's names."""


def canonical(path: Path, columns: tuple[str, ...] = READ) -> Iterator[tuple[pa.Table, Faults]]:
    """The canonical events of a Parquet file, batch by batch, and what was wrong with them.

    Batches that are canonical already come as they are, repeated texts as dictionaries; all others
    go through `normalise`. OSError or ArrowInvalid for a file that cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sound = 0
    stated = pq.read_schema(path)
    repeated = [f.name for f in stated if f.name in (*LINKS, *CODES) and pa.types.is_string(f.type)]
    with pq.ParquetFile(path, read_dictionary=repeated) as file:
        names = [name for name in file.schema_arrow.names if name != "dt"]
        if set(names) == set(COLUMNS):
            for batch in file.iter_batches(BATCH_ROWS, columns=list(columns)):
                table = pa.Table.from_batches([batch])
                if not _sound(table):
                    break
                sound += 1
                yield table, Faults()
            else:
                return
        for place, batch in enumerate(file.iter_batches(BATCH_ROWS, columns=names)):
            if place >= sound:
                events, _, faults = normalise(pa.Table.from_batches([batch]))
                yield events.select(columns), _kept(faults)


def _kept(faults: Faults) -> Faults:
    """The faults that are not found again by a look at canonical events."""
    from lineshaft.meter.log import KEPT

    kept = {what: n for what, n in faults.counts.items() if what in KEPT}
    return Faults(kept, {what: faults.examples.get(what, []) for what in kept})


def _sound(table: pa.Table) -> bool:
    """Whether nothing in it needs `normalise`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    types = schema()
    for name in table.column_names:
        kind = table.schema.field(name).type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if kind != types.field(name).type:
            return False
    if table["event_id"].null_count or table["ts"].null_count:
        return False
    kinds = table["kind"].combine_chunks()
    named = kinds.dictionary if pa.types.is_dictionary(kinds.type) else kinds
    if kinds.null_count or not pc.all(pc.is_in(named, pa.array(KINDS))).as_py():
        return False
    if len(table) and pc.min(pc.binary_length(table["event_id"])).as_py() == 0:
        return False
    least = (pc.min(table[name]).as_py() for name in QUANTITIES if name in table.column_names)
    return not any(x is not None and not x >= 0 for x in least)


def extract(path: Path) -> dict[str, NDArray[Any]]:
    """The compact arrays of a file.

    [row]: key (2 words), ts, arrive (microseconds UTC), task, agent, requester (numbers in this
    file, NONE where there is none), kind, method (codes), flags, src, content (a digest of all that
    figures use). q_<quantity>: amounts, and q_<quantity>_row: where. task_keys [task, 2]; names_*:
    tenant and id of agents and requesters; embodied, acts [name]: is so on some event, is the agent
    of some event; meta: JSON, as bytes.

    OSError or pyarrow.ArrowInvalid where the file cannot be read.
    """
    return compact(canonical(path))


def compact(batches: Iterable[tuple[pa.Table, Faults]]) -> dict[str, NDArray[Any]]:
    """The compact arrays of canonical events, as `extract` gives them."""
    out = _Extract()
    for table, faults in batches:
        out.faults.merge(faults)
        out.add(table)
    return out.arrays()


class _Extract:
    def __init__(self) -> None:
        self.faults = Faults()
        self.rows = 0
        self.names = Ids()
        self.tasks = Numbers()
        self.sources: dict[str, int] = {}
        self.embodied = np.zeros(0, np.bool_)
        self.acts = np.zeros(0, np.bool_)
        self.examples: dict[str, list[str]] = {}
        self.parts: dict[str, list[NDArray[Any]]] = {name: [] for name in _EMPTY}

    def add(self, table: pa.Table) -> None:
        """Append a batch of canonical events."""
        import pyarrow.compute as pc

        if not table.num_rows:
            return
        columns = {name: _array(table[name]) for name in table.column_names}
        ts = _micros(columns["ts"])
        arrived = columns["ingest_ts"]
        arrive = _micros(pc.coalesce(arrived, columns["ts"]))
        text = {name: _Text(columns[name]) for name in LINKS}
        none = np.full(len(ts), -1, np.int32)
        lone = np.zeros((0, 2), np.uint64)
        tenant, agent = text["tenant"], text["agent_id"]

        # one text for the event id: a dictionary would not help
        ids = _plain(columns["event_id"])
        key = pair_keys(tenant.keys, tenant.code, text_keys(ids), np.arange(len(ts)))
        task, root = text["task_id"], text["root_task_id"]
        task_key = pair_keys(tenant.keys, tenant.code, task.keys, task.code)
        root_key = pair_keys(tenant.keys, tenant.code, root.keys, root.code)
        has_task, has_root = task.code >= 0, root.code >= 0
        own_root = ~has_root | ~has_task | (task_key == root_key).all(axis=1)
        stated_root = root_key.copy()
        root_key[~has_root] = task_key[~has_root]

        kind = _codes(columns["kind"], KINDS)
        method = _codes(columns["method"], METHODS)
        heartbeat = kind == KINDS.index("heartbeat")
        belongs = (has_task | has_root) & ~heartbeat
        accept = kind == KINDS.index("accept")
        reviewer = pair_keys(lone, none, text["reviewer_id"].keys, text["reviewer_id"].code)
        by = pair_keys(lone, none, agent.keys, agent.code)
        itself = (agent.code >= 0) & (reviewer == by).all(axis=1)
        flags = np.zeros(len(ts), np.uint8)
        for flag, where in (
            (OWN_ROOT, own_root & belongs),
            (SELF_REVIEW, itself),
            (SKEW, ts > arrive),
            (NO_TASK, ~belongs & ~heartbeat),
            (UNKNOWN_METHOD, accept & (method == UNKNOWN)),
        ):
            flags |= np.where(where, flag, 0).astype(np.uint8)

        asked = kind == KINDS.index("assign")
        doer = self._named(tenant, agent, np.ones(len(ts), np.bool_))
        asker = self._named(tenant, text["requester_id"], asked)
        bodily = _codes(columns["agent_kind"], AGENT_KINDS) == AGENT_KINDS.index("embodied")
        self.embodied = self._of_names(self.embodied, doer[bodily])
        self.acts = self._of_names(self.acts, doer)
        content = _content(ts, by, task_key, stated_root, kind)
        for name in ("requester_id", "reviewer_id", "method", "agent_kind"):
            _mix(content, _half(text.get(name) or _Text(columns[name])))
        for place, name in enumerate(QUANTITIES):
            rows, amounts = _stated(columns[name])
            self.parts[f"q_{name}_row"].append((rows + self.rows).astype(np.uint32))
            self.parts[f"q_{name}"].append(amounts)
            words = np.zeros(len(ts), np.uint64)
            words[rows] = amounts.view(np.uint64) + np.uint64(place + 1)
            _mix(content, words)
        for name, values in (
            ("key_high", key[:, 0]), ("key_low", key[:, 1]), ("ts", ts), ("arrive", arrive),
            ("task", self.tasks.of(root_key, belongs)), ("agent", doer), ("requester", asker),
            ("kind", kind), ("method", method), ("flags", flags),
            ("src", self._sources(columns["src"])), ("content", content),
        ):  # fmt: skip
            self.parts[name].append(values)
        self._examples(ids, flags, agent.code < 0)
        self.rows += len(ts)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that was added."""
        out = {
            name: np.concatenate(parts) if parts else _EMPTY[name]
            for name, parts in self.parts.items()
        }
        meta = {
            "sources": list(self.sources),
            "faults": self.faults.counts,
            "fault_examples": self.faults.examples,
            "examples": self.examples,
        }
        none = np.zeros(0, np.uint32)
        return {
            **out,
            "task_keys": self.tasks.keys.copy(),
            **{f"names_{name}": array for name, array in self.names.arrays().items()},
            "embodied": self._of_names(self.embodied, none),
            "acts": self._of_names(self.acts, none),
            "meta": np.frombuffer(json.dumps(meta).encode(), np.uint8),
        }

    def _named(self, tenant: _Text, name: _Text, where: NDArray[np.bool_]) -> NDArray[np.uint32]:
        """[row] the number of (tenant, name); NONE without a name, or not `where`."""
        import pyarrow as pa

        wide = len(name.texts) + 1
        pair = (tenant.code.astype(np.int64) + 1) * wide + name.code + 1
        there = where & (name.code >= 0)
        out = np.full(len(pair), NONE, np.uint32)
        if not there.any():
            return out
        found, back = _distinct(pair[there], (len(tenant.texts) + 1) * wide)
        texts = [
            f"{tenant.texts[p // wide - 1] if p >= wide else ''}{BETWEEN}{name.texts[p % wide - 1]}"
            for p in found.tolist()
        ]
        out[there] = self.names.of(pa.array(texts, pa.large_string()))[back]
        return out

    def _of_names(self, known: NDArray[np.bool_], numbers: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """[name] `known`, and those of `numbers`."""
        out = np.zeros(len(self.names), np.bool_)
        out[: len(known)] = known
        out[numbers[numbers != NONE]] = True
        return out

    def _sources(self, column: pa.Array) -> NDArray[np.uint16]:
        text = _Text(column)
        names = np.array(
            [self.sources.setdefault(str(t), len(self.sources)) for t in ["", *text.texts]],
            np.uint16,
        )
        return names[text.code + 1]

    def _examples(self, ids: pa.Array, flags: NDArray[np.uint8], nobody: NDArray[np.bool_]) -> None:
        """The first event of each fault."""
        for fault, bad in (
            *((fault, flags & flag != 0) for fault, flag in FLAG_FAULTS.items()),
            ("no_agent", nobody),
        ):
            if fault not in self.examples and bad.any():
                self.examples[fault] = [str(ids[int(np.argmax(bad))].as_py())]


_EMPTY: Mapping[str, NDArray[Any]] = {
    **{name: np.zeros(0, np.uint64) for name in ("key_high", "key_low", "content")},
    **{name: np.zeros(0, np.int64) for name in ("ts", "arrive")},
    **{name: np.zeros(0, np.uint32) for name in ("task", "agent", "requester")},
    **{name: np.zeros(0, np.uint8) for name in ("kind", "method", "flags")},
    "src": np.zeros(0, np.uint16),
    **{f"q_{name}_row": np.zeros(0, np.uint32) for name in QUANTITIES},
    **{
        f"q_{name}": np.zeros(0, np.int64 if COLUMNS[name][0] == "int" else np.float64)
        for name in QUANTITIES
    },
}


class _Text:
    """A text column as codes into distinct texts, -1 for what is null or empty."""

    def __init__(self, column: pa.Array) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        if not pa.types.is_dictionary(column.type):
            column = pc.dictionary_encode(column)
        words = column.dictionary.cast(pa.large_string())
        code = column.indices.cast(pa.int32()).fill_null(-1).to_numpy(zero_copy_only=False)
        blank = pc.fill_null(pc.equal(words, ""), True).to_numpy(zero_copy_only=False)
        if blank.any():
            code = np.append(np.where(blank, -1, np.arange(len(blank))), -1)[code].astype(np.int32)
        self.code: NDArray[np.int32] = code
        self.words = words
        self._texts: list[str] | None = None
        self._keys: NDArray[np.uint64] | None = None

    @property
    def texts(self) -> list[str]:
        if self._texts is None:
            self._texts = self.words.to_pylist()
        return self._texts

    @property
    def keys(self) -> NDArray[np.uint64]:
        if self._keys is None:
            self._keys = text_keys(self.words)
        return self._keys


def _half(text: _Text) -> NDArray[np.uint64]:
    """[row] half of the key of each text, 0 for none."""
    out: NDArray[np.uint64] = np.append(text.keys[:, 0], np.uint64(0))[text.code]
    return out


def _array(column: Any) -> pa.Array:
    import pyarrow as pa

    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _plain(column: pa.Array) -> pa.Array:
    import pyarrow as pa

    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _micros(column: pa.Array) -> NDArray[np.int64]:
    import pyarrow as pa

    out: NDArray[np.int64] = column.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return out


def _codes(column: pa.Array, words: tuple[str, ...]) -> NDArray[np.uint8]:
    """[row] the place in `words`, UNKNOWN for all else."""
    text = _Text(column)
    known = [words.index(t) if t in words else UNKNOWN for t in text.texts]
    return np.array([*known, UNKNOWN], np.uint8)[text.code]


def _stated(column: pa.Array) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """(rows, amounts) that are stated."""
    if column.null_count == len(column):
        kind = np.int64 if str(column.type) == "int64" else np.float64
        return np.zeros(0, np.int64), np.zeros(0, kind)
    rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    return rows, column.drop_null().to_numpy(zero_copy_only=False)


def _distinct(pair: NDArray[np.int64], most: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(distinct values in the order of their first row, [row] place in them)."""
    if most <= 4 * len(pair) + 65536:  # a table of all possible pairs, instead of a sort
        first = np.full(most, len(pair), np.int64)
        first[pair[::-1]] = np.arange(len(pair))[::-1]
        found = np.flatnonzero(first < len(pair))
        found = found[np.argsort(first[found])]
        place = np.empty(most, np.int64)
        place[found] = np.arange(len(found))
        return found, place[pair]
    found, first, back = np.unique(pair, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return found[order], place[back]


def _content(ts: NDArray[np.int64], *columns: NDArray[Any]) -> NDArray[np.uint64]:
    out = ts.view(np.uint64).copy()
    for column in columns:
        for one in column.T if column.ndim == 2 else (column,):
            _mix(out, one)
    return out


def _mix(content: NDArray[np.uint64], words: NDArray[Any]) -> None:
    from lineshaft.meter.kernels import keys as kernels

    kernels.contents(np.ascontiguousarray(words, np.uint64), content)
