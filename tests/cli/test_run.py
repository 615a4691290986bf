"""The command line as a user lives it: by its commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lineshaft.cli.run import HEADLINES
from lineshaft.kpis import MEASURES
from lineshaft.runs import Run

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "traces"
NAMED = [
    "build.energised_mw",
    "build.first_power_month",
    "train.goodput",
    "serve.empty_share",
    "plant.pue",
    "agents.fielded",
    "oversee.daa",
    "oversee.accepted_tasks_per_daa",
    "oversee.human_minutes_per_task",
    "value.usd_per_mtok",
    "value.usd_per_task",
    "value.revenue_usd",
    "value.enterprise_value_usd",
    "value.irr",
]


def lineshaft(
    *arguments: str, cwd: Path, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lineshaft", *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def first(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("journey")
    return folder, lineshaft("run", cwd=folder)


def test_run_without_arguments_runs_the_shipped_example(
    first: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = first
    assert done.returncode == 0, done.stderr
    run = folder / "runs" / "gigawatt-001"
    assert str(run / "report.html") in done.stdout
    assert "Next:" in done.stdout and "lineshaft run" in done.stdout
    assert "What limits the work, by year" in done.stdout
    for stage in ("capital", "build", "train", "serve", "oversee", "value"):
        assert any(line.startswith(stage) for line in done.stderr.splitlines())
    assert "\r" not in done.stderr  # plain lines when it is no terminal


def test_the_run_folder_is_complete(first: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    run = Run.read(first[0] / "runs" / "gigawatt-001")
    assert set(NAMED) <= set(run.kpis)
    for kpi in run.kpis.values():
        assert {"value", "unit", "month", "quantiles"} <= set(kpi)
    assert all(check["passed"] for check in run.info["checks"])
    assert run.energised.it_w.max() > 0
    assert (run.folder / "report.html").stat().st_size < 3_000_000
    assert not list(run.folder.parent.glob("*.part"))


def test_the_resolved_scenario_runs_to_the_same_numbers(
    first: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, _ = first
    run = folder / "runs" / "gigawatt-001"
    again = lineshaft("run", str(run / "scenario.toml"), "-o", "again", cwd=folder)
    assert again.returncode == 0, again.stderr
    a, b = Run.read(run), Run.read(folder / "again")
    assert {n: k["value"] for n, k in a.kpis.items()} == {n: k["value"] for n, k in b.kpis.items()}
    for table in run.glob("*.parquet"):
        assert (folder / "again" / table.name).read_bytes() == table.read_bytes()


def test_json_is_one_object_a_line(tmp_path: Path) -> None:
    done = lineshaft("run", "warehouse", "--json", "--draws", "16", "-o", "w", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1]["run"] == "w"
    assert set(NAMED) <= set(lines[-1]["kpis"])
    assert all(check["passed"] for check in lines[-1]["checks"])
    assert lines[-1]["kpis"]["oversee.daa"]["quantiles"]
    assert next(line["stage"] for line in lines[:-1]) == "capital"


def test_headlines_are_measured() -> None:
    assert set(HEADLINES) <= {m.name for m in MEASURES}


def test_a_folder_that_exists_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "keep.txt").write_text("precious")
    done = lineshaft("run", "warehouse", "-o", "mine", cwd=tmp_path)
    assert done.returncode == 2
    assert "exists" in done.stderr and "Traceback" not in done.stderr
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["keep.txt"]


BAD = {
    "missing file": (["run", "no-such.toml"], "no such file"),
    "misspelt key": (["run", "--set", "serve.tracee=x"], "trace"),
    "wrong unit": (["run", "--set", "serve.slo_ttft_s=3 kg"], "time"),
    "negative": (["run", "--set", "capital.opening_cash_usd=-1"], "at least 0"),
    "no trace": (["run", "--set", "serve.trace=no-such.csv"], "no-such.csv"),
    "no variant": (["run", "--variant", "nope"], "nope"),
    "no table": (["catalog", "acelerators"], "accelerators"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_and_ends_with_2(case: str, tmp_path: Path) -> None:
    arguments, expected = BAD[case]
    done = lineshaft(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.parquet"))


SCENARIOS = {
    "no money": (
        (
            '[[build.campus]]\nname = "a"\n[[build.phase]]\nname = "1"\ncampus = "a"\n'
            'start = "2026-01"\nit_w = "10 MW"\n'
        ),
        "no money",
    ),
    "no power": (
        '[[serve.model]]\nname = "Llama 3.1 8B"\n[[agents.kind]]\nname = "coder"\n',
        "nothing to serve it on",
    ),
    "no demand": ('name = "empty"\n', "nobody asks for anything"),
    "three at once": (
        'mnths = 12\nstart = "2026-13"\n[capital]\nopening_cash_usd = "20 kg"\n',
        "3 problems found",
    ),
    "unknown accelerator": (
        '[[serve.rented]]\nname = "x"\naccelerator = "H1000"\ncount = 8\n',
        "H100",
    ),
    "broken TOML": ("[capital\n", "1"),
}


@pytest.mark.parametrize("case", SCENARIOS)
def test_bad_scenarios_are_told_with_their_line(case: str, tmp_path: Path) -> None:
    text, expected = SCENARIOS[case]
    (tmp_path / "mine.toml").write_text(text)
    done = lineshaft("check", "mine.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_a_trace_with_broken_rows_counts_them(tmp_path: Path) -> None:
    rows = ["TIMESTAMP,ContextTokens,GeneratedTokens"]
    rows += [f"2023-11-16 18:17:{i:02d}.0000000,100,20" for i in range(40)]
    rows[7] = "2023-11-16 18:17:06.0000000,many,20"
    rows[9] = "2023-11-16 18:17:08.0000000,100"
    (tmp_path / "trace.csv").write_text("\n".join(rows) + "\n")
    done = lineshaft("run", "--set", "serve.trace=trace.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert "2 of 40 rows" in done.stderr and "8" in done.stderr and "10" in done.stderr


def test_a_killed_run_leaves_no_result(tmp_path: Path) -> None:
    """Nothing half-written carries the name of the run, and the same command works again."""
    command = [sys.executable, "-m", "lineshaft", "run", "gigawatt", "--draws", "4096", "-o", "r"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "r.part").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "r").exists()
    with pytest.raises(Exception, match="did not end"):
        Run.read(tmp_path / "r")
    done = lineshaft("run", "warehouse", "-o", "r", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "r.part").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys\n"
        "real = pathlib.Path.write_text\n"
        "def full(self, *a, **k):\n"
        "    if self.name == 'run.json':\n"
        "        with open('/dev/full', 'w') as f:\n"
        "            f.write('x')\n"
        "    return real(self, *a, **k)\n"
        "pathlib.Path.write_text = full\n"
        "from lineshaft.cli import main\n"
        "main(['run', 'warehouse', '-o', 'r'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "No space left" in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_check_schema_and_catalog_print_to_stdout(tmp_path: Path) -> None:
    assert "ok" in lineshaft("check", "gigawatt", cwd=tmp_path).stdout
    schema = json.loads(lineshaft("schema", cwd=tmp_path).stdout)
    assert {"capital", "build", "value"} <= set(schema["properties"])
    listed = lineshaft("catalog", "accelerators", "--search", "h200", cwd=tmp_path).stdout
    assert listed.startswith("H200") and "source" in listed
    assert "accelerators" in lineshaft("catalog", cwd=tmp_path).stdout


def test_a_scenario_comes_from_standard_input(tmp_path: Path) -> None:
    text = (
        'name = "piped"\nmonths = 3\n[[value.claim]]\nname = "c"\nfirm = "Anthropic"\n'
        'raise_usd = "300 GUSD"\npre_usd = "9 TUSD"\ndate = "2026-05"\nsource = "an essay"\n'
    )
    done = lineshaft("run", "-", "-o", "r", cwd=tmp_path, stdin=text)
    assert done.returncode == 0, done.stderr
    assert Run.read(tmp_path / "r").info["scenario"] == "piped"


def test_help_is_quick_to_import() -> None:
    """`--help` loads none of the heavy libraries."""
    code = (
        "import sys\n"
        "from lineshaft.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted(m for m in ('numpy', 'numba', 'pint', 'pydantic', 'pyarrow', 'scipy')"
        " if m in sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    assert done.stderr.strip() == "[]"
    assert "Usage" in done.stdout


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="published traces are not here")
@pytest.mark.parametrize("trace", ["AzureLLMInferenceTrace_conv.csv", "conversation_trace.jsonl"])
def test_a_published_trace_gives_the_shape(trace: str, tmp_path: Path) -> None:
    done = lineshaft("run", "--set", f"serve.trace={SHARED / trace}", "-o", "r", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert trace in done.stdout and "comes from the demand" in done.stdout
