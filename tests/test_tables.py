"""Tables keep their columns, units and bytes through Arrow and Parquet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.contracts.energised import Accelerators, Energised
from lineshaft.contracts.reasons import CODE, NAMES
from lineshaft.contracts.worth import Valuation
from lineshaft.tables import Dims, coded, numbers, numpy_of, texts

DIMS = Dims({"month": ("2026-01", "2026-02"), "site": ("abilene", "memphis")}, 3)


def filled() -> Energised:
    table = Energised.allocate(DIMS)
    for i, (c, values) in enumerate(table):
        if not c.words:
            values[:] = np.arange(values.size).reshape(values.shape) + i
    table.binding[1] = CODE["grid"]
    return table


def test_a_table_is_its_slabs() -> None:
    table = Energised.allocate(DIMS)
    assert table.shape == (2, 2, 3)
    assert table["it_w"] is table.it_w
    assert table.binding.dtype == np.int8
    with pytest.raises(KeyError, match="no column 'nothing'"):
        table["nothing"]


def test_long_form_has_keys_units_and_meaning() -> None:
    data = filled().to_arrow()
    assert data.num_rows == 4
    assert data.column("site").to_pylist() == ["abilene", "memphis", "abilene", "memphis"]
    assert data.column("month").to_pylist() == ["2026-01"] * 2 + ["2026-02"] * 2
    assert data.schema.field("it_w").metadata[b"unit"] == b"W"
    assert data.schema.field("it_w").metadata[b"meaning"]
    assert data.column("binding").to_pylist() == ["none"] * 2 + ["grid"] * 2
    assert filled().to_arrow(draws=True).num_rows == 12


def test_arrow_reads_a_table_directly() -> None:
    assert pa.table(filled()).equals(filled().to_arrow())


@pytest.mark.parametrize("draws", [False, True])
def test_parquet_returns_what_was_written(tmp_path: Path, draws: bool) -> None:
    table = filled()
    table.write(tmp_path / "energised.parquet", draws=draws)
    back = Energised.read(tmp_path / "energised.parquet")
    width = 3 if draws else 1
    assert back.dims.labels == DIMS.labels
    for c, values in table:
        assert np.array_equal(back[c.name], values[..., :width])
    assert [p.name for p in tmp_path.iterdir()] == ["energised.parquet"]


@given(st.lists(st.floats() | st.just(0.0)), st.lists(st.text(), min_size=1))
def test_numbers_and_words_are_those_of_arrow(values: list[float], words: list[str]) -> None:
    array = np.array(values, float)
    assert numbers(array).to_numpy(zero_copy_only=False).tobytes() == array.tobytes()
    chunks = pa.chunked_array([numbers(array), numbers(array[:0]), numbers(array[1:])])
    assert numpy_of(chunks).tobytes() == np.concatenate([array, array[1:]]).tobytes()
    assert numpy_of(chunks.slice(1)).tobytes() == np.concatenate([array, array[1:]])[1:].tobytes()
    assert texts(words).equals(pa.array(words, pa.string()))
    codes = np.arange(len(words), dtype=np.int8)[::-1]
    assert coded(codes, words).to_pylist() == words[::-1]


def test_a_missing_number_is_refused() -> None:
    with pytest.raises(ValueError, match="1 numbers are missing"):
        numpy_of(pa.chunked_array([[1.0, None]]))


def test_pandas_is_not_needed(tmp_path: Path) -> None:
    """Where it is there, importing it takes as long as everything else."""
    program = (
        "import sys; sys.modules['pandas'] = None\n"
        "from pathlib import Path\n"
        "from lineshaft.contracts.energised import Energised as table\n"
        "from lineshaft.tables import Dims\n"
        "labels = {'month': ('2026-01', '2026-02'), 'site': ('abilene',)}\n"
        "path = Path('energised.parquet')\n"
        "table.allocate(Dims(labels)).write(path)\n"
        "assert table.read(path).dims.labels == labels\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)


def test_composite_keys_become_columns_of_their_own(tmp_path: Path) -> None:
    dims = Dims({"month": ("2026-01",), "fleet": ("abilene / GB200", "rented / H100")})
    table = Accelerators.allocate(dims)
    table.installed[:] = [[[5.0], [7.0]]]
    assert table.to_arrow().column("accelerator").to_pylist() == ["GB200", "H100"]
    table.write(tmp_path / "a.parquet")
    assert Accelerators.read(tmp_path / "a.parquet").dims.labels == dims.labels


def test_a_table_without_keys_has_one_row() -> None:
    assert Valuation.allocate(DIMS).shape == (3,)
    assert Valuation.allocate(DIMS).to_arrow().num_rows == 1


@given(st.integers(0, 3), st.integers(0, 3))
def test_empty_axes_are_fine(months: int, sites: int) -> None:
    dims = Dims({"month": ("m",) * months, "site": ("s",) * sites})
    assert Energised.allocate(dims).to_arrow().num_rows == months * sites


def test_repr_is_short_and_html_names_every_unit() -> None:
    table = filled()
    assert repr(table).startswith("Energised(2 month × 2 site × 3 draw: it_w")
    html = table._repr_html_()
    assert all(c.unit in html and c.meaning in html for c in table.columns())
    assert "<script" not in html


def test_reasons_are_unique_and_in_the_order_of_the_line() -> None:
    assert len(set(NAMES)) == len(NAMES)
    order = [CODE[n] for n in ("funds", "permit", "chips", "seats", "tokens", "demand")]
    assert order == sorted(order)
