"""copy: one-liners between formats and places, the same bytes at any number of workers."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
from pathlib import Path
from typing import Any

import duckdb
import fastavro
import polars
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from conftest import Headrace

FORMATS = ["csv", "tsv.gz", "jsonl.zst", "json", "parquet", "avro"]


def table(rows: int, seed: int = 1) -> pa.Table:
    """Text that needs quoting, nulls, dates, numbers: what copies must not bend."""
    rand = random.Random(seed)
    words = ["plain", 'quo"te', "com,ma", "line\nbreak", "tab\t", "ünïcode", "  blanks "]
    return pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            "word": pa.array([rand.choice([*words, None]) for _ in range(rows)]),
            "price": pa.array([rand.randrange(10**6) / 100 for _ in range(rows)]),
            "ok": pa.array([rand.choice([True, False, None]) for _ in range(rows)]),
        }
    )


def write(path: Path, data: pa.Table) -> None:
    pq.write_table(data, path)


def digest(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_every_pair_of_formats_keeps_every_value(tmp_path: Path, headrace_local: Headrace) -> None:
    data = table(500)
    write(tmp_path / "start.parquet", data)
    want = data.to_pylist()
    for first in FORMATS:
        headrace_local.ok("copy", "start.parquet", f"one.{first}", cwd=tmp_path)
        for second in FORMATS:
            headrace_local.ok("copy", f"one.{first}", f"two.{second}", cwd=tmp_path)
            headrace_local.ok("copy", f"two.{second}", "back.parquet", cwd=tmp_path)
            got = pq.read_table(tmp_path / "back.parquet").to_pylist()
            assert got == want, f"{first} -> {second}"


def test_others_read_what_we_write(tmp_path: Path, headrace_local: Headrace) -> None:
    data = table(300)
    write(tmp_path / "start.parquet", data)
    want = data.to_pylist()
    for name in ["o.parquet", "o.csv", "o.jsonl", "o.avro"]:
        headrace_local.ok("copy", "start.parquet", name, cwd=tmp_path)
    path = str(tmp_path / "o.parquet")
    assert pq.read_table(path).to_pylist() == want
    assert polars.read_parquet(path).to_arrow().to_pylist() == want
    assert duckdb.sql(f"from read_parquet('{path}')").to_arrow_table().to_pylist() == want
    with (tmp_path / "o.avro").open("rb") as file:
        assert list(fastavro.reader(file)) == want
    lines = (tmp_path / "o.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == want
    options = pyarrow.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    got = pyarrow.csv.read_csv(tmp_path / "o.csv", convert_options=options, parse_options=parse)
    assert got.to_pylist() == want


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "avro", "csv.gz"])
def test_same_bytes_at_any_number_of_workers(
    tmp_path: Path, headrace_local: Headrace, kind: str
) -> None:
    """Objects larger than a task are split, also inside quoted line breaks."""
    source = tmp_path / "in"
    source.mkdir()
    for number, rows in enumerate([60000, 10, 40000]):
        write(tmp_path / "part.parquet", table(rows, number))
        headrace_local.ok("copy", "part.parquet", f"in/{number}.{kind}", cwd=tmp_path)
    results = []
    for workers in (1, 2, 8):
        out = tmp_path / f"out{workers}"
        headrace_local.ok(
            *("copy", "in/", f"out{workers}/", "--workers", str(workers)),
            *("--set", "task_mb=1", "--set", "lineage=fixed"),
            cwd=tmp_path,
        )
        results.append(digest(out))
    assert results[0] == results[1] == results[2]
    rows = sum(pq.read_metadata(p).num_rows for p in (tmp_path / "out1").rglob("*.parquet"))
    assert rows == 100010


def test_columns_and_filters(tmp_path: Path, headrace_local: Headrace) -> None:
    data = pa.table({"k": list(range(100000)), "v": [i % 7 for i in range(100000)]})
    pq.write_table(data, tmp_path / "in.parquet", row_group_size=10000)
    headrace_local.ok(
        *("copy", "--columns", "v,k", "--filter", "k between 41000 and 42000 and v in (1, 2)"),
        *("in.parquet", "out.parquet"),
        cwd=tmp_path,
    )
    got = pq.read_table(tmp_path / "out.parquet")
    assert got.column_names == ["v", "k"]
    want = [k for k in range(41000, 42001) if k % 7 in (1, 2)]
    assert got["k"].to_pylist() == want
    typo = headrace_local("copy", "--columns", "kk", "in.parquet", "x.parquet", cwd=tmp_path)
    assert typo.code == 2
    assert "columns are: k, v" in typo.err
    assert not (tmp_path / "x.parquet").exists()


def test_s3_to_s3_and_standard_output(headrace: Headrace, put: Any, s3: Any, bucket: str) -> None:
    for number in range(5):
        put(f"in/odd name+{number}%/a=b&c.csv", f"id\n{number}\n")
    headrace.ok("copy", f"s3://{bucket}/in/", f"s3://{bucket}/out/all.parquet")
    body = s3.get_object(Bucket=bucket, Key="out/all.parquet")["Body"].read()
    assert pq.read_table(io.BytesIO(body))["id"].to_pylist() == [0, 1, 2, 3, 4]
    shown = headrace.ok("copy", f"s3://{bucket}/in/**/*.csv", "-", "--format", "jsonl")
    assert [json.loads(line)["id"] for line in shown.out.splitlines()] == [0, 1, 2, 3, 4]
    assert headrace.ok("count", f"s3://{bucket}/in/").out == "5\n"


def test_nothing_half_written(tmp_path: Path, headrace_local: Headrace) -> None:
    (tmp_path / "bad.jsonl").write_text('{"a": 1}\n{"a": \n')
    done = headrace_local("copy", "bad.jsonl", "out/x.parquet", cwd=tmp_path)
    assert done.code == 5
    assert "line: 2" in done.err
    left = (
        [p for p in (tmp_path / "out").rglob("*") if p.is_file()]
        if (tmp_path / "out").exists()
        else []
    )
    assert left == []
    missing = headrace_local("copy", "nowhere/*.csv", "x.parquet", cwd=tmp_path)
    assert missing.code == 4
    assert "hint:" in missing.err


@pytest.mark.parametrize("workers", ["1", "3"])
def test_more_than_a_checkpoint_goes_into_one_file(
    headrace_local: Headrace, tmp_path: Path, workers: str
) -> None:
    """Input of several checkpoints: one file (or standard output) still takes all of it."""
    lines = "".join(f"{i},{'x' * 90}\n" for i in range(15000))
    for number in range(4):
        (tmp_path / f"in{number}.csv").write_text("id,text\n" + lines)
    small = ("--set", "checkpoint_mb=1", "--set", "task_mb=1", "--workers", workers)
    headrace_local.ok("copy", f"{tmp_path}/in*.csv", tmp_path / "one.parquet", *small)
    assert pq.read_metadata(tmp_path / "one.parquet").num_rows == 60000
    done = headrace_local.ok("copy", f"{tmp_path}/in*.csv", "-", "--format", "csv", *small)
    assert done.out.count("\n") == 60001


def test_words_nobody_knows(headrace_local: Headrace) -> None:
    """Exit 2 and the nearest word that exists; nothing is taken in silence."""
    for words, told in (
        (["cop", "a", "b"], "did you mean 'copy'?"),
        (["copy", "a", "b", "--colums", "x"], "did you mean '--columns'?"),
        (["copy", "a", "b", "--fliter=x"], "did you mean '--filter'?"),
        (["copy", "a", "b", "-x"], "headrace help"),
        (["copy", "a", "b", "--log-format", "xml"], "text or json"),
        (["copy", "a", "b", "--progress", "sometimes"], "auto, always, never or json"),
    ):
        done = headrace_local(*words)
        assert done.code == 2, words
        assert told in done.err


def test_modes_of_a_folder(headrace_local: Headrace, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    words = ("copy", "a.csv", "out/", "--set", "destination.mode=error")
    headrace_local.ok(*words)
    before = sorted((tmp_path / "out").iterdir())
    done = headrace_local(*words)
    assert done.code == 1
    assert before[0].name in done.err
    for mode in ("overwrite", "replace"):
        assert headrace_local(*words[:4], f"destination.mode={mode}").code == 2
    assert sorted((tmp_path / "out").iterdir()) == before
    headrace_local.ok(*words[:4], "destination.mode=append")
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_named_format_does_not_compress_a_plain_name(
    headrace_local: Headrace, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_text('{"a":1}\n')
    headrace_local.ok("copy", "a.jsonl", "out.csv", "--format", "csv")
    assert (tmp_path / "out.csv").read_text() == "a\n1\n"
    headrace_local.ok("copy", "a.jsonl", "out.dat.gz", "--format", "csv")
    assert gzip.decompress((tmp_path / "out.dat.gz").read_bytes()) == b"a\n1\n"


def test_formats_of_one_folder(headrace_local: Headrace, tmp_path: Path) -> None:
    """Nested columns of some files are null in the rows of a CSV beside them, in every format."""
    lake = tmp_path / "lake"
    lake.mkdir()
    (lake / "a.csv").write_text("id,v\n1,x\n")
    (lake / "b.jsonl").write_text('{"id":2,"tags":["p","q"],"at":{"x":[1]}}\n')
    write(lake / "c.parquet", pa.table({"id": [3], "tags": [["r"]]}))
    want = [
        {"id": 1, "v": "x", "tags": None, "at": None},
        {"id": 2, "v": None, "tags": ["p", "q"], "at": {"x": [1]}},
        {"id": 3, "v": None, "tags": ["r"], "at": None},
    ]
    shown = headrace_local.ok("copy", "lake/", "-", "--format", "jsonl").out
    assert [json.loads(line) for line in shown.splitlines()] == want
    headrace_local.ok("copy", "lake/", "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == want
    headrace_local.ok("copy", "lake/", "out.avro")
    with (tmp_path / "out.avro").open("rb") as file:
        assert list(fastavro.reader(file)) == want
    (lake / "d.csv").write_text("id,tags\n4,s\n")  # and a column of both kinds is text
    shown = headrace_local.ok("copy", "lake/", "-", "--format", "jsonl").out
    assert [json.loads(line)["tags"] for line in shown.splitlines()] == [
        None,
        '["p","q"]',
        '["r"]',
        "s",
    ]
