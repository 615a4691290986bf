"""From `[value]` to the stage's arrays: contracts, leases, staff, lives; and the claim check."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lineshaft.contracts.calendar import Calendar
from lineshaft.errors import InputError
from lineshaft.parameters.dims import dims as dims_of
from lineshaft.parameters.draws import draw
from lineshaft.parameters.value import (
    circular_finance,
    claim_checks,
    leased_w,
    minimum_tasks,
    params,
    price_index,
)
from lineshaft.scenario import Scenario
from lineshaft.scenario.reading import read
from lineshaft.stages.value.model import Params
from lineshaft.tables import Dims

EXAMPLE = Path(__file__).parents[2] / "src/lineshaft/examples/claimed-9t.toml"

FULL = """
start = "2026-01"
months = 30

[[capital.round]]
name = "A"
month = "2026-01"
raise_usd = 1
pre_usd = 9
investors = ["Retailer"]

[[build.campus]]
name = "abilene"

[[serve.model]]
name = "DeepSeek-V3"

[[agents.kind]]
name = "coder"
work = "coder"
human_minutes = "60 min"
sigma = 1.0
escape_usd = 200

[[agents.kind]]
name = "api"
work = "tokens"

[value]
staff_people_per_mw = "1 person/MW"
staff_wage_usd_per_h = "50 USD/hour"
inflation_per_year = "3 %/year"
overhead_usd_per_month = "40 MUSD/month"
overhead_growth_per_year = "10 %/year"

[[value.contract]]
name = "first"
customer = "retailer"
kind = "coder"
tasks_per_month = 100
price_usd_per_task = 50
start = "2026-03"
term_months = 24
escalator_per_year = "10 %/year"
take_or_pay = "80 %"

[[value.contract]]
name = "second"
customer = "Bank"
kind = "coder"
tasks_per_month = 300
price_usd_per_task = 30
start = "2025-01"
term_months = 16
supplier_is_investor = true

[[value.power_lease]]
name = "one"
tenant = "Cloud"
site = "abilene"
power_w = "20 MW"
usd_per_kw_month = "100 USD/kW/month"
start = "2026-02"
term_months = 4
escalator_per_year = "3 %/year"

[[value.power_lease]]
name = "two"
site = "abilene"
power_w = "60 MW"
usd_per_kw_month = "200 USD/kW/month"
start = "2026-04"
"""


def world(text: str) -> tuple[Scenario, Dims, Calendar]:
    scenario = read(text, model=Scenario)
    calendar = Calendar.of(scenario.start, scenario.months)
    return scenario, dims_of(scenario, calendar), calendar


def made(text: str, draws: int = 0) -> Params:
    scenario, dims, calendar = world(text)
    return params(scenario, draw(scenario, draws, 1), dims, calendar)


def test_an_empty_scenario() -> None:
    p = made("months = 5")
    assert p.kind_model.shape == p.sells_tokens.shape == (0,)
    assert p.contract_tasks.shape == p.committed_usd.shape == (5, 0, 1)
    assert p.lease_usd_per_w.shape == (5, 0, 1)
    assert p.escape_usd.shape == p.task_h.shape == (0, 1)
    assert p.life_months[:, 0].tolist() == [168, 60, 76]
    assert (p.wacc > p.growth).all()
    scenario, dims, calendar = world("months = 5")
    assert minimum_tasks(scenario, dims, calendar).shape == (5, 0, 1)
    assert leased_w(scenario, dims, calendar).shape == (5, 0, 1)
    assert claim_checks(scenario) == () and circular_finance(scenario) == ()


def test_contracts_add_up_and_rise() -> None:
    p = made(FULL)
    assert p.contract_tasks[:5, 0, 0].tolist() == [300, 300, 400, 400, 100]
    assert p.contract_tasks[25:27, 0, 0].tolist() == [100, 0]
    assert not p.contract_tasks[:, 1].any()
    assert p.contract_usd[1, 0, 0] == 30
    assert p.contract_usd[2, 0, 0] == pytest.approx((100 * 50 + 300 * 30) / 400)
    assert p.contract_usd[14, 0, 0] == pytest.approx(55)  # its second year
    assert p.committed_usd[2, 0, 0] == pytest.approx(0.8 * 100 * 50)
    scenario, dims, calendar = world(FULL)
    assert (minimum_tasks(scenario, dims, calendar) == p.contract_tasks).all()


def test_leased_power_and_its_mean_rent() -> None:
    scenario, dims, calendar = world(FULL)
    power = leased_w(scenario, dims, calendar)[:7, 0, 0]
    assert (power / 1e6).tolist() == [0, 20, 20, 80, 80, 60, 60]
    rent = made(FULL).lease_usd_per_w[:, 0, 0]
    assert rent[[0, 1, 3, 5]] == pytest.approx([0, 0.1, (20 * 0.1 + 60 * 0.2) / 80, 0.2])


def test_staff_and_overhead_rise_with_prices() -> None:
    p = made(FULL)
    scenario, _, calendar = world(FULL)
    years = calendar.years
    index = price_index(scenario, draw(scenario, 0, 1), calendar)
    assert index[:, 0] == pytest.approx(1.03**years)
    assert p.site_staff_usd_per_w[:, 0] == pytest.approx(50 * 2080 / 12 / 1e6 * 1.03**years)
    assert p.staff_usd[:, 0] == pytest.approx(40e6 * (1.1 * 1.03) ** years)
    # the catalog's electrician: 34.37 USD/h and 42.3 % on top
    plain = made(FULL.replace('staff_wage_usd_per_h = "50 USD/hour"', ""))
    assert (plain.site_staff_usd_per_w / p.site_staff_usd_per_w)[0, 0] == pytest.approx(
        34.37 * 1.423 / 50
    )


def test_kinds() -> None:
    p = made(FULL)
    assert p.kind_model.tolist() == [0, 0] and p.sells_tokens.tolist() == [False, True]
    assert p.task_h[0, 0] == pytest.approx(np.exp(0.5))  # the mean of a lognormal
    assert p.escape_usd[0, 0] == 200
    assert p.wage_usd_per_h[0, 0] == pytest.approx(63.9 * 1.423)


def test_lives_are_drawn_and_whole() -> None:
    p = made(FULL, draws=64)
    assert p.life_months.dtype == np.int64 and p.life_months.shape == (3, 65)
    assert p.life_months[1].min() >= 36 and p.life_months[1].max() <= 84
    assert len(set(p.life_months[1].tolist())) > 20
    assert (p.life_months[0] == 168).all()


def test_every_problem_is_told_at_once() -> None:
    text = FULL.replace('kind = "coder"', 'kind = "coda"').replace(
        'site = "abilene"', 'site = "abeline"'
    )
    text += '[[value.claim]]\nname="x"\nfirm="Nobody"\nvalue_usd=1\ndate="2026"\nsource="s"\n'
    text += 'rests_on="reported"\n'
    text += '[[value.claim]]\nname="y"\nfirm="xAI"\nvalue_usd=1\ndate="2026"\nsource="s"\n'
    text += 'reported="xAI 2026"\n'
    with pytest.raises(InputError) as caught:
        made(text)
    keys = [p.key for p in caught.value.problems]
    assert keys[:4] == [
        "value.contract.first.kind",
        "value.contract.second.kind",
        "value.power_lease.one.site",
        "value.power_lease.two.site",
    ]
    assert "value.claim.x.rests_on" in keys and len(keys) == 6
    assert caught.value.problems[0].allowed == "coder, api"


def test_a_discount_rate_that_a_draw_puts_below_growth_is_refused() -> None:
    with pytest.raises(InputError, match=r"not above value.growth in \d+ of 257 draws"):
        made('months = 2\n[value]\nwacc = "2.9 % to 12 %"\n', draws=256)
    made("months = 2", draws=256)  # the defaults never meet


def test_money_that_goes_in_a_circle() -> None:
    scenario, _, _ = world(FULL)
    assert circular_finance(scenario) == ("Bank", "retailer")


def test_the_claims_of_the_shipped_example() -> None:
    """Both known slips are found, and the reported rounds beside them raise no alarm."""
    checks = claim_checks(read(EXAMPLE, model=Scenario))
    assert [c.alarm for c in checks] == [True, False, True, False]
    assert [s.factor if s else None for s in checks[0].slips] == [None, 10, 10]
    assert [s.factor if s else None for s in checks[2].slips] == [100]
    assert (checks[0].claimed_usd, checks[0].reported_usd) == (9.3e12, 965e9)
    assert [c.rests_on for c in checks] == ["claimed", "reported"] * 2
    asked = [round(must.final_revenue_usd / 1e9) for must in checks[0].must_be_true]
    assert asked == [4084, 5841, 9125]
    asked = [round(must.final_revenue_usd / 1e9) for must in checks[1].must_be_true]
    assert asked == [410, 581, 894]
    assert checks[0].gdp_share == pytest.approx(9.3 / 116.1, rel=0.001)
    assert checks[0].ratio_to_last == pytest.approx(9300 / 380)  # the round before this one


def test_a_claim_of_an_unknown_firm_has_nothing_beside_it() -> None:
    text = '[[value.claim]]\nname="x"\nfirm="Nobody"\nvalue_usd="$5B"\ndate="2026"\nsource="s"\n'
    (found,) = claim_checks(read(text, model=Scenario))
    assert np.isnan(found.reported_usd) and not found.alarm
    given = text + 'run_rate_usd="$1B"\ninvestors=["Fund"]\ncustomers=["fund"]\n'
    (found,) = claim_checks(read(given, model=Scenario))
    assert found.must_be_true and found.circular == ("Fund",)


def test_the_variant_of_the_example_pays_in_the_reported_round() -> None:
    claimed = read(EXAMPLE, model=Scenario)
    reported = read(EXAMPLE, model=Scenario, variant="reported")
    assert [r.name for r in claimed.capital.counted] == ["Series G", "Series H, as claimed"]
    assert [r.name for r in reported.capital.counted] == ["Series G", "Series H"]
