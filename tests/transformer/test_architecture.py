"""Architectures and counts against published configurations."""

import csv
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshaft.errors import InputError
from lineshaft.transformer import (
    attention_flops_per_token,
    experts_hit,
    from_row,
    kv_bytes,
    kv_bytes_per_token,
    kv_read_bytes,
    parameters,
    state_bytes,
    weight_bytes,
    weight_bytes_touched,
)

TEXT = resources.files("lineshaft.catalog").joinpath("models.csv").read_text("utf-8")
ROWS = {row["name"]: row for row in csv.DictReader(TEXT.splitlines())}
EXPERTS = [name for name, row in ROWS.items() if row["published_active_params"]]


@pytest.mark.parametrize("name", ROWS)
def test_total_parameters_match_the_published_count(name: str) -> None:
    count = parameters(from_row(ROWS[name]))
    # the paper of Kimi K2 prints 1.04T, its published configuration gives 1.026T; Llama 4 counts a
    # vision tower; 1.7B is a rounded name
    bound = 0.014 if name in ("Kimi K2", "Llama 4 Scout", "Qwen3 1.7B") else 0.01
    assert count.total == pytest.approx(float(ROWS[name]["published_params"]), rel=bound)
    parts = count.embedding + count.head + count.attention + count.mlp
    assert count.total == parts + count.router + count.experts + count.norms


@pytest.mark.parametrize("name", EXPERTS)
def test_active_parameters_match_the_published_count(name: str) -> None:
    count = parameters(from_row(ROWS[name]))
    published = float(ROWS[name]["published_active_params"])
    # publishers count both embeddings, the output head alone, or neither, and print two digits
    ways = [count.active, count.active - count.embedding]
    ways.append(count.active - count.embedding - count.head)
    assert min(abs(way / published - 1) for way in ways) < 0.024


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


def test_linear_layers_keep_a_state_of_fixed_size() -> None:
    arch = from_row(ROWS["Qwen3.5 397B-A17B"])
    # 15 of 60 layers attend: a key and a value of 2 heads of 256; in the others 64 heads hold
    # 128 x 128 values in fp32, and 3 inputs of a convolution over 12288 channels in bf16
    assert kv_bytes_per_token(arch, 2) == 15 * 2 * 2 * 256 * 2
    assert state_bytes(arch) == 45 * (64 * 128 * 128 * 4 + 3 * 12288 * 2)
    assert kv_bytes(arch, 1000, 2) == 1000 * kv_bytes_per_token(arch, 2) + state_bytes(arch)
    assert kv_read_bytes(arch, 1000, 2) == kv_bytes(arch, 1000, 2) + state_bytes(arch)


def test_sparse_attention_reads_its_best_tokens_and_every_key_of_its_indexer() -> None:
    sparse, full = from_row(ROWS["DeepSeek-V3.2"]), from_row(ROWS["DeepSeek-V3"])
    index = 61 * 132  # 128 values in fp8 and a scale of 4 bytes
    assert kv_bytes(sparse, 9000, 2) == kv_bytes(full, 9000, 2) + 9000 * index
    assert kv_read_bytes(sparse, 9000, 2) == kv_bytes(full, 2048, 2) + 9000 * index
    assert kv_read_bytes(sparse, 1000, 2) == kv_bytes(sparse, 1000, 2)
    scored = 2 * 61 * 64 * 128 * 9000
    attended = attention_flops_per_token(full, 2048) + scored
    assert attention_flops_per_token(sparse, 9000) == pytest.approx(attended)


@pytest.mark.parametrize("name", ROWS)
def test_what_is_read_is_what_is_held_unless_attention_is_sparse_or_linear(name: str) -> None:
    arch = from_row(ROWS[name])
    if not (arch.topk or arch.linear_layers):
        for context in (10.0, 3000.0, 50_000.0):
            assert kv_read_bytes(arch, context, 2) == pytest.approx(kv_bytes(arch, context, 2))


@pytest.mark.parametrize(
    ("name", "change", "key"),
    [
        ("Qwen3.5 27B", {"linear": ""}, "linear_layers"),
        ("Qwen3.5 27B", {"linear_state": ""}, "linear_layers"),
        ("Qwen3.5 27B", {"linear_layers": "65"}, "layers"),
        ("Nemotron 3 Nano 30B-A3B", {"bare_layers": "30"}, "layers"),
        ("GLM-5", {"index_dim": ""}, "topk"),
        ("GLM-5", {"topk": ""}, "topk"),
        ("Llama 3.1 8B", {"linear": "rwkv"}, "linear"),
        ("Llama 3.1 8B", {"output_gate": "maybe"}, "output_gate"),
    ],
)
def test_contradictions_of_hybrid_models_are_refused(
    name: str, change: dict[str, str], key: str
) -> None:
    with pytest.raises(InputError) as error:
        from_row(ROWS[name] | change)
    assert error.value.problems[0].key == key
