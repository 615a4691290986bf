"""What several verbs share: options, and printing progress."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TextIO

import typer

ScenarioArgument = Annotated[
    str | None,
    typer.Argument(help="TOML file, shipped example, or - for stdin.", show_default="gigawatt"),
]
VariantOption = Annotated[
    str | None, typer.Option("--variant", help="Apply the overrides of [variants.NAME].")
]
OverrideOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key; may be repeated."),
]

SeedOption = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of all randomness.")]


def stem(scenario: str | None, variant: str | None) -> str:
    """What the folder of a run or a sweep is called after."""
    name = "gigawatt" if scenario is None else "stdin" if scenario == "-" else Path(scenario).stem
    return f"{name}-{variant}" if variant else name


def again(
    scenario: str | None,
    variant: str | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
) -> list[str]:
    """The words that ask for the same scenario once more, after a verb."""
    found = [] if scenario is None else [scenario]
    found += [] if variant is None else ["--variant", variant]
    for override in overrides:
        found += ["--set", override]
    return found if seed is None else [*found, "--seed", str(seed)]


class Progress:
    """Progress on stderr: one line that is redrawn on a terminal, plain lines elsewhere."""

    INTERVAL_S = 0.1

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.live = self.stream.isatty() and os.environ.get("TERM") != "dumb"
        self.last = 0.0
        self.shown = False

    def note(self, text: str) -> None:
        """A passing note, shown on a terminal only, at most ten times a second."""
        now = time.monotonic()
        if self.live and now - self.last >= self.INTERVAL_S:
            self.last = now
            self.shown = True
            self.stream.write(f"\r\x1b[2K{text}")
            self.stream.flush()

    def clear(self) -> None:
        """Take the passing note away."""
        if self.shown:
            self.stream.write("\r\x1b[2K")
            self.shown = False

    def line(self, text: str) -> None:
        """A line that stays."""
        self.clear()
        self.stream.write(f"{text}\n")
        self.stream.flush()


class Bar:
    """How far the work is, at which rate, and how long it will take, on stderr."""

    WIDTH = 24

    def __init__(self, progress: Progress, what: str) -> None:
        self.progress, self.what = progress, what
        self.started = time.monotonic()
        self.done = self.total = 0
        self.before: int | None = None
        """Done by an earlier sweep that stopped."""

    def __call__(self, done: int, total: int) -> None:
        if self.before is None:
            self.before, self.started = done, time.monotonic()
        self.done, self.total = done, total
        full = self.WIDTH * done // max(total, 1)
        rate = self.rate
        left = f", {(total - done) / rate:.0f} s left" if rate > 0 else ""
        told = f", {rate:.3g}/s" if rate > 0 else ""
        bar = "#" * full + "." * (self.WIDTH - full)
        self.progress.note(f"[{bar}] {done} of {total} {self.what}{told}{left}")

    @property
    def rate(self) -> float:
        """Per second, by this process alone."""
        spent = time.monotonic() - self.started
        return (self.done - (self.before or 0)) / spent if spent > 0 else 0.0

    def end(self) -> None:
        """The line that stays."""
        own = self.done - (self.before or 0)
        spent = time.monotonic() - self.started
        kept = f", {self.before} of them kept from before" if self.before else ""
        rate = f" in {spent:.1f} s ({self.rate:.3g}/s)" if own else ""
        if self.total:
            self.progress.line(f"{self.done} {self.what}{rate}{kept}")
        else:
            self.progress.line("the sweep was there already")
