"""`lineshaft serve`: simulate, plan and sweep LLM serving deployments."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineshaft.cli.common import Bar, Progress

if TYPE_CHECKING:
    from lineshaft.serve.named import Named
    from lineshaft.serve.result import Result

app = typer.Typer(
    help="Plan, simulate and sweep LLM serving deployments, request by request.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Text = str | None
Model = Annotated[str, typer.Option("--model", help="Of the catalog, or a repository's path.")]
Accelerator = Annotated[str, typer.Option("--accelerator", help="Of the catalog.")]
Trace = Annotated[
    Path | None, typer.Option("--trace", help="Azure CSV or Mooncake JSONL, at its own times.")
]
Rate = Annotated[
    float | None, typer.Option("--rate", help="Requests per second; rescales a trace.")
]
Clients = Annotated[
    int | None, typer.Option("--clients", help="Closed loop: so many requests in flight.")
]
Requests = Annotated[int | None, typer.Option("--requests", help="Most requests.")]
Input = Annotated[
    int | None, typer.Option("--input", help="Prompt tokens; else as in Azure's trace of 2023.")
]
Output = Annotated[int | None, typer.Option("--output", help="Answer tokens; likewise.")]
Spread = Annotated[
    float, typer.Option("--spread", help="Lengths lie in (1 - spread) to 1 times these.")
]
Burstiness = Annotated[
    float, typer.Option("--burstiness", help="Deviation of gaps over their mean; 1: Poisson.")
]
Tp = Annotated[int, typer.Option("--tp", help="Tensor parallel size.")]
Pp = Annotated[int, typer.Option("--pp", help="Pipeline stages.")]
Ep = Annotated[int, typer.Option("--ep", help="Groups that experts are spread over.")]
Dp = Annotated[int, typer.Option("--dp", help="Attention ranks of an instance.")]
Replicas = Annotated[int, typer.Option("--replicas", help="Instances.")]
Disaggregate = Annotated[
    str, typer.Option("--disaggregate", metavar="P:D", help="Instances for prompts : for answers.")
]
DecodeTp = Annotated[int, typer.Option("--decode-tp", help="Of those for answers; as --tp.")]
EngineName = Annotated[str, typer.Option("--engine", help="vllm, sglang or trtllm.")]
SchedulerName = Annotated[
    str, typer.Option("--scheduler", help="vllm-v1, sarathi, vllm-v0, sglang; the engine's own.")
]
Seats = Annotated[int, typer.Option("--max-num-seqs", help="Most running requests per rank.")]
Budget = Annotated[int, typer.Option("--max-num-batched-tokens", help="Tokens of a step.")]
PrefixCache = Annotated[
    bool, typer.Option("--prefix-cache/--no-prefix-cache", help="Reuse shared prefixes.")
]
Precision = Annotated[
    str, typer.Option("--precision", help="bf16, fp8, fp4, int8; fp8 where offered.")
]
KvPrecision = Annotated[str, typer.Option("--kv-precision", help="bf16 or fp8.")]
Draft = Annotated[
    int, typer.Option("--draft", help="Speculative decoding: tokens proposed per step.")
]
Router = Annotated[str, typer.Option("--router", help="Who sends what to which instance.")]
Slo = Annotated[
    list[str] | None,
    typer.Option("--slo", help="ttft_p90=2s,tpot_p90=100ms; repeated: one per class."),
]
Shares = Annotated[
    str, typer.Option("--classes", help="Shares of the classes, 0.2,0.8; most urgent first.")
]
Definition = Annotated[
    str, typer.Option("--definition", help="Of latencies: vllm, aiperf, inference-perf.")
]
Prices = Annotated[
    list[str] | None,
    typer.Option("--price", metavar="NAME=USD", help="Per accelerator and hour; else catalog."),
]
CoefficientsFile = Annotated[
    Path | None, typer.Option("--coefficients", help="What `calibrate` wrote.")
]
Tables = Annotated[Path | None, typer.Option("--tables", help="Operator tables.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of all randomness.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder for the results.")]


@app.command("simulate")
def simulate(
    model: Model,
    accelerator: Accelerator,
    trace: Trace = None,
    rate: Rate = None,
    clients: Clients = None,
    requests: Requests = None,
    input_tokens: Input = None,
    output_tokens: Output = None,
    spread: Spread = 0.0,
    burstiness: Burstiness = 1.0,
    tp: Tp = 1,
    pp: Pp = 1,
    ep: Ep = 1,
    dp: Dp = 1,
    replicas: Replicas = 1,
    disaggregate: Disaggregate = "",
    decode_tp: DecodeTp = 0,
    engine: EngineName = "vllm",
    scheduler: SchedulerName = "",
    max_num_seqs: Seats = 256,
    max_num_batched_tokens: Budget = 8192,
    prefix_cache: PrefixCache = True,
    precision: Precision = "",
    kv_precision: KvPrecision = "bf16",
    draft: Draft = 0,
    router: Router = "round-robin",
    slo: Slo = None,
    classes: Shares = "",
    definition: Definition = "vllm",
    price: Prices = None,
    coefficients: CoefficientsFile = None,
    tables: Tables = None,
    overload: Annotated[
        bool, typer.Option("--overload", help="Simulate a rate above saturation too.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Where the time of a usual step and memory go.")
    ] = False,
    seed: Seed = 0,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Latencies, goodput, use, energy and cost of one deployment under one traffic."""
    options = _options(locals())
    from lineshaft.serve import simulate as ask
    from lineshaft.serve.text import explained_lines, result_lines

    progress = Progress()
    progress.note("simulating … (compiled once, then kept)")
    found = ask(overload=overload, **options)
    progress.clear()
    paths = found.write(out) if out else []
    if as_json:
        print(json.dumps(found.to_dict(), allow_nan=False))
        return
    _say(result_lines(found))
    if explain:
        _say(("", *explained_lines(found)))
    for path in paths:
        print(f"\n{path.name}: {path.resolve()}")
    _next(_after(found, options, explain))


@app.command("sweep")
def sweep(
    model: Model,
    accelerator: Accelerator,
    rates: Annotated[
        str, typer.Option("--rates", help="1,2,5; else from light load to beyond saturation.")
    ] = "",
    points: Annotated[int, typer.Option("--points", help="Rates, where none are given.")] = 12,
    trace: Trace = None,
    requests: Requests = None,
    input_tokens: Input = None,
    output_tokens: Output = None,
    spread: Spread = 0.0,
    burstiness: Burstiness = 1.0,
    tp: Tp = 1,
    pp: Pp = 1,
    ep: Ep = 1,
    dp: Dp = 1,
    replicas: Replicas = 1,
    disaggregate: Disaggregate = "",
    decode_tp: DecodeTp = 0,
    engine: EngineName = "vllm",
    scheduler: SchedulerName = "",
    max_num_seqs: Seats = 256,
    max_num_batched_tokens: Budget = 8192,
    prefix_cache: PrefixCache = True,
    precision: Precision = "",
    kv_precision: KvPrecision = "bf16",
    draft: Draft = 0,
    router: Router = "round-robin",
    slo: Slo = None,
    classes: Shares = "",
    definition: Definition = "vllm",
    price: Prices = None,
    coefficients: CoefficientsFile = None,
    tables: Tables = None,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option("--out", help="Picture (SVG).")] = Path("sweep.svg"),
    as_json: Json = False,
) -> None:
    """Latency against rate up to and beyond saturation, with its knee, and a picture of it."""
    options = _options(locals())
    from lineshaft.files import whole
    from lineshaft.serve import sweep as ask
    from lineshaft.serve.picture import svg
    from lineshaft.serve.text import curve_lines

    progress = Progress()
    bar = Bar(progress, "rates")
    wanted = _numbers(rates, "--rates")
    found = ask(rates=wanted, points=points, progress=bar, **options)
    bar.end()
    with whole(out) as part:
        part.write_text(svg(found), "utf-8")
    if as_json:
        print(json.dumps(found.to_dict(), allow_nan=False))
        return
    _say(curve_lines(found))
    print(f"\nPicture: {out.resolve()}")
    best = found.most or found.knee
    _next([["simulate", *_words(options), "--rate", f"{best.offered_rps:.3g}"]])


@app.command("plan")
def plan(
    model: Model,
    slo: Slo = None,
    trace: Trace = None,
    rate: Rate = None,
    clients: Clients = None,
    accelerators: Annotated[
        str, typer.Option("--accelerators", help="a,b,c; else all that the catalog has a rent for.")
    ] = "",
    widest: Annotated[
        int, typer.Option("--widest", help="Most accelerators of one instance.")
    ] = 64,
    split: Annotated[
        bool, typer.Option("--split/--no-split", help="Try two pools, for prompts and answers.")
    ] = True,
    requests: Requests = None,
    input_tokens: Input = None,
    output_tokens: Output = None,
    spread: Spread = 0.0,
    burstiness: Burstiness = 1.0,
    engine: EngineName = "vllm",
    scheduler: SchedulerName = "",
    prefix_cache: PrefixCache = True,
    precision: Precision = "",
    kv_precision: KvPrecision = "bf16",
    draft: Draft = 0,
    router: Router = "round-robin",
    classes: Shares = "",
    definition: Definition = "vllm",
    price: Prices = None,
    coefficients: CoefficientsFile = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """The cheapest deployment that meets a service level with its error bar."""
    options = _options(locals())
    from lineshaft.serve import plan as ask
    from lineshaft.serve.text import plan_lines

    progress = Progress()
    bar = Bar(progress, "shapes")
    names = [name.strip() for name in accelerators.split(",") if name.strip()]
    found = ask(accelerators=names, widest=widest, split=split, progress=bar, **options)
    bar.end()
    if as_json:
        print(json.dumps(found.to_dict(), allow_nan=False))
        return
    _say(plan_lines(found))
    placed = found.winner.deployment
    asked = placed.one.asked
    words = ["--accelerator", asked.accelerator, "--tp", str(asked.layout.tp)]
    for name in ("pp", "ep", "dp"):
        size = getattr(asked.layout, name)
        words += [f"--{name}", str(size)] if size > 1 else []
    words += ["--max-num-seqs", str(asked.max_num_seqs)]
    words += ["--max-num-batched-tokens", str(asked.max_num_batched_tokens)]
    if placed.decode:
        words += ["--disaggregate", f"{placed.instances}:{placed.decode_instances}"]
        words += ["--decode-tp", str(placed.decode.asked.layout.tp)]
    else:
        words += ["--replicas", str(placed.instances)]
    same = _words(options)
    _next([["sweep", *_without(same, "--rate"), *words], ["simulate", *same, *words, "--explain"]])


@app.command("calibrate")
def calibrate(
    points: Annotated[Path, typer.Argument(help="Points CSV, or the result file of a benchmark.")],
    model: Annotated[str, typer.Option("--model", help="Where the points do not say.")] = "",
    accelerator: Annotated[str, typer.Option("--accelerator", help="Likewise.")] = "",
    engine: Annotated[str, typer.Option("--engine", help="Likewise.")] = "",
    precision: Annotated[str, typer.Option("--precision", help="Likewise.")] = "",
    tp: Annotated[int, typer.Option("--tp", min=0, help="Instead of what the points say.")] = 0,
    tables: Annotated[
        Path | None, typer.Option("--tables", help="What `measure` wrote: where to start from.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="File for --coefficients.")] = Path(
        "calibration.json"
    ),
    as_json: Json = False,
) -> None:
    """Fit the simulation to your own measured points, 3 to 50 of one accelerator and engine."""
    from dataclasses import asdict

    from lineshaft.serve import calibrate as ask
    from lineshaft.stages.serve.calibration import write

    progress = Progress()
    progress.note("calibrating …")
    found = ask(
        points,
        model=model,
        accelerator=accelerator,
        engine=engine,
        precision=precision,
        tp=tp,
        tables=tables,
    )
    write(out, found)
    progress.clear()
    if as_json:
        told = {name: asdict(one) for name, one in found.errors.items()}
        print(json.dumps({"file": str(out), "errors": told, "factors": dict(found.factors)}))
        return
    print(f"{found.accelerator} with {found.engine}, {len(found.setups)} points")
    print(found.describe())
    print(f"\nCalibration: {out.resolve()}")
    named = ["--model", found.setups[0].model, "--accelerator", found.accelerator]
    engines = ["--engine", found.engine] if found.engine != "vllm" else []
    _next([["sweep", *named, *engines, "--coefficients", str(out)]])


@app.command("measure")
def measure(
    model: Model,
    out: Annotated[Path, typer.Option("--out", help="Operator tables.")] = Path("kernels.csv"),
    tp: Tp = 1,
    device: Annotated[str, typer.Option("--device", help="cuda, cuda:1 or cpu.")] = "cuda",
    precision: Annotated[str, typer.Option("--precision", help="bf16 or fp8.")] = "bf16",
) -> None:
    """Time the kernels of a model's layers on this machine, for --tables. Needs torch."""
    from lineshaft.serve import measure as ask

    progress = Progress()
    bar = Bar(progress, "kernels")
    _, skipped = ask(
        model,
        out,
        tp=tp,
        device=device,
        precision=precision,
        progress=lambda done, total, _: bar(done, total),
    )
    bar.end()
    for line in skipped[:5]:
        print(f"left out: {line}")
    if len(skipped) > 5:
        print(f"and {len(skipped) - 5} more")
    print(f"Operator tables: {out.resolve()}")
    named = ["--model", model, "--accelerator", "NAME", "--tp", str(tp)]
    _next([["simulate", *named, "--rate", "1", "--tables", str(out)]])


FLAGS = {
    "input_tokens": "--input",
    "output_tokens": "--output",
    "shares": "--classes",
    "prices": "--price",
    "calibration": "--coefficients",
}
"""Options of the Python verbs whose option here has another name."""


def _options(given: dict[str, Any]) -> Named:
    """The options of the Python verbs, of those of a command."""
    renamed = {"classes": "shares", "price": "prices", "coefficients": "calibration"}
    from lineshaft.serve.named import Named as Known

    known = Known.__annotations__
    found = {renamed.get(name, name): value for name, value in given.items()}
    found = {name: value for name, value in found.items() if name in known}
    return found | {"slo": given["slo"] or (), "prices": given["price"] or ()}  # type: ignore[return-value]


def _numbers(text: str, option: str) -> list[float]:
    from lineshaft.errors import InputError, Problem

    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise InputError(Problem("", option, f"{text!r}", "numbers, separated by commas")) from None


def _words(options: Named) -> list[str]:
    """The words on the command line that say the same; defaults are left out."""
    from inspect import signature

    usual = {name: one.default for name, one in signature(simulate).parameters.items()}
    found = []
    for name, value in options.items():
        flag = FLAGS.get(name, f"--{name.replace('_', '-')}")
        if not value or value == usual.get(name):
            if name == "prefix_cache" and value is False:
                found.append("--no-prefix-cache")
            continue
        if name in ("prices", "slo"):
            found += [word for text in value for word in (flag, text)]  # type: ignore[attr-defined]
        else:
            found += [flag, f"{value:g}" if isinstance(value, float) else str(value)]
    return found


def _without(words: Sequence[str], flag: str) -> list[str]:
    """The words without this option and its value."""
    if flag not in words:
        return list(words)
    at = list(words).index(flag)
    return [*words[:at], *words[at + 2 :]]


def _after(found: Result, options: Named, explained: bool) -> list[list[str]]:
    """What to ask next after a simulation."""
    same = _words(options)
    steps = [] if explained else [["simulate", *same, "--explain"]]
    if "--clients" not in same:
        steps.append(["sweep", *_without(same, "--rate")])
    if found.verdicts:
        load = ("--model", "--trace", "--rate", "--clients", "--slo", "--input", "--output")
        pairs = pairwise(same)
        words = [word for pair in pairs if pair[0] in load for word in pair]
        steps.append(["plan", *words])
    return steps


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _next(steps: Sequence[Sequence[str]]) -> None:
    print("\nNext:")
    for words in steps:
        print(f"  {shlex.join(['lineshaft', 'serve', *words])}")
