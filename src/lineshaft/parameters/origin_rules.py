"""Origins of parameters that depend on what a scenario says: a price that is given, or a row's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lineshaft import catalog
from lineshaft.parameters.origin_items import Ask, Origin
from lineshaft.parameters.oversee import WAGES
from lineshaft.scenario.locate import join

WORKING = ("hours_per_day", "days_per_week")
_ROBOTS = "floor.robots.{robots}"


def _cell(table: str, row: str, column: str) -> Origin:
    found = catalog.find(table, row)
    return Origin(f"{table}/{found['name']}.{column}", field=column, row=found)


def _own_or_cell(name: str, prefix: str, own: str, column: str) -> Callable[[Ask], list[Origin]]:
    """An order's or a rented contract's own number, else that of its accelerator's row."""

    def rule(ask: Ask) -> list[Origin]:
        found = []
        for item_name, item in ask.items(name):
            if own and getattr(item, own) is not None:
                found.append(Origin(join((*prefix.split("."), item_name, own)), item, own))
            else:
                found.append(_cell("accelerators", item.accelerator, column))
        return found

    return rule


def _tariff(own: str, column: str) -> Callable[[Ask], list[Origin]]:
    def rule(ask: Ask) -> list[Origin]:
        return [
            _cell("tariffs", site.tariff, column)
            if getattr(site, own) is None
            else Origin(join(("plant", "site", name, own)), site, own)
            for name, site in ask.items("site")
        ]

    return rule


def _of_kind(kind: Any, *fields: str) -> list[Origin]:
    return [Origin(join(("agents", "kind", kind.name, f)), kind, f) for f in fields]


def _each_kind(rule: Callable[[Any], list[Origin]]) -> Callable[[Ask], list[Origin]]:
    return lambda ask: [origin for _, kind in ask.items("kind") for origin in rule(kind)]


def _total_tokens(kind: Any) -> list[Origin]:
    if kind.tokens_per_attempt is not None:
        return _of_kind(kind, "tokens_per_attempt")
    return _of_kind(kind, "tokens_per_hour_task", "token_exponent", "human_minutes", "sigma")


def _calls(kind: Any) -> list[Origin]:
    if kind.calls_per_attempt is not None:
        return _of_kind(kind, "calls_per_attempt")
    return [*_total_tokens(kind), *_of_kind(kind, "tokens_per_call")]


def _wage(kind: Any) -> list[Origin]:
    if kind.wage_usd_per_h is not None:
        return _of_kind(kind, "wage_usd_per_h")
    return [_cell("wages", kind.human, c) for c in ("wage_usd_per_h", "loaded_factor")]


def _first_price(kind: Any) -> list[Origin]:
    if kind.price_usd is not None:
        return _of_kind(kind, "price_usd")
    if kind.usd_per_mtok is not None:
        return [*_of_kind(kind, "usd_per_mtok"), *_total_tokens(kind)]
    if kind.price_row is not None:
        row = catalog.find("prices", kind.price_row)
        classes = ("input", "output") if row["cached_usd_per_mtok"] is None else _CLASSES
        cells = [_cell("prices", kind.price_row, f"{c}_usd_per_mtok") for c in classes]
        cached = () if row["cached_usd_per_mtok"] is None else ("cached_share",)
        return [*cells, *_total_tokens(kind), *_of_kind(kind, "input_share", *cached)]
    return [*_of_kind(kind, "price_share", "human_minutes", "sigma"), *_wage(kind)]


_CLASSES = ("input", "cached", "output")


def _adoption(ask: Ask) -> list[Origin]:
    found = []
    for name, kind in ask.items("kind"):
        a = kind.adoption
        fields = ["curve", "start", "saturation"]
        share = a.share_at_start
        if a.midpoint_years is None and share.fixed and share.median >= a.saturation.median:
            fields += ["share_at_start"]  # all of it from the start
        elif a.curve == "bass":
            fields += ["share_at_start", "innovation", "imitation"]
        else:
            fields += ["years_10_to_90"]
            fields += ["share_at_start" if a.midpoint_years is None else "midpoint_years"]
        path = ("agents", "kind", name, "adoption")
        found += [Origin(join((*path, f)), a, f) for f in fields]
    return found


def _load(name: str, kind: Any) -> list[Origin]:
    path = ("agents", "kind", name, "load")
    fields = ("shape", "weekday", "weekend", "peak_day")
    return [Origin(join((*path, f)), kind.load, f) for f in fields]


def _hours(ask: Ask) -> list[Origin]:
    found = [o for _, k in ask.items("kind") if not k.embodied for o in _of_kind(k, *WORKING)]
    return [*found, *ask.keys(*(f"floor.site.{{robot_site}}.{f}" for f in WORKING))]


def _model_peaks(ask: Ask) -> list[Origin]:
    """Loads of a model's kinds, weighted by their tokens where they differ."""
    s = ask.scenario
    names = [m.name for m in s.serve.model]
    asked = {ask.where["model"]} if "model" in ask.where else set(names)
    if "kind" in ask.where:
        asked = {k.model or names[0] for k in s.agents.kind if k.name == ask.where["kind"]}
    found: list[Origin] = []
    for model in sorted(asked):
        kinds = [k for k in s.agents.kind if (k.model or names[0]) == model]
        for k in kinds:
            found += _load(k.name, k)
            if len({(k.load.hours, k.load.peak_day) for k in kinds}) > 1:
                found += [*_total_tokens(k), *_of_kind(k, "market_tasks_per_day")]
                path = join(("agents", "kind", k.name, "adoption", "saturation"))
                found.append(Origin(path, k.adoption, "saturation"))
    return found


def _review(ask: Ask) -> list[Origin]:
    found: list[Origin] = []
    for (_, kind), (policy_name, policy) in _with_policies(ask):
        if policy.minutes is None:
            found += _of_kind(kind, "review_minutes")
        else:
            found.append(_of_policy(policy_name, policy, "minutes"))
    return found


def _verified(ask: Ask) -> list[Origin]:
    found: list[Origin] = []
    for (_, kind), (name, policy) in _with_policies(ask):
        own = policy.verified is not None
        found += [_of_policy(name, policy, "verified")] if own else _of_kind(kind, "verified")
    return found


def _review_share(ask: Ask) -> list[Origin]:
    found: list[Origin] = []
    for (_, kind), (name, policy) in _with_policies(ask):
        found.append(_of_policy(name, policy, "review"))
        found += _of_kind(kind, "work")
        if policy.review == "share" and not kind.sells_tokens:
            found.append(_of_policy(name, policy, "share"))
    return found


def _with_policies(ask: Ask) -> Iterator[tuple[tuple[str, Any], tuple[str, Any]]]:
    return zip(ask.items("kind"), ask.items("policy"), strict=True)


def _of_policy(name: str, policy: Any, which: str) -> Origin:
    return Origin(join(("oversee", "policy", name, which)), policy, which)


def _role_wage(ask: Ask) -> list[Origin]:
    found = list(ask.keys("oversee.role.{role}.wage_growth_per_year"))
    for name, role in ask.items("role"):
        row = role.wage or WAGES[name]
        for own, column in (("wage_usd_per_h", "wage_usd_per_h"), ("on_cost", "loaded_factor")):
            if getattr(role, own) is not None:
                found.append(Origin(join(("oversee", "role", name, own)), role, own))
            else:
                found.append(_cell("wages", row, column))
    return found


def _stops(ask: Ask) -> list[Origin]:
    found = []
    for name, machine in ask.items("robots"):
        path = ("floor", "robots", name, "interventions_per_1000")
        if machine.interventions_per_1000 is None:
            found.append(Origin("floor"))
        else:
            found.append(Origin(join(path), machine, path[-1]))
    return found


def _attempts(ask: Ask) -> list[Origin]:
    """Attempts at a task, and their correlation where there are several."""
    found = list(ask.keys(f"{_ROBOTS}.attempts"))
    for name, machine in ask.items("robots"):
        if machine.attempts > 1:
            found.append(Origin(join(("floor", "robots", name, "rho")), machine, "rho"))
    return [*found, *_engine("floor")(ask)]


def _market(kind: Any) -> list[Origin]:
    """The market, and its answer to prices where it has one."""
    found = _of_kind(kind, "market_tasks_per_day", "market_growth_per_year", "elasticity")
    if kind.elasticity.fixed and kind.elasticity.median == 0:
        return found
    return [*found, *_of_kind(kind, "price_decline_per_year", "price_floor")]


def _engine(stage: str, *patterns: str) -> Callable[[Ask], list[Origin]]:
    """A curve of an engine where there are robots."""

    def rule(ask: Ask) -> list[Origin]:
        there = any(True for _ in ask.items("robots"))
        return [*ask.keys(*patterns), *([Origin(stage)] if there else [])]

    return rule


def _grid(ask: Ask) -> list[Origin]:
    found: list[Origin] = []
    for name, site in ask.items("site"):
        if site.grid_w is not None:
            found.append(Origin(join(("plant", "site", name, "grid_w")), site, "grid_w"))
            continue
        here = Ask(ask.scenario, {"site": name})
        found += here.keys("build.campus.{campus}.existing_it_w")
        found += [
            Origin(join(("build", "phase", p.name, "it_w")), p, "it_w")
            for p in ask.scenario.build.phase
            if p.campus == name
        ]
    return found


def _idle(ask: Ask) -> list[Origin]:
    found = [*_it_w(ask), *ask.keys("serve.host_idle_share")]
    for name in ("order", "rented"):
        for column in ("power_w", "idle_share"):
            found += _own_or_cell(name, "", "", column)(ask)
    return found


def _it_w(ask: Ask) -> list[Origin]:
    found = list(ask.keys("build.accelerators.{order}.cluster_overhead"))
    found += _own_or_cell("order", "build.accelerators", "it_w", "it_w_per_accelerator")(ask)
    return [*found, *_own_or_cell("rented", "", "", "it_w_per_accelerator")(ask)]


def _chip_idle(ask: Ask) -> list[Origin]:
    return [o for n in ("order", "rented") for o in _own_or_cell(n, "", "", "idle_share")(ask)]


def _ranks(ask: Ask) -> list[Origin]:
    return [o for n in ("order", "rented") for o in _own_or_cell(n, "", "", "year")(ask)]


def _token_prices(ask: Ask) -> list[Origin]:
    found: list[Origin] = []
    for name, model in ask.items("model"):
        if model.source == "own":
            continue
        for one in _CLASSES:
            column = f"usd_per_mtok_{one}"
            path = join(("serve", "model", name, column))
            if getattr(model, column) is not None:
                found.append(Origin(path, model, column))
            elif one != "cached" or model.usd_per_mtok_input is None or model.model is not None:
                cell = _cell("prices", model.row, f"{one}_usd_per_mtok")
                if cell.row is not None and cell.row[cell.field] is not None:
                    found.append(cell)
    return found


def _equity(*fields: str) -> Callable[[Ask], list[Origin]]:
    """Fields of the rounds that count; for a month, of the rounds of that month."""

    def rule(ask: Ask) -> list[Origin]:
        month = ask.where.get("month")
        return [
            Origin(join(("capital", "round", name, f)), r, f)
            for name, r in ask.items("round")
            for f in fields
            if (month is None or r.month == month) and getattr(r, f) is not None
        ]

    return rule


def _weighted(name: str, weight: str, together: Callable[[Any], Any]) -> Callable[[Ask], Any]:
    """The weight of a mean price: it matters only where several items meet."""

    def rule(ask: Ask) -> list[Origin]:
        items = list(ask.items(name))
        where = [together(item) for _, item in items]
        path = {"lease": ("train", "lease"), "power_lease": ("value", "power_lease")}
        path |= {"contract": ("value", "contract")}
        return [
            Origin(join((*path[name], n, weight)), item, weight)
            for n, item in items
            if where.count(together(item)) > 1
        ]

    return rule


def _site_staff(ask: Ask) -> list[Origin]:
    value = ask.scenario.value
    if value.staff_wage_usd_per_h is not None:
        return list(ask.keys("value.staff_wage_usd_per_h"))
    return [_cell("wages", "electrician", c) for c in ("wage_usd_per_h", "loaded_factor")]


def _assets(prefix: str, suffix: str) -> Callable[[Ask], list[Origin]]:
    def rule(ask: Ask) -> list[Origin]:
        assets = (ask.where["asset"],) if "asset" in ask.where else _ASSETS
        return list(ask.keys(*(f"value.{prefix}_{asset}_{suffix}" for asset in assets)))

    return rule


_ASSETS = ("halls", "accelerators", "robots")


RULES: Mapping[str, Callable[[Ask], list[Origin]]] = {
    "capital.shares": _equity("raise_usd", "pre_usd", "post_usd", "month"),
    "capital.equity_usd": _equity("raise_usd", "month"),
    "build.fleet_rank": _ranks,
    "build.life_months": _own_or_cell("order", "build.accelerators", "life_years", "life_years"),
    "build.price_usd": _own_or_cell("order", "build.accelerators", "price_usd", "price_usd"),
    "build.it_w": _it_w,
    "build.failures_per_year": _own_or_cell(
        "order", "build.accelerators", "failures_per_year", "annual_failure_rate"
    ),
    "agents.adoption": _adoption,
    "agents.market_tasks": _each_kind(_market),
    "agents.price_usd": _each_kind(_first_price),
    "agents.input_tokens": _each_kind(_total_tokens),
    "agents.cached_tokens": _each_kind(_total_tokens),
    "agents.output_tokens": _each_kind(_total_tokens),
    "agents.calls": _each_kind(_calls),
    "agents.review_min": _review,
    "agents.robot_attempts": _attempts,
    "agents.robot_success": _attempts,
    "agents.robot_s": _engine("floor", f"{_ROBOTS}.pace"),
    "agents.intervention_min": _stops,
    "agents.duty": lambda ask: [*_hours(ask), *_engine("floor")(ask)],
    "agents.peak_over_mean": lambda ask: [
        *_hours(ask),
        *(o for name, kind in ask.items("kind") for o in _load(name, kind)),
    ],
    "agents.robots_up": _engine("floor"),
    "allocation.peak_over_mean": _model_peaks,
    "serve.price_per_token": _token_prices,
    "serve.peak_over_mean": _model_peaks,
    "serve.it_w": _it_w,
    "serve.idle_share": _idle,
    "serve.chip_idle_share": _chip_idle,
    "serve.rent_usd_per_h": _own_or_cell(
        "rented", "serve.rented", "usd_per_gpu_hour", "rent_usd_per_h"
    ),
    "serve.lease_usd_per_h": _weighted("lease", "count", lambda item: item.fleet),
    "floor.charging_share": _engine("floor"),
    "floor.robots_up": _engine("floor"),
    "floor.energy_j": _engine("floor"),
    "floor.robot_attempts": _attempts,
    "plant.grid_w": _grid,
    "plant.usd_per_kwh": _tariff("usd_per_kwh", "usd_per_kwh"),
    "plant.usd_per_kw": _tariff("usd_per_kw_month", "demand_usd_per_kw_month"),
    "plant.kg_per_kwh": _tariff("kg_per_kwh", "carbon_kg_per_kwh"),
    "oversee.usd_per_h": _role_wage,
    "oversee.review_share": _review_share,
    "oversee.verified": _verified,
    "value.life_months": _assets("life", "years"),
    "value.contract_usd": _weighted("contract", "tasks_per_month", lambda item: item.kind),
    "value.lease_usd_per_w": _weighted("power_lease", "power_w", lambda item: item.site),
    "value.site_staff_usd_per_w": _site_staff,
    "value.upkeep": _assets("upkeep", "per_year"),
    "value.wage_usd_per_h": _each_kind(_wage),
}
"""Origins by parameter where they depend on what the scenario says; they add to PATTERNS."""
