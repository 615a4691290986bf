"""Where every parameter comes from: scenario keys, cells of the catalog, curves of an engine.

`PATTERNS` says it for parameters that are made of the same keys in every scenario, `RULES` for
those that depend on what a scenario says: a price that is given, or that of a catalog row.
`ENGINES` says which keys an engine is asked with. A word in braces stands for each item of a list
of the scenario. Tests change every number of scenarios and hold that exactly the parameters change
that name its key, so that this cannot drift.

Every parameter with months depends on `start` and `months` too; that is not repeated here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, get_type_hints

from lineshaft.parameters.origin_items import Ask, Origin
from lineshaft.parameters.origin_rules import RULES, WORKING

if TYPE_CHECKING:
    from lineshaft.scenario import Scenario

__all__ = [
    "ENGINES",
    "PATTERNS",
    "RULES",
    "Origin",
    "engine_origins",
    "meaning_of",
    "origins",
    "params_of",
]


def origins(
    scenario: Scenario, stage: str, name: str, where: Mapping[str, str] | None = None
) -> tuple[Origin, ...]:
    """Where a parameter comes from, for the labels in `where` ({"kind": "coder"}) or for all.

    Raises KeyError for a parameter that is not there.
    """
    ask = Ask(scenario, where or {})
    found = list(ask.keys(*PATTERNS.get(f"{stage}.{name}", ())))
    if f"{stage}.{name}" in RULES:
        found += RULES[f"{stage}.{name}"](ask)
    elif f"{stage}.{name}" not in PATTERNS:
        raise KeyError(f"{stage}.{name}")
    return tuple({origin.path: origin for origin in found}.values())


def engine_origins(
    scenario: Scenario, stage: str, where: Mapping[str, str] | None = None
) -> tuple[Origin, ...]:
    """The scenario keys that the engine of a stage is asked with; none where it has no engine."""
    found = Ask(scenario, where or {}).keys(*ENGINES.get(stage, ()))
    return tuple({origin.path: origin for origin in found}.values())


@cache
def params_of(stage: str) -> Mapping[str, Any]:
    """The dataclass fields of a stage's parameters by name."""
    from lineshaft.parameters import Parameters

    return {f.name: f for f in dataclasses.fields(get_type_hints(Parameters)[stage])}


def meaning_of(stage: str, name: str) -> tuple[str, str]:
    """Unit and meaning of a parameter; blank for what is structure and no number.

    Raises KeyError where there is none.
    """
    metadata = params_of(stage)[name].metadata
    return metadata.get("unit", ""), metadata.get("meaning", "")


_LEASE = ("train.lease.{lease}.fleet", "train.lease.{lease}.start", "train.lease.{lease}.months")
_CONTRACT = tuple(f"value.contract.{{contract}}.{f}" for f in ("kind", "start", "term_months"))
_POWER_LEASE = tuple(f"value.power_lease.{{power_lease}}.{f}" for f in ("start", "term_months"))
_HORIZON = ("agents.horizon", "agents.horizon_date", "agents.doubling", "agents.cap")
_KIND = "agents.kind.{kind}"
_POLICY = "oversee.policy.{policy}"
_ROLE = "oversee.role.{role}"
_ROBOTS = "floor.robots.{robots}"
_ORDER = "build.accelerators.{order}"
_PHASE = "build.phase.{phase}"
_RUN = "train.run.{run}"
_SITE = "plant.site.{site}"
_RENTED = "serve.rented.{rented}"

PATTERNS: Mapping[str, tuple[str, ...]] = {
    "capital.draw_month": ("capital.debt.{debt}.month",),
    "capital.interest_only_months": ("capital.debt.{debt}.interest_only_months",),
    "capital.term_months": ("capital.debt.{debt}.term_months",),
    "capital.debt_usd": ("capital.debt.{debt}.amount_usd",),
    "capital.rate_per_year": ("capital.debt.{debt}.rate_per_year",),
    "capital.opening_cash_usd": ("capital.opening_cash_usd",),
    "capital.opening_burn_usd": ("capital.opening_burn_usd_per_month",),
    "capital.runway_months": ("capital.runway_months",),
    "build.phase_site": (f"{_PHASE}.campus",),
    "build.phase_start": (f"{_PHASE}.start",),
    "build.fleet_site": (f"{_ORDER}.campus",),
    "build.refresh": (f"{_ORDER}.refresh",),
    "build.luck": ("seed",),
    "build.cost_usd": (f"{_PHASE}.cost_usd_per_w", f"{_PHASE}.it_w"),
    "build.hours_factor": (f"{_PHASE}.craft_hours_per_mw",),
    "build.leased_w": ("value.power_lease.{power_lease}.power_w", *_POWER_LEASE),
    "build.existing_w": ("build.campus.{campus}.existing_it_w",),
    "build.ordered": tuple(f"{_ORDER}.{f}" for f in ("count", "allotted", "first", "months")),
    "build.price_usd": (f"{_ORDER}.all_in", f"{_ORDER}.price_decline_per_year"),
    "build.repair_s": (f"{_ORDER}.repair_days",),
    "build.rented": tuple(f"{_RENTED}.{f}" for f in ("count", "growth", "start", "months")),
    "train.start": (f"{_RUN}.start",),
    "train.release_log2_horizon": (
        f"{_RUN}.model", f"{_RUN}.tokens", f"{_RUN}.sequence", "train.reference_release",
        "train.reference_flop", "train.reference_horizon", "train.efficiency_growth",
        "train.elasticity",
    ),
    "train.planned": (f"{_RUN}.accelerators",),
    "train.wanted": (f"{_RUN}.accelerators",),
    "train.least_share": (f"{_RUN}.least_share",),
    "train.tokens": (f"{_RUN}.tokens",),
    "train.speed": (f"{_RUN}.speed",),
    "train.leased": ("train.lease.{lease}.count", *_LEASE),
    "train.public_log2_horizon": _HORIZON,
    "train.cap_log2_horizon": ("agents.cap",),
    "agents.kind_model": (f"{_KIND}.model",),
    "agents.embodied": (f"{_KIND}.work",),
    "agents.sells_tokens": (f"{_KIND}.work",),
    "agents.price_usd": (f"{_KIND}.price_decline_per_year", f"{_KIND}.price_floor"),
    "agents.task_s": (f"{_KIND}.human_minutes",),
    "agents.deployment": (f"{_KIND}.deployment",),
    "agents.least_success": (f"{_KIND}.least_success",),
    "agents.input_tokens": (f"{_KIND}.input_share", f"{_KIND}.cached_share"),
    "agents.cached_tokens": (f"{_KIND}.input_share", f"{_KIND}.cached_share"),
    "agents.output_tokens": (f"{_KIND}.input_share",),
    "agents.tool_s": (f"{_KIND}.tool_s",),
    "agents.steer_min": (f"{_KIND}.steer_minutes",),
    "agents.intervention_min": (f"{_ROBOTS}.minutes_per_intervention",),
    "agents.seats": (f"{_KIND}.seats", f"{_KIND}.seats_growth_per_year", f"{_KIND}.seats_path"),
    "agents.robots": tuple(f"{_ROBOTS}.{f}" for f in ("count", "growth_per_year", "path")),
    "agents.robot_orders": tuple(
        f"{_ROBOTS}.{f}"
        for f in ("count", "growth_per_year", "path", "life_years", "owned_at_start")
    ),
    "agents.robot_usd": (f"{_ROBOTS}.price_usd", f"{_ROBOTS}.price_decline_per_year"),
    "allocation.policy": ("policy",),
    "allocation.kind_model": (f"{_KIND}.model",),
    "allocation.provider_models": ("serve.model.{model}.source",),
    "allocation.minimum_tasks": ("value.contract.{contract}.tasks_per_month", *_CONTRACT),
    "allocation.embodied": (f"{_KIND}.work",),
    "allocation.send_back_min": (f"{_POLICY}.detection", f"{_POLICY}.rework_minutes"),
    "serve.provider_models": ("serve.model.{model}.source",),
    "serve.provider_ttft_s": ("serve.model.{model}.ttft_s",),
    "serve.provider_tpot_s": ("serve.model.{model}.tpot_s",),
    "serve.quota_tokens": ("serve.model.{model}.quota",),
    "serve.autoscale": ("serve.autoscale",),
    "serve.speed": ("serve.speed",),
    "serve.training_share": ("train.power_share",),
    "serve.rent_usd_per_h": (f"{_RENTED}.price_growth",),
    "serve.lease_usd_per_h": ("train.lease.{lease}.usd_per_gpu_hour", *_LEASE),
    "serve.on_site": (f"{_ORDER}.campus", f"{_RENTED}.accelerator"),
    "floor.kind_model": (f"{_KIND}.model",),
    "plant.fleet_site": (f"{_ORDER}.campus",),
    "plant.kind_site": (f"{_ROBOTS}.site",),
    "plant.other_w": (f"{_SITE}.other_w",),
    "plant.house_share": (f"{_SITE}.house_share",),
    "plant.tenant_load": (f"{_SITE}.tenant_load",),
    "plant.floor_peak": tuple(f"floor.site.{{floor_site}}.{f}" for f in WORKING),
    "plant.overhead": (f"{_SITE}.overhead",),
    "plant.usd_per_kwh": (f"{_SITE}.usd_per_kwh_growth",),
    "plant.usd_per_kw": (f"{_SITE}.usd_per_kwh_growth",),
    "plant.usd_per_l": (f"{_SITE}.usd_per_l", f"{_SITE}.usd_per_l_growth"),
    "plant.kg_per_kwh": (f"{_SITE}.kg_per_kwh_growth",),
    "oversee.has_agents": (f"{_KIND}.work",),
    "oversee.regular": (f"{_POLICY}.regular",),
    "oversee.headcount": tuple(
        f"{_ROLE}.{f}" for f in ("headcount", "growth_per_year", "path", "hires_per_year")
    ),
    "oversee.minutes": (f"{_ROLE}.hours_per_month",),
    "oversee.utilisation": (f"{_ROLE}.utilisation",),
    "oversee.paid_h": (f"{_ROLE}.paid_hours_per_month",),
    "oversee.detection": (f"{_POLICY}.detection",),
    "oversee.rework_share": (f"{_POLICY}.rework",),
    "oversee.rework_min": (f"{_POLICY}.rework_minutes",),
    "oversee.expiry": (f"{_POLICY}.expiry",),
    "oversee.eligible": (f"{_KIND}.eligible",),
    "oversee.shape": (f"{_POLICY}.shape",),
    "value.kind_model": (f"{_KIND}.model",),
    "value.sells_tokens": (f"{_KIND}.work",),
    "value.contract_tasks": ("value.contract.{contract}.tasks_per_month", *_CONTRACT),
    "value.contract_usd": (
        "value.contract.{contract}.price_usd_per_task",
        "value.contract.{contract}.escalator_per_year", *_CONTRACT,
    ),
    "value.committed_usd": (
        "value.contract.{contract}.take_or_pay", "value.contract.{contract}.tasks_per_month",
        "value.contract.{contract}.price_usd_per_task",
        "value.contract.{contract}.escalator_per_year", *_CONTRACT,
    ),
    "value.lease_usd_per_w": (
        "value.power_lease.{power_lease}.usd_per_kw_month",
        "value.power_lease.{power_lease}.escalator_per_year", *_POWER_LEASE,
    ),
    "value.staff_usd": (
        "value.overhead_usd_per_month", "value.overhead_growth_per_year",
        "value.inflation_per_year",
    ),
    "value.site_staff_usd_per_w": (
        "value.staff_people_per_mw", "value.staff_hours_per_year", "value.inflation_per_year",
    ),
    "value.escape_usd": (f"{_KIND}.escape_usd",),
    "value.task_h": (f"{_KIND}.human_minutes", f"{_KIND}.sigma"),
    **{
        f"value.{name}": (f"value.{name}",)
        for name in (
            "receivable_days", "payable_days", "tax_rate", "loss_limit", "wacc", "growth", "roic",
        )
    },
}  # fmt: skip
"""Keys by parameter."""

ENGINES: Mapping[str, tuple[str, ...]] = {
    "build": (
        *(
            f"{_PHASE}.{f}"
            for f in (
                "it_w", "halls", "start", "craft_hours_per_mw", "order_weeks", "lead_weeks",
                "permit", "grid",
            )
        ),
        *(
            f"build.crew.{{crew}}.{f}"
            for f in (
                "headcount", "hires_per_month", "most", "apprentices_per_year",
                "apprentice_years", "completion", "apprentice_productivity", "hours_per_week",
                "at_work_share",
            )
        ),
        "build.crew_factor", "build.risk", "build.samples", "build.slip", "seed",
    ),
    "train": tuple(
        f"{_RUN}.{f}"
        for f in (
            "model", "fleets", "precision", "accelerators", "sequence", "global_batch", "tokens",
            "failures_per_node_day", "checkpoint_s", "restart_s",
        )
    ),
    "agents": tuple(
        f"{_KIND}.{f}"
        for f in (
            "work", "human_minutes", "sigma", "slope", "rho", "attempts", "sensitivity",
            "specificity", "verifier_rho", "slip", "family_sd", "acceptance", "budget_tokens",
            "token_exponent",
        )
    ),
    "serve": (
        *(
            f"serve.model.{{model}}.{f}"
            for f in (
                "model", "fleets", "engine", "tp", "pp", "dp", "ep", "prompt_instances",
                "answer_instances", "answer_tp", "answer_dp", "answer_ep", "precision",
                "weight_bytes", "kv_bytes",
            )
        ),
        *(
            f"serve.{f}"
            for f in (
                "trace", "requests", "slo_ttft_s", "slo_ttft_tokens", "slo_tpot_s", "percentile",
                "max_batch", "max_batched_tokens", "memory_share", "prefix_cache",
            )
        ),
    ),
    "floor": tuple(
        f"{_ROBOTS}.{f}"
        for f in (
            "robot", "task", "count", "growth_per_year", "path", "success", "distance_m",
            "speed_m_per_s", "free_cells", "stations", "run_hours", "charge_hours",
            "charger_efficiency", "availability", "repair_hours", "minutes_per_intervention",
        )
    ),
    "plant": (
        *(f"{_SITE}.{f}" for f in ("climate", "liquid_share", "rejection")),
        "build.campus.{campus}.existing_it_w", f"{_PHASE}.it_w",
    ),
}  # fmt: skip
"""Keys that the engine of a stage is asked with."""
