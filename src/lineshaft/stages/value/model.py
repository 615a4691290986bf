"""The monthly half of `value`: revenue, costs, tax and cash, then unit costs and the worth.

Only the cash runs month by month, because next month's building depends on it. Everything that
follows from the months is computed at the end, for all months and draws at once: capital charges,
full unit costs, and the present value of the free cash flow.

    sales         accepted × price; contracted tasks at the contract's price
    take-or-pay   max(0, committed − asked for × contract price): what customers left unasked, not
                  what we could not do
    leases        rent of leased power; tenants also pay back their part of the bill, by energy
    receivables   the revenue of the last `receivable_days`; payables likewise of energy, rent and
                  maintenance (wages are paid at once)
    tax           on profit after interest; earlier losses against at most `loss_limit` of a profit
    worth         Σ FCF/(1+wacc)^t + NOPAT (1+g)(1 − g/ROIC)/((wacc − g)(1+wacc)^T), FCF taxed as if
                  there were no debt, so that it does not depend on how the firm is financed
    unit costs    capital as an annuity at `wacc` over its life; idle hours are inside; tokens share
                  it by the accelerator-seconds that they take

Limits: each month is a tax period of its own; upkeep ends with the depreciation life; a firm that
earns nothing at the end is worth nothing afterwards; charges of an old fleet end with its life.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.accepted import Accepted, People
from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.curves import ServeCurve
from lineshaft.contracts.done import Done, Robots
from lineshaft.contracts.energised import Accelerators, Energised
from lineshaft.contracts.fielded import Fielded
from lineshaft.contracts.funded import Funded
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.powered import Powered
from lineshaft.contracts.reasons import CODE, ROLES
from lineshaft.contracts.served import Served, States
from lineshaft.contracts.trained import Trained
from lineshaft.contracts.worth import CAPEX, OPEX, REVENUE, RunCosts, TaskCosts, Valuation, Worth
from lineshaft.stages.value.finance import NEGATIVE_FLOW, irr_rows, value_driver
from lineshaft.stages.value.monthly import (
    Power,
    after_losses,
    alive,
    months_owed,
    owed,
    ratio,
    split,
    tenant_share,
    token_work,
)
from lineshaft.stages.value.unit_costs import capital_charge
from lineshaft.tables import Array, Dims, param

_CAPABILITY = CODE["capability"]
_REVIEWER, _OPERATOR = ROLES.index("reviewer"), ROLES.index("operator")
_HALLS, _CHIPS, _ROBOTS = range(3)


@dataclass(frozen=True, slots=True)
class Params:
    """What `value` needs."""

    kind_model: NDArray[np.int64]
    """[kind] index of the model that the kind thinks with."""
    sells_tokens: NDArray[np.bool_] = param("1", "1 for a direct sale of tokens", ("kind",))
    life_months: NDArray[np.int64] = param("month", "depreciation life, whole months", ("asset",))
    contract_tasks: Array = param("task", "tasks that contracts promise", ("month", "kind"))
    contract_usd: Array = param("USD/task", "mean price of these", ("month", "kind"))
    committed_usd: Array = param("USD", "paid for them, asked for or not", ("month", "kind"))
    lease_usd_per_w: Array = param("USD/W", "rent of leased power per month", ("month", "site"))
    staff_usd: Array = param("USD", "research and administration", ("month",))
    site_staff_usd_per_w: Array = param("USD/W", "site staff per month and IT power", ("month",))
    upkeep: Array = param("1/year", "upkeep of halls, accelerators, robots per price", ("asset",))
    escape_usd: Array = param("USD", "loss from a wrong task that escaped", ("kind",))
    wage_usd_per_h: Array = param("USD/h", "wage of the human who would do it", ("kind",))
    task_h: Array = param("h", "mean human time of a task", ("kind",))
    receivable_days: Array = param("day", "days until customers pay, up to three months")
    payable_days: Array = param("day", "days until suppliers are paid, up to three months")
    tax_rate: Array = param("1", "tax on profit")
    loss_limit: Array = param("1", "share of a profit that earlier losses may offset")
    wacc: Array = param("1/year", "discount rate of the free cash flow")
    growth: Array = param("1/year", "growth after the last month")
    roic: Array = param("1/year", "return on capital invested after the last month")


class Value:
    """Closes the month's cash and, at the end, values the whole."""

    def __init__(
        self,
        params: Params,
        dims: Dims,
        calendar: Calendar,
        curves: Mapping[tuple[int, int], ServeCurve] | None = None,
    ) -> None:
        """`curves` maps (model, fleet) to the curve of serving; without it all tokens weigh one."""
        self.params, self.dims, self.calendar = params, dims, calendar
        months, width = dims.size("month"), dims.width
        # running sums of capex, [1 + month, asset, draw], for straight-line depreciation
        self.spent = np.zeros((months + 1, 3, width))
        self.asset, self.draw = np.arange(3)[:, None], np.arange(width)
        self.life = params.life_months
        self.yearly = params.upkeep / 12
        self.straight = 1.0 / self.life
        self.receivable = months_owed(params.receivable_days)
        self.payable = months_owed(params.payable_days)
        self.sold = np.zeros((months, dims.size("kind"), width))
        self.short = np.zeros((months, width))
        self.rent = np.zeros((months, width))
        self.let_share = np.zeros((months, width))
        self.tenant_share = np.zeros((months, dims.size("site"), width))
        self.revenue = np.zeros((months, width))
        self.bought = np.zeros((months, width))
        self.contracts = bool(params.contract_tasks.any() or params.committed_usd.any())
        self.leases = bool(params.lease_usd_per_w.any())
        self.token_work = token_work(dims.size("model"), curves)

    def advance(
        self,
        t: int,
        ledger: Ledger,
        funded: Funded,
        energised: Energised,
        accelerators: Accelerators,
        fielded: Fielded,
        served: Served,
        states: States,
        robots: Robots,
        powered: Powered,
        accepted: Accepted,
        people: People,
        worth: Worth,
    ) -> None:
        """Month `t`: revenue, costs, tax, cash."""
        p, total = self.params, np.add.reduce
        sold = accepted.accepted[t] * fielded.price_usd[t]
        if self.contracts:
            sold = sold + self._contracts(t, fielded, accepted)
        self.sold[t] = sold
        if self.leases:
            self._let_power(t, energised, states, powered)
        revenue = total(sold) + self.short[t] + self.rent[t] + total(states.lease_usd[t])
        self.revenue[t] = revenue

        capex = self.spent[t + 1]
        capex[_HALLS] = total(energised.construction_usd[t])
        capex[_CHIPS] = total(accelerators.purchase_usd[t])
        capex[_ROBOTS] = total(robots.purchase_usd[t])
        month_capex = total(capex)
        worth.construction_usd[t], worth.accelerator_usd[t], worth.robot_usd[t] = capex
        capex += self.spent[t]
        past = np.maximum(t + 1 - self.life, 0)
        standing = capex - self.spent[past, self.asset, self.draw]
        depreciation = total(standing * self.straight)
        maintenance = total(standing * self.yearly)
        escape = total(accepted.escaped[t] * p.escape_usd)
        staff = p.staff_usd[t] + total(energised.it_w[t]) * p.site_staff_usd_per_w[t]
        rent = total(served.rent_usd[t]) + total(states.rent_usd[t])
        bought = total(powered.bill_usd[t]) + rent + maintenance
        opex = bought + total(people.wage_usd[t]) + staff + escape
        self.bought[t] = bought

        receivables = owed(self.revenue, t, self.receivable)
        payables = owed(self.bought, t, self.payable)
        receipts = revenue - receivables + ledger.receivables_usd
        payments = opex - payables + ledger.payables_usd
        interest = funded.interest_usd[t]
        profit = revenue - opex - depreciation - interest
        taxable, ledger.tax_loss_usd[:] = after_losses(profit, ledger.tax_loss_usd, p.loss_limit)
        tax = taxable * p.tax_rate
        cash = (
            ledger.cash_usd
            + (funded.equity_usd[t] + funded.debt_drawn_usd[t] + receipts)
            - (payments + interest + tax + month_capex + funded.repayment_usd[t])
        )
        ledger.cash_usd[:] = cash
        ledger.receivables_usd[:], ledger.payables_usd[:] = receivables, payables
        ledger.burn_usd[:-1] = ledger.burn_usd[1:]
        ledger.burn_usd[-1] = payments + interest + tax - receipts
        worth.maintenance_usd[t], worth.escape_usd[t] = maintenance, escape
        worth.staff_usd[t], worth.depreciation_usd[t] = staff, depreciation
        worth.taxable_usd[t], worth.tax_usd[t], worth.cash_usd[t] = taxable, tax, cash
        worth.receipts_usd[t], worth.payments_usd[t] = receipts, payments
        worth.receivables_usd[t], worth.payables_usd[t] = receivables, payables

    def _contracts(self, t: int, fielded: Fielded, accepted: Accepted) -> Array:
        """What contracts add to sales at market prices [kind, draw]; books what was left unasked.

        Nothing is owed for work that no model can do.
        """
        p = self.params
        asked = fielded.demand_tasks[t] * p.contract_usd[t]
        unasked = np.maximum(p.committed_usd[t] - asked, 0.0)
        self.short[t] = (unasked * (fielded.binding[t] != _CAPABILITY)).sum(axis=0)
        done = np.minimum(accepted.accepted[t], p.contract_tasks[t])
        added: Array = done * (p.contract_usd[t] - fielded.price_usd[t])
        return added

    def _let_power(self, t: int, energised: Energised, states: States, powered: Powered) -> None:
        """Rent of leased power, and what tenants pay back of the sites' bills."""
        leased = energised.leased_w[t]
        share = tenant_share(leased, powered.it_j[t], states.it_j[t])
        joint = powered.it_j[t] + powered.losses_j[t] + powered.cooling_j[t]
        part = share * ratio(joint, joint + powered.floor_j[t])
        self.rent[t] = (leased * self.params.lease_usd_per_w[t] + part * powered.bill_usd[t]).sum(0)
        self.let_share[t] = ratio(leased.sum(axis=0), energised.it_w[t].sum(axis=0))
        self.tenant_share[t] = share

    def finish(
        self,
        fielded: Fielded,
        trained: Trained,
        served: Served,
        states: States,
        done: Done,
        robots: Robots,
        powered: Powered,
        accepted: Accepted,
        people: People,
        funded: Funded,
        worth: Worth,
        task_costs: TaskCosts,
        run_costs: RunCosts,
        valuation: Valuation,
    ) -> None:
        """Sums, unit costs and the valuation, vectorised over the months."""
        self._lines(served, states, powered, people, worth)
        power = Power.of(powered, self.tenant_share)
        compute = self._compute(states, power, worth)
        # what each month's accelerators did: train, or serve (and wait)
        own = states.installed.sum(axis=1) - states.leased.sum(axis=1)
        training = ratio(states.training.sum(axis=1), own)
        run_costs.usd_per_run[:] = split(compute * training, trained.accelerator_h).sum(axis=0)
        serving = compute * (1.0 - training)
        kwh = power.compute_kwh * (1.0 - self._let(states)) * (1.0 - training)
        tokens_m = served.served.sum(axis=1) / 1e6
        provider = served.rent_usd.sum(axis=1)
        worth.usd_per_mtok[:] = ratio(serving + provider, tokens_m)
        busy = ratio(states.busy.sum(axis=1), states.installed.sum(axis=1))
        worth.marginal_usd_per_mtok[:] = ratio(power.compute_usd * busy + provider, tokens_m)
        self._token_costs(serving, kwh, fielded, served, done, accepted, task_costs)
        self._task_costs(power, robots, accepted, people, task_costs)
        worth.human_equivalent_h[:] = (accepted.accepted * self.params.task_h).sum(axis=1)
        self._value(funded, worth, valuation)

    def _lines(
        self, served: Served, states: States, powered: Powered, people: People, worth: Worth
    ) -> None:
        """The lines of revenue, opex and capex, and their sums."""
        tokens = self.params.sells_tokens
        worth.task_revenue_usd[:] = self.sold[:, ~tokens].sum(axis=1)
        worth.token_revenue_usd[:] = self.sold[:, tokens].sum(axis=1)
        worth.lease_revenue_usd[:] = states.lease_usd.sum(axis=1) + self.rent
        worth.contract_revenue_usd[:] = self.short
        worth.revenue_usd[:] = sum(worth[line] for line in REVENUE.values())
        worth.energy_usd[:] = powered.bill_usd.sum(axis=1)
        worth.people_usd[:] = people.wage_usd.sum(axis=1)
        worth.rent_usd[:] = served.rent_usd.sum(axis=1) + states.rent_usd.sum(axis=1)
        worth.opex_usd[:] = sum(worth[line] for line in OPEX.values())
        worth.capex_usd[:] = sum(worth[line] for line in CAPEX.values())

    def _compute(self, states: States, power: Power, worth: Worth) -> Array:
        """Capital, upkeep, power, site staff and rent [month, draw] of what is not let to others.

        Fills the capital charge and these parts.
        """
        p = self.params
        past = np.maximum(np.arange(1, len(self.spent))[:, None, None] - self.life, 0)
        standing = self.spent[1:] - self.spent[past, self.asset, self.draw]
        charge = standing * self._charge(self.life)
        worth.compute_charge_usd[:] = charge[:, _HALLS] + charge[:, _CHIPS]
        upkeep, own, halls = standing * self.yearly, 1.0 - self._let(states), 1.0 - self.let_share
        worth.compute_capital_usd[:] = (charge[:, _HALLS] * halls + charge[:, _CHIPS]) * own
        worth.compute_upkeep_usd[:] = (upkeep[:, _HALLS] * halls + upkeep[:, _CHIPS]) * own
        worth.compute_energy_usd[:] = power.compute_usd * own
        worth.compute_staff_usd[:] = (worth.staff_usd - p.staff_usd) * own
        joint = worth.compute_capital_usd + worth.compute_upkeep_usd
        joint = joint + worth.compute_energy_usd + worth.compute_staff_usd
        compute: Array = joint + states.rent_usd.sum(axis=1)
        return compute

    def _charge(self, life_months: NDArray[np.int64]) -> Array:
        """Level monthly payment per price, interest at `wacc` inside."""
        return capital_charge(1.0, life_months, np.expm1(np.log1p(self.params.wacc) / 12.0))

    def _let(self, states: States) -> Array:
        return ratio(states.leased.sum(axis=1), states.installed.sum(axis=1))

    def _token_costs(
        self,
        serving: Array,
        kwh: Array,
        fielded: Fielded,
        served: Served,
        done: Done,
        accepted: Accepted,
        task_costs: TaskCosts,
    ) -> None:
        """Each kind's part of serving, by the accelerator time of its tokens, all attempts inside.

        Tokens bought from a provider are shared by the kinds that think with its model.
        """
        model, good = self.params.kind_model, accepted.accepted
        classes = (fielded.input_tokens, fielded.cached_tokens, fielded.output_tokens)
        weight = self.token_work[model][:, :, None]
        work = done.attempted * sum(c * weight[:, i] for i, c in enumerate(classes))
        tokens = done.attempted * (classes[0] + classes[1] + classes[2])
        by_model = np.zeros(served.rent_usd.shape)
        for kind, of in enumerate(model.tolist()):
            by_model[:, of] += tokens[:, kind]
        provider = served.rent_usd[:, model] * ratio(tokens, by_model[:, model])
        task_costs.provider_usd[:] = ratio(provider, good)
        task_costs.token_usd[:] = ratio(split(serving, work) + provider, good)
        task_costs.kwh_per_task[:] = ratio(split(kwh, work), good)
        task_costs.tokens_per_task[:] = ratio(tokens, good)

    def _task_costs(
        self,
        power: Power,
        robots: Robots,
        accepted: Accepted,
        people: People,
        task_costs: TaskCosts,
    ) -> None:
        """Robots, people and escapes of each kind, and the sum: cost per accepted task."""
        p, good = self.params, accepted.accepted
        standing = alive(robots.purchase_usd, self.life[_ROBOTS])
        owning = standing * (self._charge(self.life[_ROBOTS]) + self.yearly[_ROBOTS])
        energy = split(power.robot_usd, robots.energy_j)
        task_costs.robot_usd[:] = ratio(owning + energy, good)
        task_costs.kwh_per_task[:] += ratio(split(power.robot_kwh, robots.energy_j), good)
        judged = accepted.review_min + accepted.rework_min
        wages = people.wage_usd
        human = split(wages[:, _REVIEWER], judged)
        human = human + split(wages[:, _OPERATOR], robots.intervention_min)
        task_costs.human_usd[:] = ratio(human, good)
        task_costs.human_min_per_task[:] = ratio(judged + robots.intervention_min, good)
        task_costs.escape_usd[:] = ratio(accepted.escaped * p.escape_usd, good)
        task_costs.usd_per_task[:] = (
            task_costs.token_usd
            + task_costs.robot_usd
            + task_costs.human_usd
            + task_costs.escape_usd
        )

    def _value(self, funded: Funded, worth: Worth, valuation: Valuation) -> None:
        p, years = self.params, self.calendar.years
        operating = worth.revenue_usd - worth.opex_usd - worth.depreciation_usd
        worth.free_cash_flow_usd[:] = (
            worth.receipts_usd
            - worth.payments_usd
            - self._tax_without_debt(operating, funded, worth)
            - worth.capex_usd
        )
        explicit = (worth.free_cash_flow_usd * (1.0 + p.wacc) ** -years[:, None]).sum(axis=0)
        last = min(12, len(years))
        nopat = (operating[-last:] * (1.0 - p.tax_rate)).sum(axis=0) * 12 / last
        after = value_driver(nopat, p.wacc, p.growth, p.roic)
        terminal = np.where(after.code == NEGATIVE_FLOW, 0.0, after.value)
        end = terminal * (1.0 + p.wacc) ** -(years[-1] + 1 / 24)
        valuation.explicit_value_usd[:] = explicit
        valuation.terminal_value_usd[:] = end
        valuation.enterprise_value_usd[:] = explicit + end
        valuation.equity_value_usd[:] = valuation.enterprise_value_usd + funded.opening_cash_usd[0]
        valuation.wacc[:] = p.wacc
        valuation.irr[:] = np.nan
        if len(years) > 1:
            flows = worth.free_cash_flow_usd.T.copy()
            flows[:, -1] += terminal
            valuation.irr[:] = np.expm1(12 * np.log1p(irr_rows(flows).value))

    def _tax_without_debt(self, operating: Array, funded: Funded, worth: Worth) -> Array:
        """[month, draw] the tax that the firm would pay without interest."""
        if not funded.interest_usd.any():
            return worth.tax_usd
        p, taxable = self.params, np.empty_like(operating)
        losses = np.zeros(self.dims.width)
        for t, profit in enumerate(operating):
            taxable[t], losses = after_losses(profit, losses, p.loss_limit)
        return np.asarray(taxable * p.tax_rate)


_SOLD = (
    "accepted.accepted * fielded.price_usd"
    " + min(accepted.accepted, value.contract_tasks) * (value.contract_usd - fielded.price_usd)"
)
"""Revenue of a kind: at market prices, and what contracts pay above them."""

FORMULAS: dict[str, str] = {
    "worth.task_revenue_usd": f"sum(where(value.sells_tokens > 0, 0, {_SOLD}))",
    "worth.token_revenue_usd": f"sum(where(value.sells_tokens > 0, {_SOLD}, 0))",
    "worth.lease_revenue_usd": (
        "engine(value.leases, states.lease_usd, energised.leased_w, value.lease_usd_per_w,"
        " powered.bill_usd)"
    ),
    "worth.contract_revenue_usd": (
        "engine(value.take_or_pay, value.committed_usd, value.contract_usd, fielded.demand_tasks,"
        " fielded.binding)"
    ),
    "worth.revenue_usd": " + ".join(REVENUE.values()),
    "worth.receipts_usd": "revenue_usd - receivables_usd + lag(receivables_usd)",
    "worth.energy_usd": "sum(powered.bill_usd)",
    "worth.people_usd": "sum(people.wage_usd)",
    "worth.staff_usd": "value.staff_usd + sum(energised.it_w) * value.site_staff_usd_per_w",
    "worth.rent_usd": "sum(served.rent_usd) + sum(states.rent_usd)",
    "worth.maintenance_usd": "engine(value.upkeep_of_standing, capex_usd, value.upkeep)",
    "worth.escape_usd": "sum(accepted.escaped * value.escape_usd)",
    "worth.opex_usd": " + ".join(OPEX.values()),
    "worth.payments_usd": "opex_usd - payables_usd + lag(payables_usd)",
    "worth.construction_usd": "sum(energised.construction_usd)",
    "worth.accelerator_usd": "sum(accelerators.purchase_usd)",
    "worth.robot_usd": "sum(robots.purchase_usd)",
    "worth.capex_usd": " + ".join(CAPEX.values()),
    "worth.depreciation_usd": "engine(value.straight_line, capex_usd, value.life_months)",
    "worth.taxable_usd": (
        "engine(value.losses_first, revenue_usd, opex_usd, depreciation_usd, funded.interest_usd,"
        " value.loss_limit)"
    ),
    "worth.tax_usd": "taxable_usd * value.tax_rate",
    "worth.free_cash_flow_usd": (
        "receipts_usd - payments_usd - capex_usd - engine(value.tax_without_debt, revenue_usd,"
        " opex_usd, depreciation_usd, value.tax_rate, value.loss_limit)"
    ),
    "worth.receivables_usd": "engine(value.days_owed, revenue_usd, value.receivable_days)",
    "worth.payables_usd": (
        "engine(value.days_owed, energy_usd, rent_usd, maintenance_usd, value.payable_days)"
    ),
    "worth.cash_usd": (
        "funded.opening_cash_usd + funded.equity_usd + funded.debt_drawn_usd + receipts_usd"
        " - payments_usd - funded.interest_usd - tax_usd - capex_usd - funded.repayment_usd"
    ),
    "worth.compute_charge_usd": (
        "engine(value.annuity, construction_usd, accelerator_usd, value.life_months, value.wacc)"
    ),
    "worth.compute_capital_usd": (
        "engine(value.not_let, compute_charge_usd, states.leased, energised.leased_w)"
    ),
    "worth.compute_upkeep_usd": (
        "engine(value.not_let, construction_usd, accelerator_usd, value.upkeep, states.leased)"
    ),
    "worth.compute_energy_usd": (
        "engine(value.not_let, powered.bill_usd, powered.floor_j, states.leased)"
    ),
    "worth.compute_staff_usd": "engine(value.not_let, staff_usd, value.staff_usd, states.leased)",
    "worth.usd_per_mtok": (
        "engine(value.unit_cost, compute_charge_usd, maintenance_usd, energy_usd, staff_usd,"
        " rent_usd, served.served, states.training)"
    ),
    "worth.marginal_usd_per_mtok": (
        "engine(value.marginal, energy_usd, served.rent_usd, served.served, states.busy)"
    ),
    "worth.human_equivalent_h": "sum(accepted.accepted * value.task_h)",
    "task_costs.token_usd": (
        "engine(value.share_out, worth.usd_per_mtok, served.rent_usd, done.attempted,"
        " accepted.accepted)"
    ),
    "task_costs.provider_usd": (
        "engine(value.share_out, served.rent_usd, done.attempted, accepted.accepted)"
    ),
    "task_costs.robot_usd": (
        "engine(value.share_out, robots.purchase_usd, robots.energy_j, powered.bill_usd,"
        " accepted.accepted)"
    ),
    "task_costs.human_usd": (
        "engine(value.share_out, people.wage_usd, accepted.review_min, accepted.rework_min,"
        " robots.intervention_min, accepted.accepted)"
    ),
    "task_costs.escape_usd": (
        "where(accepted.accepted > 0, accepted.escaped * value.escape_usd / accepted.accepted, 0)"
    ),
    "task_costs.usd_per_task": "token_usd + robot_usd + human_usd + escape_usd",
    "task_costs.kwh_per_task": (
        "engine(value.share_out, powered.facility_j, robots.energy_j, done.attempted,"
        " accepted.accepted)"
    ),
    "task_costs.tokens_per_task": (
        "where(accepted.accepted > 0, done.attempted * (fielded.input_tokens"
        " + fielded.cached_tokens + fielded.output_tokens) / accepted.accepted, 0)"
    ),
    "task_costs.human_min_per_task": (
        "where(accepted.accepted > 0, (accepted.review_min + accepted.rework_min"
        " + robots.intervention_min) / accepted.accepted, 0)"
    ),
    "run_costs.usd_per_run": (
        "engine(value.share_out, worth.compute_charge_usd, worth.energy_usd, trained.accelerator_h)"
    ),
    "valuation.enterprise_value_usd": "explicit_value_usd + terminal_value_usd",
    "valuation.explicit_value_usd": (
        "sum(worth.free_cash_flow_usd / (1 + value.wacc) ** calendar.years)"
    ),
    "valuation.terminal_value_usd": (
        "max(0, (year(worth.revenue_usd) - year(worth.opex_usd) - year(worth.depreciation_usd))"
        " * calendar.annual * (1 - value.tax_rate)) * (1 + value.growth)"
        " * (1 - value.growth / value.roic) / (value.wacc - value.growth)"
        " / (1 + value.wacc) ** calendar.end"
    ),
    "valuation.equity_value_usd": "enterprise_value_usd + capital.opening_cash_usd",
    "valuation.irr": "engine(value.irr, worth.free_cash_flow_usd, terminal_value_usd)",
    "valuation.wacc": "value.wacc",
}
