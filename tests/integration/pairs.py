"""Files of every format in every codec as other programs write and read them.

What test_pairs.py and tests/soak/cross.py share: a table of every kind of value, writers for each
format a copy reads, readers for each it writes, and one canonical form in which both are compared.
"""

from __future__ import annotations

import base64
import bz2
import datetime as dt
import gzip
import io
import json
import math
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import cramjam
import duckdb
import fastavro
import polars
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

Row = dict[str, Any]
Pack = Callable[[bytes], bytes]
UTC = dt.UTC

CODECS = ["", "gz", "bz2", "zst", "lz4", "snappy", "br"]
FORMATS_IN = ["csv", "tsv", "json", "jsonl", "parquet", "avro", "txt"]
FORMATS_OUT = ["csv", "tsv", "json", "jsonl", "parquet", "avro"]

PACK: dict[str, Pack] = {
    "": lambda data: data,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": lambda data: bytes(cramjam.zstd.compress(data)),
    "lz4": lambda data: bytes(cramjam.lz4.compress(data)),
    "snappy": lambda data: bytes(cramjam.snappy.compress(data)),
    "br": lambda data: bytes(cramjam.brotli.compress(data, level=4)),
}
UNPACK: dict[str, Pack] = {
    "": lambda data: data,
    "gz": gzip.decompress,
    "bz2": bz2.decompress,
    "zst": lambda data: bytes(cramjam.zstd.decompress(data)),
    "lz4": lambda data: bytes(cramjam.lz4.decompress(data)),
    "snappy": lambda data: bytes(cramjam.snappy.decompress(data)),
    "br": lambda data: bytes(cramjam.brotli.decompress(data)),
}
# The codecs inside the two formats that pack their own pages, by suffix.
PARQUET_CODEC = {"": "none", "gz": "gzip", "zst": "zstd", "lz4": "lz4", "snappy": "snappy"}
PARQUET_CODEC |= {"br": "brotli"}
AVRO_CODEC = {"": "null", "gz": "deflate", "bz2": "bzip2", "zst": "zstandard", "snappy": "snappy"}
# What --set compression= calls them.
OPTION = {"": "none", "gz": "gzip", "bz2": "bzip2", "zst": "zstd", "br": "brotli"}
OPTION |= {"lz4": "lz4", "snappy": "snappy"}

# Column -> kind: how its values are compared.
KINDS = {
    "id": "int",
    "small": "int",
    "huge": "int",
    "price": "decimal",
    "ratio": "float",
    "odd": "float",
    "ok": "bool",
    "day": "date",
    "at": "time",
    "utc": "time",
    "word": "text",
    "raw": "bytes",
    "list": "nested",
    "record": "nested",
}
TEXTS = ["plain", 'quo"te', "com,ma", "line\nbreak", "tab\t", "ünï→😀", "  blanks ", "", None]
FLOATS = [0.1, -0.0, 1e300, 5e-324, math.nan, math.inf, -math.inf, None]


def row(i: int) -> Row:
    """Row i: each column goes through its odd values at its own pace."""
    day = dt.date(1970, 1, 1) + dt.timedelta(days=i * 37 - 400)
    at = dt.datetime(2024, 2, 29, 23, 59, 59, 999_999) + dt.timedelta(microseconds=i * 1_234_567)
    return {
        "id": i,
        "small": None if i % 5 == 4 else i - 100,
        "huge": None if i % 7 == 3 else 10**18 * 37 + i,
        "price": None if i % 6 == 2 else Decimal(i * 7 - 50) / 100,
        "ratio": None if i % 9 == 1 else i / 3 + 0.5,
        "odd": FLOATS[i % len(FLOATS)],
        "ok": [True, False, None][i % 3],
        "day": None if i % 8 == 5 else day,
        "at": None if i % 10 == 6 else at,
        "utc": None if i % 11 == 7 else at.replace(tzinfo=UTC),
        "word": TEXTS[i % len(TEXTS)],
        "raw": [b"\x00\xff\x80", b"", None, b"plain"][i % 4],
        "list": [[1, 2, i], [], None, [None, 3]][i % 4],
        "record": [{"a": i, "b": "x,y"}, None, {"a": None, "b": ""}, {"a": -i, "b": None}][i % 4],
    }


ROWS: list[Row] = [row(i) for i in range(120)]
LINES = [f"line {i}: {text}" for i, text in enumerate(["", "a,b", '"q"', "tab\there", "ü"] * 8)]


# ---- files as others write them ----


def _arrow(rows: list[Row]) -> pa.Table:
    record = pa.struct([("a", pa.int64()), ("b", pa.string())])
    types = {
        "id": pa.int64(),
        "small": pa.int32(),
        "huge": pa.decimal128(38, 0),
        "price": pa.decimal128(12, 2),
        "ratio": pa.float64(),
        "odd": pa.float64(),
        "ok": pa.bool_(),
        "day": pa.date32(),
        "at": pa.timestamp("us"),
        "utc": pa.timestamp("us", "UTC"),
        "word": pa.string(),
        "raw": pa.binary(),
        "list": pa.list_(pa.int64()),
        "record": record,
    }
    return pa.table({name: pa.array([r[name] for r in rows], types[name]) for name in KINDS})


def _parquet(rows: list[Row], codec: str) -> bytes:
    out = io.BytesIO()
    pq.write_table(_arrow(rows), out, compression=PARQUET_CODEC[codec], row_group_size=50)
    return out.getvalue()


def _avro(rows: list[Row], codec: str) -> bytes:
    def opt(kind: Any) -> Any:
        return ["null", kind]

    def dec(precision: int, scale: int) -> dict[str, Any]:
        return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}

    def logical(kind: str, name: str) -> dict[str, Any]:
        return {"type": kind, "logicalType": name}

    fields = [{"name": "a", "type": opt("long")}, {"name": "b", "type": opt("string")}]
    types: dict[str, Any] = {
        "id": "long",
        "small": opt("int"),
        "huge": opt(dec(38, 0)),
        "price": opt(dec(12, 2)),
        "ratio": opt("double"),
        "odd": opt("double"),
        "ok": opt("boolean"),
        "day": opt(logical("int", "date")),
        "at": opt(logical("long", "local-timestamp-micros")),
        "utc": opt(logical("long", "timestamp-micros")),
        "word": opt("string"),
        "raw": opt("bytes"),
        "list": opt({"type": "array", "items": opt("long")}),
        "record": opt({"type": "record", "name": "inner", "fields": fields}),
    }
    schema = {
        "type": "record",
        "name": "row",
        "fields": [{"name": name, "type": kind} for name, kind in types.items()],
    }
    out = io.BytesIO()
    shaped = [r | {"huge": None if r["huge"] is None else Decimal(r["huge"])} for r in rows]
    fastavro.writer(out, schema, shaped, codec=AVRO_CODEC[codec], sync_interval=2000)
    return out.getvalue()


def plain(value: Any) -> Any:
    """What JSON can hold of a value; numbers JSON has not become null."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dt.datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return float(value) if isinstance(value, Decimal) else value


def _json_row(r: Row) -> str:
    return json.dumps({name: plain(r[name]) for name in KINDS}, ensure_ascii=False)


def _cell(value: Any, delimiter: str) -> str:
    """A cell of CSV: nothing for null, quotes around what needs them and around empty text."""
    if value is None:
        return ""
    if isinstance(value, (list, dict)):
        value = json.dumps(value, separators=(",", ":"))
    elif isinstance(value, float):
        value = repr(value)
    elif isinstance(value, bool):
        value = str(value).lower()
    text = str(value if isinstance(value, Decimal) else plain(value))
    needs = text == "" or any(c in text for c in f'"\n\r{delimiter}') or text.strip() != text
    return '"' + text.replace('"', '""') + '"' if needs else text


def _csv(rows: list[Row], delimiter: str) -> bytes:
    lines = [delimiter.join(KINDS)]
    lines += [delimiter.join(_cell(r[name], delimiter) for name in KINDS) for r in rows]
    return "".join(line + "\n" for line in lines).encode()


def codecs_of(form: str) -> list[str]:
    """The codecs a format comes in."""
    return list({"parquet": PARQUET_CODEC, "avro": AVRO_CODEC}.get(form, CODECS))


def suffix(form: str, codec: str) -> str:
    """Of a file's name."""
    return form if form in ("parquet", "avro") or not codec else f"{form}.{codec}"


def make(form: str, codec: str, begin: int, end: int) -> bytes:
    """A file with the rows (or lines) [begin, end)."""
    rows = ROWS[begin:end]
    if form == "parquet":
        return _parquet(rows, codec)
    if form == "avro":
        return _avro(rows, codec)
    if form == "txt":
        text = "".join(line + "\n" for line in LINES[begin // 3 : end // 3]).encode()
    elif form == "json":
        text = ("[" + ",\n".join(map(_json_row, rows)) + "]").encode()
    elif form == "jsonl":
        text = "".join(_json_row(r) + "\n" for r in rows).encode()
    else:
        text = _csv(rows, "\t" if form == "tsv" else ",")
    return PACK[codec](text)


# ---- files as others read them ----


def _read_csv(data: bytes, delimiter: str, reader: str) -> Iterable[Row]:
    if reader == "polars":
        frame = polars.read_csv(data, separator=delimiter, infer_schema=False)
        # Polars turns a quoted empty cell into "" and leaves a bare one null, as we write them.
        return frame.rows(named=True)
    names = data[: data.index(b"\n")].decode().split(delimiter)
    table = pyarrow.csv.read_csv(
        io.BytesIO(data),
        parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    return table.to_pylist()


def read(form: str, path: Path, codec: str, reader: str) -> list[Row]:
    """All rows by a program that is not ours: arrow, duckdb or polars, where it can."""
    if form == "parquet":
        if reader == "duckdb":
            # Zones come as the session's: UTC, as the values are.
            with duckdb.connect() as db:
                db.execute("SET TimeZone='UTC'")
                table = db.sql(f"SELECT * FROM read_parquet('{path}')").to_arrow_table()
            return table.to_pylist()
        if reader == "polars":
            return polars.read_parquet(path).rows(named=True)
        return pq.read_table(path).to_pylist()
    if form == "avro":
        with path.open("rb") as file:
            return [dict(r) for r in fastavro.reader(file)]  # type: ignore[call-overload]
    data = UNPACK[codec](path.read_bytes())
    if form == "json":
        return json.loads(data, parse_float=Decimal)
    if form == "jsonl":
        return [json.loads(line, parse_float=Decimal) for line in data.split(b"\n") if line]
    return list(_read_csv(data, "\t" if form == "tsv" else ",", reader))


def page_codec(form: str, path: Path) -> str:
    """The codec inside a Parquet or Avro file, in that format's own words."""
    if form == "parquet":
        group = pq.ParquetFile(path).metadata.row_group(0)
        found = {group.column(i).compression.lower() for i in range(group.num_columns)}
        found.discard("uncompressed")  # pages that do not shrink stay as they are
        return "".join(sorted(found)) or "none"
    with path.open("rb") as file:
        return str(fastavro.reader(file).codec)


# ---- one form for all ----


def _time(value: Any) -> str:
    if isinstance(value, dt.datetime):
        value = value.replace(tzinfo=None).isoformat()
    text = str(value).replace("T", " ").removesuffix("Z").removesuffix("+00:00")
    head, _, fraction = text.partition(".")
    return f"{head}.{fraction:0<6}"


def _bytes(value: Any) -> str:
    return value if isinstance(value, str) else base64.b64encode(value).decode()


def _nested(value: Any) -> str:
    return json.dumps(json.loads(value) if isinstance(value, str) else value, sort_keys=True)


CANON: dict[str, Callable[[Any], Any]] = {
    "int": lambda v: int(str(v)),
    "decimal": lambda v: Decimal(str(v)).normalize() + 0,
    "float": lambda v: repr(float(v)),
    "bool": lambda v: v if isinstance(v, bool) else {"true": True, "false": False}[v],
    "date": str,
    "time": _time,
    "text": lambda v: v,
    "bytes": _bytes,
    "nested": _nested,
}


def expected(first: str, second: str) -> list[list[Any]]:
    """The rows after a copy, canonical. JSON has no NaN and no infinities."""
    if first == "txt":
        return [[line] for line in LINES]
    json_within = any(form.startswith("json") for form in (first, second))

    def value(name: str, v: Any) -> Any:
        return plain(v) if name == "odd" and json_within else v

    return canonical([{name: value(name, r[name]) for name in KINDS} for r in ROWS], "csv")


def canonical(rows: list[Row], first: str) -> list[list[Any]]:
    """Rows of any reader in the common form; they must have the columns, in order."""
    if first == "txt":
        assert all(list(r) == ["line"] for r in rows)
        return [[r["line"]] for r in rows]
    out = []
    for r in rows:
        assert list(r) == list(KINDS), f"columns {list(r)}"
        out.append(
            [None if r[name] is None else CANON[kind](r[name]) for name, kind in KINDS.items()]
        )
    return out


def compare(rows: list[Row], first: str, second: str) -> str:
    """Empty when the rows are right, else the first difference."""
    got = canonical(rows, first)
    want = expected(first, second)
    if len(got) != len(want):
        return f"{len(got)} rows instead of {len(want)}"
    for i, (g, w) in enumerate(zip(got, want, strict=True)):
        for name, a, b in zip(KINDS if first != "txt" else ["line"], g, w, strict=True):
            if a != b:
                return f"row {i}, {name}: {a!r} instead of {b!r}"
    return ""


Case = tuple[str, str, str, str, str]


def everything() -> list[Case]:
    """All formats and codecs with all others: what `make soak` runs."""
    out = []
    for first in FORMATS_IN:
        for codec in codecs_of(first):
            for second in FORMATS_OUT:
                for pack in codecs_of(second):
                    reader = ["arrow", "duckdb", "polars"][len(out) % 3]
                    out.append((first, codec, second, pack, reader))
    return out


def rotation() -> list[Case]:
    """(first, codec, second, codec, reader): every pair of formats, every codec with every format
    on both sides."""
    cases = []
    turns = dict.fromkeys(FORMATS_OUT, 0)
    for i, first in enumerate(FORMATS_IN):
        packs = codecs_of(first)
        for k in range(max(len(packs), len(FORMATS_OUT))):
            second = FORMATS_OUT[(k + i) % len(FORMATS_OUT)]
            others = codecs_of(second)
            turn = turns[second]
            turns[second] += 1
            reader = ["arrow", "duckdb", "polars"][turn % 3]
            cases.append((first, packs[k % len(packs)], second, others[turn % len(others)], reader))
    return cases
