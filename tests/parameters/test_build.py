"""From `[build]` to a schedule, its monthly half, and what published campuses allow."""

from __future__ import annotations

import tomllib
from functools import cache

import numpy as np
import pytest

from lineshaft import catalog
from lineshaft.contracts.calendar import DAY_S, Calendar
from lineshaft.contracts.curves import BuildCurve
from lineshaft.contracts.energised import Accelerators, Crews, Energised, Phases
from lineshaft.contracts.funded import Funded
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.reasons import TRADES
from lineshaft.errors import InputError
from lineshaft.parameters.build import design_w, engine_inputs, existing_w, params
from lineshaft.parameters.dims import dims as dims_of
from lineshaft.parameters.draws import draw
from lineshaft.parameters.fleets import deliveries, it_w
from lineshaft.scenario import Scenario
from lineshaft.scenario.draws import Draws
from lineshaft.stages.build import BuildInputs, characterise
from lineshaft.stages.build.inputs import RELEASES
from lineshaft.stages.build.model import Build, Params
from lineshaft.tables import Dims

NO_DRAWS = Draws(0, {})
MONTHS = 60


def gigawatt(extra: str = "", phases: int = 8, every: int = 2) -> Scenario:
    """1 GW in phases of 125 MW, one begun every two months."""
    text = f'start = "2026-01"\nmonths = {MONTHS}\n[[build.campus]]\nname = "abilene"\n'
    for i in range(phases):
        year, month = divmod(i * every, 12)
        text += (
            f'[[build.phase]]\nname = "p{i}"\ncampus = "abilene"\nit_w = "125 MW"\n'
            f'start = "{2026 + year}-{month + 1:02d}"\n'
        )
    return Scenario.model_validate(tomllib.loads(text + extra))


ORDERS = """
[[build.accelerators]]
name = "first"
campus = "abilene"
accelerator = "GB200"
count = 200_000
first = "2026-11"
months = 10
[[build.accelerators]]
name = "second"
campus = "abilene"
accelerator = "Rubin"
count = 100_000
first = "2028-01"
price_usd = 50_000
life_years = 4
refresh = false
failures_per_year = 0.02
[[serve.rented]]
name = "spot"
accelerator = "H100"
count = 500
"""


def asked(scenario: Scenario, draws: Draws = NO_DRAWS) -> tuple[Params, Dims, Calendar]:
    """Parameters with their axes."""
    calendar = Calendar.of(scenario.start, scenario.months)
    dims = dims_of(scenario, calendar, 1 + draws.n)
    return params(scenario, draws, dims, calendar), dims, calendar


def inputs_of(scenario: Scenario) -> BuildInputs:
    """What the engine is asked."""
    calendar = Calendar.of(scenario.start, scenario.months)
    inputs = engine_inputs(scenario, dims_of(scenario, calendar), calendar)
    assert inputs is not None
    return inputs


@cache
def curve(extra: str = "") -> BuildCurve:
    """The schedule of the default gigawatt."""
    return characterise(inputs_of(gigawatt(extra)))[0]


def test_an_empty_scenario() -> None:
    """No axis has anything on it and the engine is not asked."""
    scenario = Scenario(months=12)
    p, dims, calendar = asked(scenario)
    assert engine_inputs(scenario, dims, calendar) is None
    assert p.cost_usd.shape == (0, 1)
    assert p.price_usd.shape == p.ordered.shape == p.rented.shape == (12, 0, 1)
    assert p.leased_w.shape == (12, 0, 1)
    assert len(p.phase_site) == len(p.fleet_site) == len(existing_w(scenario, dims)) == 0


def test_phases() -> None:
    """Site, start, cost per watt times watts; hours of the median are those of the plan."""
    p, dims, _ = asked(gigawatt("[[build.campus]]\nname = 'old'\nexisting_it_w = '50 MW'"))
    assert p.phase_start.tolist() == list(range(0, 16, 2))
    assert (p.phase_site == 0).all()
    assert p.cost_usd[0, 0] == pytest.approx(np.sqrt(10.1 * 16.3) * 125e6)
    assert (p.hours_factor == 1).all()
    assert p.existing_w[:, 0].tolist() == [0, 50e6]
    scenario = gigawatt("[[build.campus]]\nname = 'old'\nexisting_it_w = '50 MW'")
    assert design_w(scenario, dims).tolist() == [1e9, 50e6]


def test_fleets() -> None:
    """Catalog values where nothing is said; newest generation first; rented ones last."""
    p, _, calendar = asked(gigawatt(ORDERS))
    gb200 = catalog.find("accelerators", "GB200")
    rubin = catalog.find("accelerators", "Rubin")
    assert p.fleet_site.tolist() == [0, 0, -1]
    assert p.fleet_rank.tolist() == [1, 0, 2]
    assert p.life_months[:2].tolist() == [12 * gb200.number("life_years"), 48]
    assert p.refresh.tolist() == [True, False, False]
    overhead, all_in = np.sqrt(1.05 * 1.15), np.sqrt(1.7 * 2.1)
    assert p.it_w[:2, 0] == pytest.approx(
        [overhead * r.number("it_w_per_accelerator") for r in (gb200, rubin)]
    )
    fall = 1 - np.sqrt(0.07 * 0.18)
    expected = gb200.number("price_usd") * all_in * fall**calendar.years
    assert p.price_usd[:, 0, 0] == pytest.approx(expected)
    assert p.price_usd[0, 1, 0] == pytest.approx(50_000 * all_in, rel=0.01)
    assert p.failures_per_year[:, 0] == pytest.approx(
        [gb200.number("annual_failure_rate"), 0.02, 0]
    )
    assert p.repair_s[0, 0] == pytest.approx(np.sqrt(20) * DAY_S)
    assert p.ordered[9:21, 0, 0] == pytest.approx([0, *[20_000] * 10, 0])
    assert p.ordered[:, 1, 0].sum() == pytest.approx(100_000)
    assert p.rented[:, 2, 0].tolist() == [500] * MONTHS
    assert it_w(gigawatt(ORDERS), NO_DRAWS) == pytest.approx(p.it_w)


def test_deliveries() -> None:
    """Scarce chips make an order longer, not smaller; what is overdue comes at once."""
    one = np.ones(1)
    assert deliveries(12 * one, one, 1, 3, 6)[:, 0].tolist() == [0, 4, 4, 4, 0, 0]
    assert deliveries(12 * one, one / 2, 1, 3, 9)[:, 0] == pytest.approx([0, *[2] * 6, 0, 0])
    assert deliveries(12 * one, one, -2, 4, 4)[:, 0].tolist() == [9, 3, 0, 0]
    assert deliveries(12 * one, one, 10, 4, 4).sum() == 0
    wide = deliveries(np.array([10.0, 20.0]), np.array([1.0, 0.5]), 0, 2, 4)
    assert wide.tolist() == [[5, 5], [5, 5], [0, 5], [0, 5]]


def test_draws_reach_what_they_are_drawn_for() -> None:
    """Column 0 is the median case; uncertain fields differ over the draws, certain ones do not."""
    scenario = gigawatt(ORDERS)
    draws = draw(scenario, 8, seed=1)
    wide, _, _ = asked(scenario, draws)
    one, _, _ = asked(scenario)
    assert (wide.luck == draws["build.luck"]).all()
    assert wide.luck[0] == 0.5
    for name in ("cost_usd", "price_usd", "it_w", "repair_s"):
        values = getattr(wide, name)
        assert values.shape[-1] == 9
        assert values[..., 0] == pytest.approx(getattr(one, name)[..., 0])
        assert (values[0, ..., 1:] != values[0, ..., :1]).any()
    assert wide.ordered.shape[-1] == wide.existing_w.shape[-1] == 1


def test_parts_permit_and_grid() -> None:
    """Lead times of the catalog unless the phase says otherwise, counted from the order."""
    extra = 'lead_weeks = {cdu = [40, 60], optics = 50}\npermit = [10, 20]\ngrid = "2027-10"\n'
    releases = {r.name: r for r in inputs_of(gigawatt(extra)).phases[7].releases}
    assert {n for n in releases if n.startswith("part")} == {r.name for r in RELEASES} | {
        "part: optics"
    }
    for r in RELEASES:
        found = releases[r.name]
        weeks = (40, 60) if r.name == "part: cdu" else (r.low_weeks, r.high_weeks)
        assert (found.low_weeks, found.high_weeks) == weeks
        assert found.order_month == pytest.approx(-5.98, abs=0.01)
        assert found.cost_share == r.cost_share
    assert (releases["permit"].low_weeks, releases["permit"].order_month) == (10, 0)
    assert (releases["grid"].high_weeks, releases["grid"].order_month) == (0, 7)


def test_the_grid_decides_when_it_is_late() -> None:
    """A connection at the end of 2028: no hall of any phase before."""
    text = "\n".join(
        f'[[build.phase]]\nname = "q{i}"\ncampus = "abilene"\nit_w = "50 MW"\ngrid = "2029-01"'
        for i in range(2)
    )
    found = characterise(inputs_of(gigawatt(text, phases=0)))[0]
    assert found.ready_months.min() >= 36


def test_crews() -> None:
    """Own rows replace the default of their trade; apprentices come from the catalog."""
    extra = """
[build]
crew_factor = 0.5
[[build.crew]]
name = "electrical"
headcount = 500
hires_per_month = 30
most = 900
apprentices_per_year = 100
hours_per_week = 40
"""
    text = gigawatt().model_dump()
    default = {c.trade: c for c in inputs_of(gigawatt()).crews}
    assert tuple(default) == TRADES
    scenario = Scenario.model_validate(
        {**text, "build": {**text["build"], **tomllib.loads(extra)["build"]}}
    )
    crews = {c.trade: c for c in inputs_of(scenario).crews}
    mine = crews["electrical"]
    assert (mine.headcount, mine.maximum, mine.hires_per_month) == (500, 900, 30)
    assert (mine.completion, mine.apprentice_years) == (0.441, 4.5)
    assert mine.hours_per_worker_month == pytest.approx(40 * 0.85 * 4.348, rel=1e-3)
    assert crews["pipe"].maximum == pytest.approx(default["pipe"].maximum / 2)


def test_the_default_crews_follow_the_plan() -> None:
    """About as many per MW as at Abilene (5.2 at the peak) for a campus begun over 14 months;
    twice the speed takes more people, and never twice the crew, because of the tail."""
    slow = sum(c.maximum for c in inputs_of(gigawatt()).crews)
    fast = sum(c.maximum for c in inputs_of(gigawatt(every=1)).crews)
    assert 4.0 <= slow / 1000 <= 6.5
    assert 1.3 * slow < fast < 2 * slow


def test_no_risk_holds_everything_at_its_median() -> None:
    """Every world is the median case, which is that with risk."""
    calm = characterise(inputs_of(_with_build(gigawatt(), risk=False)))[0]
    assert calm.ready_months[:, 1:] == pytest.approx(calm.ready_months[:, :1])
    assert calm.ready_months[:, 0] == pytest.approx(curve().ready_months[:, 0])


def test_a_phase_before_the_start_is_refused() -> None:
    """With where, what, and the way out."""
    scenario = gigawatt().model_copy(update={"start": "2026-04"})
    with pytest.raises(InputError, match="existing_it_w") as caught:
        inputs_of(scenario)
    assert [p.key for p in caught.value.problems] == [
        "build.phase.p0.start",
        "build.phase.p1.start",
    ]


def test_a_crew_that_never_comes_is_refused() -> None:
    """The engine's own complaint comes through."""
    text = '[[build.crew]]\nname = "pipe"\nheadcount = 0'
    with pytest.raises(InputError, match="pipefitters"):
        inputs_of(gigawatt(text))


def _with_build(scenario: Scenario, **changes: object) -> Scenario:
    return scenario.model_copy(update={"build": scenario.build.model_copy(update=changes)})


def built(scenario: Scenario, draws: Draws = NO_DRAWS) -> tuple[Energised, Phases, Accelerators]:
    """The monthly half with ample money."""
    p, dims, _ = asked(scenario, draws)
    energised, phases = Energised.allocate(dims), Phases.allocate(dims)
    crews, accelerators = Crews.allocate(dims), Accelerators.allocate(dims)
    funded, ledger = Funded.allocate(dims), Ledger.opening(dims, 0)
    funded.spendable_usd[:] = 1e15
    build = Build(p, dims, characterise(inputs_of(scenario))[0])
    for t in range(scenario.months):
        build.advance(t, ledger, funded, energised, phases, crews, accelerators)
    return energised, phases, accelerators


def test_the_months_are_those_of_the_schedule() -> None:
    """In every world: halls come on when the engine said, and nothing waits for crews."""
    scenario = gigawatt()
    draws = draw(scenario, 64, seed=3)
    energised, phases, _ = built(scenario, draws)
    world = np.append(0, 1 + (draws["build.luck"][1:] * 512).astype(int))
    starts = np.arange(0, 16, 2)[curve().hall_phase]
    dates = starts[:, None] + curve().ready_months[:, world]
    months = np.arange(MONTHS)[:, None]
    on = [np.clip(months + 1 - dates[h], 0, 1) * curve().hall_w[h] for h in range(len(dates))]
    assert energised.it_w[:, 0] == pytest.approx(sum(on), abs=1.0)
    assert not phases.delay_months.any()


def test_first_hall_and_first_gigawatt() -> None:
    """A hall in 8-14 months (Abilene: about 10) and 1 GW in 1.0-3.6 years (Epoch AI's sites)."""
    energised, _, _ = built(gigawatt())
    power = energised.it_w[:, 0, 0]
    assert 8 <= (power > 0).argmax() <= 14
    assert 12 <= (power > 0.999e9).argmax() <= 43


def test_a_gigawatt_campus_costs_30_to_45_billion() -> None:
    """Halls for 875 MW of IT power and 390 thousand GB200, all in, which draw about 1 GW at the
    meter in the worst hour. Epoch AI says 38 for 1 GW."""
    orders = ORDERS.split("[[build.accelerators]]")[1].replace("200_000", "390_000")
    scenario = gigawatt("[[build.accelerators]]" + orders, phases=7)
    energised, _, accelerators = built(scenario)
    first = accelerators.purchase_usd[:36].sum()
    assert 30e9 <= energised.construction_usd.sum() + first <= 45e9
    assert accelerators.installed[30, 0, 0] == pytest.approx(390_000)
