"""`serve`: from `[serve]` and the catalog to the service's parameters and engine inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lineshaft import catalog
from lineshaft.catalog.loader import Row
from lineshaft.contracts.calendar import Calendar
from lineshaft.errors import InputError, Problem
from lineshaft.parameters.agents import model_peaks
from lineshaft.parameters.common import Array, month_index, pick, stack
from lineshaft.parameters.hardware import architecture, chip, fleet_rows, fleets_named, own
from lineshaft.parameters.train import leases
from lineshaft.scenario.draws import Draws
from lineshaft.scenario.locate import join
from lineshaft.stages.serve import Layout, ServeInputs, Split
from lineshaft.stages.serve.memory import check_fits
from lineshaft.stages.serve.model import Params
from lineshaft.tables import Dims
from lineshaft.traces import AZURE_CONVERSATION, Statistics, Trace, head, read, synthetic
from lineshaft.transformer import Chip

if TYPE_CHECKING:
    from lineshaft.scenario import Scenario
    from lineshaft.scenario.serve import Model, Serve

WEIGHT_BYTES = {"bf16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.5}
"""Bytes per weight of a precision; scales of block formats not counted."""
NO_QUOTA = 1e18
"""Tokens a month of a provider without a quota: finite, so that shares of it are numbers."""


def engine_inputs(
    scenario: Scenario, dims: Dims, calendar: Calendar
) -> dict[tuple[int, int], ServeInputs]:
    """Inputs of the engine by (model, fleet), for own models where they fit.

    Raises InputError where the trace cannot be read, where a fleet is named that does not exist,
    and where a model fits on none of its fleets, saying what it lacks on each. Without any fleet
    there is no input and no error: nothing is served.
    """
    serve = scenario.serve
    problems: list[Problem] = []
    trace: Trace | Statistics = AZURE_CONVERSATION
    try:
        if serve.trace is not None:
            trace = _read(serve.trace)
    except InputError as error:
        problems += error.problems
    mean, longest = _lengths(trace, serve.requests)
    rows = fleet_rows(scenario)
    inputs: dict[tuple[int, int], ServeInputs] = {}
    for m, model in enumerate(serve.model):
        if model.source != "own":
            continue
        key = join(("serve", "model", model.name))
        fleets, unknown = fleets_named(model.fleets, dims)
        if unknown:
            found = f"there is no fleet {', '.join(map(repr, unknown))}"
            allowed = ", ".join(dims.labels["fleet"]) or "there are no fleets"
            problems.append(Problem("", f"{key}.fleets", found, allowed))
            continue
        lacking: dict[Problem, None] = {}
        wanted = fleets if model.fleets else range(len(rows))
        for f in wanted:
            try:
                inputs[m, f] = _replica(serve, model, rows[f], trace, mean, longest)
            except InputError as error:
                lacking.update(dict.fromkeys(error.problems))
        if wanted and not any((m, f) in inputs for f in wanted):
            problems += [replace(problem, key=key) for problem in lacking]
    if problems:
        raise InputError(problems)
    return inputs


def params(scenario: Scenario, draws: Draws, dims: Dims, calendar: Calendar) -> Params:
    """Parameters of the monthly half."""
    from lineshaft.parameters.build import it_w as it_w_of  # which needs `rented_path`

    serve, rows = scenario.serve, fleet_rows(scenario)
    models, fleets, months = (dims.size(key) for key in ("model", "fleet", "month"))
    bought = [m for m, model in enumerate(serve.model) if model.source == "provider"]
    quotas = []
    for model in (serve.model[m] for m in bought):
        path = join(("serve", "model", model.name, "quota"))
        quotas.append(
            np.array([NO_QUOTA]) if model.quota is None else pick(draws, path, model.quota)
        )
    quota = stack(quotas)
    prices = [_prices(draws, model) for model in serve.model]
    width = max((p.shape[-1] for p in prices), default=1)
    price = np.zeros((models, 3, width))
    for m, one in enumerate(prices):
        price[m] = one
    it_w = it_w_of(scenario, draws)
    power_w = np.array([row.number("power_w") for row in rows])[:, None]
    chip_idle = np.array([row.number("idle_share") for row in rows])[:, None]
    host_idle = pick(draws, "serve.host_idle_share", serve.host_idle_share)
    host_w = np.maximum(it_w - power_w, 0.0)
    training = pick(draws, "train.power_share", scenario.train.power_share)
    on_site = np.zeros((fleets, 1))
    on_site[list(own(dims))] = 1.0
    return Params(
        provider_models=np.array(bought, np.int64),
        provider_ttft_s=np.array([m.ttft_s for m in serve.model]),
        provider_tpot_s=np.array([m.tpot_s for m in serve.model]),
        price_per_token=price,
        quota_tokens=np.broadcast_to(quota, (months, *quota.shape)),
        autoscale=serve.autoscale,
        peak_over_mean=np.asarray(model_peaks(scenario, dims), float).reshape(models, -1)
        if models
        else np.ones((0, 1)),
        speed=pick(draws, "serve.speed", serve.speed),
        it_w=it_w,
        idle_share=(power_w * chip_idle + host_w * host_idle) / it_w,
        chip_idle_share=chip_idle,
        training_share=np.broadcast_to(training, (fleets, len(training))),
        rent_usd_per_h=_rents(scenario, draws, dims, calendar),
        lease_usd_per_h=leases(scenario, draws, dims, calendar)[1],
        on_site=on_site,
    )


def rented_path(scenario: Scenario, dims: Dims, calendar: Calendar) -> Array:
    """[month, fleet, 1] accelerators rented by the hour; 0 for own fleets."""
    months, fleets = len(calendar.labels), dims.size("fleet")
    path = np.zeros((months, fleets, 1))
    rented = scenario.serve.rented
    for f, contract in enumerate(rented, start=fleets - len(rented)):
        first = month_index(scenario.start, contract.start or scenario.start)
        last = months if contract.months is None else first + contract.months
        month = np.arange(months)
        growing = contract.count * (1.0 + contract.growth) ** ((month - first) / 12)
        path[:, f, 0] = np.where((month >= first) & (month < last), growing, 0.0)
    return path


def serve_note(scenario: Scenario) -> str:
    """One sentence or two on what the traffic of the run rests on; empty where nothing is served
    on own or rented accelerators."""
    serve = scenario.serve
    if not any(model.source == "own" for model in serve.model):
        return ""
    of = f"the trace {serve.trace}" if serve.trace else "Azure's conversation trace of 2023"
    return (
        f"Serving: {of} gives the lengths, the mix of prompt and answer, the shared prefixes and "
        "the burstiness of the requests, and so the cost of a token of each class; how many tokens "
        "there are comes from the demand of the kinds of work. Where their prompts are much longer "
        "than the trace's, a token costs more than stated."
    )


def _replica(
    serve: Serve, model: Model, row: Row, trace: Trace | Statistics, mean: float, longest: int
) -> ServeInputs:
    """One replica of the model on this accelerator; InputError where it cannot be."""
    one = chip(row)
    offered = [name for name, _ in one.flops]
    precision = model.precision or ("fp8" if "fp8" in offered else "bf16")
    one.peak_flops(precision)
    inputs = ServeInputs(
        arch=architecture(model.row),
        chip=one,
        precision=precision,
        weight_byte=model.weight_bytes or WEIGHT_BYTES[precision],
        kv_byte=model.kv_bytes,
        max_num_seqs=serve.max_batch,
        max_num_batched_tokens=serve.max_batched_tokens,
        memory_utilisation=serve.memory_share,
        engine=model.engine,
        prefix_cache=serve.prefix_cache,
        trace=trace,
        ttft_s=serve.slo_ttft_s,
        ttft_tokens=serve.slo_ttft_tokens,
        tpot_s=serve.slo_tpot_s,
        percentile=serve.percentile,
        requests=serve.requests,
        idle_share=row.number("idle_share"),
    )
    split = None
    if model.answer_instances:
        answers = Layout(
            tp=model.answer_tp or model.tp or 1,
            pp=model.pp,
            dp=model.answer_dp or model.dp,
            ep=model.answer_ep or model.ep,
        )
        split = Split(answers, model.prompt_instances or 1, model.answer_instances)
    # with a layout of its own, or split, a model has the size that it is given
    given = model.tp or (1 if split or model.pp * model.dp * model.ep > 1 else None)
    for tp in (given,) if given else _sizes(one):
        layout = Layout(tp=tp, pp=model.pp, dp=model.dp, ep=model.ep)
        try:
            for each in (layout,) if split is None else (layout, split.layout):
                check_fits(
                    inputs.arch,
                    one,
                    layout=each,
                    weight_byte=inputs.weight_byte,
                    kv_byte=inputs.kv_byte,
                    max_num_batched_tokens=inputs.max_num_batched_tokens,
                    mean_context=mean,
                    longest=longest,
                    memory_utilisation=inputs.memory_utilisation,
                )
        except InputError as error:
            last = error
        else:
            most = 0 if given else max(_sizes(one))
            return replace(inputs, layout=layout, split=split, most=most)
    raise last


def _sizes(one: Chip) -> Iterator[int]:
    """Powers of two within the scale-up domain."""
    return (1 << power for power in range(one.scaleup_size.bit_length()))


def _read(name: str) -> Trace:
    path = Path(name)
    try:
        stamp = path.stat().st_mtime_ns
    except OSError:
        stamp = 0
    try:
        trace = _read_once(name, stamp)
    except InputError as error:
        raise InputError(replace(p, key="serve.trace") for p in error.problems) from None
    if len(trace) < 100:
        found, allowed = f"{len(trace)} requests", "at least 100, for a percentile"
        raise InputError(Problem(name, "serve.trace", found, allowed))
    return trace


@lru_cache(maxsize=4)
def _read_once(name: str, stamp: int) -> Trace:
    return read(name)


@lru_cache(maxsize=4)
def _lengths(trace: Trace | Statistics, requests: int) -> tuple[float, int]:
    """Mean and largest number of prompt and answer tokens of the requests that are simulated."""
    if isinstance(trace, Statistics):
        trace = synthetic(trace, requests=requests)
    trace = head(trace, requests)
    size = trace.input_tokens + trace.output_tokens
    return float(size.mean()), int(size.max())


def _prices(draws: Draws, model: Model) -> Array:
    """[class, draw] USD per token of a provider's model; zeros for an own one."""
    if model.source == "own":
        return np.zeros((3, 1))
    given = (model.usd_per_mtok_input, model.usd_per_mtok_cached, model.usd_per_mtok_output)
    names = ("input", "cached", "output")
    found: list[Array] = []
    for name, number in zip(names, given, strict=True):
        if number is not None:
            path = join(("serve", "model", model.name, f"usd_per_mtok_{name}"))
            found.append(pick(draws, path, number))
            continue
        listed = None
        if name != "cached" or model.usd_per_mtok_input is None or model.model is not None:
            listed = catalog.find("prices", model.row)[f"{name}_usd_per_mtok"]
        if name == "cached" and not isinstance(listed, float):
            found.append(found[0])
        elif isinstance(listed, float):
            found.append(np.array([listed]))
        else:
            key = join(("serve", "model", model.name, f"usd_per_mtok_{name}"))
            raise InputError(Problem("", key, "the catalog has no such price", fix="give one"))
    return stack(found) / 1e6


def _rents(scenario: Scenario, draws: Draws, dims: Dims, calendar: Calendar) -> Array:
    """[month, fleet, draw] USD per hour of a rented accelerator; 0 for own fleets."""
    rented = scenario.serve.rented
    rows: list[Array] = []
    for contract in rented:
        path = ("serve", "rented", contract.name)
        price = np.array([catalog.find("accelerators", contract.accelerator)["rent_usd_per_h"]])
        if contract.usd_per_gpu_hour is not None:
            price = pick(draws, join((*path, "usd_per_gpu_hour")), contract.usd_per_gpu_hour)
        growth = pick(draws, join((*path, "price_growth")), contract.price_growth)
        rows.append(np.asarray(price * (1.0 + growth) ** calendar.years[:, None], float))
    width = max((row.shape[1] for row in rows), default=1)
    found = np.zeros((len(calendar.labels), dims.size("fleet"), width))
    for f, row in enumerate(rows, start=dims.size("fleet") - len(rented)):
        found[:, f] = row
    return found
