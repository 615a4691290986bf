"""Loss curves of converters and chains."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.stages.plant.electrical import (
    DISTRIBUTION,
    RECTIFIER,
    TRANSFORMER,
    UPS,
    Converter,
    chain_loss_w,
)


def efficiency(converter: Converter, load: float) -> float:
    """Output over input of one converter at a share of its needed output."""
    loss = float(converter.loss_w(load, 1.0))
    return load / (load + loss)


def test_transformer_meets_the_federal_minimum() -> None:
    """99.53 % at half load (10 CFR 431.196, 2500 kVA), where core equals copper loss."""
    assert efficiency(TRANSFORMER, 0.5) == pytest.approx(0.9953, abs=5e-5)
    assert TRANSFORMER.constant == pytest.approx(TRANSFORMER.quadratic * 0.25)


def test_power_shelf_at_full_load() -> None:
    """97.5 % at full load."""
    assert efficiency(RECTIFIER, 1.0) == pytest.approx(0.9756, abs=1e-4)


@given(load=st.floats(0.05, 1.0))
def test_two_full_paths_lose_more_at_part_load(load: float) -> None:
    """Redundancy pays the constant losses twice, but saves copper loss."""
    one = Converter("one", 0.01, 0.01, 0.0)
    two = Converter("two", 0.01, 0.01, 0.0, redundancy=2.0)
    assert two.loss_w(load, 1.0) - one.loss_w(load, 1.0) == pytest.approx(0.01)
    copper = Converter("copper", 0.0, 0.0, 0.01)
    halves = Converter("halves", 0.0, 0.0, 0.01, redundancy=2.0)
    assert halves.loss_w(load, 1.0) == pytest.approx(0.5 * copper.loss_w(load, 1.0))


def test_a_chain_feeds_the_losses_of_the_links_before_it() -> None:
    """Two converters of 10 % loss draw 1.1 x 1.1 of the load."""
    tenth = Converter("tenth", 0.0, 0.1, 0.0)
    outdoors = Converter("outdoors", 0.0, 0.1, 0.0, indoor=False)
    loss, indoor = chain_loss_w(np.array([50.0, 100.0]), 100.0, (tenth, outdoors))
    assert loss == pytest.approx(np.array([10.5, 21.0]))
    assert indoor == pytest.approx(np.array([5.0, 10.0]))


def test_an_empty_chain_loses_nothing() -> None:
    """No converters, no loss."""
    loss, indoor = chain_loss_w(5.0, 10.0, ())
    assert float(loss) == 0.0
    assert float(indoor) == 0.0


@given(low=st.floats(0.05, 0.9), step=st.floats(0.01, 0.1))
def test_loss_rises_with_load_and_its_share_at_low_load(low: float, step: float) -> None:
    """More load, more watts lost; at a tenth of the load the share is higher than at full."""
    chain = (DISTRIBUTION, UPS)
    assert chain_loss_w(low + step, 1.0, chain)[0] > chain_loss_w(low, 1.0, chain)[0]
    assert chain_loss_w(0.1, 1.0, chain)[0] / 0.1 > chain_loss_w(1.0, 1.0, chain)[0]
