"""Parameters and engine inputs of `agents`, and what the allocation and serving take from it."""

from __future__ import annotations

import datetime
import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lineshaft import catalog
from lineshaft.allocation import POLICIES
from lineshaft.allocation import Params as AllocationParams
from lineshaft.contracts.calendar import Calendar, LoadShape
from lineshaft.contracts.curves import FloorCurve
from lineshaft.errors import InputError, Problem
from lineshaft.parameters.common import Array, month_index, pick, stack
from lineshaft.parameters.floor import physical, robot_plan, robots_of, site_of, site_share
from lineshaft.parameters.oversee import review_minutes, send_back_minutes
from lineshaft.parameters.plans import by_month, plan
from lineshaft.scenario.locate import join
from lineshaft.stages.agents.engine import AgentKind, AgentsInputs
from lineshaft.stages.agents.model import Params
from lineshaft.stages.agents.tokens import TokenUse
from lineshaft.tables import Dims

if TYPE_CHECKING:
    from lineshaft.scenario import Scenario
    from lineshaft.scenario.agents import Kind
    from lineshaft.scenario.draws import Draws


def params(
    scenario: Scenario,
    draws: Draws,
    dims: Dims,
    calendar: Calendar,
    floor_curves: dict[int, FloorCurve],
) -> Params:
    """Parameters of `agents`; `floor_curves` by index of the embodied kind."""
    kinds, months = scenario.agents.kind, len(calendar.labels)
    machines = robots_of(scenario)
    bodies = {i: physical(machines[kinds[i].name], c, draws) for i, c in floor_curves.items()}
    fleet = robot_plan(scenario, draws, calendar)
    nothing, one = np.zeros(1), np.ones(1)

    def drawn(field: str) -> Array:
        return stack(_drawn(draws, k, field) for k in kinds)

    def body(field: str, otherwise: Array) -> Array:
        return stack(
            getattr(bodies[i], field) if i in bodies else otherwise for i in range(len(kinds))
        )

    prices = [_prices(scenario, k, draws, months) for k in kinds]
    tokens = [_tokens(k, draws) for k in kinds]
    hours = [_hours(scenario, k) for k in kinds]
    charging = [floor_curves[i].charging_share if i in bodies else 0.0 for i in range(len(kinds))]
    up = [floor_curves[i].available_share if i in bodies else 1.0 for i in range(len(kinds))]
    return Params(
        kind_model=kind_models(scenario),
        embodied=np.array([k.embodied for k in kinds], bool),
        sells_tokens=np.array([k.sells_tokens for k in kinds], bool),
        market_tasks=by_month(
            (
                _market(k, draws, calendar) * (p / p[:1]) ** -_drawn(draws, k, "elasticity")
                for k, p in zip(kinds, prices, strict=True)
            ),
            months,
        ),
        adoption=by_month((_adoption(scenario, k, draws, months) for k in kinds), months),
        price_usd=by_month(prices, months),
        task_s=drawn("human_minutes") * 60,
        deployment=drawn("deployment"),
        least_success=drawn("least_success"),
        input_tokens=stack(t[0] for t in tokens),
        cached_tokens=stack(t[1] for t in tokens),
        output_tokens=stack(t[2] for t in tokens),
        calls=stack(t[3] for t in tokens),
        tool_s=drawn("tool_s"),
        review_min=review_minutes(scenario, draws),
        steer_min=drawn("steer_minutes"),
        robot_attempts=body("attempts", nothing),
        robot_success=body("success", one),
        robot_s=body("robot_s", nothing),
        intervention_min=body("intervention_min", nothing),
        duty=np.array([h / (1 + c) for h, c in zip(hours, charging, strict=True)]).reshape(-1, 1),
        peak_over_mean=np.array(
            # what comes while nobody is on duty waits: the peak is that of the hours on duty
            [max(1.0, _shape(k).peak_over_mean * h) for k, h in zip(kinds, hours, strict=True)]
        ).reshape(-1, 1),
        seats=by_month((_seats(scenario, k, draws, months) for k in kinds), months),
        robots=fleet.robots,
        robot_orders=fleet.orders,
        robot_usd=fleet.price_usd,
        robots_up=np.array(up).reshape(-1, 1),
    )


def engine_inputs(scenario: Scenario, dims: Dims, calendar: Calendar) -> AgentsInputs:
    """Inputs of the engine. Raises InputError where kinds name models that are not there.

    The kind's own horizon over the benchmark's stays out of it: it is uncertain, and moves the
    margin at which the curve is read.
    """
    kind_models(scenario)
    return AgentsInputs(
        tuple(
            AgentKind(
                name=k.name,
                median_min=k.human_minutes.median,
                sigma=k.sigma,
                slope=k.slope,
                rho=k.rho,
                attempts=k.attempts,
                sensitivity=k.sensitivity,
                specificity=k.specificity,
                verifier_rho=k.verifier_rho,
                embodied=k.embodied,
                slip=k.slip,
                family_sd=k.family_sd,
                acceptance=k.acceptance,
                budget_tokens=math.inf if k.budget_tokens is None else k.budget_tokens,
                use=_use(k),
            )
            for k in scenario.agents.kind
        )
    )


def _use(kind: Kind) -> TokenUse:
    """The median tokens of an attempt; without a budget only how they grow with length matters,
    and the curve stays in its cache when their number changes."""
    stated = kind.tokens_per_attempt
    exponent = kind.token_exponent.median if stated is None else 0.0
    if kind.budget_tokens is None:
        return TokenUse(exponent=exponent)
    return TokenUse((kind.tokens_per_hour_task if stated is None else stated).median, exponent)


def problems(scenario: Scenario) -> list[Problem]:
    """An unknown policy of the allocation."""
    if scenario.policy in POLICIES:
        return []
    return [Problem("", "policy", repr(scenario.policy), ", ".join(POLICIES))]


def allocation_params(
    scenario: Scenario, draws: Draws, dims: Dims, calendar: Calendar, minimum_tasks: Array
) -> AllocationParams:
    """Parameters of the allocation; `minimum_tasks` [month, kind, draw] is what contracts promise.

    Raises InputError for an unknown policy.
    """
    if found := problems(scenario):
        raise InputError(found)
    models = kind_models(scenario)
    served = scenario.serve.model
    return AllocationParams(
        policy=scenario.policy,
        kind_model=models,
        provider_models=np.array(
            [i for i, m in enumerate(served) if m.source == "provider"], dtype=np.int64
        ),
        peak_over_mean=model_peaks(scenario, dims)[models],
        minimum_tasks=minimum_tasks,
        embodied=np.array([k.embodied for k in scenario.agents.kind], bool),
        send_back_min=send_back_minutes(scenario, draws),
    )


def model_peaks(scenario: Scenario, dims: Dims) -> Array:
    """[model, 1] busiest hour over mean of a model's tokens.

    The load shapes of its kinds are added hour by hour, weighted with the tokens that their whole
    market would take in the median case: peaks at different hours do not add up.
    """
    models = kind_models(scenario)
    kinds = scenario.agents.kind
    peaks = np.ones((dims.size("model"), 1))
    for m in range(len(peaks)):
        own = [k for k, of in zip(kinds, models, strict=True) if of == m]
        weights = np.array([_median_tokens_per_day(k) for k in own])
        if weights.sum() <= 0:
            weights = np.ones(len(own))
        if own:
            shapes = [_shape(k) for k in own]
            hours = np.array([s.hours * s.peak_day for s in shapes])
            peaks[m] = (weights @ hours).max() / weights.sum()
    return peaks


def kind_models(scenario: Scenario) -> NDArray[np.int64]:
    """[kind] index of the model that it thinks with; the first where it names none.

    Raises InputError with all kinds whose model is not there.
    """
    names = [m.name for m in scenario.serve.model]
    wrong = [k for k in scenario.agents.kind if not names or (k.model or names[0]) not in names]
    if wrong:
        raise InputError(
            Problem(
                "",
                join(("agents", "kind", k.name, "model")),
                f"there is no model {k.model!r}" if k.model else "there is no model to think with",
                ", ".join(names),
                "" if names else "add a [[serve.model]]",
            )
            for k in wrong
        )
    return np.array(
        [names.index(k.model or names[0]) for k in scenario.agents.kind], dtype=np.int64
    )


def public_log2_horizon(scenario: Scenario, draws: Draws, calendar: Calendar) -> Array:
    """[month, draw] log2 of the public frontier's p50 horizon in seconds, mid-month, capped.

    METR's exponential trend: the horizon of `agents.capability` on its day, doubled every
    `agents.doubling` days, up to `agents.cap`. Raises InputError where no horizon is known.
    """
    agents = scenario.agents
    if agents.horizon is None or agents.horizon_date is None:
        raise InputError(
            Problem(
                "",
                "agents.horizon",
                f"no horizon of {agents.capability} is known",
                fix="give horizon and horizon_date",
            )
        )
    anchor = datetime.date.fromisoformat(agents.horizon_date)
    middles = [datetime.date.fromisoformat(f"{label}-15") for label in calendar.labels]
    days = np.array([(day - anchor).days for day in middles], dtype=float)[:, None]
    first = np.log2(60 * pick(draws, "agents.horizon", agents.horizon))
    free = first + days / pick(draws, "agents.doubling", agents.doubling)
    return np.asarray(np.minimum(free, cap_log2_horizon(scenario, draws)), dtype=float)


def cap_log2_horizon(scenario: Scenario, draws: Draws) -> Array:
    """[draw] log2 of the longest horizon in seconds that is believed."""
    hours = pick(draws, "agents.cap", scenario.agents.cap)
    return np.asarray(np.log2(np.maximum(hours, 1e-6) * 3600), dtype=float)


def _market(kind: Kind, draws: Draws, calendar: Calendar) -> Array:
    """[month, draw] tasks a month in the market at the first price."""
    years = np.arange(len(calendar.labels))[:, None] / 12
    growth = (1 + _drawn(draws, kind, "market_growth_per_year")) ** years
    tasks = _drawn(draws, kind, "market_tasks_per_day") * growth
    return np.asarray(tasks * calendar.days[:, None], dtype=float)


def _adoption(scenario: Scenario, kind: Kind, draws: Draws, months: int) -> Array:
    """[month, draw] share of the market that asks for agents, in the middle of each month."""
    a = kind.adoption

    def drawn(field: str) -> Array:
        path = join(("agents", "kind", kind.name, "adoption", field))
        return pick(draws, path, getattr(a, field))

    since = month_index(scenario.start, a.start) if a.start else 0
    years = (np.arange(months)[:, None] + 0.5 - since) / 12
    elapsed = np.maximum(years, 0.0)
    top = drawn("saturation")
    share = np.minimum(drawn("share_at_start") / np.maximum(top, 1e-12), 1.0)
    if a.curve == "bass":
        p, q = drawn("innovation"), drawn("imitation")
        ratio = q / np.maximum(p, 1e-12)
        left = (1 - share) / (1 + share * ratio) * np.exp(-(p + q) * elapsed)
        found = (1 - left) / (1 + ratio * left)
    else:
        # from 10 % to 90 % the odds rise by 81
        rate = math.log(81) / drawn("years_10_to_90")
        against = np.log(np.maximum(1 - share, 1e-300)) - np.log(np.maximum(share, 1e-300))
        if a.midpoint_years is not None:
            against = rate * drawn("midpoint_years")
        found = 1 / (1 + np.exp(np.clip(against - rate * elapsed, -700.0, 700.0)))
    return np.asarray(np.where(years > 0, top * found, 0.0), dtype=float)


def _prices(scenario: Scenario, kind: Kind, draws: Draws, months: int) -> Array:
    """[month, draw] price of an accepted task."""
    years = np.arange(months)[:, None] / 12
    fall = (1 - _drawn(draws, kind, "price_decline_per_year")) ** years
    first = _first_price(kind, draws)
    return np.asarray(first * np.maximum(fall, _drawn(draws, kind, "price_floor")), dtype=float)


def _first_price(kind: Kind, draws: Draws) -> Array:
    if kind.price_usd is not None:
        return _drawn(draws, kind, "price_usd")
    input_, cached, output, _ = _tokens(kind, draws)
    if kind.usd_per_mtok is not None:
        return _drawn(draws, kind, "usd_per_mtok") * (input_ + cached + output) / 1e6
    if kind.price_row is not None:
        row = catalog.find("prices", kind.price_row)
        prompt, answer = row.number("input_usd_per_mtok"), row.number("output_usd_per_mtok")
        hit = prompt if row["cached_usd_per_mtok"] is None else row.number("cached_usd_per_mtok")
        return np.asarray((input_ * prompt + cached * hit + output * answer) / 1e6, dtype=float)
    mean_h = _drawn(draws, kind, "human_minutes") * math.exp(kind.sigma**2 / 2) / 60
    return np.asarray(_drawn(draws, kind, "price_share") * mean_h * _wage(kind, draws), dtype=float)


def _wage(kind: Kind, draws: Draws) -> Array:
    """[draw] hourly cost of the human who would do it, on-costs inside."""
    if kind.wage_usd_per_h is not None:
        return _drawn(draws, kind, "wage_usd_per_h")
    row = catalog.find("wages", kind.human)
    return np.array([row.number("wage_usd_per_h") * row.number("loaded_factor")])


def _tokens(kind: Kind, draws: Draws) -> tuple[Array, Array, Array, Array]:
    """[draw] (computed input, cached input, output) tokens and calls of a mean attempt."""
    if kind.tokens_per_attempt is not None:
        total = _drawn(draws, kind, "tokens_per_attempt")
    else:
        # the mean of a power of a lognormal length: tokens_per_attempt of the agents' engine
        power = _drawn(draws, kind, "token_exponent")
        length = (_drawn(draws, kind, "human_minutes") / 60) ** power
        mean = length * np.exp(0.5 * (power * kind.sigma) ** 2)
        total = _drawn(draws, kind, "tokens_per_hour_task") * mean
    prompt = total * _drawn(draws, kind, "input_share")
    cached = prompt * _drawn(draws, kind, "cached_share")
    if kind.calls_per_attempt is not None:
        calls = _drawn(draws, kind, "calls_per_attempt")
    else:
        calls = total / _drawn(draws, kind, "tokens_per_call")
    return prompt - cached, cached, total - prompt, calls


def _seats(scenario: Scenario, kind: Kind, draws: Draws, months: int) -> Array:
    growth = _drawn(draws, kind, "seats_growth_per_year")
    return plan(_drawn(draws, kind, "seats"), growth, kind.seats_path, scenario.start, months)


def _hours(scenario: Scenario, kind: Kind) -> float:
    """Share of all hours in which an agent of the kind may work."""
    if kind.embodied:
        return site_share(site_of(scenario, robots_of(scenario)[kind.name]))
    return kind.hours_per_day / 24 * kind.days_per_week / 7


def _shape(kind: Kind) -> LoadShape:
    weekday, weekend = kind.load.hours
    return LoadShape(np.array(weekday, float), np.array(weekend, float), kind.load.peak_day)


def _median_tokens_per_day(kind: Kind) -> float:
    from lineshaft.scenario.draws import Draws

    total = sum(float(part[0]) for part in _tokens(kind, Draws(0, {}))[:3])
    return float(total * kind.market_tasks_per_day.median * kind.adoption.saturation.median)


def _drawn(draws: Draws, kind: Kind, field: str) -> Array:
    return pick(draws, join(("agents", "kind", kind.name, field)), getattr(kind, field))
