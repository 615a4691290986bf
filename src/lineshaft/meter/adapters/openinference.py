"""OpenInference spans, semantic conventions 0.1.42: names, kinds, costs and evaluations.

https://arize-ai.github.io/openinference/spec/semantic_conventions.html and, for annotations and
evaluations, https://github.com/Arize-ai/openinference/blob/main/spec/annotations.md. The spans
travel as OTLP; `adapters.otlp` carries them and asks here what they mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

VERSION = "openinference-semantic-conventions 0.1.42"

KIND = "openinference.span.kind"
SESSION = "session.id"
USER = "user.id"
AGENT = "agent.name"
PROJECT = "openinference.project.name"
COST = "llm.cost.total"
"""US dollars."""

ROLES: Mapping[str, str] = {
    "AGENT": "agent",
    "LLM": "llm",
    "EMBEDDING": "llm",
    "TOOL": "tool",
    "RETRIEVER": "tool",
    "RERANKER": "tool",
    "DECISION": "llm",
    "CHAIN": "act",
    "PROMPT": "act",
    "GUARDRAIL": "check",
    "EVALUATOR": "check",
    "UNKNOWN": "act",
}
"""Kind of span -> what it is in the trace. A CHAIN without a parent is the run of a whole
application, so it stands for the agent where the trace names none."""

TOKENS_IN = ("llm.token_count.prompt", "decision.token_count.input")
TOKENS_OUT = ("llm.token_count.completion", "decision.token_count.output")
TOKENS_CACHED = (
    "llm.token_count.prompt_details.cache_read",
    "llm.token_count.prompt_details.cache_input",
)
MODELS = (
    "llm.response.model_name",
    "llm.model_name",
    "llm.request.model_name",
    "embedding.model_name",
    "reranker.model_name",
    "decision.response.model_name",
    "decision.model_name",
    "decision.request.model_name",
)

FORMS = {"annotations": "annotation", "evaluations": "evaluation"}
SCOPES = ("", "trace.", "session.")
FIELDS = ("name", "score", "label", "explanation", "annotator_kind", "identifier", "metadata")
_RESULT = re.compile(
    r"(?:(trace|session)\.)?(annotations|evaluations)\.(\d+)\.(annotation|evaluation)\.(\w+)"
)


def results(attributes: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(scope, fields) of every evaluation and annotation; scope: span, trace or session.

    A result that both forms carry is given once.
    """
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for key, value in attributes.items():
        match = _RESULT.fullmatch(key)
        if match and FORMS[match[2]] == match[4]:
            found.setdefault((match[1] or "span", match[2], match[3]), {})[match[5]] = value
    told = []
    for (scope, _, _), fields in sorted(found.items(), key=lambda item: item[0]):
        if (scope, fields) not in told:
            told.append((scope, fields))
            yield scope, fields
