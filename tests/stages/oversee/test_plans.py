"""Plans keep their bound, with as few reviews as they can, and say when nothing can."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.stages.oversee import csp1_fraction, lot_acceptance
from lineshaft.stages.oversee.plans import Review, choose_plan, holdable, lot_fraction
from lineshaft.stages.oversee.simulate import ReviewDesk, Reviewers, Rework, Work, simulate

KINDS = ("csp1", "lots", "share")

reviews = st.builds(
    Review, st.floats(0.2, 1.0), st.floats(0, 0.2), st.floats(0, 1), st.integers(0, 3)
)


@settings(max_examples=40, deadline=None)
@given(
    reviews, st.floats(0.005, 0.5), st.floats(0.1, 1.5), st.sampled_from(["csp1", "lots", "share"])
)
def test_aoq_stays_below_the_bound(review: Review, p: float, part: float, kind: str) -> None:
    bound = min(p * part, 1.0)
    if p > holdable(bound, review):
        with pytest.raises(InputError, match="even if they review everything"):
            choose_plan(p, bound, review)
        return
    plan = choose_plan(p, bound, review, kinds=(kind,))
    assert 0 <= plan.reviewed <= 1 and plan.holds_to >= p
    assert plan.worst <= bound + 1e-9
    q = np.linspace(0, plan.holds_to, 1001)
    seen = review.rejects(q)
    law = {
        "all": np.ones(1001),
        "none": np.zeros(1001),
        "share": np.full(1001, plan.share),
        "csp1": csp1_fraction(seen, plan.share, plan.clearance),
        "lots": lot_fraction(seen, max(plan.sample, 2), plan.accept, plan.lot or 1000),
    }[plan.kind]
    # Between the shares at which it was held the bound may be missed by the width of the grid.
    assert review.outgoing(q, law).max() <= bound * 1.002 + 1e-6
    assert float(review.outgoing(p, plan.reviewed)) == pytest.approx(plan.outgoing)


@given(reviews, st.floats(0, 1), st.floats(0, 1))
def test_balance(review: Review, p: float, share: float) -> None:
    """What is finished is taken, or dropped after a rejection."""
    reviewed, taken, rejected, escaped = (float(part) for part in review.balance(p, share))
    back = reviewed - share
    assert taken + rejected - back == pytest.approx(1.0)
    assert -1e-12 <= escaped <= taken + 1e-12
    perfect = Review(1.0, review.false_alarms, review.rework_share, review.rework_limit)
    assert float(perfect.outgoing(p, 1.0)) in (0.0, 1.0)


def test_no_plan_beats_blind_reviewers() -> None:
    """Without rework what reviewers miss is p (1 - e) of all, more of what is taken."""
    review = Review(0.8)
    p = holdable(0.05, review)
    assert p * 0.2 / (1 - p * 0.8) == pytest.approx(0.05)
    with pytest.raises(InputError, match=r"reviewers who find 0\.8"):
        choose_plan(p + 1e-6, 0.05, review)
    assert choose_plan(p - 1e-6, 0.05, review).reviewed == pytest.approx(1.0, abs=1e-3)
    with pytest.raises(InputError):
        choose_plan(0.1, 0.05, review, holds_to=0.5)
    assert choose_plan(0.01, 0.05, review).kind == "none"
    assert holdable(1.0, review) == 1.0


def test_streams_and_lots_need_fewer_than_a_share() -> None:
    review = Review(0.9)
    plans = {
        kind: choose_plan(0.02, 0.015, review, kinds=(kind,)) for kind in ("csp1", "lots", "share")
    }
    assert plans["csp1"].reviewed < plans["lots"].reviewed < plans["share"].reviewed
    assert choose_plan(0.02, 0.015, review) == plans["csp1"]
    assert "in a row" in str(plans["csp1"]) and "lots of 1000" in str(plans["lots"])
    # No plan that holds the bound at the expected share can do with less than this.
    least = 0.02 * 0.9 * 0.015 - 0.9 * 0.02
    least = (0.015 - 0.02) / least
    assert all(plan.reviewed >= least - 1e-6 for plan in plans.values())


def test_late_results_ask_for_more() -> None:
    review = Review(0.9)
    late = choose_plan(0.02, 0.015, review, kinds=("csp1",), delays=(5000.0, 5000.0))
    assert late.reviewed > choose_plan(0.02, 0.015, review, kinds=("csp1",)).reviewed
    assert late.worst <= 0.015 + 1e-9


def test_lot_fraction() -> None:
    """All of a failed lot is reviewed, of a passed one the sample."""
    passes = float(lot_acceptance(0.05, 50, 2))
    assert float(lot_fraction(0.05, 50, 2, 1000)) == pytest.approx(
        passes * 0.05 + (1 - passes), rel=1e-12
    )


@pytest.mark.parametrize("kind", ["csp1", "share"])
def test_simulated_plan_keeps_the_bound(kind: str) -> None:
    review = Review(0.7, 0.02, 0.8, 1)
    for p in (0.05, 0.07):
        plan = choose_plan(0.05, 0.03, review, holds_to=0.07, kinds=(kind,))
        work = Work(
            1.0,
            0.0,
            defects=p,
            detection=0.7,
            false_alarms=0.02,
            policy=kind,
            share=plan.share,
            clearance=plan.clearance,
        )
        found = simulate(ReviewDesk((work,), Reviewers((1,)), Rework(0.8)), tasks=1_000_000)
        assert found.outgoing.low <= 0.03
        if p == 0.05:
            each = review.flow(p, plan.reviewed)
            assert found.share("reviews").holds(each.reviews)
            assert found.outgoing.holds(each.outgoing)
