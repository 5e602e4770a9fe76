"""Parquet files of every kind, made by a seed, and the plain form in which readers are compared.

test_parquet_oracle.py runs a bounded number of seeds, and as many as HEADRACE_ORACLE_SEEDS says
under `make soak`. A seed always makes the same table and the same writer settings.
"""

from __future__ import annotations

import datetime as dt
import math
import operator
import random
import struct
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

NANOS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


# ---- types ---------------------------------------------------------------------------------------


def scalar_type(rng: random.Random) -> pa.DataType:
    """Any type without children that pyarrow writes to Parquet."""
    kinds: list[pa.DataType] = [
        pa.bool_(),
        pa.int8(),
        pa.int16(),
        pa.int32(),
        pa.int64(),
        pa.uint8(),
        pa.uint16(),
        pa.uint32(),
        pa.uint64(),
        pa.float16(),
        pa.float32(),
        pa.float64(),
        pa.string(),
        pa.large_string(),
        pa.binary(),
        pa.binary(rng.choice([1, 3, 16, 40])),
        pa.date32(),
        pa.time32("ms"),
        pa.time64("us"),
        pa.time64("ns"),
        pa.timestamp(rng.choice(["ms", "us", "ns"]), rng.choice([None, "UTC"])),
        pa.decimal128(rng.randint(1, 9), 0),
        pa.decimal128(rng.randint(10, 18), rng.randint(0, 10)),
        pa.decimal128(rng.randint(19, 38), rng.randint(0, 19)),
        pa.decimal256(rng.randint(39, 76), rng.randint(0, 39)),
        pa.null(),
    ]
    return rng.choice(kinds)


def member(rng: random.Random, name: str, kind: pa.DataType, nullable: float = 0.7) -> pa.Field:
    return pa.field(name, kind, pa.types.is_null(kind) or rng.random() < nullable)


def any_type(rng: random.Random, depth: int) -> pa.DataType:
    """A type with at most `depth` levels of nesting."""
    kind = rng.randrange(8) if depth > 0 else 7
    if kind <= 1:
        return pa.list_(member(rng, "item", any_type(rng, depth - 1)))
    if kind == 2:
        return pa.large_list(any_type(rng, depth - 1))
    if kind <= 4:
        return pa.struct(
            [member(rng, f"f{i}", any_type(rng, depth - 1)) for i in range(rng.randint(1, 3))]
        )
    if kind == 5:
        key = rng.choice([pa.string(), pa.int32(), pa.int64(), pa.date32(), pa.binary()])
        return pa.map_(key, member(rng, "value", any_type(rng, depth - 1)))
    return scalar_type(rng)


# ---- values --------------------------------------------------------------------------------------


def whole(rng: random.Random, low: int, high: int, style: str) -> int:
    if style == "few":
        return max(low, min(high, rng.randrange(7) - 3))
    if style == "edge":
        return rng.choice([low, high, 0, max(low, -1), min(high, 1)])
    if style == "near":
        return max(low, min(high, rng.randrange(1000)))
    return rng.randint(low, high)


def text(rng: random.Random, style: str) -> str:
    if style == "few":
        return rng.choice(["", "a", "bb", "größe", "日本", "x" * 40])
    if style == "near":
        return "https://example.org/common/prefix/" + str(rng.randrange(1000))
    if style == "edge":
        return rng.choice(["", "\x00", "\U0010ffff" * 20, "z" * 300, "\x7f"])
    return "".join(
        chr(rng.choice([65, 97, 0xE9, 0x4E2D, 0x1F600])) for _ in range(rng.randrange(24))
    )


def number(rng: random.Random, style: str) -> float:
    if style == "few":
        return float(rng.randrange(5))
    if style == "edge":
        return rng.choice([0.0, -0.0, math.inf, -math.inf, math.nan, 1.5])
    if style == "near":
        return rng.randrange(100000) / 100
    return rng.uniform(-60000, 60000)


def nested_value(rng: random.Random, kind: pa.DataType, style: str, nulls: float) -> Any:
    t = pa.types
    if t.is_struct(kind):
        return {f.name: maybe(rng, f, style, nulls) for f in kind}
    if t.is_map(kind):
        return [
            (value(rng, kind.key_type, style, 0), maybe(rng, kind.item_field, style, nulls))
            for _ in range(rng.choice([0, 1, 2, 3]))
        ]
    field = kind.value_field
    return [maybe(rng, field, style, nulls) for _ in range(rng.choice([0, 1, 1, 2, 5]))]


def count_value(rng: random.Random, kind: pa.DataType, style: str) -> Any:
    """Of a type that is a whole number below: integers, times, decimals."""
    t = pa.types
    if t.is_integer(kind):
        signed = t.is_signed_integer(kind)
        low = -(1 << (kind.bit_width - 1)) if signed else 0
        return whole(rng, low, (1 << (kind.bit_width - signed)) - 1, style)
    if t.is_date(kind):
        return whole(rng, -700000, 2900000, style)
    if t.is_time(kind):
        return whole(rng, 0, 86400 * 10**9 // NANOS[kind.unit] - 1, style)
    if t.is_timestamp(kind):
        return whole(rng, -(2**61) // NANOS[kind.unit], 2**61 // NANOS[kind.unit], style)
    most = 10**kind.precision - 1
    digits = whole(rng, -most, most, style)
    return Decimal((digits < 0, tuple(map(int, str(abs(digits)))), -kind.scale))


def value(rng: random.Random, kind: pa.DataType, style: str, nulls: float) -> Any:
    """A random value that is not null at its own level."""
    t = pa.types
    if isinstance(kind, pa.UuidType):
        return rng.getrandbits(128 if style != "few" else 2).to_bytes(16, "big")
    if t.is_nested(kind):
        return nested_value(rng, kind, style, nulls)
    if t.is_dictionary(kind):
        return value(rng, kind.value_type, rng.choice(["few", style]), nulls)
    if t.is_boolean(kind):
        return rng.random() < (0.01 if style == "few" else 0.5)
    if t.is_floating(kind):
        return number(rng, style)
    if t.is_string(kind) or t.is_large_string(kind):
        return text(rng, style)
    if t.is_fixed_size_binary(kind) and not t.is_decimal(kind):
        return bytes(rng.getrandbits(8 if style != "few" else 1) for _ in range(kind.byte_width))
    if t.is_binary(kind):
        return text(rng, style).encode() + (b"\xff" if style == "wide" else b"")
    return None if t.is_null(kind) else count_value(rng, kind, style)


def maybe(rng: random.Random, field: pa.Field, style: str, nulls: float) -> Any:
    if pa.types.is_null(field.type) or (field.nullable and rng.random() < nulls):
        return None
    return value(rng, field.type, style, nulls)


def column(rng: random.Random, field: pa.Field, rows: int) -> pa.Array:
    style = rng.choice(["few", "edge", "near", "wide", "mixed"])
    nulls = rng.choice([0.0, 0.0, 0.02, 0.5, 0.98, 1.0])
    runs = rng.random() < 0.3
    out: list[Any] = []
    while len(out) < rows:
        one = rng.choice(["few", "edge", "near", "wide"]) if style == "mixed" else style
        cell = maybe(rng, field, one, nulls)
        out.extend([cell] * (min(rows - len(out), rng.randint(1, 200)) if runs else 1))
    if isinstance(field.type, pa.UuidType):
        storage = pa.array(out, type=field.type.storage_type)
        return pa.ExtensionArray.from_storage(field.type, storage)
    if (
        not pa.types.is_nested(field.type)
        and rng.random() < 0.2
        and not any(isinstance(v, float) for v in out)
    ):
        known = sorted(v for v in out if v is not None)
        out = known + [None] * (rows - len(known))
    return pa.array(out, type=field.type)


def make_table(rng: random.Random) -> pa.Table:
    rows = rng.choice([0, 1, 7, 100, 100, 1000, 1000, 4000])
    fields = []
    for i in range(rng.randint(1, 6)):
        kind = any_type(rng, rng.choice([0, 0, 0, 1, 2, 3]))
        if rng.random() < 0.06:  # at the top only: pyarrow cannot make the others nested
            kind = rng.choice([pa.uuid(), pa.dictionary(pa.int32(), pa.string())])
        fields.append(member(rng, f"c{i}", kind, 0.8))
    return pa.table([column(rng, field, rows) for field in fields], schema=pa.schema(fields))


# ---- writers -------------------------------------------------------------------------------------


ENCODINGS = {
    "int": ["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"],
    "float": ["PLAIN", "BYTE_STREAM_SPLIT"],
    "bytes": ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"],
    "fixed": ["PLAIN", "DELTA_BYTE_ARRAY", "BYTE_STREAM_SPLIT"],
    "bool": ["PLAIN", "RLE"],
}
PHYSICAL = {
    "INT32": "int",
    "INT64": "int",
    "FLOAT": "float",
    "DOUBLE": "float",
    "BYTE_ARRAY": "bytes",
    "FIXED_LEN_BYTE_ARRAY": "fixed",
    "BOOLEAN": "bool",
}


def leaf_encodings(rng: random.Random, table: pa.Table, path: Path) -> dict[str, str]:
    """An encoding for every leaf: the physical types are looked up in an empty file."""
    pq.write_table(table.slice(0, 0), path)
    schema = pq.ParquetFile(path).schema
    out = {}
    for i in range(len(schema)):
        leaf = schema.column(i)
        if leaf.physical_type in PHYSICAL:
            out[leaf.path] = rng.choice(ENCODINGS[PHYSICAL[leaf.physical_type]])
    return out


def write_pyarrow(rng: random.Random, table: pa.Table, path: Path) -> None:
    how: dict[str, Any] = {
        "compression": rng.choice(["none", "snappy", "gzip", "brotli", "zstd", "lz4"]),
        "version": "2.6",
        "data_page_version": rng.choice(["1.0", "2.0"]),
        "data_page_size": rng.choice([64, 1000, 1 << 20]),
        "write_batch_size": rng.choice([10, 100, 1024]),
        "write_statistics": rng.random() < 0.8,
        "write_page_index": rng.random() < 0.6,
        "write_page_checksum": rng.random() < 0.3,
        "store_schema": rng.random() < 0.7,
        "row_group_size": rng.choice([1, 50, 333, 100000]) if table.num_rows <= 1000 else 1500,
        "store_decimal_as_integer": rng.random() < 0.5,
    }
    if rng.random() < 0.5:
        how["use_dictionary"] = True
        how["dictionary_pagesize_limit"] = rng.choice([64, 1 << 20])
    else:
        how["use_dictionary"] = False
        how["column_encoding"] = leaf_encodings(rng, table, path)
        if how["store_decimal_as_integer"]:
            del how["store_decimal_as_integer"]
    pq.write_table(table, path, **how)


# ---- one plain form ------------------------------------------------------------------------------


def plain_bits(array: pa.Array) -> list[Any]:
    """Floats as their bits (one NaN), so that -0.0 is not 0.0."""
    out: list[Any] = []
    for cell in array.to_pylist():
        number = None if cell is None else float(cell)
        out.append(
            None if number is None else "nan" if math.isnan(number) else struct.pack("<d", number)
        )
    return out


def plain(array: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Python values without a type of their own: times in ns, decimals as Decimal, lists, dicts."""
    if isinstance(array, pa.ChunkedArray):
        return [cell for chunk in array.chunks for cell in plain(chunk)]
    if isinstance(array, pa.ExtensionArray):
        return plain(array.storage)
    t, kind = pa.types, array.type
    if t.is_dictionary(kind):
        words = plain(array.dictionary)
        # below a null struct an index may point nowhere
        indices = array.indices.to_pylist()
        return [words[i] if i is not None and i < len(words) else None for i in indices]
    valid = array.is_valid().to_pylist()
    if t.is_list(kind) or t.is_large_list(kind) or t.is_map(kind):
        begin = array.offsets.to_pylist()
        if t.is_map(kind):
            items: list[Any] = list(zip(plain(array.keys), plain(array.items), strict=True))
        else:
            items = plain(array.values)
        first = 0
        return [
            items[begin[i] - first : begin[i + 1] - first] if ok else None
            for i, ok in enumerate(valid)
        ]
    if t.is_struct(kind):
        names = [f.name for f in kind]
        parts = [plain(array.field(i)) for i in range(kind.num_fields)]
        return [
            {name: part[i] for name, part in zip(names, parts, strict=True)} if ok else None
            for i, ok in enumerate(valid)
        ]
    if t.is_timestamp(kind) or t.is_time(kind) or t.is_duration(kind):
        numbers = array.cast(pa.int32() if t.is_time32(kind) else pa.int64()).to_pylist()
        factor = NANOS[kind.unit]
        return [None if n is None else n * factor for n in numbers]
    if t.is_date(kind):
        return array.cast(pa.int32() if t.is_date32(kind) else pa.int64()).to_pylist()
    if t.is_floating(kind):
        return plain_bits(array)
    return [v.bytes if isinstance(v, uuid.UUID) else v for v in array.to_pylist()]


def differences(want: pa.Table, got: pa.Table) -> list[str]:
    """What differs, a line each, at most one a column."""
    out = []
    if want.column_names != got.column_names:
        return [f"columns {want.column_names} became {got.column_names}"]
    if want.num_rows != got.num_rows:
        return [f"{want.num_rows} rows became {got.num_rows}"]
    for name in range(want.num_columns):
        a, b = plain(want.column(name)), plain(got.column(name))
        for row, (x, y) in enumerate(zip(a, b, strict=True)):
            if x != y:
                kinds = f"{want.schema.field(name).type} -> {got.schema.field(name).type}"
                place = f"column {want.column_names[name]} ({kinds}) row {row}"
                out.append(f"{place}: {x!r:.300} became {y!r:.300}")
                break
    return out


# ---- filters -------------------------------------------------------------------------------------


FILTERED = [
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32()),
    *(pa.uint64(), pa.float32(), pa.float64(), pa.string(), pa.date32(), pa.bool_()),
    *(pa.decimal128(9, 2), pa.decimal128(18, 0), pa.decimal128(30, 5)),
]
SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "<>": operator.ne,
}


def flat_table(rng: random.Random) -> pa.Table:
    """Columns that can be filtered."""
    rows = rng.choice([1, 100, 1000, 3000])
    fields = [pa.field(f"c{i}", rng.choice(FILTERED)) for i in range(3)]
    return pa.table([column(rng, field, rows) for field in fields], schema=pa.schema(fields))


def literal(cell: Any) -> str | None:
    """A value as filters spell it, None where they have no way to."""
    if isinstance(cell, str):
        return None if set(cell) & set("'\x00\\") else f"'{cell}'"
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, Decimal):
        return format(cell, "f")
    if isinstance(cell, float):
        return repr(cell) if math.isfinite(cell) else None
    return f"'{cell.isoformat()}'" if isinstance(cell, dt.date) else repr(cell)


def some_filter(rng: random.Random, table: pa.Table) -> tuple[str, int] | None:
    """A comparison with a value of the table, or one beside it, and the rows for which it holds."""
    name = rng.choice(table.column_names)
    cells = [cell for cell in table.column(name).to_pylist() if cell is not None]
    if not cells:
        return None
    pick = rng.choice(cells)
    if isinstance(pick, int | Decimal) and not isinstance(pick, bool) and rng.random() < 0.3:
        pick += 1
    shown, sign = literal(pick), rng.choice(list(SIGNS))
    if shown is None:
        return None
    return f"{name} {sign} {shown}", sum(bool(SIGNS[sign](cell, pick)) for cell in cells)
