"""The draws of a scenario's uncertain inputs, joined by the correlations that it states."""

from __future__ import annotations

from lineshaft.scenario import Scenario
from lineshaft.scenario.draws import Draws, sample
from lineshaft.scenario.fields import drivers

RISK = ("build.luck",)
"""Uniform drivers besides the scenario's own: what a stage's engine drew before."""


def draw(scenario: Scenario, draws: int, seed: int) -> Draws:
    """Draws (rounded up to a power of two) of every uncertain input; InputError for a
    correlation of what is not uncertain."""
    pairs = {(a, b): rho for a, others in scenario.correlation.items() for b, rho in others.items()}
    return sample(drivers(scenario), draws, seed, pairs, RISK)
