"""Prices, contracts, costs that belong to no other stage, tax, and how the worth is found."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import StringConstraints, model_validator

from lineshaft.scenario.capital import MoneyPerMonth, WholeMonths, once
from lineshaft.scenario.distributions import Distribution
from lineshaft.scenario.fields import (
    GrowthPerYear,
    Money,
    RatePerYear,
    Section,
    Share,
    Text,
    UsdPerHour,
    Whole,
    YearMonth,
    default,
    quantity,
)

CertainMoney = Annotated[float, quantity("USD", gt=0, uncertain=False)]
CertainTasks = Annotated[float, quantity("task", ge=0, uncertain=False)]
CertainPrice = Annotated[float, quantity("USD/task", ge=0, uncertain=False)]
CertainShare = Annotated[float, quantity("1", ge=0, le=1, uncertain=False)]
CertainGrowth = Annotated[float, quantity("1/year", gt=-1, uncertain=False)]
CertainPower = Annotated[float, quantity("W", ge=0, uncertain=False)]
UsdPerKwMonth = Annotated[Distribution, quantity("USD/kW/month", ge=0)]
PeoplePerMw = Annotated[Distribution, quantity("person/MW", ge=0)]
HoursPerYear = Annotated[Distribution, quantity("hour/year", ge=0)]
LastingGrowth = Annotated[Distribution, quantity("1", gt=-1, lt=1)]
Life = Annotated[Distribution, quantity("year", ge=0.5)]
DaysOwed = Annotated[Distribution, quantity("day", ge=0, le=91)]
Date = Annotated[str, StringConstraints(pattern=r"^\d{4}(-(0[1-9]|1[0-2])(-\d{2})?)?$")]

_EPOCH = "Epoch AI, AI data center cost breakdown, 2026-05-14 (CC-BY)"


class Contract(Section):
    """A customer who promises to take work of a kind, at a price."""

    name: Text
    """What the contract is called."""
    customer: Text
    """Who buys."""
    kind: Text
    """Kind of work, as named under agents."""
    tasks_per_month: CertainTasks
    """Tasks promised; the allocation admits them first."""
    price_usd_per_task: CertainPrice
    """Price of an accepted task in the first year."""
    start: YearMonth
    """First month."""
    term_months: WholeMonths
    """Months that it runs."""
    escalator_per_year: CertainGrowth = default(0)
    """Yearly rise of the price, from the second year on."""
    take_or_pay: CertainShare = default(0)
    """Share of the volume that the customer pays for, whether it asks for it or not."""
    supplier_is_investor: bool = default(False)
    """Whether this firm has put money into the customer, which then returns as revenue."""


class PowerLease(Section):
    """Powered halls that are let to a tenant with its own equipment."""

    name: Text
    """What the lease is called."""
    tenant: str = default("")
    """Who rents."""
    site: Text
    """Campus, as named under build."""
    power_w: CertainPower
    """IT power that is let."""
    usd_per_kw_month: UsdPerKwMonth = default(
        "130 to 185 USD/kW/month",
        source="CBRE, North America Data Center Trends: asking rate for 250-500 kW 184.06 in H2"
        " 2024, 120 to 140 in H2 2018; large blocks are cheaper, by an amount not published",
        confidence="medium",
    )
    """Rent per kW of IT power and month, power not inside."""
    start: YearMonth
    """First month."""
    term_months: WholeMonths = default(
        180, source="a judgement, no public source", confidence="low"
    )
    """Months that it runs."""
    escalator_per_year: CertainGrowth = default(0)
    """Yearly rise of the rent, from the second year on."""


class Claim(Section):
    """A figure that somebody claims for a firm; it is checked, and flows into nothing."""

    name: Text
    """What the claim is called."""
    firm: Text
    """Whose figure it is."""
    raise_usd: CertainMoney | None = default(None)
    """Money raised, as claimed."""
    pre_usd: CertainMoney | None = default(None)
    """Value before the round, as claimed."""
    value_usd: CertainMoney | None = default(None)
    """Value after the round, as claimed; default: pre_usd + raise_usd."""
    run_rate_usd: CertainMoney | None = default(None)
    """Yearly revenue from which it has to grow; default: the last one reported in the catalog."""
    date: Date
    """When: YYYY, YYYY-MM or YYYY-MM-DD."""
    source: Text
    """Who claims it."""
    reported: Text | None = default(None)
    """Row of the catalog's rounds to compare with; default: the firm's last valuation by then."""
    rests_on: Literal["claimed", "reported"] = default("claimed")
    """Which of the two figures the rules are applied to."""
    investors: tuple[Text, ...] = default(())
    """Who invests in the firm."""
    suppliers: tuple[Text, ...] = default(())
    """Who sells to it."""
    customers: tuple[Text, ...] = default(())
    """Who buys from it."""

    @model_validator(mode="after")
    def _figure(self) -> Self:
        if self.value_usd is None and (self.pre_usd is None or self.raise_usd is None):
            raise ValueError(
                f"claim {self.name!r} has no valuation: give value_usd, or pre_usd and raise_usd"
            )
        return self


class Value(Section):
    """Contracts, costs, tax and valuation."""

    inflation_per_year: GrowthPerYear = default(
        "2 to 3.5 %/year",
        source="low end: the Federal Reserve's longer-run goal of 2 %; high end a judgement",
        confidence="medium",
    )
    """Rise of the general price level: wages and staff cost follow it."""
    staff_people_per_mw: PeoplePerMw = default(
        "0.3 to 1.5 person/MW",
        source="30 to 50 people per hyperscale hall (builtin.com, 2026-01); halls taken as 30 to"
        " 130 MW, which is a judgement",
        confidence="low",
    )
    """People who run a campus, per MW of IT power that is on."""
    staff_wage_usd_per_h: UsdPerHour | None = default(None)
    """Their wage with on-costs; default: the catalog's electrician, loaded."""
    staff_hours_per_year: HoursPerYear = default(
        2080, source="BLS OEWS: yearly wages are 2080 hours", confidence="high"
    )
    """Paid hours per person and year."""
    overhead_usd_per_month: MoneyPerMonth = default(0)
    """Research, sales and administration, wages inside, in money of the first day."""
    overhead_growth_per_year: GrowthPerYear = default(0)
    """Real growth of it, on top of inflation."""
    upkeep_halls_per_year: RatePerYear = default(
        "0.5 to 1.5 %/year",
        source=f"{_EPOCH}: opex besides energy is 0.3 USD/W a year on 38 USD/W of capex; the split"
        " between halls and equipment is a judgement",
        confidence="low",
    )
    """Upkeep of halls and plant per year, as a share of their price."""
    upkeep_accelerators_per_year: RatePerYear = default(
        "0.3 to 1.2 %/year", source=f"{_EPOCH}: see upkeep_halls_per_year", confidence="low"
    )
    """Upkeep of accelerators and their servers per year, as a share of their price."""
    upkeep_robots_per_year: RatePerYear = default(
        "5 to 15 %/year", source="a judgement, no public source", confidence="low"
    )
    """Upkeep of robots per year, as a share of their price."""
    life_halls_years: Life = default(14, source=_EPOCH, confidence="high")
    """Depreciation life of halls and plant."""
    life_accelerators_years: Life = default(
        {"dist": "pert", "low": 3, "mode": 5, "high": 7},
        source=f"{_EPOCH}: 5 years, 3 and 7 beside it; 10-K filings say 5 to 6",
        confidence="medium",
    )
    """Depreciation life of accelerators and their servers: a first-order driver."""
    life_robots_years: Life = default(
        "4 to 10 years", source="a judgement, no public source", confidence="low"
    )
    """Depreciation life of robots."""
    receivable_days: DaysOwed = default(
        "30 to 60 days", source="a judgement: usual terms of payment", confidence="low"
    )
    """Days until customers pay, at most three months."""
    payable_days: DaysOwed = default(
        "30 to 60 days", source="a judgement: usual terms of payment", confidence="low"
    )
    """Days until suppliers of energy, rent and upkeep are paid, at most three months."""
    tax_rate: Share = default(
        "21 % to 26 %",
        source="26 U.S.C. 11(b): 21 %; with state taxes 25.8 % in the OECD's Corporate Tax"
        " Statistics for 2020 (via taxpolicycenter.org)",
        confidence="high",
    )
    """Tax on profit."""
    loss_limit: Share = default(0.8, source="26 U.S.C. 172(a)(2)", confidence="high")
    """Largest share of a profit that earlier losses may offset."""
    wacc: Share = default(
        "9 % to 14 %",
        source="cost of capital of technology firms, 24aiglobal.com, 2026",
        confidence="medium",
    )
    """Weighted average cost of capital: discounts the free cash flow, charges capital."""
    growth: LastingGrowth = default(
        {"dist": "pert", "low": 0.02, "mode": 0.03, "high": 0.04},
        source="a judgement: nominal growth for ever stays near that of the whole economy",
        confidence="low",
    )
    """Growth of the profit for ever after the last month."""
    roic: Share = default("10 % to 20 %", source="a judgement, no public source", confidence="low")
    """Return on what is invested after the last month."""
    world_gdp_usd: Money = default(
        "115 TUSD to 117.2 TUSD",
        source="IMF, World Economic Outlook: projections for 2025 of October 2024 (115) and October"
        " 2025 (117.17)",
        confidence="medium",
    )
    """World GDP in money of `world_gdp_year`, to compare claims with."""
    world_gdp_year: Whole = default(2025)
    """Its year."""
    world_gdp_source: Text = default("IMF, World Economic Outlook, October 2024 and 2025")
    """Who says so."""
    contract: tuple[Contract, ...] = default(())
    """Contracts with customers."""
    power_lease: tuple[PowerLease, ...] = default(())
    """Power let to tenants."""
    claim: tuple[Claim, ...] = default(())
    """Claimed valuations to check."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        once((c.name for c in self.contract), "contract")
        once((p.name for p in self.power_lease), "power_lease")
        once((c.name for c in self.claim), "claim")
        if self.wacc.median <= self.growth.median:
            raise ValueError(
                f"wacc {self.wacc.median:g} is not above growth {self.growth.median:g}: the worth"
                " would be infinite"
            )
        if self.roic.median <= self.growth.median:
            raise ValueError(
                f"roic {self.roic.median:g} is not above growth {self.growth.median:g}: growth"
                " would eat all the profit"
            )
        return self
