"""Curves are kept by what they were made from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import lineshaft
from lineshaft.cache import SHARED, Cache, digest
from lineshaft.characterise import STAGES


@dataclass(frozen=True)
class Inputs:
    name: str
    values: np.ndarray
    inner: tuple[float, ...] = ()


def test_a_curve_is_made_once(tmp_path: Path) -> None:
    made = []
    cache = Cache(tmp_path)
    inputs = Inputs("a", np.arange(3.0))
    for _ in range(3):
        curve = cache.get("plant", inputs, lambda: made.append(1) or np.ones(2))
        assert curve.tolist() == [1, 1]
    assert len(made) == 1 and (cache.hits, cache.misses) == (2, 1)
    assert not list(tmp_path.rglob("*.part"))


def test_other_inputs_are_another_curve(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for inputs in (Inputs("a", np.ones(2)), Inputs("b", np.ones(2)), Inputs("a", np.zeros(2))):
        cache.get("plant", inputs, lambda: 1)
    assert cache.misses == 3


def test_a_broken_file_is_made_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.get("plant", 1, lambda: 5)
    next(tmp_path.rglob("*.pickle")).write_bytes(b"half a curve")
    assert cache.get("plant", 1, lambda: 6) == 6


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert Cache(blocked / "curves").get("plant", 1, lambda: 7) == 7


def test_without_a_folder_nothing_is_kept() -> None:
    cache = Cache(None)
    assert [cache.get("plant", 1, lambda: 3) for _ in range(2)] == [3, 3]
    assert cache.misses == 2


def test_digests_tell_kinds_of_values_apart() -> None:
    values = [1, 1.0, "1", (1,), True, None, np.ones(1), np.ones(1, np.int64), {"a": 1}]
    assert len({digest(v) for v in values}) == len(values)
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    with pytest.raises(TypeError, match="cannot hold"):
        digest(object())


def test_a_digest_covers_every_contract_that_an_engine_reads() -> None:
    root = Path(lineshaft.__file__).parent
    found = set()
    for stage in STAGES:
        for path in (root / "stages" / stage).glob("*.py"):
            if path.name != "model.py":
                names = re.findall(r"from lineshaft\.contracts\.(\w+)", path.read_text("utf-8"))
                found |= {f"contracts/{name}.py" for name in names}
    assert {"contracts/curves.py"} < found <= set(SHARED)
