"""Measured steady points of serving, simulated and scored.

A point is a closed loop of clients (`serve_rows`), simulated request by request: every client sends
its next request a moment after its last one ended.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from lineshaft.errors import InputError
from lineshaft.measured.models import serve_rows
from lineshaft.measured.models._tools import named
from lineshaft.measured.models.serve_rows import Measured
from lineshaft.stages.serve import fleet
from lineshaft.stages.serve.coefficients import Coefficients, interval, shipped
from lineshaft.stages.serve.deployment import Fleet, Layout, Pool, Scheduler
from lineshaft.stages.serve.memory import kv_capacity_tokens
from lineshaft.stages.serve.requests import Requests
from lineshaft.stages.serve.steptime import step_times

FILE = "serve/aic_silicon_sample_train.csv"
PATTERN = "aic_silicon_sample*.csv"
RULES = {"sglang": "sglang"}
"""Of the engines that do not follow vLLM's."""
PER_CLIENT, OWN_PER_CLIENT = 10, 7
"""Requests of each client: as in InferenceX; and in AIConfigurator's own runs, which do not say: of
2, 4, 6, 7, 8, 10 and 20 what leaves their mean TTFTs with least error."""
FEWEST, MOST = 40, 3000
"""Requests of a simulated point; more only where three for each client are more."""
RESEND_S = 0.02
"""Mean time between the end of a request and the arrival of the client's next one at the engine:
low confidence."""
BLOCK = 16
METRICS = (
    "rows", "coverage", "ttft_med", "ttft_p90", "tpot_med", "tpot_p90", "e2e_med",
    "throughput_med", "regret_ok", "interval_cover",
)  # fmt: skip
Answer = tuple[float, float, float]
"""Mean TTFT and TPOT, s, and how many times the TTFT is that of an empty engine."""


def requests(point: Measured) -> Requests:
    """What the point's clients send."""
    most = max(MOST, 3 * point.clients)
    each = OWN_PER_CLIENT if point.own else PER_CLIENT
    count = min(max(each * point.clients, FEWEST), most)
    clients = min(point.clients, count)
    rng = np.random.default_rng(0)
    inputs, outputs = (
        np.rint(size * rng.uniform(point.spread, 1.0, count)).astype(np.int64)
        for size in (point.input_tokens, point.output_tokens)
    )
    wait = rng.uniform(0.0, 2.0 * RESEND_S, count)
    arrival = np.zeros(count)
    arrival[:clients] = np.sort(wait[:clients])
    return Requests(
        name="closed loop",
        arrival_s=arrival,
        input_tokens=np.maximum(inputs, 1),
        output_tokens=np.maximum(outputs, 2),
        after=np.where(np.arange(count) < clients, -1, np.arange(count) - clients),
        wait_s=wait,
    )


def deployment(point: Measured, coefficients: Coefficients | None = None) -> Fleet:
    """What serves them.

    Raises:
        InputError: the model does not fit, or cannot be split so.
    """
    it = point.deployed
    c = coefficients or shipped(point.chip.generation, it.engine)
    if it.prompts is None:
        each = -(-point.clients // it.instances)
        return Fleet(_instances(point, it.layout, it.instances, it.draft, each, c))
    prompts = _instances(point, it.prompts, it.prompt_instances, 0, point.clients, c)
    each = -(-point.clients // it.instances)
    answers = _instances(point, it.layout, it.instances, it.draft, each, c, prompts=False)
    return Fleet(prompts, answers, transfer_s=c.handover_s, router="least-outstanding")


def _instances(
    point: Measured,
    layout: Layout,
    count: int,
    draft: int,
    at_once: int,
    c: Coefficients,
    prompts: bool = True,
) -> Pool:
    at_once = -(-at_once // layout.dp)
    tokens = max(point.steps_tokens if prompts else 2, at_once * (1 + draft), BLOCK)
    size = point.input_tokens + point.output_tokens
    capacity = kv_capacity_tokens(
        point.arch,
        point.chip,
        layout=layout,
        weight_byte=point.weight_byte,
        kv_byte=point.kv_byte,
        max_num_batched_tokens=min(tokens, 8192),
        mean_context=float(size),
    )
    times = step_times(
        point.arch,
        point.chip,
        layout=layout,
        precision=point.precision,
        weight_byte=point.weight_byte,
        kv_byte=point.kv_byte,
        max_tokens=tokens,
        draft=draft,
        coefficients=c,
    )
    rules = Scheduler(
        rules=RULES.get(point.deployed.engine, "vllm-v1"),
        max_num_seqs=at_once,
        max_num_batched_tokens=tokens,
        # what was measured did fit: our memory is a little off where it says otherwise
        kv_blocks=int(max(capacity, size + BLOCK) // BLOCK),
        prefix_cache="none",
    )
    return Pool(times, rules, count, layout)


def simulated(point: Measured, coefficients: Coefficients | None = None) -> Answer | None:
    """Mean latencies of the point's closed loop; None where it cannot be simulated."""
    try:
        given = deployment(point, coefficients)
        asked = requests(point)
        out = fleet.simulate(given, asked)
    except InputError:
        return None
    c = coefficients or shipped(point.chip.generation, point.deployed.engine)
    outside = c.api_s + c.api_input_s * point.input_tokens
    handed = given.transfer_s if given.decode else 0.0
    ttft = float(np.mean(out.first_s - out.arrival_s)) + outside + handed
    answer = out.finish_s - out.first_s - handed
    tpot = float(np.mean(answer / (asked.output_tokens - 1))) + c.api_token_s
    queued = float(np.mean(out.scheduled_s - out.arrival_s))
    return ttft, tpot, ttft / max(ttft - queued, 1e-9)


def found(folder: Path) -> list[Path]:
    """The files of measured points in `folder`, or in its folder ``serve``."""
    return sorted({*folder.glob(PATTERN), *(folder / "serve").glob(PATTERN)})


def score(folder: Path, tell: Callable[[str], None] | None = None) -> dict[str, dict[str, Any]]:
    """Errors on each file of measured points, by its name without the ending, as fractions.

    `rows` (distinct), `coverage`, median (`_med`) and 90th percentile (`_p90`) of the absolute
    errors of ttft, tpot, e2e and throughput (output tokens per second); `regret_ok` and
    `regret_at_pace_ok`, the shares of right decisions (see `_decisions`); `interval_cover`, the
    share of TTFTs and TPOTs inside their 90 % intervals; `ttft_noise` and `tpot_noise`, the median
    deviation of repeated measurements from their median, and `noise`, all of it; `groups`, rows
    and errors by group.
    """
    sets = {}
    for path in found(folder):
        rows = serve_rows.distinct(path)
        if tell:
            tell(f"{path.stem}: {len(rows)} measured points")
        points = [serve_rows.read(row) for row in rows]
        sets[path.stem] = _score(points)
    return sets


def _score(points: Sequence[Measured | None]) -> dict[str, Any]:
    known = [point for point in points if point is not None]
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(simulated, known))
    pairs = [
        (point, answer)
        for point, answer in zip(known, answers, strict=True)
        if answer is not None and np.isfinite(answer).all()
    ]
    result: dict[str, Any] = dict.fromkeys(METRICS)
    result |= {"rows": len(points), "coverage": len(pairs) / max(len(points), 1)}
    if not pairs:
        return result
    result.update(_errors(pairs))
    result["regret_ok"], result["regret_at_pace_ok"] = _decisions(pairs)
    result["interval_cover"] = float(np.mean([_covered(*pair) for pair in pairs]))
    result["noise"] = noise(known)
    result |= {f"{of}_noise": result["noise"].get(f"{of}_med") for of in ("ttft", "tpot")}
    groups = defaultdict(list)
    for pair in pairs:
        groups[pair[0].group].append(pair)
    result["groups"] = {
        name: {"rows": len(some), **_errors(some)} for name, some in sorted(groups.items())
    }
    return result


def error(point: Measured, of: str, ttft_s: float, tpot_s: float) -> float:
    """Signed relative error of ttft, tpot, e2e or throughput."""
    steps = point.output_tokens - 1
    weights = {"ttft": (1, 0), "tpot": (0, 1), "e2e": (1, steps), "throughput": (1, steps)}
    first, rest = named(weights, "of", of)
    ratio = (first * ttft_s + rest * tpot_s) / (first * point.ttft_s + rest * point.tpot_s)
    return 1.0 / ratio - 1.0 if of == "throughput" else ratio - 1.0


def _errors(pairs: Iterable[tuple[Measured, Answer]]) -> dict[str, float]:
    found = {}
    for of in ("ttft", "tpot", "e2e", "throughput"):
        misses = [abs(error(point, of, *answer[:2])) for point, answer in pairs]
        found[f"{of}_med"] = float(np.median(misses))
        found[f"{of}_p90"] = float(np.quantile(misses, 0.9))
    return found


def _covered(point: Measured, answer: Answer) -> float:
    split = point.deployed.prompts is not None
    inside = 0
    for of, ours, real in (
        ("ttft", answer[0], point.ttft_s),
        ("tpot", answer[1], point.tpot_s),
    ):
        low, high = interval(
            of, point.chip.generation, point.deployed.engine, split=split, queueing=answer[2]
        )
        inside += low * ours <= real <= high * ours
    return inside / 2


def _decisions(pairs: Iterable[tuple[Measured, Answer]]) -> tuple[float | None, float | None]:
    """Shares of decisions that are right to 5 %: for the cheapest tokens, and at a given pace.

    A decision is taken for one model, engine, accelerator, precision and request. Cheapest: which
    of the measured points gives most tokens per second and accelerator? At a pace: which of the
    measured deployments gives most at the TPOT that half of the points meet, its throughput
    interpolated between measured concurrencies?
    """
    choices = defaultdict(list)
    for point, answer in pairs:
        key = (point.group, point.weight_byte, point.input_tokens, point.output_tokens)
        choices[key].append((point, answer))
    cheapest, paced = [], []
    for some in choices.values():
        deployments = defaultdict(list)
        for point, answer in some:
            deployments[point.deployed].append((point, answer))
        if len(deployments) < 2:
            continue
        cheapest.append(
            _right(*([_per_accelerator(p, *of(p, a)) for p, a in some] for of in _SIDES))
        )
        limit = median(point.tpot_s for point, _ in some)
        real, ours = (
            [_at_pace([(p, *of(p, a)) for p, a in mine], limit) for mine in deployments.values()]
            for of in _SIDES
        )
        if sum(value > 0 for value in real) > 1:
            paced.append(_right(real, ours))
    return (
        float(np.mean(cheapest)) if cheapest else None,
        float(np.mean(paced)) if paced else None,
    )


def _right(real: Sequence[float], ours: Sequence[float]) -> bool:
    """Whether what is best by `ours` is within 5 % of the best by `real`."""
    return real[int(np.argmax(ours))] >= max(real) / 1.05


def _measured(point: Measured, answer: Answer) -> tuple[float, float]:
    return point.ttft_s, point.tpot_s


def _simulated(point: Measured, answer: Answer) -> tuple[float, float]:
    return answer[0], answer[1]


_SIDES = (_measured, _simulated)


def _at_pace(points: Sequence[tuple[Measured, float, float]], limit_s: float) -> float:
    """Tokens per second and accelerator at a TPOT of `limit_s`; 0 where every point is slower."""
    curve = sorted((tpot, _per_accelerator(point, ttft, tpot)) for point, ttft, tpot in points)
    pace, most = (np.array(column) for column in zip(*curve, strict=True))
    if pace[0] > limit_s:
        return 0.0
    best = np.maximum.accumulate(most)  # fewer clients are always possible
    return float(np.exp(np.interp(np.log(limit_s), np.log(pace), np.log(best))))


def _per_accelerator(point: Measured, ttft_s: float, tpot_s: float) -> float:
    """Output tokens per second and accelerator of a steady closed loop."""
    cycle = ttft_s + (point.output_tokens - 1) * tpot_s
    return point.clients * point.output_tokens / cycle / point.deployed.accelerators


def noise(points: Iterable[Measured]) -> dict[str, float]:
    """Deviation of repeated measurements of one deployment from their median, whatever the version
    of the engine; the same measurement in two imports (equal to a thousandth) counts once."""
    same = defaultdict(list)
    for point in points:
        same[(
            point.group, point.weight_byte, point.deployed, point.clients, point.input_tokens,
            point.output_tokens,
        )].append(point)  # fmt: skip
    again = [some for some in same.values() if len(some) > 1]
    found = {}
    for of in ("ttft", "tpot"):
        off: list[float] = []
        for some in again:
            values = np.array(sorted(getattr(point, f"{of}_s") for point in some))
            values = values[np.diff(np.log(values), prepend=-np.inf) > 1e-3]
            if len(values) > 1:
                off += abs(values / np.median(values) - 1.0).tolist()
        found[f"{of}_med"] = float(np.median(off)) if off else 0.0
        found[f"{of}_p90"] = float(np.quantile(off, 0.9)) if off else 0.0
    return found


@lru_cache
def points(data: Path) -> tuple[tuple[Measured, Answer], ...]:
    """Every measured point of the development file, simulated."""
    read = (serve_rows.read(row) for row in serve_rows.distinct(data / FILE))
    known = [point for point in read if point is not None]
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(simulated, known))
    return tuple((p, a) for p, a in zip(known, answers, strict=True) if a is not None)
