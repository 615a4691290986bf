"""Readers of the load generators' own files: JSON documents become `Measured` points."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lineshaft.benchmarks.records import Floats, Measured, Rows, Spread

PERCENTILES = (50.0, 90.0, 95.0, 99.0)
"""Computed where a file has requests but no percentiles."""
Reader = Callable[[Path, Sequence[Any]], list[Measured]]

# --- what the formats share ---------------------------------------------------------------------


def _get(data: Any, *keys: str) -> Any:
    """The value under these keys, None where one is missing."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _number(data: Any, *keys: str) -> float:
    """The number under these keys, nan where it is missing or none."""
    value = _get(data, *keys)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value)


def _positive(value: float) -> float:
    """The number, 0 where it is nan, endless or below 0."""
    return value if 0.0 < value < math.inf else 0.0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


_PERCENTILE = re.compile(r"p(\d+(?:\.\d+)?)")


def _spread(stats: Any, unit_s: float, mean: str = "mean") -> Spread:
    """From a mapping such as {"mean": 12, "median": 11, "p99": 20}."""
    if not isinstance(stats, Mapping):
        return Spread()
    found = {50.0: stats["median"]} if "median" in stats else {}
    for key, value in stats.items():
        match = _PERCENTILE.fullmatch(key)
        if match:
            found[float(match[1])] = value
    known = {at: _number({"": value}, "") * unit_s for at, value in found.items()}
    rising = tuple(sorted((at, value) for at, value in known.items() if not math.isnan(value)))
    return Spread(_number(stats, mean) * unit_s, rising)


def _spread_of(values: Floats) -> Spread:
    values = values[~np.isnan(values)]
    if not len(values):
        return Spread()
    quantiles = np.percentile(values, PERCENTILES).tolist()
    return Spread(float(values.mean()), tuple(zip(PERCENTILES, quantiles, strict=True)))


def _rows(columns: Iterable[tuple[float, float, float, float, float]]) -> Rows | None:
    """From (sent, input tokens, output tokens, TTFT, E2E) of the answered requests."""
    table = np.array(list(columns), np.float64).reshape(-1, 5)
    table = table[~np.isnan(table[:, 1:]).any(axis=1) & (table[:, 2] >= 1)]
    if not len(table):
        return None
    sent = table[:, 0]
    known = not np.isnan(sent).any()
    return Rows(
        arrival_s=sent - sent.min() if known else np.empty(0),
        input_tokens=table[:, 1].astype(np.int64),
        output_tokens=table[:, 2].astype(np.int64),
        ttft_s=table[:, 3],
        e2e_s=table[:, 4],
    )


def _from_rows(tool: str, path: Path, rows: Rows | None) -> list[Measured]:
    """The point that these requests make."""
    if rows is None:
        return []
    known = len(rows.arrival_s) > 0
    span = float((rows.arrival_s + rows.e2e_s).max()) if known else math.nan
    return [
        Measured(
            tool=tool,
            where=str(path),
            # mean number in flight, by Little's law
            concurrency=_positive(float(rows.e2e_s.sum()) / span),
            input_tokens=float(rows.input_tokens.mean()),
            output_tokens=float(rows.output_tokens.mean()),
            requests=len(rows),
            ttft=_spread_of(rows.ttft_s),
            tpot=_spread_of(rows.tpot_s),
            e2e=_spread_of(rows.e2e_s),
            output_tokens_per_s=float(rows.output_tokens.sum()) / span,
            duration_s=span,
            rows=rows,
        )
    ]


# --- vLLM and SGLang ----------------------------------------------------------------------------


def _is_sglang(data: Any) -> bool:
    return _get(data, "mean_e2e_latency_ms") is not None


def _is_vllm(data: Any) -> bool:
    return _get(data, "mean_ttft_ms") is not None and "total_input_tokens" in data


def _bench_serve(path: Path, documents: Sequence[Any]) -> list[Measured]:
    """vLLM's client and SGLang's, which stems from it: latencies are ``<statistic>_<name>_ms``.

    What vLLM's ``--metadata KEY=VALUE`` adds (accelerator, engine, precision, tp, …) is read too.
    """
    points = []
    for number, data in enumerate(documents, start=1):
        sglang = _is_sglang(data)
        completed = _number(data, "completed")
        rate = _positive(_number(data, "request_rate"))
        limit = _positive(_number(data, "max_concurrency"))
        if not rate and not limit:  # all at once
            limit = _positive(_number(data, "num_prompts")) or _positive(completed)
        backend = _text(_get(data, "backend")).split("-")[0]
        points.append(
            Measured(
                tool="SGLang" if sglang else "vLLM",
                where=f"{path}:{number}" if len(documents) > 1 else str(path),
                model=_text(_get(data, "model_id")),
                accelerator=_text(_get(data, "accelerator")),
                engine=_text(_get(data, "engine")) or ("" if backend == "openai" else backend),
                precision=_text(_get(data, "precision")),
                **{key: _count(_get(data, key)) for key in ("tp", "pp", "dp", "ep")},
                concurrency=limit,
                rate_rps=rate,
                input_tokens=_number(data, "total_input_tokens") / max(completed, 1.0),
                output_tokens=_number(data, "total_output_tokens") / max(completed, 1.0),
                requests=int(_positive(completed)),
                ttft=_named_spread(data, "ttft"),
                tpot=_named_spread(data, "tpot"),
                e2e=_named_spread(data, "e2e_latency" if sglang else "e2el"),
                output_tokens_per_s=_number(data, "output_throughput"),
                duration_s=_number(data, "duration"),
                rows=_bench_rows(data),
            )
        )
    return points


def _count(value: Any) -> int:
    """A whole number from 1, also as text; 1 where it is none."""
    return int(value) if str(value).isdecimal() and int(value) else 1


def _named_spread(data: Mapping[str, Any], name: str) -> Spread:
    ending = f"_{name}_ms"
    found = {key.removesuffix(ending): value for key, value in data.items() if key.endswith(ending)}
    return _spread(found, 1e-3)


def _bench_rows(data: Mapping[str, Any]) -> Rows | None:
    lists = [_get(data, key) for key in ("input_lens", "output_lens", "ttfts", "itls")]
    if not all(isinstance(one, list) for one in lists):
        return None
    count = len(lists[0])
    starts, ends = _get(data, "start_times"), _get(data, "latencies")
    starts = starts if isinstance(starts, list) else [math.nan] * count
    ends = ends if isinstance(ends, list) else [None] * count
    errors = _get(data, "errors") or [""] * count
    return _rows(
        (sent, size, answer, ttft, ttft + sum(gaps) if end is None else end)
        for sent, size, answer, ttft, gaps, end, error in zip(
            starts, *lists, ends, errors, strict=False
        )
        if not error
    )


# --- AIPerf -------------------------------------------------------------------------------------

_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "seconds": 1.0}


def _is_aiperf(data: Any) -> bool:
    return _get(data, "request_latency", "unit") is not None


def _aiperf(path: Path, documents: Sequence[Any]) -> list[Measured]:
    points = []
    for data in documents:

        def latency(name: str, data: Any = data) -> Spread:
            unit_s = _SECONDS.get(_text(_get(data, name, "unit")), math.nan)
            return _spread(_get(data, name), unit_s, mean="avg")

        asked = _get(data, "input_config") or {}
        names = _get(asked, "endpoint", "model_names") or [
            _get(item, "name") for item in _get(asked, "models", "items") or []
        ]
        load = [_get(asked, "loadgen"), *_phases(_get(asked, "phases"))]
        points.append(
            Measured(
                tool="AIPerf",
                where=str(path),
                model=_text(names[0]) if names else "",
                concurrency=max(_positive(_number(one, "concurrency")) for one in load),
                rate_rps=max(_positive(_number(one, "request_rate")) for one in load),
                input_tokens=_number(data, "input_sequence_length", "avg"),
                output_tokens=_number(data, "output_sequence_length", "avg"),
                requests=int(_positive(_number(data, "request_count", "avg"))),
                ttft=latency("time_to_first_token"),
                tpot=latency("inter_token_latency"),
                e2e=latency("request_latency"),
                output_tokens_per_s=_number(data, "output_token_throughput", "avg"),
                duration_s=_number(data, "benchmark_duration", "avg"),
            )
        )
    return points


def _phases(phases: Any) -> list[Any]:
    """Phases of load but for the warm-up, by name or in a list."""
    if isinstance(phases, dict):
        return [phase for name, phase in phases.items() if name != "warmup"]
    found = phases if isinstance(phases, list) else []
    return [phase for phase in found if _get(phase, "name") != "warmup"]


def _is_aiperf_requests(data: Any) -> bool:
    return _get(data, "metadata", "request_start_ns") is not None


def _aiperf_requests(path: Path, documents: Sequence[Any]) -> list[Measured]:
    def row(record: Any) -> tuple[float, float, float, float, float]:
        def value(name: str, seconds: bool = False) -> float:
            unit = _SECONDS.get(_text(_get(record, "metrics", name, "unit")), math.nan)
            return _number(record, "metrics", name, "value") * (unit if seconds else 1.0)

        return (
            _number(record, "metadata", "request_start_ns") * 1e-9,
            value("input_sequence_length"),
            value("output_sequence_length"),
            value("time_to_first_token", seconds=True),
            value("request_latency", seconds=True),
        )

    return _from_rows(
        "AIPerf",
        path,
        _rows(
            row(record)
            for record in documents
            if not _get(record, "error")
            and _get(record, "metadata", "benchmark_phase") in (None, "profiling")
        ),
    )


# --- inference-perf -----------------------------------------------------------------------------


def _is_inference_perf(data: Any) -> bool:
    return _get(data, "successes", "latency") is not None and "load_summary" in data


def _inference_perf(path: Path, documents: Sequence[Any]) -> list[Measured]:
    points = []
    for data in documents:
        good = _get(data, "successes")
        latency = _get(good, "latency")
        sizes = (_number(good, "prompt_tokens", "mean"), _number(good, "prompt_len", "mean"))
        rps = _number(good, "throughput", "requests_per_sec")
        limit = _positive(_number(data, "load_summary", "concurrency"))
        rate = _positive(_number(data, "load_summary", "requested_rate"))
        points.append(
            Measured(
                tool="inference-perf",
                where=str(path),
                concurrency=limit,
                # a whole run names no rate: what was served stands for it
                rate_rps=0.0 if limit else rate or _positive(rps),
                input_tokens=next((size for size in sizes if not math.isnan(size)), math.nan),
                output_tokens=_number(good, "output_len", "mean"),
                requests=int(_positive(_number(good, "count"))),
                ttft=_spread(_get(latency, "time_to_first_token"), 1.0),
                tpot=_spread(_get(latency, "time_per_output_token"), 1.0),
                e2e=_spread(_get(latency, "request_latency"), 1.0),
                output_tokens_per_s=_number(good, "throughput", "output_tokens_per_sec"),
                duration_s=_number(data, "benchmark_time_seconds"),
            )
        )
    return points


def _is_inference_perf_requests(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and _get(data[0], "end_time") is not None


def _inference_perf_requests(path: Path, documents: Sequence[Any]) -> list[Measured]:
    def row(entry: Any) -> tuple[float, float, float, float, float]:
        start, info = _number(entry, "start_time"), _get(entry, "info")
        reply = _get(info, "response_metrics") or info  # flat in early versions
        times = _get(reply, "output_token_times") or [math.nan]
        return (
            start,
            _number(info, "input_tokens"),
            _number(reply, "output_tokens"),
            times[0] - start,
            times[-1] - start,
        )

    entries = (entry for entry in documents[0] if not _get(entry, "error"))
    return _from_rows("inference-perf", path, _rows(row(entry) for entry in entries))


# --- GuideLLM -----------------------------------------------------------------------------------


def _is_guidellm(data: Any) -> bool:
    runs = _get(data, "benchmarks")
    return isinstance(runs, list) and bool(runs) and _get(runs[0], "metrics") is not None


def _guidellm(path: Path, documents: Sequence[Any]) -> list[Measured]:
    data = documents[0]
    points = []
    for number, run in enumerate(data["benchmarks"], start=1):
        metrics = _get(run, "metrics")
        strategy = _get(run, "config", "strategy") or _get(run, "args", "strategy") or {}
        model = (
            _get(data, "args", "model")
            or _get(run, "config", "backend", "model")
            or _get(run, "worker", "backend_model")
        )

        def good(name: str, metrics: Any = metrics) -> Any:
            return _get(metrics, name, "successful")

        def latency(name: str, unit_s: float, good: Callable[[str], Any] = good) -> Spread:
            stats = good(name) or {}
            parts = _GUIDELLM_PERCENTILES.items()
            marks = {new: _get(stats, "percentiles", old) for old, new in parts}
            return _spread({"mean": _get(stats, "mean"), **marks}, unit_s)

        limits = [_number(strategy, key) for key in ("streams", "max_concurrency")]
        limit = next((int(one) for one in limits if one > 0.0), 0)
        if strategy.get("type_") == "synchronous":
            limit = 1
        rate = _positive(_number(strategy, "rate"))
        in_flight = _positive(_number(good("request_concurrency"), "mean"))
        points.append(
            Measured(
                tool="GuideLLM",
                where=f"{path}: benchmark {number}",
                model=_text(model),
                concurrency=float(limit) if not rate else in_flight,
                rate_rps=rate,
                input_tokens=_number(good("prompt_token_count"), "mean"),
                output_tokens=_number(good("output_token_count"), "mean"),
                requests=int(_positive(_number(metrics, "request_totals", "successful"))),
                ttft=latency("time_to_first_token_ms", 1e-3),
                tpot=latency("inter_token_latency_ms", 1e-3),
                e2e=latency("request_latency", 1.0),
                output_tokens_per_s=_number(good("output_tokens_per_second"), "mean"),
                duration_s=_number(run, "duration"),
                rows=_rows(map(_guidellm_row, _get(run, "requests", "successful") or [])),
            )
        )
    return points


_GUIDELLM_PERCENTILES = {
    "p001": "p0.1", "p01": "p1", "p05": "p5", "p10": "p10", "p25": "p25", "p50": "p50",
    "p75": "p75", "p90": "p90", "p95": "p95", "p99": "p99", "p999": "p99.9",
}  # fmt: skip


def _guidellm_row(request: Any) -> tuple[float, float, float, float, float]:
    start = _number(request, "request_start_time")
    ttft = _number(request, "time_to_first_token_ms") * 1e-3
    answer = _number(request, "output_tokens")
    gap = _number(request, "inter_token_latency_ms") * 1e-3
    e2e = ttft + gap * (answer - 1.0) if answer > 1.0 else ttft
    return start, _number(request, "prompt_tokens"), answer, ttft, e2e


READERS: tuple[tuple[Callable[[Any], bool], Reader], ...] = (
    (_is_sglang, _bench_serve),
    (_is_vllm, _bench_serve),
    (_is_aiperf_requests, _aiperf_requests),
    (_is_aiperf, _aiperf),
    (_is_inference_perf, _inference_perf),
    (_is_inference_perf_requests, _inference_perf_requests),
    (_is_guidellm, _guidellm),
)
"""Whether the first document is of a format, and its reader."""
