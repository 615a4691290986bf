"""What must be true, what moves the value, what one more is worth, and how the value scatters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lineshaft.report import money, moves, must
from lineshaft.runs import Run


def test_the_widest_inputs_are_drawn_and_all_are_kept(asked: dict[str, Any]) -> None:
    """Ten bars, each with its ends and values; the CSV has every input, as it was said."""
    chart = moves.swings(asked["sensitivity"])
    assert len(chart.x) == moves.MOST == len(chart.extra["ends"])
    assert chart.x[:2] == ("what input 0 means", "kind coder: what input 1 means")
    assert chart.extra["ends"][0] == ["$0.0400/kWh", "$0.0800/kWh"]
    assert chart.extra["weak"][:3] == [True, False, False]
    assert "○ low confidence" in chart.note
    sheet = chart.extra["sheet"]
    assert len(sheet) == 15
    low, high = sheet[0].index("low [USD]"), sheet[0].index("high [USD]")
    for line, move in zip(sheet[1:], asked["sensitivity"]["moves"], strict=True):
        assert (line[low], line[high]) == pytest.approx((move["low"], move["high"]), rel=1e-5)
    assert "a source" in chart.table()


def test_an_input_that_moves_nothing_is_not_drawn() -> None:
    """Nor one without an answer at an end; both stay out of the picture."""
    still = {"input": "a", "meaning": "", "unit": "1", "low_input": 0.0, "high_input": 1.0}
    still |= {"low": 5.0, "high": 5.0, "confidence": "", "source": ""}
    gone = {**still, "input": "b", "low": None}
    chart = moves.swings({"kpi": "", "base": 5.0, "moves": [still, gone]})
    assert chart.empty and len(chart.extra["sheet"]) == 2
    assert moves.swings(None).empty


def test_what_one_more_is_worth(asked: dict[str, Any]) -> None:
    """The dearest first, kinks named, one less with the sign of the last unit's worth."""
    chart = moves.one_more(asked["one_more"])
    assert chart.x == ("one more electrical crew", "one more drone")
    assert chart.extra["sides"] == [[1e7, 3e7], [-1e5, None]]
    assert chart.extra["kinks"] == [True, False]
    assert "kinked" in chart.note and "kinked" in chart.table()
    assert "none to take away" in chart.table()
    assert moves.one_more(None).empty and moves.one_more([]).empty


def test_weak_inputs_in_words(asked: dict[str, Any]) -> None:
    """The share with its error, and the next datum to buy; few draws are told."""
    said = moves.confidence({"draws": 1024, "confidence": asked["confidence"]})
    assert said == (
        "At least 62 % (± 4 %) of the variance of the value rests on inputs of low confidence, "
        "20 % on what the scenario says. "
        "Knowing serve.input_0 better would remove most (30 % of it)."
    )
    assert "too few draws" in moves.confidence({"draws": 64, "confidence": None})
    assert moves.confidence({"draws": 0}) == ""


def test_the_line_is_lit_up_to_the_first_impossible_joint(asked: dict[str, Any]) -> None:
    """From the right: value is lit, reviewers stop it, what lies left of them stays dark."""
    found = asked["required"]
    html = must.lit(found)
    assert [part.split('"')[0] for part in html.split('<li class="')[1:]] == ["off", "stop", "on"]
    assert html.index(">build<") < html.index(">oversee<") < html.index(">value<")
    assert "The line in 2028" in html
    assert "reviewers: 1.62 ×" in html and "electricians: 12 ×" in html and "no limit" in html
    possible = {**found, "first_impossible": None}
    assert must.lit(possible).count('class="on"') == 3
    assert "electricians: 12 × in 2028" in must.lit(possible)


def test_the_answer_in_words(asked: dict[str, Any]) -> None:
    """What require said, and the cycle that it computed."""
    cycle = {"years": 2.84, "low_years": 0.847, "high_years": 20.06, "held_by": "robots"}
    assert must.lead(asked["required"]) == "A worth of $9.30T."
    unending = {**cycle, "high_years": None, "horizon_years": 200}
    assert "(0.847 years to more than 200 years)" in must.lead(
        {**asked["required"], "cycle": unending}
    )
    assert must.lead({**asked["required"], "cycle": cycle}).endswith(
        "takes 2.84 years (0.847 years to 20.1 years), held by robots."
    )


def test_joints_by_year(asked: dict[str, Any]) -> None:
    """Joints with a limit in the picture, all in table and CSV, the first impossible one framed."""
    chart = must.joints(asked["required"])
    assert chart.x == ("reviewers", "electricians")
    assert chart.extra["first"] == [0, 2]
    assert len(chart.body) == len(chart.extra["sheet"]) - 1 == 9
    assert chart.body[5] == (
        *("reviewers", "2028", "4.00 M people", "2.47 M people", "1.62 ×", "a source"),
    )
    assert must.joints(None).empty


def test_what_require_gives_can_be_drawn() -> None:
    """The real answer for the shipped example: every key that is read is there."""
    import lineshaft
    from lineshaft.require import require

    found = require(lineshaft.read("gigawatt"), value_usd=9.3e12).to_dict()
    chart = must.joints(found)
    assert {"reviewers", "packages", "capex"} <= set(chart.x)
    row, year = chart.extra["first"]
    assert chart.x[row] == found["first_impossible"]["joint"]
    assert chart.rows[row].values[year] == pytest.approx(found["first_impossible"]["margin"])
    html = must.lit(found)
    assert html.count('class="stop"') == 1 and ">capital<" in html
    assert "$9.30T" in must.lead(found)


@given(arrays(float, st.integers(1, 300), elements=st.floats(-1e13, 1e13)))
def test_a_histogram_counts_every_draw_once(draws: np.ndarray[Any, Any]) -> None:
    """Bins rise, and their counts are the draws that have a value."""
    chart = money.spread(np.append(draws, np.nan), 0.0, {"p50": float(np.median(draws))})
    edges = chart.extra["edges"]
    assert chart.rows[0].values.sum() == draws.size
    assert edges == sorted(edges) and len(edges) == len(chart.x) + 1
    assert f"{draws.size} draws" in chart.alt


def test_the_spread_says_how_often_value_is_lost(make: Callable[..., Run]) -> None:
    """The share of draws below 0, and the quantiles of the run, in the table."""
    run = make(draws=64)
    name = "value.enterprise_value_usd"
    quantiles = run.kpis[name]["quantiles"]
    chart = money.spread(run.draws(name) - quantiles["p50"], 0.0, quantiles)
    assert "below 0 in 50 % of the draws" in chart.note
    assert chart.body[0][0] == "5 % quantile" and chart.body[-1][1] == "50 %"
    assert money.spread(np.zeros(0), 0.0, {}).empty
