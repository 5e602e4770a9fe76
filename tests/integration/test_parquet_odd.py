"""Parquet files that are read though something about them is odd: checksums, names met twice."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Headrace


def rotten(path: Path) -> int:
    """A file with page checksums and one value of column `b` changed; where its page is."""
    table = pa.table({"a": list(range(100)), "b": [i * 3 for i in range(100)]})
    pq.write_table(table, path, compression="none", use_dictionary=False, write_page_checksum=True)
    chunk = pq.read_metadata(path).row_group(0).column(1)
    data = bytearray(path.read_bytes())
    data[chunk.data_page_offset + chunk.total_compressed_size - 8] ^= 1
    path.write_bytes(data)
    return int(chunk.data_page_offset)


def test_a_wrong_checksum_is_told(tmp_path: Path, headrace_local: Headrace) -> None:
    place = rotten(tmp_path / "in.parquet")
    told = headrace_local.ok("copy", "in.parquet", "out.parquet", cwd=tmp_path)
    warning = next(line for line in told.err.splitlines() if "checksum" in line)
    for part in ("warn", "in.parquet", "'b'", f"byte {place} "):
        assert part in warning
    got = pq.read_table(tmp_path / "out.parquet")
    assert got["a"].to_pylist() == list(range(100))
    assert got["b"].to_pylist()[:99] == [i * 3 for i in range(99)]
    only = headrace_local.ok("copy", "in.parquet", "a.csv", "--columns", "a", cwd=tmp_path)
    assert "checksum" not in only.err


@pytest.mark.parametrize("word", ["error", "true"])
def test_a_wrong_checksum_is_an_error_when_asked(
    word: str, tmp_path: Path, headrace_local: Headrace
) -> None:
    place = rotten(tmp_path / "in.parquet")
    option = f"parquet_verify_crc={word}"
    told = headrace_local("copy", "in.parquet", "o.csv", "--set", option, cwd=tmp_path)
    assert told.code == 5
    assert f"byte: {place}" in told.err
    assert "column: b" in told.err
    assert not (tmp_path / "o.csv").exists()


@pytest.mark.parametrize("word", ["off", "false"])
def test_checksums_are_not_looked_at_when_told(
    word: str, tmp_path: Path, headrace_local: Headrace
) -> None:
    rotten(tmp_path / "in.parquet")
    option = f"parquet_verify_crc={word}"
    told = headrace_local.ok("copy", "in.parquet", "o.csv", "--set", option, cwd=tmp_path)
    assert "checksum" not in told.err


def test_names_met_twice(tmp_path: Path, headrace_local: Headrace) -> None:
    """As CSV headers (and DuckDB) number them; a name that a column really has stays its."""
    names = ["a", "b", "a", "a_1", "a"]
    columns = [pa.array([i, i + 10]) for i in range(len(names))]
    pq.write_table(pa.Table.from_arrays(columns, names=names), tmp_path / "in.parquet")
    want = {"a": 0, "b": 1, "a_2": 2, "a_1": 3, "a_3": 4}
    pair = pa.Table.from_arrays([columns[0], columns[1]], names=["x", "x"])
    pq.write_table(pair, tmp_path / "pair.parquet")
    shown = headrace_local.ok("copy", "pair.parquet", "-", "--format", "csv", cwd=tmp_path).out
    duck = duckdb.sql(f"select * from '{tmp_path}/pair.parquet'").columns
    assert shown.splitlines()[0].split(",") == duck
    for kind in ("csv", "jsonl", "parquet", "avro"):
        headrace_local.ok("copy", "in.parquet", f"o.{kind}", cwd=tmp_path)
    text = (tmp_path / "o.csv").read_text().splitlines()
    assert text == ["a,b,a_2,a_1,a_3", "0,1,2,3,4", "10,11,12,13,14"]
    lines = (tmp_path / "o.jsonl").read_text().splitlines()
    assert json.loads(lines[0], object_pairs_hook=list) == list(want.items())
    assert pq.read_table(tmp_path / "o.parquet").to_pylist()[0] == want
    with (tmp_path / "o.avro").open("rb") as file:
        assert next(iter(fastavro.reader(file))) == want
    some = ("copy", "in.parquet", "-", "--format", "csv", "--columns", "a_3,a")
    assert headrace_local.ok(*some, cwd=tmp_path).out.splitlines()[1] == "4,0"
    kept = ("copy", "in.parquet", "-", "--format", "csv", "--filter", "a_2 > 2")
    assert headrace_local.ok(*kept, cwd=tmp_path).out.splitlines()[1:] == ["10,11,12,13,14"]
