"""`-` as a source: what comes through a pipe or from a file is read like any other object."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import duckdb
import fastavro
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Headrace
from limits import RUN_LIMIT_S

ROWS = 3000


def table() -> pa.Table:
    return pa.table(
        {
            "id": pa.array(range(ROWS), pa.int64()),
            "word": pa.array([None if i % 7 == 0 else f'w "{i}",\n' for i in range(ROWS)]),
            "price": pa.array([i / 4 for i in range(ROWS)], pa.float64()),
        }
    )


def as_parquet(data: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(data, out, row_group_size=500)
    return out.getvalue()


def as_csv(data: pa.Table) -> bytes:
    out = io.BytesIO()
    polars.from_arrow(data).write_csv(out)  # type: ignore[union-attr]
    return out.getvalue()


def as_lines(data: pa.Table) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in data.to_pylist()).encode()


def as_avro(data: pa.Table) -> bytes:
    out = io.BytesIO()
    fields = [
        {"name": "id", "type": "long"},
        {"name": "word", "type": ["null", "string"]},
        {"name": "price", "type": "double"},
    ]
    schema = fastavro.parse_schema({"type": "record", "name": "r", "fields": fields})
    fastavro.writer(out, schema, data.to_pylist(), codec="deflate")
    return out.getvalue()


INPUTS: dict[str, Callable[[pa.Table], bytes]] = {
    "parquet": as_parquet,
    "csv": as_csv,
    "csv.gz": lambda data: gzip.compress(as_csv(data)),
    "csv.bz2": lambda data: bz2.compress(as_csv(data)),
    "jsonl": as_lines,
    "jsonl.gz": lambda data: gzip.compress(as_lines(data)),
    "json": lambda data: json.dumps(data.to_pylist()).encode(),
    "avro": as_avro,
}


@pytest.mark.parametrize("kind", INPUTS)
def test_found_by_content_through_a_pipe(
    kind: str, tmp_path: Path, headrace_local: Headrace
) -> None:
    data = table()
    text = INPUTS[kind](data)
    headrace_local.ok("copy", "-", "out.parquet", cwd=tmp_path, input=text)
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == data.to_pylist()
    shown = headrace_local.ok("copy", "-", "-", "--format", "csv", cwd=tmp_path, input=text).out
    (tmp_path / "out.csv").write_text(shown)
    got = duckdb.sql(f"select count(*), sum(id), count(word) from '{tmp_path}/out.csv'").fetchall()
    assert got == [(ROWS, ROWS * (ROWS - 1) // 2, data["word"].length() - data["word"].null_count)]


def test_a_file_and_a_pipe_give_the_same_bytes(tmp_path: Path, headrace_local: Headrace) -> None:
    (tmp_path / "in").write_bytes(as_csv(table()))
    for workers in ("1", "3"):
        with (tmp_path / "in").open("rb") as source:
            run = headrace_local.start(
                "copy", "-", f"f{workers}.csv", "--workers", workers, cwd=tmp_path, stdin=source
            )
            assert run.wait(RUN_LIMIT_S) == 0
            run.communicate()
        headrace_local.ok(
            *("copy", "-", f"p{workers}.csv", "--workers", workers),
            cwd=tmp_path,
            input=(tmp_path / "in").read_bytes(),
        )
    outs = [(tmp_path / f"{name}.csv").read_bytes() for name in ("f1", "f3", "p1", "p3")]
    assert outs[0].count(b"\n") > ROWS
    assert outs == [outs[0]] * 4


def test_a_late_value_starts_over(tmp_path: Path, headrace_local: Headrace) -> None:
    """Standard input is read twice then: from what was kept."""
    rows = [f"{i},{i}\n" for i in range(200_000)] + ["200000,late\n"]
    text = "id,v\n" + "".join(rows)
    headrace_local.ok("copy", "-", "out.parquet", cwd=tmp_path, input=text)
    got = pq.read_table(tmp_path / "out.parquet")
    assert got.schema.field("v").type == pa.string()
    assert got.num_rows == 200_001
    assert got["v"][-1].as_py() == "late"


def test_format_names_the_input_where_the_output_says_its_own(
    tmp_path: Path, headrace_local: Headrace
) -> None:
    text = "a,b\tc\n1,2\t3\n"
    headrace_local.ok("copy", "-", "out.jsonl", "--format", "tsv", cwd=tmp_path, input=text)
    assert json.loads((tmp_path / "out.jsonl").read_text()) == {"a,b": "1,2", "c": 3}
    shown = headrace_local.ok("copy", "-", "-", "--format", "jsonl", cwd=tmp_path, input="x\n7\n")
    assert json.loads(shown.out) == {"x": 7}
    headrace_local.ok(
        *("copy", "-", "lines.csv", "--set", "file_format=text"), cwd=tmp_path, input="x\n7\n"
    )
    assert (tmp_path / "lines.csv").read_text().splitlines()[1:] == ["x", "7"]


def test_head_schema_count(headrace_local: Headrace) -> None:
    text = gzip.compress(as_lines(table()))
    assert headrace_local.ok("count", "-", input=text).out == f"{ROWS}\n"
    assert "price  double" in headrace_local.ok("schema", "-", input=text).out
    assert json.loads(headrace_local.ok("head", "-", input=text).out.splitlines()[3])["id"] == 3


def test_refusals(tmp_path: Path, headrace_local: Headrace) -> None:
    empty = headrace_local("copy", "-", "out.csv", cwd=tmp_path, input="")
    assert (empty.code, "standard input is empty" in empty.err) == (4, True)
    twice = headrace_local("copy", "-", "-", "out.csv", cwd=tmp_path, input="a\n1\n")
    assert (twice.code, "twice" in twice.err) == (2, True)
    full = headrace_local(
        *("copy", "-", "out.csv", "--set", "spill_limit_gb=0.000001"),
        cwd=tmp_path,
        input="a\n" * 999,
    )
    assert (full.code, "spill_limit_gb" in full.err) == (5, True)
    cut = gzip.compress(as_csv(table()))[:-9]
    torn = headrace_local("copy", "-", "out.csv", cwd=tmp_path, input=cut)
    assert torn.code == 5
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_behind(tmp_path: Path, headrace_local: Headrace) -> None:
    """The pipe's bytes are kept in a file without a name, in spill_dir."""
    spill = tmp_path / "spill"
    spill.mkdir()
    headrace_local.ok(
        *("copy", "-", "out.csv", "--set", f"spill_dir={spill}"),
        cwd=tmp_path,
        input=as_csv(table()),
    )
    assert not list(spill.iterdir())
    gone = headrace_local(
        *("copy", "-", "out2.csv", "--set", f"spill_dir={spill}/none"), cwd=tmp_path, input="a\n1\n"
    )
    assert (gone.code, "spill_dir" in gone.err) == (4, True)


def test_a_pipe_larger_than_memory(tmp_path: Path, headrace_local: Headrace) -> None:
    """48 MiB through a program that may hold 32."""
    rows = 1_000_000
    run = headrace_local.start(
        *("copy", "-", "out.parquet", "--memory", "32M", "--json"),
        cwd=tmp_path,
        stdin=subprocess.PIPE,
    )
    assert run.stdin is not None
    run.stdin.write(b"id,text\n")
    for begin in range(0, rows, 50_000):
        run.stdin.write(b"".join(b"%d,%s\n" % (i, b"y" * 40) for i in range(begin, begin + 50_000)))
    _, err = run.communicate()
    assert run.returncode == 0, err
    got = duckdb.sql(f"select count(*), sum(id) from '{tmp_path}/out.parquet'").fetchall()
    assert got == [(rows, rows * (rows - 1) // 2)]
