"""Curves on disk, by a hash of what they were made from.

A curve is kept under its engine's name, a digest of the engine's inputs (dataclasses, arrays,
tuples: field by field) and a digest of the engine's own source code, so that a changed engine
never finds an old curve. A file that cannot be read is made again. Writing is atomic.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lineshaft import __version__
from lineshaft.files import whole

T = TypeVar("T")

SHARED = ("contracts/curves.py", "contracts/reasons.py", "traces.py")
"""What engines share, besides the arithmetic of transformers: no table is among it, so that a new
column costs no new curves."""


class Cache:
    """A folder of curves; with `folder` None nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.hits = 0
        self.misses = 0

    @classmethod
    def default(cls) -> Cache:
        """The user's cache folder, or LINESHAFT_CACHE where it is set (empty: keep nothing)."""
        chosen = os.environ.get("LINESHAFT_CACHE")
        if chosen is not None:
            return cls(Path(chosen) if chosen else None)
        from platformdirs import user_cache_path

        return cls(user_cache_path("lineshaft") / "curves")

    def get(self, stage: str, inputs: Any, make: Callable[[], T]) -> T:
        """The curve of `stage` for `inputs`, made by `make` where it is not kept yet."""
        if self.folder is None:
            self.misses += 1
            return make()
        key = digest((__version__, stage, engine_digest(stage), inputs))
        path = self.folder / stage / f"{key}.pickle"
        found = _read(path)
        if found is not None:
            self.hits += 1
            curve: T = found
            return curve
        self.misses += 1
        made = make()
        _write(path, made)
        return made


class Memo(Cache):
    """Curves at hand in this process, in front of those on disk."""

    KEPT = 256

    def __init__(self, folder: Path | None) -> None:
        super().__init__(folder)
        self._curves: dict[str, Any] = {}

    def get(self, stage: str, inputs: Any, make: Callable[[], T]) -> T:
        """The curve of `stage` for `inputs`, made by `make` where it is not kept yet."""
        key = digest((stage, inputs))
        if key not in self._curves:
            if len(self._curves) >= self.KEPT:
                self._curves.pop(next(iter(self._curves)))
            self._curves[key] = super().get(stage, inputs, make)
        curve: T = self._curves[key]
        return curve


@lru_cache(maxsize=1)
def memo(folder: Path | None) -> Memo:
    """The curves of this process."""
    return Memo(folder)


def digest(value: Any) -> str:
    """A hash of plain data that is the same on every machine."""
    found = hashlib.sha256()
    _feed(found, value)
    return found.hexdigest()[:32]


@lru_cache
def engine_digest(stage: str) -> str:
    """A hash of the source of a stage, or of the meter, and of what it shares with others."""
    found = hashlib.sha256()
    root = resources.files("lineshaft")
    for folder in ("meter" if stage == "meter" else f"stages/{stage}", "transformer"):
        for source in _sources(root.joinpath(folder)):
            found.update(source)
    for name in SHARED:
        found.update(root.joinpath(name).read_bytes())
    return found.hexdigest()


def _sources(folder: Traversable) -> Iterator[bytes]:
    """The modules of a folder and of the folders in it, a stage's monthly half left out."""
    for part in sorted(folder.iterdir(), key=lambda part: part.name):
        if part.is_dir():
            yield from _sources(part)
        elif part.name.endswith(".py") and part.name != "model.py":
            yield part.read_bytes()


def _feed(found: Any, value: Any) -> None:
    if value is None or isinstance(value, (str, int, float, bool, np.generic)):
        found.update(f"{type(value).__name__}:{value!r};".encode())
    elif isinstance(value, np.ndarray):
        found.update(f"[{value.dtype.str}{value.shape}".encode())
        found.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, (list, tuple)):
        found.update(b"(")
        for item in value:
            _feed(found, item)
        found.update(b")")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        found.update(f"<{type(value).__name__}".encode())
        for name in _field_names(type(value)):
            found.update(name.encode())
            _feed(found, getattr(value, name))
        found.update(b">")
    elif isinstance(value, Mapping):
        for key in sorted(value, key=repr):
            _feed(found, key)
            _feed(found, value[key])
        found.update(b"}")
    else:
        raise TypeError(f"a cache key cannot hold a {type(value).__name__}")


@lru_cache
def _field_names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _read(path: Path) -> Any:
    # Only files that this program wrote into the user's own cache are read.
    try:
        return pickle.loads(path.read_bytes())
    except (OSError, pickle.PickleError, EOFError, AttributeError, ImportError, ValueError):
        return None


def _write(path: Path, value: Any) -> None:
    """Keep a curve; a cache that cannot be written is no reason to fail."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part:
            part.write_bytes(pickle.dumps(value, protocol=5))
