"""Files, imports, variants and overrides; and every mistake told at once, with its line."""

from __future__ import annotations

import datetime
import io
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import field_validator

from lineshaft.errors import InputError, Problem
from lineshaft.scenario.distributions import Fixed, Quantiles
from lineshaft.scenario.fields import (
    Minutes,
    Money,
    Number,
    Power,
    Seconds,
    Section,
    Share,
    Text,
    Tokens,
    Whole,
    default,
)
from lineshaft.scenario.reading import read, variants
from lineshaft.scenario.writing import dump


class Speed(Enum):
    """How fast."""

    FAST = "fast"
    SLOW = "slow"


class Tool(Section):
    """Something an agent uses."""

    name: Text
    calls: Number = default(1)


class Agent(Section):
    """A kind of agent."""

    name: Text
    tokens: Tokens = default(10)
    minutes: Minutes = default("2 to 4")
    tools: tuple[Tool, ...] = ()


class Serve(Section):
    """The service."""

    slo_ttft_s: Seconds = default("2 s")
    power_w: Power = default("1 MW")
    replicas: Whole = default(2)
    mode: Literal["fast", "slow"] = "fast"

    @field_validator("replicas")
    @classmethod
    def _even(cls, replicas: int) -> int:
        if replicas % 2:
            raise ValueError("replicas come in pairs")
        return replicas


class Factory(Section):
    """All of it."""

    name: str = default("unnamed")
    share: Share = default("10 %")
    day: datetime.date = datetime.date(2026, 1, 1)
    speed: Speed = Speed.FAST
    serve: Serve = default({})
    agents: tuple[Agent, ...] = default([{"name": "coder"}, {"name": "tester"}])
    sites: Mapping[str, Serve] = default({})
    prices: tuple[Money, ...] = default([])
    correlation: Mapping[str, Mapping[str, float]] = default({})
    extra: Agent | None = None


def problems(
    source: Any, *, variant: str | None = None, overrides: tuple[str, ...] = ()
) -> tuple[Problem, ...]:
    """What is wrong with `source`."""
    with pytest.raises(InputError) as caught:
        read(source, model=Factory, variant=variant, overrides=overrides)
    return caught.value.problems


def write(folder: Path, **files: str) -> Path:
    """Files by stem; the path of the first."""
    for stem, text in files.items():
        (folder / f"{stem}.toml").write_text(text)
    return folder / f"{next(iter(files))}.toml"


def test_reads_paths_texts_stdin_and_mappings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All to the same scenario."""
    text = 'serve.power_w = "3 MW"\n'
    path = write(tmp_path, a=text)
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    read_ones = [
        read(source, model=Factory)
        for source in (path, str(path), text, "-", {"serve": {"power_w": 3e6}})
    ]
    assert all(one == read_ones[0] for one in read_ones)
    assert read_ones[0].serve.power_w == Fixed(3e6)
    assert read("", model=Factory) == Factory()
    (tmp_path / "bom.toml").write_bytes(b"\xef\xbb\xbfshare = 0.5\r\n")
    assert read(tmp_path / "bom.toml", model=Factory).share == Fixed(0.5)


def test_three_mistakes_at_once(tmp_path: Path) -> None:
    """A misspelt key, a wrong unit and a number out of bounds, each on its line."""
    path = write(
        tmp_path,
        a="""\
# a comment
share = 12

[serve]
slo_ttft = 3
power_w = "20 kg"
""",
    )
    assert problems(path) == (
        Problem(
            f"{path}:2", "share", "12 is out of bounds", "0 to 1", "for a percentage write '12 %'"
        ),
        Problem(
            f"{path}:5",
            "serve.slo_ttft",
            "unknown key 'slo_ttft'",
            "mode, power_w, replicas, slo_ttft_s",
            "did you mean 'slo_ttft_s'?",
        ),
        Problem(
            f"{path}:6",
            "serve.power_w",
            "'20 kg' is a mass",
            "a power, for example '150 MW'",
        ),
    )


MISTAKES = [
    ("replicas = 1", "replicas", "'replicas'", "it belongs to [serve] or [sites]"),
    ("[serve]\nreplicas = 3", "serve.replicas", "replicas come in pairs", ""),
    ("[serve]\nmode = 'fats'", "serve.mode", "'fats' is unknown", "did you mean 'fast'?"),
    ("speed = 'fats'", "speed", "'fats' is unknown", "did you mean 'fast'?"),
    ("\nname = 3", "name", "3 is no text", "put it in quotes"),
    ("serve = 3", "serve", "3 is no table", ""),
    ("agents = 3", "agents", "3 is no list", "add brackets"),
    ("day = 'never'", "day", "'never' is not allowed", ""),
    ("[[agents]]\ntokens = 3", "agents.0.name", "is missing", "add name = ..."),
    ("[[agents]]\nname = 'x'\n[[agents.tools]]\nname = 'y'\ncals = 1", "agents.x.tools.y.cals",
     "unknown key 'cals'", "did you mean 'calls'?"),
    ("[[agents]]\nname = 'x'\nminutes = '4 to 2'", "agents.x.minutes", "is not below", ""),
    ("[[agents]]\nname = 'x'\n[[agents]]\nname = 'x'", "agents.1", "second item", "rename it"),
    ("[sites.east]\nmode = 3", "sites.east.mode", "3 is unknown", ""),
    ("[extra]\nname = 'x'\nminutes = 'x'", "extra.minutes", "does not start with a number", ""),
    ("prices = [1,\n'2 W']", "prices.1", "'2 W' is a power", ""),
    ("import = 3", "import", "is no list of files", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "key", "found", "fix"), MISTAKES)
def test_mistakes(text: str, key: str, found: str, fix: str) -> None:
    """Each with its key path, on the last line of the text (or the header of what lacks a key)."""
    told = problems(text + "\n")
    assert len(told) == 1
    assert told[0].key == key
    assert found in told[0].found
    assert fix in told[0].fix
    last = text.count("\n") + 1
    assert told[0].where == f"<text>:{last - (found in ('is missing', 'second item'))}"


SYNTAX = [
    ("share = 0.5\nserve.power_w = 150 MW\n", 2, 'text needs quotes: serve.power_w = "150 MW"'),
    ("[serve\n", 1, ""),
    ("a = 1\na = 2\n", 2, ""),
    ("a = [1,\n2\n", 2, ""),
]


@pytest.mark.parametrize(("text", "line", "fix"), SYNTAX)
def test_syntax(text: str, line: int, fix: str) -> None:
    """The line of the mistake, and the quotes that were forgotten."""
    (told,) = problems(text)
    assert told.where == f"<text>:{line}"
    assert told.fix == fix


def test_unreadable_files(tmp_path: Path) -> None:
    """Missing, binary, not UTF-8, or a folder."""
    path = write(tmp_path, factory="")
    (told,) = problems(tmp_path / "factry.toml")
    assert "no such file" in told.found
    assert told.fix == "did you mean 'factory.toml'?"
    for data in (b"\xff\xfe\x00", b"a = 1\0"):
        path.write_bytes(data)
        assert problems(path)[0].found == "is not a text file"
    assert "cannot read" in problems(tmp_path)[0].found


def test_imports_merge(tmp_path: Path) -> None:
    """Later wins; named items merge by name; whole uncertain numbers replace."""
    (tmp_path / "sub").mkdir()
    write(
        tmp_path / "sub",
        base="""\
share = 0.2
prices = [1, 2]
[serve]
power_w = {p50 = 1, p90 = 2}
replicas = 4
[[agents]]
name = "a"
tokens = 1
[[agents]]
name = "b"
""",
        over="import = 'base.toml'\nshare = 0.3\n[[agents]]\nname = 'a'\nminutes = 9\n",
    )
    path = write(
        tmp_path,
        main="""\
import = ["sub/base.toml", "sub/over.toml"]
prices = [3]
serve.power_w = {dist = "uniform", low = 1, high = 2}
[[agents]]
name = "c"
""",
    )
    factory = read(path, model=Factory)
    assert factory.share == Fixed(0.3)
    assert factory.prices == (Fixed(3.0),)
    assert factory.serve.replicas == 4
    assert factory.serve.power_w.to_toml() == {"dist": "uniform", "low": 1.0, "high": 2.0}
    assert [agent.name for agent in factory.agents] == ["a", "b", "c"]
    assert (factory.agents[0].tokens, factory.agents[0].minutes) == (Fixed(1.0), Fixed(9.0))


def test_problems_name_the_file_that_set_the_key(tmp_path: Path) -> None:
    """Also in imported files, and missing files do not hide other mistakes."""
    path = write(
        tmp_path,
        main="import = ['base.toml', 'none.toml', 'broken.toml']\n[serve]\nreplicas = 1\n",
        base="# base\n[serve]\npower_w = '3 kg'\nreplicas = 2.5\n[[agents]]\ntokens = 1\n",
        broken="x = \n",
    )
    told = [(Path(problem.where).name, problem.key) for problem in problems(path)]
    assert told == [
        ("main.toml:1", "import"),
        ("main.toml:3", "serve.replicas"),
        ("base.toml:3", "serve.power_w"),
        ("broken.toml:1", ""),
    ]


def test_import_rings_are_errors(tmp_path: Path) -> None:
    """But the same file may come in twice."""
    path = write(tmp_path, a="import = ['b.toml']", b="import = ['a.toml']")
    (told,) = problems(path)
    assert told.found == "files import each other: a.toml -> b.toml -> a.toml"
    path = write(
        tmp_path, a="import = ['b.toml', 'c.toml']", b="import = ['c.toml']", c="share = 0.7"
    )
    assert read(path, model=Factory).share == Fixed(0.7)


VARIANTS = """\
[serve]
replicas = 4
[variants.large.serve]
replicas = 8
[[variants.large.agents]]
name = "coder"
[variants.cheap]
share = 5
"""


def test_variants() -> None:
    """Applied when asked for, located in the file, and unknown ones get a suggestion."""
    assert read(VARIANTS, model=Factory).serve.replicas == 4
    large = read(VARIANTS, model=Factory, variant="large")
    assert (large.serve.replicas, len(large.agents)) == (8, 1)
    assert variants(VARIANTS) == ("large", "cheap")
    assert variants("") == ()
    (told,) = problems(VARIANTS, variant="cheap")
    assert (told.where, told.key) == ("<text>:8", "share")
    (told,) = problems(VARIANTS, variant="chep")
    assert (told.found, told.allowed) == ("no variant 'chep'", "large, cheap")
    assert told.fix == "did you mean 'cheap'?"
    assert problems("", variant="x")[0].allowed == "there are no variants"
    assert problems("variants.x = 3\n")[0].found == "is no table"


def test_overrides() -> None:
    """TOML values or bare texts, by item name or index, into defaults and files alike."""
    text = "[serve]\npower_w = {p50 = 1, p90 = 2}\n[[agents]]\nname = 'gpt-4.1'\n"
    factory = read(
        text,
        model=Factory,
        overrides=[
            "share=12 %",
            "serve.power_w.p90=3",
            "serve.slo_ttft_s = 2 to 4 s",
            'agents."gpt-4.1".tokens=5',
            "agents.0.minutes={p50=1, p90=2}",
            "sites.east.replicas=6",
            "prices=[1, 2]",
            "prices.1=$5",
            "name=",
            "serve={replicas=10}",
        ],
    )
    assert factory.share == Fixed(0.12)
    assert factory.serve.power_w == Quantiles(0.5, 1.0, 0.9, 3.0)
    assert factory.serve.slo_ttft_s == Quantiles(0.05, 2.0, 0.95, 4.0)
    assert factory.agents[0].tokens == Fixed(5.0)
    assert factory.agents[0].minutes == Quantiles(0.5, 1.0, 0.9, 2.0)
    assert factory.sites["east"].replicas == 6
    assert factory.prices == (Fixed(1.0), Fixed(5.0))
    assert factory.name == ""
    assert factory.serve.replicas == 10
    defaults = read("", model=Factory, overrides=["agents.tester.tokens=7"])
    assert [agent.tokens for agent in defaults.agents] == [Fixed(10.0), Fixed(7.0)]


def test_wrong_overrides() -> None:
    """All told, in their place behind the problems of the file."""
    told = problems(
        "share = 2\n",
        overrides=("agents.codr.tokens=1", "foo", "share.x=1", "serve.mode=3", "serv.mode=3"),
    )
    assert [(problem.where, problem.key) for problem in told] == [
        ("<text>:1", "share"),
        ("--set", "agents.codr.tokens"),
        ("--set", ""),
        ("--set", "share.x"),
        ("--set", "serve.mode"),
        ("--set", "serv"),
    ]
    assert told[1].fix == "did you mean 'coder'?"


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
texts = names.filter(lambda text: text == text.strip())
sizes = st.floats(0, 1e15) | st.integers(0, 10**6)
uncertain = (
    sizes
    | st.tuples(st.floats(0.1, 1e6), st.floats(1.1, 10)).map(lambda x: f"{x[0]} to {x[0] * x[1]}")
    | st.tuples(st.floats(0, 1e6), st.floats(1, 10)).map(
        lambda x: {"p10": x[0], "p50": x[0] + x[1]}
    )
    | st.tuples(st.floats(1, 10), st.floats(0.1, 2)).map(
        lambda x: {"dist": "lognormal", "median": x[0], "sigma": x[1]}
    )
    | st.just({"dist": "choice", "values": [1, 2.5], "weights": [1, 3]})
)
serves = st.fixed_dictionaries({}, optional={"power_w": uncertain, "mode": st.just("slow")})
agents = st.fixed_dictionaries(
    {"name": texts},
    optional={
        "tokens": uncertain,
        "tools": st.lists(
            st.fixed_dictionaries({"name": texts}, optional={"calls": uncertain}),
            max_size=2,
            unique_by=lambda tool: str(tool["name"]),
        ),
    },
)
factories = st.fixed_dictionaries(
    {},
    optional={
        "name": names,
        "share": st.floats(0, 1),
        "day": st.dates(),
        "speed": st.sampled_from(["fast", "slow"]),
        "serve": serves,
        "agents": st.lists(agents, max_size=3, unique_by=lambda agent: str(agent["name"])),
        "sites": st.dictionaries(names, serves, max_size=2),
        "prices": st.lists(uncertain, max_size=3),
        "correlation": st.dictionaries(
            names, st.dictionaries(names, st.floats(-1, 1), max_size=2), max_size=2
        ),
        "extra": agents,
    },
)


@settings(deadline=None)
@given(factories)
def test_dump_reads_back(data: dict[str, Any]) -> None:
    """To an equal scenario, with and without docs, and again to the same text."""
    factory = read(data, model=Factory)
    text = dump(factory)
    assert read(text, model=Factory) == factory
    assert read(dump(factory, docs=True), model=Factory) == factory
    assert dump(read(text, model=Factory)) == text


def test_dump_cannot_say_none() -> None:
    """Where leaving a key out would mean another default."""

    class Model(Section):
        x: Share | None = default(0.5)

    with pytest.raises(ValueError, match="x is None"):
        dump(Model(x=None))
