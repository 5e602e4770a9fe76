"""What is fetched of Parquet on S3: only the bytes that columns and filters leave over.

The proxy before the server counts requests and bytes. The files are built so that each means of
pruning has to do the work alone: the statistics cannot exclude what the dictionary, the bloom
filter or the column index can.
"""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Headrace
from proxy import Proxy

ROWS = 160_000
GROUP = 40_000
TAIL = 65536


def table() -> pa.Table:
    rng = random.Random(7)
    return pa.table(
        {
            "sorted": pa.array(range(ROWS), pa.int64()),
            "wide": pa.array([rng.randbytes(100) for _ in range(ROWS)], pa.binary()),
            # even numbers of a range that depends on the row group by its step alone
            "few": pa.array([2 * (i % 50) + (i // GROUP == 2) for i in range(ROWS)], pa.int64()),
            "many": pa.array([2 * rng.randrange(1 << 40) for _ in range(ROWS)], pa.int64()),
            "text": pa.array([f"{rng.getrandbits(80):020x}" for _ in range(ROWS)]),
        }
    )


@pytest.fixture(scope="module")
def data() -> pa.Table:
    return table()


@pytest.fixture
def stored(data: pa.Table, put: Any) -> tuple[str, pq.FileMetaData]:
    """A file of four row groups with statistics, page indexes and dictionaries; 22 MB."""
    buf = io.BytesIO()
    pq.write_table(
        data,
        buf,
        row_group_size=GROUP,
        use_dictionary=["few"],
        write_page_index=True,
        data_page_size=16384,
        write_batch_size=512,
        compression="none",
    )
    return put("in/x.parquet", buf.getvalue()), pq.ParquetFile(buf).metadata


def chunk_bytes(meta: pq.FileMetaData, *names: str, groups: tuple[int, ...] = (0, 1, 2, 3)) -> int:
    index = [meta.schema.names.index(name) for name in names]
    return sum(
        int(meta.row_group(g).column(c).total_compressed_size) for g in groups for c in index
    )


def read(headrace: Headrace, proxy: Proxy, url: str, *args: str) -> tuple[list[Any], int, int]:
    """The rows of a copy, and the GETs and bytes it cost."""
    proxy.reset()
    done = headrace.ok("copy", url, "-", "--format", "jsonl", "--workers", "1", *args)
    rows = [json.loads(line) for line in done.out.splitlines()]
    return rows, proxy.count("get"), proxy.bytes_out("get")


def footers(meta: pq.FileMetaData) -> int:
    """Schema and task read the end of the file; a file over a task's size also its layout."""
    return 3 * max(TAIL, meta.serialized_size + 8)


def test_a_projection_fetches_its_columns_only(
    stored: tuple[str, pq.FileMetaData], headrace_proxied: Headrace, proxy: Proxy
) -> None:
    url, meta = stored
    rows, _, got = read(headrace_proxied, proxy, url, "--columns", "few,sorted")
    assert len(rows) == ROWS
    assert got <= chunk_bytes(meta, "few", "sorted") + footers(meta)
    proxy.reset()
    headrace_proxied.ok("copy", url, "null:", "--format", "parquet")
    assert proxy.bytes_out("get") >= chunk_bytes(meta, *meta.schema.names) > 4 * got


@pytest.mark.parametrize("size", [2_000, 12_000, 60_000])
def test_a_projection_never_fetches_more_than_everything(
    size: int, data: pa.Table, put: Any, bucket: str, headrace_proxied: Headrace, proxy: Proxy
) -> None:
    for i in range(3):
        buf = io.BytesIO()
        pq.write_table(data.slice(0, size), buf, row_group_size=size // 2)
        put(f"small/{i}.parquet", buf.getvalue())
    url, cost = f"s3://{bucket}/small/*.parquet", []
    for args in ([], ["--columns", "few"], ["--columns", "few,sorted"], ["--filter", "few = 3"]):
        proxy.reset()
        headrace_proxied.ok("copy", url, "null:", "--format", "parquet", *args)
        cost.append(proxy.bytes_out("get"))
    assert max(cost) == cost[0], cost


def test_statistics_leave_row_groups_out(
    stored: tuple[str, pq.FileMetaData], headrace_proxied: Headrace, proxy: Proxy
) -> None:
    url, meta = stored
    rows, _, got = read(headrace_proxied, proxy, url, "--filter", "sorted >= 159990")
    assert [row["sorted"] for row in rows] == list(range(159990, ROWS))
    assert got <= chunk_bytes(meta, *meta.schema.names, groups=(3,)) + footers(meta)
    rows, gets, got = read(headrace_proxied, proxy, url, "--filter", "sorted < 0")
    assert rows == []
    assert got <= footers(meta), "nothing but the footer is needed"
    assert gets <= 3


def test_the_column_index_leaves_pages_out(
    stored: tuple[str, pq.FileMetaData], headrace_proxied: Headrace, proxy: Proxy
) -> None:
    url, meta = stored
    rows, _, got = read(
        headrace_proxied,
        proxy,
        url,
        "--filter",
        "sorted between 90000 and 90009",
        "--columns",
        "sorted,wide",
    )
    assert [row["sorted"] for row in rows] == list(range(90000, 90010))
    whole = chunk_bytes(meta, "sorted", "wide", groups=(2,))
    assert got <= footers(meta) + 2 * TAIL + 2 * 70_000 < whole // 8, "a page of each column"


def test_the_dictionary_leaves_row_groups_out(
    stored: tuple[str, pq.FileMetaData], headrace_proxied: Headrace, proxy: Proxy
) -> None:
    url, meta = stored
    # every group's statistics hold 51, only the third's dictionary has it
    rows, _, got = read(
        headrace_proxied, proxy, url, "--filter", "few = 51", "--columns", "few,text"
    )
    assert len(rows) == GROUP // 50
    one = chunk_bytes(meta, "few", "text", groups=(2,))
    assert got <= footers(meta) + 8 * TAIL + one
    assert got < chunk_bytes(meta, "few", "text")


def test_the_bloom_filter_leaves_row_groups_out(
    data: pa.Table, tmp_path: Path, put: Any, headrace_proxied: Headrace, proxy: Proxy
) -> None:
    plain, bloomed = tmp_path / "plain.parquet", tmp_path / "bloom.parquet"
    pq.write_table(data, plain)
    headrace_proxied.ok(
        *("copy", plain, bloomed, "--set", f"destination.row_group_rows={GROUP}"),
        *("--set", "destination.bloom_filter_columns=many,text"),
    )
    meta = pq.ParquetFile(bloomed).metadata
    assert meta.num_row_groups == 4
    url = put("bloom/x.parquet", bloomed)
    text = data.column("text")[GROUP + 5].as_py()
    for name, literal in (("many", "123456789"), ("text", "'00000000000000000001'")):
        rows, _, got = read(headrace_proxied, proxy, url, "--filter", f"{name} = {literal}")
        assert rows == []
        assert got < footers(meta) + 5 * TAIL, "the filters of four row groups, no rows"
    rows, _, got = read(headrace_proxied, proxy, url, "--filter", f"text = '{text}'")
    assert [row["text"] for row in rows] == [text]
    assert got < chunk_bytes(meta, *meta.schema.names, groups=(1,)) * 2
