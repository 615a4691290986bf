"""Scenario keys, catalog cells and engines as origins, and the lists that patterns run over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lineshaft.catalog import Row
from lineshaft.contracts.reasons import ROLES
from lineshaft.parameters.dims import RENTED
from lineshaft.parameters.oversee import DEFAULT
from lineshaft.scenario.locate import join

if TYPE_CHECKING:
    from lineshaft.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Origin:
    """A scenario key, a cell of the catalog, or the curves of an engine."""

    path: str
    """Dotted key; table/row.column; or the stage of the engine."""
    model: Any = None
    """Of a key: the section of the scenario that has it."""
    field: str = ""
    """Of a key: the field of the section; of a cell: its column."""
    row: Row | None = None
    """Of a cell: its row."""

    @property
    def kind(self) -> str:
        """`key`, `catalog` or `engine`."""
        return "catalog" if self.row is not None else "key" if self.field else "engine"


@dataclass(frozen=True, slots=True)
class Ask:
    """A scenario, and the labels for which the origins are asked."""

    scenario: Scenario
    where: Mapping[str, str] = field(default_factory=dict)

    def items(self, name: str) -> Iterator[tuple[str, Any]]:
        """(name, section) of every item that a word in braces stands for."""
        for label, item_name, item in _LISTS[name](self.scenario):
            key = _KEY_OF.get(name, "")
            if key not in self.where or self.where[key] == label:
                yield item_name, item

    def keys(self, *patterns: str) -> Iterator[Origin]:
        """The keys that patterns stand for."""
        for pattern in patterns:
            yield from self._keys(self.scenario, tuple(pattern.split(".")), ())

    def _keys(self, model: Any, parts: tuple[str, ...], path: tuple[str, ...]) -> Iterator[Origin]:
        head, *rest = parts
        if head.startswith("{"):
            for name, item in self.items(head[1:-1]):
                yield from self._keys(item, tuple(rest), (*path, name))
        elif rest:
            yield from self._keys(getattr(model, head), tuple(rest), (*path, head))
        else:
            yield Origin(join((*path, head)), model, head)


def _named(items: Any) -> list[tuple[str, str, Any]]:
    return [(item.name, item.name, item) for item in items]


def _robots(s: Scenario) -> list[tuple[str, str, Any]]:
    return _named(s.floor.robots)


def _policies(s: Scenario) -> list[tuple[str, str, Any]]:
    from lineshaft.scenario.oversee import Policy

    own = {p.name: p for p in s.oversee.policy}
    other = own.get(DEFAULT) or Policy(name=DEFAULT)
    found = [(k.name, own.get(k.name, other)) for k in s.agents.kind]
    return [(kind, policy.name, policy) for kind, policy in found]


def _roles(s: Scenario) -> list[tuple[str, str, Any]]:
    from lineshaft.parameters.oversee import _role as role_of

    return [(name, name, role_of(s, name)) for name in ROLES]


def _sites(s: Scenario) -> list[tuple[str, str, Any]]:
    from lineshaft.scenario.plant import Site

    rows = {site.name: site for site in s.plant.site}
    names = [*(c.name for c in s.build.campus), *(f.name for f in s.floor.site)]
    return [(name, name, rows.get(name) or Site(name=name)) for name in names]


def _robot_sites(s: Scenario) -> list[tuple[str, str, Any]]:
    from lineshaft.parameters.floor import site_of

    sites = [(r.name, site_of(s, r)) for r in s.floor.robots]
    return [(kind, site.name, site) for kind, site in sites]


_LISTS: Mapping[str, Callable[[Scenario], list[tuple[str, str, Any]]]] = {
    "kind": lambda s: _named(s.agents.kind),
    "robots": _robots,
    "robot_site": _robot_sites,
    "policy": _policies,
    "role": _roles,
    "site": _sites,
    "campus": lambda s: _named(s.build.campus),
    "floor_site": lambda s: _named(s.floor.site),
    "phase": lambda s: [(f"{p.campus} {p.name}", p.name, p) for p in s.build.phase],
    "crew": lambda s: _named(s.build.crew),
    "order": lambda s: [(f"{o.campus} / {o.accelerator}", o.name, o) for o in s.build.accelerators],
    "rented": lambda s: [(f"{RENTED} / {r.accelerator}", r.name, r) for r in s.serve.rented],
    "run": lambda s: _named(s.train.run),
    "model": lambda s: _named(s.serve.model),
    "lease": lambda s: _named(s.train.lease),
    "debt": lambda s: _named(s.capital.debt),
    "round": lambda s: [(r.month, r.name, r) for r in s.capital.counted],
    "contract": lambda s: [(c.kind, c.name, c) for c in s.value.contract],
    "power_lease": lambda s: [(p.site, p.name, p) for p in s.value.power_lease],
}
"""Every list of the scenario that a word in braces stands for."""

_KEY_OF = {
    "kind": "kind", "robots": "kind", "robot_site": "kind", "policy": "kind", "role": "role",
    "site": "site", "campus": "site", "floor_site": "site", "phase": "phase", "crew": "trade",
    "order": "fleet",
    "rented": "fleet", "run": "run", "model": "model", "contract": "kind", "power_lease": "site",
}  # fmt: skip
"""The axis on which the items of a list stand."""
