"""What serving costs: dollars and joules by phase, per million tokens, per good request.

    power_share        power of an accelerator over its maximum, from how busy it is
    prompt_active_s    how much of the arithmetic and KV reads was the prompts'
    bill               sums of pools become a `Bill`

Dollars belong to computed prompt tokens, cached prompt tokens and answer tokens in proportion to
the pool's time that is theirs by the Shapley value of shared steps (`Totals.prefill_s`,
`cached_s`, `decode_s`); what an idle pool costs is spread in the same proportion, so that tokens
times prices is the whole cost. Energy is counted by phase, with what is drawn while idle apart.

Power follows three measured levels: idle with the model loaded, a step that only reads weights,
and one that keeps arithmetic or KV reads busy throughout (`ServeInputs.full_share` says from where
they come); in between it is a straight line in `Totals.active_s`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from lineshaft.errors import InputError, Problem
from lineshaft.stages.serve.steptime import StepTimes

Ints = NDArray[np.int64]

J_PER_KWH = 3.6e6


class Sums(Protocol):
    """What is read of a pool's `Totals`."""

    @property
    def busy_s(self) -> float: ...
    @property
    def prefill_s(self) -> float: ...
    @property
    def cached_s(self) -> float: ...
    @property
    def decode_s(self) -> float: ...
    @property
    def active_s(self) -> float: ...
    @property
    def input_tokens(self) -> float: ...
    @property
    def cached_tokens(self) -> float: ...
    @property
    def output_tokens(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Machines:
    """The accelerators of a pool's instances: what they cost and draw, per accelerator."""

    accelerators: int
    """Of one instance."""
    usd_per_accelerator_h: float
    accelerator_w: float
    """Largest power of the accelerator itself."""
    idle_share: float = 0.115
    light_share: float = 0.43
    full_share: float = 0.86
    """Power over the largest: waiting with the model loaded, reading weights only, fully busy."""
    host_w: float = 0.0
    """Host, network and storage beside each accelerator, drawn all the time."""
    pue: float = 1.0
    """Power of the site over power of the IT."""
    usd_per_kwh: float = 0.0
    """0 where the hourly price includes electricity, as rents do."""


@dataclass(frozen=True, slots=True)
class Use:
    """What one pool did."""

    machines: Machines
    totals: Sums
    """Of all its instances, in seconds of an instance."""
    service_s: float
    """Time that its instances were in service, summed over them."""
    prompt_active_s: float | None = None
    """Of `totals.active_s`, what was the prompts' (`prompt_active_s`); None: in proportion to the
    time of prompts and answers."""


class ByPhase(NamedTuple):
    """One quantity by what the time was for."""

    prefill: float
    """Work on prompts, what they attend to in the cache included."""
    decode: float
    idle: float


class ByTokens(NamedTuple):
    """One quantity by kind of token."""

    input: float
    """Prompt tokens computed."""
    cached: float
    output: float


@dataclass(frozen=True, slots=True)
class Bill:
    """Dollars and joules of some use of some pools."""

    usd: float
    usd_by_tokens: ByTokens
    tokens: ByTokens
    energy_j: ByPhase
    """Of the accelerators, their hosts and the site's overhead."""
    electricity_usd: float
    """Part of `usd`."""
    accelerator_h: float
    """In service."""
    busy_share: float
    """Of the accelerators' time in service: in a step."""

    @property
    def usd_per_mtok(self) -> ByTokens:
        """USD per million tokens of each kind; nan where there are none."""
        return ByTokens(
            *(_per_million(u, n) for u, n in zip(self.usd_by_tokens, self.tokens, strict=True))
        )

    @property
    def usd_per_mtok_all(self) -> float:
        """USD per million tokens of all kinds together."""
        return _per_million(self.usd, sum(self.tokens))

    @property
    def kwh_per_mtok_output(self) -> float:
        """All energy over answer tokens."""
        return _per_million(sum(self.energy_j) / J_PER_KWH, self.tokens.output)

    @property
    def kwh_per_mtok_all(self) -> float:
        """All energy over all tokens."""
        return _per_million(sum(self.energy_j) / J_PER_KWH, sum(self.tokens))

    def usd_per_good(self, good: float) -> float:
        """USD per good request (or per good token): everything over what met the service level;
        infinite where nothing did."""
        return self.usd / good if good > 0 else float("inf")


def power_share(
    busy: float, active: float, *, idle_share: float, light_share: float, full_share: float
) -> float:
    """Mean power over the largest, of an accelerator that is in a step for `busy` of its time and
    whose arithmetic or KV reads are busy for `active` of it (0 <= active <= busy <= 1)."""
    return idle_share * (1.0 - busy) + light_share * busy + (full_share - light_share) * active


def prompt_active_s(times: StepTimes, input_tokens: Ints, cached_tokens: Ints) -> float:
    """Seconds of arithmetic and attention that these prompts take on an instance, without overlap.

    `input_tokens` and `cached_tokens` are per request; what preemption computes again is left out.
    """
    fresh = input_tokens - cached_tokens
    # a token attends to all before it and itself
    pairs = 0.5 * (input_tokens * (input_tokens + 1.0) - cached_tokens * (cached_tokens + 1.0))
    token_s = times.compute_s[-1] / (len(times.compute_s) - 1)
    return float(fresh.sum() * token_s + times.pair_s * pairs.sum())


def bill(uses: Sequence[Use]) -> Bill:
    """The dollars and joules of all these pools together.

    Raises:
        InputError: impossible machines, or less time in service than in steps.
    """
    _check(uses)
    usd = electricity = hours = seconds = busy = 0.0
    by_tokens, tokens, energy = np.zeros(3), np.zeros(3), np.zeros(3)
    for use in uses:
        m, t = use.machines, use.totals
        joules = _energy_j(use)
        power_usd = float(joules.sum()) / J_PER_KWH * m.usd_per_kwh
        one_h = use.service_s * m.accelerators / 3600.0
        spent = one_h * m.usd_per_accelerator_h + power_usd
        phases = np.array([t.prefill_s, t.cached_s, t.decode_s])
        if phases.sum() > 0:
            by_tokens += spent * phases / phases.sum()
        tokens += (t.input_tokens, t.cached_tokens, t.output_tokens)
        usd, electricity, hours = usd + spent, electricity + power_usd, hours + one_h
        energy += joules
        seconds += use.service_s * m.accelerators
        busy += t.busy_s * m.accelerators
    if usd and not by_tokens.sum():
        by_tokens[:] = np.nan  # nothing was served: no token to charge
    elif by_tokens.sum():
        by_tokens *= usd / by_tokens.sum()  # a pool that never worked is paid by what others served
    return Bill(
        usd=usd,
        usd_by_tokens=ByTokens(*by_tokens.tolist()),
        tokens=ByTokens(*tokens.tolist()),
        energy_j=ByPhase(*energy.tolist()),
        electricity_usd=electricity,
        accelerator_h=hours,
        busy_share=busy / seconds if seconds else 0.0,
    )


def _energy_j(use: Use) -> NDArray[np.float64]:
    """[prefill, decode, idle] joules."""
    m, t = use.machines, use.totals
    prompts = t.prefill_s + t.cached_s
    share = prompts / t.busy_s if t.busy_s else 0.0
    mine = use.prompt_active_s if use.prompt_active_s is not None else t.active_s * share
    # neither phase is busier than it is long
    low, high = max(0.0, t.active_s - t.decode_s), min(t.active_s, prompts)
    active = np.array([min(max(mine, low), high), 0.0, 0.0])
    active[1] = t.active_s - active[0]
    idle_s = use.service_s - t.busy_s
    idle_s = idle_s if idle_s > 1e-9 * use.service_s else 0.0  # the last bits of two sums
    spent = np.array([prompts, t.decode_s, idle_s])
    level = np.array([m.light_share, m.light_share, m.idle_share])
    watts = (level * spent + (m.full_share - m.light_share) * active) * m.accelerator_w
    joules: NDArray[np.float64] = (watts + m.host_w * spent) * m.accelerators * m.pue
    return joules


def _per_million(amount: float, count: float) -> float:
    return amount / count * 1e6 if count > 0 else float("nan")


def _check(uses: Sequence[Use]) -> None:
    problems = []
    for use in uses:
        m = use.machines
        for key, value, allowed, good in (
            ("accelerators", m.accelerators, "a whole number from 1", m.accelerators >= 1),
            ("usd_per_accelerator_h", m.usd_per_accelerator_h, "from 0", True),
            ("accelerator_w", m.accelerator_w, "from 0", True),
            ("host_w", m.host_w, "from 0", True),
            ("usd_per_kwh", m.usd_per_kwh, "from 0", True),
            ("pue", m.pue, "from 1", m.pue >= 1),
        ):
            if not (good and 0 <= value < np.inf):
                problems.append(Problem("", f"cost.{key}", f"is {value:g}", allowed))
        if not 0 <= m.idle_share <= m.light_share <= m.full_share <= 1:
            found = f"{m.idle_share:g}, {m.light_share:g}, {m.full_share:g}"
            allowed = "0 <= idle_share <= light_share <= full_share <= 1"
            problems.append(Problem("", "cost.idle_share", found, allowed))
        if not use.totals.busy_s <= use.service_s * (1.0 + 1e-9):
            found = f"{use.service_s:g} s in service, {use.totals.busy_s:g} s of them in steps"
            problems.append(Problem("", "cost.service_s", found, "at least the time in steps"))
    if problems:
        raise InputError(problems)
