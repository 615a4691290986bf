"""What a stage's engine found out: small frozen curves that `advance` reads each month.

A curve is a contract: a stage's engine may be replaced by a deeper one as long as it returns
this. Axes are named in brackets. All arrays are float64 unless said otherwise; SI units, the
unit is the suffix of the name. Curves are cached on disk by a hash of the engine's inputs and the
stage's version.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class BuildCurve:
    """When each hall can be energised, what the phases cost over their progress, who builds them.

    Column 0 of a draw axis is the case with every uncertain input at its median; columns 1.. are
    risk draws, sorted by the date on which the whole campus is ready, so that one uniform number
    picks a lucky or an unlucky world and a draw late on one phase is late on the next.
    """

    phases: tuple[str, ...]
    hall_phase: NDArray[np.int64]
    """[hall] index of its phase."""
    hall_w: Array
    """[hall] IT power that the hall carries."""
    ready_months: Array
    """[hall, 1 + sample] months from the phase's start to the hall being energised."""
    duration_months: Array
    """[phase, 1 + sample] months from the phase's start to its last hall."""
    progress: Array
    """[x] grid of elapsed share of the phase's duration, 0..1."""
    spent_share: Array
    """[phase, x] share of the construction cost that is paid at that point."""
    craft_hours: Array
    """[phase, trade] craft hours of the phase (median case)."""
    worked_share: Array
    """[phase, trade, x] share of the trade's hours worked at that point."""
    crew_hours: Array
    """[trade, month] craft hours available on the campus in each month."""
    binding: NDArray[np.int8]
    """[phase, x] what decides the pace of the phase at that point (a reason code)."""
    p50_month: Array
    """[hall] median over the draws of the calendar month (0 = first month) of energising."""
    p80_month: Array
    """[hall] 80 % quantile of the same."""


@dataclass(frozen=True, slots=True)
class TrainCurve:
    """Speed, memory and effective time of one training run on one accelerator generation."""

    accelerators: int
    """Accelerators of the layout that was found."""
    layout: tuple[tuple[str, int], ...]
    """Parallel layout, for example (("tp", 8), ("pp", 16), ("dp", 128))."""
    tokens_per_s_per_accelerator: float
    """Raw speed, failures not counted."""
    flops_per_token: float
    """Model FLOPs per trained token (forward and backward, no recompute)."""
    mfu: float
    step_s: float
    memory_bytes: float
    """Peak memory of the fullest accelerator."""
    memory_limit_bytes: float
    breakdown_s: tuple[tuple[str, float], ...]
    """What a step's time is made of; the parts sum to `step_s`."""
    reserved: Array
    """[n] grid of reserved accelerators."""
    ettr: Array
    """[n] effective training time ratio at that size."""
    power_share: float
    """Mean power while training, as a share of the accelerator's maximum."""


@dataclass(frozen=True, slots=True)
class ServeCurve:
    """One replica of one model on one accelerator type, against load.

    `load` is the work of the served tokens per second, each class costed by its `s_per_*_token`:
    at `load_slo`, the last point that holds the service level, it is the busy share of the
    replica's time, and beyond it may exceed 1, because batches grow. A demand with another mix
    than the trace's is costed by its own classes.
    """

    model: str
    accelerator: str
    accelerators_per_replica: int
    load: Array
    """[l] replica-seconds of work per second, rising."""
    requests_per_s: Array
    """[l] completed requests."""
    input_tokens_per_s: Array
    """[l] prompt tokens computed (prefix-cache hits not counted)."""
    cached_tokens_per_s: Array
    """[l] prompt tokens taken from the prefix cache."""
    output_tokens_per_s: Array
    goodput_rps: Array
    """[l] requests per second that met the service level."""
    ttft_mean_s: Array
    ttft_p99_s: Array
    tpot_mean_s: Array
    tpot_p99_s: Array
    e2e_mean_s: Array
    power_share: Array
    """[l] mean power as a share of the accelerator's maximum."""
    load_slo: float
    """Highest load that holds the service level."""
    s_per_input_token: float
    """Replica-seconds of work per computed prompt token at `load_slo`."""
    s_per_cached_token: float
    s_per_output_token: float
    mean_input_tokens: float
    """Of the trace: prompt tokens per request, cache hits included."""
    mean_cached_tokens: float
    mean_output_tokens: float


@dataclass(frozen=True, slots=True)
class FloorCurve:
    """One embodied kind on its site: what one robot does in an hour, and what that takes."""

    kind: str
    cycle_s: float
    """Mean robot seconds per attempt, waiting and travel included, charging not."""
    success: float
    """Share of attempts that finish."""
    interventions_per_attempt: float
    minutes_per_intervention: float
    energy_j_per_attempt: float
    """Drawn from the grid, charger losses included."""
    charging_share: float
    """Hours on the charger per hour of work."""
    available_share: float
    """Share of owned robots that are not broken."""
    utilisation: Array
    """[u] busy share of the robots that are not charging or broken."""
    wait_s: Array
    """[u] mean wait of a task before a robot starts on it."""


@dataclass(frozen=True, slots=True)
class PlantCurve:
    """One site's plant over the year: shares of IT energy, by calendar month and IT load."""

    site: str
    load: Array
    """[l] IT load as a share of the site's design IT power, rising, first point > 0."""
    loss_share: Array
    """[12, l] energy lost in the electrical chain, per IT energy."""
    cooling_share: Array
    """[12, l] energy of pumps, fans and chillers, per IT energy."""
    peak_share: Array
    """[12, l] losses and cooling at the hottest hour, per IT power."""
    water_l_per_kwh: Array
    """[12, l] water evaporated and blown down per kWh of IT energy."""
    derate: Array
    """[12] share of the design IT power that the plant can cool at the month's hottest hour."""


@dataclass(frozen=True, slots=True)
class AgentsCurve:
    """Success of each kind against capability, integrated over the lengths of its tasks."""

    log2_margin: Array
    """[x] log2 of (p50 horizon / median task length)."""
    success: Array
    """[kind, x] share of tasks finished and passed by the verifier within the attempts allowed."""
    correct: Array
    """[kind, x] share of the passed tasks that are right (the rest are defects)."""
    attempts: Array
    """[kind, x] mean attempts per task."""
    token_attempts: Array
    """[kind, x] the same with each task weighted by the tokens of an attempt at it: long tasks
    take more tokens and more attempts, so tokens per task exceed the product of the means."""


@dataclass(frozen=True, slots=True)
class OverseeCurve:
    """Waiting for a human: M/M/c, as multiples of the service time."""

    servers: Array
    """[c] grid of humans on duty, rising."""
    utilisation: Array
    """[u] grid of their utilisation, rising, below 1."""
    wait_per_service: Array
    """[c, u] mean wait divided by mean service time (Erlang C)."""


@dataclass(frozen=True, slots=True)
class Several(Generic[C]):
    """Curves of one stage that stand side by side on the draw axis, each in draws of its own."""

    curves: tuple[C, ...]
    of: NDArray[np.int64]
    """[draw] index of its curve; [1] where all draws have the same."""

    @classmethod
    def these(cls, curve: C | Several[C]) -> Several[C]:
        """One curve as several."""
        return curve if isinstance(curve, Several) else cls((curve,), np.zeros(1, np.int64))
