"""Words for people."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from lineshaft.words import aligned, or_none, shortened, suggestion


def test_the_nearest_name_or_nothing() -> None:
    assert suggestion("oversee.da", ["value.irr", "oversee.daa"]) == "did you mean 'oversee.daa'?"
    assert suggestion("xyz", ["value.irr", "oversee.daa"]) == ""
    assert suggestion("anything", []) == ""


@given(st.text(), st.integers(1, 80))
def test_a_cut_text_says_that_it_is_cut(text: str, width: int) -> None:
    found = shortened(text, width)
    assert len(found) <= width
    assert found == text or (found.endswith("…") and text.startswith(found[:-1]))


def test_columns_stand_under_each_other() -> None:
    rows = [("input", "low", "note"), ("wacc", "9.45 %", ""), ("market growth", "27 %", "weak")]
    assert aligned(rows, left=(0, -1)) == [
        "input             low  note",
        "wacc           9.45 %",
        "market growth    27 %  weak",
    ]
    assert aligned(rows)[2] == "market growth    27 %  weak"
    assert aligned([]) == []


def test_what_json_cannot_hold_is_none() -> None:
    assert [or_none(x) for x in (1.5, math.nan, math.inf, 0.0)] == [1.5, None, None, 0.0]
