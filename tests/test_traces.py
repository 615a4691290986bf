"""Traces: reading, broken rows, scaling, statistics."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshaft import traces
from lineshaft.errors import InputError

SHARED = Path(__file__).parents[1] / ".." / "shared" / "data" / "traces"


def shared(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"published trace {name} is not here")
    return path


def azure(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "trace.csv"
    path.write_text("\n".join(("TIMESTAMP,ContextTokens,GeneratedTokens", *rows)) + "\n")
    return path


GOOD = ("2023-11-16 18:15:46.6805900,374,44", "2023-11-16 18:15:50.9951690,396,109")


def test_azure_rows_become_seconds_and_tokens(tmp_path: Path) -> None:
    trace = traces.read(azure(tmp_path, *GOOD))
    assert trace.arrival_s.tolist() == pytest.approx([0.0, 4.314579], abs=1e-9)
    assert trace.input_tokens.tolist() == [374, 396]
    assert trace.output_tokens.tolist() == [44, 109]
    assert not trace.has_blocks
    assert trace.how == "Azure CSV"


def test_rows_are_sorted_by_arrival(tmp_path: Path) -> None:
    trace = traces.read(azure(tmp_path, GOOD[1], GOOD[0]))
    assert trace.input_tokens.tolist() == [374, 396]
    assert trace.arrival_s[0] == 0.0


def test_broken_rows_are_counted_and_named(tmp_path: Path) -> None:
    path = azure(tmp_path, GOOD[0], "2023-11-16 18:15:47,x,3", "noon,5,5", GOOD[1], "a,b", "")
    with pytest.raises(InputError) as error:
        traces.read(path)
    text = str(error.value)
    assert "3 of 5 rows are broken" in text
    assert "line 3: ContextTokens is not a whole number" in text
    assert "line 4: TIMESTAMP is not a date and time" in text
    assert "line 6: 2 columns instead of 3" in text
    assert "skip_broken=True" in text
    trace = traces.read(path, skip_broken=True)
    assert len(trace) == 2
    assert "3 of 5 rows dropped" in trace.how


@pytest.mark.parametrize("row", ["2023-11-16 18:15:47,0,3", "2023-11-16 18:15:47,,3"])
def test_rows_that_parse_but_cannot_be_are_broken(tmp_path: Path, row: str) -> None:
    with pytest.raises(InputError, match=r"1 of 2 rows is broken: line 3: ContextTokens"):
        traces.read(azure(tmp_path, GOOD[0], row))


@pytest.mark.parametrize("text", ["", "TIMESTAMP,ContextTokens,GeneratedTokens\n", "a,b\n1,2\n"])
def test_empty_and_foreign_files_say_what_is_allowed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(text)
    with pytest.raises(InputError, match="ContextTokens, GeneratedTokens"):
        traces.read(path)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv.*cannot be read"):
        traces.read(tmp_path / "nowhere.csv")


def mooncake(tmp_path: Path, *rows: object) -> Path:
    path = tmp_path / "trace.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return path


def request(at: float, size: int, blocks: list[int]) -> dict[str, object]:
    return {"timestamp": at, "input_length": size, "output_length": 7, "hash_ids": blocks}


def test_mooncake_blocks_stay_with_their_request(tmp_path: Path) -> None:
    rows = [request(2000, 600, [1, 9]), request(500, 1000, [1, 2])]
    trace = traces.read(mooncake(tmp_path, *rows))
    assert trace.arrival_s.tolist() == [0.0, 1.5]
    assert trace.block_ids.tolist() == [1, 2, 1, 9]
    assert trace.block_start.tolist() == [0, 2, 4]
    assert trace.block_tokens == 512
    assert traces.prefix_hit_share(trace) == 0.25


def test_mooncake_broken_rows(tmp_path: Path) -> None:
    path = mooncake(tmp_path, request(0, 600, [1, 2]), "{", request(1, 600, [1]), "[]")
    with pytest.raises(InputError) as error:
        traces.read(path)
    assert "3 of 4 rows are broken" in str(error.value)
    assert "lines 2, 4: not a JSON object" in str(error.value)
    assert "line 3: hash_ids does not hold one id per 512 tokens" in str(error.value)


def test_a_coarse_clock_is_taken_apart(tmp_path: Path) -> None:
    stamps = [0] * 40 + [3001] * 60 + [5999] * 50 + [60_000] * 30
    path = mooncake(tmp_path, *(request(at, 600 + n, [n, n]) for n, at in enumerate(stamps)))
    trace = traces.read(path)
    assert "180 requests stamped at 4 instants 3 s apart are spread at random" in trace.how
    assert trace.input_tokens.tolist() == list(range(600, 780))
    assert trace.block_ids.tolist() == [n for n in range(180) for _ in range(2)]
    assert trace.arrival_s[0] == 0.0
    assert (np.diff(trace.arrival_s) > 0).all()
    # each stays between its own instant and the next, or a tick on where the log pauses
    late = trace.arrival_s - np.array(stamps) / 1000
    first = late.min()
    assert -0.5 < first <= 0
    assert (late - first < 3.01).all()
    assert late.mean() - first == pytest.approx(1.5, abs=0.2)
    assert traces.read(path).arrival_s.tobytes() == trace.arrival_s.tobytes()


@pytest.mark.parametrize(
    "stamps", [[0, 0, 100, 100, 200, 200], [0, 3000, 6000, 6000, 9000], [7, 7, 7]]
)
def test_a_fine_clock_is_left_alone(tmp_path: Path, stamps: list[int]) -> None:
    path = mooncake(tmp_path, *(request(at, 600, [1, 2]) for at in stamps))
    trace = traces.read(path)
    assert trace.arrival_s == pytest.approx((np.array(stamps) - stamps[0]) / 1000)
    assert trace.how == "Mooncake JSONL"


@pytest.mark.shared
def test_the_conversation_trace_becomes_as_bursty_as_its_counts() -> None:
    trace = traces.read(shared("conversation_trace.jsonl"))
    assert "12,031 requests stamped at 1,180 instants 3 s apart" in trace.how
    gaps = np.diff(trace.arrival_s)
    assert (gaps > 0).all()
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=0.05)
    assert trace.rate_rps == pytest.approx(12_030 / 3537, rel=2e-3)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "requests", "blocks", "share"),
    [
        ("conversation_trace.jsonl", 12_031, 288_500, 0.3664),
        ("synthetic_trace.jsonl", 3_993, 121_877, 0.6396),
    ],
)
def test_endless_cache_hit_share(name: str, requests: int, blocks: int, share: float) -> None:
    trace = traces.read(shared(name))
    assert (len(trace), len(trace.block_ids)) == (requests, blocks)
    assert traces.prefix_hit_share(trace) == pytest.approx(share, abs=5e-5)


@pytest.mark.shared
def test_shipped_statistics_are_those_of_the_trace() -> None:
    trace, facts = traces.read(shared("AzureLLMInferenceTrace_conv.csv")), traces.AZURE_CONVERSATION
    gaps = np.diff(trace.arrival_s)
    assert len(trace) == facts.requests
    assert trace.rate_rps == pytest.approx(facts.rate_rps, rel=1e-4)
    assert gaps.std() / gaps.mean() == pytest.approx(facts.gap_cv, rel=1e-3)
    for tokens, lengths in (
        (trace.input_tokens, facts.input_tokens),
        (trace.output_tokens, facts.output_tokens),
    ):
        assert tokens.mean() == pytest.approx(lengths.mean, rel=1e-4)
        assert np.median(tokens) == lengths.median
        found = np.quantile(tokens, traces.PROBABILITIES, method="nearest")
        assert found.tolist() == list(lengths.quantiles)


def test_synthetic_has_the_moments_asked_for() -> None:
    trace = traces.synthetic(requests=20_000, seed=3)
    facts = traces.AZURE_CONVERSATION
    gaps = np.diff(trace.arrival_s)
    assert trace.rate_rps == pytest.approx(facts.rate_rps, rel=0.03)
    assert gaps.std() / gaps.mean() == pytest.approx(facts.gap_cv, rel=0.05)
    assert trace.input_tokens.mean() == pytest.approx(facts.input_tokens.mean, rel=0.02)
    assert trace.output_tokens.mean() == pytest.approx(facts.output_tokens.mean, rel=0.02)


def test_synthetic_lognormal_lengths() -> None:
    lengths = traces.Lengths(mean=1000.0, median=600.0)
    facts = traces.Statistics("mine", 0, 2.0, 3.0, lengths, traces.Lengths(300.0, 300.0))
    trace = traces.synthetic(facts, requests=20_000)
    assert trace.input_tokens.mean() == pytest.approx(1000, rel=0.02)
    assert np.median(trace.input_tokens) == pytest.approx(600, rel=0.01)
    assert set(trace.output_tokens.tolist()) == {300}


def test_synthetic_is_deterministic_and_seeded() -> None:
    one, two, other = (traces.synthetic(requests=50, seed=seed) for seed in (1, 1, 2))
    assert one.arrival_s.tolist() == two.arrival_s.tolist()
    assert one.input_tokens.tolist() == two.input_tokens.tolist()
    assert one.input_tokens.tolist() != other.input_tokens.tolist()


def test_synthetic_refuses_what_cannot_be() -> None:
    bad = traces.Statistics("mine", 0, 1.0, 0.0, traces.Lengths(5.0, 9.0), traces.Lengths(9.0, 5.0))
    with pytest.raises(InputError) as error:
        traces.synthetic(bad, requests=0)
    assert {problem.key for problem in error.value.problems} == {
        "requests",
        "gap_cv",
        "input_tokens",
    }


@settings(max_examples=25, deadline=None)
@given(rate=st.floats(1e-3, 1e3))
def test_rescale_keeps_order_and_relative_gaps(rate: float) -> None:
    trace = traces.synthetic(requests=60, seed=5)
    scaled = traces.rescale(trace, rate)
    assert scaled.rate_rps == pytest.approx(rate)
    shape = np.diff(scaled.arrival_s) / np.diff(scaled.arrival_s).mean()
    assert shape == pytest.approx(np.diff(trace.arrival_s) / np.diff(trace.arrival_s).mean())


def test_rescale_refuses_a_rate_of_zero() -> None:
    with pytest.raises(InputError, match="above zero"):
        traces.rescale(traces.synthetic(requests=5), 0.0)


def test_head_keeps_blocks(tmp_path: Path) -> None:
    trace = traces.read(mooncake(tmp_path, request(0, 600, [1, 2]), request(1, 300, [3])))
    short = traces.head(trace, 1)
    assert short.block_ids.tolist() == [1, 2]
    assert short.block_start.tolist() == [0, 2]
    assert traces.head(trace, 9) is trace
