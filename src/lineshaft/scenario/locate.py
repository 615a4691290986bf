"""Where in a TOML text each key stands, and key paths as people write them.

`lines` is a small scan of the text: it knows tables, arrays of tables, dotted keys, inline tables,
arrays and all four kinds of string, and nothing about values. It is meant for texts that `tomllib`
accepts.
"""

from __future__ import annotations

import json
import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache

Path = tuple[str | int, ...]
"""Keys and list indices from the root."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"[ \t]*")
_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRINGS = re.compile(
    r'''
      """ (?: \\. | [^\\] )*? "{3,5}
    | \'\'\' .*? \'{3,5}
    | " (?: \\. | [^"\\\n] )* "
    | ' [^'\n]* '
    ''',
    re.DOTALL | re.VERBOSE,
)
_SCALAR = re.compile(r"[^,\]}#\n]+")


def join(path: Iterable[str | int]) -> str:
    """The dotted key of a path, quoted where TOML needs it: serve.models."gpt-4.1".price."""
    return ".".join(_key(str(part)) for part in path)


def split(key: str) -> tuple[str, ...]:
    """The parts of a dotted key; ValueError when it is none."""
    scan = _Scan(key)
    parts = scan.key()
    if scan.at != len(key):
        raise ValueError(f"{key!r} is not a dotted key")
    return tuple(parts)


def assignment(text: str) -> tuple[tuple[str, ...], str]:
    """The key path and the value text of "key.path=value"; ValueError when it is none."""
    scan = _Scan(text)
    parts = scan.key()
    scan.skip(_BLANK)
    if not text.startswith("=", scan.at):
        raise ValueError(f"{text!r} is not key.path=value")
    return tuple(parts), text[scan.at + 1 :].strip()


def lines(text: str) -> dict[Path, int]:
    """The 1-based line on which each key path of `text` is first set."""
    scan = _Scan(text)
    scan.document()
    return scan.found


@lru_cache(maxsize=4096)
def _key(part: str) -> str:
    return part if _BARE.fullmatch(part) else _quote(part)


def _quote(part: str) -> str:
    return json.dumps(part, ensure_ascii=False).replace("\x7f", "\\u007f")


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0
        self.found: dict[Path, int] = {}
        self.items: dict[Path, int] = {}
        self.starts = [0, *(match.end() for match in re.finditer("\n", self.text))]

    def document(self) -> None:
        table: Path = ()
        self.skip(_GAP)
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                table = self.header()
            else:
                self.pair(table)
            self.skip(_GAP)

    def header(self) -> Path:
        """[a.b] or [[a.b]]: the path of the table that follows."""
        line = self.line()
        double = self.text.startswith("[[", self.at)
        self.at += 2 if double else 1
        parts = self.key()
        self.skip(_BLANK)
        self.at += 2 if double else 1
        path = self.resolve(parts[:-1], line)
        path = (*path, parts[-1])
        if double:
            self.mark(path, line)
            self.items[path] = self.items.get(path, -1) + 1
        path = self.enter(path)
        self.mark(path, line)
        return path

    def resolve(self, parts: list[str], line: int) -> Path:
        """The path of a header's parents, through the last item of each array of tables."""
        path: Path = ()
        for part in parts:
            path = self.enter((*path, part))
            self.mark(path, line)
        return path

    def enter(self, path: Path) -> Path:
        return (*path, self.items[path]) if path in self.items else path

    def pair(self, table: Path) -> None:
        line = self.line()
        path = table
        for part in self.key():
            path = (*path, part)
            self.mark(path, line)
        self.skip(_BLANK)
        self.at += 1  # the equals sign
        self.skip(_BLANK)
        self.value(path)

    def value(self, path: Path) -> None:
        if self.text.startswith("[", self.at):
            self.sequence(path, "]")
        elif self.text.startswith("{", self.at):
            self.sequence(path, "}")
        elif not self.skip(_STRINGS):
            self.skip(_SCALAR)

    def sequence(self, path: Path, end: str) -> None:
        """An array or an inline table, commas between its parts."""
        self.at += 1
        index = 0
        self.skip(_GAP)
        while self.at < len(self.text) and self.text[self.at] != end:
            if end == "}":
                self.pair(path)
            else:
                self.mark((*path, index), self.line())
                self.value((*path, index))
                index += 1
            self.skip(_GAP)
            if self.text.startswith(",", self.at):
                self.at += 1
                self.skip(_GAP)
        self.at += 1

    def key(self) -> list[str]:
        parts: list[str] = []
        while True:
            self.skip(_BLANK)
            start = self.at
            if self.skip(_BARE):
                parts.append(self.text[start : self.at])
            elif self.skip(_STRINGS):
                parts.append(tomllib.loads(f"k = {self.text[start : self.at]}")["k"])
            else:
                raise ValueError(f"no key at {self.text[start : start + 20]!r}")
            after = self.at
            self.skip(_BLANK)
            if not self.text.startswith(".", self.at):
                self.at = after
                return parts
            self.at += 1

    def skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self.text, self.at)
        if not match or match.end() == self.at:
            return False
        self.at = match.end()
        return True

    def mark(self, path: Path, line: int) -> None:
        self.found.setdefault(path, line)

    def line(self) -> int:
        return bisect_right(self.starts, self.at)
