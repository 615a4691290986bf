"""Calibration on the user's own measured points: level L2 of the step times.

    calibrate      measured points become a `Calibration` (see `calibration`)

Two parts, both held to the shipped coefficients where points are few or far away:

- Six factors on the coefficients (arithmetic, memory, link, overhead per step, overhead per
  sequence, time outside the engine), fitted on the log errors of TTFT and TPOT with a ridge in log
  space whose centre is the start: maximum a posteriori with a Huber loss, by least squares.
- What they leave is interpolated over the setups (requests in flight per accelerator, lengths,
  parallelism, model, precision, simulated TTFT) by Gaussian processes on the log errors, which
  away from the points return to none or to a trend that they show (Rasmussen and Williams,
  Gaussian Processes for Machine Learning, 2006, http://gaussianprocess.org/gpml). Width, size and
  noise are averaged over a small grid by their evidence.

The leave-one-out errors are those of both parts together, in the closed form of a Gaussian model
(ibid., section 5.4.2), with the simulation linearised at the fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineshaft.benchmarks import Measured
from lineshaft.errors import InputError, Problem
from lineshaft.stages.serve.calibration import (
    OUTPUTS,
    Calibration,
    Correction,
    Errors,
    Setup,
    features,
    read,
    setup,
    write,
)
from lineshaft.stages.serve.gauss import Fit, Process, leave_one_out
from lineshaft.stages.serve.steptime import Coefficients

__all__ = [
    "Calibration",
    "Correction",
    "Errors",
    "Setup",
    "Simulate",
    "calibrate",
    "read",
    "setup",
    "write",
]

Floats = NDArray[np.float64]
Simulate = Callable[[Measured, Coefficients], tuple[float, float] | None]
"""Mean TTFT and TPOT in seconds of a point; None where it cannot run."""

PRIOR = {"compute": 0.3, "memory": 0.3, "link": 0.5, "step": 0.7, "sequence": 0.7, "api": 1.0}
"""Factors and how far, in log, each may lie from the start: one standard deviation."""
NOISE = (0.3, 0.05)
"""Log error of TTFT and of TPOT that a fit by factors alone is not to follow."""

_SCALES = ((0.25, 0.10), (0.08, 0.03))
"""Of TTFT and TPOT: size of the correction and noise that are expected beforehand."""


def calibrate(
    points: Sequence[Measured],
    simulate: Simulate,
    start: Coefficients,
    *,
    accelerator: str = "",
    engine: str = "",
) -> Calibration:
    """Coefficients and corrections that explain these points, from the start coefficients on.

    Give points of one accelerator and engine; 3 are as safe as 50, only less sure. `simulate` is
    called some dozen times per point.

    Raises:
        InputError: no point that can be simulated and has a measured TTFT or TPOT.
    """
    from scipy.optimize import least_squares

    measured = np.array([(one.ttft.mean_s, one.tpot.mean_s) for one in points]).reshape(-1, 2)
    measured[~(measured > 0.0)] = np.nan
    before = _simulated(points, simulate, start)
    usable = ~np.isnan(before).any(axis=1) & ~np.isnan(measured).all(axis=1)
    if not usable.any():
        found = f"none of {len(points)} points can be simulated and has a TTFT or TPOT"
        fix = "check model, accelerator and parallelism: does the model fit?"
        raise InputError(Problem("", "points", found, "at least one point, best 10 to 50", fix))
    points = [point for point, good in zip(points, usable, strict=True) if good]
    measured, before = measured[usable], before[usable]
    known = ~np.isnan(measured)
    names = [name for name in PRIOR if any(_factor(one.name) == name for one in fields(start))]
    prior = np.array([PRIOR[name] for name in names])

    def logs(theta: Floats) -> Floats:
        """[point, 2] log of simulated over measured."""
        factors = dict(zip(names, theta.tolist(), strict=True))
        simulated = _simulated(points, simulate, _scaled(start, factors))
        return np.asarray(np.log(np.where(np.isnan(simulated), before, simulated) / measured))

    def residuals(theta: Floats) -> Floats:
        off = (logs(theta) / NOISE)[known]
        far = np.abs(off)
        huber = np.where(far <= 2.0, off, np.sign(off) * np.sqrt(np.maximum(4.0 * far - 4.0, 0.0)))
        return np.concatenate((huber, theta / prior))

    def slopes(function: Callable[[Floats], Floats], theta: Floats) -> Floats:
        """Central differences; a simulation steps, so not too small."""
        return np.stack(
            [(function(theta + step) - function(theta - step)) / 0.06
             for step in 0.03 * np.eye(len(theta))], axis=-1,
        )  # fmt: skip

    fit = least_squares(
        residuals,
        np.zeros(len(names)),
        jac=lambda theta: slopes(residuals, theta),
        x_scale=0.1,
        max_nfev=12,
    )
    left = -logs(fit.x)
    coefficients = _scaled(
        start, dict(zip(names, fit.x.tolist(), strict=True)), note=f"{len(points)} own points"
    )
    simulated = measured / np.exp(left)
    if not known.all():  # where only one of the two was measured
        simulated = _simulated(points, simulate, coefficients)
    setups = tuple(setup(point) for point in points)
    moves = slopes(logs, fit.x)
    fits = [Fit(fit.x, prior, moves[:, at]) for at in (0, 1)]
    numbers, words = features(setups, simulated[:, 0]), [one.words for one in setups]
    processes = tuple(
        Process.learned(numbers, words, left[:, at], fits[at], scale=scale, noise=noise)
        for at, (scale, noise) in enumerate(_SCALES)
    )
    missed = np.stack(leave_one_out(processes, fits), axis=-1)
    errors = {}
    for at, name in enumerate(OUTPUTS):
        rows = known[:, at]
        if rows.any():
            off = np.abs(np.expm1(-missed[rows, at]))
            old = np.abs(before[rows, at] / measured[rows, at] - 1.0)
            middle, most = np.percentile(off, (50.0, 90.0)).tolist()
            errors[name] = Errors(int(rows.sum()), float(np.median(old)), middle, most)
    return Calibration(
        coefficients=coefficients,
        factors={name: math.exp(value) for name, value in zip(names, fit.x, strict=True)},
        setups=setups,
        measured_s=measured,
        simulated_s=simulated,
        processes=processes,
        errors=errors,
        accelerator=accelerator,
        engine=engine,
    )


def _simulated(
    points: Sequence[Measured], simulate: Simulate, coefficients: Coefficients
) -> Floats:
    found = [simulate(point, coefficients) or (math.nan, math.nan) for point in points]
    simulated = np.array(found, np.float64).reshape(-1, 2)
    simulated[~(simulated > 0.0)] = np.nan
    return simulated


def _factor(field: str) -> str:
    """The factor that works on this coefficient; empty for none."""
    if field.endswith("_efficiency"):
        if any(part in field for part in ("compute", "attention", "latent")):
            return "compute"
        return "link" if "link" in field else "memory"
    if not field.endswith("_s"):
        return ""
    if field.startswith(("api", "handover")):
        return "api"
    return "sequence" if "sequence" in field else "step"


def _scaled(start: Coefficients, logs: Mapping[str, float], note: str = "") -> Coefficients:
    """Times multiplied, efficiencies divided by each factor; efficiencies stay at most 1."""
    changed: dict[str, Any] = {}
    for one in fields(start):
        value, name = getattr(start, one.name), _factor(one.name)
        if name not in logs or not isinstance(value, float):
            continue
        factor = math.exp(logs[name])
        efficiency = one.name.endswith("_efficiency")
        changed[one.name] = min(value / factor, max(value, 1.0)) if efficiency else value * factor
    if note:
        changed["fitted_on"] = f"calibrated on {note}; before: {start.fitted_on}"
    return replace(start, **changed)
