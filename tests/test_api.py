"""The Python session."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import lineshaft
from lineshaft.api import locate

ROWS = "TIMESTAMP,ContextTokens,GeneratedTokens\n" + "".join(
    f"2023-11-16 18:{i // 60:02d}:{i % 60:02d}.5,{300 + i},{40 + i % 70}\n" for i in range(600)
)
TRACE = 'trace = "requests.csv"\n'
SCENARIO = """
[capital]
opening_cash_usd = "20 MUSD"
[serve]
trace = "requests.csv"
[[serve.model]]
name = "Llama 3.1 8B"
[[serve.rented]]
name = "cloud"
accelerator = "H100"
count = 64
usd_per_gpu_hour = 2.5
[[agents.kind]]
name = "support"
work = "support"
market_tasks_per_day = 20_000
[[oversee.role]]
name = "reviewer"
headcount = 10
"""


def test_public_names_are_sorted_and_there() -> None:
    assert lineshaft.__all__ == sorted(lineshaft.__all__)
    for name in lineshaft.__all__:
        assert getattr(lineshaft, name) is not None
        assert name in dir(lineshaft)
    with pytest.raises(AttributeError, match="no attribute 'rune'"):
        lineshaft.rune  # noqa: B018


def test_importing_costs_nothing() -> None:
    code = "import sys, lineshaft; print(any(m in sys.modules for m in ('numpy', 'pydantic')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_trace_is_found_beside_its_scenario(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(SCENARIO)
    (tmp_path / "requests.csv").write_text(ROWS)
    scenario = lineshaft.read(tmp_path / "mine.toml")
    assert scenario.serve.trace == str(tmp_path / "requests.csv")


def test_rented_accelerators_serve_without_a_campus(tmp_path: Path) -> None:
    text = "months = 12\n" + SCENARIO.replace(TRACE, "")
    outcome = lineshaft.solve(lineshaft.read(text))
    states = outcome.tables.states
    assert (states.installed == 64).all()
    assert states.rent_usd.sum() == pytest.approx(64 * 2.5 * 8760, rel=1e-9)
    assert outcome["oversee.accepted_tasks"].value > 0
    assert outcome["build.energised_mw"].value == 0


def test_examples_are_found_by_name_and_files_by_path(tmp_path: Path) -> None:
    assert set(lineshaft.examples()) == {"claimed-9t", "gigawatt", "warehouse"}
    assert str(locate("gigawatt")).endswith("gigawatt.toml")
    assert locate("-") == "-"
    with pytest.raises(lineshaft.InputError, match="no such file"):
        locate(str(tmp_path / "none.toml"))
