"""A TOML document as a tree in which every value still knows the file and line that set it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lineshaft.scenario import locate
from lineshaft.scenario.locate import Path
from lineshaft.scenario.uncertain import looks_whole


@dataclass(frozen=True)
class Source:
    """A text that sets values: a file, standard input, or an override."""

    label: str
    text: str | None = None
    """None where there are no lines."""
    rank: int = 0
    """Place of its problems among those of other sources."""

    @cached_property
    def _lines(self) -> dict[Path, int]:
        return locate.lines(self.text) if self.text is not None else {}

    def line(self, path: Path) -> int:
        """The line of `path`, or of the nearest table around it; 0 where there is none."""
        for end in range(len(path), 0, -1):
            if path[:end] in self._lines:
                return self._lines[path[:end]]
        return 1 if self.text is not None else 0


@dataclass(slots=True)
class Node:
    """A value, a table or a list, and where it comes from."""

    value: Any
    """A dict of nodes, a list of nodes, or a plain TOML value."""
    source: Source
    path: Path = ()

    @property
    def where(self) -> str:
        """File and line, for example "factory.toml:12"."""
        line = self.source.line(self.path)
        return f"{self.source.label}:{line}" if line else self.source.label

    @property
    def order(self) -> tuple[int, int]:
        """Sorts problems in the order of the files and their lines."""
        return self.source.rank, self.source.line(self.path)

    @property
    def name(self) -> str | None:
        """The `name` of a table that has one."""
        name = self.value.get("name") if isinstance(self.value, dict) else None
        return name.value if isinstance(name, Node) and isinstance(name.value, str) else None

    def items(self) -> dict[str, Node]:
        """The children by the word that addresses them: key, item name, or index."""
        if isinstance(self.value, dict):
            return dict(self.value)
        if isinstance(self.value, list):
            return {item.name or str(index): item for index, item in enumerate(self.value)}
        return {}


def build(value: Any, source: Source, path: Path = ()) -> Node:
    """The tree of a parsed TOML value."""
    if isinstance(value, Mapping):
        children = {str(key): build(item, source, (*path, key)) for key, item in value.items()}
        return Node(children, source, path)
    if isinstance(value, (list, tuple)):
        items = [build(item, source, (*path, index)) for index, item in enumerate(value)]
        return Node(items, source, path)
    return Node(value, source, path)


def plain(node: Node) -> Any:
    """The tree as plain dicts, lists and values."""
    if isinstance(node.value, dict):
        return {key: plain(item) for key, item in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value


def merge(base: Node, over: Node) -> Node:
    """`over` on top of `base`: tables merge, and lists of named tables merge by name.

    All else replaces, also a table that is a whole uncertain number.
    """
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        if looks_whole(over.value):
            return over
        merged = dict(base.value)
        for key, item in over.value.items():
            merged[key] = merge(merged[key], item) if key in merged else item
        return Node(merged, over.source, over.path)
    if _named(base) and _named(over):
        by_name = {item.name: item for item in base.value}
        for item in over.value:
            known = by_name.get(item.name)
            by_name[item.name] = item if known is None else merge(known, item)
        return Node(list(by_name.values()), over.source, over.path)
    return over


def repeated(node: Node) -> Iterator[Node]:
    """Items of lists whose name an earlier item of the same list has."""
    children = node.items().values() if isinstance(node.value, dict) else node.value
    if not isinstance(node.value, (dict, list)):
        return
    seen: set[str] = set()
    for child in children:
        if isinstance(node.value, list) and child.name is not None:
            if child.name in seen:
                yield child
            seen.add(child.name)
        yield from repeated(child)


def _named(node: Node) -> bool:
    items = node.value
    return isinstance(items, list) and bool(items) and all(item.name is not None for item in items)
