"""Files of formats that headrace does not read: each is refused by what it is, with what to do."""

from __future__ import annotations

import io
import sqlite3
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.orc
import pytest
from conftest import Headrace

TABLE = pa.table({"a": [1, 2, 3], "b": ["x", None, "z"]})


def arrow_stream() -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, TABLE.schema) as writer:
        writer.write_table(TABLE)
    return out.getvalue()


def orc() -> bytes:
    out = io.BytesIO()
    pyarrow.orc.write_table(TABLE, out)
    return out.getvalue()


def feather() -> bytes:
    out = io.BytesIO()
    pyarrow.feather.write_feather(TABLE, out)
    return out.getvalue()


def tarred() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as pack:
        pack.addfile(tarfile.TarInfo("a.csv"), io.BytesIO(b""))
    return out.getvalue()


def sqlite() -> bytes:
    with sqlite3.connect(":memory:") as base:
        base.execute("create table t (a)")
        return base.serialize()


@pytest.mark.parametrize(
    ("make", "what", "remedy"),
    [
        (orc, "an ORC file", "rewrite it as Parquet"),
        (feather, "an Arrow (Feather) file", "rewrite it as Parquet"),
        (arrow_stream, "an Arrow stream", "rewrite it as Parquet"),
        (tarred, "a tar archive", "unpack it"),
        (sqlite, "an SQLite database", "export its tables"),
    ],
)
def test_refused_by_name(
    make: Callable[[], bytes], what: str, remedy: str, tmp_path: Path, headrace_local: Headrace
) -> None:
    source = tmp_path / "data"
    source.write_bytes(make())
    for verb in (["copy", source, tmp_path / "out.parquet"], ["head", source], ["count", source]):
        got = headrace_local(*verb)
        assert got.code == 5, got
        assert f"could not read 'data': it is {what}, which is not supported" in got.err
        assert remedy in got.err
    assert not (tmp_path / "out.parquet").exists()


def test_text_that_begins_like_one(tmp_path: Path, headrace_local: Headrace) -> None:
    """The names of formats are words too."""
    source = tmp_path / "data"
    for word in ("ORC", "FEA1", "7z"):
        source.write_text(f"{word},b\n1,x\n")
        got = headrace_local.ok("count", source)
        assert got.out.strip() == "1", word
