"""Files that Olake's own program stumbles over, read with its own configs.

Each case states what is in the files and what the user must get: rows, or an error that names the
place. On some of these the original never ends, loses rows or changes values; a test that hangs
fails by the limit of the fixture.
"""

from __future__ import annotations

import datetime as dt
import decimal
import gzip
import io
import json
import math
import signal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Headrace
from olake_job import FolderLake, Job

Rows = list[dict[str, Any]]


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    return FolderLake(tmp_path / "lake")


@pytest.fixture
def job(headrace_local: Headrace, tmp_path: Path, lake: FolderLake) -> Job:
    return Job(headrace_local, tmp_path / "job", lake)


def rows(job: Job, stream: str = "s") -> Rows:
    """The data columns of every row, in order."""
    table = job.table(stream)
    own = {"_last_modified_time", "_olake_id", "_olake_timestamp", "_op_type"}
    return table.select([c for c in table.column_names if c not in own]).to_pylist()


def load(job: Job, *more: str) -> Rows:
    """discover, then sync: as the README has it."""
    job.discover()
    job.ok(*more)
    return rows(job)


# ---- what must arrive ------------------------------------------------------------------------

LINES = [{"id": i, "name": f"n{i}"} for i in range(5)]
JSONL = "".join(json.dumps(r) + "\n" for r in LINES)
PRETTY = "\n".join(json.dumps(r, indent=2) for r in LINES)
LATE = "id,v\n" + "".join(f"{i},{i}\n" for i in range(3000))

JSON_CASES: dict[str, tuple[str | bytes, dict[str, Any], Rows]] = {
    "lines": (JSONL, {}, LINES),
    "lines, said not to be": (JSONL, {"json": {"line_delimited": False}}, LINES),
    "array, said to be lines": (json.dumps(LINES), {"json": {"line_delimited": True}}, LINES),
    "array over many lines": (json.dumps(LINES, indent=1), {}, LINES),
    "one object": (json.dumps(LINES[0]), {}, LINES[:1]),
    "one object over many lines": (json.dumps(LINES[0], indent=4), {}, LINES[:1]),
    "objects one behind the other": (PRETTY, {}, LINES),
    "empty json block": (JSONL, {"json": {}}, LINES),
    "no newline at the end": (JSONL.rstrip("\n"), {}, LINES),
    "CR LF": (JSONL.replace("\n", "\r\n"), {}, LINES),
    "blank lines": ("\n\n" + JSONL.replace("\n", "\n\n"), {}, LINES),
    "byte order mark": (b"\xef\xbb\xbf" + JSONL.encode(), {}, LINES),
    "byte order mark before an array": (b"\xef\xbb\xbf" + json.dumps(LINES).encode(), {}, LINES),
    "numbers that doubles cannot hold": (
        f'{{"n":{2**53 + 1}}}\n{{"n":{2**63 - 1}}}\n{{"n":{-(2**63)}}}\n',
        {},
        [{"n": 2**53 + 1}, {"n": 2**63 - 1}, {"n": -(2**63)}],
    ),
    "text after numbers": (
        '{"v":1}\n{"v":2}\n{"v":"x"}\n',
        {},
        [{"v": v} for v in ("1", "2", "x")],
    ),
    "keys that come and go": (
        '{"a":1}\n{"b":true}\n{"a":2,"b":null}\n',
        {},
        [{"a": 1, "b": None}, {"a": None, "b": True}, {"a": 2, "b": None}],
    ),
    "text that begins like a date": (
        '{"t":"2024-01-15-ABC"}\n{"t":"2024-01-16-DEF"}\n',
        {},
        [{"t": "2024-01-15-ABC"}, {"t": "2024-01-16-DEF"}],
    ),
    "escapes": (
        '{"t":"a\\u00e9\\ud83d\\ude00\\n\\"\\\\/"}\n',
        {},
        [{"t": 'aé😀\n"\\/'}],
    ),
}

CSV_CASES: dict[str, tuple[str | bytes, dict[str, Any], Rows]] = {
    "leading zeros": ("zip\n00501\n10001\n", {}, [{"zip": "00501"}, {"zip": "10001"}]),
    "text that begins like a date": (
        "code\n2024-01-15-ABC\n2024-01-16-XYZ\n",
        {},
        [{"code": "2024-01-15-ABC"}, {"code": "2024-01-16-XYZ"}],
    ),
    "numbers that doubles cannot hold": (
        f"n\n{2**53 + 1}\n{2**63 - 1}\n",
        {},
        [{"n": 2**53 + 1}, {"n": 2**63 - 1}],
    ),
    "numbers beyond 64 bits": (
        f"n\n{10**30}\n1\n",
        {},
        [{"n": decimal.Decimal(10**30)}, {"n": decimal.Decimal(1)}],
    ),
    "a late text": (
        LATE + "3000,oops\n",
        {},
        [{"id": i, "v": str(i)} for i in range(3000)] + [{"id": 3000, "v": "oops"}],
    ),
    "a late fraction": (
        LATE + "3000,0.5\n",
        {},
        [{"id": i, "v": float(i)} for i in range(3000)] + [{"id": 3000, "v": 0.5}],
    ),
    "byte order mark": (b"\xef\xbb\xbfa,b\n1,2\n", {}, [{"a": 1, "b": 2}]),
    "preamble of another width": (
        "exported by x\non a day, at noon, in a hurry\na,b\n1,2\n",
        {"csv": {"skip_rows": 2}},
        [{"a": 1, "b": 2}],
    ),
    "single quotes": (
        "a,b\n'x,y',1\n'it''s',2\n",
        {"csv": {"quote_character": "'"}},
        [{"a": "x,y", "b": 1}, {"a": "it's", "b": 2}],
    ),
    "quote_character of the README": (
        'a,b\n"x,y",1\n',
        {"csv": {"quote_character": '"""'}},
        [{"a": "x,y", "b": 1}],
    ),
    "only has_header in the block": (
        "a,b\n1,2\n",
        {"csv": {"has_header": True}},
        [{"a": 1, "b": 2}],
    ),
    "only a delimiter in the block": (
        "a;b\n1;2\n",
        {"csv": {"delimiter": ";"}},
        [{"a": 1, "b": 2}],
    ),
    "empty csv block": ("a,b\n1,2\n", {"csv": {}}, [{"a": 1, "b": 2}]),
    "a delimiter of two characters": (
        "a||b\n1||x|y\n",
        {"csv": {"delimiter": "||"}},
        [{"a": 1, "b": "x|y"}],
    ),
    "tabs": ("a\tb\n1\tx y\n", {"csv": {"delimiter": "\t"}}, [{"a": 1, "b": "x y"}]),
    "no header": (
        "1,x\n2,y\n",
        {"csv": {"has_header": False}},
        [{"column_0": 1, "column_1": "x"}, {"column_0": 2, "column_1": "y"}],
    ),
    "numbers and booleans as texts": (
        "skip me\n1,x\n",
        {
            "csv": {"has_header": "false", "skip_rows": "1"},
            "max_threads": "2",
            "retry_count": "0",
        },
        [{"column_0": 1, "column_1": "x"}],
    ),
    "newlines in quotes": (
        'a,b\n"one\ntwo",1\n"three\r\nfour",2\n',
        {},
        [{"a": "one\ntwo", "b": 1}, {"a": "three\r\nfour", "b": 2}],
    ),
    "empty and null": (
        "a,b\n1,x\n,\nnull,NULL\n2,Null\n",
        {},
        [
            {"a": 1, "b": "x"},
            {"a": None, "b": None},
            {"a": None, "b": None},
            {"a": 2, "b": None},
        ],
    ),
    "booleans": (
        "a,b\ntrue,1\nFALSE,2\n,3\n",
        {},
        [{"a": True, "b": 1}, {"a": False, "b": 2}, {"a": None, "b": 3}],
    ),
}


def check(job: Job, key: str, body: str | bytes, want: Rows) -> None:
    job.lake.put(key, body)
    assert load(job) == want


@pytest.mark.parametrize("name", JSON_CASES)
def test_json(job: Job, name: str) -> None:
    body, config, want = JSON_CASES[name]
    job.source(file_format="json", **config)
    check(job, "s/1.json", body, want)


@pytest.mark.parametrize("name", CSV_CASES)
def test_csv(job: Job, name: str) -> None:
    body, config, want = CSV_CASES[name]
    job.source(file_format="csv", **config)
    check(job, "s/1.csv", body, want)


def test_numbers_json_cannot_hold_in_64_bits(job: Job) -> None:
    job.source(file_format="json")
    job.lake.put("s/1.json", f'{{"n":{10**25}}}\n{{"n":1}}\n')
    assert [int(r["n"]) for r in load(job)] == [10**25, 1]


def test_nested_values_are_json_text(job: Job) -> None:
    job.source(file_format="json")
    nested = {"a": [1, {"b": None}], "c": {"d": 2**60, "e": "x<y"}}
    job.lake.put("s/1.json", json.dumps(nested) + "\n")
    (row,) = load(job)
    assert json.loads(row["a"]) == nested["a"]
    assert json.loads(row["c"]) == nested["c"]
    assert str(2**60) in row["c"]


def test_columns_match_by_name(job: Job) -> None:
    job.lake.put("s/1.csv", "a,b\n1,x\n")
    job.lake.put("s/2.csv", "b,a,c\ny,2,new\n")
    job.lake.put("s/3.csv", "a\n3\n")
    assert load(job) == [
        {"a": 1, "b": "x", "c": None},
        {"a": 2, "b": "y", "c": "new"},
        {"a": 3, "b": None, "c": None},
    ]


def test_files_without_rows(job: Job) -> None:
    job.lake.put("s/0.csv", "")
    job.lake.put("s/1.csv", "a,b\n")
    job.lake.put("s/2.csv", "a,b\n1,2\n")
    job.lake.put("s/3.csv", "a,b")
    assert load(job) == [{"a": 1, "b": 2}]


def test_lines_that_are_no_objects(job: Job) -> None:
    """Left out, counted and said: as the original does with numbers, not as with null."""
    job.source(file_format="json")
    job.lake.put("s/1.json", '{"a":1}\n42\nnull\n"x"\n{"a":2}\n')
    job.discover()
    job.ok("--set", "on_error=skip")
    assert rows(job) == [{"a": 1}, {"a": 2}]


# ---- selection -------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [None, "gzip", "none", "zip"])
def test_gzip_files(job: Job, compression: str | None) -> None:
    """Without a word both plain and .gz files are read; `none` takes no .gz files, `gzip` reads a
    plain one among them as plain."""
    job.lake.put("s/1.csv", "a\n1\n")
    job.lake.put("s/2.csv.gz", gzip.compress(b"a\n2\n"))
    job.lake.put("s/3.CSV.GZ", gzip.compress(b"a\n3\n") + gzip.compress(b"4\n"))
    if compression in ("gzip", "none"):
        job.lake.put("s/4.csv.gz", "a\n5\n")  # not compressed, whatever its name says
    job.source(file_format="csv", **({"compression": compression} if compression else {}))
    want = {"gzip": [1, 2, 3, 4, 5], "none": [1]}.get(compression or "", [1, 2, 3, 4])
    assert sorted(r["a"] for r in load(job)) == want


def test_what_is_a_stream(job: Job, lake: FolderLake) -> None:
    lake.put("users/2024/01/a.csv", "a\n1\n")
    lake.put("users/b.csv", "a\n2\n")
    lake.put("alone.csv", "a\n3\n")
    lake.put("other/readme.txt", "no")
    lake.put("other/x.json", "{}")
    outside = lake.folder / "bucket/database/no"
    outside.mkdir(parents=True)
    (outside / "1.csv").write_text("a\n9\n")
    for prefix in ("d", "d/", "/d/", "/d"):
        job.source(file_format="csv", path_prefix=prefix)
        catalog = job.discover()
        assert [s["stream"]["name"] for s in catalog["streams"]] == ["alone.csv", "users"]
    job.ok()
    assert sorted(job.column("a", "users")) == [1, 2]
    assert job.column("a", "alone_csv") == [3]


@pytest.mark.parametrize(
    ("pattern", "want"),
    [
        ("2024", [1, 2]),
        (r"^d/s/2024.*\.csv$", [1, 2]),
        (r"^2024", []),
        (r"(?i)OLD", [3]),
        (r"s/[0-9]{4}-01", [1]),
        ("", [1, 2, 3]),
    ],
)
def test_file_pattern_is_searched_in_the_full_key(job: Job, pattern: str, want: list[int]) -> None:
    job.lake.put("s/2024-01.csv", "a\n1\n")
    job.lake.put("s/2024-02.csv", "a\n2\n")
    job.lake.put("s/old.csv", "a\n3\n")
    job.source(file_format="csv", file_pattern=pattern)
    job.select("s")
    job.ok()
    assert sorted(job.column("a")) == want


# ---- what must be refused, with its place ----------------------------------------------------

TORN: dict[str, tuple[str, str, bytes, list[str]]] = {
    "torn last line": ("json", "1.json", b'{"a":1}\n{"a":2}\n{"a"', ["1.json", "line: 3"]),
    "torn string": ("json", "1.json", b'{"a":"x"}\n{"a":"y', ["1.json", "line: 2"]),
    "a broken line between": ("json", "1.json", b'{"a":1}\n{"a":}\n{"a":3}\n', ["line: 2"]),
    "torn array": ("json", "1.json", b'[{"a":1},{"a":2}', ["1.json"]),
    "truncated gzip of lines": (
        "json",
        "1.json.gz",
        gzip.compress(JSONL.encode() * 500, mtime=0)[:-30],
        ["1.json.gz", "gzip"],
    ),
    "truncated gzip of CSV": (
        "csv",
        "1.csv.gz",
        gzip.compress(LATE.encode(), mtime=0)[:-9],
        ["1.csv.gz", "gzip"],
    ),
    "gzip with a wrong checksum": (
        "csv",
        "1.csv.gz",
        gzip.compress(LATE.encode(), mtime=0)[:-8] + b"\0\0\0\0" + b"\0\0\0\0",
        ["1.csv.gz"],
    ),
    "a row too long": ("csv", "1.csv", b"a,b\n1,2\n1,2,3\n", ["1.csv", "line: 3"]),
    "a row too short": ("csv", "1.csv", b"a,b\n1,2\n1\n2,3\n", ["1.csv", "line: 3"]),
    "a quote never closed": ("csv", "1.csv", b'a,b\n1,2\n"x,2\n3,4\n', ["1.csv", "quote"]),
}


@pytest.mark.parametrize("name", TORN)
def test_torn_files_name_their_place(job: Job, name: str) -> None:
    file_format, key, body, needles = TORN[name]
    job.source(file_format=file_format)
    job.lake.put(f"s/{key}", body)
    job.select("s")
    done = job.sync()
    assert done.code == 5, (done.code, done.err)
    for needle in needles:
        assert needle in done.err
    assert not list(job.out.rglob("*.parquet"))
    assert not (job.folder / "state.json").exists()  # it will be read again when it is whole


def test_parquet_without_its_end(job: Job) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": list(range(1000))}), sink)
    job.source(file_format="parquet")
    job.lake.put("s/1.parquet", sink.getvalue()[:-10])
    job.select("s")
    done = job.sync()
    assert done.code == 5
    assert "1.parquet" in done.err


# ---- Parquet ---------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [{}, {"parquet": {}}, {"parquet": {"streaming_enabled": False}}])
def test_parquet_types(job: Job, block: dict[str, Any]) -> None:
    moment = dt.datetime(2024, 2, 29, 12, 30, 1, 123456, tzinfo=dt.UTC)
    table = pa.table(
        {
            "u32": pa.array([2**32 - 1], pa.uint32()),
            "u64": pa.array([2**64 - 1], pa.uint64()),
            "i64": pa.array([2**63 - 1], pa.int64()),
            "d": pa.array([decimal.Decimal("12345678901234567890.12")], pa.decimal128(22, 2)),
            "day": pa.array([dt.date(2024, 2, 29)], pa.date32()),
            "us": pa.array([moment], pa.timestamp("us", "UTC")),
            "ms": pa.array([moment.replace(microsecond=123000)], pa.timestamp("ms", "UTC")),
            "time": pa.array([dt.time(1, 2, 3, 456)], pa.time64("us")),
            "far": pa.array([dt.datetime(9999, 12, 31)], pa.timestamp("us")),
            "b": pa.array([b"\xff\xfe"], pa.binary()),
            "list": pa.array([[1, None]], pa.list_(pa.int32())),
            "struct": pa.array([{"x": 1, "y": None}]),
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink)
    job.source(file_format="parquet", **block)
    job.lake.put("s/1.parquet", sink.getvalue())
    (row,) = load(job)
    assert row["u32"] == 2**32 - 1
    assert int(row["u64"]) == 2**64 - 1
    assert row["i64"] == 2**63 - 1
    assert row["d"] == decimal.Decimal("12345678901234567890.12")
    assert row["day"] == dt.date(2024, 2, 29)
    assert row["us"] == moment
    assert row["ms"] == moment.replace(microsecond=123000)
    assert row["time"] == dt.time(1, 2, 3, 456)
    assert row["far"].year == 9999
    assert row["b"] == b"\xff\xfe"
    assert json.loads(row["list"]) == [1, None]
    assert json.loads(row["struct"]) == {"x": 1, "y": None}


# ---- being killed ----------------------------------------------------------------------------


def test_killed_leaves_no_broken_file(job: Job) -> None:
    """At every place a kill can hit, what stands under a visible name is whole."""
    for number in range(2):
        job.lake.put(f"s/{number}.csv", LATE)
    job.select("s")
    steps = 0
    for place in range(1, 400):
        job_folder_cleared(job)
        done = job.sync(env={"HEADRACE_FAULT": f"kill:{place}"})
        visible = [p for p in job.out.rglob("*.parquet") if not p.name.startswith(".")]
        for path in visible:
            assert pq.read_metadata(path).num_rows == 6000
        if done.code != -signal.SIGKILL:
            break
        steps += 1
    assert steps > 10


def job_folder_cleared(job: Job) -> None:
    for path in sorted(job.out.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    for path in job.folder.glob("state.json*"):
        path.unlink()


def test_same_second_is_not_lost(job: Job, lake: FolderLake) -> None:
    """A file that appears in the second of the cursor, after it was read."""
    lake.put("s/1.csv", "a\n1\n", when=1_700_000_000)
    job.select("s")
    job.ok()
    lake.put("s/0.csv", "a\n0\n", when=1_700_000_000)
    lake.put("s/2.csv", "a\n2\n", when=1_700_000_000)
    job.ok()
    assert sorted(job.column("a")) == [0, 1, 2]


def test_nan_and_infinity(job: Job) -> None:
    job.lake.put("s/1.csv", "v\n1.5\nNaN\ninf\n")
    found = [r["v"] for r in load(job)]
    assert found[0] == 1.5
    assert found[1] is None or math.isnan(found[1])
    assert len(found) == 3
