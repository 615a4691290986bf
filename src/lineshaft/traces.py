"""Request traces: when requests arrive, how long they are, which prefixes they share.

    read          an Azure CSV or a Mooncake JSONL file becomes a `Trace`
    synthetic     draws a `Trace` from the shipped statistics of a public trace, or from your own
    rescale       the same trace at another mean rate
    head          the first requests of a trace
    prefix_hit_share   share of prefix blocks that an endless cache would hold already

Formats: the Azure LLM inference traces (github.com/Azure/AzurePublicDataset, CC-BY-4.0, published
with Splitwise, Patel et al., ISCA 2024) and the Mooncake traces (github.com/kvcache-ai/Mooncake,
FAST25-release, Apache-2.0).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError, Problem

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

AZURE_COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
MOONCAKE_KEYS = ("timestamp", "input_length", "output_length", "hash_ids")
MOONCAKE_BLOCK_TOKENS = 512
TICK_S = 0.5
"""From here on, equal time stamps come from the clock of a log, not from the requests."""
_ALLOWED = (
    "a CSV with the columns TIMESTAMP, ContextTokens, GeneratedTokens (Azure), or one JSON object "
    "a line with timestamp in ms, input_length, output_length and optionally hash_ids (Mooncake)"
)


def _no_blocks() -> Ints:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Requests in order of arrival; the first arrives at 0 s."""

    name: str
    arrival_s: Floats
    """[request] seconds after the first arrival, not falling."""
    input_tokens: Ints
    """[request] prompt tokens, at least 1."""
    output_tokens: Ints
    """[request] generated tokens, at least 1."""
    block_ids: Ints = field(default_factory=_no_blocks)
    """Prefix blocks of all requests, one after the other; empty where the trace has none. Two
    requests share a block's id only if they share everything up to the end of that block."""
    block_start: Ints = field(default_factory=_no_blocks)
    """[request + 1] where each request's blocks start in `block_ids`; empty with `block_ids`."""
    block_tokens: int = 0
    """Tokens of one prefix block."""
    how: str = ""
    """How the trace came about: format, rows dropped, scaling."""

    def __len__(self) -> int:
        return len(self.arrival_s)

    @property
    def has_blocks(self) -> bool:
        """True where the trace says which prefixes are shared."""
        return len(self.block_ids) > 0

    @property
    def rate_rps(self) -> float:
        """Mean arrival rate; 0 if the trace spans no time."""
        span = float(self.arrival_s[-1])
        return (len(self) - 1) / span if span > 0 else 0.0


# --- reading -----------------------------------------------------------------------------------


def read(path: str | Path, *, skip_broken: bool = False) -> Trace:
    """The trace in this file; the format is told from its first line.

    Rows are sorted by arrival. `skip_broken` drops broken rows and says so in `Trace.how`. Where
    the log's clock ticks coarsely, requests are spread over the ticks, and `how` says so too: in
    the Mooncake conversation trace ten requests carry each time stamp, and the stamps lie 3 s
    apart.

    Raises:
        InputError: no such file, another format, no rows, or broken rows (how many, where, why).
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            first = file.readline(65536).lstrip(b"\xef\xbb\xbf").strip()
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}", "check the path") from error
    if not first:
        raise _wrong(path, "is empty")
    if first.startswith(b"{"):
        return _read_mooncake(path, skip_broken)
    header = [cell.strip().strip('"') for cell in first.decode("utf-8", "replace").split(",")]
    if all(name in header for name in AZURE_COLUMNS):
        return _read_azure(path, header, skip_broken)
    start = first[:60].decode("utf-8", "replace")
    raise _wrong(path, f"is of an unknown format; it starts with {start!r}")


def _wrong(path: Path, found: str, fix: str = "") -> InputError:
    return InputError(
        Problem(str(path), "trace", found, _ALLOWED, fix or "give a trace in one of these formats")
    )


def _read_azure(path: Path, header: list[str], skip_broken: bool) -> Trace:
    import pyarrow as pa
    from pyarrow import csv

    types = {"TIMESTAMP": pa.timestamp("ns"), "ContextTokens": pa.int64()}
    types["GeneratedTokens"] = pa.int64()
    columns = csv.ConvertOptions(column_types=types, include_columns=list(AZURE_COLUMNS))
    try:
        table = csv.read_csv(path, convert_options=columns)
        whole = sum(table[name].null_count for name in AZURE_COLUMNS) == 0
    except pa.ArrowInvalid:
        whole = False
    if whole:
        stamp_ns = table["TIMESTAMP"].to_numpy().astype("datetime64[ns]").astype(np.int64)
        inputs, outputs = (table[name].to_numpy() for name in AZURE_COLUMNS[1:])
        if not len(stamp_ns) or (inputs.min() >= 1 and outputs.min() >= 1):
            return _build(path, "Azure CSV", stamp_ns, inputs, outputs, [])
    return _read_lines(path, "Azure CSV", 1, _azure_row(header), skip_broken)


def _azure_row(header: list[str]) -> Callable[[str], tuple[int, int, int, list[int]]]:
    where = [header.index(name) for name in AZURE_COLUMNS]

    def row(line: str) -> tuple[int, int, int, list[int]]:
        cells = [cell.strip().strip('"') for cell in line.split(",")]
        if len(cells) != len(header):
            raise ValueError(f"{len(cells)} columns instead of {len(header)}")
        try:
            stamp = np.datetime64(cells[where[0]], "ns")
        except ValueError:
            raise ValueError("TIMESTAMP is not a date and time") from None
        if np.isnat(stamp):
            raise ValueError("TIMESTAMP is not a date and time")
        inputs, outputs = (
            _count(name, cells[at]) for name, at in zip(AZURE_COLUMNS[1:], where[1:], strict=True)
        )
        return int(stamp.astype(np.int64)), inputs, outputs, []

    return row


def _mooncake_row(line: str) -> tuple[int, int, int, list[int]]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError:
        raise ValueError("not a JSON object") from None
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    stamp = row.get("timestamp")
    if not isinstance(stamp, int | float) or isinstance(stamp, bool) or not np.isfinite(stamp):
        raise ValueError("timestamp is not a number")
    inputs, outputs = (_count(key, row.get(key)) for key in MOONCAKE_KEYS[1:3])
    blocks = row.get("hash_ids", [])
    if not isinstance(blocks, list) or not all(type(block) is int for block in blocks):
        raise ValueError("hash_ids is not a list of whole numbers")
    if blocks and not inputs <= len(blocks) * MOONCAKE_BLOCK_TOKENS < inputs + 512:
        raise ValueError("hash_ids does not hold one id per 512 tokens of input_length")
    return round(stamp * 1e6), inputs, outputs, blocks


def _count(name: str, value: object) -> int:
    try:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError
        number = int(value)
    except ValueError:
        raise ValueError(f"{name} is not a whole number") from None
    if number < 1:
        raise ValueError(f"{name} is less than 1")
    return number


def _read_mooncake(path: Path, skip_broken: bool) -> Trace:
    return _read_lines(path, "Mooncake JSONL", 0, _mooncake_row, skip_broken)


def _read_lines(
    path: Path,
    how: str,
    skip: int,
    parse: Callable[[str], tuple[int, int, int, list[int]]],
    skip_broken: bool,
) -> Trace:
    """Row by row, so that every broken row can be named."""
    rows: list[tuple[int, int, int, list[int]]] = []
    broken: dict[str, list[int]] = {}
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if number <= skip or not line.strip():
                continue
            try:
                rows.append(parse(line.strip()))
            except ValueError as error:
                broken.setdefault(str(error), []).append(number)
    count = sum(len(lines) for lines in broken.values())
    if count and not skip_broken:
        raise _broken(path, broken, count, len(rows) + count)
    if count:
        how += f", {count:,} of {len(rows) + count:,} rows dropped as broken"
    stamp_ns, inputs, outputs = (np.array([row[at] for row in rows], np.int64) for at in range(3))
    return _build(path, how, stamp_ns, inputs, outputs, [row[3] for row in rows])


def _broken(path: Path, broken: dict[str, list[int]], count: int, total: int) -> InputError:
    reasons = []
    for reason, lines in broken.items():
        named = ", ".join(f"{line:,}" for line in lines[:3]) + (", …" if len(lines) > 3 else "")
        reasons.append(f"line{'s' if len(lines) > 1 else ''} {named}: {reason}")
    verb = "is" if count == 1 else "are"
    found = f"{count:,} of {total:,} rows {verb} broken: " + "; ".join(reasons)
    fix = "correct these rows, or read with skip_broken=True to leave them out"
    return _wrong(path, found, fix)


def _build(
    path: Path,
    how: str,
    stamp_ns: Ints,
    inputs: Ints,
    outputs: Ints,
    blocks: Sequence[list[int]],
) -> Trace:
    if not len(stamp_ns):
        raise _wrong(path, "has no request")
    order = np.argsort(stamp_ns, kind="stable")
    # subtracted as whole nanoseconds: dates since 1970 in float seconds lose the microsecond
    arrival_s, spread = _spread((stamp_ns[order] - stamp_ns[order[0]]) * 1e-9)
    ids, start = _no_blocks(), _no_blocks()
    if any(blocks):
        lists = [blocks[at] for at in order]
        start = np.concatenate(([0], np.cumsum([len(one) for one in lists]))).astype(np.int64)
        ids = np.fromiter((block for one in lists for block in one), np.int64, int(start[-1]))
    return Trace(
        name=path.stem,
        arrival_s=arrival_s,
        input_tokens=inputs[order],
        output_tokens=outputs[order],
        block_ids=ids,
        block_start=start,
        block_tokens=MOONCAKE_BLOCK_TOKENS if len(ids) else 0,
        how=how + spread,
    )


def _spread(arrival_s: Floats) -> tuple[Floats, str]:
    """Arrivals that a coarse clock has put together, taken apart again, and a remark on it.

    A clock is coarse if its instants lie `TICK_S` apart or more, in the median, and hold two
    requests or more, in the mean. Requests of an instant are then put at random between it and the
    next one, in their order: so lie those of a Poisson process whose count in that time is known.
    Evenly spaced they would hide the bursts that a queue is about.
    """
    instants, group = np.unique(arrival_s, return_inverse=True)
    gaps = np.diff(instants)
    tick = float(np.median(gaps)) if len(gaps) else 0.0
    if tick < TICK_S or len(arrival_s) < 2 * len(instants):
        return arrival_s, ""
    room = np.minimum(np.append(gaps, tick), tick)  # not over a pause of the log
    uniform = np.random.default_rng(0).random(len(arrival_s))
    spread = np.sort(instants[group] + room[group] * uniform)
    remark = (
        f", {len(arrival_s):,} requests stamped at {len(instants):,} instants {tick:.3g} s apart "
        "are spread at random between them"
    )
    return spread - spread[0], remark


# --- measures and changes ----------------------------------------------------------------------


def prefix_hit_share(trace: Trace) -> float:
    """Share of all prefix blocks that came before in the trace: the hits of an endless cache.

    Zero for a trace without prefix blocks.
    """
    if not trace.has_blocks:
        return 0.0
    return 1.0 - len(np.unique(trace.block_ids)) / len(trace.block_ids)


def rescale(trace: Trace, rate_rps: float) -> Trace:
    """The same requests in the same order at another mean rate: time is stretched or squeezed.

    Gaps keep their relative sizes, so burstiness relative to the mean gap stays; a swing of the
    rate that lasted a minute lasts longer at a lower rate.
    """
    old = trace.rate_rps
    if not (rate_rps > 0 and np.isfinite(rate_rps)) or old == 0:
        raise InputError(
            Problem(
                trace.name,
                "rate_rps",
                f"cannot be changed from {old:g} to {rate_rps:g} requests/s",
                "a rate above zero and a trace that spans some time",
            )
        )
    how = f"{trace.how}, rescaled from {old:.4g} to {rate_rps:.4g} requests/s".lstrip(", ")
    return replace(trace, arrival_s=trace.arrival_s * (old / rate_rps), how=how)


def head(trace: Trace, requests: int) -> Trace:
    """The first `requests` requests; the whole trace if it is not longer."""
    if requests >= len(trace):
        return trace
    start = trace.block_start[: requests + 1]
    return replace(
        trace,
        arrival_s=trace.arrival_s[:requests],
        input_tokens=trace.input_tokens[:requests],
        output_tokens=trace.output_tokens[:requests],
        block_start=start,
        block_ids=trace.block_ids[: start[-1]] if len(start) else trace.block_ids,
        how=f"{trace.how}, first {requests:,} of {len(trace):,} requests".lstrip(", "),
    )


# --- traces drawn from statistics --------------------------------------------------------------

PROBABILITIES = (0.0, 0.01, *(step / 20 for step in range(1, 20)), 0.99, 1.0)
"""Where the quantiles of `Lengths` are given: 0, 1, 5, 10, … 90, 95, 99, 100 %."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """A distribution of token counts: by its quantiles, or lognormal by mean and median."""

    mean: float
    median: float
    quantiles: tuple[float, ...] = ()
    """At `PROBABILITIES`; where given, they are drawn from, log-linear in between."""

    def draw(self, uniform: Floats) -> Ints:
        """[n] token counts, at least 1, at these probabilities."""
        if self.quantiles:
            logs = np.interp(uniform, PROBABILITIES, np.log(self.quantiles))
        else:
            from scipy.special import ndtri

            # mean of a lognormal = median * exp(sigma^2 / 2)
            sigma = np.sqrt(2.0 * np.log(self.mean / self.median))
            logs = np.log(self.median) + sigma * ndtri(uniform)
        return np.maximum(1, np.rint(np.exp(logs))).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Statistics:
    """What `synthetic` needs to know of a trace."""

    name: str
    requests: int
    rate_rps: float
    gap_cv: float
    """Standard deviation of the gaps between arrivals over their mean; 1 is a Poisson process."""
    input_tokens: Lengths
    output_tokens: Lengths
    source: str = ""


AZURE_CONVERSATION = Statistics(
    name="azure-conversation",
    requests=19_366,
    rate_rps=5.5303,
    gap_cv=1.0942,
    input_tokens=Lengths(
        1154.70,
        1020.0,
        (
            2,
            29,
            181,
            207,
            372,
            387,
            396,
            403,
            414,
            703,
            984,
            1020,
            1045,
            1071,
            1097,
            1130,
            1189,
            1315,
            1876,
            2734,
            4083,
            4142,
            14050,
        ),
    ),
    output_tokens=Lengths(
        211.13,
        129.0,
        (
            7,
            16,
            41,
            54,
            67,
            77,
            85,
            91,
            96,
            103,
            113,
            129,
            151,
            177,
            217,
            384,
            395,
            400,
            411,
            424,
            451,
            601,
            1000,
        ),
    ),
    source=(
        "AzureLLMInferenceTrace_conv.csv, 2023-11-16, Microsoft Azure public dataset "
        "(github.com/Azure/AzurePublicDataset), CC-BY-4.0; Patel et al., Splitwise, ISCA 2024. "
        "Statistics computed from its 19,366 rows"
    ),
)
"""One hour of a chat service. Used where a scenario names no trace."""


def synthetic(
    statistics: Statistics = AZURE_CONVERSATION,
    *,
    requests: int = 4000,
    rate_rps: float | None = None,
    seed: int = 0,
) -> Trace:
    """A `Trace` of `requests` requests drawn from these statistics, at their rate by default.

    Gaps are gamma distributed with the given coefficient of variation (exponential at 1; bursts
    above 1). Lengths of prompt and answer are independent of each other (their rank correlation
    is 0.07 in the Azure conversation trace) and of time; slow swings of the rate and shared
    prefixes are not drawn.

    Raises:
        InputError: statistics or sizes that no trace can have.
    """
    rate = statistics.rate_rps if rate_rps is None else rate_rps
    problems = [
        Problem(statistics.name, key, f"is {value:g}", allowed)
        for key, value, allowed, good in (
            ("requests", requests, "a whole number from 1", requests >= 1),
            ("rate_rps", rate, "above 0", rate > 0),
            ("gap_cv", statistics.gap_cv, "above 0", statistics.gap_cv > 0),
        )
        if not good
    ]
    for key, lengths in (
        ("input_tokens", statistics.input_tokens),
        ("output_tokens", statistics.output_tokens),
    ):
        rising = all(a <= b for a, b in zip(lengths.quantiles, lengths.quantiles[1:], strict=False))
        if not lengths.mean >= lengths.median > 0 and not lengths.quantiles:
            allowed = "0 < median <= mean for a lognormal distribution"
            found = f"mean {lengths.mean:g}, median {lengths.median:g}"
            problems.append(Problem(statistics.name, key, found, allowed))
        elif lengths.quantiles and (
            len(lengths.quantiles) != len(PROBABILITIES) or lengths.quantiles[0] < 1 or not rising
        ):
            allowed = f"{len(PROBABILITIES)} rising numbers from 1"
            problems.append(Problem(statistics.name, key, f"{lengths.quantiles}", allowed))
    if problems:
        raise InputError(problems)
    gaps, inputs, outputs = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3)
    )
    shape = statistics.gap_cv**-2
    arrival = np.cumsum(gaps.gamma(shape, 1.0 / (shape * rate), requests))
    return Trace(
        name=statistics.name,
        arrival_s=arrival - arrival[0],
        input_tokens=statistics.input_tokens.draw(_strata(inputs, requests)),
        output_tokens=statistics.output_tokens.draw(_strata(outputs, requests)),
        how=f"synthetic, {requests:,} requests at {rate:.4g} requests/s, seed {seed}",
    )


def _strata(rng: np.random.Generator, count: int) -> Floats:
    """One uniform number from each of `count` equal slices of 0..1, in random order: a short
    trace then has the mean length of the statistics."""
    return (rng.permutation(count) + rng.random(count)) / count
