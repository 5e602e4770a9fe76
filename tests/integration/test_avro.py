"""Avro both ways between headrace and fastavro, with Parquet and pyarrow on the other side."""

from __future__ import annotations

import datetime as dt
import json
import random
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Headrace

TYPED = ("--set", "json_nested_text=false")
CODECS = ["null", "deflate", "snappy", "zstandard", "bzip2"]


def logical(avro_type: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": avro_type, "logicalType": name, **more}


POINT = {
    "type": "record",
    "name": "Point",
    "fields": [{"name": "x", "type": "double"}, {"name": "y", "type": ["null", "int"]}],
}
SCHEMA = {
    "type": "record",
    "name": "Row",
    "namespace": "org.example",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "flag", "type": ["null", "boolean"]},
        {"name": "small", "type": "int"},
        {"name": "ratio", "type": ["null", "double"]},
        {"name": "single", "type": "float"},
        {"name": "name", "type": ["null", "string"]},
        {"name": "raw", "type": "bytes"},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B", "C"]}},
        {"name": "code", "type": {"type": "fixed", "name": "Code", "size": 3}},
        {"name": "tags", "type": {"type": "array", "items": ["null", "string"]}},
        {"name": "counts", "type": {"type": "map", "values": "long"}},
        {"name": "point", "type": ["null", POINT]},
        {"name": "points", "type": {"type": "array", "items": "Point"}},
        {"name": "day", "type": logical("int", "date")},
        {"name": "clock", "type": logical("long", "time-micros")},
        {"name": "at", "type": ["null", logical("long", "timestamp-micros")]},
        {"name": "local", "type": logical("long", "local-timestamp-millis")},
        {"name": "price", "type": logical("bytes", "decimal", precision=20, scale=4)},
        {"name": "big", "type": ["null", logical("bytes", "decimal", precision=50, scale=2)]},
    ],
}


def row(rnd: random.Random, i: int) -> dict[str, Any]:
    """A row in the types fastavro gives back."""
    some = lambda value: None if rnd.random() < 0.3 else value  # noqa: E731
    point = {"x": rnd.random(), "y": some(rnd.randrange(100))}
    start = dt.datetime(1999, 1, 1, tzinfo=dt.UTC)
    return {
        "id": i * 10**12 * (-1) ** i,
        "flag": some(i % 2 == 0),
        "small": rnd.randrange(-(2**31), 2**31),
        "ratio": some(rnd.random()),
        "single": rnd.randrange(1000) / 8,
        "name": some("żółw " * rnd.randrange(4)),
        "raw": rnd.randbytes(rnd.randrange(20)),
        "kind": rnd.choice("ABC"),
        "code": rnd.randbytes(3),
        "tags": [some(f"t{k}") for k in range(rnd.randrange(4))],
        "counts": {f"k{k}": k * i for k in range(rnd.randrange(3))},
        "point": some(point),
        "points": [dict(point, x=k / 3) for k in range(rnd.randrange(3))],
        "day": dt.date(1900, 1, 1) + dt.timedelta(days=rnd.randrange(80_000)),
        "clock": dt.time(rnd.randrange(24), rnd.randrange(60), 7, rnd.randrange(10**6)),
        "at": some(start + dt.timedelta(microseconds=rnd.randrange(10**15))),
        "local": dt.datetime(2001, 2, 3) + dt.timedelta(milliseconds=rnd.randrange(10**12)),
        "price": Decimal(rnd.randrange(-(10**19), 10**19)).scaleb(-4),
        "big": some(Decimal(rnd.randrange(10**30)).scaleb(-2)),
    }


def plain(value: Any) -> Any:
    """pyarrow gives maps as lists of pairs."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(v, tuple) for v in value):
            return {k: plain(v) for k, v in value}
        return [plain(v) for v in value]
    return value


def same(got: dict[str, Any], want: dict[str, Any]) -> None:
    assert list(got) == list(want)
    for name, value in want.items():
        found = plain(got[name])
        if name == "counts" and found == []:
            found = {}
        assert found == value, f"{name}: {found!r} is not {value!r}"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    rnd = random.Random(11)
    return [row(rnd, i) for i in range(3000)]


@pytest.mark.parametrize("codec", CODECS)
def test_reads_what_fastavro_wrote(
    headrace_local: Headrace, tmp_path: Path, rows: list[dict[str, Any]], codec: str
) -> None:
    with (tmp_path / "in.avro").open("wb") as out:
        fastavro.writer(out, SCHEMA, rows, codec=codec, sync_interval=5000)
    headrace_local.ok("copy", "in.avro", "out.parquet", *TYPED)
    got = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert len(got) == len(rows)
    for found, want in zip(got, rows, strict=True):
        same(found, want)


@pytest.mark.parametrize("codec", CODECS)
def test_fastavro_reads_what_was_written(
    headrace_local: Headrace, tmp_path: Path, rows: list[dict[str, Any]], codec: str
) -> None:
    with (tmp_path / "in.avro").open("wb") as out:
        fastavro.writer(out, SCHEMA, rows)
    name = {"null": "none", "deflate": "gzip", "zstandard": "zstd"}.get(codec, codec)
    headrace_local.ok(
        "copy", "in.avro", "out.avro", *TYPED, "--set", f"destination.compression={name}"
    )
    with (tmp_path / "out.avro").open("rb") as file:
        reader = fastavro.reader(file)
        got = list(reader)
        assert reader.metadata["avro.codec"] == codec
    assert len(got) == len(rows)
    for found, want in zip(got, rows, strict=True):
        same(found, want)


def test_columns_of_every_arrow_type(headrace_local: Headrace, tmp_path: Path) -> None:
    """Parquet to Avro and back to Parquet: equal tables."""
    count = 500
    columns = {
        "i8": pa.array(range(count), pa.int64()).cast(pa.int8(), safe=False),
        "u8": pa.array([i % 256 for i in range(count)], pa.uint8()),
        "i16": pa.array([i * 7 for i in range(count)], pa.int16()),
        "u16": pa.array([i * 100 for i in range(count)], pa.uint16()),
        "u32": pa.array([i * 8_000_000 for i in range(count)], pa.uint32()),
        "u64": pa.array([2**64 - 1 - i for i in range(count)], pa.uint64()),
        "f32": pa.array([i / 3 for i in range(count)], pa.float32()),
        "date": pa.array(range(count), pa.int32()).cast(pa.date32()),
        "t_ms": pa.array(range(count), pa.time32("ms")),
        "t_ns": pa.array([i * 1000 for i in range(count)], pa.time64("ns")),
        "ts_ns": pa.array([i * 10**15 for i in range(count)], pa.timestamp("ns")),
        "ts_ms": pa.array([i * 10**9 for i in range(count)], pa.timestamp("ms", "UTC")),
        "dec": pa.array([Decimal(i) / 8 for i in range(count)], pa.decimal128(12, 3)),
        "fixed": pa.array([uuid.UUID(int=i).bytes for i in range(count)], pa.binary(16)),
        "nested": pa.array(
            [[{"a": i, "b": [str(i)] * (i % 3)}] * (i % 4) or None for i in range(count)],
            pa.list_(pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))])),
        ),
        "a name that is none": pa.array([None, "x"] * (count // 2), pa.string()),
    }
    table = pa.table(columns)
    pq.write_table(table, tmp_path / "in.parquet")
    headrace_local.ok("copy", "in.parquet", "mid.avro", *TYPED)
    headrace_local.ok("copy", "mid.avro", "out.parquet", *TYPED)
    got = pq.read_table(tmp_path / "out.parquet")
    for name in columns:
        assert got[name].type == table[name].type or name == "nested", name
        assert got[name].to_pylist() == table[name].to_pylist(), name
    with (tmp_path / "mid.avro").open("rb") as file:
        first = next(iter(fastavro.reader(file)))
    assert first["u64"] == Decimal(2**64 - 1)
    assert first["i16"] == 0


def test_splits_give_the_whole_and_the_same_bytes(
    headrace_local: Headrace, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    """A file of several tasks at one and at three workers."""
    with (tmp_path / "in.avro").open("wb") as out:
        fastavro.writer(out, SCHEMA, rows * 14)
    assert (tmp_path / "in.avro").stat().st_size > 4 << 20
    made = set()
    for workers in (1, 3):
        name = f"out{workers}.jsonl"
        headrace_local.ok("copy", "in.avro", name, "--workers", str(workers), "--set", "task_mb=1")
        made.add((tmp_path / name).read_bytes())
    headrace_local.ok("copy", "in.avro", "whole.jsonl")
    made.add((tmp_path / "whole.jsonl").read_bytes())
    assert len(made) == 1
    assert made.pop().count(b"\n") == 14 * len(rows)


def test_damage_in_a_later_split_is_not_passed_over(
    headrace_local: Headrace, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    with (tmp_path / "in.avro").open("wb") as out:
        fastavro.writer(out, SCHEMA, rows * 14, codec="snappy", sync_marker=bytes(range(16)))
    data = bytearray((tmp_path / "in.avro").read_bytes())
    rnd = random.Random(1)
    for round_ in range(20):
        at = rnd.randrange(10_000, len(data))
        data[at] ^= 0x10
        (tmp_path / "bad.avro").write_bytes(data)
        result = headrace_local(
            "copy", "bad.avro", f"out{round_}.jsonl", "--workers", "2", "--set", "task_mb=1"
        )
        assert result.code == 5, f"byte {at}: {result.code} {result.err}"
        assert "bad.avro" in result.err
        data[at] ^= 0x10


def test_a_cut_file_fails(
    headrace_local: Headrace, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    with (tmp_path / "whole.avro").open("wb") as out:
        fastavro.writer(out, SCHEMA, rows, codec="deflate")
    data = (tmp_path / "whole.avro").read_bytes()
    for cut in (1, 3, 100, len(data) // 2, len(data) - 1):
        (tmp_path / "in.avro").write_bytes(data[:cut])
        result = headrace_local("copy", "in.avro", f"out{cut}.csv")
        assert result.code == 5, f"cut at {cut}: {result.code} {result.err}"


def test_what_is_refused_says_why(headrace_local: Headrace, corpus: Path, tmp_path: Path) -> None:
    old = corpus / "avro-interop/data/test.avro12"
    (tmp_path / "old.avro").write_bytes(old.read_bytes())
    result = headrace_local("copy", "old.avro", "out.csv")
    assert result.code == 5
    assert "before 1.3" in result.err
    tree = {
        "type": "record",
        "name": "Node",
        "fields": [{"name": "next", "type": ["null", "Node"]}],
    }
    with (tmp_path / "tree.avro").open("wb") as out:
        fastavro.writer(out, tree, [{"next": None}])
    result = headrace_local("copy", "tree.avro", "out.csv")
    assert result.code == 5
    assert "'Node' contains itself" in result.err


def test_columns_are_chosen(
    headrace_local: Headrace, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    with (tmp_path / "in.avro").open("wb") as out:
        fastavro.writer(out, SCHEMA, rows)
    headrace_local.ok("copy", "in.avro", "out.parquet", "--columns", "price,id")
    got = pq.read_table(tmp_path / "out.parquet")
    assert got.column_names == ["price", "id"]
    assert got["id"].to_pylist() == [r["id"] for r in rows]
    assert got["price"].to_pylist() == [r["price"] for r in rows]


# ---- a reader's schema ---------------------------------------------------------------------------


WRITTEN = {
    "type": "record",
    "name": "Old",
    "fields": [
        {"name": "id", "type": "int"},
        {"name": "count", "type": "long"},
        {"name": "ratio", "type": "float"},
        {"name": "label", "type": ["null", "string"]},
        {"name": "raw", "type": "bytes"},
        {"name": "kind", "type": {"type": "enum", "name": "K", "symbols": ["A", "B", "C"]}},
        {"name": "sizes", "type": {"type": "array", "items": "int"}},
        {"name": "marks", "type": {"type": "map", "values": ["null", "int"]}},
        {
            "name": "place",
            "type": [
                "null",
                {
                    "type": "record",
                    "name": "P",
                    "fields": [{"name": "x", "type": "int"}, {"name": "gone", "type": "string"}],
                },
            ],
        },
        {"name": "day", "type": "int"},
        {"name": "unread", "type": {"type": "array", "items": "string"}},
    ],
}
READ = {
    "type": "record",
    "name": "Old",
    "fields": [
        {"name": "label", "type": ["null", "bytes"]},
        {"name": "id", "type": "double"},
        {"name": "total", "type": ["null", "double"], "aliases": ["sum", "count"]},
        {"name": "ratio", "type": "double"},
        {"name": "raw", "type": "string"},
        {
            "name": "kind",
            "type": {"type": "enum", "name": "K", "symbols": ["A", "X", "Z"], "default": "Z"},
        },
        {"name": "sizes", "type": {"type": "array", "items": "long"}},
        {"name": "marks", "type": {"type": "map", "values": ["null", "double"]}},
        {
            "name": "place",
            "type": [
                "null",
                {
                    "type": "record",
                    "name": "P",
                    "fields": [
                        {"name": "new", "type": "string", "default": "né"},
                        {"name": "x", "type": "long"},
                    ],
                },
            ],
        },
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "flag", "type": "boolean", "default": True},
        {"name": "none", "type": ["null", "int"], "default": None},
        {"name": "bytes", "type": "bytes", "default": "\u00ff\u0000a"},
        {"name": "list", "type": {"type": "array", "items": "int"}, "default": [1, 2]},
        {"name": "map", "type": {"type": "map", "values": "long"}, "default": {"k": 7}},
        {
            "name": "deep",
            "type": {
                "type": "record",
                "name": "D",
                "fields": [
                    {"name": "a", "type": "float", "default": 0.5},
                    {"name": "b", "type": {"type": "array", "items": "string"}},
                ],
            },
            "default": {"b": ["p", "q"]},
        },
    ],
}


def old_row(rnd: random.Random, i: int) -> dict[str, Any]:
    some = lambda value: None if rnd.random() < 0.3 else value  # noqa: E731
    return {
        "id": i - 500,
        "count": rnd.randrange(-(2**40), 2**40),
        "ratio": i / 4,
        "label": some(f"l{i}"),
        "raw": f"añ{i}".encode(),
        "kind": rnd.choice("ABC"),
        "sizes": [rnd.randrange(100) for _ in range(rnd.randrange(4))],
        "marks": {f"k{k}": some(k) for k in range(rnd.randrange(3))},
        "place": some({"x": i, "gone": "y" * rnd.randrange(5)}),
        "day": i,
        "unread": ["u"] * rnd.randrange(3),
    }


def write_old(path: Path, count: int = 3000) -> list[dict[str, Any]]:
    rnd = random.Random(3)
    rows = [old_row(rnd, i) for i in range(count)]
    with path.open("wb") as out:
        fastavro.writer(out, WRITTEN, rows, codec="deflate", sync_interval=4000)
    return rows


def fitted(value: Any) -> Any:
    """Maps as pyarrow gives them: empty ones look like lists."""
    if isinstance(value, dict):
        return {k: fitted(v) for k, v in value.items()} or []
    return [fitted(v) for v in value] if isinstance(value, list) else value


def test_a_reader_schema_resolves_as_fastavro_does(
    headrace_local: Headrace, tmp_path: Path
) -> None:
    write_old(tmp_path / "in.avro")
    with (tmp_path / "in.avro").open("rb") as data:
        want = list(fastavro.reader(data, READ))
    for wish in want:  # what fastavro leaves as it stands in the JSON
        wish["bytes"] = b"\xff\x00a"
        wish["deep"] = {"a": 0.5, "b": ["p", "q"]}
        wish["day"] = dt.date(1970, 1, 1) + dt.timedelta(days=wish["day"])
    option = ("--set", "avro_schema=" + json.dumps(READ), "--set", "task_mb=1")
    headrace_local.ok("copy", "in.avro", "out.parquet", *TYPED, *option)
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column_names == [str(field["name"]) for field in READ["fields"]]
    assert table.schema.field("total").type == pa.float64()
    assert table.schema.field("day").type == pa.date32()
    got = table.to_pylist()
    assert len(got) == len(want)
    for found, wish in zip(got, want, strict=True):
        assert fitted(plain(found)) == fitted(wish)
    shown = headrace_local.ok("schema", "in.avro", *option).out
    assert [line.split()[0] for line in shown.splitlines()] == table.column_names
    headrace_local.ok("copy", "in.avro", "two.parquet", "--columns", "flag,total", *option)
    some = pq.read_table(tmp_path / "two.parquet").to_pylist()
    assert some == [{"flag": True, "total": row["total"]} for row in want]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ([{"name": "new", "type": "int"}], "no 'new'"),
        ([{"name": "count", "type": "int"}], "int64"),
        ([{"name": "label", "type": "string"}], "null"),
        ([{"name": "place", "type": "int"}], "struct"),
        (
            [{"name": "kind", "type": {"type": "enum", "name": "K", "symbols": ["A"]}}],
            "symbol",
        ),
        ([{"name": "new", "type": "int", "default": "text"}], "default"),
        ([{"name": "new", "type": "nonsense"}], "nonsense"),
    ],
)
def test_what_a_reader_schema_cannot_have(
    headrace_local: Headrace, tmp_path: Path, fields: list[dict[str, Any]], said: str
) -> None:
    write_old(tmp_path / "in.avro", 50)
    schema = {"type": "record", "name": "Old", "fields": fields}
    done = headrace_local(
        "copy", "in.avro", "out.parquet", "--set", "avro_schema=" + json.dumps(schema)
    )
    assert done.code != 0
    assert said in done.err, done.err
    assert not (tmp_path / "out.parquet").exists()


def test_unions_are_resolved_by_branch(headrace_local: Headrace, tmp_path: Path) -> None:
    written = {
        "type": "record",
        "name": "U",
        "fields": [
            {"name": "plain", "type": "int"},
            {"name": "either", "type": ["null", "string", "boolean", "long"]},
        ],
    }
    read = {
        "type": "record",
        "name": "U",
        "fields": [
            {"name": "either", "type": ["null", "long", "string", "boolean", "bytes"]},
            {"name": "plain", "type": ["string", "double", "null"]},
        ],
    }
    values = ["a", True, None, 7, "b"]
    rows = [{"plain": i, "either": value} for i, value in enumerate(values)]
    with (tmp_path / "in.avro").open("wb") as out:
        fastavro.writer(out, written, rows)
    headrace_local.ok(
        *("copy", "in.avro", "out.parquet", *TYPED),
        *("--set", "avro_schema=" + json.dumps(read)),
    )
    got = pq.read_table(tmp_path / "out.parquet").to_pylist()
    for i, (value, found) in enumerate(zip(values, got, strict=True)):
        assert found["plain"] == {"string": None, "double": float(i)}
        if value is None:
            assert found["either"] is None
        else:
            assert [v for v in found["either"].values() if v is not None] == [value]
            assert list(found["either"]) == ["long", "string", "boolean", "bytes"]
