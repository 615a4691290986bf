"""The results that ship, their table, and the verb."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from lineshaft import measured
from lineshaft.cli.validate import validate
from lineshaft.errors import InputError, RunError
from lineshaft.measured import published

DOCS = Path(__file__).parents[2] / "docs" / "validation.md"
app = typer.Typer()
app.command()(validate)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results are kept in a folder of their own."""
    path = tmp_path / "results.json"
    path.write_bytes(published._path().read_bytes())
    monkeypatch.setattr(published, "_path", lambda: path)
    return path


def test_the_shipped_results_hold_the_rows_as_they_stand() -> None:
    changed = [name for name in measured.stale() if "." in name]
    assert not changed, "run `lineshaft validate --data ../shared/data --write`"
    for row in measured.summary():
        assert {"id", "stage", "what", "source", "url", "measured", "model", "unit"} <= set(row)
        assert {"error", "tolerance", "kind", "passed", "known_miss", "skipped"} <= set(row)
        # nothing failed that is not known, and nothing known passed
        assert row["passed"] is None or row["passed"] != bool(row["known_miss"]), row["id"]


def test_engines_that_changed_since_are_named() -> None:
    engines = [name for name in measured.stale() if "." not in name]
    if engines:
        pytest.skip(f"{', '.join(engines)} changed since the results were written")
    assert engines == []


def test_writing_keeps_what_was_not_run(elsewhere: Path) -> None:
    before = {row["id"]: row for row in measured.summary()}
    found = measured.validate("transformer")
    assert measured.write(found) == elsewhere
    after = {row["id"]: row for row in measured.summary()}
    assert list(after) == list(before)
    assert all(after[name] == row for name, row in before.items() if row["stage"] != "transformer")
    elsewhere.unlink()
    measured.write(found)
    assert {row["stage"] for row in measured.summary()} == {"transformer"}
    assert "capital" in measured.stale()
    assert list(elsewhere.parent.iterdir()) == [elsewhere]


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "_path", lambda: tmp_path / "no" / "results.json")
    with pytest.raises(RunError, match="cannot be written"):
        measured.write(measured.validate("transformer"))


def test_the_table() -> None:
    table = measured.markdown("transformer")
    assert table.startswith("### transformer\n")
    assert "| Llama 3.1 70B, KV cache per token, bf16 | 328 kB | 328 kB | 0 % |" in table
    assert "**missed**" in table and "Known misses:" in table
    whole = measured.markdown()
    assert whole.startswith("# Validation\n")
    assert all(f"### {row['stage']}" in whole for row in measured.summary())
    if os.environ.get("LINESHAFT_REFRESH") == "1":
        DOCS.write_text(whole, "utf-8")
    assert DOCS.read_text("utf-8") == whole, (
        "run `lineshaft validate --markdown > docs/validation.md`"
    )


def test_the_verb_prints_lines_counts_and_misses() -> None:
    done = CliRunner().invoke(app, ["transformer"])
    assert done.exit_code == 0
    assert "identity 17/17 · unseen 4/5" in done.stdout
    assert "MISSED: known misses\n  transformer.parameters.kimi_k2: measured 1.04 T" in done.stdout


def test_the_verb_in_json_and_in_markdown() -> None:
    done = CliRunner().invoke(app, ["transformer", "--json"])
    told = json.loads(done.stdout)
    assert [row["id"] for row in told["rows"]] == [row.id for row in measured.rows("transformer")]
    assert told["passed"] is True and told["sets"] == {}
    assert {count["kind"] for count in told["summary"]} == {"identity", "unseen"}
    shown = CliRunner().invoke(app, ["transformer", "--markdown"]).stdout
    assert shown == measured.markdown("transformer")


def test_the_verb_lists_models() -> None:
    shown = CliRunner().invoke(app, ["serve", "--models"]).stdout
    assert "serve: kv_share_of(model, other, bytes_per_value=2.0)\n" in shown
    assert "data" not in shown.split("simulated_hit_share(")[1].split(")")[0]
    failed = CliRunner().invoke(app, ["serf", "--models"])
    assert isinstance(failed.exception, InputError)


def test_the_verb_fails_where_the_register_is_not_true(tmp_path: Path) -> None:
    (tmp_path / "ours.csv").write_text(
        "id,what,measured,unit,tolerance,model,source,with.model,with.bytes_per_value\n"
        "transformer.ours.kv,our cache,1,byte,0.1,kv_bytes_per_token,logs,Llama 3.1 8B,2\n"
    )
    done = CliRunner().invoke(app, ["transformer", "--data", str(tmp_path)])
    assert done.exit_code == 1
    assert "FAILED: beyond the tolerance\n  transformer.ours.kv: measured 1.00 B" in done.stdout


def test_a_row_whose_data_is_not_there_keeps_its_result(elsewhere: Path) -> None:
    def kept() -> dict[str, bool | None]:
        return {row["id"]: row["passed"] for row in measured.summary() if row["stage"] == "build"}

    measured.write(measured.validate("build"))
    skipped = {row.id for row in measured.rows("build") if row.needs}
    before = kept()
    stored = json.loads(elsewhere.read_text("utf-8"))
    if any(before[name] is None for name in skipped):
        pytest.skip("the shipped results were written without published data")
    measured.write(measured.validate("build"))
    assert kept() == before
    stored["engines"]["build"] = "another engine"
    elsewhere.write_text(json.dumps(stored), "utf-8")
    measured.write(measured.validate("build"))
    assert all(kept()[name] is None for name in skipped)
