"""How much of an engine instance's memory is left for the KV cache, and which layouts can be."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lineshaft.errors import InputError, Problem
from lineshaft.stages.serve.deployment import Layout
from lineshaft.stages.serve.work import dense_bytes, kv_shards
from lineshaft.transformer import Architecture, Chip, kv_bytes, parameters

RESERVE_BYTES = 1.0e9
"""Runtime, graphs and workspace per accelerator. With it the KV cache of Llama-3.1-8B in bf16 on
an RTX 4090 comes out within 3 % of the 41,408 tokens that vLLM 0.19.0 reports
(github.com/casys-kaist/LLMServingSim, bench)."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of one accelerator of an instance."""

    usable: float
    """What the engine may use."""
    dense: float
    """Weights that every attention rank holds: all but routed experts."""
    experts: float
    activations: float
    """Of the largest step."""
    reserve: float
    kv_token: float
    """KV of one token of its rank, over all layers that it holds."""
    tokens: float
    """Tokens that fit in the instance, over all ranks; below zero where the weights do not."""


def memory(
    arch: Architecture,
    chip: Chip,
    *,
    weight_byte: float,
    kv_byte: float,
    max_num_batched_tokens: int,
    mean_context: float,
    layout: Layout | None = None,
    tp: int = 1,
    memory_utilisation: float = 0.9,
) -> Memory:
    """Where the memory of one accelerator goes; `tp` stands for a layout of tensor parallelism.

    Usable is memory times `memory_utilisation`. Attention, dense MLPs and embeddings are split
    over tp and copied to every rank, experts are split over all of an instance, layers over
    pipeline stages. Activations are four hidden vectors and the two halves of the gated MLP per
    token, bf16. Layers with a window keep that window only, taken at `mean_context` tokens a
    sequence.
    """
    lies = layout or Layout(tp=tp)
    count = parameters(arch)
    attention_byte, mlp_byte = dense_bytes(arch, weight_byte)
    embeddings = count.embedding + count.head
    kept = 2.0 if mlp_byte < attention_byte else attention_byte  # of embeddings and output layer
    dense = (count.attention + count.norms) * attention_byte + count.mlp * mlp_byte
    dense += count.router * attention_byte + embeddings * kept
    split = lies.tp * lies.dp * lies.pp
    mlp = max(arch.ffn, arch.expert_ffn * (arch.experts_active + arch.shared_experts))
    activations = max_num_batched_tokens * (4 * arch.hidden + 2 * mlp / lies.tp) * 2.0
    usable = chip.memory_bytes * memory_utilisation
    dense /= lies.tp * lies.pp
    experts = count.experts * weight_byte / split
    per_token = kv_bytes(arch, mean_context, kv_byte) / mean_context
    per_token /= kv_shards(arch, lies.tp) * lies.pp
    free = usable - RESERVE_BYTES - activations - dense - experts
    return Memory(
        usable=usable,
        dense=dense,
        experts=experts,
        activations=activations,
        reserve=RESERVE_BYTES,
        kv_token=per_token,
        tokens=free / per_token * lies.dp,
    )


def kv_capacity_tokens(
    arch: Architecture,
    chip: Chip,
    *,
    weight_byte: float,
    kv_byte: float,
    max_num_batched_tokens: int,
    mean_context: float,
    layout: Layout | None = None,
    tp: int = 1,
    memory_utilisation: float = 0.9,
) -> float:
    """Tokens that the KV cache of one instance holds, over all its attention ranks; below zero if
    the weights do not fit. See `memory`."""
    return memory(
        arch,
        chip,
        weight_byte=weight_byte,
        kv_byte=kv_byte,
        max_num_batched_tokens=max_num_batched_tokens,
        mean_context=mean_context,
        layout=layout,
        tp=tp,
        memory_utilisation=memory_utilisation,
    ).tokens


def check_layout(arch: Architecture, layout: Layout) -> None:
    """Whether this model can be split so.

    Raises:
        InputError: heads, layers or experts do not divide; names the sizes that would do.
    """
    problems = []

    def divides(key: str, size: int, of: str, whole: int, most: int | None = None) -> None:
        allowed = [one for one in range(1, (most or whole) + 1) if whole % one == 0]
        if size not in allowed:
            problems.append(
                Problem(
                    where="",
                    key=f"serve.{key}",
                    found=f"{key} = {size} does not divide the {whole} {of} of {arch.name}",
                    allowed=", ".join(map(str, allowed)),
                )
            )

    divides("tp", layout.tp, "attention heads", arch.heads)
    if arch.attention != "mla" and max(layout.tp, arch.kv_heads) % min(layout.tp, arch.kv_heads):
        sizes = [one for one in range(1, arch.heads + 1) if arch.heads % one == 0]
        fit = [one for one in sizes if max(one, arch.kv_heads) % min(one, arch.kv_heads) == 0]
        found = f"tp = {layout.tp} fits no multiple of the {arch.kv_heads} KV heads of {arch.name}"
        problems.append(Problem("", "serve.tp", found, ", ".join(map(str, fit))))
    if layout.pp > arch.layers:
        found = f"pp = {layout.pp}, and {arch.name} has {arch.layers} layers"
        problems.append(Problem("", "serve.pp", found, f"1 to {arch.layers}"))
    if layout.ep > 1 and not arch.experts:
        found = f"ep = {layout.ep}, and {arch.name} has no experts"
        problems.append(Problem("", "serve.ep", found, "1"))
    elif arch.experts:
        group = layout.tp * layout.dp
        sizes = [one for one in range(1, group + 1) if group % one == 0 and one <= arch.experts]
        if layout.ep not in sizes:
            found = f"ep = {layout.ep} does not divide the {group} accelerators of tp * dp"
            problems.append(Problem("", "serve.ep", found, ", ".join(map(str, sizes))))
    if problems:
        raise InputError(problems)


def check_fits(
    arch: Architecture,
    chip: Chip,
    *,
    weight_byte: float,
    kv_byte: float,
    max_num_batched_tokens: int,
    mean_context: float,
    longest: int,
    memory_utilisation: float,
    layout: Layout | None = None,
    tp: int = 1,
) -> float:
    """The KV capacity in tokens of an instance, if one rank holds the longest request.

    Raises:
        InputError: the layout does not divide the model; or it does not fit: says by how much, and
            which layouts would.
    """
    lies = layout or Layout(tp=tp)
    check_layout(arch, lies)

    def of(one: Layout) -> Memory:
        return memory(
            arch,
            chip,
            weight_byte=weight_byte,
            kv_byte=kv_byte,
            max_num_batched_tokens=max_num_batched_tokens,
            mean_context=mean_context,
            layout=one,
            memory_utilisation=memory_utilisation,
        )

    def holds(one: Layout) -> bool:
        return of(one).tokens / one.dp >= longest + 16

    found = of(lies)
    if holds(lies):
        return found.tokens
    weights = (found.dense + found.experts) / 1e9
    request = kv_bytes(arch, longest, kv_byte) / kv_shards(arch, lies.tp) / lies.pp / 1e9
    missing = (longest + 16 - found.tokens / lies.dp) * found.kv_token / 1e9
    enough = next((one for one in _larger(arch, chip, lies) if holds(one)), None)
    sizes = "" if enough is None else _named(enough)
    raise InputError(
        Problem(
            where="",
            key="serve.tp",
            found=(
                f"{arch.name} does not fit on {lies.accelerators} x {chip.name}: each needs "
                f"{weights:.1f} GB for weights and {request:.1f} GB for the KV cache of the "
                f"longest request ({longest:,} tokens), and has {chip.memory_bytes / 1e9:.0f} GB, "
                f"of which {memory_utilisation:.0%} may be used: {missing:.1f} GB too few"
            ),
            allowed=f"from {sizes}" if enough else f"no tp up to {chip.scaleup_size} fits",
            fix=(
                f"set {sizes}"
                if enough
                else "take fewer bytes per weight, shorter requests or more memory"
            ),
        )
    )


def _larger(arch: Architecture, chip: Chip, lies: Layout) -> list[Layout]:
    """Layouts on more accelerators of the scale-up domain, fewest first: more tensor parallelism,
    then more ranks that share experts, then more pipeline stages."""
    found = []
    size = 2
    while lies.tp * size <= chip.scaleup_size:
        found.append(replace(lies, tp=lies.tp * size))
        size *= 2
    if arch.experts and lies.dp > 1:
        wider = [2 * lies.dp, 4 * lies.dp, 8 * lies.dp]
        found += [
            replace(lies, dp=dp, ep=lies.ep * dp // lies.dp)
            for dp in wider
            if lies.tp * dp <= chip.scaleup_size
        ]
    found += [replace(lies, tp=chip.scaleup_size, pp=lies.pp * size) for size in (2, 4)]
    good = []
    for one in sorted(found, key=lambda layout: layout.accelerators):
        try:
            check_layout(arch, one)
        except InputError:
            continue
        good.append(one)
    return good


def _named(layout: Layout) -> str:
    """Such as "tp = 4, pp = 2"; what is 1 is left out, but for tp."""
    sizes = (("tp", layout.tp), ("pp", layout.pp), ("dp", layout.dp), ("ep", layout.ep))
    return ", ".join(f"{name} = {size}" for name, size in sizes if size > 1 or name == "tp")
