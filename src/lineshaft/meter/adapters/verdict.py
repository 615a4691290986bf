"""Which evaluations decide a task, and how.

An evaluation says something about an output; whether that accepts the task is the evaluator's to
say. By default its label decides where it is a plain pass or fail; a score decides only where a
least score is stated, since the meaning and the direction of a score depend on the evaluator
(OpenTelemetry and OpenInference say so both). Other evaluations are kept as acts of a verifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lineshaft.errors import InputError, Problem
from lineshaft.meter.adapters.rows import real
from lineshaft.words import suggestion

PASSED = frozenset(
    {
        "pass", "passed", "accept", "accepted", "approve", "approved", "correct", "success",
        "successful", "resolved", "yes", "true", "completed", "complete",
    }
)  # fmt: skip
FAILED = frozenset(
    {
        "fail", "failed", "reject", "rejected", "incorrect", "failure", "unsuccessful",
        "unresolved", "no", "false", "incomplete",
    }
)  # fmt: skip
ANNOTATORS = {"HUMAN": "human", "LLM": "judge", "CODE": "verifier"}
"""OpenInference's kind of annotator -> method."""
ACTORS = {"human": "human", "judge": "verifier", "verifier": "verifier"}


@dataclass(frozen=True, slots=True)
class Verdicts:
    """How evaluations are read."""

    passed: frozenset[str] = PASSED
    failed: frozenset[str] = FAILED
    least_score: float | None = None
    """A score from here on passes, a lower one fails, where the label says nothing."""
    only: frozenset[str] | None = None
    """Names of the evaluations that decide; None: all."""

    def kind(self, name: Any, label: Any, score: Any) -> str | None:
        """accept, reject, or None where the evaluation decides nothing."""
        if self.only is not None and str(name) not in self.only:
            return None
        word = str(label).strip().lower() if isinstance(label, str | bool) else ""
        if word in self.passed:
            return "accept"
        if word in self.failed:
            return "reject"
        number = real(score)
        if self.least_score is None or number is None:
            return None
        return "accept" if number >= self.least_score else "reject"


def verdicts(mapping: Mapping[str, Any] | None) -> Verdicts:
    """From the table `evaluation` of a mapping file: passed, failed, only (lists of words) and
    least_score; all are optional.

    InputError with every key that is unknown or of the wrong type.
    """
    stated = (mapping or {}).get("evaluation", {})
    if not isinstance(stated, Mapping):
        raise InputError(Problem("", "evaluation", f"{stated!r}", "a table"))
    found, values = [], dict[str, Any]()
    for key, value in stated.items():
        where = f"evaluation.{key}"
        if key == "least_score":
            if real(value) is None:
                found.append(Problem("", where, f"{value!r}", "a number"))
            values[key] = real(value)
        elif key in ("passed", "failed", "only"):
            if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
                found.append(Problem("", where, f"{value!r}", "a list of words"))
                continue
            words = value if key == "only" else [word.lower() for word in value]
            values[key] = frozenset(words)
        else:
            known = ("passed", "failed", "only", "least_score")
            fix = suggestion(key, known)
            found.append(Problem("", where, "unknown key", ", ".join(known), fix))
    if found:
        raise InputError(found)
    return Verdicts(**values)
