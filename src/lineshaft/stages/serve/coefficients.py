"""Coefficients of the step time: what the datasheet does not say, and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from math import exp, fsum, log

from lineshaft.errors import InputError, Problem


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Of one class of accelerators and one engine; all models share them."""

    compute_efficiency: float = 0.7
    """Share of peak FLOP/s that large matrix products reach."""
    weight_efficiency: float = 0.8
    """Share of peak memory bandwidth that weight reads reach."""
    blend: float = 3.0
    """p of the blend of arithmetic and weight read, from 1 (sum) to endless (the larger)."""
    expert_compute_efficiency: float = 0.4
    """The three again, for the grouped products of routed experts."""
    expert_weight_efficiency: float = 0.7
    expert_blend: float = 2.0
    dequantise_factor: float = 1.0
    """On the experts' time where 4-bit weights are unpacked to bf16 for every product."""
    routing_evenness: float = 0.8
    """Tokens routed at random that hit as many experts as one real token among many does."""
    imbalance: float = 1.0
    """On the excess load of the busiest group of experts, over that of random routing."""
    kv_efficiency: float = 0.7
    """Share of peak memory bandwidth that KV reads reach."""
    latent_efficiency: float = 0.5
    """Share of peak bf16 FLOP/s that decoding with MLA reaches."""
    attention_efficiency: float = 0.5
    """Share of peak bf16 FLOP/s that prompt attention reaches."""
    activation_passes: float = 10.0
    """Times that the hidden vector passes through memory in a layer."""
    link_efficiency: float = 0.5
    """Share of the link's rate that collectives reach."""
    allreduce_s: float = 10e-6
    """Fixed time of one all-reduce."""
    exchange_s: float = 20e-6
    """Fixed time of one dispatch or combine."""
    layer_s: float = 15e-6
    """Fixed times of a layer: kernels that are launched and drained, whatever they work on."""
    moe_layer_s: float = 20e-6
    """Added where a layer is a mixture of experts, …"""
    mla_layer_s: float = 10e-6
    """… where its attention is MLA, …"""
    linear_layer_s: float = 10e-6
    """… where it keeps a state in place of keys and values, …"""
    index_layer_s: float = 10e-6
    """… and where an indexer chooses what attention works on."""
    step_s: float = 5e-4
    """Host time of a step that is not hidden behind the accelerator."""
    sequence_s: float = 3e-6
    """Host time per sequence of a step."""
    prompt_s: float = 1e-3
    """Added to a step that has a prompt in it."""
    prompt_layer_s: float = 2e-4
    """Added to it per layer, because prompts run without CUDA graphs; …"""
    prompt_moe_layer_s: float = 1e-4
    """… more where the layer is a mixture of experts, …"""
    prompt_mla_layer_s: float = 5e-4
    """… where its attention is MLA, …"""
    prompt_linear_layer_s: float = 1e-3
    """… and where it keeps a state."""
    prompt_factor: float = 1.0
    """On the four."""
    chunk_s: float = 1e-4
    """Per chunk of a prompt."""
    api_s: float = 20e-3
    """Per request, before its first token, outside the engine's steps."""
    api_input_s: float = 1e-6
    """The same per prompt token."""
    api_token_s: float = 0.0
    """Per answer token, outside the engine's steps."""
    handover_s: float = 50e-3
    """Per request where prompts and answers run in two pools, before its first token."""
    fitted_on: str = ""
    """What the numbers rest on."""


NAMES = tuple(field.name for field in fields(Coefficients) if field.name != "fitted_on")
CLASSES = ("hopper", "blackwell")
"""Classes of accelerators that the fit has seen."""
MEMBERS = {"hopper": "hopper", "blackwell": "blackwell", "blackwell-ultra": "blackwell"}
"""Generations of a class. Blackwell with GDDR7 memory (blackwell-gb202) is none of those that the
fit has seen: the means of L0 serve it better in two recorded runs of three."""
ENGINES = ("vllm", "sglang", "trtllm")
"""Engines that the fit has seen."""
BOTH = tuple(f"{one}.{other}" for one in CLASSES for other in ENGINES)
BY_CLASS = (
    "compute_efficiency",
    "weight_efficiency",
    "expert_compute_efficiency",
    "expert_weight_efficiency",
    "kv_efficiency",
    "latent_efficiency",
    "layer_s",
    "moe_layer_s",
    "allreduce_s",
)
BY_ENGINE = (
    "step_s",
    "sequence_s",
    "prompt_s",
    "prompt_factor",
    "chunk_s",
    "api_s",
    "handover_s",
)
BY_BOTH = ("attention_efficiency", "mla_layer_s")
OVERHEADS = (
    "layer_s",
    "moe_layer_s",
    "linear_layer_s",
    "index_layer_s",
    "allreduce_s",
    "exchange_s",
)
"""All take the factor ``class.engine.overhead``."""
PACES = ("compute_efficiency", "expert_compute_efficiency")
"""All take the factor ``engine.pace``."""


def combine(values: Mapping[str, float], generation: str, engine: str) -> dict[str, float]:
    """Coefficients of one class and engine, by name, from fitted `values`.

    Keys of `values` are ``name`` where all share it, else ``class.name``, ``engine.name`` or
    ``class.engine.name``. A class or engine that the fit has not seen takes the (geometric) mean
    of those that it has.
    """
    classes = [MEMBERS[generation]] if generation in MEMBERS else list(CLASSES)
    engines = [name for name in ENGINES if name == engine] or list(ENGINES)

    def mean(keys: list[str]) -> float:
        return exp(fsum(log(values[key]) for key in keys) / len(keys))

    both = [f"{one}.{other}" for one in classes for other in engines]
    found = {}
    for name in NAMES:
        if name in BY_CLASS:
            found[name] = mean([f"{one}.{name}" for one in classes])
        elif name in BY_ENGINE:
            found[name] = mean([f"{one}.{name}" for one in engines])
        elif name in BY_BOTH:
            found[name] = mean([f"{one}.{name}" for one in both])
        else:
            found[name] = values.get(name, 0.0)
    for name in OVERHEADS:
        found[name] *= mean([f"{one}.overhead" for one in both])
    for name in PACES:
        found[name] = min(found[name] * mean([f"{one}.pace" for one in engines]), 1.0)
    return found


@lru_cache
def shipped(generation: str, engine: str) -> Coefficients:
    """Level L1 for this class of accelerators and engine; L0 (means) for one never seen."""
    return Coefficients(**combine(VALUES, generation, engine), fitted_on=FITTED_ON)


FITTED_ON = (
    "692 of 2,891 measured steady points of 51 groups (model, system, engine, whole or split) of "
    "AIConfigurator's data (github.com/ai-dynamo/aiconfigurator, Apache-2.0): vLLM, SGLang and "
    "TensorRT-LLM on H100, H200, B200, B300, GB200 and GB300, tp, ep and data-parallel attention, "
    "bf16 to 4 bits, closed loops of 1 to 15,000 clients; bench/fit_serve.py. Median absolute "
    "error on points whose model, system and engine were left out of the fit: TPOT 13.3 % for "
    "whole and 13.1 % for split deployments, TTFT 34 % and 52 %, E2E 13 % and 17 %; on the points "
    "themselves TPOT 9 % and 10 %, TTFT 24 % and 50 %. The same deployment in another version of "
    "its engine differs by 18 % (TPOT) and 26 % (TTFT) in one of ten cases. pp was not in the "
    "data. One by one, efficiencies and overheads have low confidence: several trade off"
)
VALUES: dict[str, float] = {
    "blend": 2.745,
    "expert_blend": 1.302,
    "dequantise_factor": 1.133,
    "routing_evenness": 1.079,
    "imbalance": 0.9023,
    "activation_passes": 6.168,
    "link_efficiency": 0.4677,
    "exchange_s": 3.269e-05,
    "linear_layer_s": 1.352e-05,
    "index_layer_s": 5.71e-05,
    "prompt_layer_s": 0.0001996,
    "prompt_moe_layer_s": 8.506e-05,
    "prompt_mla_layer_s": 0.0005819,
    "prompt_linear_layer_s": 0.003656,
    "api_input_s": 1.38e-06,
    "hopper.compute_efficiency": 0.8011,
    "hopper.weight_efficiency": 0.8913,
    "hopper.expert_compute_efficiency": 0.2477,
    "hopper.expert_weight_efficiency": 0.9596,
    "hopper.kv_efficiency": 0.6247,
    "hopper.latent_efficiency": 0.3928,
    "hopper.layer_s": 1.823e-05,
    "hopper.moe_layer_s": 3.088e-05,
    "hopper.allreduce_s": 1.14e-05,
    "blackwell.compute_efficiency": 0.7882,
    "blackwell.weight_efficiency": 1,
    "blackwell.expert_compute_efficiency": 0.2405,
    "blackwell.expert_weight_efficiency": 0.8525,
    "blackwell.kv_efficiency": 0.887,
    "blackwell.latent_efficiency": 0.5805,
    "blackwell.layer_s": 1.158e-05,
    "blackwell.moe_layer_s": 1.47e-05,
    "blackwell.allreduce_s": 1.694e-05,
    "vllm.step_s": 0.0002902,
    "vllm.sequence_s": 3.232e-06,
    "vllm.prompt_s": 0.0009612,
    "vllm.prompt_factor": 1.487,
    "vllm.chunk_s": 0.000102,
    "vllm.api_s": 0.01539,
    "vllm.handover_s": 0.1141,
    "vllm.pace": 1.006,
    "sglang.step_s": 0.0004777,
    "sglang.sequence_s": 1.274e-06,
    "sglang.prompt_s": 0.001115,
    "sglang.prompt_factor": 0.8723,
    "sglang.chunk_s": 0.0001013,
    "sglang.api_s": 0.199,
    "sglang.handover_s": 0.04998,
    "sglang.pace": 0.8876,
    "trtllm.step_s": 0.0004824,
    "trtllm.sequence_s": 1.324e-06,
    "trtllm.prompt_s": 0.0008888,
    "trtllm.prompt_factor": 1.706,
    "trtllm.chunk_s": 0.0001039,
    "trtllm.api_s": 0.04865,
    "trtllm.handover_s": 0.15,
    "trtllm.pace": 1.308,
    "hopper.vllm.overhead": 1.427,
    "hopper.vllm.attention_efficiency": 0.2633,
    "hopper.vllm.mla_layer_s": 2.388e-05,
    "hopper.sglang.overhead": 1.344,
    "hopper.sglang.attention_efficiency": 0.3167,
    "hopper.sglang.mla_layer_s": 1.806e-05,
    "hopper.trtllm.overhead": 1.194,
    "hopper.trtllm.attention_efficiency": 0.1246,
    "hopper.trtllm.mla_layer_s": 8.61e-05,
    "blackwell.vllm.overhead": 1.234,
    "blackwell.vllm.attention_efficiency": 0.3517,
    "blackwell.vllm.mla_layer_s": 2.169e-05,
    "blackwell.sglang.overhead": 1.343,
    "blackwell.sglang.attention_efficiency": 0.1586,
    "blackwell.sglang.mla_layer_s": 2.087e-05,
    "blackwell.trtllm.overhead": 0.6328,
    "blackwell.trtllm.attention_efficiency": 0.4974,
    "blackwell.trtllm.mla_layer_s": 4.67e-05,
}

SPREADS = {
    ("ttft", False, False): (0.48, 2.9),
    ("ttft", False, True): (0.28, 3.6),
    ("ttft", True, False): (0.25, 10.0),
    ("ttft", True, True): (0.28, 7.0),
    ("tpot", False, False): (0.65, 1.5),
    ("tpot", False, True): (0.4, 1.55),
    ("tpot", True, False): (0.53, 1.65),
    ("tpot", True, True): (0.5, 1.9),
}
"""Measured over simulated, 5 to 95 %, on points left out of the fit, every group alike (see
bench/fit_serve.py): which latency, whether pools are split, whether requests queue."""
QUEUED = 2.0
"""A mean TTFT of this many times that of an empty engine: requests queue."""
UNSEEN = 1.3
"""Exponent on both ends for a class or engine that the fit has not seen: an assumption."""


def interval(
    of: str, generation: str, engine: str, *, split: bool = False, queueing: float = 1.0
) -> tuple[float, float]:
    """Factors on a simulated mean latency between which the real one lies in 9 of 10 cases.

    `of` is ttft or tpot; `queueing` is the mean TTFT over what it would be if no request waited
    for its first step.

    Raises:
        InputError: another latency.
    """
    if of not in ("ttft", "tpot"):
        raise InputError(Problem("", "of", f"'{of}'", "ttft, tpot"))
    low, high = SPREADS[of, split, queueing > QUEUED]
    known = engine in ENGINES and generation in MEMBERS
    widen = 1.0 if known else UNSEEN
    return low**widen, high**widen
