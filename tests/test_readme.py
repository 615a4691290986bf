"""Every block of code in the README runs, and prints what the README says.

With LINESHAFT_REFRESH=1 in the environment the printed parts are written anew.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lineshaft import measured

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
REFRESH = os.environ.get("LINESHAFT_REFRESH") == "1"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


def replaced(old: str, new: str) -> None:
    README.write_text(README.read_text("utf-8").replace(old, new), "utf-8")


def ran(command: str, cwd: Path) -> str:
    arguments = shlex.split(command, comments=True)
    assert arguments[0] == "lineshaft"
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def shown(output: str) -> str:
    """The part of a run's output that is the same on every machine."""
    return output.split("\nNote:")[0].strip()


def test_the_first_screen_shows_what_a_run_prints(tmp_path: Path) -> None:
    block = blocks("console")[0]
    first, _, printed = block.partition("\n")
    output = shown(ran(first.removeprefix("$ "), tmp_path))
    if REFRESH:
        replaced(block, f"{first}\n{output}\n")
    else:
        assert printed.strip() == output


def test_the_shell_commands_run(tmp_path: Path) -> None:
    rows = ["TIMESTAMP,ContextTokens,GeneratedTokens"]
    rows += [
        f"2023-11-16 18:{i // 60:02d}:{i % 60:02d}.5,{500 + i},{50 + i % 90}" for i in range(900)
    ]
    (tmp_path / "my-requests.csv").write_text("\n".join(rows) + "\n")
    example = ROOT / "src/lineshaft/examples/warehouse.toml"
    (tmp_path / "my.toml").write_text(example.read_text("utf-8"))
    commands = [line for block in blocks("sh") for line in block.splitlines() if line.strip()]
    mine = [c for c in commands if c.startswith("lineshaft")]
    assert len(mine) >= 6
    for command in mine:
        ran(command, tmp_path)
    makes = [c.split()[1] for c in commands if c.startswith("make")]
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert makes == ["run", "test"] and set(makes) <= set(targets)


def test_the_table_of_model_against_measured_is_what_ships() -> None:
    lines = ["| stage | identity | fitted | unseen |", "|---|--:|--:|--:|"]
    every = measured.summary()
    for stage in [*dict.fromkeys(row["stage"] for row in every), "all"]:
        counts = {
            count.kind: f"{count.passed} of {count.run}"
            + (f", median error {100 * count.median_error:.1f} %" if told(count) else "")
            for count in measured.tally(r for r in every if stage in ("all", r["stage"]))
            if count.run
        }
        cells = [counts.get(kind, "–") for kind in ("identity", "fitted", "unseen")]
        lines.append(f"| {stage} | {' | '.join(cells)} |")
    block = "\n".join(lines)
    found = re.search(
        r"<!-- measured -->\n(.*?)\n?<!-- /measured -->", README.read_text("utf-8"), re.S
    )
    assert found is not None
    if REFRESH:
        replaced(found[0], f"<!-- measured -->\n{block}\n<!-- /measured -->")
    else:
        assert found[1] == block


def told(count: measured.Tally) -> bool:
    return count.kind != "identity" and count.median_error is not None


def test_the_python_session_runs() -> None:
    (block,) = blocks("python")
    test = doctest.DocTestParser().get_doctest(block, {}, "README", str(README), 0)
    if REFRESH:
        lines: list[str] = []
        names: dict[str, object] = {}
        for example in test.examples:
            lines.append(">>> " + example.source.rstrip().replace("\n", "\n... "))
            value = _printed(example.source, names)
            lines += [value] if value else []
        replaced(block, "\n".join(lines) + "\n")
        return
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    result = runner.run(test, out=said.append)
    assert result.failed == 0, "".join(said)
    assert result.attempted >= 6


def _printed(source: str, names: dict[str, object]) -> str:
    import contextlib
    import io

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, "README", "single"), names)
    return out.getvalue().rstrip()


def test_the_bench_prints_these_lines() -> None:
    command, *printed = blocks("console")[1].strip().splitlines()
    path = ROOT / command.split()[-1]
    arguments = [sys.executable, str(path)] + ([] if REFRESH else ["16"])
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    if REFRESH:
        replaced(blocks("console")[1], f"{command}\n{done.stdout}")
        return

    def words(lines: list[str]) -> list[str]:
        return [re.sub(r"[\d.]+", "", line).split("(")[0].split() for line in lines]  # type: ignore[misc]

    assert words(done.stdout.splitlines()) == words(printed)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs"])
def test_files_that_are_named_exist(page: str) -> None:
    root = ROOT / page
    for path in [root] if root.is_file() else sorted(root.glob("*.md")):
        text = path.read_text("utf-8")
        for name in re.findall(r"`((?:docs|src|tests|bench|examples)/[\w./-]+)`", text):
            assert (ROOT / name).exists(), f"{path.name} names {name}"
        for link in re.findall(r"\]\((?!https?://|#|reference/)([^)#]+)", text):
            assert (path.parent / link).exists(), f"{path.name} links to {link}"
