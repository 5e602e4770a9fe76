"""Memory while Parquet goes through: one row group of any size is read and written page by page."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Headrace

ROWS = 640_000
WIDTH = 250


def peak_mib(headrace: Headrace, *args: str | Path) -> float:
    """The largest resident set of a copy, as it says itself."""
    done = headrace.ok("copy", *args, "--json")
    return float(json.loads(done.err.splitlines()[-1])["peak_kb"]) / 1024


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """160 MB in one row group, which no codec makes smaller."""
    path = tmp_path_factory.mktemp("large") / "large.parquet"
    noise = pa.py_buffer(os.urandom(ROWS * WIDTH))
    cells = pa.Array.from_buffers(pa.binary(WIDTH), ROWS, [None, noise])
    table = pa.table({"id": range(ROWS), "noise": cells})
    pq.write_table(table, path, row_group_size=ROWS, compression="snappy", use_dictionary=False)
    assert pq.ParquetFile(path).metadata.num_row_groups == 1
    return path


def test_reading_a_large_row_group_stays_small(large: Path, headrace_local: Headrace) -> None:
    assert peak_mib(headrace_local, large, "null:", "--format", "parquet") < 64


def test_writing_it_again_stays_bounded(
    large: Path, tmp_path: Path, headrace_local: Headrace
) -> None:
    copy = tmp_path / "copy.parquet"
    args = ("--set", f"spill_dir={tmp_path}")
    assert (
        peak_mib(headrace_local, large, copy, *args) < 280
    )  # 128 MiB of finished blocks, a row group being encoded
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.parquet"]
    assert pq.read_table(copy).equals(pq.read_table(large))
    refused = headrace_local("copy", large, tmp_path / "b.parquet", "--set", "spill_limit_gb=0.01")
    assert refused.code == 5
    assert "spill_limit_gb" in refused.err
    assert not (tmp_path / "b.parquet").exists()
