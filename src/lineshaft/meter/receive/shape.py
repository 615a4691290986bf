"""Whether JSON has the shape of an OTLP request, checked before it is acknowledged.

The mapping is that of https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: lower
camel case, 64-bit integers as decimal strings or numbers, ids in hexadecimal, enums as integers,
unknown fields ignored.
"""

from __future__ import annotations

import binascii
import math
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], bool]

DEEPEST = 60
"""Nesting of values; protobuf parsers stop at 100 messages."""


def wrong(value: Any, shape: Any, depth: int = 0) -> str | None:
    """The path of the first thing that does not have its shape; None where all has.

    A shape is a check of a plain value, a dict (an object with these fields), or a list with one
    shape (an array of it).
    """
    if isinstance(shape, dict):
        if not isinstance(value, dict) or depth > DEEPEST:
            return ""
        for key, part in value.items():
            inner = shape.get(key)
            if inner is None or part is None:
                continue
            found = wrong(part, inner, depth + 1)
            if found is not None:
                return f".{key}{found}"
        return None
    if isinstance(shape, list):
        if not isinstance(value, list):
            return ""
        inner = shape[0]
        for place, part in enumerate(value):
            found = wrong(part, inner, depth)
            if found is not None:
                return f"[{place}]{found}"
        return None
    return None if shape(value) else ""


def text(value: Any) -> bool:
    """A string."""
    return type(value) is str


def flag(value: Any) -> bool:
    """true or false."""
    return type(value) is bool


def _whole(least: int, most: int) -> Check:
    def check(value: Any) -> bool:
        if type(value) is str:
            if not value.isascii() or not value.removeprefix("-").isdigit() or len(value) > 21:
                return False
            value = int(value)
        return type(value) is int and least <= value <= most

    return check


def number(value: Any) -> bool:
    """A number, or the words that protobuf's JSON has for those that JSON has not."""
    if type(value) is bool:
        return False
    if value in ("NaN", "Infinity", "-Infinity"):
        return True
    try:
        return math.isfinite(float(value)) and not (type(value) is str and "_" in value)
    except (TypeError, ValueError, OverflowError):
        return False


def octets(value: Any) -> bool:
    """Bytes in base64, of either alphabet, padded or not."""
    if type(value) is not str:
        return False
    plain = value.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        binascii.a2b_base64(plain + "=" * (-len(plain) % 4), strict_mode=True)
    except (binascii.Error, ValueError):
        return False
    return True


INT64, UINT64, UINT32 = _whole(-(2**63), 2**63 - 1), _whole(0, 2**64 - 1), _whole(0, 2**32 - 1)
INT32 = enum = _whole(-(2**31), 2**31 - 1)

VALUE: dict[str, Any] = {"stringValue": text, "boolValue": flag, "intValue": INT64}
ATTRIBUTES = [{"key": text, "value": VALUE}]
VALUE |= {
    "doubleValue": number,
    "bytesValue": octets,
    "arrayValue": {"values": [VALUE]},
    "kvlistValue": {"values": ATTRIBUTES},
}
SCOPE = {"name": text, "version": text, "attributes": ATTRIBUTES, "droppedAttributesCount": UINT32}
RESOURCE = {"attributes": ATTRIBUTES, "droppedAttributesCount": UINT32}
EVENT = {
    "timeUnixNano": UINT64,
    "name": text,
    "attributes": ATTRIBUTES,
    "droppedAttributesCount": UINT32,
}
LINK = {
    "traceId": text,
    "spanId": text,
    "traceState": text,
    "attributes": ATTRIBUTES,
    "droppedAttributesCount": UINT32,
    "flags": UINT32,
}
SPAN = {
    "traceId": text,
    "spanId": text,
    "traceState": text,
    "parentSpanId": text,
    "flags": UINT32,
    "name": text,
    "kind": enum,
    "startTimeUnixNano": UINT64,
    "endTimeUnixNano": UINT64,
    "attributes": ATTRIBUTES,
    "droppedAttributesCount": UINT32,
    "events": [EVENT],
    "droppedEventsCount": UINT32,
    "links": [LINK],
    "droppedLinksCount": UINT32,
    "status": {"message": text, "code": enum},
}
RECORD = {
    "timeUnixNano": UINT64,
    "observedTimeUnixNano": UINT64,
    "severityNumber": enum,
    "severityText": text,
    "body": VALUE,
    "attributes": ATTRIBUTES,
    "droppedAttributesCount": UINT32,
    "flags": UINT32,
    "traceId": text,
    "spanId": text,
    "eventName": text,
}
_TIMES = {"attributes": ATTRIBUTES, "startTimeUnixNano": UINT64, "timeUnixNano": UINT64}
_EXEMPLARS = [
    {
        "filteredAttributes": ATTRIBUTES,
        "timeUnixNano": UINT64,
        "asDouble": number,
        "asInt": INT64,
        "spanId": text,
        "traceId": text,
    }
]
_NUMBERS = _TIMES | {"asDouble": number, "asInt": INT64, "exemplars": _EXEMPLARS, "flags": UINT32}
_SPREAD = _TIMES | {"count": UINT64, "sum": number, "flags": UINT32}
_HISTOGRAM = _SPREAD | {"min": number, "max": number, "exemplars": _EXEMPLARS}
_BUCKETS = {"offset": INT32, "bucketCounts": [UINT64]}
_EXPONENTIAL = {
    "scale": INT32,
    "zeroCount": UINT64,
    "zeroThreshold": number,
    "positive": _BUCKETS,
    "negative": _BUCKETS,
}
_QUANTILES = [{"quantile": number, "value": number}]
DATA: dict[str, dict[str, Any]] = {
    "gauge": {"dataPoints": [_NUMBERS]},
    "sum": {
        "dataPoints": [_NUMBERS],
        "aggregationTemporality": enum,
        "isMonotonic": flag,
    },
    "histogram": {
        "dataPoints": [_HISTOGRAM | {"bucketCounts": [UINT64], "explicitBounds": [number]}],
        "aggregationTemporality": enum,
    },
    "exponentialHistogram": {
        "dataPoints": [_HISTOGRAM | _EXPONENTIAL],
        "aggregationTemporality": enum,
    },
    "summary": {"dataPoints": [_SPREAD | {"quantileValues": _QUANTILES}]},
}
METRIC = {"name": text, "description": text, "unit": text, "metadata": ATTRIBUTES, **DATA}


def _request(resources: str, scopes: str, items: str, item: dict[str, Any]) -> dict[str, Any]:
    scope = {"scope": SCOPE, "schemaUrl": text, items: [item]}
    return {resources: [{"resource": RESOURCE, "schemaUrl": text, scopes: [scope]}]}


TRACES = _request("resourceSpans", "scopeSpans", "spans", SPAN)
LOGS = _request("resourceLogs", "scopeLogs", "logRecords", RECORD)
METRICS = _request("resourceMetrics", "scopeMetrics", "metrics", METRIC)
