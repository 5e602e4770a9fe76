"""Objects replaced or deleted while they are read, with rows of them already in finished tasks.

What the checkpoint has staged is discarded and redone with the object as it is now or without it:
the destination never holds rows of two versions, and never a row twice.
"""

from __future__ import annotations

import io
import json
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Headrace
from kill_matrix import wait_until_stopped
from limits import RUN_LIMIT_S
from minio_server import Minio
from proxy import Proxy, Request

BIG = 60_000  # rows of some 95 bytes: six tasks of 1 MiB
SMALL_TASKS = ("--set", "task_mb=1", "--set", "part_size_mb=1", "--log-level", "info")
COLUMNS = "id,version,text"


def csv_rows(first: int, count: int, version: str) -> bytes:
    text = "x" * 78
    lines = "".join(f"{first + i},{version},{text}\n" for i in range(count))
    return f"{COLUMNS}\n{lines}".encode()


def parquet_rows(first: int, count: int, version: str) -> bytes:
    out = io.BytesIO()
    noise = [f"{(i * 2654435761) % 2**32:x}" * 10 for i in range(count)]
    table = pa.table(
        {"id": list(range(first, first + count)), "version": [version] * count, "text": noise}
    )
    pq.write_table(table, out, row_group_size=5000, compression="none")
    return out.getvalue()


class Job:
    """An incremental or full sync of one stream from the proxied server to a folder."""

    def __init__(self, headrace: Headrace, minio: Minio, proxy: Proxy, bucket: str) -> None:
        self.headrace = headrace
        self.folder = headrace.home
        self.out = self.folder / "out"
        keys = minio.environment(proxy.endpoint)
        self.source = {
            "bucket_name": bucket,
            "path_prefix": "data",
            "region": "us-east-1",
            "endpoint": keys["AWS_ENDPOINT_URL"],
            "access_key_id": keys["AWS_ACCESS_KEY_ID"],
            "secret_access_key": keys["AWS_SECRET_ACCESS_KEY"],
        }
        (self.folder / "destination.json").write_text(
            json.dumps({"type": "PARQUET", "writer": {"local_path": str(self.out)}})
        )

    def sync(self, form: str, mode: str, *more: str, partition: str = "") -> Any:
        (self.folder / "source.json").write_text(json.dumps({**self.source, "file_format": form}))
        selected = {"stream_name": "ev", "normalization": True, "partition_regex": partition}
        stream = {"name": "ev", "namespace": "s3", "sync_mode": mode}
        catalog = {"selected_streams": {"s3": [selected]}, "streams": [{"stream": stream}]}
        (self.folder / "streams.json").write_text(json.dumps(catalog))
        return self.headrace(
            *("sync", "--config", "source.json", "--catalog", "streams.json"),
            *("--destination", "destination.json", "--state", "state.json"),
            *("--progress", "never", *SMALL_TASKS, *more),
            cwd=self.folder,
        )

    def rows(self) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        for path in self.out.rglob("*.parquet"):
            table = pq.ParquetFile(path).read(columns=["id", "version"])
            found += zip(table["id"].to_pylist(), table["version"].to_pylist(), strict=True)
        return sorted(found)

    def leftovers(self) -> list[str]:
        return [str(p) for p in self.out.rglob(".*") if p.is_file()]


@pytest.fixture
def job(headrace: Headrace, minio: Minio, proxy: Proxy, bucket: str) -> Job:
    return Job(headrace, minio, proxy, bucket)


MAKE = {"csv": csv_rows, "parquet": parquet_rows}


def put_all(put: Any, form: str) -> None:
    put(f"data/ev/a.{form}", MAKE[form](0, 100, "v1"))
    put(f"data/ev/big.{form}", MAKE[form](1000, BIG, "v1"))
    put(f"data/ev/z.{form}", MAKE[form](500, 100, "v1"))


def want(versions: dict[int, str], counts: dict[int, int]) -> list[tuple[int, str]]:
    return sorted((first + i, v) for first, v in versions.items() for i in range(counts[first]))


@pytest.mark.parametrize("workers", ["1", "3"])
@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_replaced_half_way(
    job: Job, proxy: Proxy, put: Any, form: str, mode: str, workers: str
) -> None:
    put_all(put, form)

    def replace(request: Request) -> None:
        put(f"data/ev/big.{form}", MAKE[form](1000, BIG + 7000, "v2"))

    fault = proxy.fault("call", kind="get", key=r"big\.", skip=5, call=replace)
    done = job.sync(form, mode, "--workers", workers)
    assert done.code == 0, done.err
    assert fault.hits == 1
    assert "was replaced while it was read: back to the last checkpoint" in done.err
    counts = {0: 100, 500: 100, 1000: BIG + 7000}
    assert job.rows() == want({0: "v1", 500: "v1", 1000: "v2"}, counts)
    assert job.leftovers() == []
    proxy.requests.clear()
    if mode == "incremental":  # the state knows the version that was read
        again = job.sync(form, mode)
        assert again.code == 0, again.err
        assert not [r for r in proxy.requests if r.kind == "get"]


@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
def test_deleted_half_way(
    job: Job, proxy: Proxy, put: Any, s3: Any, bucket: str, mode: str
) -> None:
    put_all(put, "csv")
    fault = proxy.fault(
        "call",
        kind="get",
        key=r"big\.",
        skip=4,
        call=lambda _: s3.delete_object(Bucket=bucket, Key="data/ev/big.csv"),
    )
    done = job.sync("csv", mode)
    assert done.code == 0, done.err
    assert fault.hits == 1
    assert "was deleted while it was read" in done.err
    assert job.rows() == want({0: "v1", 500: "v1"}, {0: 100, 500: 100})
    assert job.leftovers() == []


def test_a_table_is_not_emptied_by_a_deletion_half_way(
    job: Job, proxy: Proxy, put: Any, s3: Any, bucket: str
) -> None:
    """The only object of a full refresh goes away while it is read: what stood there stays."""
    put("data/ev/big.csv", csv_rows(1000, BIG, "v1"))
    assert job.sync("csv", "full_refresh").code == 0
    before = sorted(job.out.rglob("*.parquet"))
    fault = proxy.fault(
        "call",
        kind="get",
        key=r"big\.",
        skip=4,
        call=lambda _: s3.delete_object(Bucket=bucket, Key="data/ev/big.csv"),
    )
    done = job.sync("csv", "full_refresh")
    assert done.code == 0, done.err
    assert fault.hits == 1
    assert "the table stays as it was" in done.err
    assert sorted(job.out.rglob("*.parquet")) == before
    assert job.leftovers() == []


@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
@pytest.mark.parametrize("partition", ["", "/v={version,none,}"])
def test_only_the_open_checkpoint_is_redone(
    job: Job, proxy: Proxy, put: Any, mode: str, partition: str
) -> None:
    """Checkpoints of 1 MiB: objects before the large one are read once, and are kept."""
    for number in range(4):
        put(f"data/ev/a{number}.csv", csv_rows(number * 10_000, 9000, "v1"))
    put("data/ev/big.csv", csv_rows(100_000, BIG, "v1"))
    put("data/ev/z.csv", csv_rows(500_000, 9000, "v1"))

    def replace(request: Request) -> None:
        put("data/ev/big.csv", csv_rows(100_000, BIG, "v2"))

    fault = proxy.fault("call", kind="get", key=r"big\.", skip=4, call=replace)
    done = job.sync("csv", mode, "--set", "checkpoint_mb=1", partition=partition)
    assert done.code == 0, done.err
    assert fault.hits == 1
    reads = [r.range for r in proxy.requests if r.kind == "get" and "/a1." in r.key]
    whole = [r for r in reads if r is not None and r[1] - r[0] > 700_000]
    assert len(whole) == 1, reads  # the others are samples
    firsts = {n * 10_000: "v1" for n in range(4)} | {100_000: "v2", 500_000: "v1"}
    counts = dict.fromkeys(firsts, 9000) | {100_000: BIG}
    assert job.rows() == want(firsts, counts)
    assert job.leftovers() == []


def test_bad_records_are_quarantined_once(job: Job, proxy: Proxy, put: Any) -> None:
    """Those of the version that was given up do not stay behind."""
    bad = "1,v1\n"  # a field short
    first = csv_rows(1000, BIG, "v1").decode().replace(f"2000,v1,{'x' * 78}\n", bad)
    put("data/ev/a.csv", csv_rows(0, 100, "v1") + bad.encode())
    put("data/ev/big.csv", first)

    def replace(request: Request) -> None:
        put("data/ev/big.csv", csv_rows(1000, BIG, "v2") + b"2,v2\n3,v2\n")

    fault = proxy.fault("call", kind="get", key=r"big\.", skip=5, call=replace)
    done = job.sync("csv", "incremental", "--set", "on_error=quarantine", partition="{version,x,}")
    assert done.code == 0, done.err
    assert fault.hits == 1
    assert job.rows() == want({0: "v1", 1000: "v2"}, {0: 100, 1000: BIG})
    kept = [
        json.loads(line)["record"].strip()
        for path in job.out.rglob("_quarantine/*.jsonl")
        for line in path.read_text().splitlines()
    ]
    assert sorted(kept) == ["1,v1", "2,v2", "3,v2"]
    checked = job.headrace(
        *("verify", "--config", "source.json", "--destination", "destination.json"),
        *("--state", "state.json"),
        cwd=job.folder,
    )
    assert checked.code == 0, checked.err


def test_replaced_each_time(job: Job, proxy: Proxy, put: Any) -> None:
    put("data/ev/a.csv", csv_rows(0, 12_000, "v1"))
    put("data/ev/big.csv", csv_rows(100_000, BIG, "v1"))
    seen = []
    one_at_a_time = threading.Lock()  # the last version is the one with the highest number

    def replace(request: Request) -> None:
        if request.range is not None and request.range[0] > 2_000_000:
            with one_at_a_time:
                seen.append(request.range)
                put("data/ev/big.csv", csv_rows(100_000, BIG, f"v{len(seen) + 1}"))

    proxy.fault("call", kind="get", key=r"big\.", times=-1, call=replace)
    done = job.sync("csv", "incremental", "--set", "checkpoint_mb=1", "--workers", "1")
    assert done.code == 1, done.err
    assert "it was replaced again and again, 4 times" in done.err
    assert job.rows() == want({0: "v1"}, {0: 12_000})
    assert job.leftovers() == []
    proxy.reset()
    proxy.settle()  # a request that the run gave up may still be replacing
    done = job.sync("csv", "incremental")
    assert done.code == 0, done.err
    last = f"v{len(seen) + 1}"
    assert job.rows() == want({0: "v1", 100_000: last}, {0: 12_000, 100_000: BIG})


@pytest.mark.parametrize("to", ["out/", "out.parquet", "-"])
def test_copy_begins_again(
    headrace_proxied: Headrace, proxy: Proxy, put: Any, bucket: str, tmp_path: Path, to: str
) -> None:
    put("in/a.csv", csv_rows(0, 100, "v1"))
    put("in/big.csv", csv_rows(1000, BIG, "v1"))

    def replace(request: Request) -> None:
        put("in/big.csv", csv_rows(1000, BIG, "v2"))

    fault = proxy.fault("call", kind="get", key=r"big\.", skip=5, call=replace)
    where = to if to == "-" else f"{tmp_path}/{to}"
    done = headrace_proxied(
        *("copy", f"s3://{bucket}/in/*.csv", where, *SMALL_TASKS),
        *(("--format", "csv") if to == "-" else ()),
    )
    assert fault.hits == 1
    if to == "-":  # rows were given away already
        assert done.code == 1
        assert "big.csv" in done.err
        return
    assert done.code == 0, done.err
    files = list(tmp_path.glob("out/*.parquet")) or [tmp_path / "out.parquet"]
    rows = [r for f in files for r in pq.read_table(f, columns=["id", "version"]).to_pylist()]
    assert sorted((r["id"], r["version"]) for r in rows) == want(
        {0: "v1", 1000: "v2"}, {0: 100, 1000: BIG}
    )


def folder_job(home: Path) -> Path:
    """Two files in a folder and what a sync of them needs; answers the large file."""
    lake = home / "lake/bucket/data/ev"
    lake.mkdir(parents=True)
    (lake / "a.csv").write_bytes(csv_rows(0, 100, "v1"))
    (lake / "big.csv").write_bytes(csv_rows(1000, BIG, "v1"))
    for name, text in {
        "source.json": {
            "bucket_name": "bucket",
            "path_prefix": "data",
            "file_format": "csv",
            "endpoint": f"file:{home}/lake",
        },
        "destination.json": {"type": "PARQUET", "writer": {"local_path": str(home / "out")}},
        "streams.json": {
            "selected_streams": {"s3": [{"stream_name": "ev", "normalization": True}]},
            "streams": [{"stream": {"name": "ev", "namespace": "s3", "sync_mode": "incremental"}}],
        },
    }.items():
        (home / name).write_text(json.dumps(text))
    return lake / "big.csv"


def start_until(headrace: Headrace, home: Path, place: int) -> subprocess.Popen[bytes]:
    """A sync that stops itself at the place of that number (see base/fault.h)."""
    process = headrace.start(
        *("sync", "--config", "source.json", "--catalog", "streams.json"),
        *("--destination", "destination.json", "--state", "state.json", "--progress", "never"),
        *("--workers", "1", "--set", "max_file_size_mb=1", *SMALL_TASKS),
        cwd=home,
        env={"HEADRACE_FAULT": f"stop:{place}"},
    )
    wait_until_stopped(process.pid)
    return process


@pytest.mark.parametrize("gone", [False, True])
def test_a_file_replaced_in_a_folder(headrace_local: Headrace, tmp_path: Path, gone: bool) -> None:
    """The program stops itself at one place after the other (one worker: they are the same in
    every run), the input is changed, and it goes on. Whenever that is, the rows are those of one
    version; at the syncs of the files it cuts its output into, it is half way."""
    old = want({0: "v1", 1000: "v1"}, {0: 100, 1000: BIG})
    new = want({0: "v1"} if gone else {0: "v1", 1000: "v2"}, {0: 100, 1000: 9000})
    half_way = 0
    for place in range(1, 14):
        home = tmp_path / str(place)
        big = folder_job(home)
        process = start_until(headrace_local, home, place)
        big.unlink()
        if not gone:
            big.write_bytes(csv_rows(1000, 9000, "v2"))
        process.send_signal(signal.SIGCONT)
        _, err = process.communicate(timeout=RUN_LIMIT_S)
        assert process.returncode == 0, err
        rows: list[tuple[int, str]] = []
        for path in (home / "out").rglob("*.parquet"):
            table = pq.ParquetFile(path).read(columns=["id", "version"])
            rows += zip(table["id"].to_pylist(), table["version"].to_pylist(), strict=True)
        assert [p for p in (home / "out").rglob(".*") if p.is_file()] == []
        if f"was {'deleted' if gone else 'replaced'} while it was read".encode() in err:
            half_way += 1
            assert sorted(rows) == new, f"place {place}"
        else:
            assert sorted(rows) in (old, new), f"place {place}"
    assert half_way > 0
