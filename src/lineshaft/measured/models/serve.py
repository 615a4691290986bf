"""Serving: request-level simulation, memory, a fleet's day, and errors over published sets."""

from __future__ import annotations

import statistics
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from lineshaft import catalog, traces
from lineshaft.measured.models import serve_points, serve_runs
from lineshaft.measured.models._tools import named
from lineshaft.measured.models.serve_runs import Latencies
from lineshaft.parameters.hardware import architecture, chip
from lineshaft.stages import serve
from lineshaft.stages.serve.deployment import Fleet, Pool, Scheduler
from lineshaft.stages.serve.fleet import simulate
from lineshaft.stages.serve.memory import check_fits
from lineshaft.stages.serve.requests import Requests
from lineshaft.stages.serve.requests import of as of_trace
from lineshaft.transformer import Chip, kv_bytes_per_token

DAY = serve.DEEPSEEK_DAY


def offline_output_tokens_per_s(
    *,
    model: str,
    accelerator: str,
    tp: int,
    input_tokens: int,
    output_tokens: int,
    requests: int,
    precision: str = "bf16",
    weight_byte: float = 2.0,
    kv_byte: float = 2.0,
    memory_utilisation: float = 0.9,
    max_num_seqs: int = 4096,
    max_num_batched_tokens: int = 8192,
    engine: str = "vllm",
) -> float:
    """Answer tokens per second of one instance that is given all requests at once."""
    arch, device = architecture(model), _chip(accelerator)
    size = input_tokens + output_tokens
    capacity = check_fits(
        arch,
        device,
        tp=tp,
        weight_byte=weight_byte,
        kv_byte=kv_byte,
        max_num_batched_tokens=max_num_batched_tokens,
        mean_context=float(size),
        longest=size,
        memory_utilisation=memory_utilisation,
    )
    times = serve.step_times(
        arch,
        device,
        tp=tp,
        precision=precision,
        weight_byte=weight_byte,
        kv_byte=kv_byte,
        max_tokens=max_num_batched_tokens,
        engine=engine,
    )
    work = Requests(
        "offline",
        np.zeros(requests),
        np.full(requests, input_tokens, np.int64),
        np.full(requests, output_tokens, np.int64),
    )
    limits = Scheduler(
        max_num_seqs=max_num_seqs,
        max_num_batched_tokens=max_num_batched_tokens,
        kv_blocks=int(capacity // 16),
        prefix_cache="none",
    )
    out = simulate(Fleet(Pool(times, limits)), work)
    return requests * output_tokens / out.end_s


def answer_tokens_per_s_node(
    *,
    model: str,
    accelerator: str,
    dp: int,
    context: int,
    tpot_s: float,
    node: int = 8,
    engine: str = "sglang",
) -> float:
    """Answer tokens per second of a node of `node` accelerators, where `dp` of them answer in fp8
    with the experts spread, in the largest batch that holds `tpot_s` at this mean context."""
    layout = serve.Layout(dp=dp, ep=dp)
    times = serve.step_times(
        architecture(model), _chip(accelerator), layout=layout, precision="fp8", weight_byte=1.0,
        kv_byte=2.0, max_tokens=1024, engine=engine,
    )  # fmt: skip
    batch = dp * np.arange(1, 1025)
    step = times.dense_s[batch] + (times.kv_s * context + times.seq_s) * batch
    most = batch[int(np.searchsorted(step, tpot_s)) - 1]
    return float(most / tpot_s * node / dp)


def kv_capacity_tokens(
    *,
    model: str,
    accelerator: str,
    max_num_batched_tokens: int,
    memory_bytes: float = 0.0,
    tp: int = 1,
    weight_byte: float = 2.0,
    kv_byte: float = 2.0,
) -> float:
    """Tokens in the KV cache of one instance; `memory_bytes` replaces the catalog's figure."""
    device = _chip(accelerator)
    if memory_bytes:
        device = replace(device, memory_bytes=memory_bytes)
    return serve.kv_capacity_tokens(
        architecture(model),
        device,
        tp=tp,
        weight_byte=weight_byte,
        kv_byte=kv_byte,
        max_num_batched_tokens=max_num_batched_tokens,
        mean_context=1000.0,
    )


def kv_share_of(*, model: str, other: str, bytes_per_value: float = 2.0) -> float:
    """KV cache of a token of `model` over that of `other`."""
    ours, theirs = (
        kv_bytes_per_token(architecture(name), bytes_per_value) for name in (model, other)
    )
    return ours / theirs


def deepseek_revenue_usd() -> float:
    """DeepSeek's production day at list prices."""
    return serve.revenue_usd(DAY)


def deepseek_nodes() -> float:
    """Nodes that the day's tokens keep busy on average, prefill and decode."""
    return sum(serve.nodes(DAY))


def deepseek_cost_usd(*, mean_nodes: float) -> float:
    """Rent of the day."""
    return serve.cost_usd(DAY, mean_nodes)


def deepseek_cost_profit_margin(*, mean_nodes: float) -> float:
    """Profit over cost of the day."""
    return serve.revenue_usd(DAY) / serve.cost_usd(DAY, mean_nodes) - 1.0


def prefix_hit_share(*, data: Path, trace: str) -> float:
    """Share of a trace's blocks that came before."""
    return traces.prefix_hit_share(traces.read(data / "traces" / f"{trace}.jsonl"))


def simulated_hit_share(*, data: Path, trace: str) -> float:
    """Share of a trace's prefix blocks that the event loop finds in an endless cache."""
    work = traces.read(data / "traces" / f"{trace}.jsonl")
    arch, device = architecture("Llama 3.1 70B"), _chip("H100")
    times = serve.step_times(
        arch, device, tp=8, precision="bf16", weight_byte=2, kv_byte=2, max_tokens=8192
    )
    out = simulate(Fleet(Pool(times, Scheduler(prefix_cache="endless"))), of_trace(work))
    return float(out.cached_tokens.sum() / work.block_tokens / len(work.block_ids))


def azure_mean_tokens(*, data: Path, trace: str, of: str) -> float:
    """Mean prompt or answer tokens of one of Azure's traces."""
    found = traces.read(data / "traces" / f"AzureLLMInferenceTrace_{trace}.csv")
    sizes = {"input": found.input_tokens, "output": found.output_tokens}
    return float(named(sizes, "of", of).mean())


def shipped_trace_mean_tokens(*, of: str) -> float:
    """Mean prompt or answer tokens of the trace that is drawn where a scenario names none."""
    found = traces.synthetic()
    sizes = {"input": found.input_tokens, "output": found.output_tokens}
    return float(named(sizes, "of", of).mean())


def vllm_run_mean_s(*, data: Path, gpu: str, model: str, of: str) -> float:
    """Mean TTFT, TPOT or E2E of a recorded vLLM run, its own requests simulated."""
    return float(_vllm(data, gpu, model)[0][of].mean())


def vllm_run_error(*, data: Path, gpu: str, model: str, of: str) -> float:
    """Absolute error of the mean TTFT, TPOT or E2E over a recorded vLLM run, relative."""
    mine, theirs = _vllm(data, gpu, model)
    return float(abs(mine[of].mean() / theirs[of].mean() - 1.0))


def steady_points_error(*, data: Path, pools: str, of: str) -> float:
    """Median absolute error over measured steady points of AIConfigurator's data, relative.

    `pools` is `one`, or `two` where prompts and answers are apart; `of` ttft, tpot or e2e.
    """
    split = named({"one": False, "two": True}, "pools", pools)
    return statistics.median(
        abs(serve_points.error(point, of, *answer[:2]))
        for point, answer in serve_points.points(data)
        if (point.deployed.prompts is not None) == split
    )


@lru_cache
def _vllm(data: Path, gpu: str, model: str) -> tuple[Latencies, Latencies]:
    return serve_runs.vllm_run(data, gpu, model)


def _chip(name: str) -> Chip:
    return chip(catalog.find("accelerators", name))
