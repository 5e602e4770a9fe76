"""Columns inside structs: `a.b` chosen and filtered in Parquet, Avro and JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Headrace

KINDS = ["parquet", "avro", "jsonl"]
AVRO_SCHEMA = {
    "type": "record",
    "name": "r",
    "fields": [
        {"name": "id", "type": "long"},
        {
            "name": "a",
            "type": [
                "null",
                {
                    "type": "record",
                    "name": "ra",
                    "fields": [
                        {"name": "text", "type": "string"},
                        {"name": "b", "type": ["null", "long"]},
                        {
                            "name": "c",
                            "type": {
                                "type": "record",
                                "name": "rc",
                                "fields": [
                                    {"name": "pad", "type": {"type": "array", "items": "long"}},
                                    {"name": "d", "type": ["null", "string"]},
                                ],
                            },
                        },
                    ],
                },
            ],
        },
    ],
}


def rows(count: int) -> list[dict[str, Any]]:
    out = []
    for i in range(count):
        inner = {"pad": list(range(i % 4)), "d": None if i % 5 == 0 else f"d{i}"}
        whole = {"text": f"text {i}", "b": None if i % 3 == 0 else i, "c": inner}
        out.append({"id": i, "a": None if i % 7 == 0 else whole})
    return out


def write(folder: Path, kind: str, data: list[dict[str, Any]]) -> Path:
    path = folder / f"in.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(data), path, row_group_size=300)
    elif kind == "avro":
        with path.open("wb") as out:
            fastavro.writer(out, fastavro.parse_schema(AVRO_SCHEMA), data)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in data))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_chosen_alike_in_every_format(kind: str, tmp_path: Path, headrace_local: Headrace) -> None:
    data = rows(1000)
    write(tmp_path, kind, data)
    headrace_local.ok(
        "copy", f"in.{kind}", "out.parquet", "--columns", "a.c.d,id,a.b", cwd=tmp_path
    )
    got = pq.read_table(tmp_path / "out.parquet")
    assert got.column_names == ["a.c.d", "id", "a.b"]
    if kind != "avro":
        want = duckdb.sql(f"select a.c.d, id, a.b from '{tmp_path}/in.{kind}'").fetchall()
    else:
        want = [(r["a"] and r["a"]["c"]["d"], r["id"], r["a"] and r["a"]["b"]) for r in data]
    assert [tuple(row.values()) for row in got.to_pylist()] == want


@pytest.mark.parametrize("kind", KINDS)
def test_filtered_alike_in_every_format(
    kind: str, tmp_path: Path, headrace_local: Headrace
) -> None:
    data = rows(1000)
    write(tmp_path, kind, data)

    def ids(expression: str, *more: str) -> list[int]:
        shown = headrace_local.ok(
            *("copy", f"in.{kind}", "-", "--format", "jsonl", "--filter", expression, *more),
            cwd=tmp_path,
        )
        return [json.loads(line)["id"] for line in shown.out.splitlines()]

    b = {r["id"]: r["a"]["b"] if r["a"] else None for r in data}
    d = {r["id"]: r["a"]["c"]["d"] if r["a"] else None for r in data}
    assert ids("a.b > 900") == [i for i, v in b.items() if v is not None and v > 900]
    assert ids("a.b is null", "--columns", "id") == [i for i, v in b.items() if v is None]
    some = [i for i in b if d[i] == "d17" or (b[i] is not None and b[i] < 12)]
    assert ids("a.c.d = 'd17' or a.b < 12", "--columns", "id,a.b") == some
    assert ids("a.c.d = 'nowhere'") == []


def spoil(path: Path, wanted: list[str], groups: list[int]) -> None:
    """Damage every column chunk but `wanted`, and those too outside `groups`."""
    data = bytearray(path.read_bytes())
    meta = pq.read_metadata(path)
    for group in range(meta.num_row_groups):
        for number in range(meta.num_columns):
            chunk = meta.row_group(group).column(number)
            if chunk.path_in_schema in wanted and group in groups:
                continue
            begin = chunk.dictionary_page_offset or chunk.data_page_offset
            data[begin : begin + chunk.total_compressed_size] = (
                b"\xff" * chunk.total_compressed_size
            )
    path.write_bytes(data)


def test_only_the_leaves_asked_for_are_read(tmp_path: Path, headrace_local: Headrace) -> None:
    """All other chunks are damaged: whoever looks at them fails."""
    path = write(tmp_path, "parquet", rows(1000))
    want = duckdb.sql(f"select a.c.d, a.b from '{path}'").fetchall()
    spoil(path, ["a.b", "a.c.d"], [0, 1, 2, 3])
    headrace_local.ok("copy", "in.parquet", "out.parquet", "--columns", "a.c.d,a.b", cwd=tmp_path)
    got = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [tuple(row.values()) for row in got] == want
    option = ("--set", "parquet_columns=a.c.d,a.b", "--format", "csv")
    assert len(headrace_local.ok("copy", path, "-", *option).out.splitlines()) == 1001
    assert headrace_local("copy", "in.parquet", "null:", "--columns", "a", cwd=tmp_path).code == 5


def test_statistics_of_members_prune(tmp_path: Path, headrace_local: Headrace) -> None:
    """Row groups that cannot match are damaged: whoever reads them fails."""
    path = write(tmp_path, "parquet", rows(1000))
    spoil(path, ["a.b", "id"], [2])  # rows 600 to 899
    for expression, want in (
        ("a.b >= 700 and a.b < 710", 5),
        ("a.b = 802", 1),
        ("a.b in (811, 1203)", 1),
    ):
        shown = headrace_local.ok(
            *("copy", path, "-", "--format", "csv", "--columns", "id", "--filter", expression)
        )
        assert len(shown.out.splitlines()) == 1 + want, expression
    for expression in ("a.b > 890", "a.b is null", "a.b < 700"):
        done = headrace_local("copy", path, "null:", "--columns", "id", "--filter", expression)
        assert done.code == 5, expression


def test_a_column_with_dots_in_its_name_wins(tmp_path: Path, headrace_local: Headrace) -> None:
    table = pa.table({"a": [{"b": 1, "c.d": 5}], "a.b": ["literal"]})
    pq.write_table(table, tmp_path / "in.parquet")
    shown = headrace_local.ok(
        *("copy", "in.parquet", "-", "--format", "jsonl", "--columns", "a.b,a.c.d"), cwd=tmp_path
    )
    assert json.loads(shown.out) == {"a.b": "literal", "a.c.d": 5}
    kept = headrace_local.ok(
        *("copy", "in.parquet", "-", "--format", "jsonl", "--filter", "a.b = 'literal'"),
        cwd=tmp_path,
    )
    assert len(kept.out.splitlines()) == 1


def test_a_struct_and_its_member(tmp_path: Path, headrace_local: Headrace) -> None:
    """The struct stays whole, whatever else is chosen of it."""
    pq.write_table(pa.table({"a": [{"b": 1, "c": {"d": 2, "e": 3}}]}), tmp_path / "in.parquet")
    for columns in ("a.b,a", "a,a.b", "a.c.d,a.c,a"):
        shown = headrace_local.ok(
            *("copy", "in.parquet", "-", "--format", "jsonl", "--columns", columns), cwd=tmp_path
        )
        got = json.loads(shown.out)
        assert list(got) == columns.split(",")
        assert got["a"] == {"b": 1, "c": {"d": 2, "e": 3}}
    folders = ("copy", "in.parquet", "out/", "--columns", "a.c.e,a.b", "--partition-by", "a.b")
    headrace_local.ok(*folders, cwd=tmp_path)
    (file,) = (tmp_path / "out").rglob("*.parquet")
    assert file.parent.name == "a.b=1"
    assert pq.read_table(file, partitioning=None).to_pylist() == [{"a.c.e": 3}]


def test_files_that_differ(tmp_path: Path, headrace_local: Headrace) -> None:
    """A member some files lack is null; wider types meet; what is a text elsewhere is told."""
    lake = tmp_path / "lake"
    lake.mkdir()
    pq.write_table(pa.table({"a": [{"b": 1, "x": 1}]}), lake / "1.parquet")
    pq.write_table(pa.table({"a": [{"x": "text"}]}), lake / "2.parquet")
    pq.write_table(pa.table({"n": [1]}), lake / "3.parquet")
    pq.write_table(pa.table({"a": [{"c": 0, "b": 2.5}]}), lake / "4.parquet")
    for extra in ((), ("--set", "infer_files=1")):
        headrace_local.ok("copy", "lake/", "out.parquet", "--columns", "a.b", *extra, cwd=tmp_path)
        got = pq.read_table(tmp_path / "out.parquet")
        assert got.schema.field("a.b").type == pa.float64()
        assert got["a.b"].to_pylist() == [1.0, None, None, 2.5]
    pq.write_table(pa.table({"a": ["text"]}), lake / "5.parquet")
    for extra in ((), ("--set", "infer_files=1")):
        told = headrace_local(
            *("copy", "lake/", "none.parquet", "--columns", "a.b", *extra), cwd=tmp_path
        )
        assert told.code != 0
        assert "a.b" in told.err
    assert not (tmp_path / "none.parquet").exists()


def test_lists_and_unknown_names_are_refused(tmp_path: Path, headrace_local: Headrace) -> None:
    pq.write_table(pa.table({"l": [[{"x": 1}]], "s": [1]}), tmp_path / "in.parquet")
    for name, word in (("l.x", "list"), ("l.list.element.x", "list"), ("s.x", "columns are")):
        told = headrace_local("copy", "in.parquet", "o.csv", "--columns", name, cwd=tmp_path)
        assert (told.code, name in told.err, word in told.err) == (2, True, True), told.err
