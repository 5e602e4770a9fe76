"""Durations of Arrow: kept through Parquet, numbers of their unit elsewhere."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Headrace

UNITS = ["s", "ms", "us", "ns"]


def table() -> pa.Table:
    numbers = [0, 1, -86_400, None, 2**40]
    columns = {f"d_{unit}": pa.array(numbers, pa.duration(unit)) for unit in UNITS}
    second = pa.duration("s")
    return pa.table(
        {
            "id": pa.array(range(5), pa.int64()),
            **columns,
            "l": pa.array([[1, None], [], None, [3], [4]], pa.list_(pa.duration("us"))),
            "t": pa.array(
                [{"x": 1, "d": 5, "y": {"e": 7}}, None, {"x": 2}, {"d": 6}, {"x": 3, "d": 7}],
                pa.struct(
                    [
                        ("x", pa.int64()),
                        ("d", pa.duration("ms")),
                        ("y", pa.struct([("e", pa.duration("ns"))])),
                    ]
                ),
            ),
            "m": pa.array([[("a", 1)], [], None, [("b", 2)], []], pa.map_(pa.string(), second)),
        }
    )


def plain(data: pa.Table) -> list[object]:
    """Rows as they are, whatever the fields inside lists are called."""
    return [
        data.column(name).combine_chunks().cast(pa.string()).to_pylist()
        if pa.types.is_string(data.schema.field(name).type)
        else str(data.column(name).to_pylist())
        for name in data.column_names
    ]


def test_kept_through_parquet(tmp_path: Path, headrace_local: Headrace) -> None:
    data = table()
    pq.write_table(data, tmp_path / "in.parquet")
    headrace_local.ok("copy", "in.parquet", "in.avro", cwd=tmp_path)
    for source in ("in.parquet", "in.avro"):  # our Avro notes the unit beside the long
        headrace_local.ok("copy", source, "o.parquet", "--workers", "2", cwd=tmp_path)
        got = pq.read_table(tmp_path / "o.parquet")
        for unit in UNITS:
            assert got.schema.field(f"d_{unit}").type == pa.duration(unit)
        assert got.schema.field("id").type == pa.int64()
        assert got.schema.field("l").type.value_type == pa.duration("us")
        assert got.schema.field("t").type.field("d").type == pa.duration("ms")
        assert got.schema.field("t").type.field("y").type.field("e").type == pa.duration("ns")
        assert got.schema.field("m").type.item_type == pa.duration("s")
        for name in ("id", *(f"d_{unit}" for unit in UNITS)):
            assert got[name].cast(pa.int64()).equals(data[name].cast(pa.int64())), name
        assert plain(got.drop_columns(["d_ns", "t"])) == plain(data.drop_columns(["d_ns", "t"]))
    some = ("copy", "in.parquet", "some.parquet", "--columns", "t.y.e,t.d,d_ms")
    headrace_local.ok(*some, "--filter", "d_ms >= 0", cwd=tmp_path)
    got = pq.read_table(tmp_path / "some.parquet")
    assert [f.type for f in got.schema] == [pa.duration(u) for u in ("ns", "ms", "ms")]
    assert got["d_ms"].to_pylist()[:2] == [timedelta(0), timedelta(milliseconds=1)]
    shown = headrace_local.ok("schema", "in.parquet", cwd=tmp_path).out
    assert "d_us  duration[us]" in shown


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_text_has_the_number(kind: str, tmp_path: Path, headrace_local: Headrace) -> None:
    pq.write_table(table().select(["id", "d_ms"]), tmp_path / "in.parquet")
    shown = headrace_local.ok("copy", "in.parquet", "-", "--format", kind, cwd=tmp_path).out
    if kind == "csv":
        assert shown.splitlines()[1:] == ["0,0", "1,1", "2,-86400", "3,", f"4,{2**40}"]
    else:
        numbers = [json.loads(line)["d_ms"] for line in shown.splitlines()]
        assert numbers == [0, 1, -86400, None, 2**40]


def test_units_meet_at_the_finer(tmp_path: Path, headrace_local: Headrace) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    pq.write_table(pa.table({"d": pa.array([5], pa.duration("s"))}), lake / "1.parquet")
    pq.write_table(pa.table({"d": pa.array([7], pa.duration("ms"))}), lake / "2.parquet")
    want = [timedelta(seconds=5), timedelta(milliseconds=7)]
    for more in ((), ("--set", "infer_files=1")):
        headrace_local.ok("copy", "lake/", "o.parquet", *more, cwd=tmp_path)
        got = pq.read_table(tmp_path / "o.parquet")
        assert got.schema.field("d").type == pa.duration("ms")
        assert got["d"].to_pylist() == want
    # A plain number has no unit: together they are numbers.
    pq.write_table(pa.table({"d": pa.array([9], pa.int32())}), lake / "3.parquet")
    headrace_local.ok("copy", "lake/", "o.parquet", cwd=tmp_path)
    assert pq.read_table(tmp_path / "o.parquet").schema.field("d").type == pa.int64()


def test_a_damaged_arrow_schema_is_ignored(tmp_path: Path, headrace_local: Headrace) -> None:
    pq.write_table(table().select(["d_us"]), tmp_path / "in.parquet")
    data = (tmp_path / "in.parquet").read_bytes()
    message = pq.read_metadata(tmp_path / "in.parquet").metadata[b"ARROW:schema"]
    begin = data.index(message)
    want = headrace_local.ok("copy", "in.parquet", "-", "--format", "csv", cwd=tmp_path).out
    assert str(2**40) in want
    for at in range(begin, begin + len(message), 7):
        spoilt = bytearray(data)
        spoilt[at] = ord("A") if spoilt[at] != ord("A") else ord("z")
        (tmp_path / "bad.parquet").write_bytes(spoilt)
        shown = headrace_local.ok("copy", "bad.parquet", "-", "--format", "csv", cwd=tmp_path).out
        assert shown == want, at - begin
