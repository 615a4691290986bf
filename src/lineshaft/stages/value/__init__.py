"""What it is all worth: unit costs, cash flow, valuation, reverse DCF and the claim check.

finance       annuity, NPV, IRR, terminal values with their guards, depreciation, tax, learning
reverse_dcf   growth and revenue that make a valuation a fair price
claims        a claimed figure beside the reported one: slips of unit, steps, what must be true
unit_costs    capital charges, $/Mtok, $/task, cost per accepted task (CPAT)

Equations and sources stand at the head of each module. Validated against: Microsoft's published
XIRR, XNPV and NPV examples; Epoch AI's 1 GW cost of ownership (12 / 8.5 / 7 billion USD a year for
IT lives of 3 / 5 / 7 years; two of its inputs were fitted to these three numbers); DeepSeek's
published day (87,072 USD for 168 billion output tokens); pyxirr for every IRR. It predicts no
valuation: it says what one asks for.
"""

from __future__ import annotations

from lineshaft.stages.value.claims import ClaimCheck, Figure, check, unit_slip
from lineshaft.stages.value.finance import (
    Dcf,
    Explained,
    annuity,
    dcf,
    free_cash_flow,
    gordon,
    irr,
    irr_rows,
    npv,
    straight_line,
    tax_step,
    value_driver,
    wright,
    xirr,
    xnpv,
)
from lineshaft.stages.value.reverse_dcf import Implied, Plan, implied
from lineshaft.stages.value.unit_costs import (
    capital_charge,
    cohort_charge,
    cost_of_ownership,
    cpat,
    share_out,
    usd_per_accelerator_hour,
    usd_per_mtok,
    usd_per_task,
)

__all__ = [
    "ClaimCheck",
    "Dcf",
    "Explained",
    "Figure",
    "Implied",
    "Plan",
    "annuity",
    "capital_charge",
    "check",
    "cohort_charge",
    "cost_of_ownership",
    "cpat",
    "dcf",
    "free_cash_flow",
    "gordon",
    "implied",
    "irr",
    "irr_rows",
    "npv",
    "share_out",
    "straight_line",
    "tax_step",
    "unit_slip",
    "usd_per_accelerator_hour",
    "usd_per_mtok",
    "usd_per_task",
    "value_driver",
    "wright",
    "xirr",
    "xnpv",
]
