"""Random Parquet files, read and written by headrace, compared with what pyarrow says is in them.

parquet_oracle.py makes the files: types, nesting, nulls, encodings, codecs, page versions, sizes.
HEADRACE_ORACLE_SEEDS=N asks for more of them, HEADRACE_ORACLE_FIRST for others.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import duckdb
import parquet_oracle as oracle
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Headrace

SEEDS = int(os.environ.get("HEADRACE_ORACLE_SEEDS", "60"))
FIRST = int(os.environ.get("HEADRACE_ORACLE_FIRST", "0"))
BATCHES = 6

WRITER = {
    "compression": ["snappy", "zstd", "gzip", "lz4", "brotli", "none"],
    "encodings": ["auto", "auto", "classic"],
    "parquet_version": ["1", "2"],
    "row_group_rows": ["17", "1000", "100000"],
    "page_size_kb": ["4", "1024"],
    "page_crc": ["true", "false"],
    "dictionary": ["true", "true", "false"],
    "page_index": ["true", "false"],
    "statistics": ["true", "false"],
}


def settings(rng: random.Random) -> list[str]:
    out: list[str] = []
    for name, choices in WRITER.items():
        out += ["--set", f"destination.{name}={rng.choice(choices)}"]
    return out


def seeds(batch: int) -> range:
    return range(FIRST + batch, FIRST + SEEDS, BATCHES)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_value_survives(batch: int, tmp_path: Path, headrace_local: Headrace) -> None:
    source, copy = tmp_path / "a.parquet", tmp_path / "b.parquet"
    for seed in seeds(batch):
        rng = random.Random(seed)
        table = oracle.make_table(rng)
        oracle.write_pyarrow(rng, table, source)
        copy.unlink(missing_ok=True)
        headrace_local.ok("copy", source, copy, *settings(rng))
        got = pq.ParquetFile(copy, page_checksum_verification=True).read()
        got.validate(full=True)
        assert oracle.differences(table, got) == [], f"seed {seed}"


@pytest.mark.parametrize("batch", range(BATCHES))
def test_filters_keep_the_right_rows(batch: int, tmp_path: Path, headrace_local: Headrace) -> None:
    """With statistics, dictionaries, indexes and Bloom filters of pyarrow and of our own."""
    source, own, kept = (tmp_path / f"{name}.parquet" for name in "abc")
    for seed in seeds(batch):
        rng = random.Random(seed)
        table = oracle.flat_table(rng)
        oracle.write_pyarrow(rng, table, source)
        if seed % 2 == 1:
            rows = rng.choice([50, 500, 5000])
            headrace_local.ok(
                *("copy", source, own, "--set", f"row_group_rows={rows}"),
                *("--set", "page_size_kb=4", "--set", "bloom_filter_columns=c0,c1,c2"),
            )
        for _ in range(3):
            wish = oracle.some_filter(rng, table)
            if wish is not None:
                path = own if seed % 2 == 1 else source
                headrace_local.ok("copy", path, kept, "--filter", wish[0])
                got = pq.ParquetFile(kept).metadata.num_rows
                assert got == wish[1], f"seed {seed}: {wish[0]}"


DUCK = """
select i, (i % 100)::tinyint ti, (i % 200)::utinyint ut, i::uinteger ui, i::ubigint ub,
       i::hugeint hu, i::float f, (i / 7.0)::decimal(9, 2) d9, (i / 7.0)::decimal(18, 3) d18,
       (i / 7.0)::decimal(38, 4) d38, 's' || i s, ('b' || i)::blob bl, i % 2 = 0 bo,
       date '2020-01-01' + i::int da, time '01:02:03.5' tm,
       timestamp '2020-01-01 00:00:00' + interval (i) second ts,
       timestamptz '2020-01-01 00:00:00+00' tz, timestamp_ms '2020-01-01 00:00:00.001' tms,
       timestamp_ns '2020-01-01 00:00:00.000000001' tns, interval (i) day iv,
       uuid '4ac7a9e9-607c-4c8a-84f3-843f0191e3fd' uu, [i, null, i + 1] li,
       {'a': i, 'b': [{'c': 'x' || i}]} st, map {'k' || i: i} ma,
       case when i % 3 = 0 then null else i end nu, 'a'::enum('a', 'b') en, [[i], []] ll
from range(0, 5000) t(i)
"""


@pytest.mark.parametrize(
    "how",
    [
        "compression snappy",
        "compression zstd, parquet_version v2",
        "compression gzip, row_group_size 2048",
        "compression lz4_raw, dictionary_size_limit 10",
        "compression brotli, parquet_version v2",
        "compression uncompressed",
    ],
)
def test_files_of_duckdb(how: str, tmp_path: Path, headrace_local: Headrace) -> None:
    source, copy = tmp_path / "a.parquet", tmp_path / "b.parquet"
    duckdb.connect().execute(f"copy ({DUCK}) to '{source}' (format parquet, {how})")
    headrace_local.ok("copy", source, copy)
    assert oracle.differences(pq.read_table(source), pq.read_table(copy)) == []
    both = [
        duckdb.sql(f"select * exclude (iv) from read_parquet('{path}')").to_arrow_table()
        for path in (source, copy)
    ]
    assert both[0].num_rows == both[1].num_rows
    assert oracle.plain(both[0].column("st")) == oracle.plain(both[1].column("st"))


@pytest.mark.parametrize("how", ["snappy", "gzip", "lz4", "brotli", "zstd", "uncompressed"])
def test_files_of_polars(how: str, tmp_path: Path, headrace_local: Headrace) -> None:
    source, copy = tmp_path / "a.parquet", tmp_path / "b.parquet"
    rows = range(5000)
    frame = polars.DataFrame(
        {
            "i": rows,
            "c": polars.Series([str(i % 5) for i in rows]).cast(polars.Categorical),
            "l": [[i, None] if i % 3 else [] for i in rows],
            "s": [{"a": i, "b": None if i % 2 else "x"} for i in rows],
            "t": polars.Series(rows).cast(polars.Time),
            "d": polars.Series([f"{i}.25" for i in rows]).cast(polars.Decimal(20, 2)),
            "b": [bytes([i % 256]) for i in rows],
            "z": polars.Series(rows).cast(polars.Datetime("ns", "Europe/Berlin")),
        }
    )
    frame.write_parquet(source, compression=how, row_group_size=777, data_page_size=500)  # type: ignore[arg-type]
    headrace_local.ok("copy", source, copy)
    assert oracle.differences(pq.read_table(source), pq.read_table(copy)) == []
    again = polars.read_parquet(copy).to_arrow()
    assert oracle.differences(frame.to_arrow(), again) == []


def write_groups(path: Path, *tables: pa.Table) -> None:
    with pq.ParquetWriter(path, tables[0].schema) as out:
        for table in tables:
            out.write_table(table)


def test_files_of_odd_shapes(tmp_path: Path, headrace_local: Headrace) -> None:
    """No rows, no row groups, no columns, 10,000 columns, names of any kind, older list names."""
    source, copy = tmp_path / "a.parquet", tmp_path / "b.parquet"
    one, none = pa.table({"x": [1]}), pa.table({"x": pa.array([], pa.int64())})
    nested = pa.table(
        {
            "l": [[1, 2], None, [], [None]],
            "m": pa.array([[("a", 1)], [], None, [("b", None)]], pa.map_(pa.string(), pa.int64())),
        }
    )
    shapes: list[tuple[list[pa.Table], dict[str, object]]] = [
        ([none], {}),
        ([none.slice(0, 0), one, none, one], {}),
        ([one.select([])], {}),
        ([pa.table({f"c{i}": [i, i + 1] for i in range(10_000)})], {}),
        ([pa.table({"": [1], "a.b": [2], "ü": [3], 'a"b': [4], "new\nline": [5]})], {}),
        ([nested], {"use_compliant_nested_type": False}),
        ([pa.table({"t": pa.array([0, 1, -1, 10**18, None], pa.timestamp("ns"))})],
         {"use_deprecated_int96_timestamps": True}),
    ]  # fmt: skip
    for tables, how in shapes:
        if how:
            pq.write_table(tables[0], source, **how)
        else:
            write_groups(source, *tables)
        headrace_local.ok("copy", source, copy)
        got = pq.ParquetFile(copy).read()
        assert oracle.differences(pa.concat_tables(tables), got) == [], tables[0].schema
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["x", "x"])
    write_groups(source, twice)
    headrace_local.ok("copy", source, copy)
    got = pq.ParquetFile(copy).read()
    assert oracle.differences(twice.rename_columns(["x", "x_1"]), got) == []
    pq.write_table(pa.table([pa.array([1])], pa.schema([
        pa.field("x", pa.int64(), metadata={"PARQUET:field_id": "17"})])), source)  # fmt: skip
    headrace_local.ok("copy", source, copy)
    assert pq.read_schema(copy).field("x").metadata == {b"PARQUET:field_id": b"17"}
