"""value: money earned and spent, unit costs, and what it is all worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lineshaft.tables import Array, Table, column


@dataclass(frozen=True, repr=False, eq=False)
class Worth(Table):
    """Revenue, costs, cash flow.

    Cash: opening + equity + debt drawn + receipts − payments − interest − tax − capex − repayment
    = closing. Cost lines sum to opex and capex.
    """

    KEYS: ClassVar = ("month",)

    task_revenue_usd: Array = column("USD", "accepted tasks sold")
    token_revenue_usd: Array = column("USD", "tokens sold directly")
    lease_revenue_usd: Array = column("USD", "accelerators and power leased out")
    contract_revenue_usd: Array = column("USD", "take-or-pay shortfalls paid by customers")
    revenue_usd: Array = column("USD", "all revenue")
    receipts_usd: Array = column("USD", "revenue that arrived as cash")
    energy_usd: Array = column("USD", "power and water bill")
    people_usd: Array = column("USD", "wages of reviewers and operators")
    staff_usd: Array = column("USD", "wages of site staff, research and administration")
    rent_usd: Array = column("USD", "rented tokens and accelerators")
    maintenance_usd: Array = column("USD", "upkeep of halls, accelerators and robots")
    escape_usd: Array = column("USD", "cost of wrong work that escaped")
    opex_usd: Array = column("USD", "sum of the six lines above")
    payments_usd: Array = column("USD", "opex that left as cash")
    construction_usd: Array = column("USD", "capex: halls and plant")
    accelerator_usd: Array = column("USD", "capex: accelerators and their servers")
    robot_usd: Array = column("USD", "capex: robots")
    capex_usd: Array = column("USD", "sum of the three lines above")
    depreciation_usd: Array = column("USD", "straight-line, by life of the asset")
    taxable_usd: Array = column("USD", "profit before tax after losses carried forward")
    tax_usd: Array = column("USD", "tax paid")
    free_cash_flow_usd: Array = column("USD", "receipts − payments − tax without debt − capex")
    receivables_usd: Array = column("USD", "sold and not yet paid, at the end")
    payables_usd: Array = column("USD", "bought and not yet paid, at the end")
    cash_usd: Array = column("USD", "cash at the end")
    compute_charge_usd: Array = column("USD", "capital charge of accelerators and halls")
    compute_capital_usd: Array = column("USD", "of it: what is not let to others")
    compute_upkeep_usd: Array = column("USD", "upkeep of accelerators and halls, not let")
    compute_energy_usd: Array = column("USD", "power and water of accelerators, not let")
    compute_staff_usd: Array = column("USD", "site staff, not let")
    usd_per_mtok: Array = column("USD/Mtok", "full cost per million tokens served")
    marginal_usd_per_mtok: Array = column("USD/Mtok", "cost of one more million tokens")
    human_equivalent_h: Array = column("h", "human hours that the accepted tasks would have taken")


REVENUE = {
    "tasks": "task_revenue_usd",
    "tokens": "token_revenue_usd",
    "leases": "lease_revenue_usd",
    "take-or-pay": "contract_revenue_usd",
}
"""The lines of revenue, as people call them: columns of `Worth` that sum to `revenue_usd`."""
OPEX = {
    "energy": "energy_usd",
    "reviewers and operators": "people_usd",
    "staff": "staff_usd",
    "rented compute": "rent_usd",
    "maintenance": "maintenance_usd",
    "escapes": "escape_usd",
}
"""The lines of operating cost, likewise: they sum to `opex_usd`."""
CAPEX = {
    "construction": "construction_usd",
    "accelerators": "accelerator_usd",
    "robots": "robot_usd",
}
"""The lines of capex, likewise: they sum to `capex_usd`."""


@dataclass(frozen=True, repr=False, eq=False)
class TaskCosts(Table):
    """Full cost of an accepted task by kind, and what it is made of."""

    KEYS: ClassVar = ("month", "kind")

    token_usd: Array = column("USD/task", "tokens at their full cost")
    provider_usd: Array = column("USD/task", "of it: tokens bought from a provider")
    robot_usd: Array = column("USD/task", "robots: capital, energy and upkeep")
    human_usd: Array = column("USD/task", "reviewers and operators")
    escape_usd: Array = column("USD/task", "wrong work that escaped")
    usd_per_task: Array = column("USD/task", "cost per accepted task (CPAT)")
    kwh_per_task: Array = column("kWh/task", "facility energy per accepted task")
    tokens_per_task: Array = column("token/task", "tokens per accepted task")
    human_min_per_task: Array = column("min/task", "human minutes per accepted task")


@dataclass(frozen=True, repr=False, eq=False)
class RunCosts(Table):
    """What each training run has cost."""

    KEYS: ClassVar = ("run",)

    usd_per_run: Array = column("USD", "capital charge and energy of the accelerators reserved")


@dataclass(frozen=True, repr=False, eq=False)
class Valuation(Table):
    """What the scenario is worth on its first day."""

    KEYS: ClassVar = ()

    enterprise_value_usd: Array = column("USD", "present value of free cash flow and what follows")
    explicit_value_usd: Array = column("USD", "of it: the months of the run")
    terminal_value_usd: Array = column("USD", "of it: what comes after, discounted")
    equity_value_usd: Array = column("USD", "enterprise value + opening cash − debt")
    irr: Array = column("1/year", "internal rate of return of free cash flow and terminal value")
    wacc: Array = column("1/year", "discount rate used")
