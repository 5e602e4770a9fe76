"""Two runs of one pipeline: one holds the state, or is replaced while it is stopped."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Headrace
from kill_matrix import Cell, Job, Place, lake, places, wait_until_stopped
from limits import RUN_LIMIT_S
from minio_server import Minio

APPEND = Cell("folder", "local", "incremental", 1)
ON_S3 = Cell("s3", "s3", "incremental", 1)


@pytest.fixture
def place(headrace: Headrace, minio: Minio, s3: Any, bucket: str, tmp_path: Path) -> Place:
    """Where the pipelines of a test run."""
    return Place(headrace.path, minio, s3, bucket, tmp_path)


@pytest.mark.parametrize("cell", [APPEND, ON_S3], ids=str)
def test_second_run_is_refused(tmp_path: Path, place: Place, cell: Cell) -> None:
    """While one run holds the state (stopped, to hold it long enough), another gets exit 7; the
    state of a run that was killed is free at once."""
    want = lake(tmp_path / "lake", 1)
    job = Job(place, tmp_path / "job", tmp_path / "lake", cell)
    first = job.start(f"stop:{places_of(place, tmp_path, cell) // 2}")
    wait_until_stopped(first.pid)
    refused = job.sync()
    assert refused.returncode == 7, refused.stderr
    assert "another run holds the state" in refused.stderr
    if cell.state == "s3":
        assert f"process {first.pid} on " in refused.stderr
    first.kill()
    first.communicate()
    job.resume("the first run was killed")
    job.check(want, "one run was refused, one killed")


@pytest.mark.parametrize("cell", [APPEND, ON_S3], ids=str)
def test_two_runs_started_together(tmp_path: Path, place: Place, cell: Cell) -> None:
    want = lake(tmp_path / "lake", 1)
    for _ in range(3):
        job = Job(place, tmp_path / "job", tmp_path / "lake", cell)
        runs = [job.start(), job.start()]
        ends = [run.communicate()[1] for run in runs]
        codes = sorted(run.returncode for run in runs)
        assert codes in ([0, 7], [0, 0]), ends  # one waits for nobody; one may be quick enough
        job.check(want, "two at once")


@pytest.mark.parametrize("cell", [APPEND, ON_S3], ids=str)
def test_one_of_two_killed(tmp_path: Path, place: Place, cell: Cell) -> None:
    """It dies at a place of its own, wherever the other is then, or was refused before."""
    want = lake(tmp_path / "lake", 1)
    total = places_of(place, tmp_path, cell)
    for number in range(6):
        job = Job(place, tmp_path / "job", tmp_path / "lake", cell)
        doomed = f"kill:{1 + number * (total - 1) // 5}"
        runs = [job.start("" if number % 2 else doomed), job.start(doomed if number % 2 else "")]
        ends = [run.communicate()[1] for run in runs]
        assert runs[number % 2].returncode in (-9, 0, 7), ends
        assert runs[1 - number % 2].returncode in (0, 7), ends
        job.resume("one of two was killed")
        job.check(want, "one of two was killed")


def places_of(place: Place, folder: Path, cell: Cell) -> int:
    return places(Job(place, folder / "count", folder / "lake", cell))


@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
def test_lease_of_a_stopped_run_is_taken_over(tmp_path: Path, place: Place, mode: str) -> None:
    """A run is stopped at every third place until its lease has run out; another takes over and
    does all the work. Continued, the first must see that and publish nothing more."""
    cell = ON_S3._replace(mode=mode)
    want = lake(tmp_path / "lake", 1)
    total = places_of(place, tmp_path, cell)
    stopped = []
    for at in range(2, total + 1, 3):
        job = Job(place, tmp_path / f"job-{at}", tmp_path / "lake", cell)
        job.lease_s = 1
        run = job.start(f"stop:{at}")
        wait_until_stopped(run.pid)
        stopped.append((at, job, run))
    time.sleep(4)  # the lease, and the second others wait longer
    replaced = 0
    for at, job, run in stopped:
        done = job.sync()
        assert done.returncode == 0, f"place {at}: {done.stderr}"
        assert job.rows() == want
        os.kill(run.pid, signal.SIGCONT)
        _, err = run.communicate(timeout=RUN_LIMIT_S)
        assert run.returncode in (0, 7), f"place {at}: {err}"
        replaced += run.returncode == 7
        if run.returncode == 7:
            assert "another run" in err, f"place {at}"
        job.check(want, f"{mode}: taken over at place {at} of {total}", uploads=False)
        again = job.sync()
        assert again.returncode == 0, again.stderr
        job.check(want, f"{mode}: and once more after place {at}", uploads=False)
    assert place.open_uploads() == []
    # Stopped before its claim stands, or after its last commit, a run has lost nothing.
    print(f"{mode}: {replaced} of {len(stopped)} stopped runs were told")
    assert replaced >= len(stopped) - 4, f"{replaced} of {len(stopped)}"
