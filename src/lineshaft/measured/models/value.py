"""Value: spreadsheet answers, published costs of ownership, and what valuations ask for."""

from __future__ import annotations

from collections.abc import Sequence

from lineshaft import catalog
from lineshaft.measured.models._tools import example
from lineshaft.parameters.value import claim_checks
from lineshaft.scenario import Scenario
from lineshaft.scenario.reading import read
from lineshaft.stages.value import finance, reverse_dcf, unit_costs

DATES = ("2008-01-01", "2008-03-01", "2008-10-30", "2009-02-15", "2009-04-01")
FLOWS = (-10_000.0, 2_750.0, 4_250.0, 3_250.0, 2_750.0)
"""The cash flow of Excel's help on XIRR and XNPV."""


def xirr() -> float:
    """Rate of return of Excel's dated example."""
    return finance.xirr(DATES, FLOWS)


def xnpv_usd(*, rate: float) -> float:
    """Present value of Excel's dated example."""
    return finance.xnpv(rate, DATES, FLOWS)


def npv_usd(*, rate: float, flows_usd: Sequence[float], first: int = 1) -> float:
    """Present value of a yearly cash flow, `first` = 0 where it starts today."""
    return float(finance.npv(rate, flows_usd, first))


def irr(*, flows_usd: Sequence[float]) -> float:
    """Rate of return of a yearly cash flow, as a run computes it for every draw."""
    return float(finance.irr_rows([list(flows_usd)]).require("flows")[0])


def learned_cost(*, learning_rate: float, units: float) -> float:
    """Cost of unit number `units` over that of the first."""
    return float(finance.wright(1.0, units, 1.0, learning_rate))


def epoch_cost_of_ownership_usd(*, it_life_years: float) -> float:
    """Yearly cost of 1 GW with Epoch's capital and running cost, as the catalog splits them."""
    it, facility, opex, rate = (
        catalog.find("costs", f"epoch {name}").number("value")
        for name in ("it capex", "facility capex", "opex", "discount rate")
    )
    per_w = unit_costs.cost_of_ownership(it, facility, opex, it_life_years, 14.0, rate)
    return float(per_w) * 1e9


def accelerator_hour_usd(*, price_usd: float, payback_years: float, opex_share: float) -> float:
    """Cost of an accelerator-hour: straight-line payback and a share of it for running."""
    yearly = unit_costs.capital_charge(price_usd, payback_years, 0.0, "straight line")
    return float(unit_costs.usd_per_accelerator_hour(yearly * (1.0 + opex_share), 1.0))


def implied_revenue_usd(*, value_usd: float, run_rate_usd: float, rate: float) -> float:
    """Revenue of year 10 that makes a valuation fair."""
    return float(reverse_dcf.implied(value_usd, run_rate_usd, rate).final_revenue_usd)


def implied_growth(*, value_usd: float, run_rate_usd: float, rate: float) -> float:
    """Growth of year 1 that makes a valuation fair."""
    return float(reverse_dcf.implied(value_usd, run_rate_usd, rate).growth)


def implied_calendar_revenue_usd(
    *, value_usd: float, run_rate_usd: float, rate: float, years_ahead: float
) -> float:
    """Revenue of the twelve months that end `years_ahead` after the round, from the same path."""
    revenue = reverse_dcf.implied(value_usd, run_rate_usd, rate).revenue_usd
    whole, part = divmod(years_ahead, 1.0)
    before, after = revenue[int(whole) - 1], revenue[int(whole)]
    return float((1.0 - part) * before + part * after)


def unit_slip_factor(*, claim: str, figure: str) -> float:
    """The power of ten that the claim check names for a claim of the shipped scenario, for its
    raise, pre or post; 1 where it names none."""
    asked = read(example("claimed-9t"), model=Scenario)
    row = next(c for c in asked.value.claim if c.name == claim)
    found = claim_checks(asked)[asked.value.claim.index(row)]
    given = (("raise", row.raise_usd), ("pre", row.pre_usd), ("post", 1.0))
    slip = found.slips[[name for name, usd in given if usd is not None].index(figure)]
    return float(slip.factor) if slip else 1.0


def alarms_on_reported_rounds() -> float:
    """Reported valuations of the catalog that the claim check doubts."""
    rounds = [
        {
            "name": row.text("name"),
            "firm": row.text("company"),
            "value_usd": row.number("value_usd"),
            "date": row.text("date"),
            "source": row.text("source"),
            "reported": row.text("name"),
            "rests_on": "reported",
        }
        for row in catalog.table("rounds")
        if (row["metric"], row["status"]) == ("valuation", "reported") and row["value_usd"]
    ]
    found = claim_checks(read({"value": {"claim": rounds}}, model=Scenario))
    return float(sum(check.alarm for check in found))
