"""What the loader reads, and what it refuses."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from lineshaft import catalog
from lineshaft.errors import InputError

HEAD = "name,aliases,power_w,flops_basis,bf16_flops,fp8_flops,source,as_of,confidence"
GOOD = "A1,a one;A-one,700,dense,1e15,2e15,a datasheet,2025-03,high"


def _read(tmp_path: Path, *lines: str) -> tuple[catalog.Row, ...]:
    path = tmp_path / "chips.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return catalog.read_table(path)


def _refused(tmp_path: Path, *lines: str) -> str:
    with pytest.raises(InputError) as caught:
        _read(tmp_path, *lines)
    return str(caught.value)


def test_a_row_is_a_frozen_mapping_with_attributes(tmp_path: Path) -> None:
    """Cells are reached by key and by attribute, typed, and cannot be changed."""
    (row,) = _read(tmp_path, HEAD, GOOD)
    assert row["power_w"] == row.power_w == row.number("power_w") == 700.0
    assert row.source == row.text("source") == "a datasheet"
    assert row.names == ("A1", "a one", "A-one")
    assert row.cite() == "chips/A1: a datasheet (2025-03, high)"
    assert (row.table, row.line, len(row)) == ("chips", 2, 9)
    with pytest.raises(AttributeError):
        row.power_w = 1.0
    with pytest.raises(AttributeError, match="no column"):
        _ = row.powr_w
    assert pickle.loads(pickle.dumps(row)) == copy.deepcopy(row) == row
    assert len({row, copy.deepcopy(row)}) == 1


def test_blank_cells_are_none_and_numbers_of_them_an_error(tmp_path: Path) -> None:
    """A blank cell never turns into a zero."""
    (row,) = _read(tmp_path, HEAD, "A1,,,dense,1e15,,a datasheet,2025,low")
    assert row["power_w"] is None
    assert row.names == ("A1",)
    with pytest.raises(InputError, match=r"chips\.csv:2: A1\.power_w: blank"):
        row.number("power_w")
    with pytest.raises(InputError, match="columns of chips"):
        row.number("watts")


def test_ranges_and_confidence_of_single_values(tmp_path: Path) -> None:
    """A row can be good while one of its values is not."""
    head = "name,price_usd,price_usd_low,price_usd_high,low_confidence,source,as_of,confidence"
    (row,) = _read(tmp_path, head, "A1,3,2,4,price_usd,a datasheet,2025-03-01,high")
    assert row.span("price_usd") == (2.0, 4.0)
    assert row.span("source") is None
    assert row.confidence_of("price_usd") == "low"
    assert row.confidence_of("source") == "high"
    assert "no column 'cost'" in _refused(tmp_path, head, "A1,3,2,4,cost,s,2025,high")
    assert "2 to 4" in _refused(tmp_path, head, "A1,5,2,4,,s,2025,high")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("A2,,700,dense,1e15,2e15,,2025,high", "chips.csv:3: A2.source: blank"),
        ("A2,,700,dense,1e15,2e15,s,,high", "A2.as_of: blank"),
        ("A2,,700,dense,1e15,2e15,s,last year,high", "A2.as_of: 'last year'"),
        ("A2,,700,dense,1e15,2e15,s,2025-13,high", "A2.as_of: '2025-13'"),
        ("A2,,700,dense,1e15,2e15,s,2025,good", "high, medium, low"),
        ("A2,,700,sparse,2e15,4e15,s,2025,high", "sparse figures are twice the dense ones"),
        ("A2,,700,,2e15,4e15,s,2025,high", "allowed: dense"),
        ("A2,,700,dense,4e15,2e15,s,2025,high", "is one of them sparse?"),
        ("A2,,700,dense,1e15,4e15,s,2025,high", "is one of them sparse?"),
        ("A2,,-700,dense,1e15,2e15,s,2025,high", "no negative numbers"),
        ("a1,,700,dense,1e15,2e15,s,2025,high", "'a1' is a name of chips.csv:2 too"),
        ("A2,A_One,700,dense,1e15,2e15,s,2025,high", "'aone' is a name of chips.csv:2 too"),
        ("A2,,700,dense,1e15,2e15,s,2025", "8 cells under 9 columns"),
    ],
)
def test_a_bad_row_is_refused_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    """One bad row beside a good one: the message says where and what."""
    assert message in _refused(tmp_path, HEAD, GOOD, line)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Like a compiler: the whole list, not the first."""
    bad = "A2,,-1,sparse,1e15,2e15,,2025,sure"
    with pytest.raises(InputError) as caught:
        _read(tmp_path, HEAD, GOOD, bad)
    assert len(caught.value.problems) == 4


def test_a_bad_header_is_refused(tmp_path: Path) -> None:
    """Columns that are missing, doubled, or would hide a method of the row."""
    assert "source: the column is missing" in _refused(tmp_path, "name,as_of,confidence")
    head = "name,x,x,source,as_of,confidence"
    assert "x: the column is there twice" in _refused(tmp_path, head)
    assert "not a name" in _refused(tmp_path, "name,cite,source,as_of,confidence")
    assert "not a name" in _refused(tmp_path, "name,power W,source,as_of,confidence")


def test_a_declared_column_must_be_a_number(tmp_path: Path) -> None:
    """`parts` declares lead_weeks; a range in words is not a number."""
    path = tmp_path / "parts.csv"
    path.write_text("name,lead_weeks,source,as_of,confidence\ncdu,2 to 4,s,2025,low\n", "utf-8")
    with pytest.raises(InputError, match=r"parts\.csv:2: lead_weeks: '2 to 4'"):
        catalog.read_table(path)
    path.write_text("name,lead_weeks,source,as_of,confidence\ncdu,nan,s,2025,low\n", "utf-8")
    with pytest.raises(InputError, match="a finite number"):
        catalog.read_table(path)


def test_temperatures_and_coordinates_may_be_negative(tmp_path: Path) -> None:
    """Minus five degrees is a fact, minus five watts is not."""
    head = "name,dry_mean_c_01,latitude_deg,source,as_of,confidence"
    (row,) = _read(tmp_path, head, "Place,-5.5,-33.9,s,2020,high")
    assert (row.dry_mean_c_01, row.latitude_deg) == (-5.5, -33.9)


def test_dense_flops(tmp_path: Path) -> None:
    """Only dense figures come out, and a precision that the part has."""
    (row,) = _read(tmp_path, HEAD, GOOD)
    assert catalog.dense_flops(row, "fp8") == 2e15
    with pytest.raises(InputError, match=r"no figure for 'fp4'\n  allowed: bf16, fp8"):
        catalog.dense_flops(row, "fp4")
    with pytest.raises(InputError, match="no figure for 'tf32'"):
        catalog.dense_flops(row, "tf32")
    sparse = catalog.Row("chips", 2, {**row, "flops_basis": "sparse"})
    with pytest.raises(InputError, match="sparse figures are twice the dense ones"):
        catalog.dense_flops(sparse, "fp8")
