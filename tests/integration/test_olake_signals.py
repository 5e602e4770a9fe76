"""SIGINT and SIGTERM: a sync ends soon, says so by its exit status, and the next one goes on.

A proxy holds back one request, so that the signal arrives at a known moment; the moments are the
kinds of requests of a sync. Nothing is asserted about how long something took, only that the
program ended while the request was still held.
"""

from __future__ import annotations

import io
import json
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import Headrace
from limits import WAIT_LIMIT_S
from minio_server import Minio
from olake_job import BucketLake, Job
from proxy import Proxy, Request

FILES = 4
ROWS = 1500
PAD = "x" * 400
HOLD_S = 2 * WAIT_LIMIT_S  # what a held request waits; the program must end before


def body(number: int) -> str:
    return "id,pad\n" + "".join(f"{number * ROWS + i},{PAD}\n" for i in range(ROWS))


class Hold:
    """A request that waits at the proxy until the test lets it go."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.release = threading.Event()

    def __call__(self, request: Request) -> None:
        self.reached.set()
        self.release.wait(HOLD_S)


@pytest.fixture
def job(
    headrace: Headrace, minio: Minio, s3: Any, bucket: str, proxy: Proxy, tmp_path: Path
) -> Job:
    """Source and destination in a bucket behind the proxy; checkpoints of 1 MiB."""
    lake = BucketLake(s3, bucket, minio.environment(proxy.endpoint))
    job = Job(headrace, tmp_path / "job", lake)
    for number in range(FILES):
        lake.put(f"s/{number}.csv", body(number))
    config = lake.config()
    job.write(
        "destination.json",
        {
            "type": "PARQUET",
            "writer": {
                "s3_bucket": bucket,
                "s3_region": "us-east-1",
                "s3_access_key": config["access_key_id"],
                "s3_secret_key": config["secret_access_key"],
                "s3_endpoint": config["endpoint"],
                "s3_path": "out",
            },
        },
    )
    job.select("s", entry={"normalization": True})
    return job


def rows_at_destination(s3: Any, bucket: str) -> list[int]:
    found: list[int] = []
    for item in s3.list_objects_v2(Bucket=bucket, Prefix="out/").get("Contents", []):
        if item["Key"].endswith(".parquet"):
            data = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            found += pq.read_table(io.BytesIO(data)).column("id").to_pylist()
    return sorted(found)


STEPS = ("--set", "checkpoint_mb=1", "--set", "task_mb=1")
MOMENTS = [
    ("list", 0, "2"),
    ("get", 0, "1"),
    ("get", 3, "1"),
    ("get", 4, "2"),
    ("create_multipart", 0, "2"),
    ("upload_part", 1, "2"),
    ("complete_multipart", 0, "2"),
    ("complete_multipart", 1, "1"),
]


@pytest.mark.parametrize(("kind", "skip", "workers"), MOMENTS)
def test_one_signal(
    job: Job,
    proxy: Proxy,
    s3: Any,
    bucket: str,
    kind: str,
    skip: int,
    workers: str,
) -> None:
    number = signal.SIGINT if workers == "1" else signal.SIGTERM
    hold = Hold()
    fault = proxy.fault("call", kind=kind, skip=skip, times=1, call=hold)
    running = job.headrace.start(*job.command(*STEPS, "--workers", workers), cwd=job.folder)
    assert hold.reached.wait(WAIT_LIMIT_S), running.communicate(timeout=5)
    running.send_signal(number)
    try:
        code = running.wait(WAIT_LIMIT_S)  # the request is still held
    except subprocess.TimeoutExpired:
        running.kill()
        pytest.fail(f"held at {kind}: the program did not end")
    finally:
        hold.release.set()
    err = running.communicate()[1].decode()
    assert code == 128 + number, err
    assert fault.hits == 1
    seen = rows_at_destination(s3, bucket)
    assert len(seen) == len(set(seen))
    job.ok(*STEPS)
    assert rows_at_destination(s3, bucket) == list(range(FILES * ROWS))
    assert s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []
    assert job.entry()["state"]["chunks"] == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_was_read_is_kept(job: Job, proxy: Proxy, s3: Any, bucket: str, workers: str) -> None:
    """The open checkpoint is cut behind the last whole object; the rest stands in chunks."""
    job.discover()
    hold = Hold()
    proxy.fault("call", kind="get", key=r"s/3\.csv", times=1, call=hold)
    steps = ("--set", "task_mb=1", "--workers", workers)
    running = job.headrace.start(*job.command(*steps), cwd=job.folder)
    assert hold.reached.wait(WAIT_LIMIT_S)
    figures = job.folder / "stats.json"  # renewed while the run goes on
    for _ in range(10 * WAIT_LIMIT_S):  # the rows of the other files have gone through
        if figures.exists() and json.loads(figures.read_text())["Synced Records"] == 3 * ROWS:
            break
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(0.1)
    running.send_signal(signal.SIGINT)
    try:
        code = running.wait(WAIT_LIMIT_S)
    finally:
        hold.release.set()
    err = running.communicate()[1].decode()
    assert code == 130, err
    assert rows_at_destination(s3, bucket) == list(range(3 * ROWS))
    state = job.entry()["state"]
    assert [key for chunk in state["chunks"] for key in chunk["min"]] == ["d/s/3.csv"]
    job.ok()
    assert rows_at_destination(s3, bucket) == list(range(FILES * ROWS))


@pytest.mark.parametrize("kind", ["get", "upload_part"])
def test_a_state_on_s3_is_free_again(
    job: Job, proxy: Proxy, s3: Any, bucket: str, kind: str
) -> None:
    """The claim is given back on the way out: the next run need not wait for its lease to end."""
    hold = Hold()
    proxy.fault("call", kind=kind, skip=1, times=1, call=hold)
    command = [a if a != "state.json" else f"s3://{bucket}/state.json" for a in job.command(*STEPS)]
    running = job.headrace.start(*command, cwd=job.folder)
    assert hold.reached.wait(WAIT_LIMIT_S), running.communicate(timeout=5)
    running.send_signal(signal.SIGTERM)
    try:
        code = running.wait(WAIT_LIMIT_S)
    finally:
        hold.release.set()
    err = running.communicate()[1].decode()
    assert code == 143, err
    done = job.run(*command)
    assert done.code == 0, done.err
    assert rows_at_destination(s3, bucket) == list(range(FILES * ROWS))
    assert s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


@pytest.mark.parametrize("kind", ["get", "complete_multipart"])
def test_a_second_signal_ends_it_at_once(
    job: Job, proxy: Proxy, s3: Any, bucket: str, kind: str
) -> None:
    hold = Hold()
    proxy.fault("call", kind=kind, times=-1, call=hold)
    running = job.headrace.start(*job.command(*STEPS), cwd=job.folder)
    assert hold.reached.wait(WAIT_LIMIT_S)
    running.send_signal(signal.SIGTERM)
    running.send_signal(signal.SIGINT)
    try:
        code = running.wait(WAIT_LIMIT_S)
    finally:
        proxy.reset()
        hold.release.set()
        running.kill()
        running.communicate()
    assert code in (130, 143)
    job.ok(*STEPS)
    assert rows_at_destination(s3, bucket) == list(range(FILES * ROWS))
    assert s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_discover_ends_too(job: Job, proxy: Proxy) -> None:
    hold = Hold()
    before = job.read("streams.json")
    proxy.fault("call", kind="get", times=-1, call=hold)
    running = job.headrace.start("discover", "--config", "source.json", cwd=job.folder)
    assert hold.reached.wait(WAIT_LIMIT_S)
    running.send_signal(signal.SIGINT)
    try:
        code = running.wait(WAIT_LIMIT_S)
    finally:
        hold.release.set()
        running.kill()
        running.communicate()
    assert code == 130
    assert job.read("streams.json") == before


@pytest.mark.parametrize("kind", ["list", "get"])
def test_copy_ends_too(job: Job, proxy: Proxy, s3: Any, bucket: str, kind: str) -> None:
    hold = Hold()
    proxy.fault("call", kind=kind, times=-1, call=hold)
    job.headrace.environment["AWS_ENDPOINT_URL"] = proxy.endpoint
    out = job.folder / "copied"
    running = job.headrace.start("copy", f"s3://{bucket}/d/s/", f"{out}/", cwd=job.folder)
    assert hold.reached.wait(WAIT_LIMIT_S), running.communicate(timeout=5)
    running.send_signal(signal.SIGTERM)
    try:
        code = running.wait(WAIT_LIMIT_S)
    finally:
        hold.release.set()
    err = running.communicate()[1].decode()
    assert code == 143, err
    assert [p for p in out.rglob("*") if p.is_file()] == []
