"""Allocation: nothing exceeded, nothing lost, and how far greedy stays below the linear optimum."""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.allocation import FORMULAS, POLICIES, Allocation, Params
from lineshaft.contracts.admitted import Admitted, AdmittedTokens
from lineshaft.contracts.fielded import Fielded
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.offers import NO_CAPACITY, PeopleOffer, TokenOffer
from lineshaft.contracts.reasons import CODE, NAMES, ROLES, TRADES
from lineshaft.tables import Array, Dims

GAP_MEAN, GAP_WORST = 0.005, 0.2
"""Allowed gap of the greedy answer to the optimum over 400 random draws, of which 333 have two to
five scarce resources. Measured: 0.35 % in the mean, 0.19 % at the 90th percentile, 7.8 % at the
99th, 18 % at worst, where the optimum holds two kinds back at once, which no order of them does."""


def dims_of(kinds: int, width: int, models: int = 3) -> Dims:
    return Dims(
        {
            "month": ("2026-01",),
            "site": (),
            "phase": (),
            "trade": TRADES,
            "fleet": (),
            "run": (),
            "model": tuple(f"m{i}" for i in range(models)),
            "kind": tuple(f"k{i}" for i in range(kinds)),
            "role": ROLES,
            "holder": ("founders",),
        },
        width,
    )


@dataclass
class Month:
    """One month's inputs: model 0 is served, 1 and 2 are bought by the token."""

    dims: Dims
    fielded: Fielded
    tokens: TokenOffer
    people: PeopleOffer
    params: Params
    ledger: Ledger

    def run(self, policy: str = "value") -> tuple[Admitted, AdmittedTokens]:
        params = Params(policy, *(getattr(self.params, n) for n in Params.__slots__[1:]))
        admitted, by_model = Admitted.allocate(self.dims), AdmittedTokens.allocate(self.dims)
        allocation = Allocation(params, self.dims)
        allocation.advance(
            0, self.ledger, self.fielded, self.tokens, self.people, admitted, by_model
        )
        allocation.finish(self.fielded, admitted, by_model)
        return admitted, by_model

    def bound(self) -> Array:
        f = self.fielded
        return np.clip(f.possible_tasks[0] - self.ledger.work, 0, f.demand_tasks[0])

    def use(self) -> Array:
        """[resource, kind, draw], written out resource by resource."""
        f, p = self.fielded, self.params
        out = np.zeros((5, *f.demand_tasks[0].shape))
        for k, model in enumerate(p.kind_model):
            classes = (f.input_tokens[0, k], f.cached_tokens[0, k], f.output_tokens[0, k])
            share = sum(
                t * s for t, s in zip(classes, self.tokens.share_per_token[model], strict=True)
            )
            out[0, k] = share * p.peak_over_mean[k]
            if model > 0:
                out[model, k] = sum(classes)
            wrong = 1 - f.correct[0, k]
            minutes = f.review_min[0, k] + wrong * p.send_back_min[k]
            out[3, k] = minutes * f.success[0, k] * self.people.review_share[k]
            out[4, k] = f.intervention_min[0, k]
        return out

    def offered(self) -> Array:
        free = np.maximum(self.people.minutes - self.people.owed_min, 0)
        ones = np.ones((1, self.dims.width))
        return np.concatenate(
            (ones, np.broadcast_to(self.tokens.quota_tokens, (2, ones.size)), free)
        )


def month(seed: int, kinds: int, width: int = 1, tight: tuple[float, float] = (0.1, 1.5)) -> Month:
    """A random month; each resource is offered at `tight` times what is wanted of it."""
    rng = np.random.default_rng(seed)
    dims = dims_of(kinds, width)
    f = Fielded.allocate(dims)
    shape = (kinds, width)

    def some(share: float, spread: float = 1.0) -> Array:
        return np.exp(rng.normal(0, spread, shape)) * (rng.random((kinds, 1)) < share)

    f.demand_tasks[0] = np.exp(rng.normal(5, 1, shape))
    f.possible_tasks[0] = f.demand_tasks[0] * rng.uniform(0.7, 1.5, shape)
    f.price_usd[0] = some(1.0)
    f.success[0] = rng.uniform(0.3, 1, shape)
    f.correct[0] = rng.uniform(0.7, 1, shape)
    for name in ("input_tokens", "cached_tokens", "output_tokens"):
        f[name][0] = 1e3 * some(0.95, 1.3)
    f.review_min[0], f.intervention_min[0] = 5 * some(0.7), 2 * some(0.3)
    f.binding[0] = CODE["demand"]
    share = np.zeros((3, 3, width))
    share[0] = np.exp(rng.normal(0, 0.7, (3, 1)))
    ledger = Ledger.opening(dims, 0)
    ledger.work[:] = f.demand_tasks[0] * 0.02
    minimum = np.where(rng.random((1, kinds, 1)) < 0.3, 0.2 * f.demand_tasks[:, :, :1], 0.0)
    params = Params(
        policy="value",
        kind_model=rng.choice(3, kinds, p=[0.7, 0.15, 0.15]),
        provider_models=np.array([1, 2]),
        peak_over_mean=rng.uniform(1, 3, (kinds, 1)),
        minimum_tasks=0 * minimum,
        embodied=rng.random(kinds) < 0.3,
        send_back_min=rng.uniform(0, 4, (kinds, 1)),
    )
    made = Month(
        dims,
        f,
        TokenOffer(
            share,
            np.zeros((2, width)),
            np.zeros((0, width)),
            np.full(width, CODE["chips"], np.int8),
        ),
        PeopleOffer(np.zeros((2, width)), np.zeros((2, width)), rng.uniform(0.1, 1, (kinds, 1))),
        params,
        ledger,
    )
    wanted = (made.use() * made.bound()).sum(axis=1) * rng.uniform(*tight, (5, width))
    scale = np.maximum(wanted[0], 1e-9)
    made.tokens = TokenOffer(
        share / scale, wanted[1:3], made.tokens.accelerators, made.tokens.binding
    )
    made.people = PeopleOffer(wanted[3:] * 1.1, wanted[3:] * 0.1, made.people.review_share)
    return made


def optimum(value: Array, use: Array, offered: Array, bound: Array) -> float:
    """The linear programme: max value y, use y <= offered, 0 <= y <= bound (fractions of it)."""
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    y = [solver.addVariable(0.0, 1.0) for _ in bound]
    for row, limit in zip(use, offered, strict=True):
        if (row * bound).sum() > 0:
            scale = max(limit, (row * bound).max() * 1e-9)
            terms = [
                float(r * b / scale) * v for r, b, v in zip(row, bound, y, strict=True) if r * b
            ]
            solver.addConstr(sum(terms[1:], terms[0] + 0.0) <= float(limit / scale))
    worth = [float(v * b) for v, b in zip(value, bound, strict=True)]
    solver.maximize(sum((w * v for w, v in zip(worth[1:], y[1:], strict=True)), worth[0] * y[0]))
    return float(solver.getObjectiveValue())


def gaps(months: list[Month]) -> tuple[Array, Array]:
    """(gap to the optimum, number of scarce resources) of each draw of each month."""
    found, scarce = [], []
    for m in months:
        value = m.fielded.price_usd[0] * m.fielded.success[0]
        use, offered, bound = m.use(), m.offered(), m.bound()
        got = (value * m.run()[0].admitted_tasks[0]).sum(axis=0)
        for d in range(m.dims.width):
            best = optimum(value[:, d], use[:, :, d], offered[:, d], bound[:, d])
            assert got[d] <= best * (1 + 1e-6), "better than the optimum: something is exceeded"
            found.append(1 - got[d] / best)
            scarce.append(((use * bound).sum(axis=1) > offered)[:, d].sum())
    return np.array(found), np.array(scarce)


def test_greedy_stays_close_to_the_linear_optimum() -> None:
    gap, scarce = gaps([month(seed, 2 + seed % 7, width=8) for seed in range(50)])
    assert (scarce >= 2).sum() > 250
    assert np.abs(gap[scarce <= 1]).max() < 1e-6
    assert gap.mean() < GAP_MEAN
    assert gap.max() < GAP_WORST


@pytest.mark.parametrize("row", range(5))
def test_a_single_scarce_resource_is_shared_out_optimally(row: int) -> None:
    for seed in range(10):
        m = month(seed, 6, width=2, tight=(1.2, 1.6))
        wanted = (m.use() * m.bound()).sum(axis=1)
        minutes, quota, share = m.people.minutes.copy(), m.tokens.quota_tokens.copy(), 1.0
        if row == 0:
            share = 4.0
        elif row < 3:
            quota[row - 1] = 0.3 * wanted[row]
        else:
            minutes[row - 3] = 0.3 * wanted[row] + m.people.owed_min[row - 3]
        m.tokens = TokenOffer(
            m.tokens.share_per_token * share, quota, m.tokens.accelerators, m.tokens.binding
        )
        m.people = PeopleOffer(minutes, m.people.owed_min, m.people.review_share)
        gap, scarce = gaps([m])
        assert (scarce <= 1).all()
        assert np.abs(gap).max() < 1e-6


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    kinds=st.integers(1, 8),
    width=st.integers(1, 4),
    policy=st.sampled_from(POLICIES),
    promised=st.booleans(),
)
def test_nothing_is_exceeded_and_nothing_is_lost(
    seed: int, kinds: int, width: int, policy: str, promised: bool
) -> None:
    m = month(seed, kinds, width, tight=(0.0, 1.3))
    if promised:
        m.params.minimum_tasks[:] = 0.3 * m.fielded.demand_tasks[:, :, :1]
    admitted, tokens = m.run(policy)
    y, demand = admitted.admitted_tasks[0], m.fielded.demand_tasks[0]
    assert (y >= 0).all() and (y <= m.bound() * (1 + 1e-12)).all()
    assert ((m.use() * y).sum(axis=1) <= m.offered() * (1 + 1e-9) + 1e-9).all()
    np.testing.assert_allclose(y + admitted.turned_away_tasks[0], demand, rtol=1e-12)
    np.testing.assert_allclose(tokens.admitted + tokens.turned_away, tokens.wanted, rtol=1e-9)
    np.testing.assert_allclose(
        tokens.input_tokens + tokens.cached_tokens + tokens.output_tokens,
        tokens.admitted,
        rtol=1e-9,
    )
    assert ((admitted.slack >= 0) & (admitted.slack <= 1 + 1e-12)).all()
    names = {NAMES[code] for code in admitted.binding.ravel()}
    assert names <= {
        "demand",
        "seats",
        "robots",
        "chips",
        "tokens",
        *(f"people: {r}" for r in ROLES),
    }


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), policy=st.sampled_from(POLICIES))
def test_what_is_turned_away_for_want_of_a_resource_finds_none_left(seed: int, policy: str) -> None:
    m = month(seed, 5, 2, tight=(0.1, 1.2))
    admitted, _ = m.run(policy)
    y, use = admitted.admitted_tasks[0], m.use()
    left = 1 - (use * y).sum(axis=1) / np.maximum(m.offered(), 1e-300)
    of = {CODE["chips"]: (0,), CODE["tokens"]: (1, 2), CODE["people: reviewer"]: (3,)}
    of[CODE["people: operator"]] = (4,)
    for k, d in np.ndindex(y.shape):
        code = int(admitted.binding[0, k, d])
        if code in of and y[k, d] < m.bound()[k, d] * (1 - 1e-6):
            rows = [r for r in of[code] if use[r, k, d] > 0]
            assert rows
            if policy != "proportional":  # which may leave some of it: others had less
                assert min(left[r, d] for r in rows) < 1e-6


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("promised", [False, True])
def test_draws_do_not_touch_each_other(policy: str, promised: bool) -> None:
    """Not even a draw in which nothing is scarce, beside others in which something is."""
    ample = 0
    for seed in range(8):
        wide = month(seed, 6, width=8, tight=(0.9, 1.6))
        wide.fielded.demand_tasks[0, 0] = 1e-12  # next to nothing
        if promised:
            wide.params.minimum_tasks[:] = 0.3 * wide.fielded.demand_tasks[:, :, :1]
        ample += ((wide.use() * wide.bound()).sum(axis=1) <= wide.offered()).all(axis=0).sum()
        together = wide.run(policy)[0]
        for d in range(8):
            alone = only(wide, d).run(policy)[0]
            for column, values in together:
                np.testing.assert_array_equal(alone[column.name][..., 0], values[..., d])
    assert 0 < ample < 64


def only(m: Month, d: int) -> Month:
    """The month of one draw alone."""
    dims = dims_of(m.dims.size("kind"), 1)
    pick = [d]
    f, ledger = Fielded.allocate(dims), Ledger.opening(dims, 0)
    for column, values in m.fielded:
        f[column.name][:] = values[..., pick]
    ledger.work[:] = m.ledger.work[:, pick]
    t, p = m.tokens, m.people
    tokens = TokenOffer(
        t.share_per_token[..., pick],
        t.quota_tokens[:, pick],
        t.accelerators[:, pick],
        t.binding[pick],
    )
    people = PeopleOffer(p.minutes[:, pick], p.owed_min[:, pick], p.review_share)
    return Month(dims, f, tokens, people, m.params, ledger)


def test_priority_serves_the_scenario_s_order_and_value_the_dearest() -> None:
    m = month(0, 3)
    f = m.fielded
    f.demand_tasks[0] = f.possible_tasks[0] = 10.0
    m.ledger.work[:] = 0.0
    f.price_usd[0, :, 0], f.success[0] = (1.0, 3.0, 2.0), 1.0
    for name in ("input_tokens", "cached_tokens", "output_tokens", "intervention_min"):
        f[name][0] = 0.0
    f.review_min[0], f.correct[0] = 1.0, 1.0
    m.people = PeopleOffer(np.array([[15.0], [0.0]]), np.zeros((2, 1)), np.ones((3, 1)))
    assert m.run("priority")[0].admitted_tasks[0, :, 0].tolist() == [10, 5, 0]
    value = m.run("value")[0]
    assert value.admitted_tasks[0, :, 0].tolist() == [0, 10, 5]
    assert NAMES[value.binding[0, 0, 0]] == "people: reviewer"
    assert NAMES[value.binding[0, 1, 0]] == "demand"
    assert m.run("proportional")[0].admitted_tasks[0, :, 0].tolist() == [5, 5, 5]


def test_value_counts_only_work_that_succeeds() -> None:
    m = month(0, 2)
    f = m.fielded
    f.demand_tasks[0] = f.possible_tasks[0] = 10.0
    m.ledger.work[:] = 0.0
    f.price_usd[0, :, 0], f.success[0, :, 0], f.correct[0] = (3.0, 2.0), (0.5, 1.0), 1.0
    for name in ("input_tokens", "cached_tokens", "output_tokens", "review_min"):
        f[name][0] = 0.0
    f.intervention_min[0] = 1.0
    m.people = PeopleOffer(np.array([[0.0], [12.0]]), np.zeros((2, 1)), np.ones((2, 1)))
    assert m.run()[0].admitted_tasks[0, :, 0].tolist() == [2, 10]


def test_promised_work_comes_first_under_every_policy() -> None:
    for policy in POLICIES:
        m = month(0, 3)
        f = m.fielded
        f.demand_tasks[0] = f.possible_tasks[0] = 10.0
        m.ledger.work[:] = 0.0
        f.price_usd[0, :, 0], f.success[0], f.correct[0] = (3.0, 2.0, 1.0), 1.0, 1.0
        for name in ("input_tokens", "cached_tokens", "output_tokens", "intervention_min"):
            f[name][0] = 0.0
        f.review_min[0] = 1.0
        m.people = PeopleOffer(np.array([[12.0], [0.0]]), np.zeros((2, 1)), np.ones((3, 1)))
        m.params.minimum_tasks[:, 2] = 8.0
        admitted = m.run(policy)[0].admitted_tasks[0, :, 0]
        assert admitted[2] >= 8.0
        assert admitted.sum() == pytest.approx(12.0)


def test_without_capacity_only_what_wants_none_goes_ahead() -> None:
    m = month(5, 4)
    m.params.kind_model[:] = 0
    m.fielded.input_tokens[0, 0] = m.fielded.cached_tokens[0, 0] = 0.0
    m.fielded.output_tokens[0, 0] = 0.0
    m.fielded.output_tokens[0, 1:] = 1.0
    share = np.full((3, 3, 1), NO_CAPACITY)
    m.tokens = TokenOffer(share, m.tokens.quota_tokens, m.tokens.accelerators, m.tokens.binding)
    m.people = PeopleOffer(np.full((2, 1), 1e9), np.zeros((2, 1)), m.people.review_share)
    admitted, _ = m.run()
    y = admitted.admitted_tasks[0, :, 0]
    assert y[0] == pytest.approx(m.bound()[0, 0])
    assert (y[1:] < 1e-20).all()
    assert [NAMES[c] for c in admitted.binding[0, 1:, 0]] == ["chips"] * 3


def test_no_kinds_at_all() -> None:
    m = month(0, 0)
    admitted, tokens = m.run()
    assert admitted.admitted_tasks.shape == (1, 0, 1)
    assert (tokens.wanted == 0).all()


def test_every_column_has_a_formula() -> None:
    columns = {f"{t.name()}.{c.name}" for t in (Admitted, AdmittedTokens) for c in t.columns()}
    assert set(FORMULAS) == columns
