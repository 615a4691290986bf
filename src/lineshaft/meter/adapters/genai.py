"""What a GenAI span means: the names of the OpenTelemetry conventions, current and legacy.

Pinned to https://github.com/open-telemetry/semantic-conventions-genai (status: development; split
from semantic-conventions 1.41), the names before it (`gen_ai.system`, `gen_ai.usage.prompt_tokens`
of semantic-conventions 1.27), those of OpenLLMetry (`llm.usage.*`, `traceloop.*`,
https://github.com/traceloop/openllmetry), of MCP spans, and OpenInference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lineshaft.meter.adapters import openinference
from lineshaft.meter.adapters.rows import text

VERSION = "semantic-conventions-genai, development, 2026-11"

OPERATION = "gen_ai.operation.name"
OPERATIONS: Mapping[str, str] = {
    "chat": "llm",
    "generate_content": "llm",
    "text_completion": "llm",
    "embeddings": "llm",
    "retrieval": "tool",
    "execute_tool": "tool",
    "invoke_agent": "agent",
    "invoke_workflow": "agent",
    "create_agent": "heartbeat",
    "plan": "act",
    "create_memory": "act",
    "search_memory": "act",
    "update_memory": "act",
    "upsert_memory": "act",
    "delete_memory": "act",
    "create_memory_store": "act",
    "delete_memory_store": "act",
}
"""Operation -> what it is in the trace. An operation that is not here is an act."""

TRACELOOP: Mapping[str, str] = {
    "workflow": "agent", "agent": "agent", "task": "act", "tool": "tool",
}  # fmt: skip
REQUESTS: Mapping[str, str] = {
    "chat": "llm", "completion": "llm", "embedding": "llm", "rerank": "tool",
}  # fmt: skip
"""`llm.request.type` of OpenLLMetry."""
MCP: Mapping[str, str] = {"tools/call": "tool", "elicitation/create": "ask_human"}
"""`mcp.method.name`: an elicitation asks the human at the client."""

TOKENS_IN = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    *openinference.TOKENS_IN,
    "llm.usage.prompt_tokens",
)
TOKENS_OUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    *openinference.TOKENS_OUT,
    "llm.usage.completion_tokens",
)
TOKENS_CACHED = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    *openinference.TOKENS_CACHED,
)
MODELS = ("gen_ai.response.model", "gen_ai.request.model", *openinference.MODELS)
COSTS = (openinference.COST, "gen_ai.usage.cost")
"""US dollars. OpenTelemetry names no cost; the second name is OpenLIT's
(https://github.com/openlit/openlit)."""

AGENTS = (
    "gen_ai.agent.id", "gen_ai.agent.name", openinference.AGENT, "traceloop.entity.name",
)  # fmt: skip
CONVERSATIONS = (
    "gen_ai.conversation.id",
    openinference.SESSION,
    "traceloop.association.properties.session_id",
)
USERS = (openinference.USER, "enduser.id")
TENANTS = ("daa.tenant", "tenant.id", "tenant")
"""Resource attributes that name the tenant, in this order; else the one that the caller states."""

EVALUATIONS = ("gen_ai.evaluation.result", "gen_ai.evaluation")
"""Names of the event that carries an evaluation."""
EVALUATION = "gen_ai.evaluation.name"
ANNOTATORS = ("annotator_kind", "annotation.annotator_kind", "evaluation.annotator_kind")
CLIENT = 3
"""SpanKind of a call to a remote service."""
ERROR = 2
"""StatusCode of an error."""


def first(attributes: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """The value under the first of the names that is there."""
    for name in names:
        if name in attributes:
            return attributes[name]
    return None


def role(attributes: Mapping[str, Any], has_parent: bool) -> tuple[str, str]:
    """(what a span is, whose names say so).

    agent, llm, tool, act, check (a guardrail or an evaluator), ask_human, or heartbeat for a span
    that is no work of an agent; otlp or openinference.
    """
    operation = attributes.get(OPERATION)
    if operation is not None:
        return OPERATIONS.get(operation, "act") if type(operation) is str else "act", "otlp"
    kind = attributes.get(openinference.KIND)
    if kind is not None:
        if kind == "CHAIN" and not has_parent:
            return "agent", "openinference"
        known = openinference.ROLES
        return known.get(kind, "act") if type(kind) is str else "act", "openinference"
    for key, known in (
        ("traceloop.span.kind", TRACELOOP),
        ("llm.request.type", REQUESTS),
        ("mcp.method.name", MCP),
    ):
        value = attributes.get(key)
        if type(value) is str and value in known:
            return known[value], "otlp"
    if "gen_ai.system" in attributes or "gen_ai.provider.name" in attributes:
        return ("tool" if "gen_ai.tool.name" in attributes else "llm"), "otlp"
    return "heartbeat", "otlp"


def deployment(resource: Mapping[str, Any]) -> str:
    """What is deployed, stable over restarts: service.namespace/service.name.

    `service.instance.id` changes with every start and is no part of it. Empty where the resource
    names no service; the SDKs' `unknown_service` is no name.
    """
    name = text(resource.get("service.name")) or ""
    if not name or name.startswith("unknown_service"):
        name = text(resource.get(openinference.PROJECT)) or ""
    space = text(resource.get("service.namespace"))
    return f"{space}/{name}" if space and name else name


def agent_id(deployed: str, name: str | None) -> str | None:
    """The agent of a deployment; None where neither is named."""
    if deployed and name:
        return f"{deployed}/{name}"
    return name or deployed or None
