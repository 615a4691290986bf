"""`Calibration`: step-time coefficients for one accelerator and engine, and what they leave.

    setup          what a correction depends on, of a measured point
    Calibration    .coefficients for the simulation, .corrections of what it gives, .errors
    write, read    to a JSON file and back, checked

`calibrate` makes them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineshaft.benchmarks import Measured
from lineshaft.errors import InputError, Problem
from lineshaft.files import whole
from lineshaft.stages.serve.gauss import Member, Process
from lineshaft.stages.serve.steptime import Coefficients

Floats = NDArray[np.float64]
FORMAT = "lineshaft serve calibration 1"
OUTPUTS = ("ttft", "tpot")
TTFT_WEIGHT = 1.5
"""Of the simulated TTFT among what tells how near two setups are. Of 0 to 2 this left the least
error on points left out of 14 groups (model, system, engine) of AIConfigurator's measured points
(github.com/ai-dynamo/aiconfigurator, Apache-2.0)."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a correction depends on."""

    model: str
    precision: str
    tp: int
    pp: int
    dp: int
    ep: int
    input_tokens: float
    output_tokens: float
    in_flight: float
    """Requests that the deployment works on at once, in the mean."""

    @property
    def numbers(self) -> Floats:
        """Logarithms, scaled to what a point says of its neighbours: 2 is about four times."""
        accelerators = self.tp * self.pp * self.dp
        sizes = (self.in_flight / accelerators, self.input_tokens, self.output_tokens)
        split = (accelerators**1.5, self.pp, self.dp, self.ep)
        return np.log2(np.array((*sizes, *split), np.float64)) / 2.0

    @property
    def words(self) -> tuple[str, str]:
        return self.model, self.precision


def setup(point: Measured) -> Setup:
    """The setup of a measured point; at a given rate, in flight is rate times E2E (Little)."""
    e2e_s = point.ttft.mean_s + (point.output_tokens - 1.0) * point.tpot.mean_s
    in_flight = point.concurrency or max(1.0, point.rate_rps * float(np.nan_to_num(e2e_s)))
    return Setup(
        model=point.model,
        precision=point.precision,
        tp=point.tp,
        pp=point.pp,
        dp=point.dp,
        ep=point.ep,
        input_tokens=point.input_tokens,
        output_tokens=point.output_tokens,
        in_flight=in_flight,
    )


def features(setups: Sequence[Setup], ttft_s: Floats) -> Floats:
    """[setup, feature] numbers of the setups and of their simulated TTFT."""
    numbers = np.array([one.numbers for one in setups])
    return np.column_stack((numbers, TTFT_WEIGHT * np.log2(ttft_s) / 2.0))


@dataclass(frozen=True, slots=True)
class Correction:
    """What to multiply a simulated latency by, and how sure that is."""

    factor: float
    log_sd: float
    """Standard deviation of the log of a measurement around the corrected value."""

    def interval(self, level: float = 0.9) -> tuple[float, float]:
        """Factors on the corrected value between which a measurement lies with this chance."""
        from scipy.special import ndtri

        spread = float(ndtri(0.5 + level / 2.0)) * self.log_sd
        return math.exp(-spread), math.exp(spread)


@dataclass(frozen=True, slots=True)
class Errors:
    """Absolute relative errors over the points, as shares."""

    points: int
    before: float
    """Median with the start coefficients."""
    median: float
    """Leave-one-out median."""
    p90: float
    """Leave-one-out 90th percentile."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Coefficients for one accelerator and engine, and corrections near what was measured."""

    coefficients: Coefficients
    factors: Mapping[str, float]
    """On times: 1.1 is ten percent slower than the start."""
    setups: tuple[Setup, ...]
    measured_s: Floats
    """[point, 2] TTFT and TPOT, nan where not measured."""
    simulated_s: Floats
    """[point, 2] with `coefficients`, uncorrected."""
    processes: tuple[Process, ...]
    """Of the log errors of TTFT and TPOT that the coefficients leave."""
    errors: Mapping[str, Errors]
    """By "ttft" and "tpot", of what was measured."""
    accelerator: str = ""
    engine: str = ""

    def corrections(
        self, setups: Sequence[Setup], ttft_s: Sequence[float]
    ) -> list[tuple[Correction, Correction]]:
        """Corrections of simulated TTFT and TPOT in these setups.

        `ttft_s` [setup] is the mean TTFT as simulated with `coefficients`: it tells a queue from
        none, which errors depend on most.
        """
        numbers = features(setups, np.array(ttft_s))
        words = [one.words for one in setups]
        parts = []
        for process in self.processes:
            mean, sd = process.at(numbers, words)
            parts.append([Correction(math.exp(m), float(s)) for m, s in zip(mean, sd, strict=True)])
        return list(zip(*parts, strict=True))

    def describe(self) -> str:
        """The errors and factors, for people."""
        parts = [
            f"{name.upper()}: median error {one.before:.1%} before, {one.median:.1%} after "
            f"(left out one by one; 90 % of the points within {one.p90:.1%}; {one.points} points)"
            for name, one in self.errors.items()
        ]
        factors = ", ".join(f"{name} x {factor:.2f}" for name, factor in self.factors.items())
        return "\n".join([*parts, f"times against the start: {factors}"])


# --- the file -----------------------------------------------------------------------------------


def write(path: Path, calibration: Calibration) -> None:
    """Writes the calibration as JSON, whole or not at all."""
    rows = zip(calibration.setups, calibration.measured_s, calibration.simulated_s, strict=True)
    document = {
        "format": FORMAT,
        "accelerator": calibration.accelerator,
        "engine": calibration.engine,
        "coefficients": asdict(calibration.coefficients),
        "factors": dict(calibration.factors),
        "corrections": {
            name: {
                "members": [list(astuple(member)) for member in process.members],
                "doubt": process.doubt.tolist(),
                "drift_sd": process.drift_sd,
            }
            for name, process in zip(OUTPUTS, calibration.processes, strict=True)
        },
        "errors": {name: asdict(one) for name, one in calibration.errors.items()},
        "points": [
            asdict(one)
            | {
                "measured_s": [None if math.isnan(value) else value for value in measured.tolist()],
                "simulated_s": simulated.tolist(),
            }
            for one, measured, simulated in rows
        ],
    }
    with whole(path) as part:
        part.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")


def read(path: Path) -> Calibration:
    """The calibration in this file.

    Raises:
        InputError: no such file, no calibration, or fields that are missing, unknown or broken
            (all).
    """
    allowed = "a file that `lineshaft serve calibrate` wrote"
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"is no JSON: {error}"
        raise InputError(Problem(str(path), "coefficients", str(reason), allowed)) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        found = "is of another format"
        fix = "calibrate again with this version"
        raise InputError(Problem(str(path), "coefficients", found, f"{FORMAT!r}: {allowed}", fix))
    problems: list[Problem] = []

    def part(kind: type, where: str, data: Any, also: Sequence[str] = ()) -> dict[str, Any]:
        return _checked(f"{path}", where, kind, data, problems, also)

    coefficients = part(Coefficients, "coefficients", document.get("coefficients"))
    errors = {
        name: part(Errors, f"errors.{name}", one) for name, one in _dict(document, "errors").items()
    }
    points = document.get("points")
    points = points if isinstance(points, list) else []
    times = ("measured_s", "simulated_s")
    setups = [
        part(Setup, f"points.{number}", one, times) for number, one in enumerate(points, start=1)
    ]
    corrections = {
        name: part(_Saved, f"corrections.{name}", _dict(document, "corrections").get(name))
        for name in OUTPUTS
    }
    factors = _dict(document, "factors")
    if not points:
        problems.append(Problem(str(path), "points", "are missing", "at least one"))
    seconds = [[one.get(key) if isinstance(one, dict) else None for one in points] for key in times]
    whole_times = zip((True, False), seconds, strict=True)
    if not all(_is_times(one, missing) for missing, column in whole_times for one in column):
        wanted = "TTFT and TPOT in seconds, above 0"
        problems.append(Problem(str(path), "points", "have broken times", wanted))
    if not all(_is_value(one) for one in factors.values()):
        problems.append(Problem(str(path), "factors", "are broken", "finite numbers"))
    if problems:
        raise InputError(problems)
    measured, simulated = (np.array(column, np.float64) for column in seconds)
    known = tuple(Setup(**one) for one in setups)
    try:
        processes = tuple(
            _process(
                features(known, simulated[:, 0]),
                [one.words for one in known],
                np.log(measured[:, at] / simulated[:, at]),
                _Saved(**corrections[name]),
            )
            for at, name in enumerate(OUTPUTS)
        )
    except (TypeError, ValueError) as error:
        raise InputError(Problem(str(path), "corrections", f"are broken: {error}")) from error
    return Calibration(
        coefficients=Coefficients(**coefficients),
        factors={name: float(value) for name, value in factors.items()},
        setups=known,
        measured_s=measured,
        simulated_s=simulated,
        processes=processes,
        errors={name: Errors(**one) for name, one in errors.items()},
        accelerator=str(document.get("accelerator", "")),
        engine=str(document.get("engine", "")),
    )


@dataclass(frozen=True, slots=True)
class _Saved:
    """What a file holds of a process besides the points."""

    members: tuple[tuple[float, ...], ...]
    doubt: tuple[float, ...]
    drift_sd: float


def _process(
    numbers: Floats, words: Sequence[tuple[str, str]], values: Floats, saved: _Saved
) -> Process:
    rows = np.flatnonzero(~np.isnan(values))
    if len(saved.doubt) != len(rows):
        raise ValueError(f"{len(saved.doubt)} doubts for {len(rows)} points")
    return Process(
        numbers=numbers[rows],
        words=[words[at] for at in rows.tolist()],
        values=values[rows],
        doubt=np.array(saved.doubt, np.float64),
        members=tuple(Member(*one) for one in saved.members),
        rows=rows,
        drift_sd=saved.drift_sd,
    )


def _dict(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _checked(
    path: str,
    where: str,
    kind: type,
    data: Any,
    problems: list[Problem],
    also: Sequence[str] = (),
) -> dict[str, Any]:
    """The fields of a frozen dataclass; those that are missing, unknown or broken to `problems`.

    Keys in `also` are read elsewhere.
    """
    data = data if isinstance(data, dict) else {}
    types = {one.name: str(one.type) for one in fields(kind)}
    for name in sorted(set(data) - set(types) - set(also)):
        fix = "calibrate again with this version"
        problems.append(Problem(path, f"{where}.{name}", "is unknown", "", fix))
    found: dict[str, Any] = {}
    for name, wanted in types.items():
        value = data.get(name)
        good = isinstance(value, str) if wanted == "str" else _is_value(value)
        if not good:
            state = f"is {value!r}" if name in data else "is missing"
            allowed = "a text" if wanted == "str" else "a finite number"
            problems.append(Problem(path, f"{where}.{name}", state, allowed))
        found[name] = tuple(value) if isinstance(value, list) else value
    return found


def _is_value(value: Any) -> bool:
    """A finite number, or several."""
    if isinstance(value, list):
        return all(_is_value(one) for one in value)
    return type(value) in (int, float) and math.isfinite(value)


def _is_times(value: Any, may_miss: bool) -> bool:
    """Two times above 0, or None where they may be missing."""
    return isinstance(value, list) and len(value) == 2 and all(
        (one is None and may_miss) or (_is_value(one) and one > 0.0) for one in value
    )  # fmt: skip
