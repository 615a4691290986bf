"""Result files of load generators: measured steady points, and the requests behind them.

    read           a result file becomes `Measured` points, whatever tool wrote it
    write_points   points become a points CSV, which `read` reads

Formats, told apart by what is in them:

- vLLM, ``vllm bench serve --save-result``, one JSON object, or one a line with
  ``--append-result``; requests with ``--save-detailed`` (github.com/vllm-project/vllm,
  vllm/benchmarks/serve.py, 2026).
- SGLang, ``sglang.bench_serving --output-file``, one JSON object a line; requests, without times
  of arrival, with ``--output-details`` (github.com/sgl-project/sglang,
  python/sglang/bench_serving.py).
- AIPerf, ``profile_export_aiperf.json`` (schema 1.5) and the requests in ``profile_export.jsonl``
  (github.com/ai-dynamo/aiperf, docs/reference/json-export-schema.md and
  docs/tutorials/working-with-profile-exports.md).
- inference-perf, ``summary_`` and ``stage_N_lifecycle_metrics.json`` and the requests in
  ``per_request_lifecycle_metrics.json`` (github.com/kubernetes-sigs/inference-perf,
  docs/reports.md, inference_perf/reportgen/base.py).
- GuideLLM, ``benchmarks.json`` of 0.3 to 0.8 (github.com/vllm-project/guidellm,
  src/guidellm/benchmark/schemas/metrics.py). TPOT is its ``inter_token_latency_ms``: its
  ``time_per_output_token_ms`` includes the first token.
- a points CSV of our own, one point a row, with the columns of `COLUMNS`.

Tools seldom write down the accelerator, the engine or the parallelism: `dataclasses.replace` the
fields that a file leaves empty.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lineshaft.benchmarks import points as _points
from lineshaft.benchmarks.points import COLUMNS, write_points
from lineshaft.benchmarks.records import Measured, Rows, Spread
from lineshaft.benchmarks.tools import READERS
from lineshaft.errors import InputError, Problem
from lineshaft.words import shortened

__all__ = ["COLUMNS", "FORMATS", "Measured", "Rows", "Spread", "read", "write_points"]

FORMATS = (
    "vllm bench serve (JSON), sglang.bench_serving (JSONL), AIPerf (profile_export_aiperf.json, "
    "profile_export.jsonl), inference-perf (lifecycle metrics JSON), GuideLLM (benchmarks.json), "
    "or a points CSV"
)


def read(path: str | Path) -> list[Measured]:
    """The measured points of a result file; its format is told from what is in it.

    Raises:
        InputError: no such file, another format, or numbers that are missing or broken (all).
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or "") if isinstance(error, OSError) else "is no UTF-8 text"
        raise _wrong(path, f"cannot be read: {reason}", "check the path") from error
    if not text.strip():
        raise _wrong(path, "is empty")
    if not text.lstrip().startswith(("{", "[")):
        try:
            return _points.read(path, text)
        except LookupError:
            raise _wrong(path, f"starts with {shortened(text.splitlines()[0], 60)!r}") from None
    documents = _documents(path, text)
    for fits, reader in READERS:
        if fits(documents[0]):
            try:
                found = reader(path, documents)
            except (TypeError, ValueError, LookupError, AttributeError) as error:
                reason = f"{type(error).__name__}: {error}"
                raise _wrong(
                    path, f"has values of another form than its tool's ({reason})"
                ) from error
            _complete(path, found)
            return found
    keys = ", ".join(list(documents[0])[:8]) if isinstance(documents[0], dict) else "a list"
    raise _wrong(path, f"is JSON of an unknown kind; it holds {shortened(keys, 80)}")


def _wrong(path: Path, found: str, fix: str = "") -> InputError:
    return InputError(
        Problem(str(path), "benchmark", found, FORMATS, fix or "give a file of these formats")
    )


def _documents(path: Path, text: str) -> list[Any]:
    """The JSON value of the file, or those of its lines."""
    try:
        return [json.loads(text)]
    except json.JSONDecodeError as whole_error:
        documents = []
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            try:
                documents.append(json.loads(line))
            except json.JSONDecodeError as error:
                # a file of one object a line breaks at that line, another one where it broke
                first = not documents
                at = whole_error.lineno if first else number
                reason = whole_error.msg if first else error.msg
                raise _wrong(path, f"is broken JSON in line {at}: {reason}") from error
        return documents


def _complete(path: Path, points: Sequence[Measured]) -> None:
    """No point without lengths or without any latency."""
    problems = []
    for point in points:
        needed = {
            "input tokens": point.input_tokens,
            "output tokens": point.output_tokens,
            "TTFT": point.ttft.mean_s,
        }
        # answers of one token have no TPOT
        missing = [what for what, value in needed.items() if not value > 0.0]
        if missing:
            found = f"{point.tool}: has no {', '.join(missing)}"
            fix = "write the results of a streaming benchmark of text generation"
            problems.append(Problem(point.where, "benchmark", found, "numbers above 0", fix))
    if problems:
        raise InputError(problems)
    if not points:
        raise _wrong(path, "has no answered request")
