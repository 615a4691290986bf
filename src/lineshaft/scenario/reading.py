"""From TOML files to a checked scenario, with every problem found and told at once.

`import = ["base.toml"]` puts other files underneath (paths are relative to the file that imports;
later ones win, the file itself last), `[variants.NAME]` holds tables of overrides that are applied
when that variant is asked for, and overrides such as "serve.replicas=12" come on top.
Tables merge, lists of tables that all have a `name` merge by name, everything else replaces.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path as FilePath
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from lineshaft.errors import InputError, Problem
from lineshaft.scenario.complaints import Found, complaints
from lineshaft.scenario.locate import assignment, join
from lineshaft.scenario.tree import Node, Source, build, merge, plain, repeated
from lineshaft.words import suggestion

M = TypeVar("M", bound=BaseModel)
Input = str | FilePath | Mapping[str, Any]

_AT = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_BARE_UNIT = re.compile(
    r"""\s*([\w.\-"]+)\s*=\s*([+-]?[\d$.][^"'#\[{]*?[A-Za-z%][^"'#]*?)\s*(?:\#|$)"""
)
_LAST = 1_000_000


def read(
    source: Input,
    *,
    model: type[M],
    variant: str | None = None,
    overrides: Sequence[str] = (),
) -> M:
    """The checked scenario of `source`: a path, a TOML text, "-" for standard input, or a mapping.

    A text is taken for TOML when it is empty or has a line break or an equals sign, else for the
    path of a file. An override is "key.path=value"; items of a list go by name or index; its value
    is TOML, or a bare text where it is none. Raises `InputError` with all problems, in the order
    of the files.
    """
    root, found, gaps = _resolve(source, variant, overrides, model)
    result = None
    try:
        result = model.model_validate(plain(root))
    except ValidationError as error:
        told = complaints(error, root, model)
        # A file that could not be read leaves gaps, which are not the author's mistakes.
        found += [item for item in told if not (gaps and item[1].found == "is missing")]
    if found or result is None:
        raise InputError(problem for _, problem in sorted(found, key=lambda item: item[0]))
    return result


def resolved(
    source: Input,
    *,
    model: type[BaseModel],
    variant: str | None = None,
    overrides: Sequence[str] = (),
) -> dict[str, Any]:
    """What `read` would check, as plain values: imports, variant and overrides are in it.

    `read` takes it as a source, which saves parsing the files again for every further override.
    Raises `InputError` where a file, the variant or an override cannot be read.
    """
    root, found, _ = _resolve(source, variant, overrides, model)
    if found:
        raise InputError(problem for _, problem in sorted(found, key=lambda item: item[0]))
    tree: dict[str, Any] = plain(root)
    return tree


def variants(source: Input) -> tuple[str, ...]:
    """The names of the variants in `source`, imports included."""
    loader = _Loader()
    known = loader.load(source).value.get("variants")
    if loader.found:
        raise InputError(problem for _, problem in loader.found)
    return tuple(known.items()) if known else ()


def _resolve(
    source: Input, variant: str | None, overrides: Sequence[str], model: type[BaseModel]
) -> tuple[Node, list[Found], bool]:
    """The merged tree, the problems so far, and whether some file could not be read."""
    loader = _Loader()
    root = loader.load(source)
    found, gaps = loader.found, bool(loader.found)
    known = root.value.pop("variants", None)
    names = known.items() if known else {}
    for name, table in names.items():
        if not isinstance(table.value, dict):
            found.append(_told(table, f"variants.{name}", "is no table", f"[variants.{name}]"))
    if variant is not None and variant not in names:
        node = known or root
        allowed = ", ".join(names) or "there are no variants"
        fix = suggestion(variant, list(names))
        found.append(_told(node, "variants", f"no variant {variant!r}", allowed, fix))
    elif variant is not None and isinstance(names[variant].value, dict):
        root = merge(root, names[variant])
    defaults = _defaults(model) if overrides else None
    for text in overrides:
        found += _override(root, text, defaults)
    return root, found, gaps


class _Loader:
    """Reads files and what they import; keeps every problem on the way."""

    def __init__(self) -> None:
        self.found: list[Found] = []
        self.rank = 0

    def load(self, source: Input) -> Node:
        if isinstance(source, Mapping):
            root = build(source, Source(""))
            return self.with_imports(root, FilePath(), ())
        if source == "-":
            data = sys.stdin.buffer.read() if hasattr(sys.stdin, "buffer") else sys.stdin.read()
            return self.parse(data, "<stdin>", FilePath(), ())
        if isinstance(source, str) and (not source.strip() or "\n" in source or "=" in source):
            return self.parse(source, "<text>", FilePath(), ())
        return self.file(FilePath(source), (), None)

    def file(self, path: FilePath, stack: tuple[FilePath, ...], importer: Node | None) -> Node:
        label, here = os.path.normpath(path), path.resolve()
        nothing = Node({}, Source(label, None, self.rank))
        where, key = (importer.where, "import") if importer else (label, "")
        order = importer.order if importer else (0, 0)
        if here in stack:
            chain = " -> ".join(file.name for file in (*stack[stack.index(here) :], here))
            problem = Problem(where, key, f"files import each other: {chain}", "", "break the ring")
            self.found.append((order, problem))
            return nothing
        try:
            data = path.read_bytes()
        except OSError as error:
            reason = "there is no such file" if isinstance(error, FileNotFoundError) else ""
            found = f"cannot read {label}: {reason or error.strerror or error}"
            self.found.append((order, Problem(where, key, found, "a TOML file", _near(path))))
            return nothing
        return self.parse(data, label, path.parent, (*stack, here))

    def parse(
        self, data: bytes | str, label: str, folder: FilePath, stack: tuple[FilePath, ...]
    ) -> Node:
        rank, self.rank = self.rank, self.rank + 1
        try:
            text = data if isinstance(data, str) else data.decode("utf-8-sig")
            if "\0" in text:
                raise ValueError("a zero byte")
        except ValueError:
            problem = Problem(label, "", "is not a text file", "TOML in UTF-8")
            self.found.append(((rank, 0), problem))
            return Node({}, Source(label, None, rank))
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            line, problem = _syntax(str(error), text, label)
            self.found.append(((rank, line), problem))
            return Node({}, Source(label, None, rank))
        root = build(values, Source(label, text, rank))
        for item in repeated(root):
            problem = Problem(
                item.where, join(item.path), f"a second item named {item.name!r}", "", "rename it"
            )
            self.found.append((item.order, problem))
        return self.with_imports(root, folder, stack)

    def with_imports(self, root: Node, folder: FilePath, stack: tuple[FilePath, ...]) -> Node:
        node = root.value.pop("import", None)
        if node is None:
            return root
        names = plain(node)
        names = [names] if isinstance(names, str) else names
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            allowed = 'import = ["base.toml"]'
            self.found.append(_told(node, "import", "is no list of files", allowed))
            return root
        under: Node | None = None
        for name in names:
            loaded = self.file(folder / name, stack, node)
            under = loaded if under is None else merge(under, loaded)
        return root if under is None else merge(under, root)


def _syntax(message: str, text: str, label: str) -> tuple[int, Problem]:
    at = _AT.search(message)
    lines = text.splitlines()
    line = int(at[1]) if at and at[1] else max(1, len(lines))
    bare = _BARE_UNIT.match(lines[line - 1]) if line <= len(lines) else None
    fix = f'text needs quotes: {bare[1]} = "{bare[2]}"' if bare else ""
    found = _AT.sub("", message)
    return line, Problem(f"{label}:{line}", "", found, "TOML", fix)


def _override(root: Node, text: str, defaults: BaseModel | None) -> list[Found]:
    """Sets one override in the tree, or says why it cannot."""
    source = Source("--set", None, _LAST)
    try:
        parts, value = assignment(text)
    except ValueError:
        problem = Problem("--set", "", f"{text!r} sets nothing", "key.path=value")
        return [((_LAST, 0), problem)]
    new = build(_toml_value(value), source)
    here = root
    for depth, part in enumerate(parts):
        path, last = parts[: depth + 1], depth == len(parts) - 1
        if isinstance(here.value, dict):
            if part not in here.value:
                here.value[part] = new if last else build(_default_items(defaults, path), source)
            elif last:
                here.value[part] = merge(here.value[part], new)
            here = here.value[part]
        elif isinstance(here.value, list):
            items = here.items()
            index = next((i for i, word in enumerate(items) if word == part), None)
            if index is None and part.isdecimal() and int(part) < len(here.value):
                index = int(part)
            if index is None:
                found = f"no item {part!r} in {join(path[:-1])}"
                fix = suggestion(part, list(items))
                return [_told(new, join(parts), found, ", ".join(items), fix)]
            if last:
                here.value[index] = merge(here.value[index], new)
            here = here.value[index]
        else:
            found = f"{join(path[:-1])} is a value and no table"
            return [_told(new, join(parts), found, f"{join(path[:-1])}=...")]
    return []


def _toml_value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if len(parsed) == 1 else text


@cache
def _defaults(model: type[BaseModel]) -> BaseModel | None:
    """The scenario with nothing written, so that overrides can address items of default lists."""
    try:
        return model()
    except ValidationError:
        return None


def _default_items(defaults: BaseModel | None, path: Sequence[str]) -> Any:
    """The default list (or table of free keys) at `path` as plain values, else an empty table."""
    here: Any = defaults
    for depth, part in enumerate(path):
        if not isinstance(here, BaseModel) or part not in type(here).model_fields:
            return {}
        if depth == len(path) - 1 and isinstance(getattr(here, part), (list, tuple, Mapping)):
            return here.model_dump(include={part}, exclude_none=True)[part]
        here = getattr(here, part)
    return {}


def _told(node: Node, key: str, found: str, allowed: str = "", fix: str = "") -> Found:
    return node.order, Problem(node.where, key, found, allowed, fix)


def _near(path: FilePath) -> str:
    try:
        names = [item.name for item in path.parent.iterdir() if item.suffix == ".toml"]
    except OSError:
        return ""
    return suggestion(path.name, sorted(names))
