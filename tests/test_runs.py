"""The run folder is written whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lineshaft import read, record
from lineshaft.contracts.reasons import NAMES
from lineshaft.errors import ConservationError, RunError
from lineshaft.kpis import QUANTILES, SERIES
from lineshaft.line import Outcome
from lineshaft.runs import FORMAT, Run, next_folder, writing


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


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), ConservationError("a", "b", "2026-01", 1.0)]
)
def test_whatever_stops_a_run_keeps_nothing(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), writing(tmp_path / "r") as part:
        (part / "half").write_text("x")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_reading_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run there"):
        Run.read(tmp_path)
    (tmp_path / "r.part").mkdir()
    with pytest.raises(RunError, match="did not end"):
        Run.read(tmp_path / "r")
    (tmp_path / "run.json").write_text('{"format": 99, "lineshaft": "7.0"}')
    with pytest.raises(RunError, match=r"lineshaft 7\.0 wrote it in layout 99; .* reads layout \d"):
        Run.read(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is damaged"),
        ('{"format": ', "is damaged"),
        ("[]", "it is no JSON object"),
        ('{"lineshaft": "0.0.1"}', "layout unknown"),
        (f'{{"format": {FORMAT}, "kpis": {{}}}}', "lacks lineshaft, scenario, start"),
    ],
)
def test_a_broken_run_json_is_told(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(RunError, match=said):
        Run.read(tmp_path)


def test_a_lost_figure_and_lost_files_are_told(gigawatt_run: Run, tmp_path: Path) -> None:
    """All files that are missing at once."""
    folder = shutil.copytree(gigawatt_run.folder, tmp_path / "r")
    info = json.loads((folder / "run.json").read_text())
    del info["kpis"]["oversee.daa"]
    (folder / "run.json").write_text(json.dumps(info))
    with pytest.raises(RunError, match=r"run\.json lacks oversee\.daa; run the scenario again"):
        Run.read(folder)
    shutil.copy(gigawatt_run.folder / "run.json", folder)
    (folder / "states.parquet").unlink()
    (folder / "scenario.toml").unlink()
    with pytest.raises(RunError, match=r"scenario\.toml, \S+/states\.parquet are missing"):
        Run.read(folder)


def test_folders_are_numbered(tmp_path: Path) -> None:
    assert next_folder(tmp_path, "My plan").name == "my-plan-001"
    (tmp_path / "my-plan-004").mkdir()
    assert next_folder(tmp_path, "My plan").name == "my-plan-005"
    (tmp_path / "my-plan-005.part").mkdir()  # another one runs at this moment
    assert next_folder(tmp_path, "My plan", begun=True).name == "my-plan-006"
    assert next_folder(tmp_path, "My plan").name == "my-plan-005"
    (tmp_path / "my-plan-1000").mkdir()
    (tmp_path / "my-plan-b-2000").mkdir()
    assert next_folder(tmp_path, "My plan").name == "my-plan-1001"


def test_a_folder_that_was_made_for_nothing_goes(tmp_path: Path) -> None:
    with pytest.raises(RunError), writing(tmp_path / "runs" / "r"):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


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


def test_a_half_written_table_is_told(gigawatt_run: Run, tmp_path: Path) -> None:
    folder = shutil.copytree(gigawatt_run.folder, tmp_path / "r")
    whole = (folder / "served.parquet").read_bytes()
    (folder / "served.parquet").write_bytes(whole[: len(whole) // 2])
    run = Run.read(folder)
    with pytest.raises(RunError, match=r"served\.parquet is damaged.*run the scenario again"):
        _ = run.served
    (folder / "served.parquet").write_bytes((folder / "worth.parquet").read_bytes())
    with pytest.raises(RunError, match=r"served\.parquet is damaged"):
        _ = run.served
    with pytest.raises(RunError, match="is damaged"):
        _ = run.tables
    (folder / "served.parquet").unlink()  # since it was read
    with pytest.raises(RunError, match=r"served\.parquet is damaged"):
        _ = Run(folder).served
