"""The plan: the cheapest that holds, why, and what breaks first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lineshaft import catalog, serve
from lineshaft.errors import InputError
from lineshaft.parameters.hardware import architecture, chip
from lineshaft.serve.accuracy import Accuracy
from lineshaft.serve.candidates import Shape, layouts
from lineshaft.serve.flags import command
from lineshaft.serve.instance import Asked
from lineshaft.serve.search import Candidate, Ruled, Search, search
from lineshaft.serve.traffic import traffic
from lineshaft.stages.serve import latency
from lineshaft.stages.serve.deployment import Layout

ASKED: dict[str, Any] = {
    "model": "Llama 3.1 8B",
    "rate": 60,
    "requests": 800,
    "slo": "ttft_p90=1s,tpot_p90=30ms",
    "accelerators": ("H100", "A100"),
    "widest": 2,
}


@pytest.fixture(scope="module")
def found() -> serve.Plan:
    return serve.plan(**ASKED)


def test_the_winner_holds_and_nothing_found_is_cheaper(found: serve.Plan) -> None:
    winner = found.winner
    assert winner.holds
    assert all(one.usd_per_h >= 0.999 * winner.usd_per_h for one in found.front)
    assert all(one.holds for one in found.found)


def test_instances_are_as_few_as_the_level_bears(found: serve.Plan) -> None:
    level = latency.slo(ASKED["slo"])
    asked_for = traffic(rate_rps=ASKED["rate"], requests=ASKED["requests"])
    common = Search(asked_for, (level,), {}, "vllm", Accuracy())
    shape = Shape(Asked("Llama 3.1 8B", "H100 SXM5", max_num_seqs=64, max_num_batched_tokens=2048))
    best = search(common, shape, ())
    assert isinstance(best, Candidate) and best.holds and best.deployment.instances > 1
    placed = best.deployment
    assert not common.candidate(replace(placed, instances=placed.instances - 1)).holds
    assert found.winner.usd_per_h <= best.usd_per_h
    beaten = search(common, shape, [(0.0, 0.0)])
    assert isinstance(beaten, Ruled) and beaten.why == "dominated"


def test_the_front_falls(found: serve.Plan) -> None:
    prices = [one.usd_per_h for one in found.front]
    tpots = [one.tpot_s for one in found.front]
    assert prices == sorted(prices) and tpots == sorted(tpots, reverse=True)
    for one in found.found:
        beaten = [f for f in found.front if f.usd_per_h <= one.usd_per_h and f.tpot_s <= one.tpot_s]
        assert beaten


def test_what_breaks_first_breaks(found: serve.Plan) -> None:
    assert found.broken.factor > 1 and found.broken.key in ("ttft_p90", "tpot_p90")
    assert found.broken.value_s > found.broken.limit_s and found.broken.cause
    assert found.why


def test_the_plan_does_not_depend_on_the_workers(found: serve.Plan) -> None:
    again = serve.plan(**ASKED, workers=1)
    assert again.to_dict() == found.to_dict()


def test_a_wider_choice_is_never_dearer(found: serve.Plan) -> None:
    alone = serve.plan(**{**ASKED, "accelerators": ("A100",)})
    assert found.winner.usd_per_h <= alone.winner.usd_per_h


def test_a_cheaper_price_wins() -> None:
    dear = serve.plan(**{**ASKED, "split": False, "prices": {"A100": 90.0}})
    assert dear.winner.deployment.one.chip.name == "H100 SXM5"
    cheap = serve.plan(**{**ASKED, "split": False, "prices": ["A100=0.05"]})
    assert cheap.winner.deployment.one.chip.name == "A100 SXM4 80GB"


def test_a_level_that_nothing_meets_names_the_closest_and_how_far() -> None:
    with pytest.raises(InputError, match=r"none of \d+ shapes(?s:.*)closest is .*H100") as error:
        serve.plan(**{**ASKED, "slo": "ttft_p90=1ms", "accelerators": ("H100",)})
    problem = error.value.problems[0]
    assert problem.key == "slo" and "times what is asked" in problem.found
    assert problem.fix.startswith("ask ttft_p90=")


def test_what_fits_nowhere_says_why() -> None:
    with pytest.raises(InputError, match=r"none of \d+ shapes can be(?s:.*)does not fit"):
        serve.plan(model="Llama 3.1 405B", rate=1, slo="ttft=9s", accelerators=("RTX 4090",))


def test_a_plan_wants_a_level_and_a_rent() -> None:
    with pytest.raises(InputError) as error:
        serve.plan(model="Llama 3.1 8B", rate=1, accelerators=("GB300", "H10"))
    assert {problem.key for problem in error.value.problems} == {"price", "accelerators", "slo"}


@pytest.mark.parametrize("model", ["Llama 3.1 8B", "DeepSeek-V3"])
def test_layouts_divide_the_model(model: str) -> None:
    arch, one = architecture(model), chip(catalog.find("accelerators", "H200"))
    found = list(layouts(arch, one))
    assert len(set(found)) == len(found)
    for layout in found:
        assert arch.heads % layout.tp == 0 and layout.tp * layout.dp <= one.scaleup_size
        assert arch.experts or (layout.ep == layout.dp == 1)
    assert (Layout(tp=1, dp=8, ep=8) in found) == bool(arch.experts)


def test_commands_say_what_was_simulated() -> None:
    asked = Asked("m", "a", Layout(tp=2, dp=4, ep=8), precision="fp8", max_num_seqs=128)
    vllm = command(asked, "vllm", "org/m")
    assert "vllm serve org/m" in vllm and "--tensor-parallel-size 2" in vllm
    assert "--data-parallel-size 4" in vllm and "--enable-expert-parallel" in vllm
    sglang = command(asked, "sglang", "org/m")
    assert "--tp-size 8" in sglang and "--dp-size 4 --enable-dp-attention" in sglang
    assert "--max-running-requests 512" in sglang  # of all ranks
    trtllm = command(replace(asked, kv_precision="fp8"), "trtllm", "org/m", "decode")
    assert "--tp_size 8" in trtllm and "--max_batch_size 128" in trtllm
    assert "enable_attention_dp: true" in trtllm and "dtype: fp8" in trtllm
    split = command(asked, "vllm", "org/m", "prefill")
    assert "kv_producer" in split
    assert "--disaggregation-mode decode" in command(asked, "sglang", "org/m", "decode")
