"""Reported rounds, conservation of ownership, and the payout of a sale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lineshaft.errors import InputError
from lineshaft.stages.capital import captable as c


@pytest.mark.parametrize(
    ("pre", "new", "post", "percent"),
    [(900, 65, 965, 6.736), (350, 30, 380, 7.895), (730, 122, 852, 14.319), (28, 10, 38, 26.316)],
)
def test_reported_rounds(pre: float, new: float, post: float, percent: float) -> None:
    assert c.post_money(pre, new) == post
    assert 100 * c.dilution(pre, new) == pytest.approx(percent, abs=5e-4)


ROUNDS = st.integers(1, 6).flatmap(
    lambda n: st.tuples(
        arrays(np.float64, (n, 3), elements=st.floats(1e6, 1e13)),
        arrays(np.float64, (n, 3), elements=st.floats(0, 1e13)),
    )
)


@given(ROUNDS)
def test_ownership_sums_to_one_and_agrees_with_one_round_at_a_time(
    rounds: tuple[np.ndarray, np.ndarray],
) -> None:
    pre, new = rounds
    owned = c.ownership(pre, new)
    assert owned.sum(axis=0) == pytest.approx(1.0, abs=1e-12)
    assert (owned >= 0).all()
    step = np.zeros_like(owned)
    step[0] = 1.0
    for k in range(len(pre)):
        bought = np.zeros_like(owned)
        bought[k + 1] = new[k]
        step = c.close_round(step, pre[k], bought)
    assert step == pytest.approx(owned, abs=1e-12)


def test_pro_rata_keeps_every_share() -> None:
    owned = np.array([0.5, 0.3, 0.2])
    bought = c.pro_rata(owned, 65.0)
    assert bought.sum() == pytest.approx(65.0)
    assert c.close_round(owned, 900.0, bought) == pytest.approx(owned, rel=1e-12)


def test_a_simple_preference() -> None:
    """20 for 20 %: kept in a poor sale, converted above 100, and the whole of a fire sale."""
    a = c.ShareClass("A", 20.0, 0.2)
    paid = c.waterfall([10.0, 50.0, 99.0, 200.0], [a])
    assert paid[1] == pytest.approx([10.0, 20.0, 20.0, 40.0])
    assert paid[0] == pytest.approx([0.0, 30.0, 79.0, 160.0])


def test_rank_and_participation() -> None:
    senior = c.ShareClass("B", 30.0, 0.1, rank=1)
    junior = c.ShareClass("A", 30.0, 0.1, participating=True)
    equal = c.ShareClass("A", 30.0, 0.1, participating=True, rank=1)
    assert c.waterfall(40.0, [senior, junior]).tolist() == pytest.approx([0.0, 30.0, 10.0])
    assert c.waterfall(40.0, [senior, equal]).tolist() == pytest.approx([0.0, 20.0, 20.0])
    # 100 left of 160 after both preferences: common 0.8 and the participating 0.1 share it
    assert c.waterfall(160.0, [senior, junior]).tolist() == pytest.approx(
        [100 * 0.8 / 0.9, 30.0, 30 + 100 * 0.1 / 0.9]
    )


CLASSES = st.lists(
    st.builds(
        c.ShareClass,
        name=st.just("x"),
        invested_usd=st.floats(1, 100),
        share=st.floats(0.01, 0.19),
        multiple=st.sampled_from([1.0, 1.5, 2.0]),
        rank=st.integers(0, 2),
        participating=st.booleans(),
    ),
    min_size=1,
    max_size=5,
)


@given(CLASSES, arrays(np.float64, 6, elements=st.floats(0, 3000)))
def test_payouts_sum_to_the_exit_and_nobody_would_choose_otherwise(
    classes: list[c.ShareClass], exits: np.ndarray
) -> None:
    paid = c.waterfall(exits, classes)
    assert paid.sum(axis=0) == pytest.approx(exits, rel=1e-9, abs=1e-9)
    assert (paid >= 0).all()
    order = np.argsort(exits)
    assert (np.diff(paid[:, order], axis=1) >= -1e-6).all()  # more for the whole is less for none
    per_share = paid[0] / (1 - sum(k.share for k in classes))
    for row, k in enumerate(classes, start=1):
        preference = k.invested_usd * k.multiple
        if not k.participating:
            # it gets the better of the two, as far as the money reaches
            assert (paid[row] >= per_share * k.share - 1e-6).all()
            assert (paid[row] <= np.maximum(preference, per_share * k.share) + 1e-6).all()
        if k.rank == max(other.rank for other in classes) and len(classes) == 1:
            assert (paid[row] >= np.minimum(exits, preference) - 1e-6).all()


def test_wrong_inputs_are_named() -> None:
    with pytest.raises(InputError, match="pre > 0"):
        c.dilution(0.0, 1.0)
    with pytest.raises(InputError, match="sum to 1"):
        c.close_round([0.5, 0.4], 1.0, [0.0, 1.0])
    with pytest.raises(InputError, match="share above 0"):
        c.waterfall(1.0, [c.ShareClass("A", 1.0, 1.0)])
