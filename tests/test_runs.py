"""The run folder is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineshaft.errors import RunError
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
