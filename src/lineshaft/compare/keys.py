"""Which scenario keys differ between runs, and what each of them moves.

A key's share of the change is the mean of two: what the value does when it alone is changed in the
first scenario, and when it alone is left unchanged in the other (for two keys this is the Shapley
value). What is left of the change happens only together, and is said so.
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lineshaft.errors import InputError
from lineshaft.kpis import VALUE
from lineshaft.runs import Run
from lineshaft.scenario import Scenario
from lineshaft.scenario.locate import join
from lineshaft.scenario.reading import read
from lineshaft.sweep.field import field_at
from lineshaft.units import format_quantity
from lineshaft.words import shortened

MOST = 12
"""Keys that are changed one by one; more are taken together by their tables."""
IDLE = (("name",), ("about",))
"""Keys that move nothing."""

Path = tuple[str, ...]
Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """A scenario key that differs: an item of a list that only some runs have is one key."""

    key: str
    values: tuple[str, ...]
    """One a run, as written; "–" where a run does not have it."""


@dataclass(frozen=True, slots=True)
class Share:
    """A scenario key's part of the change of the value."""

    key: str
    change_usd: float
    note: str = ""


def differences(runs: Sequence[Run]) -> tuple[Change, ...]:
    """The scenario keys that differ between the runs and move something, in their order."""
    trees = [_tree(run) for run in runs]
    paths = dict.fromkeys(p for tree in trees[1:] for p in _differing(trees[0], tree, ()))
    scenarios = [read(tree, model=Scenario) for tree in trees]
    return tuple(
        Change(join(path), _texts([_get(tree, path) for tree in trees], _unit(scenarios, path)))
        for path in paths
        if path not in IDLE
    )


def _unit(scenarios: Sequence[Scenario], path: Path) -> str:
    """The unit of the quantity at a path, "" where it is none."""
    fields = (field_at(scenario, path) for scenario in scenarios)
    return next((field.unit for field in fields if field is not None), "")


def _texts(values: Sequence[Any], unit: str) -> tuple[str, ...]:
    """The values for people; as written where three figures would not tell them apart."""
    texts = tuple(_shown(value, unit) for value in values)
    written = tuple(_shown(value) for value in values)
    return texts if len(set(texts)) == len(set(written)) else written


def shares(
    first: Run,
    other: Run,
    change_usd: float,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Share, ...]:
    """What each key that differs moves of the change of the enterprise value from run to run.

    They add up to `change_usd`, with what only happens together, and with what other code did
    where a run was written by another version. Nothing where no key differs.
    """
    before, after = _tree(first), _tree(other)
    groups = _grouped([p for p in _differing(before, after, ()) if p not in IDLE])
    if not groups:
        return ()
    total, done = 2 * len(groups) + 2, 0

    def solved(tree: Tree) -> float | None:
        nonlocal done
        value = _value(tree)
        done += 1
        if progress is not None:
            progress(done, total)
        return value

    ends = (solved(before), solved(after))
    if ends[0] is None or ends[1] is None:
        return ()
    found = []
    for name, paths in groups.items():
        alone = solved(_with(before, after, paths))
        left = solved(_with(after, before, paths))
        effects = [e for e in (_gap(alone, ends[0]), _gap(ends[1], left)) if e is not None]
        note = "" if len(effects) == 2 else "cannot be changed alone" if not effects else "one way"
        found.append(Share(name, sum(effects) / len(effects) if effects else 0.0, note))
    found.sort(key=lambda share: -abs(share.change_usd))
    same_code = ends[1] - ends[0]
    together = same_code - sum(share.change_usd for share in found)
    found.append(Share("together", together, "what happens only where several change"))
    if abs(change_usd - same_code) > 1e-9 * max(abs(ends[0]), abs(ends[1]), 1.0):
        note = f"written by lineshaft {first.info['lineshaft']} and {other.info['lineshaft']}"
        found.append(Share("other code", change_usd - same_code, note))
    return tuple(found)


def _tree(run: Run) -> Tree:
    return tomllib.loads(run.scenario_text)


def _gap(high: float | None, low: float | None) -> float | None:
    return None if high is None or low is None else high - low


def _value(tree: Tree) -> float | None:
    """The enterprise value of a scenario; None where it cannot be."""
    from lineshaft.characterise import characterise
    from lineshaft.line import run

    try:
        scenario = read(tree, model=Scenario)
        outcome = run(scenario, characterise(scenario))
    except InputError:
        return None
    return outcome[VALUE].value


def _differing(a: Any, b: Any, path: Path) -> Iterator[Path]:
    """Paths at which two trees differ; items of named lists go by name."""
    one, two = _children(a), _children(b)
    if one is None or two is None:
        if a != b:
            yield path
        return
    for key in dict.fromkeys((*one, *two)):
        if key in one and key in two:
            yield from _differing(one[key], two[key], (*path, key))
        else:
            yield (*path, key)


def _children(value: Any) -> Mapping[str, Any] | None:
    if isinstance(value, dict):
        return value
    if (
        isinstance(value, list)
        and value
        and all(isinstance(i, dict) and "name" in i for i in value)
    ):
        return {item["name"]: item for item in value}
    return None


def _get(tree: Any, path: Path) -> Any:
    for key in path:
        children = _children(tree) or {}
        if key not in children:
            return None
        tree = children[key]
    return tree


def _with(tree: Tree, source: Tree, paths: Sequence[Path]) -> Tree:
    """`tree` with what `source` has at these paths."""
    found = copy.deepcopy(tree)
    for path in paths:
        _put(found, path, copy.deepcopy(_get(source, path)))
    return found


def _put(tree: Any, path: Path, value: Any) -> None:
    """Set, add or (None) take away what stands at a path."""
    for key in path[:-1]:
        children = _children(tree)
        if children is None or key not in children:
            assert isinstance(tree, dict)
            # a list of items that the other scenario has none of
            tree[key] = [] if isinstance(value, dict) and "name" in value else {}
            tree = tree[key]
        else:
            tree = children[key]
    key = path[-1]
    if isinstance(tree, list):
        here = next((i for i, item in enumerate(tree) if item["name"] == key), len(tree))
        tree[here : here + 1] = [] if value is None else [value]
    elif value is None:
        tree.pop(key, None)
    else:
        tree[key] = value


def _grouped(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Paths by the key they are changed with: alone where they are few, else with their table."""
    for depth in (9, 4, 3, 2, 1):
        found: dict[str, list[Path]] = {}
        for path in paths:
            found.setdefault(join(path[:depth]), []).append(path)
        if len(found) <= MOST:
            break
    return found


def _called(item: Any) -> str:
    return str(item.get("name") or _shown(item)) if isinstance(item, dict) else str(item)


def _shown(value: Any, unit: str = "") -> str:
    if value is None:
        return "–"
    if isinstance(value, dict):
        inner = ", ".join(f"{k} = {_shown(v)}" for k, v in value.items() if k != "name")
        return f"{{{shortened(inner, 40)}}}"
    if isinstance(value, list):
        return shortened(", ".join(map(_called, value)), 42) or "none"
    if unit not in ("", "1") and isinstance(value, (int, float)):
        return format_quantity(value, unit)
    return shortened(f"{value:g}" if isinstance(value, float) else str(value), 42)
