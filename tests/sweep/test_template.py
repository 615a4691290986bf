"""A scenario read once says what the same scenario read from its files says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lineshaft
from lineshaft.cache import Cache, Memo
from lineshaft.errors import InputError
from lineshaft.sweep.field import field_at
from lineshaft.sweep.template import Template


@pytest.mark.parametrize("name", ["warehouse", "gigawatt"])
def test_the_same_scenario_as_from_the_file(name: str) -> None:
    file = Path(__file__).parents[2] / f"src/lineshaft/examples/{name}.toml"
    template = Template.of(file, overrides=["months=48"])
    assert template.scenario() == lineshaft.read(name, overrides=["months=48"])
    changed = template.scenario(["value.wacc=0.11", "value.tax_rate=0.3"])
    overrides = ["months=48", "value.wacc=0.11", "value.tax_rate=0.3"]
    assert changed == lineshaft.read(name, overrides=overrides)
    assert template.scenario() == lineshaft.read(name, overrides=["months=48"])  # nothing stayed


def test_variant_and_imports_are_in_it(tmp_path: Path, warehouse_file: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(f'import = ["{warehouse_file}"]\n[variants.dear]\nvalue.wacc = "20 %"\n')
    assert Template.of(file, variant="dear").scenario().value.wacc.median == 0.2
    with pytest.raises(InputError, match="no variant 'deer'"):
        Template.of(file, variant="deer")


def test_a_trace_is_found_beside_the_file(tmp_path: Path, warehouse_file: Path) -> None:
    rows = "".join(
        f"2024-05-10 00:{i // 60:02}:{i % 60:02}.5,{100 + i},{20 + i}\n" for i in range(120)
    )
    (tmp_path / "mine.csv").write_text(f"TIMESTAMP,ContextTokens,GeneratedTokens\n{rows}")
    file = tmp_path / "own.toml"
    file.write_text(f'import = ["{warehouse_file}"]\n[serve]\ntrace = "mine.csv"\n')
    assert Template.of(file).scenario().serve.trace == str((tmp_path / "mine.csv").resolve())


def test_unit_and_meaning_of_an_input(template: Template) -> None:
    scenario = template.scenario()
    cash = field_at(scenario, ("capital", "opening_cash_usd"))
    months = field_at(scenario, ("months",))
    assert cash is not None and (cash.unit, cash.whole) == ("USD", False)
    assert months is not None and (months.whole, months.meaning) == (True, "Number of months.")
    assert field_at(scenario, ("capital", "opening")) is None
    assert field_at(scenario, ("floor", "site", "elsewhere", "load_w")) is None


def test_curves_at_hand_are_made_once_and_the_oldest_go(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Memo, "KEPT", 2)
    made: list[int] = []

    def make(number: int) -> np.ndarray:
        made.append(number)
        return np.full(3, float(number))

    memo = Memo(None)
    assert isinstance(memo, Cache)
    for number in (1, 2, 1, 2, 3, 2, 1):
        assert memo.get("oversee", number, lambda n=number: make(n))[0] == number  # type: ignore[misc]
    assert made == [1, 2, 3, 1]
