"""Parquet files written here are read by pyarrow, DuckDB and Polars and compared with their rows.

The C test t_unit_parquet_pq_write_oracle writes the files and, beside each, what is in it: one JSON
array a row. JSON knows fewer types, so both sides are brought to one plain form first.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import os
import struct
import subprocess
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = Path(os.environ.get("HEADRACE_BUILD", ROOT / "build")) / "t_unit_parquet_pq_write_oracle"
NANOS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the files, written once."""
    if not PROGRAM.exists():
        pytest.skip(f"{PROGRAM} is not built")
    out = tmp_path_factory.mktemp("parquet")
    env = {**os.environ, "HEADRACE_PARQUET_OUT": str(out)}
    subprocess.run([PROGRAM], check=True, env=env, capture_output=True, timeout=900)
    return out


def files(folder: Path, rare: bool = False) -> list[Path]:
    found = sorted(folder.glob("*.parquet"))
    assert len(found) > 30
    return [f for f in found if rare or f.stem != "rare"]


# ---- one plain form ------------------------------------------------------------------------------


def nanos_of_text(text: str) -> int:
    """Nanoseconds since the epoch, or since midnight, of an ISO text."""
    text = text.removesuffix("Z")
    head, _, fraction = text.partition(".")
    nanos = int((fraction + "000000000")[:9]) if fraction else 0
    if "T" not in head and " " not in head:
        hours, minutes, seconds = map(int, head.split(":"))
        return (hours * 3600 + minutes * 60 + seconds) * 10**9 + nanos
    when = dt.datetime.fromisoformat(head).replace(tzinfo=dt.UTC)
    return (
        int((when - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(seconds=1)) * 10**9
        + nanos
    )


def plain_wanted(value: Any, kind: pa.DataType) -> Any:
    """A value of the JSON file in plain form; `kind` is the type pyarrow reads."""
    if value is None:
        return None
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if pa.types.is_list(kind):
        return [plain_wanted(v, kind.value_type) for v in value]
    if pa.types.is_struct(kind):
        return {f.name: plain_wanted(value[f.name], f.type) for f in kind}
    if pa.types.is_map(kind):
        return {str(k): plain_wanted(v, kind.item_type) for k, v in value.items()}
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        return nanos_of_text(value)
    if pa.types.is_float64(kind):
        return float(value)
    if pa.types.is_floating(kind):  # the text is the shortest that names the 32-bit number
        return struct.unpack("<f", struct.pack("<f", float(value)))[0]
    if pa.types.is_decimal(kind):
        return Decimal(value)
    if isinstance(value, dict):  # a JSON column stands in the rows as JSON, not as text
        return json.dumps(value, separators=(",", ":"))
    return value


def plain_scalar(value: Any) -> Any:
    """A Python value a reader gave, in plain form."""
    if isinstance(value, dict):
        return {str(k): plain_scalar(v) for k, v in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(v, tuple) for v in value):
            return {str(k): plain_scalar(v) for k, v in value}
        return [plain_scalar(v) for v in value]
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def plain_column(column: pa.ChunkedArray) -> list[Any]:
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        numbers = pa.int32() if pa.types.is_time32(kind) else pa.int64()
        factor = NANOS[kind.unit]
        return [None if v is None else v * factor for v in column.cast(numbers).to_pylist()]
    return [v if isinstance(v, bytes) else plain_scalar(v) for v in column.to_pylist()]


def wanted(path: Path, schema: pa.Schema) -> dict[str, list[Any]]:
    lines = path.with_suffix(".jsonl").read_text().splitlines()
    rows = [json.loads(line, parse_float=Decimal) for line in lines]
    return {
        field.name: [plain_wanted(row[i], field.type) for row in rows]
        for i, field in enumerate(schema)
    }


def same(a: Any, b: Any) -> bool:
    """Equal, where an empty map may have come as an empty list."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(v, b[k]) for k, v in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (a == {} and b == [])


def as_wanted(got: Any, want: Any) -> Any:
    """Bytes where text was wanted: readers give ENUM and UUID as the bytes they are."""
    if isinstance(want, str) and isinstance(got, bytes):
        if got.decode(errors="replace") == want or got.hex() == want.replace("-", ""):
            return want
    return got


def check(path: Path, table: pa.Table, columns: dict[str, list[Any]], who: str) -> None:
    assert table.num_columns == len(columns), (path.name, who)
    for name, values in columns.items():
        got = plain_column(table.column(name))
        assert len(got) == len(values), (path.name, who, name)
        for row, (a, b) in enumerate(zip(values, got, strict=True)):
            b = plain_scalar(as_wanted(b, a))
            assert same(a, b), (path.name, who, name, row, a, b)


# ---- the readers ---------------------------------------------------------------------------------


def test_pyarrow_reads_every_file(folder: Path) -> None:
    for path in files(folder, rare=True):
        table = pq.ParquetFile(path, page_checksum_verification=True).read()
        table.validate(full=True)
        check(path, table, wanted(path, table.schema), "pyarrow")


def test_duckdb_reads_every_file(folder: Path) -> None:
    for path in files(folder):
        schema = pq.read_schema(path)
        table = duckdb.sql(f"select * from read_parquet('{path}')").to_arrow_table()
        check(path, table, wanted(path, schema), "duckdb")


def test_polars_reads_every_file(folder: Path) -> None:
    for path in files(folder):
        schema = pq.read_schema(path)
        table = polars.read_parquet(path).to_arrow()
        check(path, table, wanted(path, schema), "polars")


# ---- what readers leave out because of our statistics --------------------------------------------


FILTERED = ["auto-snappy", "classic-zstd", "v1-gzip", "values-sorted", "values-many", "bloom"]
COLUMNS = ["c_i32", "c_i64", "c_u32", "c_u64", "c_f64", "c_utf8", "c_date", "c_ts_us", "r_i64"]


def picked(values: list[Any]) -> list[Any]:
    known = sorted({v for v in values if v is not None})
    return [known[int(i * (len(known) - 1) / 2)] for i in range(3)] if known else []


@pytest.mark.parametrize("stem", FILTERED)
def test_filters_find_the_same_rows(folder: Path, stem: str) -> None:
    path = folder / f"{stem}.parquet"
    table = pq.read_table(path, columns=COLUMNS)
    for name in COLUMNS:
        values = table.column(name).to_pylist()
        for pick in picked(values):
            equal = sum(v == pick for v in values if v is not None)
            below = sum(v < pick for v in values if v is not None)
            for sign, count in (("==", equal), ("<", below)):
                field, scalar = pc.field(name), pa.scalar(pick, table.schema.field(name).type)
                wish = field == scalar if sign == "==" else field < scalar
                arrow = pq.read_table(path, columns=[name], filters=wish)
                assert arrow.num_rows == count, (stem, name, sign, pick, "pyarrow")
                duck = duckdb.execute(
                    f"select count(*) from read_parquet('{path}') where {name} {sign} ?", [pick]
                ).fetchall()
                assert duck == [(count,)], (stem, name, sign, pick, "duckdb")
                column = polars.col(name)
                pole = polars.scan_parquet(path).filter(
                    column == polars.lit(pick) if sign == "==" else column < polars.lit(pick)
                )
                assert pole.select(name).collect().height == count, (stem, name, sign, "polars")


def test_pyarrow_sees_the_indexes(folder: Path) -> None:
    meta = pq.ParquetFile(folder / "bloom.parquet").metadata
    assert meta.created_by.startswith("headrace version ")
    for group in range(meta.num_row_groups):
        column = meta.row_group(group).column(meta.schema.names.index("r_i64"))
        assert column.has_column_index
        assert column.has_offset_index
        assert column.statistics.has_min_max
        assert column.statistics.null_count == 0


def test_duckdb_uses_the_bloom_filter(folder: Path) -> None:
    path = folder / "bloom.parquet"
    rows = duckdb.sql(
        f"select bloom_filter_excludes from parquet_bloom_probe('{path}', 'r_i64', -12345678901)"
    ).fetchall()
    assert rows
    assert all(excluded for (excluded,) in rows)
