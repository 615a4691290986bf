"""Reading rows: what a row says, and every way in which it can be wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft import measured
from lineshaft.errors import InputError
from lineshaft.measured.rows import Row, models_of, parse

GOOD: dict[str, Any] = {
    "id": "train.mttf.small",
    "what": "a job's mean time to failure",
    "measured": 1000.0,
    "unit": "s",
    "tolerance": 0.1,
    "why": "printed with two digits",
    "kind": "unseen",
    "source": "a paper",
    "url": "https://example.org",
    "as_of": "2026",
    "confidence": "high",
    "model": "mttf_s",
    "with": {"accelerators": 1024},
}


def toml(*rows: dict[str, Any]) -> str:
    def value(found: Any) -> str:
        if isinstance(found, dict):
            return "{ " + ", ".join(f"{k} = {value(v)}" for k, v in found.items()) + " }"
        if isinstance(found, list):
            return "[" + ", ".join(map(value, found)) + "]"
        return f'"{found}"' if isinstance(found, str) else str(found).lower()

    return "\n".join(
        "[[row]]\n" + "\n".join(f"{k} = {value(v)}" for k, v in row.items()) for row in rows
    )


def one(**changes: Any) -> Row:
    row = {key: value for key, value in (GOOD | changes).items() if value is not None}
    return parse(toml(row), "train")[0]


def test_a_good_row() -> None:
    row = one()
    assert (row.low, row.high, row.band, row.absolute) == (1000.0, 1000.0, False, False)
    assert row.call(None) == pytest.approx(86400 / (128 * 6.5e-3))
    assert one(measured=[1, 2], tolerance=None).band
    assert one(tolerance=None, tolerance_abs=3).absolute


@pytest.mark.parametrize(
    ("changes", "key", "hint"),
    [
        ({"toleranse": 0.1}, "toleranse", "did you mean 'tolerance'?"),
        ({"source": None}, "source", "every row is cited"),
        ({"why": " "}, "why", "every row is cited"),
        ({"kind": "guess"}, "kind", "identity, fitted, unseen"),
        ({"confidence": "sure"}, "confidence", "high, medium, low"),
        ({"as_of": "May 2026"}, "as_of", "2026-05"),
        ({"id": "serve.mttf.small"}, "id", "train.first.second"),
        ({"id": "train.mttf"}, "id", "train.first.second"),
        ({"measured": "long"}, "measured", "a number, or [low, high]"),
        ({"measured": [2, 1]}, "measured", "a number, or [low, high]"),
        ({"measured": 0.0}, "measured", "give tolerance_abs"),
        ({"tolerance": None}, "tolerance", "a band may do without"),
        ({"tolerance_abs": 1.0}, "tolerance", "tolerance (relative) or"),
        ({"tolerance": -0.1}, "tolerance", "a number from 0"),
        ({"model": "mttf"}, "model", "did you mean 'mttf_s'?"),
        ({"with": {"acelerators": 8}}, "with.acelerators", "did you mean 'accelerators'?"),
        ({"with": {}}, "with.accelerators", "every argument of mttf_s"),
        ({"needs": "train/x.csv"}, "needs", "reads no data set"),
        ({"model": "set_step_error", "with": {"of": "sc21"}}, "needs", "the data set that"),
        ({"known_miss": ""}, "known_miss", "why the model misses it"),
        ({"like": "train.mttf.large"}, "like", "the id of an earlier row"),
    ],
)
def test_a_wrong_row_says_where_and_what_is_allowed(
    changes: dict[str, Any], key: str, hint: str
) -> None:
    with pytest.raises(InputError) as error:
        one(**changes)
    told = [p for p in error.value.problems if p.key.endswith(key)]
    assert told
    assert told[0].where == "measured/train.toml, row 1"
    assert any(hint in str(problem) for problem in told)


def test_all_problems_of_all_rows_are_told_at_once() -> None:
    second = GOOD | {"unit": "", "kind": "known"}
    with pytest.raises(InputError) as error:
        parse(toml(GOOD | {"url": ""}, second), "train")
    keys = [problem.key.split(".")[-1] for problem in error.value.problems]
    assert keys == ["url", "unit", "kind", "small"]  # the last: the id is there twice
    with pytest.raises(InputError, match="not a TOML file"):
        parse("[[row", "train")
    with pytest.raises(InputError, match="not a list of rows"):
        parse("[rows]", "train")


def test_a_row_takes_from_an_earlier_one_what_it_does_not_say() -> None:
    miss = GOOD | {"known_miss": "the first is missed"}
    other = {"id": "train.mttf.large", "like": GOOD["id"], "with": {"failures_per_node_day": 0.01}}
    tight = {"id": "train.mttf.tight", "like": other["id"], "tolerance_abs": 5.0}
    first, second, third = parse(toml(miss, other, tight), "train")
    assert second.arguments == {"accelerators": 1024, "failures_per_node_day": 0.01}
    assert (second.source, second.tolerance) == (first.source, first.tolerance)
    assert second.known_miss == ""
    assert third.absolute and third.tolerance == 5.0


def test_an_unknown_stage_is_told_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'serve'"):
        measured.rows("serv")


def test_ids_are_unique_and_rows_stand_in_the_order_of_the_line() -> None:
    rows = measured.rows()
    assert len({row.id for row in rows}) == len(rows)
    order = [measured.STAGES.index(row.stage) for row in rows]
    assert order == sorted(order)
    assert all(measured.rows(stage) for stage in ("transformer", "build", "train", "serve"))
    assert set(models_of("train")) >= {row.model for row in measured.rows("train")}


numbers = st.floats(0.1, 1e6)


@given(numbers, numbers, st.floats(0, 1e7))
def test_the_error_of_a_band_is_the_distance_to_it(a: float, b: float, model: float) -> None:
    low, high = sorted((a, b))
    row = one(measured=[low, high + 1], tolerance=None)
    error = row.error(model)
    assert (error == 0) == (low <= model <= high + 1)
    assert (error < 0) == (model < low)
    absolute = one(measured=[low, high + 1], tolerance=None, tolerance_abs=1)
    assert absolute.error(model) == pytest.approx(error * (low if model < low else high + 1))
