"""Draws: reproducible, balanced, correlated as asked, and with the median case in front."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from lineshaft.errors import InputError
from lineshaft.scenario.distributions import Distribution, LogNormal, Normal, Quantiles, Uniform
from lineshaft.scenario.draws import sample, stream

DRIVERS: dict[str, Distribution] = {
    "b.x": Normal(1.0, 2.0),
    "a.y": Quantiles(0.05, 2.0, 0.95, 4.0),
    "c.z": Uniform(0.0, 1.0),
}


def test_same_seed_same_draws_in_any_order() -> None:
    """Only the paths and the seed matter."""
    first = sample(DRIVERS, 100, 7, uniform=["build.luck"])
    again = sample(dict(reversed(DRIVERS.items())), 100, 7, uniform=["build.luck"])
    other = sample(DRIVERS, 100, 8, uniform=["build.luck"])
    assert list(first) == ["a.y", "b.x", "build.luck", "c.z"]
    assert len(first) == 4
    for path in first:
        assert first[path].tobytes() == again[path].tobytes()
        assert not np.array_equal(first[path], other[path])
        assert not first[path].flags.writeable


def test_median_case_is_column_0() -> None:
    """Outside the draws, which are a power of two."""
    draws = sample(DRIVERS, 100, 7, uniform=["build.luck"])
    assert draws.n == 128
    assert draws["a.y"].shape == (129,)
    assert draws["a.y"][0] == pytest.approx(np.sqrt(8.0))
    assert draws["b.x"][0] == 1.0
    assert draws["build.luck"][0] == 0.5
    assert np.all((draws["build.luck"] > 0) & (draws["build.luck"] < 1))


def test_only_the_median_case() -> None:
    """No draws are asked for, none are made."""
    draws = sample(DRIVERS, 0, 7, {("a.y", "b.x"): 0.5})
    assert draws.n == 0
    assert draws["b.x"].tolist() == [1.0]
    assert len(sample({}, 10, 1)) == 0


def test_quantiles_are_met() -> None:
    """Sobol points meet the 90 % interval far better than random ones would."""
    draws = sample(DRIVERS, 4096, 3)["a.y"][1:]
    assert np.mean(draws < 2.0) == pytest.approx(0.05, abs=1e-3)
    assert np.mean(draws < 4.0) == pytest.approx(0.95, abs=1e-3)


@pytest.mark.parametrize("rho", [-0.9, 0.3, 0.8])
def test_copula_has_the_correlation(rho: float) -> None:
    """Of the normal scores: Spearman's is 6/pi asin(rho/2) (Kruskal 1958); margins stay."""
    laws = {**DRIVERS, "d": LogNormal(1.0, 1.0)}
    draws = sample(laws, 4096, 5, {("c.z", "d"): rho})
    assert spearmanr(draws["c.z"][1:], draws["d"][1:]).statistic == pytest.approx(
        6 / np.pi * np.arcsin(rho / 2), abs=0.01
    )
    assert abs(spearmanr(draws["a.y"][1:], draws["d"][1:]).statistic) < 0.02
    assert np.mean(draws["c.z"][1:]) == pytest.approx(0.5, abs=2e-3)


def test_uniform_drivers_can_be_correlated() -> None:
    """Luck of the build with the price of steel, say."""
    draws = sample(DRIVERS, 1024, 5, {("build.luck", "b.x"): 0.9}, ["build.luck"])
    assert spearmanr(draws["build.luck"][1:], draws["b.x"][1:]).statistic > 0.85


def test_impossible_correlations_name_their_pairs() -> None:
    """And leave innocent pairs out."""
    laws: dict[str, Distribution] = {name: Normal(0.0, 1.0) for name in "abcde"}
    asked = {("a", "b"): 0.9, ("b", "c"): 0.9, ("a", "c"): -0.9, ("d", "e"): 0.5}
    with pytest.raises(InputError) as caught:
        sample(laws, 8, 1, asked)
    (problem,) = caught.value.problems
    assert "a ~ b = 0.9" in problem.found
    assert "d ~ e" not in problem.found
    scale = float(problem.fix.rpartition(" ")[2])
    assert sample(laws, 8, 1, {pair: scale * rho for pair, rho in asked.items()}).n == 8


def test_wrong_correlations_are_told_together() -> None:
    """Unknown inputs with a suggestion, numbers out of range, and pairs of one."""
    with pytest.raises(InputError) as caught:
        sample(DRIVERS, 8, 1, {("a.yy", "b.x"): 0.5, ("b.x", "c.z"): 1.5, ("b.x", "b.x"): 0.5})
    text = str(caught.value)
    assert len(caught.value.problems) == 3
    assert "did you mean 'a.y'?" in text
    assert "correlation 1.5" in text
    assert "correlated with itself" in text
    with pytest.raises(InputError, match="given twice"):
        sample(DRIVERS, 8, 1, {("a.y", "b.x"): 0.5, ("b.x", "a.y"): 0.4})


def test_slices_keep_the_median_case() -> None:
    """Chunks in order give all draws, each with the median case in front."""
    draws = sample(DRIVERS, 64, 2)
    chunks = [draws.slice(start, start + 24) for start in (0, 24, 48)]
    assert [chunk.n for chunk in chunks] == [24, 24, 16]
    for path in draws:
        assert all(chunk[path][0] == draws[path][0] for chunk in chunks)
        whole = np.concatenate([chunk[path][1:] for chunk in chunks])
        assert np.array_equal(whole, draws[path][1:])


def test_of_falls_back_to_the_median() -> None:
    """A number that is no driver stays a float."""
    draws = sample(DRIVERS, 8, 2)
    assert draws.of("nothing", Normal(3.0, 1.0)) == 3.0
    assert draws.of("b.x", Normal(3.0, 1.0)) is draws["b.x"]
    with pytest.raises(KeyError):
        draws["nothing"]
    with pytest.raises(ValueError, match="named twice"):
        sample(DRIVERS, 8, 2, uniform=["b.x"])


def test_streams_depend_on_seed_and_name_only() -> None:
    """So that a new stage shifts no other; the first number is held for ever."""
    assert stream(1, "serve").random() == stream(1, "serve").random()
    assert stream(1, "serve").random() != stream(1, "train").random()
    assert stream(1, "serve").random() != stream(2, "serve").random()
    assert stream(0, "serve").integers(2**32) == 3179793243
