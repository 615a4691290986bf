"""Calibration on own points: recovered factors, corrections near points, none far away, files."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from lineshaft.benchmarks import Measured, Spread
from lineshaft.errors import InputError
from lineshaft.stages.serve.calibrate import (
    PRIOR,
    Calibration,
    Correction,
    calibrate,
    read,
    setup,
    write,
)
from lineshaft.stages.serve.steptime import Coefficients


def start() -> Coefficients:
    """Half of every peak, 1 ms for every fixed time."""
    values: dict[str, float | str] = {}
    for one in fields(Coefficients):
        values[one.name] = 0.5 if one.name.endswith("_efficiency") else 1e-3
        if one.name == "fitted_on":
            values[one.name] = "nothing"
        elif not one.name.endswith(("_s", "_efficiency")):
            values[one.name] = 2.0
    return Coefficients(**values)  # type: ignore[arg-type]


def simulated(point: Measured, c: Coefficients) -> tuple[float, float] | None:
    """A toy engine: prompts by arithmetic, answers by memory, overheads for both."""
    if point.model == "too large":
        return None
    batch = point.concurrency / point.tp
    tpot = 2e-3 / point.tp / c.weight_efficiency + c.step_s + batch * (c.sequence_s * 0.1)
    ttft = c.api_s * 30 + batch * point.input_tokens * 1e-5 / c.compute_efficiency + tpot
    return ttft, tpot


def points(
    count: int, truth: Coefficients, seed: int = 0, noise: float = 0.0, twist: float = 0.0
) -> list[Measured]:
    """Points of a toy engine with other coefficients; `twist` slows long prompts beyond them."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        point = Measured(
            tool="points",
            where=f"points.csv:{number}",
            model="Llama",
            precision="fp8",
            tp=int(rng.choice([1, 2, 4])),
            concurrency=float(rng.choice([4, 16, 64, 128])),
            input_tokens=float(rng.choice([256, 1024, 4096])),
            output_tokens=float(rng.choice([128, 512])),
        )
        times = simulated(point, truth)
        assert times is not None
        ttft, tpot = (value * np.exp(noise * rng.standard_normal()) for value in times)
        tpot *= (point.input_tokens / 1024) ** twist
        found.append(replace(point, ttft=Spread(ttft), tpot=Spread(tpot)))
    return found


def truth(factor: float = 1.5) -> Coefficients:
    return replace(
        start(),
        weight_efficiency=0.5 / factor,
        compute_efficiency=0.5 * 1.2,
        step_s=1e-3 * factor,
        sequence_s=1e-3 * 0.7,
        api_s=1e-3 * 2.0,
    )


def corrected(found: Calibration, asked: list[Measured]) -> list[tuple[Correction, Correction]]:
    times = [simulated(point, found.coefficients) for point in asked]
    return found.corrections(
        [setup(point) for point in asked], [ttft for one in times if one for ttft in one[:1]]
    )


def held_out(found: Calibration, others: list[Measured]) -> tuple[float, float]:
    """Median absolute errors of TTFT and TPOT."""
    off = []
    corrections = corrected(found, others)
    for point, (ttft, tpot) in zip(others, corrections, strict=True):
        times = simulated(point, found.coefficients)
        assert times is not None
        off.append(
            (
                times[0] * ttft.factor / point.ttft.mean_s - 1.0,
                times[1] * tpot.factor / point.tpot.mean_s - 1.0,
            )
        )
    ttft_error, tpot_error = np.median(np.abs(off), axis=0)
    return float(ttft_error), float(tpot_error)


def test_many_points_recover_the_truth() -> None:
    found = calibrate(points(40, truth()), simulated, start(), accelerator="H100", engine="vllm")
    assert set(found.factors) <= set(PRIOR)
    assert found.factors["memory"] == pytest.approx(1.5, rel=0.1)
    assert found.factors["compute"] == pytest.approx(1 / 1.2, rel=0.1)
    assert found.factors["api"] == pytest.approx(2.0, rel=0.15)
    ttft, tpot = held_out(found, points(40, truth(), seed=1))
    assert ttft < 0.02 and tpot < 0.01
    assert found.errors["tpot"].median < 0.01 < found.errors["tpot"].before
    assert found.errors["tpot"].points == 40
    assert "calibrated on 40 own points" in found.coefficients.fitted_on
    assert "40 points" in found.describe() and "memory x" in found.describe()


@pytest.mark.parametrize("count", [3, 5, 10])
def test_few_points_help_and_do_no_harm(count: int) -> None:
    others = points(40, truth(), seed=5)
    before = np.median([abs(simulated(p, start())[1] / p.tpot.mean_s - 1) for p in others])  # type: ignore[index]
    for seed in range(3):
        found = calibrate(points(count, truth(), seed=seed), simulated, start())
        assert held_out(found, others)[1] < (0.5 if count > 3 else 0.8) * before


def test_no_error_is_left_as_it_is() -> None:
    found = calibrate(points(5, start()), simulated, start())
    for factor in found.factors.values():
        assert factor == pytest.approx(1.0, abs=1e-3)
    correction, _ = corrected(found, points(1, start(), seed=9))[0]
    assert correction.factor == pytest.approx(1.0, abs=1e-3)


def test_what_no_coefficient_explains_is_corrected_near_the_points_only() -> None:
    sample = points(45, start(), noise=0.01, twist=0.25)
    found = calibrate(sample, simulated, start())
    ttft, tpot = held_out(found, points(40, start(), seed=3, twist=0.25))
    assert tpot < 0.03 and ttft < 0.03
    known = sample[0]
    far = replace(known, input_tokens=4e6, concurrency=1e5, model="another", precision="bf16")
    near, away = corrected(found, [known, far])
    assert away[1].log_sd > 2 * near[1].log_sd
    low, high = near[1].interval(0.9)
    assert low < 1.0 < high and low * high == pytest.approx(1.0)
    wider = near[1].interval(0.99)
    assert wider[1] > high


def test_leave_one_out_errors_are_those_of_unseen_points() -> None:
    sample = points(30, truth(), noise=0.1)
    found = calibrate(sample, simulated, start())
    _, unseen = held_out(found, points(200, truth(), seed=11, noise=0.1))
    assert found.errors["tpot"].median == pytest.approx(unseen, rel=0.5)
    inside = []
    others = points(200, truth(), seed=12, noise=0.1)
    corrections = corrected(found, others)
    for point, (_, correction) in zip(others, corrections, strict=True):
        times = simulated(point, found.coefficients)
        assert times is not None
        low, high = correction.interval(0.9)
        inside.append(low < point.tpot.mean_s / (times[1] * correction.factor) < high)
    assert 0.8 < np.mean(inside) <= 1.0


def test_one_broken_point_does_not_lead_astray() -> None:
    sample = points(20, truth())
    sample[3] = replace(sample[3], tpot=Spread(sample[3].tpot.mean_s * 20.0))
    _, tpot = held_out(calibrate(sample, simulated, start()), points(40, truth(), seed=2))
    assert tpot < 0.05


def test_points_that_lack_one_latency_or_do_not_fit() -> None:
    sample = points(12, truth())
    sample[0] = replace(sample[0], ttft=Spread())
    sample[1] = replace(sample[1], tpot=Spread())
    sample[2] = replace(sample[2], model="too large")
    found = calibrate(sample, simulated, start())
    assert (found.errors["ttft"].points, found.errors["tpot"].points) == (10, 10)
    assert len(found.setups) == 11
    only = calibrate([replace(one, ttft=Spread()) for one in sample[3:]], simulated, start())
    assert list(only.errors) == ["tpot"]
    with pytest.raises(InputError, match="none of 1 points"):
        calibrate([sample[2]], simulated, start())
    with pytest.raises(InputError, match="none of 0 points"):
        calibrate([], simulated, start())


def test_a_rate_stands_for_what_is_in_flight() -> None:
    point = points(1, truth())[0]
    asked = replace(point, concurrency=0.0, rate_rps=50.0)
    e2e_s = point.ttft.mean_s + (point.output_tokens - 1) * point.tpot.mean_s
    assert setup(asked).in_flight == pytest.approx(50.0 * e2e_s)


def test_the_file_gives_the_same_answers(tmp_path: Path) -> None:
    sample = points(12, truth(), noise=0.05)
    sample[0] = replace(sample[0], ttft=Spread())
    found = calibrate(sample, simulated, start(), accelerator="H100", engine="vllm")
    path = tmp_path / "h100.json"
    write(path, found)
    again = read(path)
    assert again.coefficients == found.coefficients
    assert (again.accelerator, again.engine) == ("H100", "vllm")
    assert again.errors == found.errors and again.factors == found.factors
    asked = points(5, truth(), seed=4)
    for one, other in zip(corrected(found, asked), corrected(again, asked), strict=True):
        for left, right in zip(one, other, strict=True):
            assert left.factor == pytest.approx(right.factor)
            assert left.log_sd == pytest.approx(right.log_sd)


def test_broken_files_name_every_fault(tmp_path: Path) -> None:
    path = tmp_path / "h100.json"
    write(path, calibrate(points(3, truth()), simulated, start()))
    document = json.loads(path.read_text())
    del document["coefficients"]["api_s"]
    document["coefficients"]["apis"] = 1.0
    document["coefficients"]["step_s"] = "fast"
    document["points"][1]["tp"] = None
    document["points"][2]["measured_s"] = [1.0]
    document["errors"]["tpot"]["median"] = float("nan")
    path.write_text(json.dumps(document))
    with pytest.raises(InputError) as raised:
        read(path)
    found = [(problem.key, problem.found) for problem in raised.value.problems]
    assert ("coefficients.apis", "is unknown") in found
    assert ("coefficients.api_s", "is missing") in found
    assert ("coefficients.step_s", "is 'fast'") in found
    assert ("points.2.tp", "is None") in found
    assert ("points", "have broken times") in found
    assert ("errors.tpot.median", "is nan") in found
    assert len(found) == 6
    assert all(str(path) == problem.where for problem in raised.value.problems)


@pytest.mark.parametrize("text", ["", "[]", '{"format": "other"}'])
def test_what_is_no_calibration(tmp_path: Path, text: str) -> None:
    path = tmp_path / "what.json"
    path.write_text(text)
    with pytest.raises(InputError, match="lineshaft serve calibrate"):
        read(path)
    with pytest.raises(InputError, match="No such file"):
        read(tmp_path / "none.json")
