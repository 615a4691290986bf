"""The register is read and checked as a whole; a verdict follows from its numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lineshaft import catalog, claims
from lineshaft.claims.judge import SURE, Verdict
from lineshaft.errors import InputError

OWN = """
[[claim]]
name = "own"
quote = "our agents do half the support work"
said_by = "a plan"
date = "2026-11"
source = "the plan's page 3"
means = "accepted support tasks over the market's"
[claim.figure]
of = "ratio(sum(year(accepted.accepted)), sum(year(fielded.market_tasks)))"
where = { kind = "support" }
supported = "%s"
contradicted = "%s"
"""


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(text, "utf-8")
    return path


def judged(*names: str) -> dict[str, Verdict]:
    return {v.claim.name: v for v in claims.judge(claims.read(only=names))}


def test_the_register_names_every_part_of_the_essay() -> None:
    found = claims.read()
    assert len(found) >= 20
    quotes = " ".join(claim.quote for claim in found)
    for words in ("9 trillion", "3.8", "G7", "90%", "no empty cards", "return", "millions"):
        assert words in quotes
    for words in ("fifty years in five", "marginal cost", "electricians"):
        assert words in quotes
    assert all(claim.source and claim.means and claim.date for claim in found)


def test_unit_slips_are_found_and_reported_rounds_agree() -> None:
    found = judged("300-at-9t", "prometheus-3.8t")
    nine = found["300-at-9t"]
    assert nine.word == "contradicted"
    assert nine.numbers["ratio"] == pytest.approx(9300 / 965)
    assert "亿" in nine.why and "10 times" in nine.why
    assert found["prometheus-3.8t"].numbers["ratio"] == pytest.approx(100)


def test_most_of_seven_is_four_or_more() -> None:
    names = ("9t-above-most-of-g7", "3.8t-above-most-of-g7", "reported-above-most-of-g7")
    found = judged(*names)
    gdp = sorted(r.number("gdp_usd") for r in catalog.table("economies") if r["group"] == "G7")
    assert len(gdp) == 7
    for name, usd in zip(names, (9e12, 3.8e12, 965e9), strict=True):
        below = sum(g < usd for g in gdp)
        assert found[name].numbers["larger_than"] == below
        assert (found[name].word == "supported") == (below >= 4)


def test_a_figure_is_supported_where_its_condition_holds_in_most_draws(tmp_path: Path) -> None:
    verdicts = {}
    for supported, contradicted in (("> 0", "<= 0"), (">= 99 %", "< 99 %"), (">= 5 %", "< 0")):
        path = own(tmp_path, OWN % (supported, contradicted))
        (verdict,) = claims.judge(claims.read(path, shipped=False))
        verdicts[supported] = verdict
    shares = {key: v.numbers["supported_share"] for key, v in verdicts.items()}
    assert shares["> 0"] >= shares[">= 5 %"] >= shares[">= 99 %"]
    for verdict in verdicts.values():
        yes, no = verdict.numbers["supported_share"], verdict.numbers["contradicted_share"]
        wanted = "supported" if yes >= SURE else "contradicted" if no >= SURE else "undetermined"
        assert verdict.word == wanted
        low, mid, high = (verdict.numbers[key] for key in ("p10", "median", "p90"))
        assert np.isfinite([low, mid, high]).all() and low <= high
        assert verdict.to_dict()["verdict"] == wanted


def test_every_mistake_of_a_register_is_told_at_once(tmp_path: Path) -> None:
    bad = OWN % (">= 1", "< 1") + OWN % (">= 1", "< 1")
    with pytest.raises(InputError, match="claims named twice: own"):
        claims.read(own(tmp_path, bad))
    two = (OWN % (">= 1", "< 1")).replace("quote", "qoute").replace("date", "day")
    with pytest.raises(InputError) as caught:
        claims.read(own(tmp_path, two), tmp_path / "gone.toml")
    told = str(caught.value)
    assert "did you mean 'quote'" in told and "gone.toml" in told and "own.toml" in told
    with pytest.raises(InputError, match="did you mean 'no-empty-cards'"):
        claims.read(only=["no-empty-card"])
    both = OWN % (">= 1", "< 1") + "[claim.cycle]\nyears = 5\n"
    with pytest.raises(InputError, match="exactly one of"):
        claims.read(own(tmp_path, both))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("accepted.accepted", "accepted.acepted", "no column accepted.acepted"),
        ('kind = "support"', 'kind = "suport"', "did you mean 'support'"),
        (">= 1", "about 1", "is no condition"),
        (">= 1", ">= 1 MW", "MW"),
        ("of = ", 'scenario = "gigawat"\nof = ', "no such file"),
    ],
)
def test_a_test_that_names_what_is_not_there_is_told(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    path = own(tmp_path, (OWN % (">= 1", "< 1")).replace(old, new))
    with pytest.raises(InputError) as caught:
        claims.judge(claims.read(path, shipped=False))
    assert told in str(caught.value) and "claim own" in str(caught.value)
