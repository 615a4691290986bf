"""Agents: METR's horizons and tasks, tau2-bench's repeated passes, tokens and their price."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from lineshaft.contracts.curves import Array
from lineshaft.errors import InputError, Problem
from lineshaft.measured.models._tools import csv_rows
from lineshaft.stages.agents import (
    SLIP,
    AgentKind,
    AgentsInputs,
    HorizonFit,
    all_pass,
    beta_moment,
    characterise,
    fallback_cost_ratio,
    fit_horizon,
    fit_trend,
    horizon_ratio,
    pass_k,
    rho_from_passes,
    success_probability,
    tokens_per_attempt,
    trend_log2_horizon,
    turn_tokens,
)

KIND = AgentKind("any", 60.0)
"""The default kind: its slope and its correlation of attempts are what is tested."""


def trend_horizon_min(*, day: str) -> float:
    """Horizon on a day by the public trend, past its cap."""
    log2_min, _ = trend_log2_horizon(day, cap_min=math.inf)
    return float(np.exp2(log2_min))


def forecast_horizon_min(*, days: Sequence[str], p50_min: Sequence[float], day: str) -> float:
    """Horizon on a day by a trend through earlier models."""
    log2_min, _ = trend_log2_horizon(day, fit_trend(days, p50_min), math.inf)
    return float(np.exp2(log2_min))


def doubling_days(*, data: Path, file: str) -> float:
    """Doubling time of METR's published horizons, best models since 2023."""
    own = [r for r in csv_rows(data / file) if r["sota"] == "True" and r["release"] >= "2023"]
    trend = fit_trend([r["release"] for r in own], [float(r["p50"]) for r in own])
    return trend.doubling_days


def horizon_of_fit_min(*, intercept: float, slope: float, probability: float = 0.5) -> float:
    """Horizon of a logistic with published coefficients."""
    return HorizonFit(intercept, slope, 0).horizon_min(probability)


def p80_horizon_min(*, p50_min: float) -> float:
    """80 % horizon of a model of which only the 50 % horizon is known."""
    return p50_min * float(horizon_ratio(0.8, KIND.slope))


def median_p80_ratio(*, data: Path, file: str) -> float:
    """Median over METR's models of the 80 % horizon that the default slope gives, over theirs."""
    own = csv_rows(data / file)
    model = np.array([p80_horizon_min(p50_min=float(r["p50"])) for r in own])
    return float(np.median(model / [float(r["p80"]) for r in own]))


def refit(*, data: Path, agent: str, quantity: str) -> float:
    """METR's per-task results fitted again: slope, intercept, p50 or p80 in minutes, or the Brier
    score over the tasks."""
    minutes, wins, runs, _ = _tasks(data, agent)
    fit = _fit(data, agent)
    if quantity == "brier":
        return float(((fit.probability(minutes) - wins / runs) ** 2).mean())
    if quantity in ("p50", "p80"):
        return fit.horizon_min(int(quantity[1:]) / 100)
    return float(getattr(fit, quantity))


def all_or_nothing_share(*, data: Path, agent: str) -> float:
    """Share of METR's tasks that are passed or failed in all runs, with the default correlation
    of attempts around the fitted logistic."""
    minutes, _, runs, _ = _tasks(data, agent)
    p = _fit(data, agent).probability(minutes)
    ends = [
        float(beta_moment(mean, KIND.rho, int(n), 0) + beta_moment(mean, KIND.rho, 0, int(n)))
        for mean, n in zip(p, runs, strict=True)
    ]
    return float(np.mean(ends))


def pass_k_error(*, data: Path, k: int, independent: bool = False, slip: float = SLIP) -> float:
    """Mean absolute error of pass^k over tau2-bench's entries, from pass^1 and pass^2 (or from
    pass^1 alone, attempts independent)."""
    passes = _tau2(data)
    model = passes[0] ** k if independent else pass_k(passes[0], passes[1], k, slip)
    return float(np.abs(model - passes[k - 1]).mean())


def pass_at_k(*, pass_at_1: float, pass_at_2: float, k: int) -> float:
    """Share of tasks that at least one of k attempts passes, from the first two; no slip."""
    never = all_pass(1.0 - pass_at_1, rho_from_passes(1.0 - pass_at_1, 1.0 - pass_at_2), k)
    return 1.0 - float(never)


def fallback_cost(*, p50_min: float, p80_min: float, from_min: float, to_min: float) -> float:
    """Cost with a human to fall back on over the human's alone, tasks of a range of lengths."""
    slope = math.log(4.0) / math.log2(p50_min / p80_min)
    return fallback_cost_ratio(p50_min, slope, from_min, to_min)


def turn_share(*, turns: float, quantity: str) -> float:
    """Of an attempt of so many turns: `cached` prompt tokens of the prompt, `input` of all tokens,
    or the mean `prompt` of a turn in tokens."""
    computed, cached, output = (float(part) for part in turn_tokens(turns))
    prompt = computed + cached
    return {
        "cached": cached / prompt,
        "input": prompt / (prompt + output),
        "prompt": prompt / turns,
    }[quantity]


def median_rho(*, data: Path) -> float:
    """Median correlation of attempts over tau2-bench's entries."""
    passes = _tau2(data)
    return float(np.median(rho_from_passes(passes[0], passes[1])))


def success_at(*, human_min: float, p50_min: float) -> float:
    """Success on tasks of one length, one attempt, with the default slope."""
    return float(success_probability(human_min, p50_min, KIND.slope))


def success_over_lengths(*, mean_human_min: float, p50_min: float) -> float:
    """Success over tasks of lognormal lengths with that mean, one attempt without a verifier."""
    median = mean_human_min * math.exp(-0.5 * KIND.sigma**2)
    kind = AgentKind("any", median, attempts=1, sensitivity=1.0, specificity=1.0)
    at = math.log2(p50_min / median)
    return float(characterise(AgentsInputs((kind,), np.array([at, at + 1.0]))).success[0, 0])


def attempt_usd(
    *,
    human_min: float,
    input_usd_per_mtok: float,
    cached_usd_per_mtok: float,
    output_usd_per_mtok: float,
) -> float:
    """Price of the tokens of one attempt at a coding task."""
    tokens = np.array([float(part) for part in tokens_per_attempt(human_min)])
    prices = [input_usd_per_mtok, cached_usd_per_mtok, output_usd_per_mtok]
    return float(tokens @ prices) / 1e6


@lru_cache
def _tasks(data: Path, agent: str) -> tuple[Array, Array, Array, Array]:
    """(human minutes, passed runs, runs, weight) of an agent's tasks."""
    every = csv_rows(data / "agents/metr_task_results_th11.csv")
    own = [row for row in every if row["agent"] == agent]
    if not own:
        known = ", ".join(sorted({row["agent"] for row in every}))
        raise InputError(Problem("metr_task_results_th11.csv", "agent", f"'{agent}'", known))
    columns = ("human_minutes", "n_successes", "n_runs", "task_weight")
    minutes, wins, runs, weight = (np.array([float(r[c]) for r in own]) for c in columns)
    return minutes, wins, runs, weight


@lru_cache
def _fit(data: Path, agent: str) -> HorizonFit:
    return fit_horizon(*_tasks(data, agent))


@lru_cache
def _tau2(data: Path) -> Array:
    """[k, entry] pass^1 to pass^4 of the entries that have all four."""
    keys = ("pass_1", "pass_2", "pass_3", "pass_4")
    found = [
        [float(row[k]) for k in keys]
        for row in csv_rows(data / "agents/tau2_leaderboard.csv")
        if all(row[k] for k in keys)
    ]
    return np.array(found).T / 100
