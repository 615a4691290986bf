"""Questions are answered round by round, and what they ask is solved the same wherever it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lineshaft
from lineshaft import asking
from lineshaft.asking import Ask, Figures, Question, answered, solve_all
from lineshaft.characterise import characterise
from lineshaft.errors import ConservationError
from lineshaft.kpis import MEASURES
from lineshaft.line import figures
from lineshaft.parameters.draws import draw
from lineshaft.scenario.draws import Draws


def doubled(ask: Ask, rounds: int) -> Question[float]:
    """The sum of what it was sent in so many rounds, each of one more scenario."""
    total = 0.0
    for number in range(rounds):
        found = yield [ask] * (number + 1)
        total += sum(float(one["x"][0]) for one in found if one is not None)
    return 2 * total


def test_each_is_sent_its_own_figures_until_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = lineshaft.read("claimed-9t")
    asked: list[int] = []

    def numbered(wanted: Sequence[Ask]) -> list[Figures | None]:
        asked.append(len(wanted))
        return [{"x": np.array([one.drawn.n])} for one in wanted]

    monkeypatch.setattr(asking, "solve_all", numbered)
    one, ten = (Ask(scenario, Draws(n, {})) for n in (1, 10))
    assert answered(doubled(one, 2), doubled(ten, 0), doubled(ten, 3)) == [6, 0, 120]
    assert asked == [1 + 1, 2 + 2, 3]
    assert answered() == []


@pytest.mark.parametrize("processors", [1, 2, 5])
def test_the_same_bits_on_any_number_of_processors(
    processors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = lineshaft.read("warehouse", overrides=["months=12"])
    other = lineshaft.read("warehouse", overrides=["months=12", "value.wacc=0.09"])
    curves = characterise(scenario)
    wide, narrow = draw(scenario, 64, 1), draw(other, 2, 1)
    monkeypatch.setattr(asking, "processors", lambda: processors)
    together = solve_all([Ask(scenario, wide, curves), Ask(other, narrow)])
    for found, alone in zip(
        together,
        (figures(scenario, curves, wide), figures(other, characterise(other), narrow)),
        strict=True,
    ):
        assert found is not None
        assert list(found) == [what.name for what in MEASURES]
        assert all(found[name].tobytes() == alone[name].tobytes() for name in alone)


def test_a_broken_balance_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(cases: Sequence[object]) -> list[ConservationError]:
        return [ConservationError("value", "a balance", "2026-01", 1.0) for _ in cases]

    monkeypatch.setattr(asking, "solve", broken)
    with pytest.raises(ConservationError, match="a balance"):
        solve_all([Ask(lineshaft.read("warehouse", overrides=["months=12"]))])


@given(st.lists(st.integers(0, 256), max_size=40), st.integers(1, 9))
def test_work_is_shared_out_evenly(widths: list[int], count: int) -> None:
    pieces = [(place, Draws(n, {})) for place, n in enumerate(widths)]
    parts = asking._shared_out(pieces, count)
    assert sorted(piece for part in parts for piece in part) == list(range(len(widths)))
    assert len(parts) == min(count, len(widths)) and all(parts)
    work = [sum(asking._SETUP + widths[piece] for piece in part) for part in parts]
    if work:
        assert max(work) - min(work) <= asking._SETUP + max(widths)
