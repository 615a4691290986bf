"""Key paths, and the lines on which keys stand."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft.scenario.locate import Path, assignment, join, lines, split

TEXT = """# a comment with = and [brackets]
title = "a # b"
a.b = 1
a."c.d" = """  # continued below, because the text itself holds triple quotes
TEXT += """'''
x = 1
[no.table]
'''
list = [
  1, # one
  [2, 3],
  { name = "q", at = 1979-05-27 07:32:00 },
]

[serve]
power = { p50 = 1, p90 = 2 }
[[agents]]
name = "coder"
[[agents.tools]]
k = 1
[[agents.tools]]
k = 2
[[agents]]
name = "tester"
[agents.limits]
x = 1
[ "odd key" . 'two' ]
y = 1
"""


def test_lines() -> None:
    """Of tables, lists of tables, dotted keys, inline tables and multi-line values."""
    found = lines(TEXT)
    assert found["title",] == 2
    assert found["a", "b"] == 3
    assert found["a", "c.d"] == 4
    assert found["list",] == 8
    assert found["list", 0] == 9
    assert found["list", 1, 1] == 10
    assert found["list", 2, "at"] == 11
    assert found["serve",] == 14
    assert found["serve", "power", "p90"] == 15
    assert found["agents", 0, "name"] == 17
    assert found["agents", 0, "tools", 1, "k"] == 21
    assert found["agents", 1] == 22
    assert found["agents", 1, "limits", "x"] == 25
    assert found["odd key", "two", "y"] == 27
    assert set(found) == set(paths(tomllib.loads(TEXT)))


keys = st.text(min_size=1, max_size=6)
values = st.recursive(
    st.integers(-5, 5) | st.text(max_size=8) | st.booleans() | st.floats(-1, 1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(keys, values, max_size=4))
def test_finds_exactly_the_keys_of_the_reader(data: dict[str, Any]) -> None:
    """Whatever the keys and texts are: the scan agrees with tomllib."""
    text = tomlkit.dumps(data)
    assert set(lines(text)) == set(paths(tomllib.loads(text)))


@settings(deadline=None)
@given(st.lists(keys, min_size=1, max_size=4))
def test_split_undoes_join(parts: list[str]) -> None:
    """Also for keys with dots, quotes and line breaks."""
    assert split(join(parts)) == tuple(parts)


def test_join_quotes_where_needed() -> None:
    """And only there."""
    assert join(["agents", "gpt-4.1", 0]) == 'agents."gpt-4.1".0'


def test_assignment() -> None:
    """The value keeps its own equals signs."""
    assert assignment("serve.x = {p50=1}") == (("serve", "x"), "{p50=1}")
    assert assignment('a."b=c".d=') == (("a", "b=c", "d"), "")


@pytest.mark.parametrize("text", ["", "foo", "a b=3", "=3", "a.=3"])
def test_no_assignment(text: str) -> None:
    """A path without a value, or a value without a path."""
    with pytest.raises(ValueError, match=r"no key|is not"):
        assignment(text)


def test_no_key() -> None:
    """Something after the key."""
    with pytest.raises(ValueError, match="not a dotted key"):
        split("a.b c")


def paths(value: Any, path: Path = ()) -> list[Path]:
    """Every path of a parsed document."""
    children = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [
        found for key, child in children for found in [(*path, key), *paths(child, (*path, key))]
    ]
