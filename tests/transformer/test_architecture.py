"""Architectures and counts against published configurations."""

import csv
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.transformer import (
    experts_hit,
    from_row,
    kv_bytes,
    kv_bytes_per_token,
    parameters,
    weight_bytes,
    weight_bytes_touched,
)

TEXT = resources.files("lineshaft.catalog").joinpath("models.csv").read_text("utf-8")
ROWS = {row["name"]: row for row in csv.DictReader(TEXT.splitlines())}
EXPERTS = [name for name, row in ROWS.items() if row["published_active_params"]]


@pytest.mark.parametrize("name", ROWS)
def test_total_parameters_match_the_published_count(name: str) -> None:
    count = parameters(from_row(ROWS[name]))
    # the paper of Kimi K2 prints 1.04T; its published configuration gives 1.026T
    bound = 0.014 if name == "Kimi K2" else 0.01
    assert count.total == pytest.approx(float(ROWS[name]["published_params"]), rel=bound)
    parts = count.embedding + count.head + count.attention + count.mlp
    assert count.total == parts + count.router + count.experts + count.norms


@pytest.mark.parametrize("name", EXPERTS)
def test_active_parameters_match_the_published_count(name: str) -> None:
    count = parameters(from_row(ROWS[name]))
    active = count.active - (count.embedding if name.startswith("gpt-oss") else 0)
    # printed with two digits
    assert active == pytest.approx(float(ROWS[name]["published_active_params"]), rel=0.017)


@pytest.mark.parametrize("name", ["Llama 2 70B", "Llama 3.1 8B", "Llama 3.1 405B", "Mistral 7B"])
def test_models_without_biases_are_counted_to_the_parameter(name: str) -> None:
    assert parameters(from_row(ROWS[name])).total == int(ROWS[name]["published_params"])


def test_every_row_is_cited_and_its_names_are_unique() -> None:
    names = [name.lower() for name in ROWS]
    for name, row in ROWS.items():
        assert row["source"] and row["as_of"] and row["released"]
        assert row["confidence"] in ("high", "medium", "low")
        names += {a for a in row["aliases"].split(";") if a} - {name.lower()}
    assert len(names) == len(set(names))
    assert len(ROWS) >= 12


def test_a_bad_row_reports_every_cell() -> None:
    row = ROWS["Llama 3.1 8B"] | {"layers": "x", "mlp": "relu", "tied": "perhaps"}
    with pytest.raises(InputError) as error:
        from_row(row)
    assert [problem.key for problem in error.value.problems] == ["layers", "mlp", "tied"]


@pytest.mark.parametrize(
    ("name", "change", "key"),
    [
        ("Llama 3.1 8B", {"kv_heads": "5"}, "kv_heads"),
        ("DeepSeek-V3", {"kv_rank": ""}, "attention"),
        ("Mixtral 8x7B", {"experts_active": "9"}, "experts"),
        ("Llama 3.1 8B", {"ffn": ""}, "ffn"),
        ("gpt-oss-20b", {"window_layers": "25"}, "layers"),
    ],
)
def test_contradictions_are_refused(name: str, change: dict[str, str], key: str) -> None:
    with pytest.raises(InputError) as error:
        from_row(ROWS[name] | change)
    assert error.value.problems[0].key == key


def test_kv_cache() -> None:
    # Llama 3 70B, bf16: 320 KiB a token; DeepSeek-V3: (512 + 64) values in each of 61 layers
    assert kv_bytes_per_token(from_row(ROWS["Llama 3.1 70B"]), 2) == 320 * 1024
    assert kv_bytes_per_token(from_row(ROWS["DeepSeek-V3"]), 2) == 576 * 61 * 2
    windowed = from_row(ROWS["gpt-oss-120b"])
    per_layer = kv_bytes_per_token(windowed, 1) / 36
    assert kv_bytes(windowed, 1000, 1) == per_layer * 18 * (1000 + 128)
    assert kv_bytes(windowed, 100, 1) == 100 * kv_bytes_per_token(windowed, 1)


@given(st.integers(1, 512), st.data(), st.floats(1, 1e5))
def test_experts_hit_is_between_one_token_and_all(
    experts: int, data: st.DataObject, m: float
) -> None:
    active = data.draw(st.integers(1, experts))
    hit = experts_hit(experts, active, m)
    assert active * (1 - 1e-9) <= hit <= experts * (1 + 1e-12)
    assert hit <= active * m * (1 + 1e-9)
    assert experts_hit(experts, active, 2 * m) >= hit


def test_touched_weights() -> None:
    dense, moe = from_row(ROWS["Llama 3.1 8B"]), from_row(ROWS["Qwen3 30B-A3B"])
    count = parameters(dense)
    assert weight_bytes_touched(dense, 2, 1) == 2 * (count.total - count.embedding)
    sparse = parameters(moe)
    assert weight_bytes_touched(moe, 1, 1) == pytest.approx(sparse.active - sparse.embedding)
    assert weight_bytes_touched(moe, 1, 1e6) == pytest.approx(sparse.total - sparse.embedding)
    assert weight_bytes(moe, 0.5) == 0.5 * sparse.total
