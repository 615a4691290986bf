"""OpenInference: every name exists in the published package; kinds, costs, evaluations."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from openinference.semconv import resource, trace

from lineshaft.meter import adapters
from lineshaft.meter.adapters import openinference, otlp

SECOND = 1_767_261_600_000_000_000


def published() -> set[str]:
    found = set()
    for module in (trace, resource):
        for thing in vars(module).values():
            if isinstance(thing, type):
                found |= {value for value in vars(thing).values() if isinstance(value, str)}
    return found


def document(*spans: tuple[str, dict[str, Any]]) -> bytes:
    """Spans (parent, attributes), numbered from 1."""
    made = []
    for place, (parent, attributes) in enumerate(spans, 1):
        kinds = {str: "stringValue", float: "doubleValue", int: "intValue"}
        pairs = [
            {"key": key, "value": {kinds[type(v)]: str(v) if isinstance(v, int) else v}}
            for key, v in attributes.items()
        ]
        made.append(
            {"traceId": "a" * 32, "spanId": str(place) * 16, "parentSpanId": parent * 16,
             "startTimeUnixNano": str(SECOND), "endTimeUnixNano": str(SECOND + 10**9),
             "attributes": pairs}
        )  # fmt: skip
    place = [{"key": "openinference.project.name", "value": {"stringValue": "bot"}}]
    scope = [{"scope": {"name": "openinference"}, "spans": made}]
    return json.dumps(
        {"resourceSpans": [{"resource": {"attributes": place}, "scopeSpans": scope}]}
    ).encode()


def rows(*spans: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    body = document(*spans)
    events, faults, _ = otlp.from_request(body, json=True, ingest_us=1)
    assert not faults.counts
    assert json.loads(otlp.write(events)) == json.loads(body)
    return events.to_pylist()  # type: ignore[no-any-return]


def kind(name: str, **more: Any) -> dict[str, Any]:
    return {openinference.KIND: name, **more}


def test_every_name_is_published() -> None:
    used = {
        openinference.KIND, openinference.SESSION, openinference.USER, openinference.AGENT,
        openinference.PROJECT, openinference.COST, *openinference.TOKENS_IN,
        *openinference.TOKENS_OUT, *openinference.TOKENS_CACHED, *openinference.MODELS,
    }  # fmt: skip
    assert used <= published()
    assert {item.value for item in trace.OpenInferenceSpanKindValues} == set(openinference.ROLES)
    for form, member in openinference.FORMS.items():
        assert form in published()
        assert {f"{member}.{field}" for field in openinference.FIELDS} <= published()
        scoped = {f"{scope}{form}" for scope in openinference.SCOPES}
        assert scoped <= published()


def test_agent_trace_with_cost() -> None:
    model = {
        "llm.model_name": "gpt-5", "llm.token_count.prompt": 90, "llm.token_count.completion": 10,
        "llm.token_count.prompt_details.cache_read": 60, "llm.cost.total": 0.002,
    }  # fmt: skip
    found = rows(
        ("", kind("AGENT", **{"agent.name": "guide", "session.id": "s-1", "user.id": "ada"})),
        ("1", kind("LLM", **model)),
        ("1", kind("TOOL")),
        ("1", kind("GUARDRAIL")),
        ("1", kind("AGENT", **{"agent.name": "helper"})),
    )
    kinds = [(row["kind"], row["actor"]) for row in found]
    assert kinds == [
        ("assign", "human"), ("start", "agent"), ("submit", "agent"), ("llm", "agent"),
        ("tool", "agent"), ("act", "verifier"), ("act", "agent"),
    ]  # fmt: skip
    assert {(row["agent_id"], row["task_id"], row["src"]) for row in found} == {
        ("bot/guide", "s-1", "openinference")
    }
    said = [found[3][name] for name in ("tokens_in", "tokens_out", "tokens_cached", "cost_usd")]
    assert said == [90, 10, 60, 0.002]
    assert adapters.detect(document(("", kind("AGENT")))) == "openinference"


def test_a_chain_without_parent_is_the_run() -> None:
    found = rows(("", kind("CHAIN")), ("1", kind("CHAIN")), ("2", kind("LLM")))
    assert [row["kind"] for row in found] == ["start", "submit", "act", "llm"]


@pytest.mark.parametrize("form", ["annotations", "evaluations"])
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"label": "pass", "annotator_kind": "HUMAN"}, ("accept", "human")),
        ({"label": "incorrect", "annotator_kind": "LLM"}, ("reject", "judge")),
        ({"label": "pass", "annotator_kind": "CODE"}, ("accept", "verifier")),
        ({"score": 1.0, "annotator_kind": "LLM"}, ("act", None)),
    ],
)
def test_evaluations_of_every_scope(
    form: str, said: dict[str, Any], expected: tuple[str, str | None]
) -> None:
    for scope in openinference.SCOPES:
        prefix = f"{scope}{form}.0.{openinference.FORMS[form]}."
        result = {f"{prefix}{name}": value for name, value in {"name": "task", **said}.items()}
        last = rows(("", kind("AGENT", **result)))[-1]
        assert (last["kind"], last["method"]) == expected
        assert last["event_id"].endswith(f"{expected[0]}:result:0")


def test_results_of_steps_and_results_that_come_twice() -> None:
    one = {f"{form}.0.{openinference.FORMS[form]}.{key}": value
           for form in openinference.FORMS
           for key, value in (("name", "x"), ("label", "fail"))}  # fmt: skip
    found = rows(("", kind("AGENT")), ("1", kind("LLM", **one)))
    assert [row["kind"] for row in found] == ["start", "submit", "llm", "act"]
    assert len(list(openinference.results(one))) == 1
    crossed = {"annotations.0.evaluation.name": "x"}
    assert list(openinference.results(crossed)) == []
    assert re.fullmatch(r"openinference-semantic-conventions [\d.]+", openinference.VERSION)
