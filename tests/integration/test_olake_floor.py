"""Increments of one table have one set of types: those of the run before, which only widen."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import Headrace
from olake_job import FolderLake, Job


@pytest.fixture
def job(headrace: Headrace, tmp_path: Path) -> Job:
    made = Job(headrace, tmp_path, FolderLake(tmp_path / "lake"))
    made.select("s")
    return made


def types(job: Job) -> list[dict[str, str]]:
    """The types of each file in the order of the commits, without the added columns."""
    return [
        {f.name: str(f.type) for f in pq.read_schema(path) if not f.name.startswith("_")}
        for path in sorted(job.out.glob("*/s/*.parquet"))
    ]


def test_types_only_widen(job: Job) -> None:
    job.lake.put("s/a.csv", "id,code,note\n1,007,x\n2,abc,\n")
    job.ok()
    job.lake.put("s/b.csv", "id,code,note\n3,8,\n4,9,\n")  # numbers alone, nulls alone
    job.ok()
    job.lake.put("s/c.csv", "id,more\n5.5,1\n")  # wider, without two columns, with another
    job.ok()
    job.lake.put("s/d.csv", "id\n6\n")  # what was added stays
    said = job.ok().err
    narrow = {"id": "int64", "code": "string", "note": "string"}
    wide = {"id": "double", "code": "string", "note": "string", "more": "int64"}
    assert types(job) == [narrow, narrow, wide, wide]
    assert job.column("code") == ["007", "abc", "8", "9", None, None]
    assert job.column("id") == [1, 2, 3, 4, 5.5, 6]
    assert "columns changed" not in said


def test_a_wider_run_is_told(job: Job) -> None:
    job.lake.put("s/a.csv", "id\n1\n")
    job.ok()
    job.lake.put("s/b.csv", "id,more\nx,1\n")
    said = job.ok().err
    assert "added more (int64)" in said
    assert "widened id: int64 -> utf8" in said


def test_a_value_that_widens_late_is_kept(job: Job) -> None:
    """Beyond the sample: the run itself widens, the next one begins there."""
    rows = "".join(f"{i}\n" for i in range(3000))
    job.lake.put("s/a.csv", f"id\n{rows}last\n")
    job.ok()
    job.lake.put("s/b.csv", "id\n1\n")
    job.ok()
    assert types(job)[-1] == {"id": "string"}


def test_nested_and_decimal_columns(job: Job) -> None:
    job.source(file_format="json")
    job.lake.put("s/a.json", '{"id":1,"o":{"a":1},"l":[1]}\n{"id":123456789012345678901}\n')
    job.ok()
    job.lake.put("s/b.json", '{"id":2,"o":null,"l":null}\n')
    job.ok()
    job.lake.put("s/c.json", '{"id":3,"o":{"b":[2]}}\n')
    job.ok()
    first, *others = types(job)
    assert first["id"].startswith("decimal128")
    assert others == [first, first]
    assert job.column("o") == ['{"a":1}', None, None, '{"b":[2]}']


@pytest.mark.parametrize("evolution", ["strict", "ignore", "rescue"])
def test_without_widening_the_types_stand(job: Job, evolution: str) -> None:
    job.lake.put("s/a.csv", "id\n1\n")
    job.ok("--set", f"schema_evolution={evolution}")
    job.lake.put("s/b.csv", "id\nx\n")
    done = job.sync("--set", f"schema_evolution={evolution}")
    if evolution == "strict":
        assert done.code == 5, done.err
        assert "b.csv" in done.err
        assert job.column("id") == [1]
    else:
        assert done.code == 0, done.err
        assert job.column("id") == [1, None]
        assert {t["id"] for t in types(job)} == {"int64"}


def test_a_table_that_is_replaced_begins_anew(job: Job) -> None:
    job.lake.put("s/a.csv", "id\nx\n")
    job.ok()
    job.lake.remove("s/a.csv")
    job.lake.put("s/b.csv", "id\n1\n")
    job.select("s", mode="full_refresh")
    job.ok()
    assert types(job) == [{"id": "int64"}]
    job.select("s")
    job.lake.put("s/c.csv", "id\n2\n")
    job.ok()
    assert types(job) == [{"id": "int64"}] * 2


def test_a_state_without_columns_still_works(job: Job) -> None:
    """Raw records have no columns: their state says none, as one of an earlier version."""
    job.select("s", entry={"normalization": False})
    job.lake.put("s/a.csv", "id\nx\n")
    job.ok()
    assert "columns" not in job.entry()["state"]["_headrace"]
    job.select("s")
    job.lake.put("s/b.csv", "id\n1\n")
    job.ok()
    assert types(job)[-1] == {"id": "int64"}
    job.select("s", entry={"normalization": False})
    job.lake.put("s/c.csv", "id\n2\n")
    job.ok()
    assert job.entry()["state"]["_headrace"]["columns"] == [{"name": "id", "type": "int64"}]


def test_a_catalog_with_types_is_obeyed(job: Job) -> None:
    job.lake.put("s/a.csv", "id\nx\n")
    job.ok()
    job.lake.put("s/b.csv", "id\n1\n")
    job.select(
        "s",
        type_schema={"properties": {"id": {"type": ["integer"], "destination_column_name": "id"}}},
    )
    job.ok()
    assert types(job) == [{"id": "string"}, {"id": "int64"}]
