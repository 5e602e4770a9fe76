"""Schemas that change from file to file and run to run, in every way schema_evolution knows."""

from __future__ import annotations

import decimal
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Headrace
from olake_job import FolderLake, Job

D = decimal.Decimal
FIRST = {
    "id": pa.array([1, 2], pa.int32()),
    "f": pa.array([1.5, 2.5], pa.float32()),
    "d": pa.array([D("1.23")] * 2, pa.decimal128(5, 2)),
    "s": pa.array([{"a": 1}, {"a": 2}]),
    "day": pa.array([10, 11], pa.date32()),
    "gone": pa.array(["x", "y"]),
}
SECOND = {
    "new": pa.array(["n", None, "m"]),
    "d": pa.array([D("12345678.90"), D("2.50"), None], pa.decimal128(12, 2)),
    "f": pa.array([0.1, 0.5, None], pa.float64()),
    "s": pa.array([{"a": 1, "b": "x"}, None, {"a": 3, "b": None}]),
    "id": pa.array([2**40, 4, None], pa.int64()),
    "day": pa.array([86_400_000_000, 1, None], pa.timestamp("us")),
}


def drifted(folder: Path) -> Path:
    folder.mkdir(parents=True)
    pq.write_table(pa.table(FIRST), folder / "1.parquet")
    pq.write_table(pa.table(SECOND), folder / "2.parquet")
    return folder


def evolve(how: str) -> tuple[str, ...]:
    """Only the first file is looked at before the run."""
    return ("--set", "infer_files=1", "--set", f"schema_evolution={how}", "--workers", "2")


def rows(folder: Path) -> list[dict[str, Any]]:
    tables = [pq.read_table(path) for path in sorted(folder.rglob("*.parquet"))]
    return pa.concat_tables(tables, promote_options="permissive").to_pylist()


def test_widen_parquet(headrace_local: Headrace, tmp_path: Path) -> None:
    drifted(tmp_path / "in")
    headrace_local.ok("copy", tmp_path / "in", tmp_path / "one.parquet", *evolve("widen"))
    got = pq.read_table(tmp_path / "one.parquet")
    whole = pa.concat_tables(
        [pa.table(FIRST).drop(["s", "day", "d"]), pa.table(SECOND).drop(["s", "day", "d"])],
        promote_options="permissive",
    )
    for name in ("id", "f", "gone", "new"):
        assert got[name].to_pylist() == whole[name].to_pylist(), name
    assert got["d"].to_pylist() == [D("1.23"), D("1.23"), D("12345678.90"), D("2.50"), None]
    assert [s and s["a"] for s in got["s"].to_pylist()] == [1, 2, 1, None, 3]
    assert [s and s["b"] for s in got["s"].to_pylist()] == [None, None, "x", None, None]
    assert pa.types.is_timestamp(got.schema.field("day").type)
    seen = duckdb.sql(f"select count(*), sum(id) from '{tmp_path}/one.parquet'").fetchall()
    assert seen == [(5, 2**40 + 7)]


def test_rescue_parquet(headrace_local: Headrace, tmp_path: Path) -> None:
    drifted(tmp_path / "in")
    done = headrace_local.ok("copy", tmp_path / "in", f"{tmp_path}/out/", *evolve("rescue"))
    got = rows(tmp_path / "out")
    assert [r["_rescued_data"] for r in got[:2]] == [None, None]
    rescued = [json.loads(r["_rescued_data"] or "{}", parse_float=D) for r in got[2:]]
    assert rescued[0].pop("day").startswith("1970-01-02")
    assert rescued[0] == {
        "id": 2**40,
        "f": D("0.1"),
        "d": D("12345678.90"),
        "s": {"a": 1, "b": "x"},
        "new": "n",
    }
    assert set(rescued[1]) == {"day"}
    assert rescued[2] == {"s": {"a": 3, "b": None}, "new": "m"}
    assert [r["id"] for r in got] == [1, 2, None, 4, None]
    assert got[3]["f"] == 0.5
    assert got[3]["d"] == D("2.50")
    assert "new" not in got[0]
    assert "7 values null" in done.err
    # What a run rescued is kept when its files are copied again under the same rule.
    headrace_local.ok("copy", f"{tmp_path}/out/", f"{tmp_path}/again/", *evolve("rescue"))
    assert rows(tmp_path / "again") == got


def test_ignore_and_strict_parquet(headrace_local: Headrace, tmp_path: Path) -> None:
    drifted(tmp_path / "in")
    done = headrace_local.ok("copy", tmp_path / "in", f"{tmp_path}/out/", *evolve("ignore"))
    got = rows(tmp_path / "out")
    assert [r["id"] for r in got] == [1, 2, None, 4, None]
    assert "_rescued_data" not in got[0]
    assert "5 values null" in done.err
    failed = headrace_local("copy", tmp_path / "in", f"{tmp_path}/no/", *evolve("strict"))
    assert failed.code == 5
    assert "2.parquet" in failed.err
    assert not (tmp_path / "no").exists() or not list((tmp_path / "no").iterdir())


TEXT = {
    "csv": ("id,name\n1,a\n2,b\n", "extra,id,name\n9,x,c\n,4,d\n"),
    "tsv": ("id\tname\n1\ta\n2\tb\n", "extra\tid\tname\n9\tx\tc\n\t4\td\n"),
    "jsonl": (
        '{"id":1,"name":"a"}\n{"id":2,"name":"b"}\n',
        '{"extra":"9","id":"x","name":"c"}\n{"id":4,"name":"d"}\n',
    ),
}


@pytest.mark.parametrize("kind", TEXT)
@pytest.mark.parametrize("how", ["widen", "rescue", "ignore", "strict"])
def test_text(headrace_local: Headrace, tmp_path: Path, kind: str, how: str) -> None:
    (tmp_path / "in").mkdir()
    for number, text in enumerate(TEXT[kind]):
        (tmp_path / "in" / f"{number}.{kind}").write_text(text)
    done = headrace_local("copy", tmp_path / "in", f"{tmp_path}/out/", *evolve(how))
    if how == "strict":
        assert done.code == 5
        assert f"1.{kind}" in done.err
        assert "column: " in done.err
        return
    assert done.code == 0, done.err
    got = rows(tmp_path / "out")
    assert [r["name"] for r in got] == ["a", "b", "c", "d"]
    if how == "widen":
        assert [str(r["id"]) for r in got] == ["1", "2", "x", "4"]
        assert [r["extra"] is not None for r in got] == [False, False, True, False]
        return
    assert [r["id"] for r in got] == [1, 2, None, 4]
    assert "extra" not in got[0]
    if how == "rescue":
        assert [json.loads(r["_rescued_data"] or "{}") for r in got] == [
            {},
            {},
            {"id": "x", "extra": "9"},
            {},
        ]


def test_avro(headrace_local: Headrace, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number, (kind, values) in enumerate((("int", [1, 2]), ("string", ["x", "y"]))):
        schema = fastavro.parse_schema(
            {"type": "record", "name": "r", "fields": [{"name": "id", "type": kind}]}
        )
        with (tmp_path / "in" / f"{number}.avro").open("wb") as file:
            fastavro.writer(file, schema, [{"id": value} for value in values])
    headrace_local.ok("copy", tmp_path / "in", f"{tmp_path}/w/", *evolve("widen"))
    assert [str(r["id"]) for r in rows(tmp_path / "w")] == ["1", "2", "x", "y"]
    headrace_local.ok("copy", tmp_path / "in", f"{tmp_path}/r/", *evolve("rescue"))
    assert [(r["id"], r["_rescued_data"]) for r in rows(tmp_path / "r")] == [
        (1, None),
        (2, None),
        (None, '{"id":"x"}'),
        (None, '{"id":"y"}'),
    ]


def test_rescue_names_only_what_was_asked_for(headrace_local: Headrace, tmp_path: Path) -> None:
    drifted(tmp_path / "in")
    headrace_local.ok(
        "copy", tmp_path / "in", f"{tmp_path}/out/", "--columns", "gone,id", *evolve("rescue")
    )
    got = rows(tmp_path / "out")
    assert list(got[0]) == ["gone", "id", "_rescued_data"]
    assert [json.loads(r["_rescued_data"] or "{}") for r in got[2:]] == [{"id": 2**40}, {}, {}]


def test_runs(headrace_local: Headrace, tmp_path: Path) -> None:
    job = Job(headrace_local, tmp_path / "job", FolderLake(tmp_path / "lake"))
    job.lake.put("s/1.csv", "id,name\n1,a\n2,b\n")
    job.discover()
    catalog = job.read("streams.json")
    for entry in catalog["streams"]:
        entry["stream"]["sync_mode"] = "incremental"
    job.write("streams.json", catalog)
    job.ok()
    before = {p: p.read_bytes() for p in job.out.rglob("*.parquet")}
    job.lake.put("s/2.csv", "name,id,more\nc,2.5,x\nd,late,\n")
    job.ok()
    for path, data in before.items():
        assert path.read_bytes() == data  # what was written stays as it is
    files = sorted(job.out.rglob("*.parquet"))
    seen = duckdb.sql(
        f"select id::varchar, name from read_parquet({[str(f) for f in files]}, "
        "union_by_name=true) order by name"
    ).fetchall()
    assert [(str(a), b) for a, b in seen] == [("1", "a"), ("2", "b"), ("2.5", "c"), ("late", "d")]
    job.lake.put("s/3.csv", "id,name\nnone,e\n5,f\n")
    job.ok("--set", "schema_evolution=rescue")
    last = [p for p in job.out.rglob("*.parquet") if p not in files]
    (table,) = [pq.read_table(p) for p in last]
    assert table["_rescued_data"].to_pylist() == ['{"id":"none"}', None]
    assert table["id"].to_pylist() == [None, 5]


def test_drift_is_told(headrace_local: Headrace, tmp_path: Path) -> None:
    job = Job(headrace_local, tmp_path / "job", FolderLake(tmp_path / "lake"))

    def put(name: str, head: str, *lines: str) -> None:
        job.lake.put(f"s/{name}.csv", head + "\n" + "\n".join(lines) + "\n")

    put("1", "id,name,price", *(f"{i},n,{i}" for i in range(200)))
    job.discover()
    catalog = job.read("streams.json")
    for entry in catalog["streams"]:
        entry["stream"]["sync_mode"] = "incremental"
    job.write("streams.json", catalog)
    assert "columns changed" not in job.ok().err
    put("2", "id,name,price", *(f"{i},n,{i}" for i in range(200)))
    assert "columns changed" not in job.ok().err
    put("3", "id,more,price", *(f"{i + 0.5},m,{i if i % 2 else ''}" for i in range(200)))
    told = job.ok().err
    assert "columns changed" in told
    assert "added more (utf8)" in told
    assert "widened id: int64 -> double" in told
    assert "only nulls now: name" in told
    assert "nulls of price 0.0% -> 50.0%" in told
    put("4", "id,name,price", *(f"{i},,{i if i % 2 else ''}" for i in range(200)))
    assert "columns changed" not in job.ok().err  # as in the run before
    put("5", "id,name,price", "7,,")
    assert "columns changed" not in job.ok().err  # one row has no rate


def test_parquet_files_whose_types_meet_are_copied_together(
    tmp_path: Path, headrace_local: Headrace
) -> None:
    """int64 meets double at double, which does not hold every int64: copy must not ask for more."""
    kinds: dict[str, pa.Array] = {
        "i64": pa.array([2], pa.int64()),
        "u64": pa.array([3], pa.uint64()),
        "f32": pa.array([1.5], pa.float32()),
        "f64": pa.array([2.5]),
        "dec": pa.array([decimal.Decimal("1.25")], pa.decimal128(5, 2)),
        "wide": pa.array([decimal.Decimal("1.5")], pa.decimal128(38, 1)),
        "ints": pa.array([[1]]),
        "reals": pa.array([[1.5]]),
        "struct": pa.array([{"x": 1}]),
        "more": pa.array([{"x": 1.5, "y": "q"}]),
    }
    for name, values in kinds.items():
        pq.write_table(pa.table({"v": values}), tmp_path / f"{name}.parquet")
    pairs = [
        ("i64", "f64"),
        ("u64", "f32"),
        ("dec", "f64"),
        ("dec", "wide"),
        ("ints", "reals"),
        ("struct", "more"),
    ]
    for one, two in [*pairs, *[(b, a) for a, b in pairs]]:
        headrace_local.ok("copy", f"{one}.parquet", f"{two}.parquet", "met.parquet", cwd=tmp_path)
        got = pq.read_table(tmp_path / "met.parquet")["v"].to_pylist()
        want = [kinds[one].to_pylist()[0], kinds[two].to_pylist()[0]]
        if "struct" in (one, two):
            want = [{"y": None, **value} for value in want]
        assert got == want, (one, two)


def test_strict_refuses_what_the_met_type_does_not_hold(
    tmp_path: Path, headrace_local: Headrace
) -> None:
    """widen rounds such an int64 to the double beside it; who asked for strict is told."""
    pq.write_table(pa.table({"v": pa.array([2**53 + 1], pa.int64())}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"v": [0.5]}), tmp_path / "2.parquet")
    strict = ["--set", "schema_evolution=strict"]
    done = headrace_local("copy", "1.parquet", "2.parquet", "o.parquet", *strict, cwd=tmp_path)
    assert done.code == 5
    assert "could not use column 'v': the file has int64, the schema double" in done.err
    assert not (tmp_path / "o.parquet").exists()


def test_narrower_files_are_told_to_who_asks(headrace_local: Headrace, tmp_path: Path) -> None:
    job = Job(
        headrace_local, tmp_path / "job", FolderLake(tmp_path / "lake"), file_format="parquet"
    )

    def put(name: str, **columns: pa.Array) -> None:
        out = io.BytesIO()
        pq.write_table(pa.table(columns), out)
        job.lake.put(f"s/{name}.parquet", out.getvalue())

    wide = {"id": pa.array([2**40, 1]), "t": pa.array([1, 2], pa.timestamp("us")), "s": ["a", "b"]}
    put("1", **wide)
    job.discover()
    catalog = job.read("streams.json")
    for entry in catalog["streams"]:
        entry["stream"]["sync_mode"] = "incremental"
    job.write("streams.json", catalog)
    assert "narrower" not in job.ok("--log-level", "info").err
    put("2", **{**wide, "id": pa.array([7, 8], pa.int16()), "s": pa.nulls(2)})
    put("3", **{**wide, "id": pa.array([7, 8], pa.int32()), "s": pa.nulls(2)})
    told = job.ok("--log-level", "info").err
    assert "columns are narrower in this run's files: id: int64 -> int32\n" in told
    put("4", **{**wide, "id": pa.array([7, 8], pa.int16())})
    put("5", **wide)
    assert "narrower" not in job.ok("--log-level", "info").err  # one file needs all of it
    put("6", **{**wide, "id": pa.array([7, 8], pa.int16())})
    assert "narrower" not in job.ok().err  # nothing is lost: no warning
