"""The rows of plant, capital, value, agents, oversee, floor and whole runs, and their models."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft import measured
from lineshaft.errors import InputError
from lineshaft.measured.models import agents, capital, floor, line, oversee, plant, value

STAGES = ("plant", "capital", "value", "agents", "oversee", "floor", "line")
SHARED = Path(__file__).parents[2] / "../shared/data"


@pytest.mark.parametrize("stage", STAGES)
def test_the_register_of_misses_is_true(stage: str) -> None:
    """Every row passes or is a known miss, and no known miss passes."""
    found = measured.validate(stage)
    wrong = [(r.row.id, r.model, r.verdict) for r in found if r.wrong]
    assert not wrong
    assert any(r.verdict == "pass" for r in found)


@pytest.mark.shared
@pytest.mark.parametrize("stage", ["agents", "floor"])
def test_the_register_of_misses_is_true_on_published_data(stage: str) -> None:
    if not SHARED.is_dir():
        pytest.skip("published data sets are not here")
    found = [r for r in measured.validate(stage, SHARED) if r.row.needs]
    assert found and not any(r.skipped for r in found)
    assert [r.row.id for r in found if r.wrong] == []


def test_there_are_rows_of_every_kind_and_most_ship_without_data() -> None:
    rows = [row for stage in STAGES for row in measured.rows(stage)]
    assert len(rows) >= 150
    assert {row.kind for row in rows} == set(measured.KINDS)
    assert sum(not row.needs for row in rows) > 0.8 * len(rows)


def test_identities_leave_little_room() -> None:
    """What must hold by construction may be off by digits or sampling, not by a share."""
    for stage in STAGES:
        for row in measured.rows(stage):
            if row.kind == "identity":
                scale = abs(row.high) if row.absolute and row.high else 1.0
                assert row.tolerance <= 0.05 * scale, row.id


def test_known_misses_are_named_with_their_reason() -> None:
    missed = {r.id: r.known_miss for stage in STAGES for r in measured.rows(stage) if r.known_miss}
    assert "heat reuse" in missed["plant.esif.water"]
    assert all(len(why) > 40 for why in missed.values())
    kinds = {row.kind for stage in STAGES for row in measured.rows(stage) if row.id in missed}
    assert "identity" not in kinds


# Models answer to their arguments: a row could fail.


def test_plant_models_follow_their_inputs() -> None:
    assert plant.frontier_power_w(cpu=0.5, gpu=0.5, part="total") > plant.frontier_power_w(
        cpu=0.5, gpu=0.4, part="total"
    )
    assert plant.glycol_flow(rise_k=5.0, per_minute=True) == pytest.approx(
        2 * plant.glycol_flow(rise_k=10.0, per_minute=True)
    )
    hot, cool = (
        plant.site_w_per_accelerator(server="DGX H100", place=place, other_it_share=0.1)
        for place in ("Phoenix AZ", "Dublin")
    )
    assert hot > cool > 1275 * 1.1
    assert plant.free_cooled_hall_pue(load=0.7) < plant.chilled_hall_pue(load=0.7)


def test_a_loan_is_repaid() -> None:
    terms = {"principal_usd": 5000.0, "rate": 0.07, "months": 48}
    repaid = capital.repaid_usd(**terms, first=1, last=48)
    paid = 48 * capital.payment_usd(**terms)
    assert repaid == pytest.approx(5000.0, rel=1e-12)
    assert paid == pytest.approx(repaid + capital.interest_usd(**terms, first=1, last=48))


def test_an_unknown_round_is_told() -> None:
    with pytest.raises(InputError, match="Anthropic 2026-05-28 valuation"):
        capital.post_money_usd(funding_round="Anthropic 2026-05 valuation")


@given(st.floats(1e10, 1e13), st.floats(1.01, 3.0), st.floats(0.06, 0.3))
def test_a_higher_value_asks_for_more_revenue(usd: float, more: float, rate: float) -> None:
    low, high = (
        value.implied_revenue_usd(value_usd=v, run_rate_usd=1e10, rate=rate)
        for v in (usd, more * usd)
    )
    assert low < high


def test_calendar_years_lie_between_the_years_of_the_plan() -> None:
    given_ = {"value_usd": 852e9, "run_rate_usd": 24e9, "rate": 0.12}
    years = [value.implied_calendar_revenue_usd(**given_, years_ahead=t) for t in (4.0, 4.5, 5.0)]
    assert years[1] == pytest.approx((years[0] + years[2]) / 2)


def test_no_slip_where_the_claim_is_the_report() -> None:
    claim = "the round behind it, as reported"
    assert value.unit_slip_factor(claim=claim, figure="pre") == 1.0


@given(st.floats(1.0, 1e4), st.floats(1.0, 1e4))
def test_success_falls_with_length(human_min: float, p50_min: float) -> None:
    short = agents.success_at(human_min=human_min, p50_min=p50_min)
    assert 0 < agents.success_at(human_min=2 * human_min, p50_min=p50_min) < short < 1
    assert agents.success_at(human_min=p50_min, p50_min=p50_min) == pytest.approx(0.5)


def test_the_forecast_doubles() -> None:
    days = ["2025-01-01", "2025-04-11"]
    found = agents.forecast_horizon_min(days=days, p50_min=[10.0, 20.0], day="2025-07-20")
    assert found == pytest.approx(40.0)


def test_a_set_that_lacks_an_agent_is_told(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    head = "agent,task_id,human_minutes,n_successes,n_runs,task_weight\n"
    body = "".join(f"one,{k},{2.0**k},{max(6 - k, 0)},6,1\n" for k in range(9))
    (tmp_path / "agents/metr_task_results_th11.csv").write_text(head + body)
    assert agents.refit(data=tmp_path, agent="one", quantity="slope") > 0
    p50 = agents.refit(data=tmp_path, agent="one", quantity="p50")
    assert 4 < p50 < 16
    with pytest.raises(InputError, match="one"):
        agents.refit(data=tmp_path, agent="two", quantity="slope")


@given(
    st.floats(1.0, 1e6),
    st.floats(0.0, 20.0, allow_subnormal=False),
    st.floats(0.1, 50.0),
)
def test_no_more_are_active_than_there_are(units: float, events: float, shape: float) -> None:
    spread = oversee.active(units=units, events_per_unit=events, shape=shape)
    alike = oversee.active(units=units, events_per_unit=events)
    assert 0 <= spread <= alike * (1 + 1e-12) <= units * min(events, 1.0) * (1 + 1e-9) + 1e-300


def test_reviewers_without_spare_time_never_finish() -> None:
    ask = {"reviewers": 5, "more_requests": 1.98, "larger": 2.54}
    assert oversee.review_time_ratio(utilisation=0.05, **ask) < oversee.review_time_ratio(
        utilisation=0.15, **ask
    )
    assert math.isinf(oversee.review_time_ratio(utilisation=0.25, **ask))


def test_floor_models_follow_their_inputs() -> None:
    cost = [floor.drop_usd(drones_per_overseer=n) for n in (1.0, 5.0, 20.0)]
    assert cost == sorted(cost, reverse=True)
    queue = {"robots": 3, "service_s": 1.0}
    busy = floor.simulated_wait_s(utilisation=0.9, even=False, **queue)
    assert busy > floor.simulated_wait_s(utilisation=0.9, even=True, **queue)
    assert busy > floor.simulated_wait_s(utilisation=0.5, even=False, **queue)


def test_crowding_is_measured_against_32_agents(tmp_path: Path) -> None:
    """A floor on which robots do not slow each other is missed by what the model slows them."""
    (tmp_path / "mapf").mkdir()
    lines = ["task,set,algorithm,num_agents,metric,n_instances,mean"]
    lines += [f"LMAPF,03-warehouse,ghosts,{n},avg_throughput,1,{n / 32}" for n in (32, 64, 128)]
    (tmp_path / "mapf/pogema_benchmark_results.csv").write_text("\n".join(lines) + "\n")
    few = floor.crowding_error(data=tmp_path, algorithm="ghosts", most=64)
    many = floor.crowding_error(data=tmp_path, algorithm="ghosts", most=128)
    assert floor.crowding_error(data=tmp_path, algorithm="ghosts", most=32) == 0.0
    assert 0.05 < few < many < 0.5


def test_whole_runs_answer_to_the_scenario() -> None:
    assert line.capex_usd(until="2028-12") < line.capex_usd(until="2029-12")
    dear = line.deepseek_usd_per_mtok(accelerator="H200", usd_per_h=4.0)
    assert dear == pytest.approx(2 * line.deepseek_usd_per_mtok(accelerator="H200", usd_per_h=2.0))
    assert line.first_hall_months() < 13  # the run's own first hall waits for its grid
