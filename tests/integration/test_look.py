"""head, schema, ls, and files that are not what their names say: what a user tries first."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Headrace
from limits import RUN_LIMIT_S


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "a.csv").write_text("a,b\n1,x\n2,y\n")
    return tmp_path


def test_head_refuses_columns_that_are_not_there(small: Path, headrace_local: Headrace) -> None:
    for verb in (["head", "a.csv"], ["copy", "a.csv", "o.jsonl"], ["count", "a.csv"]):
        done = headrace_local(*verb, "--columns", "a,nope", cwd=small)
        assert done.code == 2, verb
        assert "could not find column 'nope'" in done.err
        assert "columns are: a, b" in done.err
    assert not (small / "o.jsonl").exists()


def test_a_column_chosen_twice_is_refused(small: Path, headrace_local: Headrace) -> None:
    done = headrace_local("copy", "a.csv", "o.parquet", "--columns", "a,b,a", cwd=small)
    assert done.code == 2
    assert "could not choose column 'a' twice" in done.err
    assert not (small / "o.parquet").exists()


def test_head_widens_where_it_used_to_print_null(small: Path, headrace_local: Headrace) -> None:
    given = ["--set", 'schema={"a":"int8","b":"date"}']
    done = headrace_local.ok("head", "a.csv", *given, cwd=small)
    assert [json.loads(line) for line in done.out.splitlines()] == [
        {"a": 1, "b": "x"},
        {"a": 2, "b": "y"},
    ]
    folder = small / "drift"
    folder.mkdir()
    for i in range(9):  # not all of them are sampled for the schema
        (folder / f"{i}.csv").write_text("v\nword\n" if i == 4 else f"v\n{i}\n")
    done = headrace_local.ok("head", "drift", cwd=small)
    assert [json.loads(line)["v"] for line in done.out.splitlines()] == [
        "word" if i == 4 else str(i) for i in range(9)
    ]


def test_head_fails_when_its_output_cannot_be_written(
    small: Path, headrace_local: Headrace
) -> None:
    with Path("/dev/full").open("wb") as full:
        process = headrace_local.start("head", "a.csv", cwd=small, stdout=full)
        _, err = process.communicate(timeout=RUN_LIMIT_S)
    assert process.returncode == 1
    assert b"standard output" in err


def test_ls_of_nothing_says_so(small: Path, headrace_local: Headrace) -> None:
    done = headrace_local("ls", "nowhere", cwd=small)
    assert done.code == 4
    assert "could not find anything at 'nowhere'" in done.err
    assert "a.csv" in headrace_local.ok("ls", ".", cwd=small).out


def test_a_name_that_lies_gets_a_remedy_that_works(small: Path, headrace_local: Headrace) -> None:
    pq.write_table(pa.table({"a": [1, 2], "s": ["é", "x"]}), small / "table.csv")
    done = headrace_local("head", "table.csv", cwd=small)
    assert done.code == 5
    assert "set file_format=parquet" in done.err
    head = ["head", "table.csv", "--set", "file_format=parquet"]
    assert headrace_local.ok(*head, cwd=small).out.startswith('{"a":1,"s":"é"}')

    (small / "plain.csv.gz").write_bytes((small / "a.csv").read_bytes())
    done = headrace_local("head", "plain.csv.gz", cwd=small)
    assert done.code == 5
    assert "compression=none" in done.err
    done = headrace_local.ok("head", "plain.csv.gz", "--set", "compression=none", cwd=small)
    assert done.out == headrace_local.ok("head", "a.csv", cwd=small).out


def test_parquet_named_gz_is_read_back(small: Path, headrace_local: Headrace) -> None:
    headrace_local.ok("copy", "a.csv", "o.parquet.gz", cwd=small)
    assert headrace_local.ok("count", "o.parquet.gz", cwd=small).out == "2\n"


def test_avro_of_5000_nullable_columns_is_read_back(
    tmp_path: Path, headrace_local: Headrace
) -> None:
    wide = pa.table({f"c{i}": [i, None] for i in range(5000)})
    pq.write_table(wide, tmp_path / "wide.parquet")
    headrace_local.ok("copy", "wide.parquet", "wide.avro", cwd=tmp_path)
    headrace_local.ok("copy", "wide.avro", "back.parquet", cwd=tmp_path)
    assert pq.read_table(tmp_path / "back.parquet").equals(wide)


@pytest.mark.parametrize(
    "words", [("ls", "."), ("head", "a.csv"), ("copy", "a.csv", "-"), ("help",)]
)
def test_a_reader_that_left_is_no_error(
    headrace_local: Headrace, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """`headrace ls … | head` has what it wanted: the status of SIGPIPE, and not a word."""
    (tmp_path / "a.csv").write_text("a\n1\n")
    read_end, write_end = os.pipe()
    os.close(read_end)
    more = ("--format", "csv", "--progress", "never") if words[0] == "copy" else ()
    running = headrace_local.start(*words, *more, cwd=tmp_path, stdout=write_end)
    os.close(write_end)
    assert running.communicate()[1] == b""
    assert running.returncode == 141


def test_a_pipe_under_a_name_is_told_how_it_is_read(
    headrace_local: Headrace, tmp_path: Path
) -> None:
    """As a shell's <(…) gives it; a name that is not there says so too."""
    os.mkfifo(tmp_path / "pipe")
    done = headrace_local("count", "pipe", cwd=tmp_path)
    assert done.code == 4
    assert "it is not a regular file" in done.err
    assert "standard input" in done.err
    assert headrace_local.ok("count", "-", cwd=tmp_path, input="a\n1\n").out == "1\n"
    done = headrace_local("count", "absent", cwd=tmp_path)
    assert done.code == 4
    assert "'absent'" in done.err
    assert "No such file" in done.err
