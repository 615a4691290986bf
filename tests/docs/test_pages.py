"""The pages that walk a reader through something do what they say.

A page's fenced blocks are its script, in their order. A block with a title is a file to write,
"(add)" in the title adds to it; `console` holds commands with what they print, where a line of `…`
stands for any lines. A `diff` replaces what it shows in the file of its title, or in those of its
lines of `+++ file`; a line of `@@` stands between two places. Pages under extend/ run in a copy of
the repository, so that they may change it.

With LINESHAFT_REFRESH=1 in the environment what is printed is written anew, as many lines as stand
before and after the `…`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[2]
REFRESH = os.environ.get("LINESHAFT_REFRESH") == "1"
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
ANY = "…"


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    title: str
    text: str


@dataclass(frozen=True)
class Place:
    """Where a page is worked through."""

    folder: Path
    environment: dict[str, str]

    def run(self, command: str, status: int) -> list[str]:
        """The lines that a command prints; those of standard error too where it is to fail."""
        arguments = shlex.split(command)
        assert arguments[0] in ("lineshaft", "python"), command
        head = ["-m", "lineshaft"] if arguments[0] == "lineshaft" else []
        done = subprocess.run(
            [sys.executable, *head, *arguments[1:]],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == status, f"{command}: {done.stdout}{done.stderr}"
        said = done.stdout + (done.stderr if status else "")
        return [line.rstrip() for line in said.strip("\n").splitlines()]

    def do(self, block: Block) -> str:
        """Carry out one block; what it should look like comes back."""
        if block.language == "console":
            return self._console(block)
        if block.language == "diff":
            self._patch(block)
        elif block.title:
            name, added = re.subn(r" \(add\)$", "", block.title)
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            old = path.read_text("utf-8") if added else ""
            path.write_text(old + block.text, "utf-8")
        return block.text

    def _console(self, block: Block) -> str:
        status = int(block.title.removeprefix("exit status ") or 0)
        found: list[str] = []
        for part in re.split(r"^(?=\$ )", block.text, flags=re.MULTILINE)[1:]:
            first, *printed = part.rstrip("\n").splitlines()
            said = self.run(first.removeprefix("$ "), status)
            if REFRESH:
                printed = again(printed, said)
            assert matches(printed, said), f"{first}\n" + "\n".join(said)
            found += [first, *printed]
        return "\n".join(found) + "\n"

    def _patch(self, block: Block) -> None:
        path = self.folder / block.title
        for part in re.split(r"^(?=\+\+\+ |@@)", block.text, flags=re.MULTILINE):
            lines = part.splitlines(keepends=True)
            if part.startswith("+++ "):
                path = self.folder / lines.pop(0)[4:].strip()
            elif part.startswith("@@"):
                lines.pop(0)
            if not lines:
                continue
            old = "".join(line[1:] or "\n" for line in lines if not line.startswith("+"))
            new = "".join(line[1:] or "\n" for line in lines if not line.startswith("-"))
            content = path.read_text("utf-8")
            assert content.count(old) == 1, f"{path.name} holds {content.count(old)} times:\n{old}"
            path.write_text(content.replace(old, new), "utf-8")


def blocks(page: str) -> list[Block]:
    text = (ROOT / "docs" / page).read_text("utf-8")
    return [Block(language, title, body) for language, title, body in BLOCK.findall(text)]


def parts(printed: list[str]) -> list[list[str]]:
    """The runs of lines between the lines of `…`."""
    found: list[list[str]] = [[]]
    for line in printed:
        if line.strip() == ANY:
            found.append([])
        else:
            found[-1].append(line.rstrip())
    return found


def matches(printed: list[str], said: list[str]) -> bool:
    """Whether `said` is `printed`, with any lines for each `…`."""
    wanted = parts(printed)
    if len(wanted) == 1:
        return wanted[0] == said
    first, *middle, last = wanted
    if said[: len(first)] != first or (last and said[-len(last) :] != last):
        return False
    at = len(first)
    for part in middle:
        places = (i for i in range(at, len(said)) if said[i : i + len(part)] == part)
        found = next(places, None)
        if found is None:
            return False
        at = found + len(part)
    return at + len(last) <= len(said)


def again(printed: list[str], said: list[str]) -> list[str]:
    """`said` cut as `printed` was: as many lines before the first `…` and after the last."""
    wanted = parts(printed)
    if len(wanted) == 1:
        return said
    if len(wanted) > 2:
        assert matches(printed, said), "write anew by hand: more than one …"
        return printed
    head, tail = (len(part) for part in wanted)
    return [*said[:head], ANY, *(said[-tail:] if tail else [])]


def work_through(page: str, place: Place) -> None:
    path = ROOT / "docs" / page
    for block in blocks(page):
        shown = place.do(block)
        if REFRESH and shown != block.text:
            path.write_text(path.read_text("utf-8").replace(block.text, shown), "utf-8")


@pytest.fixture
def empty(tmp_path: Path) -> Place:
    return Place(tmp_path, dict(os.environ))


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Place]:
    """A copy of the repository, whose package is the one that is imported."""
    # times are kept, so that what numba compiled for the original serves the copy
    shutil.copytree(ROOT / "src", tmp_path / "src")
    (tmp_path / "docs").mkdir()
    shutil.copy2(ROOT / "docs/gaps.md", tmp_path / "docs")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "src")}
    place = Place(tmp_path, environment)
    where = place.run("python -c 'import lineshaft; print(lineshaft.__file__)'", 0)
    assert where == [str(tmp_path / "src/lineshaft/__init__.py")]
    yield place
    shutil.rmtree(tmp_path / "src")


def test_any_lines_are_any_lines() -> None:
    said = ["a", "b", "c", "d"]
    for printed in (["a", "b", "c", "d"], ["…"], ["a", "…"], ["…", "d"], ["a", "…", "c", "…"]):
        assert matches(printed, said), printed
    for printed in ([], ["a"], ["b", "…"], ["…", "c"], ["a", "…", "c", "…", "b", "…"]):
        assert not matches(printed, said), printed
    assert not matches(["a", "b", "…", "b", "c", "d"], said)
    assert again(["x", "…", "y"], said) == ["a", "…", "d"]


def test_the_first_run(empty: Place) -> None:
    work_through("first-run.md", empty)


def test_a_deployment_is_planned(empty: Place) -> None:
    work_through("serve/plan-a-deployment.md", empty)


def test_reviewers_are_staffed(empty: Place) -> None:
    work_through("oversee/staffing.md", empty)


@pytest.mark.parametrize("page", ["index", "plan-against-actual", "where-logs-live"])
def test_agents_are_metered(page: str, empty: Place) -> None:
    work_through(f"meter/{page}.md", empty)


@pytest.mark.parametrize("page", ["accelerator", "measurement", "stage"])
def test_what_is_added_works(page: str, copy: Place) -> None:
    work_through(f"extend/{page}.md", copy)


def test_a_stage_that_is_added_works_and_its_money_too(copy: Place) -> None:
    """And it changes no figure of a scenario that does without."""
    campus = next(block for block in blocks("extend/new-stage.md") if block.language == "toml")
    without = re.sub(r"^heat.*\n", "", campus.text, flags=re.MULTILINE)
    (copy.folder / "without.toml").write_text(without, "utf-8")
    copy.run("lineshaft run without.toml --draws 16 --no-sensitivity -o before", 0)
    work_through("extend/new-stage.md", copy)
    work_through("extend/revenue.md", copy)
    copy.run("lineshaft run without.toml --draws 16 --no-sensitivity -o after", 0)
    before, after = (_figures(copy.folder / name) for name in ("before", "after"))
    assert set(after) - set(before) == {"heat.revenue_usd"}
    assert all(after[name] == figure for name, figure in before.items())


def _figures(run: Path) -> dict[str, tuple[str, bytes]]:
    """What is told of every headline figure of a run, and the bytes of its draws."""
    told = json.loads((run / "run.json").read_text("utf-8"))["kpis"]
    drawn = pq.read_table(run / "kpis.parquet")
    return {name: (str(what), drawn[name].to_numpy().tobytes()) for name, what in told.items()}
