"""The verbs in Python: names in, results out."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from lineshaft import catalog, serve
from lineshaft.errors import InputError
from lineshaft.parameters.hardware import chip
from lineshaft.stages.serve.clients import Arrivals, Sessions, fixed, sessions

LLAMA: dict[str, Any] = {"model": "Llama 3.1 8B", "accelerator": "H100", "requests": 400}
LEVEL = "ttft_p90=2s,tpot_p90=50ms"


@pytest.fixture(scope="module")
def one() -> serve.Result:
    return serve.simulate(**LLAMA, rate=10, slo=LEVEL)


def test_a_simulation_adds_up(one: serve.Result) -> None:
    assert one.states == {"done": 500, "refused": 0, "rejected": 0}
    assert one.requests == 450
    assert 0.9 < one.completed_rps / 10 < 1.1
    tokens = one.tokens_per_s
    assert one.usd_per_h == 2.99
    price = one.usd_per_h / 3600 / sum(tokens.values()) * 1e6
    assert one.usd_per_mtok["all"] == pytest.approx(price, rel=0.02)
    split = sum(tokens[kind] * one.usd_per_mtok[kind] for kind in ("input", "output"))
    assert split / sum(tokens.values()) == pytest.approx(one.usd_per_mtok["all"])
    for metric in ("ttft", "tpot", "e2e"):
        found = one.latency_s[metric]
        assert 0 < found["p50"] <= found["p90"] <= found["p99"]
    assert one.holds and one.goodput[0].share == 1.0
    assert all(v.low_s <= v.value_s <= v.high_s for v in one.verdicts)


def test_steps_are_explained_to_their_last_second(one: serve.Result) -> None:
    decode, prompt = one.explained()
    for step in (decode, prompt):
        assert sum(term.share for term in step.terms) == pytest.approx(1.0)
    assert prompt.seconds > decode.seconds


def test_what_is_told_is_json_and_what_is_written_is_whole(
    one: serve.Result, tmp_path: Path
) -> None:
    told = json.dumps(one.to_dict(), allow_nan=False)
    assert {"deployment", "latency_s", "goodput", "usd_per_mtok", "energy", "over_time"} <= set(
        json.loads(told)
    )
    rows, figures = one.write(tmp_path / "out")
    table = pq.read_table(rows)
    assert table.num_rows == 500
    ended = table["finish_s"].to_numpy() - table["arrival_s"].to_numpy()
    assert (ended > 0).all()
    assert json.loads(figures.read_text())["latency_s"] == json.loads(told)["latency_s"]


def test_slower_steps_are_worse_near_saturation_than_the_bar_alone_says() -> None:
    asked = {**LLAMA, "requests": 2000, "slo": "ttft_p90=1s"}
    light = serve.simulate(**asked, rate=1.0)
    idle = light.verdicts[0]
    full = serve.simulate(**asked, rate=0.93 * light.saturation_rps).verdicts[0]
    assert idle.high_s / idle.value_s == pytest.approx(light.bars.ttft[1])
    assert full.high_s / full.value_s > 1.5 * light.bars.ttft[1]


def test_closed_loops_traces_classes_and_two_pools_run(tmp_path: Path) -> None:
    loop = serve.simulate(**LLAMA, clients=8, input_tokens=500, output_tokens=100)
    assert loop.offered_rps == 0 and math.isnan(loop.saturation_rps)
    assert loop.running + loop.waiting == pytest.approx(8, rel=0.05)
    path = tmp_path / "trace.jsonl"
    rows = [{"timestamp": 100 * i, "input_length": 600, "output_length": 50} for i in range(200)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    replayed = serve.simulate(**LLAMA, trace=path)
    assert replayed.offered_rps == pytest.approx(10.0) and replayed.requests == 200
    classed = serve.simulate(
        **LLAMA, rate=10, shares="0.25,0.75", slo=("ttft_p90=1s", "ttft_p90=9s"), priority=True
    )
    assert [good.slo_class for good in classed.goodput] == [0, 1]
    assert [v.limit_s for v in classed.verdicts] == [1.0, 9.0]
    split = serve.simulate(**LLAMA, rate=10, disaggregate="1:2", decode_tp=2)
    assert split.deployment.accelerators == 5 and split.usd_per_h == pytest.approx(5 * 2.99)
    assert set(np.unique(split.outcome.decode_instance)) == {1, 2}


def test_agents_hit_the_prefix_cache() -> None:
    kind = Sessions(Arrivals(1.0), fixed(4), fixed(512), fixed(64), fixed(64), system_tokens=256)
    asked = sessions(kind, count=50, seed=0)
    hit, miss = (
        serve.simulate(model="llama-3.1-8b", accelerator="H100", workload=asked, prefix_cache=cache)
        for cache in (True, False)
    )
    assert miss.hit_share == 0 < 0.4 < hit.hit_share
    assert hit.latency_s["ttft"]["mean"] < miss.latency_s["ttft"]["mean"]
    assert hit.usd_per_mtok["cached"] < hit.usd_per_mtok["input"]


def test_a_rate_above_saturation_is_refused_unless_it_is_wanted() -> None:
    with pytest.raises(InputError, match=r"saturates at [0-9.]+(?s:.*)--replicas \d") as error:
        serve.simulate(**LLAMA, rate=500)
    enough = int(str(error.value).split("--replicas ")[1].split(",")[0])
    calm = serve.simulate(**LLAMA, rate=500, replicas=enough)
    assert not any("saturates" in note for note in calm.notes)
    over = serve.simulate(**LLAMA, rate=500, overload=True)
    assert "saturates" in over.notes[0]


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InputError) as error:
        serve.simulate(
            model="Lama 3.1 8B",
            accelerator="H10",
            tp=0,
            rate=1,
            slo="tft_p90=1s",
            prices=["H100"],
            shares="a",
            router="robin",
            disaggregate="1-2",
            engine="vlm",
            definition="mine",
        )
    said = str(error.value)
    keys = {problem.key for problem in error.value.problems}
    assert {"slo", "price", "classes", "router", "disaggregate", "engine", "tp"} <= keys
    assert "definition" in keys and "did you mean" in said
    assert "llama-3.1-8b" in said and "H100" in said


def test_a_model_that_does_not_fit_says_by_how_much_and_what_would_do() -> None:
    with pytest.raises(InputError, match=r"does not fit.*GB too few(?s:.*)tp") as error:
        serve.simulate(model="Llama 3.1 70B", accelerator="H100", rate=1, precision="bf16")
    assert error.value.problems[0].fix
    with pytest.raises(InputError, match="does not divide"):
        serve.simulate(model="Llama 3.1 8B", accelerator="H100", rate=1, tp=3)


def test_without_a_rent_all_but_the_cost_is_told() -> None:
    found = serve.simulate(model="llama-3.1-8b", accelerator="GB300", rate=5, requests=200)
    assert math.isnan(found.usd_per_h) and math.isnan(found.usd_per_mtok["all"])
    assert found.energy["kwh_per_mtok"] > 0
    priced = serve.simulate(
        model="llama-3.1-8b", accelerator="GB300", rate=5, requests=200, prices=["GB300=$4"]
    )
    assert priced.usd_per_h == 4.0


def test_a_curve_rises_to_saturation_and_has_a_knee() -> None:
    found = serve.sweep(**LLAMA, slo="tpot_p90=20ms", points=6)
    rates = [point.offered_rps for point in found.points]
    done = [point.completed_rps for point in found.points]
    assert rates == sorted(rates) and max(done) < 1.1 * found.saturation_rps
    e2e = [point.latency_s["e2e"]["mean"] for point in found.points]
    assert e2e == sorted(e2e)
    assert rates[0] < found.knee.offered_rps <= rates[-1]
    assert found.most is not None and found.most.holds
    beyond = [point for point in found.points if point.offered_rps > found.most.offered_rps]
    assert beyond and not any(point.holds for point in beyond)
    asked = serve.sweep(**LLAMA, rates=(2.0, 4.0))
    assert [point.offered_rps for point in asked.points] == [2.0, 4.0] and asked.most is None
    with pytest.raises(InputError, match="points"):
        serve.sweep(**LLAMA, points=1)
    with pytest.raises(InputError, match="depend on their answers"):
        serve.sweep(**LLAMA, clients=4)


def test_what_memory_holds_adds_up_for_each_pool() -> None:
    found = serve.simulate(**LLAMA | {"requests": 200}, rate=5, disaggregate="1:1", decode_tp=2)
    assert len(found.held()) == 2
    for name, held in found.held().items():
        capacity = chip(catalog.find("accelerators", "H100")).memory_bytes
        assert sum(part.bytes for part in held.parts) == pytest.approx(capacity), name
    one = found.held()[found.deployment.one.name]
    assert one.kv_tokens == pytest.approx(found.deployment.one.kv_tokens, rel=0.01)
    assert "routed experts" not in {part.name for part in one.parts}
