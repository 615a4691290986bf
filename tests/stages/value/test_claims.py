"""The claim check finds the known slips and stays quiet on reported rounds."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from lineshaft.errors import InputError
from lineshaft.stages.value.claims import Figure, check, money, unit_slip

TIMELINE = Path(__file__).parents[3] / "../shared/data/value/ai_lab_timeline.csv"
GDP = Figure("world GDP", 110e12, "2024", "a round number for this test")


def fig(what: str, busd: float, date: str = "2026-05", source: str = "test") -> Figure:
    return Figure(what, busd * 1e9, date, source)  # type: ignore[arg-type]


RAISE_AT_PRE = [
    (fig("raise", 300), fig("raise", 30)),
    (fig("pre", 9000), fig("pre", 900)),
]


@pytest.mark.parametrize(
    ("claimed", "reported", "factor", "too_large", "words"),
    [
        (300, 30, 10, True, ("亿", "bn")),
        (9300, 965, 10, True, ("亿", "bn")),
        (3800, 38, 100, True, ("million", "亿")),
        (38, 0.038, 1000, True, ("million", "bn")),
        (965000, 965, 1000, True, ("bn", "tn")),
        (1, 10000, 10000, False, ("亿", "万亿")),
    ],
)
def test_slips_are_named(
    claimed: float, reported: float, factor: int, too_large: bool, words: tuple[str, str]
) -> None:
    slip = unit_slip(claimed * 1e9, reported * 1e9)
    assert slip is not None
    assert (slip.factor, slip.too_large) == (factor, too_large)
    assert words in slip.words


@pytest.mark.parametrize("ratio", [1.0, 1.1, 4.6, 8.5, 11.5, 50.0, 1e5])
def test_other_ratios_are_no_slip(ratio: float) -> None:
    assert unit_slip(ratio * 1e9, 1e9) is None
    assert unit_slip(1e9, ratio * 1e9) is None


def test_raise_at_pre_money() -> None:
    """300 at 9000 against talks of 30 at 900: both slip by ten, and every rule has a verdict."""
    result = check(
        RAISE_AT_PRE,
        last_round=fig("post", 380, "2026-02-12"),
        run_rate=fig("run-rate", 47),
        world_gdp=GDP,
        investors=("Cloud One", "Fund"),
        suppliers=("cloud one ",),
    )
    assert result.alarm
    assert [slip.factor if slip else None for slip in result.slips] == [10, 10]
    assert (result.claimed_usd, result.reported_usd) == (9300e9, 930e9)
    assert result.rests_on == "claimed"
    assert result.ratio_to_last == pytest.approx(9300 / 380)
    assert result.gdp_share == pytest.approx(9.3 / 110)
    assert [round(must.final_revenue_usd / 1e9) for must in result.must_be_true] == [
        4084,
        5841,
        9125,
    ]
    assert result.circular == ("Cloud One",)
    levels = {finding.rule: finding.level for finding in result.findings}
    assert levels == {
        "unit slip": "alarm",
        "ratio to last round": "alarm",
        "share of world GDP": "alarm",
        "implied revenue": "ok",
        "circular finance": "flag",
        "basis": "ok",
    }
    assert any("亿 and bn" in verdict for verdict in result.verdicts)
    assert "$9.30T" in result.verdicts[-1]


def test_the_same_event_judged_on_the_reported_figures() -> None:
    result = check(
        [(report, report) for _, report in RAISE_AT_PRE],
        rests_on="reported",
        last_round=fig("post", 380, "2026-02-12"),
        run_rate=fig("run-rate", 47),
        world_gdp=GDP,
    )
    assert not result.alarm
    assert result.ratio_to_last == pytest.approx(930 / 380)


def test_without_data_the_rules_say_so() -> None:
    result = check([(fig("post", 38), None)], run_rate=fig("run-rate", 0.0))
    assert not result.alarm
    flags = {finding.rule for finding in result.findings if finding.level == "flag"}
    assert flags == {
        "reported figure",
        "ratio to last round",
        "share of world GDP",
        "implied revenue",
    }
    assert any("run-rate must be positive" in verdict for verdict in result.verdicts)
    assert np.isnan(result.reported_usd)


def test_an_old_round_is_too_old_to_judge() -> None:
    result = check([(fig("post", 18, "2024-02"), None)], last_round=fig("post", 0.124, "2021"))
    assert not result.alarm
    assert any("too old" in verdict for verdict in result.verdicts)


def test_wrong_rows_are_refused() -> None:
    with pytest.raises(InputError, match="claimed pre beside a reported post"):
        check([(fig("pre", 9000), fig("post", 965))])
    with pytest.raises(InputError, match="no row"):
        check([])
    with pytest.raises(InputError, match="positive"):
        unit_slip(0.0, 1.0)
    with pytest.raises(InputError, match="date"):
        check([(fig("post", 1, "soon"), None)], last_round=fig("post", 1))


def test_money_in_words() -> None:
    amounts = (9.3e12, 965e9, 1.5e6, 12.0, float("nan"))
    words = ["$9.30T", "$965B", "$1.50M", "$12.0", "no figure"]
    assert [money(x) for x in amounts] == words


def timeline() -> list[dict[str, str]]:
    if not TIMELINE.exists():
        pytest.skip("published rounds are not in this checkout")
    with TIMELINE.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def reported(rows: list[dict[str, str]], company: str, metrics: tuple[str, ...]) -> list[Figure]:
    return [
        fig("post", float(row["value_busd"]), row["date"], row["source"])
        for row in rows
        if row["company"] == company and row["metric"].endswith(metrics)
    ]


@pytest.mark.shared
def test_both_known_differences_are_found_in_the_published_timeline() -> None:
    rows = timeline()
    claims = {row["metric"]: row["value_busd"] for row in rows if row["company"] == "SEED"}
    raise_busd, pre_busd = map(float, claims["claim: Anthropic raise @ pre-money"].split("@"))
    reported_pre = next(row for row in rows if row["metric"] == "Series H pre")
    pre = (fig("pre", pre_busd), fig("pre", float(reported_pre["value_busd"])))
    post = reported(rows, "Anthropic", ("H post",))[0]
    result = check([pre, (fig("post", pre_busd + raise_busd), post)], last_round=post)
    assert [slip.factor if slip else None for slip in result.slips] == [10, 10]
    assert result.alarm

    prometheus = reported(rows, "Project Prometheus", ("post",))[0]
    claim = fig("post", float(claims["claim: Project Prometheus"]))
    result = check([(claim, prometheus)])
    assert result.slips[0] is not None
    assert result.slips[0].factor == 100


@pytest.mark.shared
def test_no_alarm_on_any_reported_round() -> None:
    rows = timeline()
    checked = 0
    for company in ("Anthropic", "OpenAI", "xAI", "Project Prometheus"):
        rounds = reported(rows, company, ("post", "valuation"))
        rounds += reported(rows, company, ("valuation post",))
        rounds = sorted(set(rounds), key=lambda figure: figure.date)
        rates = [
            Figure("run-rate", figure.usd, figure.date, figure.source)
            for figure in reported(rows, company, ("run_rate", "run_rate official"))
        ]
        for k, figure in enumerate(rounds):
            known = [rate for rate in rates if rate.date <= figure.date]
            result = check(
                [(figure, figure)],
                last_round=rounds[k - 1] if k else None,
                run_rate=max(known, key=lambda rate: rate.date) if known else None,
                world_gdp=GDP,
            )
            assert not result.alarm, (company, result.verdicts)
            checked += 1
    assert checked >= 11
