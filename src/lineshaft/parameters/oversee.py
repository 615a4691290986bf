"""Parameters and engine inputs of `oversee`, and the minutes that reviews take."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from lineshaft import catalog
from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.reasons import ROLES
from lineshaft.errors import InputError, Problem
from lineshaft.parameters.common import Array, pick, stack
from lineshaft.parameters.plans import by_month, plan
from lineshaft.scenario.locate import join
from lineshaft.scenario.oversee import Policy, Role
from lineshaft.stages.oversee.engine import OverseeInputs
from lineshaft.stages.oversee.model import Params
from lineshaft.tables import Dims

if TYPE_CHECKING:
    from lineshaft.scenario import Scenario
    from lineshaft.scenario.agents import Kind
    from lineshaft.scenario.draws import Draws

WAGES = {"reviewer": "software developer", "operator": "robot operator"}
"""Catalog row of `wages` of each role, where the scenario names none."""
DEFAULT = "default"
"""Name of the policy of all kinds that have none of their own."""


def params(scenario: Scenario, draws: Draws, dims: Dims, calendar: Calendar) -> Params:
    """Parameters of `oversee`. Raises InputError for a policy of a kind that is not there."""
    kinds, months = scenario.agents.kind, len(calendar.labels)
    policies = _policies(scenario)
    roles = [_role(scenario, name) for name in ROLES]

    def of_role(field: str) -> Array:
        return stack(_role_drawn(draws, r, field) for r in roles)

    def of_policy(field: str) -> Array:
        return stack(_policy_drawn(draws, policies[k.name], field) for k in kinds)

    return Params(
        has_agents=np.array([not k.sells_tokens for k in kinds], bool),
        regular=np.array([policies[k.name].regular for k in kinds], bool),
        headcount=by_month((_headcount(scenario, r, draws, months) for r in roles), months),
        minutes=of_role("hours_per_month") * 60,
        utilisation=of_role("utilisation"),
        usd_per_h=by_month((_wage(r, draws, months) for r in roles), months),
        paid_h=of_role("paid_hours_per_month"),
        review_share=stack(_share(k, policies[k.name], draws) for k in kinds),
        detection=of_policy("detection"),
        rework_share=of_policy("rework"),
        rework_min=of_policy("rework_minutes"),
        expiry=of_policy("expiry"),
        verified=stack(_verified(k, policies[k.name], draws) for k in kinds),
        eligible=stack(_kind_drawn(draws, k, "eligible") for k in kinds),
        shape=of_policy("shape"),
    )


def engine_inputs(scenario: Scenario, dims: Dims, calendar: Calendar) -> OverseeInputs:
    """Inputs of the engine: the grids of the waiting curve, which no scenario changes."""
    _policies(scenario)
    return OverseeInputs()


def review_minutes(scenario: Scenario, draws: Draws) -> Array:
    """[kind, draw] reviewer minutes of a finished task: the policy's, else the kind's."""
    policies = _policies(scenario)
    return stack(
        _kind_drawn(draws, k, "review_minutes")
        if policies[k.name].minutes is None
        else _policy_drawn(draws, policies[k.name], "minutes")
        for k in scenario.agents.kind
    )


def send_back_minutes(scenario: Scenario, draws: Draws) -> Array:
    """[kind, draw] reviewer minutes per wrong task that is reviewed, on top of its review."""
    by_kind = _policies(scenario)
    policies = [by_kind[k.name] for k in scenario.agents.kind]
    return stack(
        _policy_drawn(draws, p, "detection") * _policy_drawn(draws, p, "rework_minutes")
        for p in policies
    )


def _policies(scenario: Scenario) -> dict[str, Policy]:
    """The policy of each kind. Raises InputError for policies of kinds that are not there."""
    kinds = [k.name for k in scenario.agents.kind]
    own = {p.name: p for p in scenario.oversee.policy}
    wrong = [name for name in own if name not in (*kinds, DEFAULT)]
    if wrong:
        raise InputError(
            Problem(
                "",
                join(("oversee", "policy", name)),
                f"there is no kind of work {name!r}",
                ", ".join((*kinds, DEFAULT)),
            )
            for name in wrong
        )
    other = own.get(DEFAULT) or _usual_policy()
    return {name: own.get(name, other) for name in kinds}


@lru_cache
def _usual_policy() -> Policy:
    return Policy(name=DEFAULT)


def _role(scenario: Scenario, name: str) -> Role:
    nobody = {"name": name, "headcount": 0, "hires_per_year": 0}
    found = (r for r in scenario.oversee.role if r.name == name)
    return next(found, None) or Role.model_validate(nobody)


def _headcount(scenario: Scenario, role: Role, draws: Draws, months: int) -> Array:
    growth = _role_drawn(draws, role, "growth_per_year")
    people = plan(_role_drawn(draws, role, "headcount"), growth, role.path, scenario.start, months)
    years = np.arange(months)[:, None] / 12
    return np.asarray(people + _role_drawn(draws, role, "hires_per_year") * years, dtype=float)


def _wage(role: Role, draws: Draws, months: int) -> Array:
    """[month, draw] wage with on-costs per paid hour."""
    row = catalog.find("wages", role.wage or WAGES[role.name])
    wage = np.array([row.number("wage_usd_per_h")])
    if role.wage_usd_per_h is not None:
        wage = _role_drawn(draws, role, "wage_usd_per_h")
    cost = np.array([row.number("loaded_factor")])
    if role.on_cost is not None:
        cost = _role_drawn(draws, role, "on_cost")
    years = np.arange(months)[:, None] / 12
    growth = (1 + _role_drawn(draws, role, "wage_growth_per_year")) ** years
    return np.asarray(wage * cost * growth, dtype=float)


def _share(kind: Kind, policy: Policy, draws: Draws) -> Array:
    review = policy.review or ("none" if kind.embodied else "all")
    if kind.sells_tokens or review == "none":
        return np.zeros(1)
    return np.ones(1) if review == "all" else _policy_drawn(draws, policy, "share")


def _verified(kind: Kind, policy: Policy, draws: Draws) -> Array:
    if policy.verified is None:
        return _kind_drawn(draws, kind, "verified")
    return _policy_drawn(draws, policy, "verified")


def _role_drawn(draws: Draws, role: Role, field: str) -> Array:
    return pick(draws, join(("oversee", "role", role.name, field)), getattr(role, field))


def _policy_drawn(draws: Draws, policy: Policy, field: str) -> Array:
    return pick(draws, join(("oversee", "policy", policy.name, field)), getattr(policy, field))


def _kind_drawn(draws: Draws, kind: Kind, field: str) -> Array:
    return pick(draws, join(("agents", "kind", kind.name, field)), getattr(kind, field))
