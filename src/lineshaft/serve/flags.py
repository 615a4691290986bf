"""How to start each engine the way that was simulated.

Options as of vLLM's ``vllm/engine/arg_utils.py`` (github.com/vllm-project/vllm), SGLang's
``python/sglang/srt/server_args.py`` (github.com/sgl-project/sglang,
docs.sglang.io/advanced_features/server_arguments.html) and TensorRT-LLM's
``tensorrt_llm/commands/serve.py`` (github.com/NVIDIA/TensorRT-LLM).
"""

from __future__ import annotations

from lineshaft.serve.fleets import Deployment
from lineshaft.serve.instance import Asked

ENGINES = ("vllm", "sglang", "trtllm")
KV_ROLES = {"prefill": "kv_producer", "decode": "kv_consumer"}


def commands(deployed: Deployment, path: str) -> dict[str, str]:
    """By engine, how to start one instance; with two pools, one of each."""
    found = {}
    for engine in ENGINES:
        parts = [command(deployed.one.asked, engine, path, "prefill" if deployed.decode else "")]
        if deployed.decode:
            parts.append(command(deployed.decode.asked, engine, path, "decode"))
        found[engine] = "\n".join(parts)
    return found


def command(asked: Asked, engine: str, path: str, role: str = "") -> str:
    """The shell command that starts one instance, with its notes as comments below.

    `path` is the model's repository or folder; `role` is ``prefill`` or ``decode`` where prompts
    and answers are split.
    """
    made = {"vllm": _vllm, "sglang": _sglang, "trtllm": _trtllm}[engine]
    head, options, notes = made(asked, path, role)
    text = " \\\n    ".join([head, *options])
    return "\n".join([text, *(f"# {note}" for note in notes)])


def _vllm(asked: Asked, path: str, role: str) -> tuple[str, list[str], list[str]]:
    layout, notes = asked.layout, []
    options = [f"--tensor-parallel-size {layout.tp}"]
    if layout.pp > 1:
        options.append(f"--pipeline-parallel-size {layout.pp}")
    if layout.dp > 1:
        options.append(f"--data-parallel-size {layout.dp}")
    if layout.ep > 1:
        options.append("--enable-expert-parallel")
        if layout.ep != layout.tp * layout.dp:
            size = layout.tp * layout.dp
            notes.append(
                f"vLLM spreads experts over tp x dp = {size} accelerators, not {layout.ep}"
            )
    options += [
        f"--max-num-seqs {asked.max_num_seqs}",
        f"--max-num-batched-tokens {asked.max_num_batched_tokens}",
        f"--gpu-memory-utilization {asked.memory_utilisation:g}",
        "--no-enable-prefix-caching" if asked.prefix_cache == "none" else "--enable-prefix-caching",
    ]
    if asked.precision == "fp8":
        options.append("--quantization fp8")
        notes.append("leave --quantization out where the checkpoint is quantised already")
    elif asked.precision != "bf16":
        notes.append(f"take a checkpoint in {asked.precision}")
    if asked.kv_precision == "fp8":
        options.append("--kv-cache-dtype fp8")
    if asked.priority:
        options.append("--scheduling-policy priority")
    if role:
        config = f'{{"kv_connector":"NixlConnector","kv_role":"{KV_ROLES[role]}"}}'
        options.append(f"--kv-transfer-config '{config}'")
    return f"vllm serve {path}", options, notes


def _sglang(asked: Asked, path: str, role: str) -> tuple[str, list[str], list[str]]:
    layout, notes = asked.layout, []
    # with attention ranks SGLang's tp counts all accelerators, and its limits hold for all ranks
    options = [f"--tp-size {layout.tp * layout.dp}"]
    if layout.pp > 1:
        options.append(f"--pp-size {layout.pp}")
    if layout.dp > 1:
        options.append(f"--dp-size {layout.dp} --enable-dp-attention")
    if layout.ep > 1:
        options.append(f"--ep-size {layout.ep}")
    options += [
        f"--max-running-requests {asked.max_num_seqs * layout.dp}",
        f"--chunked-prefill-size {asked.max_num_batched_tokens * layout.dp}",
        f"--mem-fraction-static {asked.memory_utilisation:g}",
    ]
    if asked.prefix_cache == "none":
        options.append("--disable-radix-cache")
    if asked.precision == "fp8":
        options.append("--quantization fp8")
        notes.append("leave --quantization out where the checkpoint is quantised already")
    elif asked.precision != "bf16":
        notes.append(f"take a checkpoint in {asked.precision}")
    if asked.kv_precision == "fp8":
        options.append("--kv-cache-dtype fp8_e4m3")
    if role:
        options.append(f"--disaggregation-mode {role}")
    return f"python -m sglang.launch_server --model-path {path}", options, notes


def _trtllm(asked: Asked, path: str, role: str) -> tuple[str, list[str], list[str]]:
    layout = asked.layout
    options = [f"--tp_size {layout.tp * layout.dp}"]
    if layout.pp > 1:
        options.append(f"--pp_size {layout.pp}")
    if layout.ep > 1:
        options.append(f"--ep_size {layout.ep}")
    options += [
        f"--max_batch_size {asked.max_num_seqs}",
        f"--max_num_tokens {asked.max_num_batched_tokens}",
        f"--kv_cache_free_gpu_memory_fraction {asked.memory_utilisation:g}",
        "--extra_llm_api_options extra.yaml",
    ]
    extra = ["enable_chunked_prefill: true"]
    cache = "true" if asked.prefix_cache != "none" else "false"
    kv = f"kv_cache_config: {{enable_block_reuse: {cache}"
    extra.append(kv + (", dtype: fp8}" if asked.kv_precision == "fp8" else "}"))
    if layout.dp > 1:
        extra.append("enable_attention_dp: true")
    notes = ["extra.yaml: " + "; ".join(extra)]
    if layout.dp > 1 and layout.tp > 1:
        notes.append(
            "TensorRT-LLM has one attention rank per accelerator: tp1 with dp, or tp alone"
        )
    if asked.precision != "bf16":
        notes.append(f"take a checkpoint in {asked.precision}")
    if role:
        notes.append(f"start it as the {role} server of trtllm-serve disaggregated")
    return f"trtllm-serve {path}", options, notes
