"""`lineshaft report`: the report again, from the run folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineshaft.cli.report import report
from lineshaft.errors import InputError, RunError
from lineshaft.runs import Run


def test_the_report_is_written_again(
    gigawatt_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same bytes as the run wrote, where it is asked for; its path on stdout."""
    path = tmp_path / "again.html"
    report(gigawatt_run.folder, path)
    assert path.read_bytes() == (gigawatt_run.folder / "report.html").read_bytes()
    assert capsys.readouterr().out == f"{path}\n"
    assert [p.name for p in tmp_path.iterdir()] == ["again.html"]


def test_what_is_no_run_is_told(tmp_path: Path) -> None:
    """No run there: a message with the place, and nothing written."""
    with pytest.raises(RunError, match="no run there"):
        report(tmp_path, None)
    assert list(tmp_path.iterdir()) == []


def test_where_it_cannot_go_is_told(gigawatt_run: Run, tmp_path: Path) -> None:
    """A folder is no file, and a folder that is not there is not made."""
    with pytest.raises(InputError, match=r"is a folder\n.*\n  fix: try .*report\.html"):
        report(gigawatt_run.folder, tmp_path)
    precious = tmp_path / "my.toml"
    precious.write_text("months = 12\n")
    with pytest.raises(InputError, match="is there and is no report"):
        report(gigawatt_run.folder, precious)
    assert precious.read_text() == "months = 12\n"
    with pytest.raises(InputError, match="there is no folder"):
        report(gigawatt_run.folder, tmp_path / "nowhere" / "x.html")
