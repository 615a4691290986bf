"""What is done wrong with a run, a sweep or a disk: told with its fix, with status 2, no traceback,
and nothing lost or half-written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lineshaft
from lineshaft.cli import main
from lineshaft.runs import FORMAT, Run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of the warehouse: `plain` with two draws, `short` of twelve months, `late` a year on.
    Not to be written into."""
    folder = tmp_path_factory.mktemp("runs")
    for name, draws, overrides in (
        ("plain", 2, []),
        ("short", 0, ["months=12"]),
        ("late", 0, ["start=2027-01"]),
    ):
        scenario = lineshaft.read("warehouse", overrides=overrides)
        lineshaft.record(scenario, folder / name, draws=draws, sensitivity=False)
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """A copy of the run, to be damaged."""
    return shutil.copytree(made / "plain", tmp_path / "r")


def ask(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Status, what stands on stdout and what on stderr."""
    with pytest.raises(SystemExit) as end:
        main([*map(str, arguments)])
        raise SystemExit(0)
    out, err = capsys.readouterr()
    status = end.value.code or 0
    assert isinstance(status, int)
    return status, out, err


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What is said of bad input: on stderr alone, with status 2."""
    status, out, err = ask(capsys, *arguments)
    assert status == 2 and out == "" and "Traceback" not in err, (status, out, err)
    return err


# ── run folders ───────────────────────────────────────────────────────────────────────────────
READERS = ("report", "explain", "compare")


def read_by(verb: str, run: Path, other: Path) -> tuple[object, ...]:
    return (verb, run, other) if verb == "compare" else (verb, run)


@pytest.mark.parametrize("verb", READERS)
def test_a_run_of_another_version_says_how_to_go_on(
    verb: str, copy: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    info = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**info, "format": FORMAT - 1, "lineshaft": "0.0.1"}))
    said = told(capsys, *read_by(verb, copy, made / "plain"))
    assert f"lineshaft 0.0.1 wrote it in layout {FORMAT - 1}" in said
    assert f"lineshaft run {copy / 'scenario.toml'}" in said


@pytest.mark.parametrize("verb", READERS)
@pytest.mark.parametrize("content", ["", '{"format": ', "[]", "\xff"])
def test_a_broken_run_json_is_told(
    verb: str, content: str, copy: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / "run.json").write_text(content, "latin-1")
    said = told(capsys, *read_by(verb, copy, made / "plain"))
    assert f"{copy / 'run.json'} is damaged" in said and "run the scenario again" in said


@pytest.mark.parametrize("verb", READERS)
def test_missing_and_half_written_files_are_told(
    verb: str, copy: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (copy / "worth.parquet").read_bytes()
    (copy / "worth.parquet").write_bytes(whole[: len(whole) // 2])
    assert "worth.parquet is damaged" in told(capsys, *read_by(verb, copy, made / "plain"))
    (copy / "worth.parquet").unlink()
    (copy / "scenario.toml").unlink()
    said = told(capsys, *read_by(verb, copy, made / "plain"))
    assert "scenario.toml, " in said and "worth.parquet are missing" in said


def test_a_broken_scenario_of_a_run_is_told_with_its_line(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / "scenario.toml").write_text('name = "x"\n[capital\n')
    assert f"{copy / 'scenario.toml'}:2" in told(capsys, "explain", copy)
    (copy / "scenario.toml").write_text('name = "x"\nmonth = 3\n')
    assert f"{copy / 'scenario.toml'}:2: month" in told(capsys, "explain", copy)


def test_a_lost_report_is_written_again(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (copy / "report.html").read_bytes()
    (copy / "report.html").unlink()
    assert ask(capsys, "report", copy)[0] == 0
    assert (copy / "report.html").read_bytes() == before


# ── explain and compare ───────────────────────────────────────────────────────────────────────
def test_an_unknown_figure_gets_the_nearest_name(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(capsys, "explain", made / "plain", "value.enterprize_value_usd")
    assert "did you mean value.enterprise_value_usd" in said and "table.column" in said
    assert "states." in told(capsys, "explain", made / "plain", "states")


def test_month_draw_and_label_are_told_at_once(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = ("--month", "2028", "--draw", "9", "--at", "stowin")
    said = told(capsys, "explain", made / "plain", "accepted.accepted", *wrong)
    for part in (
        "did you mean '2028-12'",
        "no draw 9\n  allowed: 1 to 2",
        "mean 'stowing'",
        "3 problems",
    ):
        assert part in said
    said = told(capsys, "explain", made / "plain", "oversee.daa", "--at", "stowing")
    assert "explain one of its columns: accepted.daa_b" in said
    assert "run it again with --draws" in told(capsys, "explain", made / "short", "--draw", "1")


def test_runs_of_other_months_or_of_other_dollars_are_not_compared(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Money is nominal: runs that start in different years count in different dollars."""
    said = told(capsys, "compare", made / "plain", made / "short")
    assert "months: 60" in said and "months: 12" in said and "--set months=60" in said
    said = told(capsys, "compare", made / "plain", made / "late")
    assert "starts in 2027-01" in said and "--set start=2027-01" in said


def test_all_folders_without_a_run_are_told(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = told(capsys, "compare", made / "no", made / "plain", made / "never")
    assert f"{made / 'no'}: no run" in said and f"{made / 'never'}: no run" in said
    assert "two runs or more" in told(capsys, "compare", made / "plain")


# ── numbers that cannot be meant ──────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "warehouse", "--set", "months=100000"), "months: 100000 is out of bounds"),
        (("run", "warehouse", "--set", "months=0"), "allowed: 1 to 600"),
        (("run", "warehouse", "--draws", 10**10), "10,000,000,000 draws"),
        (("run", "warehouse", "--seed", -1), "--seed"),
        (("run", "gigawat"), "did you mean 'gigawatt'"),
        (("run", "warehouse", "-o", "."), "exists"),
        (("sweep", "warehouse", "--indices", "sobol", "--samples", 10**9), "1,000,000,000"),
        (("sweep", "warehouse", "--vary", "policy=value", "--draws", 10**9), "at most 1,048,576"),
        (("sweep", "warehouse", "--vary", "value.wacc=0.08..0.12", "--samples", 10**9), "at most"),
        (("sweep", "warehouse", "--vary", "policy=value", "--executor", "spark"), "processes, ray"),
        (("sweep", "warehouse", "--indices", "sobol", "--inputs", "value.wac"), "'value.wacc'"),
        (("require", "warehouse"), "exactly one of --value, --revenue and --daa"),
        (("require", "warehouse", "--value", "0"), "--value: 0 is not above 0"),
        (("require", "warehouse", "--value", "1B", "--daa", "x"), "2 targets: value, daa"),
        (("require", "warehouse", "--value", "1B", "--share", "packages"), "gives no share"),
        (("require", "claimed-9t", "--value", "9T"), "nothing is sold"),
        (("claims", "--no-shipped"), "there is none to judge"),
        (("claims", "--only", "no-empty-card"), "did you mean 'no-empty-cards'"),
        (("validate", "--data", "nowhere"), "'nowhere' is not a folder"),
        (("validate", "serv"), "did you mean 'serve'"),
        (("catalog", "acelerators"), "did you mean accelerators"),
    ],
)
def test_bad_input_is_told(
    arguments: tuple[object, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in told(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_begun_where_the_answer_cannot_go(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Said before the work, so that no half of it is kept."""
    file = tmp_path / "nine.toml"
    asked = ("require", "warehouse", "--value", "1B")
    assert "exists" in told(capsys, *asked, "-o", file, "--run", made / "plain")
    assert not file.exists()
    assert "there is no folder" in told(capsys, *asked, "-o", tmp_path / "no" / "nine.toml")


def test_a_validation_folder_with_unknown_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ours.csv").write_text("id,what,measurd,unit,tolerance,model,source\n")
    said = told(capsys, "validate", "transformer", "--data", tmp_path)
    assert "ours.csv: measurd: unknown column" in said and "did you mean 'measured'" in said
    assert "ours.csv: measured: the column is missing" in said
    (tmp_path / "ours.csv").unlink()
    said = told(capsys, "validate", "transformer", "--data", tmp_path)
    assert "holds neither a published data set nor a *.csv" in said


def test_ray_that_is_not_installed_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    folder = tmp_path / "s"
    asked = ("sweep", "warehouse", "--vary", "policy=value", "--executor", "ray", "-o", folder)
    assert 'pip install "lineshaft[ray]"' in told(capsys, *asked)
    assert list(tmp_path.iterdir()) == []


# ── sweeps ────────────────────────────────────────────────────────────────────────────────────
SWEEP = ("sweep", "warehouse", "--vary", "value.wacc=8%..12%:60", "--kpi", "oversee.daa")


def started(folder: Path) -> subprocess.Popen[str]:
    """A sweep that has finished its first part."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "lineshaft",
            *SWEEP,
            "--vary",
            "value.tax_rate=0..0.4:60",
            "-o",
            "s",
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not list(folder.glob("s.part/parts/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.02)
    return process


def test_an_interrupted_sweep_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = started(tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in out
    assert "the same command goes on" in out
    said = told(capsys, *SWEEP, "-o", tmp_path / "s")
    assert "another question" in said and "value.tax_rate" in said
    assert list(tmp_path.glob("s.part/parts/*.parquet"))


def test_the_workers_of_a_killed_sweep_end_too(tmp_path: Path) -> None:
    """They hold its output: who reads it would wait for ever."""
    process = started(tmp_path)
    process.kill()
    out, _ = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGKILL and "Traceback" not in out
    assert list(tmp_path.glob("s.part/parts/*.parquet")) and not (tmp_path / "s").exists()


def test_a_damaged_sweep_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "s"
    asked = ("sweep", "warehouse", "--vary", "policy=value,priority", "-o", folder)
    assert ask(capsys, *asked)[0] == 0
    (folder / "results.parquet").write_text("half")
    assert "results.parquet is damaged" in ask(capsys, *asked)[2]
    (folder / "sweep.json").write_text("{")
    assert "sweep.json is damaged" in told(capsys, *asked)


def test_a_sweep_that_could_not_begin_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same command must not stumble over what a full disk left."""
    real = Path.write_text

    def full(self: Path, *arguments: object, **options: object) -> int:
        if "sweep.json" in self.name:
            raise OSError(28, "No space left on device", str(self))
        return real(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "write_text", full)
    asked = ("sweep", "warehouse", "--vary", "policy=value", "-o", tmp_path / "s")
    said = told(capsys, *asked)
    assert "No space left on device" in said and "nothing was kept" in said
    assert list(tmp_path.iterdir()) == []


# ── the terminal ──────────────────────────────────────────────────────────────────────────────
def lineshaft_in(folder: Path, *arguments: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "lineshaft", *arguments],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )


@pytest.mark.parametrize("arguments", [("catalog", "accelerators"), ("explain", "plain")])
def test_a_reader_that_went_away_is_no_error(arguments: tuple[str, ...], made: Path) -> None:
    with lineshaft_in(made, *arguments, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == "" and process.wait(60) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_that_cannot_be_written_is_told(made: Path) -> None:
    with Path("/dev/full").open("w") as full:
        process = lineshaft_in(made, "explain", "plain", stdout=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "No space left" in err and "Traceback" not in err and "Exception ignored" not in err


def test_a_terminal_without_the_letters_gets_others(made: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    process = lineshaft_in(made, "explain", "plain", stdout=subprocess.PIPE, env=environment)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and err == "" and "value.enterprise_value_usd" in out


def test_an_interrupted_run_keeps_nothing_and_says_so(tmp_path: Path) -> None:
    arguments = ("run", "gigawatt", "--draws", "4096", "-o", "r")
    process = lineshaft_in(tmp_path, *arguments, start_new_session=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (tmp_path / "r.part").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    assert "nothing half-written was kept" in err and list(tmp_path.iterdir()) == []


# ── odd but right ─────────────────────────────────────────────────────────────────────────────
def test_names_in_any_script_and_a_single_month(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is proposed next can be pasted into a shell."""
    monkeypatch.chdir(tmp_path)
    text = Path(lineshaft.api.locate("warehouse")).read_text("utf-8")
    name = "der Plan d'été.toml"
    (tmp_path / name).write_text(text.replace('"Warehouse"', '"仓库 «Ünï» 🚀"', 1), "utf-8")
    asked = ("run", name, "--set", "months=1", "--draws", "1", "--no-sensitivity", "-o", "r 1")
    status, out, _ = ask(capsys, *asked)
    assert status == 0 and "仓库 «Ünï» 🚀: 1 month from 2026-01, 1 draw " in out
    assert "lineshaft explain 'r 1' value.enterprise_value_usd" in out
    assert "--set months=1 --indices sobol" in out
    assert Run.read(tmp_path / "r 1").info["months"] == 1
    assert ask(capsys, "explain", "r 1")[0] == 0 and ask(capsys, "report", "r 1")[0] == 0


def test_a_scenario_worth_nothing_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = ask(capsys, "run", "claimed-9t", "--no-sensitivity", "-o", tmp_path / "r")
    assert "Nothing is built, served, sold or spent." in out
    assert "lineshaft require" not in out.split("Next:")[1]


def test_a_tiny_target_and_one_that_takes_for_ever(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its report is written too: the change-over of the warehouse has no end within 200 years."""
    asked = ("require", "warehouse", "--value", "1kUSD", "--run", tmp_path / "r")
    status, out, _ = ask(capsys, *asked)
    assert status == 0 and "no firm is so small" in out and "<0.001" in out
    page = (tmp_path / "r" / "report.html").read_text("utf-8")
    assert "more than 200 years" in page


def test_what_programs_read_has_no_nan(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ("explain", made / "plain", "build.first_power_month", "--json"),
        ("compare", made / "plain", made / "plain", "--no-keys", "--json"),
        ("claims", "--only", "9t-above-most-of-g7", "--json"),
        ("validate", "capital", "--json"),
        ("catalog", "models", "--json"),
    ):
        status, out, _ = ask(capsys, *arguments)
        assert status == 0 and out
        for line in out.splitlines():
            json.loads(line, parse_constant=pytest.fail)
