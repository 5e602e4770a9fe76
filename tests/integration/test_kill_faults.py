"""Commits under every other fault: full disks, a server that stops in the middle, answers that are
lost on the way. After it the next run completes the load and every row is there once."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Headrace
from kill_matrix import Cell, Job, Place, lake, places, wait_until_stopped
from limits import RUN_LIMIT_S, WAIT_LIMIT_S
from minio_server import Minio
from proxy import Proxy, Request

ON_S3 = Cell("s3", "s3", "incremental", 1)


@pytest.fixture
def place(headrace: Headrace, minio: Minio, s3: Any, bucket: str, tmp_path: Path) -> Place:
    """Where the pipelines of a test run."""
    return Place(headrace.path, minio, s3, bucket, tmp_path)


@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
def test_disk_full_at_every_write(tmp_path: Path, place: Place, mode: str) -> None:
    """From the Nth write or sync on, nothing can be written any more."""
    cell = Cell("folder", "local", mode, 1)
    want = lake(tmp_path / "lake", 1)
    counted = Job(place, tmp_path / "count", tmp_path / "lake", cell).sync("count")
    found = re.search(r"fault writes: (\d+)", counted.stderr)
    assert found is not None, counted.stderr
    total = int(found.group(1))
    assert total > 10
    for at in range(1, total + 1, 1 if mode == "incremental" else 3):
        job = Job(place, tmp_path / "job", tmp_path / "lake", cell)
        failed = job.sync(f"nospace:{at}")
        assert failed.returncode == 1, f"write {at} of {total}: {failed.stderr}"
        assert "space" in failed.stderr, f"write {at} of {total}"
        assert job.rows() in ([], want), f"write {at} of {total}"  # a broken file fails to be read
        done = job.sync()
        assert done.returncode == 0, f"after write {at} of {total}: {done.stderr}"
        job.check(want, f"disk full at write {at} of {total}")


# ---- a server that stops ----


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Minio]:
    """A server of the test's own, to be stopped."""
    with Minio(tmp_path / "minio/data") as server:
        server.client().create_bucket(Bucket="own")
        yield server


@pytest.fixture
def own_proxy(own_server: Minio) -> Iterator[Proxy]:
    """The address that stays while the server does not."""
    with Proxy(own_server.address) as running:
        yield running


class Away:
    """The first request meets no server; those behind it are held until there is one again."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.met = threading.Event()
        self.back = threading.Event()

    def __call__(self, request: Request) -> None:
        with self.lock:
            first = not self.met.is_set()
            self.met.set()
        if not first:
            self.back.wait(WAIT_LIMIT_S)


@pytest.mark.parametrize("retries", [0, 8])
def test_server_stopped_and_started_mid_publish(
    tmp_path: Path, headrace: Headrace, own_server: Minio, own_proxy: Proxy, retries: int
) -> None:
    """The run is held at a place, the server killed and the run let go on: it waits for the server
    as long as it retries, or gives up; then the next run completes the commit."""
    want = lake(tmp_path / "lake", 1)
    client = own_server.client(own_proxy.endpoint)
    place = Place(headrace.path, own_server, client, "own", tmp_path)

    def a_job(name: str) -> Job:
        return Job(place, tmp_path / name, tmp_path / "lake", ON_S3, own_proxy.endpoint)

    def restart() -> None:
        own_server.restart()
        own_proxy.upstream = own_server.address

    total = places(a_job("count"))
    for at in range(total // 2, total, 6):
        job = a_job("job")
        job.options = ["--set", f"retry_count={retries}"]
        run = job.start(f"stop:{at}")
        wait_until_stopped(run.pid)
        own_server.kill()
        away = Away()
        if retries > 0:
            own_proxy.fault("call", times=-1, call=away)
        os.kill(run.pid, signal.SIGCONT)
        if retries == 0:
            _, err = run.communicate(timeout=RUN_LIMIT_S)
            assert run.returncode in (0, 1), f"place {at}: {err}"
            restart()
        else:
            while run.poll() is None and not away.met.wait(0.05):
                pass  # behind its last request it asks no more
            restart()
            own_proxy.reset()
            away.back.set()
            _, err = run.communicate(timeout=RUN_LIMIT_S)
            assert run.returncode == 0, f"place {at}: {err}"
        job.resume(f"the server stopped at place {at}")
        job.check(want, f"the server stopped at place {at} of {total}")


# ---- answers lost on the way ----

COMPLETE = {"kind": "complete_multipart"}
CONTROL = {"kind": "put", "key": r"/state\.json\.control$"}
STATE = {"kind": "put", "key": r"/state\.json$"}
MANIFEST = {"kind": "put", "key": r"/manifest\.json$"}


@pytest.mark.parametrize("retries", [0, 2])
@pytest.mark.parametrize("action", ["lost", "reset"])
@pytest.mark.parametrize(
    "which", [COMPLETE, STATE, MANIFEST], ids=["complete", "state", "manifest"]
)
def test_answer_cut_once(
    tmp_path: Path, place: Place, proxy: Proxy, which: dict[str, str], action: str, retries: int
) -> None:
    """lost: the server did it, the answer never came. reset: the server never saw it."""
    want = lake(tmp_path / "lake", 2)
    job = Job(place, tmp_path / "job", tmp_path / "lake", ON_S3, proxy.endpoint)
    job.options = ["--set", f"retry_count={retries}"]
    fault = proxy.fault(action, **which)
    run = job.sync()
    assert fault.hits == 1
    assert run.returncode == 0 or (run.returncode == 1 and retries == 0), run.stderr
    if action == "lost" and which in (COMPLETE, STATE):
        assert run.returncode == 0, run.stderr  # what happened is seen by looking
    job.resume("an answer was cut")
    job.check(want, f"{action} {which}")


@pytest.mark.parametrize("action", ["lost", "reset"])
def test_every_write_of_the_control_object_cut(
    tmp_path: Path, place: Place, proxy: Proxy, action: str
) -> None:
    """Without a retry by the client: reading the object tells whether the write happened, and one
    that did not is made again."""
    want = lake(tmp_path / "lake", 1)
    job = Job(place, tmp_path / "count", tmp_path / "lake", ON_S3, proxy.endpoint)
    assert job.sync().returncode == 0
    writes = [r for r in proxy.requests if r.kind == "put" and r.key.endswith(".control")]
    assert len(writes) >= 6  # claim, two that must fail, ledger, journal, dropped, let go
    proven = [r.status for r in writes if r.status == 412]
    assert len(proven) == 2
    for at in range(len(writes)):
        job = Job(place, tmp_path / "job", tmp_path / "lake", ON_S3, proxy.endpoint)
        job.options = ["--set", "retry_count=0"]
        proxy.reset()
        fault = proxy.fault(action, skip=at, **CONTROL)
        run = job.sync()
        assert fault.hits == 1
        if at not in (1, 2):  # the two proofs are not repeated: the run ends, nothing was done
            assert run.returncode == 0, f"write {at}: {run.stderr}"
        job.resume(f"write {at} of the control object was cut")
        if at < len(writes) - 1 or action == "lost":
            job.check(want, f"{action} write {at} of the control object")


def test_complete_that_never_answers(tmp_path: Path, place: Place, proxy: Proxy) -> None:
    """In doubt: exit 1, nothing taken back, and the next run completes the commit."""
    want = lake(tmp_path / "lake", 1)
    job = Job(place, tmp_path / "job", tmp_path / "lake", ON_S3, proxy.endpoint)
    job.options = ["--set", "retry_count=1"]
    proxy.fault("reset", kind="complete_multipart", times=-1)
    run = job.sync()
    assert run.returncode == 1, run.stderr
    assert "could not settle the commit" in run.stderr
    assert job.rows() == []
    proxy.reset()
    job.resume("Complete never answered")
    job.check(want, "Complete never answered")


def test_upload_that_lost_its_parts(tmp_path: Path, place: Place, proxy: Proxy) -> None:
    """MinIO can lose the parts of an upload when the client dies during its Complete: the upload is
    gone, and its rows are loaded again."""
    want = lake(tmp_path / "lake", 1)
    job = Job(place, tmp_path / "job", tmp_path / "lake", ON_S3, proxy.endpoint)
    proxy.fault("status", status=400, code="InvalidPart", **COMPLETE)
    run = job.sync()
    assert run.returncode == 1, run.stderr
    assert "its upload is gone" in run.stderr
    assert job.rows() == []
    job.resume("the upload lost its parts")
    job.check(want, "the upload lost its parts")


def test_state_changed_by_somebody_else(tmp_path: Path, place: Place) -> None:
    """What another program wrote over the state while a run held it stays: exit 7."""
    lake(tmp_path / "lake", 1)
    total = places(Job(place, tmp_path / "count", tmp_path / "lake", ON_S3))
    job = Job(place, tmp_path / "job", tmp_path / "lake", ON_S3)
    run = job.start(f"stop:{total // 2}")
    wait_until_stopped(run.pid)
    foreign = b'{"type":"STREAM","version":7,"streams":[]}'
    place.client.put_object(Bucket=place.bucket, Key=f"{job.prefix}/state.json", Body=foreign)
    os.kill(run.pid, signal.SIGCONT)
    _, err = run.communicate(timeout=RUN_LIMIT_S)
    assert run.returncode == 7, err
    assert "it changed while this run held it" in err
    assert job.get(f"{job.prefix}/state.json") == foreign
