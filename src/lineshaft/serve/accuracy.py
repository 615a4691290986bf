"""How far simulated latencies may be off, and what a calibration on own points makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lineshaft.serve.figures import Bars, scaled
from lineshaft.serve.fleets import Deployment
from lineshaft.serve.traffic import Traffic
from lineshaft.stages.serve.coefficients import interval
from lineshaft.stages.serve.latency import Latencies

if TYPE_CHECKING:
    from lineshaft.stages.serve.calibration import Calibration
    from lineshaft.stages.serve.steptime import Coefficients


@dataclass(frozen=True, slots=True, eq=False)
class Accuracy:
    """The shipped coefficients and their errors, or the user's own calibration and its errors."""

    calibration: Calibration | None = None

    def fits(self, accelerator: str, engine: str) -> bool:
        """Whether the calibration is for this accelerator (of the catalog) and engine."""
        own = self.calibration
        return own is not None and own.accelerator == accelerator and own.engine == engine

    def coefficients(self, accelerator: str, engine: str) -> Coefficients | None:
        """Of the step time; None: the shipped ones."""
        own = self.calibration
        return own.coefficients if own and self.fits(accelerator, engine) else None

    def judge(
        self, deployed: Deployment, traffic: Traffic, found: Latencies, wait_s: float
    ) -> tuple[Latencies, Bars]:
        """The latencies as corrected by the calibration, and their error bars.

        `wait_s` is the mean time before a request's first step: TTFT is less sure where it is
        much of it.
        """
        one = deployed.one
        own = self.calibration if self.fits(one.chip.name, one.asked.engine) else None
        if own is None or deployed.decode is not None:
            return found, _shipped(deployed, found, wait_s)
        from lineshaft.stages.serve.calibration import Setup

        requests, layout = traffic.requests, one.asked.layout
        e2e = found.e2e_s[found.answered]
        mean_s = float(e2e.mean()) if len(e2e) else 0.0
        at_once = requests.clients or max(1.0, traffic.rate_rps * mean_s)
        setup = Setup(
            model=one.arch.name,
            precision=one.asked.precision,
            tp=layout.tp,
            pp=layout.pp,
            dp=layout.dp,
            ep=layout.ep,
            input_tokens=float(requests.input_tokens.mean()),
            output_tokens=float(requests.output_tokens.mean()),
            in_flight=max(1.0, at_once / deployed.instances),
        )
        first_s = found.ttft_s[~np.isnan(found.ttft_s)]
        if not len(first_s):
            return found, _shipped(deployed, found, wait_s)
        ttft, tpot = own.corrections([setup], [float(first_s.mean())])[0]
        corrected = scaled(found, ttft.factor, tpot.factor)
        points = len(own.setups)
        basis = f"calibrated on {points} measured points"
        return corrected, Bars(ttft.interval(), tpot.interval(), basis, tpot.factor)


def _shipped(deployed: Deployment, found: Latencies, wait_s: float) -> Bars:
    """Of the shipped coefficients."""
    one, known = deployed.one, found.ttft_s[~np.isnan(found.ttft_s)]
    ttft_s = float(known.mean()) if len(known) else 0.0
    queueing = ttft_s / (ttft_s - wait_s) if ttft_s > wait_s else 1.0
    split = deployed.decode is not None
    ttft, tpot = (
        interval(of, one.chip.generation, one.asked.engine, split=split, queueing=queueing)
        for of in ("ttft", "tpot")
    )
    return Bars(ttft, tpot, "from measured points that were not fitted")
