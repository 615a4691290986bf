"""The tables themselves: cited, plausible, consistent with each other, gaps admitted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lineshaft import catalog
from lineshaft.contracts import reasons
from lineshaft.errors import InputError

ROOT = Path(__file__).parents[2]
AT_LEAST = {
    "accelerators": 20,
    "servers": 12,
    "trades": 6,
    "parts": 10,
    "permits": 4,
    "tariffs": 6,
    "robots": 6,
    "capabilities": 10,
    "wages": 4,
    "rounds": 20,
    "prices": 10,
    "costs": 20,
}
# column: lowest and highest value that can be right, over all rows of the table
BANDS: dict[str, dict[str, tuple[float, float]]] = {
    "accelerators": {
        "year": (2020, 2027),
        "bf16_flops": (1e14, 1e16),
        "fp8_flops": (2e14, 4e16),
        "fp4_flops": (1e15, 1e17),
        "int8_ops": (1e14, 1e16),
        "memory_bytes": (20e9, 600e9),
        "memory_bytes_per_s": (0.8e12, 30e12),
        "scaleup_bytes_per_s": (20e9, 2e12),
        "scaleup_size": (1, 10000),
        "scaleout_bytes_per_s": (10e9, 250e9),
        "power_w": (250, 2500),
        "idle_share": (0.02, 0.3),
        "price_usd": (1000, 80000),
        "rent_usd_per_h": (0.1, 15),
        "it_w_per_accelerator": (400, 4000),
        "annual_failure_rate": (0.005, 0.3),
        "life_years": (3, 8),
    },
    "servers": {"rated_w": (5e3, 1e6), "measured_peak_w": (5e3, 1e6), "price_usd": (1e5, 1e7)},
    "trades": {
        "wage_usd_per_h": (15, 60),
        "loaded_factor": (1.2, 2),
        "us_employment": (5e4, 2e6),
        "apprenticeship_years": (2, 5),
        "completion_rate": (0.2, 0.6),
    },
    "parts": {"lead_weeks": (5, 210)},
    "permits": {"duration_weeks": (4, 260)},
    "tariffs": {
        "usd_per_kwh": (0.02, 0.25),
        "demand_usd_per_kw_month": (0, 30),
        "carbon_kg_per_kwh": (0, 1),
    },
    "robots": {
        "success": (0.5, 1),
        "speed_m_per_s": (0.005, 60),
        "power_w": (50, 5e4),
        "price_usd": (5e3, 5e5),
        "life_years": (2, 15),
        "availability": (0.5, 1),
    },
    "capabilities": {"p50_minutes": (0.01, 2000), "p80_minutes": (0.001, 500)},
    "wages": {"wage_usd_per_h": (10, 150), "loaded_factor": (1.2, 2)},
    "rounds": {"value_usd": (5e8, 1e13), "value_share": (0, 1)},
    "prices": {
        "input_usd_per_mtok": (0.02, 50),
        "output_usd_per_mtok": (0.1, 200),
        "rent_usd_per_h": (0.1, 15),
    },
    "costs": {"value": (0.001, 1e7)},
}
# ways of citing that say nothing to a reader outside this project
EMPTY_SOURCES = ("idem", "from memory", "memory unverified", "side by side", "shared/", "tbd")


@pytest.mark.parametrize("name", catalog.names())
def test_every_row_is_cited(name: str) -> None:
    """All tables load, whoever wrote them, and every source is one that a reader can follow."""
    rows = catalog.table(name)
    assert len(rows) >= AT_LEAST.get(name, 1)
    assert catalog.table(name) is rows, "read once"
    for row in rows:
        assert len(row.source) > 5
        told = f"{row.source} {row.get('notes') or ''}".casefold()
        assert [e for e in EMPTY_SOURCES if e in told] == []
        assert "\n" not in row.cite()
        assert catalog.find(name, row.name) is row


@pytest.mark.parametrize(("name", "column"), [(t, c) for t in BANDS for c in BANDS[t]])
def test_numbers_are_plausible(name: str, column: str) -> None:
    """Every filled cell lies in a band that a slip of a factor of 1000 would leave."""
    low, high = BANDS[name][column]
    filled = [(r.name, r[column]) for r in catalog.table(name) if r[column] is not None]
    assert filled
    assert [(n, v) for n, v in filled if not (isinstance(v, float) and low <= v <= high)] == []


@pytest.mark.parametrize("name", catalog.names())
def test_gaps_are_admitted(name: str) -> None:
    """docs/gaps.md has a section per table that names each row and column of low confidence."""
    text = (ROOT / "docs" / "gaps.md").read_text(encoding="utf-8")
    sections = {part.split("\n", 1)[0]: part for part in text.split("\n## ")[1:]}
    weak = set()
    for row in catalog.table(name):
        weak |= {row.name} if row.confidence == "low" else set()
        weak |= {c for c in row if row.confidence_of(c) != row.confidence}
    assert [w for w in sorted(weak) if f"`{w}`" not in sections[name]] == []


@pytest.mark.parametrize("name", catalog.names())
def test_an_estimate_never_passes_for_a_fact(name: str) -> None:
    """A row whose whole source is an estimate is of low confidence."""
    for row in catalog.table(name):
        if row.source.startswith("engineering estimate"):
            assert row.confidence == "low", row.where


def test_accelerators_are_dense_and_one_way() -> None:
    """Dense figures, one direction of the links: the two classic doublings are caught here."""
    for row in catalog.table("accelerators"):
        assert (row.flops_basis, row.link_basis) == ("dense", "one direction")
        assert row.memory_basis in ("raw", "usable")
        assert row.it_w_per_accelerator > row.power_w
        span = row.span("price_usd")
        assert span is None or span[0] <= row.price_usd <= span[1]
    dense = catalog.dense_flops
    find = catalog.find
    assert dense(find("accelerators", "h100"), "bf16") == 989.4e12
    assert dense(find("accelerators", "MI355X"), "fp4") == pytest.approx(20.1e15 / 2)
    gb200 = find("accelerators", "gb200")
    assert 72 * dense(gb200, "fp4") == pytest.approx(1440e15 / 2)
    for name, both_ways in (("H100", 900e9), ("H800", 400e9), ("B200", 1800e9), ("TPU v6e", 800e9)):
        assert find("accelerators", name).scaleup_bytes_per_s == both_ways / 2
    with pytest.raises(InputError, match="no figure for 'bf16'"):
        dense(find("accelerators", "Rubin"), "bf16")


def test_it_power_follows_from_the_servers() -> None:
    """Sourced IT power per accelerator is the server's power divided by its accelerators."""
    for server, rated in (("DGX H100", 1275.0), ("GB200 NVL72", 1833.0), ("DGX B200", 1787.5)):
        row = catalog.find("servers", server)
        per_chip = row.number("rated_w") / row.number("accelerators")
        chip = catalog.find("accelerators", row.text("accelerator"))
        assert chip.it_w_per_accelerator == rated == pytest.approx(per_chip, rel=1e-3)


@pytest.mark.parametrize("name", ["servers", "prices"])
def test_named_accelerators_exist(name: str) -> None:
    """A table that names an accelerator names one of the catalog."""
    named = [row.accelerator for row in catalog.table(name) if row.accelerator]
    assert len(named) >= 12
    assert {catalog.find("accelerators", n).name for n in named} == set(named)


def test_trades_and_parts_are_those_that_can_bind() -> None:
    """Trades stand in the order of the crew axis; every part that can bind has a lead time."""
    assert tuple(row.name for row in catalog.table("trades")) == reasons.TRADES
    shares = [row.number("share_of_craft_hours") for row in catalog.table("trades")]
    assert sum(shares) == pytest.approx(1.0)
    parts = [n.removeprefix("part: ") for n in reasons.NAMES if n.startswith("part: ")]
    for part in parts:
        row = catalog.find("parts", part)
        low, high = row.span("lead_weeks") or (0.0, 0.0)
        assert 0 < low <= row.lead_weeks <= high
        assert row.name == part
    for reason in ("permit", "grid"):
        assert catalog.find("permits", reason).span("duration_weeks")


def test_derived_figures_follow_from_their_sources() -> None:
    """Numbers that were converted are converted rightly."""
    pjm = catalog.find("tariffs", "pjm")
    per_mwh = pjm.number("demand_usd_per_kw_month") * 12 / 8766 * 1000
    assert per_mwh == pytest.approx(329.17 / 24, rel=1e-3)
    texas = catalog.find("tariffs", "texas")
    assert texas.carbon_kg_per_kwh == pytest.approx(771.083 * 0.45359237 / 1000, abs=1e-4)
    assert catalog.find("tariffs", "epoch").usd_per_kwh == pytest.approx(
        0.6e9 / 1.1 / 8.76e9, abs=5e-4
    )
    failures = (148 + 72) / 16384 * 365 / 54
    assert catalog.find("accelerators", "H100").annual_failure_rate == pytest.approx(failures, 1e-3)
    day = catalog.find("prices", "DeepSeek H800 rent").number("rent_usd_per_h") * 226.75 * 8 * 24
    assert day == pytest.approx(87072)
    r1 = catalog.find("prices", "DeepSeek R1")
    revenue = 342e3 * r1.cached_usd_per_mtok + 266e3 * r1.input_usd_per_mtok
    assert revenue + 168e3 * r1.output_usd_per_mtok == pytest.approx(562027, rel=2e-4)


def test_the_epoch_annuity_closes() -> None:
    """The three derived cost rows reproduce the published cost of ownership by IT life."""
    cost = {row.name: row.number("value") for row in catalog.table("costs")}
    rate = cost["epoch discount rate"]

    def annuity(capex: float, years: float) -> float:
        return capex * rate / (1.0 - float((1.0 + rate) ** -years))

    facility = annuity(cost["epoch facility capex"], cost["facility life"])
    for years, key in ((3, "epoch tco it life 3"), (5, "epoch tco"), (7, "epoch tco it life 7")):
        tco = annuity(cost["epoch it capex"], years) + facility + cost["epoch opex"]
        assert tco == pytest.approx(cost[key], abs=0.01)
    assert cost["epoch it capex"] + cost["epoch facility capex"] == cost["epoch capex"]
    parts = ("critical capacity", "shell", "site development", "white space", "back of house")
    assert sum(cost[f"share {p}"] for p in (*parts, "office")) == pytest.approx(1.0)


def test_claims_stand_beside_reports() -> None:
    """Every claimed figure has a reported one of the same company, and neither replaces it."""
    rows = catalog.table("rounds")
    assert {row.status for row in rows} == {"claimed", "reported"}
    claimed = [row for row in rows if row.status == "claimed"]
    assert {row.value_usd for row in claimed} == {9.3e12, 3.8e12}
    for claim in claimed:
        reported = [
            row.value_usd
            for row in rows
            if (row.company, row.metric, row.status) == (claim.company, "valuation", "reported")
            and row.value_usd
        ]
        assert claim.confidence == "low"
        assert claim.value_usd / max(reported) > 9
    for row in rows:
        if row.metric == "valuation" and row.pre_money_usd and row.raise_usd:
            assert row.pre_money_usd + row.raise_usd == pytest.approx(row.value_usd)


def test_horizons_are_ordered() -> None:
    """The 80 % horizon lies below the 50 % one, and both inside their intervals."""
    for row in catalog.table("capabilities"):
        assert row.p80_minutes is None or row.p80_minutes < row.p50_minutes
    opus = catalog.find("capabilities", "claude opus 4.5")
    assert opus.p50_minutes == pytest.approx(320.4, abs=0.1)
    assert opus.span("p50_minutes") == pytest.approx((169.8, 729.2), abs=0.1)


def test_find_and_search() -> None:
    """Spelling does not matter, aliases count, and a miss names its neighbours."""
    h100 = catalog.find("accelerators", "H100 SXM5")
    for name in ("h100", "H100-SXM5", "h100_sxm5", "H100 80GB"):
        assert catalog.find("accelerators", name) is h100
    with pytest.raises(InputError, match="did you mean") as caught:
        catalog.find("accelerators", "H1000")
    assert "H100" in str(caught.value)
    assert "accelerators.csv" in str(caught.value)
    assert "`lineshaft catalog accelerators` lists" in str(caught.value)
    with pytest.raises(InputError, match="did you mean robots"):
        catalog.table("robot")
    with pytest.raises(InputError, match=r"`lineshaft catalog` lists"):
        catalog.find("../pyproject", "x")
    assert h100 in catalog.search("accelerators", "nvidia HOPPER")
    assert catalog.search("accelerators", "nvidia cdna3") == ()
    catalog.check()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("MiniMaxAI/MiniMax-M2.5", "MiniMax-M2"),
        ("moonshotai/Kimi-K2.5", "Kimi K2"),
        ("nvidia/DeepSeek-R1-NVFP4", "DeepSeek-V3"),
        ("nvidia/DeepSeek-R1-0528-NVFP4-v2", "DeepSeek-V3"),
        ("amd/DeepSeek-R1-0528-MXFP4-Preview", "DeepSeek-V3"),
        ("openai/gpt-oss-120b", "gpt-oss-120b"),
        ("zhipuai/GLM-5", "GLM-5"),
        ("Qwen/Qwen3-235B-A22B-FP8", "Qwen3 235B-A22B"),
        ("Qwen/Qwen3-235B-A22B-Instruct-2507", "Qwen3 235B-A22B"),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "Llama 3.1 8B"),
        ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", "Llama 3.1 70B"),
        ("nvidia/Llama-3_3-Nemotron-Super-49B-v1_5", "Llama-3.3-Nemotron-Super 49B"),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "Llama 3.1 70B"),
        ("codellama/CodeLlama-34b-Instruct-hf", "CodeLlama 34B"),
    ],
)
def test_models_are_found_by_their_repository(path: str, name: str) -> None:
    assert catalog.find("models", path).name == name


@pytest.mark.parametrize(
    "path", ["deepseek-ai/DeepSeek-R1-Distill-Phi", "Qwen/Qwen9-8B", "nvidia/", "FP8", ""]
)
def test_another_shape_is_not_taken_for_a_known_one(path: str) -> None:
    with pytest.raises(InputError, match="there is no"):
        catalog.find("models", path)


@pytest.mark.parametrize(
    ("system", "name"),
    [
        ("h100_sxm", "H100 SXM5"),
        ("h200_sxm", "H200 SXM"),
        ("b200_sxm", "B200 SXM"),
        ("b300_sxm", "B300 SXM"),
        ("gb200", "GB200"),
        ("gb300", "GB300"),
        ("a100_sxm", "A100 SXM4 80GB"),
        ("l40s", "L40S"),
        ("rtx_pro_6000_server", "RTX PRO 6000 Blackwell"),
    ],
)
def test_accelerators_are_found_by_the_system_names_of_benchmarks(system: str, name: str) -> None:
    assert catalog.find("accelerators", system).name == name


def test_check_reports_all_tables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two broken files, one error with both."""
    for name in ("aa", "bb"):
        (tmp_path / f"{name}.csv").write_text("name,as_of,confidence\n", encoding="utf-8")
    monkeypatch.setattr(catalog, "_HERE", tmp_path)
    catalog.names.cache_clear()
    try:
        with pytest.raises(InputError) as caught:
            catalog.check()
    finally:
        catalog.names.cache_clear()
    assert [p.where for p in caught.value.problems] == ["aa.csv:1", "bb.csv:1"]


def test_the_import_is_light() -> None:
    """Importing the catalog reads no table and pulls in none of the heavy packages."""
    code = (
        "import sys; from lineshaft import catalog; "
        "assert catalog.table.cache_info().currsize == 0; "
        "heavy = {'numpy', 'pydantic', 'pint', 'scipy', 'numba', 'pyarrow', 'pandas'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "src")},
    )
    assert done.stdout.strip() == "[]"
