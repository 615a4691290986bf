"""What users name, for all verbs: the options of `simulate`, `sweep` and `plan`, made concrete."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, TypeVar

from lineshaft import catalog
from lineshaft.errors import InputError, Problem
from lineshaft.serve.accuracy import Accuracy
from lineshaft.serve.fleets import Deployment, transfer_token_s
from lineshaft.serve.instance import Asked, Instance, choice, instance
from lineshaft.serve.traffic import Traffic, given, traffic
from lineshaft.stages.serve import calibration, latency
from lineshaft.stages.serve.calibration import Calibration
from lineshaft.stages.serve.deployment import ROUTERS, Layout
from lineshaft.stages.serve.latency import Slo
from lineshaft.stages.serve.requests import Requests
from lineshaft.stages.serve.steptime import ACCEPTANCE
from lineshaft.traces import Trace
from lineshaft.units import QuantityError, parse

T = TypeVar("T")
ONE = Layout()


class Load(TypedDict, total=False):
    """Who asks for what, and what is promised. One of rate, trace, clients and workload."""

    rate: float | None
    """Requests per second."""
    trace: str | Path | Trace | None
    """At its own times, or at `rate`."""
    clients: int | None
    """So many requests in flight: each end sends the next."""
    workload: Requests | None
    """Requests made with `lineshaft.stages.serve.clients`: sessions, agents, mixtures."""
    requests: int | None
    """Most requests; 5,000 where they are drawn, all of a trace."""
    input_tokens: int | None
    """Of every prompt; as in Azure's conversation trace where neither this nor a trace is given."""
    output_tokens: int | None
    spread: float
    """Lengths lie evenly between (1 - spread) and 1 times the given ones."""
    burstiness: float
    """Standard deviation of the gaps between arrivals over their mean; 1: Poisson."""
    shares: Sequence[float] | str
    """Of the classes of requests, the most urgent first, such as "0.2,0.8"; empty: one class."""
    slo: str | Sequence[str]
    """Such as "ttft_p90=2s,tpot_p90=100ms"; several: one per class."""
    definition: str
    """Of latencies: vllm, aiperf or inference-perf."""
    seed: int


class Engine(TypedDict, total=False):
    """What one engine instance is like, but for accelerator and layout."""

    engine: str
    """vllm, sglang or trtllm."""
    scheduler: str
    """Rules: vllm-v1, sarathi, vllm-v0, sglang; the engine's own by default."""
    precision: str
    """bf16, fp8, fp4, int8; fp8 where the accelerator offers it, else bf16, by default."""
    kv_precision: str
    """bf16 or fp8."""
    max_num_seqs: int
    max_num_batched_tokens: int
    prefix_cache: bool | str
    """False, True (lru), or none, lru, radix, endless. Matters where requests share prefixes."""
    memory_utilisation: float
    priority: bool
    """Serve by (class, arrival) instead of arrival alone."""
    draft: int
    """Speculative decoding: tokens proposed per sequence and step; 0: none."""
    acceptance: float
    """Share of them that is accepted, each given that the one before it was."""
    router: str
    prices: Mapping[str, float] | Sequence[str]
    """USD per accelerator and hour, by name or as "H100=2.5"; else the catalog's rent."""
    calibration: Calibration | str | Path | None
    """What `calibrate` made of own points, or its file; else the shipped coefficients."""
    tables: str | Path | None
    """Operator tables: replace the roofline."""


class Placed(TypedDict, total=False):
    """Where the instances lie, and how many there are."""

    tp: int
    pp: int
    ep: int
    dp: int
    replicas: int
    disaggregate: str
    """"P:D": so many instances for prompts and so many for answers, instead of replicas."""
    decode_tp: int
    """Of the instances that answer; as `tp` by default."""


class Named(Load, Engine, Placed, total=False):
    """All of them."""

    model: str
    accelerator: str


@dataclass(frozen=True, slots=True, eq=False)
class Promise:
    """What every verb knows of traffic, level and prices."""

    traffic: Traffic
    slos: tuple[Slo, ...]
    """One for all classes, or one for each; empty: none."""
    definition: str
    """How latencies are counted."""
    prices: Mapping[str, float]
    accuracy: Accuracy


class Gather:
    """Collects the problems of several steps, to raise all of them at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def get(self, find: Callable[[], T]) -> T | None:
        """What is looked for; None, and its problems kept, where it cannot be."""
        try:
            return find()
        except InputError as error:
            self.problems += error.problems
            return None

    def check(self) -> None:
        """Raises InputError with all problems, each once, if there are any."""
        if self.problems:
            raise InputError(dict.fromkeys(self.problems))


def promise(options: Named, gather: Gather) -> Promise | None:
    """Traffic, service level, prices and calibration; None, and problems kept, if any is wrong."""
    texts = options.get("slo", ())
    texts = [texts] if isinstance(texts, str) else list(texts)
    name = options.get("definition", "vllm")
    before = len(gather.problems)
    shares = gather.get(lambda: _shares(options.get("shares", ())))
    load = gather.get(lambda: _load(options, shares or ()))
    gather.get(lambda: latency.definition(name))
    slos = [gather.get(lambda text=text: latency.slo(text)) for text in texts if text]  # type: ignore[misc]
    prices = gather.get(lambda: _prices(options.get("prices", {})))
    own = gather.get(lambda: _calibration(options.get("calibration")))
    if load is None or prices is None or len(gather.problems) > before:
        return None
    return Promise(load, tuple(one for one in slos if one), name, prices, Accuracy(own))


def _load(options: Load, shares: Sequence[float]) -> Traffic:
    workload = options.get("workload")
    ways = [key for key in ("rate", "trace", "clients") if options.get(key) is not None]
    if workload is not None:
        if ways:
            found = f"the workload has its own times, and {ways[0]} is given too"
            raise InputError(Problem("", "workload", found, "one of them", "leave one out"))
        return given(workload)
    return traffic(
        rate_rps=options.get("rate"),
        trace=options.get("trace"),
        clients=options.get("clients"),
        requests=options.get("requests"),
        input_tokens=options.get("input_tokens"),
        output_tokens=options.get("output_tokens"),
        spread=options.get("spread", 0.0),
        burstiness=options.get("burstiness", 1.0),
        shares=shares,
        seed=options.get("seed", 0),
    )


def _shares(shares: Sequence[float] | str) -> Sequence[float]:
    if not isinstance(shares, str):
        return shares
    try:
        return [float(part) for part in shares.split(",") if part.strip()]
    except ValueError:
        problem = Problem("", "classes", repr(shares), "shares, separated by commas: 0.2,0.8")
        raise InputError(problem) from None


def _prices(prices: Mapping[str, float] | Sequence[str]) -> dict[str, float]:
    """USD per accelerator and hour by the catalog's names."""
    pairs = list(prices.items()) if isinstance(prices, Mapping) else []
    gather = Gather()
    allowed = "NAME=USD, for example H100=2.5"
    for text in () if isinstance(prices, Mapping) else prices:
        name, equals, price = text.rpartition("=")
        try:
            if not equals:
                raise QuantityError(f"{text!r} gives no price")
            pairs.append((name.strip(), parse(price, "USD")))
        except QuantityError as error:
            gather.problems.append(Problem("", "price", error.found, allowed, error.fix))
    found = {}
    for name, usd in pairs:
        row = gather.get(lambda name=name: catalog.find("accelerators", name))  # type: ignore[misc]
        if not 0 <= usd < math.inf:
            gather.problems.append(Problem("", "price", f"{name}: {usd:g}", "USD, from 0"))
        if row is not None:
            found[row.text("name")] = usd
    gather.check()
    return found


def _calibration(own: Calibration | str | Path | None) -> Calibration | None:
    return calibration.read(Path(own)) if isinstance(own, str | Path) else own


def asked(options: Engine, model: str, accelerator: str, layout: Layout = ONE) -> Asked:
    """One instance, by names."""
    cache = options.get("prefix_cache", True)
    engine = options.get("engine", "vllm")
    usual = "radix" if engine == "sglang" else "lru"
    return Asked(
        model=model,
        accelerator=accelerator,
        layout=layout,
        engine=engine,
        rules=options.get("scheduler", ""),
        precision=options.get("precision", ""),
        kv_precision=options.get("kv_precision", "bf16"),
        max_num_seqs=options.get("max_num_seqs", 256),
        max_num_batched_tokens=options.get("max_num_batched_tokens", 8192),
        prefix_cache=cache if isinstance(cache, str) else usual if cache else "none",
        memory_utilisation=options.get("memory_utilisation", 0.9),
        priority=options.get("priority", False),
        draft=options.get("draft", 0),
        acceptance=options.get("acceptance", ACCEPTANCE),
    )


def deployment(options: Named, promised: Promise | None, gather: Gather) -> Deployment | None:
    """The deployment that these options describe; None, and its problems kept, if it cannot be.

    Without traffic it is checked for a usual request.
    """
    router = options.get("router", "round-robin")
    wrong = choice("router", router, ROUTERS)
    gather.problems += [wrong] if wrong else []
    pools = gather.get(lambda: _pools(options.get("disaggregate", "")))
    replicas = options.get("replicas", 1)
    if replicas < 1:
        gather.problems.append(Problem("", "replicas", f"is {replicas}", "a whole number from 1"))
    missing = [key for key in ("model", "accelerator") if not options.get(key)]
    for key in missing:
        gather.problems.append(Problem("", key, "none is given", f"`lineshaft catalog {key}s`"))
    if missing:
        return None
    tokens = promised.traffic.tokens if promised else None
    own = promised.accuracy.calibration if promised else None
    engine, accelerator = options.get("engine", "vllm"), options["accelerator"]

    def one(tp: int) -> Instance:
        layout = Layout(tp, options.get("pp", 1), options.get("dp", 1), options.get("ep", 1))
        return instance(
            asked(options, options["model"], accelerator, layout),
            mean_tokens=1000.0 if tokens is None else float(tokens.mean()),
            longest_tokens=1000 if tokens is None else int(tokens.max()),
            coefficients=own.coefficients if own else None,
            tables=options.get("tables"),
        )

    tp = options.get("tp", 1)
    first = gather.get(lambda: one(tp))
    decode = gather.get(lambda: one(options.get("decode_tp", 0) or tp)) if pools else None
    if own and first is not None:
        gather.get(lambda: _calibrated(own, accelerator, engine))
    if first is None or gather.problems:
        return None
    seed = options.get("seed", 0)
    if not pools or decode is None:
        return Deployment(first, replicas, router=router, seed=seed)
    gather.get(lambda: transfer_token_s(first, decode))
    return Deployment(first, pools[0], decode, pools[1], router, seed)


def _calibrated(own: Calibration, accelerator: str, engine: str) -> None:
    """Raises InputError where the calibration is for something else."""
    name = catalog.find("accelerators", accelerator).text("name")
    if (own.accelerator, own.engine) != (name, engine):
        found = f"made for {own.accelerator} with {own.engine}"
        fix = "calibrate on points of this one, or leave the calibration out"
        raise InputError(Problem("", "coefficients", found, f"{name} with {engine}", fix))


def _pools(text: str) -> tuple[int, int] | None:
    """Instances for prompts and for answers of "P:D"; None where nothing is split."""
    if not text:
        return None
    parts = text.split(":")
    if len(parts) == 2 and all(part.strip().isdigit() and int(part) > 0 for part in parts):
        return int(parts[0]), int(parts[1])
    allowed = "P:D, instances for prompts and for answers, for example 2:3"
    raise InputError(Problem("", "disaggregate", repr(text), allowed))
