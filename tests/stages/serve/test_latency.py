"""Latencies, service levels and goodput as the load generators define them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.stages.serve.latency import (
    DEFINITIONS,
    Latencies,
    Objective,
    Slo,
    check,
    definition,
    goodput,
    of,
    percentile,
    slo,
    summary,
)


def three(name: str = "vllm", **api: float) -> Latencies:
    """Answers of 1, 3 and 11 tokens, and a request that got none."""
    return of(
        np.array([0.0, 1.0, 2.0, 3.0]),
        np.array([0.5, 1.2, 2.4, np.nan]),
        np.array([0.5, 1.6, 3.4, np.nan]),
        np.array([1, 3, 11, 5]),
        definition=definition(name),
        **api,
    )


def test_the_three_latencies() -> None:
    found = three()
    np.testing.assert_allclose(found.ttft_s, [0.5, 0.2, 0.4, np.nan])
    np.testing.assert_allclose(found.tpot_s, [np.nan, 0.2, 0.1, np.nan])
    np.testing.assert_allclose(found.e2e_s, [0.5, 0.6, 1.4, np.nan])


def test_time_outside_the_engine_counts_before_every_token() -> None:
    plain, slow = three(), three(api_s=0.1, api_token_s=0.01)
    np.testing.assert_allclose(slow.ttft_s - plain.ttft_s, [0.1, 0.1, 0.1, np.nan])
    np.testing.assert_allclose(slow.tpot_s - plain.tpot_s, [np.nan, 0.01, 0.01, np.nan])
    np.testing.assert_allclose(slow.e2e_s - plain.e2e_s, [0.1, 0.12, 0.2, np.nan])


def test_pooled_tpot_weighs_answers_by_their_gaps() -> None:
    found = three()
    # 0.4 s over 2 gaps and 1.0 s over 10 gaps
    assert found.pooled_tpot_s == pytest.approx(1.4 / 12)
    assert summary(found)["tpot"]["mean"] == pytest.approx(0.15)
    assert summary(found)["tpot"]["pooled"] == pytest.approx(1.4 / 12)
    assert found.itl_s == pytest.approx(1.4 / 12)
    assert three("aiperf").itl_s == pytest.approx(0.15)


def test_inference_perf_has_no_ttft_of_one_token() -> None:
    found = three("inference-perf")
    np.testing.assert_allclose(found.ttft_s, [np.nan, 0.2, 0.4, np.nan])
    assert found.e2e_s[0] == pytest.approx(0.5)
    assert summary(found)["ttft"]["mean"] == pytest.approx(0.3)


@pytest.mark.parametrize(("name", "good"), [("vllm", 3), ("aiperf", 2), ("inference-perf", 2)])
def test_one_token_answers_in_goodput(name: str, good: int) -> None:
    (found,) = goodput(three(name), slo("tpot=1s"), duration_s=10.0)
    assert (found.requests, found.answered, found.good) == (4, 3, good)
    assert found.share == good / 4
    assert found.good_rps == pytest.approx(good / 10)


def test_goodput_by_class_and_tokens() -> None:
    levels = [slo("ttft=300ms"), slo("ttft=1s,e2e=1s")]
    first, second = goodput(three(), levels, 2.0, np.array([0, 0, 1, 1]))
    assert (first.slo_class, first.good, first.good_tokens_per_s) == (0, 1, 1.5)
    assert (second.slo_class, second.good) == (1, 0)  # 1.4 s end to end, and none


def test_parsing() -> None:
    found = slo("ttft_p90=2s, tpot_mean=100ms,E2E=0.5min")
    assert found == Slo(
        (
            Objective("ttft", 90.0, 2.0),
            Objective("tpot", None, 0.1),
            Objective("e2e", 99.0, 30.0),
        )
    )
    assert slo(str(found)) == found


def test_all_errors_at_once() -> None:
    text = "tftf_p90=2s,ttft_p90=2,tpot,e2e_p100=1s,tpot_p50=-3ms,ttft=1s,ttft_p99=2s"
    with pytest.raises(InputError) as raised:
        slo(text, "--slo")
    found = [problem.found for problem in raised.value.problems]
    assert len(found) == 6
    assert "tftf" in found[0] and raised.value.problems[0].fix == "did you mean 'ttft'?"
    assert "'2' is no time" in found[1]
    assert "no objective" in found[2]
    assert "percentile 100" in found[3]
    assert "'-3ms' is no time" in found[4]
    assert "ttft_p99 is there twice" in found[5]
    assert all(problem.where == "--slo" for problem in raised.value.problems)


def test_unknown_definition() -> None:
    with pytest.raises(InputError, match="vllm, aiperf, inference-perf"):
        definition("vlm")
    assert set(DEFINITIONS) == {"vllm", "aiperf", "inference-perf"}


def test_check_judges_every_class() -> None:
    verdicts = check(three(), slo("ttft_p50=300ms,tpot_p50=1s"), np.array([0, 0, 1, 0]))
    found = {(one.slo_class, one.objective.key): (one.value_s, one.met) for one in verdicts}
    assert found[0, "ttft_p50"] == (pytest.approx(0.5), False)  # 0.2, 0.5, no answer
    assert found[1, "ttft_p50"] == (pytest.approx(0.4), False)
    assert found[0, "tpot_p50"][1] is False  # 0.2 and no answer: half way to endless
    assert found[1, "tpot_p50"] == (pytest.approx(0.1), True)


def test_refusing_meets_no_percentile() -> None:
    (verdict,) = check(three(), slo("ttft_p99=60min"))
    assert verdict.value_s == math.inf
    assert not verdict.met
    none = of(np.zeros(1), np.full(1, np.nan), np.full(1, np.nan), np.full(1, 9))
    assert not any(one.met for one in check(none, slo("ttft_mean=1s,tpot_p50=1s")))


def test_a_class_without_the_latency_is_no_breach() -> None:
    one = of(np.zeros(2), np.ones(2), np.ones(2), np.ones(2, np.int64))
    (verdict,) = check(one, slo("tpot_p90=1ms"))
    assert math.isnan(verdict.value_s) and verdict.met


@given(
    st.lists(st.floats(0.0, 1e3), min_size=1, max_size=40),
    st.integers(0, 10),
    st.floats(0.1, 99.9),
)
def test_percentile_is_numpys_with_endless_ones_behind(
    values: list[float], unanswered: int, at: float
) -> None:
    array = np.array(values)
    assert percentile(array, at) == pytest.approx(float(np.percentile(array, at)))
    # large finite numbers stand for endless ones
    far = np.concatenate((array, np.full(unanswered, 1e12)))
    found, expected = percentile(array, at, unanswered), float(np.percentile(far, at))
    if found == math.inf:
        assert expected > 1e3 or at / 100 * (len(far) - 1) > len(array) - 1
    else:
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-3)


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.floats(0, 10), st.floats(0, 10), st.integers(1, 50)),
        min_size=1,
        max_size=30,
    ),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_e2e_is_ttft_and_tpot_per_further_token(
    rows: list[tuple[float, float, float, int]], api_s: float, api_token_s: float
) -> None:
    sent, wait, decode, tokens = (np.array(column) for column in zip(*rows, strict=True))
    decode = np.where(tokens > 1, decode, 0.0)
    found = of(
        sent, sent + wait, sent + wait + decode, tokens, api_s=api_s, api_token_s=api_token_s
    )
    again = found.ttft_s + np.where(tokens > 1, np.nan_to_num(found.tpot_s), 0) * (tokens - 1)
    np.testing.assert_allclose(found.e2e_s, again, atol=1e-6)
