"""Whole sets of oversight: exact to 1e-9, responses that follow from the queue, the trial."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lineshaft.measured.models import oversee_sets
from lineshaft.measured.models.oversee_exact import cases

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.name)
def test_exact(case: object) -> None:
    assert case.error <= 1e-9  # type: ignore[attr-defined]


def test_printed_digits() -> None:
    """The sums themselves give the figures of the textbooks."""
    exact = {case.name: case.exact for case in cases()}
    printed = {
        "mm3_p_wait": 4 / 9, "calls_5_p_wait": 0.130371, "calls_6_p_wait": 0.047445,
        "calls_staff": 6, "centre_p_wait": 0.694456, "centre_wait_s": 20.8337,
        "centre_queue": 16.6669, "centre_p90_s": 58.1387, "patience_p_abandon": 0.030912,
        "patience_wait_s": 3.70947, "patience_queue": 2.96758, "patience_utilisation": 0.930324,
        "patience_p_wait": 0.467774, "aoql_5000_hypergeometric": 0.02952,
        "aoql_5000_binomial": 0.02951, "ltpd_65": 0.0999, "aoql_10000_hypergeometric": 0.01524,
        "aoql_10000_binomial": 0.01525, "aoql_10000_poisson": 0.01527, "iso_2859": 0.904158,
        "csp1": 0.233780,
    }  # fmt: skip
    for name, figure in printed.items():
        assert exact[name] == pytest.approx(figure, rel=4e-4), name


def test_sets_without_files(tmp_path: Path) -> None:
    found = oversee_sets.score(tmp_path)
    assert list(found) == ["exact_cases", "waymo", "faros"]
    assert found["exact_cases"]["worst"] <= 1e-9
    assert found["waymo"]["human_s_per_vehicle_hour"] == pytest.approx(58.8)
    assert oversee_sets.found(tmp_path) == []


def test_faros_responds() -> None:
    told = oversee_sets.faros()
    # Busier before, slower after; where it implies a utilisation, that gives the growth back.
    growth = [told[f"growth_at_{u}_percent"] for u in (1, 5, 10, 15)]
    assert growth == sorted(growth) and growth[0] == pytest.approx(2.54, rel=1e-4)
    assert told["implied_utilisation_2025"] is None  # 1.91 is less than the size alone
    busy = told["implied_utilisation_2026"]
    assert oversee_sets._ratio(busy, 2.54) == pytest.approx(5.415, rel=1e-6)
    assert busy < told["full_at"] < told["implied_utilisation_2026_unreviewed"]
    assert told["largest_power_2025"] == pytest.approx(np.log(1.91) / np.log(2.54))


def test_trial_recovers_a_planted_effect(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = ("predicted_time_no_ai", "ai_treatment", "initial_implementation_time")
    lines = [",".join((*names, "post_review_implementation_time"))]
    for k in range(400):
        predicted = float(np.exp(rng.normal(4, 1)))
        minutes = predicted**0.8 * (1.25 if k % 2 else 1.0)
        lines.append(f"{predicted},{k % 2},{0.9 * minutes},{0.1 * minutes}")
    lines.append("60,1,,")  # not done
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "metr_rct_2025.csv").write_text("\n".join(lines), "utf-8")
    told = oversee_sets.score(tmp_path)["metr_rct_2025"]
    assert told["rows"] == 400
    assert told["total_effect"] == pytest.approx(0.25)
    assert told["first_effect"] == pytest.approx(0.25)


@pytest.mark.shared
def test_trial() -> None:
    if not oversee_sets.found(DATA):
        pytest.skip("the trial's rows are not here")
    told = oversee_sets.score(DATA)["metr_rct_2025"]
    assert told["rows"] == 161
    assert told["total_effect"] == pytest.approx(0.1844, abs=5e-5)
    assert told["first_effect"] == pytest.approx(0.1560, abs=5e-5)
    assert told["review_min_ai"] == pytest.approx(15.29, abs=0.005)
    assert told["review_min_human"] == pytest.approx(7.27, abs=0.005)
