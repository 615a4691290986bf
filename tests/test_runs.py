"""The run folder is written whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from lineshaft import read, record
from lineshaft.contracts.reasons import NAMES
from lineshaft.errors import RunError
from lineshaft.kpis import QUANTILES, SERIES
from lineshaft.line import Outcome
from lineshaft.runs import Run, next_folder, writing


def test_a_folder_gets_its_name_at_the_end(tmp_path: Path) -> None:
    with writing(tmp_path / "r") as part:
        (part / "a").write_text("x")
        assert not (tmp_path / "r").exists()
    assert (tmp_path / "r" / "a").read_text() == "x"
    assert not (tmp_path / "r.part").exists()


def test_a_folder_that_exists_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    with pytest.raises(RunError, match="exists"), writing(tmp_path / "r"):
        pass


def test_what_a_killed_run_left_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "r.part").mkdir()
    (tmp_path / "r.part" / "half").write_text("old")
    with writing(tmp_path / "r"):
        pass
    assert list((tmp_path / "r").iterdir()) == []


def test_a_write_error_keeps_nothing(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="No space left"), writing(tmp_path / "r"):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_reading_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run there"):
        Run.read(tmp_path)
    (tmp_path / "r.part").mkdir()
    with pytest.raises(RunError, match="did not end"):
        Run.read(tmp_path / "r")
    (tmp_path / "run.json").write_text('{"format": 99, "lineshaft": "7.0"}')
    with pytest.raises(RunError, match=r"written by lineshaft 7\.0"):
        Run.read(tmp_path)


def test_folders_are_numbered(tmp_path: Path) -> None:
    assert next_folder(tmp_path, "My plan").name == "my-plan-001"
    (tmp_path / "my-plan-004").mkdir()
    assert next_folder(tmp_path, "My plan").name == "my-plan-005"


def test_what_was_written_is_read_back(warehouse: Outcome, tmp_path: Path) -> None:
    run = record(read("warehouse"), tmp_path / "w", sensitivity=False)
    for name, table in warehouse.tables:
        back = getattr(run.tables, name)
        assert back.dims.labels == table.dims.labels
        for c, values in table:
            np.testing.assert_array_equal(back[c.name], values, err_msg=f"{name}.{c.name}")
    assert run.draws("oversee.daa").shape == (0,)
    assert all(s.quantiles.shape == (len(QUANTILES), 0) for s in run.bands)
    assert run.construction is None


def test_draws_bands_and_construction_are_read_back(gigawatt_run: Run) -> None:
    assert [(s.name, s.unit) for s in gigawatt_run.bands] == [(s.name, s.unit) for s in SERIES]
    assert gigawatt_run.bands[0].quantiles.shape == (len(QUANTILES), 120)
    worth = "value.enterprise_value_usd"
    p90 = gigawatt_run.kpis[worth]["quantiles"]["p90"]
    assert np.quantile(gigawatt_run.draws(worth), 0.9) == p90
    plan = gigawatt_run.construction
    assert plan is not None
    assert set(plan.column("waited_for").to_pylist()) <= set(NAMES)


def test_a_missing_or_half_written_table_is_told(gigawatt_run: Run, tmp_path: Path) -> None:
    folder = shutil.copytree(gigawatt_run.folder, tmp_path / "r")
    whole = (folder / "served.parquet").read_bytes()
    (folder / "served.parquet").write_bytes(whole[: len(whole) // 2])
    (folder / "states.parquet").unlink()
    run = Run.read(folder)
    with pytest.raises(RunError, match=r"served\.parquet is damaged.*run the scenario again"):
        _ = run.served
    with pytest.raises(RunError, match=r"states\.parquet is missing"):
        _ = run.states
    (folder / "served.parquet").write_bytes((folder / "worth.parquet").read_bytes())
    with pytest.raises(RunError, match=r"served\.parquet is damaged"):
        _ = run.served
    with pytest.raises(RunError, match=r"is missing|is damaged"):
        _ = run.tables
