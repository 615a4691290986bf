"""The error tree.

    LineshaftError              anything a caller may want to catch
    ├── InputError              the input is wrong: carries every Problem found, exit code 2
    ├── ConservationError       a balance does not close: names stage, month and residual
    └── RunError                a run folder cannot be written, read or resumed, exit code 2

An input error says where (file, line, key path), what was found, what is allowed, and the fix.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class LineshaftError(Exception):
    """Root of all errors that lineshaft raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input: where it is, what was found, what is allowed, the fix."""

    where: str
    """File and line, for example ``factory.toml:12``; empty when there is no file."""
    key: str
    """Dotted key path, for example ``serve.trace``."""
    found: str
    """What was found."""
    allowed: str = ""
    """What is allowed."""
    fix: str = ""
    """What to do about it."""

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.where, self.key) if part)
        lines = [f"{place}: {self.found}" if place else self.found]
        if self.allowed:
            lines.append(f"  allowed: {self.allowed}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


class InputError(LineshaftError):
    """The input is wrong. ``problems`` holds all of them, in the order of the file."""

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (
            (problems,) if isinstance(problems, Problem) else tuple(problems)
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


class ConservationError(LineshaftError):
    """A balance does not close within its tolerance."""

    def __init__(self, stage: str, balance: str, month: str, residual: float) -> None:
        self.stage, self.balance, self.month, self.residual = stage, balance, month, residual
        super().__init__(
            f"{stage}: the balance '{balance}' is off by {residual:.3g} (relative) in {month}"
        )

    def __reduce__(self) -> tuple[type[ConservationError], tuple[str, str, str, float]]:
        return type(self), (self.stage, self.balance, self.month, self.residual)


class RunError(LineshaftError):
    """A run folder cannot be written, read or resumed."""
