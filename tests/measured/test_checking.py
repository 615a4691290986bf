"""Verdicts and counts, and the rows of transformer, train, serve and build themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lineshaft import measured
from lineshaft.errors import InputError
from lineshaft.measured import Result
from lineshaft.measured.checking import check

STAGES = ("transformer", "train", "serve", "build")
SHARED = Path(__file__).parents[2] / "../shared/data"
ROW = measured.rows("train")[0]


def result(model: float | None, **changes: object) -> Result:
    row = replace(ROW, low=100.0, high=100.0, tolerance=0.1, absolute=False)
    return Result(replace(row, **changes), model)


@pytest.mark.parametrize(
    ("model", "known_miss", "verdict", "wrong"),
    [
        (109.9, "", "pass", False),
        (110.0, "", "pass", False),
        (110.1, "", "FAILED", True),
        (None, "", "FAILED", True),
        (150.0, "a reason", "MISSED", False),
        (None, "a reason", "MISSED", False),
        (100.0, "a reason", "FIXED", True),
    ],
)
def test_verdicts(model: float | None, known_miss: str, verdict: str, wrong: bool) -> None:
    found = result(model, known_miss=known_miss)
    assert (found.verdict, found.wrong) == (verdict, wrong)


def test_a_row_without_its_data_is_skipped_and_not_counted() -> None:
    row = next(row for row in measured.rows("train") if row.needs)
    found = check(row)
    assert (found.verdict, found.wrong, found.passed) == ("skipped", False, False)
    assert row.needs[0] in found.skipped
    assert found.to_dict()["passed"] is None


def test_a_model_that_refuses_its_input_or_gives_no_number_fails() -> None:
    refused = check(replace(ROW, arguments={**ROW.arguments, "precision": "fp3"}))
    assert refused.verdict == "FAILED" and "fp3" in refused.refused
    row = next(row for row in measured.rows("train") if row.model == "mttf_s")
    endless = check(replace(row, arguments={"accelerators": 8, "failures_per_node_day": 0.0}))
    assert endless.verdict == "FAILED" and "inf" in endless.refused


def test_counts_and_the_median_error() -> None:
    found = [
        result(102.0, kind="unseen"),
        result(104.0, kind="unseen"),
        result(150.0, kind="unseen", known_miss="why"),
        result(None, kind="unseen"),
        result(99.0, kind="unseen", low=50.0, high=150.0),
        result(100.0, kind="identity"),
        Result(replace(ROW, kind="fitted"), None, skipped="needs x"),
    ]
    identity, fitted, unseen = measured.tally(one.to_dict() for one in found)
    assert (identity.passed, identity.run) == (1, 1)
    assert (fitted.run, fitted.skipped) == (0, 1)
    assert (unseen.passed, unseen.run) == (3, 5)
    assert unseen.median_error == pytest.approx(0.04)
    text = measured.headline(one.to_dict() for one in found)
    assert text == "identity 1/1 · unseen 3/5 (median error 4.0 %) · 1 not run"


def test_a_folder_that_is_not_there() -> None:
    with pytest.raises(InputError, match="not a folder"):
        measured.validate("train", Path("nowhere"))


@pytest.mark.parametrize("stage", STAGES)
def test_the_register_of_misses_is_true(stage: str) -> None:
    """Every row passes or is a known miss, no known miss passes, and the shipped results say so."""
    told: list[str] = []
    found = measured.validate(stage, progress=told.append)
    assert [(one.row.id, one.model) for one in found if one.wrong] == []
    assert told == [one.row.id for one in found]
    shipped = {row["id"]: row for row in measured.summary()}
    for one in found:
        if not one.skipped:
            kept = shipped.get(one.row.id, {"model": None, "passed": None})
            again = "run `lineshaft validate --data ../shared/data --write`"
            assert kept["passed"] == one.passed, f"{one.row.id} has changed: {again}"
            assert one.model is None or kept["model"] == pytest.approx(one.model, rel=0.01), again


@pytest.mark.shared
@pytest.mark.parametrize("stage", STAGES[1:])
def test_the_register_of_misses_is_true_on_published_data(stage: str) -> None:
    if not SHARED.is_dir():
        pytest.skip("published data sets are not here")
    found = [one for one in measured.validate(stage, SHARED) if one.row.needs]
    assert len(found) >= 4
    assert not any(one.skipped for one in found)
    assert [(one.row.id, one.model) for one in found if one.wrong] == []


def test_what_the_rows_say_of_themselves() -> None:
    rows = [row for stage in STAGES for row in measured.rows(stage)]
    assert len(rows) >= 140
    for row in rows:
        assert row.url.startswith("https://")
        # an identity leaves no room for a model; what it leaves is how its source is printed
        assert row.kind != "identity" or row.absolute or row.tolerance <= 0.03, row.id
        assert not row.known_miss or len(row.known_miss) > 5
    unseen = [row for row in rows if row.kind == "unseen" and not row.needs]
    assert len(unseen) >= 60
