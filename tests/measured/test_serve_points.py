"""Rows of measured serving points: how they are read, and how they are scored."""

import csv
from pathlib import Path

import pytest

from lineshaft.measured.models import serve_points, serve_rows
from lineshaft.measured.models.serve_rows import Measured, Row
from lineshaft.stages.serve.coefficients import SPREADS, interval
from lineshaft.stages.serve.deployment import Layout

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
WHOLE = {
    "id": "a", "silicon_data_source": "db-dump/2026-04-27; silicon_concurrency=64; x",
    "backend": "vllm", "backend_version": "0.12.0", "model_path": "meta-llama/Llama-3.1-70B",
    "system": "h100_sxm", "precision": "fp8", "mode": "agg", "isl": "1024", "osl": "1024",
    "batch_size": "64.0", "tp_size": "4.0", "attention_dp_size": "1.0", "moe_tp_size": "4.0",
    "moe_ep_size": "1.0", "silicon_ttft_ms": "300.0", "silicon_tpot_ms": "20.0",
}  # fmt: skip
SPLIT = WHOLE | {
    "backend": "trtllm", "model_path": "deepseek-ai/DeepSeek-R1", "system": "gb300",
    "precision": "fp4", "mode": "disagg", "batch_size": "", "tp_size": "",
    "silicon_data_source": "source_file=2026-03-25.csv; silicon_concurrency=1229; x",
    "prefill_tp_size": "2.0", "prefill_moe_ep_size": "2.0", "decode_tp_size": "32.0",
    "decode_moe_ep_size": "2.0",
}  # fmt: skip


def read(row: Row, **changes: str) -> Measured:
    found = serve_rows.read(row | changes)
    assert found is not None
    return found


def test_a_plain_row_says_it_all() -> None:
    point = read(WHOLE)
    assert point.arch.name == "Llama 3.1 70B"
    assert point.deployed == serve_rows.Deployed("vllm", Layout(4))
    assert (point.clients, point.spread, point.weight_byte) == (64, 0.8, 1.0)
    assert point.ttft_s == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("tp", "dp", "part", "ep", "layout"),
    [
        (64, 1, 8, 8, Layout(8, ep=8)),
        (1, 64, 8, 8, Layout(1, dp=8, ep=8)),
        (16, 1, 4, 4, Layout(4, ep=4)),
        (4, 4, 1, 16, Layout(4, ep=4)),
        (8, 1, 8, 1, Layout(8)),
        (1, 4, 1, 4, Layout(1, dp=4, ep=4)),
    ],
)
def test_factors_that_imports_count_twice(
    tp: int, dp: int, part: int, ep: int, layout: Layout
) -> None:
    point = read(
        WHOLE, model_path="deepseek-ai/DeepSeek-R1", backend="trtllm", tp_size=str(tp),
        attention_dp_size=str(dp), moe_tp_size=str(part), moe_ep_size=str(ep),
    )  # fmt: skip
    assert point.deployed.layout == layout


def test_split_rows_take_the_listed_deployment() -> None:
    point = read(SPLIT)
    it = point.deployed
    # two of its kind were run at this concurrency; without speculative decoding: 2 workers
    assert (it.prompt_instances, it.instances, it.draft) == (2, 1, 0)
    assert it.prompts == Layout(1, dp=2, ep=2)
    assert it.layout == Layout(1, dp=32, ep=32)
    assert it.accelerators == 36
    assert not it.known  # one with speculative decoding had as many clients
    given = read(
        SPLIT, prefill_num_workers="3.0", decode_num_workers="2.0", decode_batch_size="4.0"
    )
    assert (given.deployed.prompt_instances, given.deployed.instances) == (3, 2)


def test_speculative_decoding_by_image() -> None:
    source = "source_file=2026-03-25.csv; silicon_concurrency=8; measured=2026-02-06; x"
    asked = {
        "model_path": "deepseek-ai/DeepSeek-R1",
        "backend": "trtllm",
        "backend_version": "1.2.0rc6.post3",
    }
    assert read(WHOLE, silicon_data_source=source, **asked).deployed.draft == 3
    assert read(WHOLE, **asked).deployed.draft == 0


def test_what_is_unknown_is_left_out() -> None:
    assert serve_rows.read(WHOLE | {"model_path": "nobody/knows-this-1B"}) is None
    assert serve_rows.read(WHOLE | {"system": "abacus"}) is None


def write(folder: Path, rows: list[Row]) -> None:
    folder.mkdir()
    with (folder / "aic_silicon_sample_small.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, sorted({key for row in rows for key in row}))
        writer.writeheader()
        writer.writerows(rows)


def test_score_of_a_file(tmp_path: Path) -> None:
    answer = serve_points.simulated(read(WHOLE))
    assert answer is not None
    exact = {
        "silicon_ttft_ms": str(answer[0] * 1e3),
        "silicon_tpot_ms": str(answer[1] * 1e3),
    }
    rows = [
        WHOLE | exact,
        WHOLE | exact | {"id": "b"},  # a duplicate
        WHOLE | {"model_path": "nobody/knows-this-1B"},
        SPLIT,
        SPLIT | {"silicon_tpot_ms": "21.0"},
    ]
    write(tmp_path / "serve", rows)
    told: list[str] = []
    (name, score), *others = serve_points.score(tmp_path, told.append).items()
    assert not others
    assert name == "aic_silicon_sample_small"
    assert told == ["aic_silicon_sample_small: 4 measured points"]
    assert score["rows"] == 4
    assert score["coverage"] == pytest.approx(0.75)
    whole = score["groups"]["Llama-3.1-70B|h100_sxm|vllm|agg"]
    assert max(whole[f"{of}_med"] for of in ("ttft", "tpot", "e2e", "throughput")) < 1e-6
    assert score["noise"]["tpot_med"] == pytest.approx(0.5 / 20.5)
    assert 0.0 <= score["interval_cover"] <= 1.0


def test_a_folder_without_points(tmp_path: Path) -> None:
    assert serve_points.found(tmp_path) == []
    assert serve_points.score(tmp_path) == {}


def test_clients_send_again_when_they_are_answered() -> None:
    asked = serve_points.requests(read(WHOLE))
    assert len(asked) == 640
    assert (asked.after[:64] == -1).all()
    assert (asked.after[64:] == range(576)).all()
    assert asked.input_tokens.min() >= 819


@pytest.mark.parametrize("kind", SPREADS)
def test_intervals_hold_the_answer_and_widen_for_the_unseen(kind: tuple[str, bool, bool]) -> None:
    of, split, queued = kind
    ratio = 5.0 if queued else 1.0
    low, high = interval(of, "hopper", "vllm", split=split, queueing=ratio)
    assert low < 1.0 < high
    wide = interval(of, "ampere", "vllm", split=split, queueing=ratio)
    assert wide[0] < low < high < wide[1]


@pytest.mark.shared
@pytest.mark.skipif(not (DATA / serve_points.FILE).exists(), reason="no published data beside")
def test_the_published_points() -> None:
    rows = serve_rows.distinct(DATA / serve_points.FILE)
    read = [serve_rows.read(row) for row in rows]
    assert len(rows) == 2891
    assert sum(point is not None for point in read) / len(rows) > 0.98
    some = [(point, serve_points.simulated(point)) for point in read[::40] if point is not None]
    errors = sorted(
        abs(serve_points.error(point, "tpot", *answer[:2])) for point, answer in some if answer
    )
    assert errors[len(errors) // 2] < 0.15
