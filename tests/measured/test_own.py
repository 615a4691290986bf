"""The user's own measurements."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineshaft import measured
from lineshaft.errors import InputError
from lineshaft.measured.own import own_rows

HEADER = "id,what,measured,unit,tolerance,model,source,with.model,with.bytes_per_value\n"
GOOD = "transformer.ours.kv,our cache,131072,byte,0.01,kv_bytes_per_token,our logs,Llama 3.1 8B,2\n"


def test_own_rows_stand_beside_the_shipped_ones(tmp_path: Path) -> None:
    band = "transformer.ours.band,ours,1e5 to 2e5,byte,0,kv_bytes_per_token,logs,Llama 3.1 8B,2\n"
    wrong = "transformer.ours.far,ours,5e5,byte,0.1,kv_bytes_per_token,logs,Llama 3.1 8B,2\n"
    (tmp_path / "ours.csv").write_text(HEADER + GOOD + band + wrong)
    found = measured.validate("transformer", tmp_path)
    mine = {one.row.id: one for one in found if ".ours." in one.row.id}
    assert [one.verdict for one in mine.values()] == ["pass", "pass", "FAILED"]
    assert mine["transformer.ours.kv"].row.kind == "unseen"
    assert len(found) == 3 + len(measured.rows("transformer"))
    assert not [one for one in measured.validate("build", tmp_path) if ".ours." in one.row.id]


def test_blank_cells_leave_an_argument_to_its_default(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "id,what,measured,unit,tolerance,model,source,with.model,with.embedding\n"
        "transformer.ours.a,ours,8030261248,1,0,active_parameters,x,Llama 3.1 8B,\n"
        "transformer.ours.b,ours,7504924672,1,0,active_parameters,x,Llama 3.1 8B,false\n"
    )
    first, second = own_rows(tmp_path)
    assert "embedding" not in first.arguments
    assert second.arguments["embedding"] is False
    assert first.call(None) == first.low and second.call(None) == second.low


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEADER.replace("tolerance", "tolerence") + GOOD, "did you mean 'tolerance'?"),
        (HEADER + GOOD.replace("131072", "much"), "a number, or [low, high]"),
        (HEADER + GOOD.replace("kv_bytes_per_token", "kv_bytes"), "'kv_bytes_per_token'?"),
        (HEADER + GOOD.replace("transformer.", "transformers."), "transformer.…"),
        (HEADER + GOOD + GOOD, "the id is that of ours.csv:2 too"),
        (HEADER + GOOD.replace("ours.kv", "kv.llama_70b"), "is a shipped row"),
        (HEADER.replace("bytes_per_value", "bytes_per_valu") + GOOD, "did you mean 'bytes_per"),
        (HEADER.replace(",source", "") + GOOD, "the column is missing"),
        (HEADER + GOOD.replace(",2\n", ",2,3\n"), "1 cells more than columns"),
        ("id;what;measured\n", "separate the columns by commas"),
        ("", "id, what, measured, unit, tolerance, model, source: the columns are missing"),
        (HEADER + 'transformer.a.b,"never closed\n', "cannot be read"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "ours.csv").write_text(text)
    with pytest.raises(InputError) as error:
        measured.validate("transformer", tmp_path)
    assert told in str(error.value)
    assert all(problem.where.startswith("ours.csv") for problem in error.value.problems)


def test_all_files_and_rows_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        HEADER + GOOD.replace("131072", "much") + "trainsformer.a.b,,\n"
    )
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError) as error:
        own_rows(tmp_path)
    told = str(error.value)
    for part in (
        "a.csv:2",
        "a.csv:3: id: 'trainsformer.a.b' begins with no stage",
        "b.csv: cannot",
    ):
        assert part in told
    assert "did you mean 'transformer'?" in told


def test_a_folder_without_anything_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds neither a published data set nor a"):
        measured.validate("transformer", tmp_path)


def test_arguments_that_no_model_was_made_for_are_told_in_the_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HEADER + GOOD.replace(",2\n", ",two\n"))
    (mine,) = (r for r in measured.validate("transformer", tmp_path) if ".ours." in r.row.id)
    assert mine.verdict == "FAILED" and "TypeError: can only concatenate" in mine.refused
    assert len(mine.refused) <= 160


def test_a_published_table_in_the_folder_is_no_file_of_own_rows(tmp_path: Path) -> None:
    (tmp_path / "ours.csv").write_text(HEADER + GOOD)
    (tmp_path / "published.csv").write_text("metric,value,unit\nnodes,278,1\n")
    assert [row.id for row in own_rows(tmp_path)] == ["transformer.ours.kv"]
    (tmp_path / "typo.csv").write_text(HEADER.replace("measured", "measurd") + GOOD)
    with pytest.raises(InputError, match="measurd"):
        own_rows(tmp_path)
