"""From `[agents]` to plain parameters."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.curves import FloorCurve
from lineshaft.contracts.reasons import ROLES
from lineshaft.errors import InputError
from lineshaft.parameters import agents as made
from lineshaft.scenario.agents import Agents, Kind
from lineshaft.scenario.draws import Draws, sample
from lineshaft.scenario.fields import drivers
from lineshaft.scenario.floor import Floor
from lineshaft.scenario.oversee import Oversee
from lineshaft.stages.agents import (
    PUBLIC_TREND,
    TokenUse,
    mean_tokens_per_attempt,
    trend_log2_horizon,
)
from lineshaft.tables import Dims

NONE = Draws(0, {})
CERTAIN = {
    "market_tasks_per_day": 1000,
    "market_growth_per_year": 0,
    "adoption": "all",
    "price_usd": 2,
    "price_decline_per_year": 0,
    "elasticity": 1,
}


def scenario(*kinds: dict[str, Any], **other: Any) -> Any:
    floor = other.pop("floor", {})
    return SimpleNamespace(
        start="2026-01",
        months=other.pop("months", 36),
        policy=other.pop("policy", "value"),
        agents=Agents.model_validate({"kind": kinds, **other.pop("agents", {})}),
        floor=Floor.model_validate(floor),
        oversee=Oversee.model_validate(other.pop("oversee", {})),
        serve=SimpleNamespace(
            model=[
                SimpleNamespace(name="first", source="own"),
                SimpleNamespace(name="second", source="provider"),
            ]
        ),
    )


def axes(s: Any) -> tuple[Dims, Calendar]:
    calendar = Calendar.of(s.start, s.months)
    labels = {
        "month": calendar.labels,
        "kind": tuple(k.name for k in s.agents.kind),
        "model": tuple(m.name for m in s.serve.model),
        "role": ROLES,
        "site": tuple(x.name for x in s.floor.site),
    }
    return Dims(labels), calendar


def params(s: Any, draws: Draws = NONE, curves: dict[int, FloorCurve] | None = None) -> made.Params:
    dims, calendar = axes(s)
    return made.params(s, draws, dims, calendar, curves or {})


def test_market_price_and_elasticity_by_hand() -> None:
    p = params(
        scenario({"name": "k", **CERTAIN, "price_decline_per_year": 0.5, "price_floor": 0.3})
    )
    np.testing.assert_allclose(p.price_usd[[0, 12, 35], 0, 0], [2, 1, 0.6])
    np.testing.assert_allclose(p.market_tasks[[0, 12, 35], 0, 0], [31_000, 62_000, 31_000 / 0.3])
    np.testing.assert_allclose(p.adoption, 1)


def test_prices_in_all_their_ways() -> None:
    base = {"human_minutes": 60, "sigma": 0, "wage_usd_per_h": 50, "price_decline_per_year": 0}
    use = {"tokens_per_attempt": 1e6, "input_share": 0.9, "cached_share": 0.5}
    p = params(
        scenario(
            {"name": "share", **base, "price_share": 0.2},
            {"name": "mtok", **base, **use, "usd_per_mtok": 3},
            {"name": "row", **base, **use, "price_row": "DeepSeek R1"},
            {"name": "usd", **base, "price_usd": 7},
        )
    )
    row = 0.45 * 0.55 + 0.45 * 0.14 + 0.1 * 2.19
    np.testing.assert_allclose(p.price_usd[0, :, 0], [10, 3, row, 7])


def test_adoption_goes_from_ten_to_ninety_percent_in_the_years_given() -> None:
    a = {"share_at_start": 0.05, "saturation": 0.5, "years_10_to_90": 8}
    p = params(scenario({"name": "k", "adoption": a}, months=240))
    years = (np.arange(240) + 0.5) / 12
    share = p.adoption[:, 0, 0] / 0.5
    passed = np.interp([0.9], share, years) - np.interp([0.1], share, years)
    # ten percent is where it starts
    assert passed[0] == pytest.approx(8, abs=0.05)


def test_bass_solves_its_equation_and_starts_at_its_share() -> None:
    a = {"curve": "bass", "share_at_start": 0.02, "saturation": 0.4, "start": "2025-01"}
    p = params(scenario({"name": "k", "adoption": a}, months=600))
    share = p.adoption[:, 0, 0] / 0.4
    rate = np.gradient(share, 1 / 12)
    np.testing.assert_allclose(
        rate[1:-1], ((0.03 + 0.38 * share) * (1 - share))[1:-1], rtol=1e-3, atol=1e-7
    )
    early = params(scenario({"name": "k", "adoption": a | {"start": "2026-01"}})).adoption
    assert early[0, 0, 0] == pytest.approx(0.02, rel=0.05)


def test_nothing_is_asked_before_the_start_and_half_at_the_midpoint() -> None:
    a = {"start": "2027-01", "saturation": 0.6, "midpoint_years": 1, "years_10_to_90": 2}
    p = params(scenario({"name": "k", "adoption": a}))
    assert (p.adoption[:12] == 0).all() and (p.adoption[12:] > 0).all()
    middle = p.adoption[23:25, 0, 0].mean()
    assert middle == pytest.approx(0.3, rel=1e-3)


@settings(max_examples=40, deadline=None)
@given(
    start=st.floats(0, 1),
    top=st.floats(0, 1),
    years=st.floats(0.01, 100),
    curve=st.sampled_from(["logistic", "bass"]),
)
def test_adoption_never_falls_and_never_passes_its_saturation(
    start: float, top: float, years: float, curve: str
) -> None:
    a = {"share_at_start": start, "saturation": top, "years_10_to_90": years, "curve": curve}
    p = params(scenario({"name": "k", "adoption": a}, months=48))
    share = p.adoption[:, 0, 0]
    assert (np.diff(share) >= -1e-12).all()
    assert (share <= top + 1e-12).all()


def test_tokens_follow_the_rule_of_the_engine() -> None:
    k = {"name": "k", "human_minutes": 20, "sigma": 0.7, "token_exponent": 0.8}
    p = params(scenario(k | {"tokens_per_hour_task": 1e6}))
    use = TokenUse(tokens_at_60=1e6, exponent=0.8)
    wanted = mean_tokens_per_attempt(20, 0.7, use)
    found = (p.input_tokens[0, 0], p.cached_tokens[0, 0], p.output_tokens[0, 0])
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    np.testing.assert_allclose(p.calls[0, 0], sum(wanted) / 78_300)


def test_a_coding_task_of_an_hour_takes_what_was_published() -> None:
    p = params(scenario({"name": "k", "human_minutes": 60, "sigma": 0}))
    total = p.input_tokens + p.cached_tokens + p.output_tokens
    assert 0.25e6 < total[0, 0] < 5e6


def test_agents_in_office_hours_are_sized_on_their_own_hours() -> None:
    flat = {"shape": "flat", "peak_day": 1.5}
    night = {"weekday": [1] * 12 + [0] * 12, "peak_day": 1}
    p = params(
        scenario(
            {"name": "always", "load": flat},
            {"name": "office", "load": flat, "hours_per_day": 8, "days_per_week": 5},
            {"name": "night", "load": night, "hours_per_day": 12},
        )
    )
    np.testing.assert_allclose(p.duty[:, 0], [1, 5 / 21, 0.5])
    np.testing.assert_allclose(p.peak_over_mean[:, 0], [1.5, 1, 1])


def test_peaks_of_a_model_add_up_hour_by_hour() -> None:
    day = {"weekday": [1] * 12 + [0] * 12, "peak_day": 1}
    night = {"weekday": [0] * 12 + [1] * 12, "peak_day": 1}
    same = {"tokens_per_attempt": 100, "market_tasks_per_day": 10, "adoption": "all"}
    s = scenario({"name": "a", "load": day, **same}, {"name": "b", "load": night, **same})
    np.testing.assert_allclose(made.model_peaks(s, axes(s)[0]), [[1], [1]])
    s = scenario({"name": "a", "load": day, **same}, {"name": "b", "load": day, **same})
    np.testing.assert_allclose(made.model_peaks(s, axes(s)[0]), [[2], [1]])
    s = scenario({"name": "a", "load": day, **same, "market_tasks_per_day": 0})
    np.testing.assert_allclose(made.model_peaks(s, axes(s)[0]), [[2], [1]])


def test_the_public_horizon_is_metr_s_trend_up_to_the_cap() -> None:
    s = scenario(agents={"horizon": 320.4, "doubling": "130.8 days"}, months=24)
    calendar = Calendar.of("2026-01", 24)
    found = made.public_log2_horizon(s, NONE, calendar)
    days = [f"{label}-15" for label in calendar.labels]
    wanted, capped = trend_log2_horizon(days, PUBLIC_TREND)
    np.testing.assert_allclose(found[:, 0], wanted + math.log2(60), atol=1e-9)
    assert capped.any() and not capped.all()
    no_cap = scenario(agents={"cap": "1e9 hours"}, months=24)
    assert (np.diff(made.public_log2_horizon(no_cap, NONE, calendar), axis=0) > 0).all()
    with pytest.raises(InputError, match="no horizon"):
        none = Agents.model_construct(horizon=None, horizon_date=None, capability="x")
        made.public_log2_horizon(SimpleNamespace(agents=none), NONE, calendar)  # type: ignore[arg-type]


def test_draws_reach_every_uncertain_default() -> None:
    s = scenario({"name": "my coder"}, {"name": "api", "work": "tokens"})
    found = {f"agents.{path}": number for path, number in drivers(s.agents).items()}
    found |= {f"oversee.{path}": number for path, number in drivers(s.oversee).items()}
    draws = sample(found, 4, seed=1)
    p = params(s, draws)
    for name in ("market_tasks", "adoption", "price_usd", "task_s", "deployment", "tool_s"):
        values = getattr(p, name)
        assert values.shape[-1] == 5
        assert len(np.unique(values[..., 0, :])) > 4, name
    np.testing.assert_allclose(p.task_s[0, 0], 3600)
    assert made.public_log2_horizon(s, draws, Calendar.of("2026-01", 3)).shape == (3, 5)


def test_kinds_find_their_model() -> None:
    s = scenario({"name": "a"}, {"name": "b", "model": "second"})
    assert made.kind_models(s).tolist() == [0, 1]
    with pytest.raises(InputError, match="there is no model 'third'"):
        made.kind_models(scenario({"name": "a", "model": "third"}))
    s.serve.model = []
    with pytest.raises(InputError, match="no model to think with"):
        made.engine_inputs(s, *axes(s))


def test_parameters_of_the_allocation() -> None:
    s = scenario(
        {"name": "a"},
        {"name": "b", "model": "second", "work": "tokens"},
        oversee={"policy": [{"name": "a", "detection": 0.5, "rework_minutes": 8}]},
    )
    dims, calendar = axes(s)
    p = made.allocation_params(s, NONE, dims, calendar, np.zeros((36, 2, 1)))
    assert p.provider_models.tolist() == [1]
    np.testing.assert_allclose(p.peak_over_mean, made.model_peaks(s, dims)[[0, 1]])
    np.testing.assert_allclose(p.send_back_min[0], 4)
    s.policy = "chance"
    with pytest.raises(InputError, match="proportional"):
        made.allocation_params(s, NONE, dims, calendar, np.zeros((36, 2, 1)))


def test_embodied_kinds_take_the_floor_s_figures() -> None:
    curve = FloorCurve(
        kind="arm",
        cycle_s=14.0,
        success=0.8,
        interventions_per_attempt=0.02,
        minutes_per_intervention=2.0,
        energy_j_per_attempt=5000.0,
        charging_share=0.25,
        available_share=0.9,
        utilisation=np.array([0.5]),
        wait_s=np.array([1.0]),
    )
    robots = {"name": "arm", "robot": "arm_stow", "pace": 0.5, "attempts": 2, "rho": 0}
    s = scenario(
        {"name": "coder"},
        {"name": "arm", "work": "arm"},
        floor={
            "site": [{"name": "hall", "hours_per_day": 12}],
            "robots": [robots | {"minutes_per_intervention": 3}],
        },
    )
    p = params(s, curves={1: curve})
    assert p.embodied.tolist() == [False, True]
    np.testing.assert_allclose(p.robot_s[:, 0], [0, 28])
    np.testing.assert_allclose(p.robot_attempts[:, 0], [0, 1.2])
    np.testing.assert_allclose(p.robot_success[:, 0], [1, 0.96])
    np.testing.assert_allclose(p.intervention_min[:, 0], [0, 0.06])
    np.testing.assert_allclose(p.duty[:, 0], [1, 0.5 / 1.25])
    np.testing.assert_allclose(p.robots_up[:, 0], [1, 0.9])


def test_no_kinds_at_all() -> None:
    p = params(scenario())
    assert p.market_tasks.shape == (36, 0, 1)
    assert made.engine_inputs(scenario(), *axes(scenario())).kinds == ()


def test_the_engine_sees_medians_and_not_the_deployment() -> None:
    s = scenario({"name": "a", "human_minutes": "10 min to 40 min", "deployment": 0.2})
    (kind,) = made.engine_inputs(s, *axes(s)).kinds
    assert kind.median_min == pytest.approx(20)
    assert kind.horizon_multiplier == 1.0


def test_what_is_neutral_leaves_the_engine_s_inputs_as_they_were() -> None:
    plain, said = (
        made.engine_inputs(s, *axes(s)).kinds[0]
        for s in (
            scenario({"name": "a"}),
            scenario({"name": "a", "slip": 0, "family_sd": 0, "acceptance": 1}),
        )
    )
    assert plain == said
    # without a budget only the growth of tokens matters, so the curve stays in its cache
    other = scenario({"name": "a", "tokens_per_hour_task": "9 Mtok"})
    assert made.engine_inputs(other, *axes(other)).kinds[0] == plain


def test_a_budget_counts_the_kind_s_own_tokens() -> None:
    s = scenario(
        {"name": "a", "budget_tokens": 3e6, "tokens_per_hour_task": 2e6, "token_exponent": 0.5},
        {"name": "b", "budget_tokens": 3e6, "tokens_per_attempt": 1e6},
    )
    a, b = made.engine_inputs(s, *axes(s)).kinds
    assert (a.use.tokens_at_60, a.use.exponent) == (2e6, 0.5)
    assert (b.use.tokens_at_60, b.use.exponent) == (1e6, 0.0)
    assert a.budget_tokens == b.budget_tokens == 3e6


def test_every_work_class_gives_finite_parameters() -> None:
    from lineshaft.scenario.work import EMBODIED, WORK

    s = scenario(*({"name": w, "work": w} for w in WORK if w not in EMBODIED))
    p = params(s)
    for name in p.__slots__:
        assert np.isfinite(getattr(p, name)).all(), name
    assert isinstance(s.agents.kind[0], Kind)
