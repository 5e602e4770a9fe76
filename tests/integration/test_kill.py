"""The kill matrix: a sync is killed at every place that changes something outside it, then resumed.

For each place it is run once with SIGKILL there, once more to the end, and the destination must
hold the rows of an undisturbed run, each once, with nothing left over. Here every place of the
smallest load runs, of larger ones a part; `make soak` runs all (tests/soak/kill_soak.py).
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Headrace
from kill_matrix import (
    CELLS,
    Cell,
    Job,
    Place,
    kill_everywhere,
    kill_in_recovery,
    kill_second_load,
    lake,
    places,
)
from minio_server import Minio

APPEND = Cell("folder", "local", "incremental", 1)
ON_S3 = Cell("s3", "s3", "incremental", 1)


@pytest.fixture
def place(headrace: Headrace, minio: Minio, s3: Any, bucket: str, tmp_path: Path) -> Place:
    """Where the pipelines of a test run."""
    return Place(headrace.path, minio, s3, bucket, tmp_path)


@pytest.mark.parametrize("cell", [c for c in CELLS if c.workers == 1], ids=str)
def test_smallest_load_killed_anywhere(tmp_path: Path, place: Place, cell: Cell) -> None:
    want = lake(tmp_path / "lake", 1)
    mixed = (cell.destination == "s3") != (cell.state == "s3")  # each half is whole elsewhere
    total, killed = kill_everywhere(place, tmp_path, cell, want, 3 if mixed else 1)
    assert total > 20
    print(f"kill matrix {cell}: {killed} places, all rows once after each")


@pytest.mark.parametrize(
    ("cell", "step"),
    [(APPEND._replace(workers=2), 5), (ON_S3._replace(workers=2), 6)],
    ids=str,
)
def test_several_commits_killed_anywhere(
    tmp_path: Path, place: Place, cell: Cell, step: int
) -> None:
    want = lake(tmp_path / "lake", 6)
    kill_everywhere(place, tmp_path, cell, want, step)


@pytest.mark.parametrize(
    ("cell", "step"),
    [
        (APPEND, 9),
        (APPEND._replace(mode="full_refresh"), 7),
        (ON_S3, 9),
        (ON_S3._replace(mode="full_refresh"), 9),
    ],
    ids=str,
)
def test_several_files_a_commit_killed_anywhere(
    tmp_path: Path, place: Place, cell: Cell, step: int
) -> None:
    """Files of three folders belong to each commit."""
    want = lake(tmp_path / "lake", 3)
    kill_everywhere(place, tmp_path, cell, want, step, "/kind={kind,none,}")


@pytest.mark.parametrize(
    ("cell", "step"),
    [
        (APPEND, 5),
        (APPEND._replace(mode="full_refresh"), 4),
        (ON_S3._replace(mode="full_refresh"), 5),
    ],
    ids=str,
)
def test_second_load_killed_anywhere(tmp_path: Path, place: Place, cell: Cell, step: int) -> None:
    """The table has rows already; what the second run brings or replaces must survive kills too."""
    kill_second_load(place, tmp_path, cell, step)


@pytest.mark.parametrize("cell", [APPEND, ON_S3], ids=str)
def test_killed_during_recovery_too(tmp_path: Path, place: Place, cell: Cell) -> None:
    kill_in_recovery(place, tmp_path, cell, lake(tmp_path / "lake", 1), step=5)


@pytest.mark.parametrize("cell", [APPEND, ON_S3], ids=str)
def test_killed_at_any_time(tmp_path: Path, place: Place, cell: Cell) -> None:
    want = lake(tmp_path / "lake", 3)
    job = Job(place, tmp_path / "job", tmp_path / "lake", cell)
    began = time.monotonic()
    assert job.sync().returncode == 0
    took = time.monotonic() - began
    for number in range(6):
        job = Job(place, tmp_path / "job", tmp_path / "lake", cell)
        for _ in range(3):
            run = job.start()
            time.sleep(random.random() * took)
            run.kill()
            run.communicate()
        job.resume(f"kill {number} at a random time")
        assert job.rows() == want


# ---- two runs ----


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
    for _ in range(5):
        job = Job(place, tmp_path / "job", tmp_path / "lake", cell)
        runs = [job.start(), job.start()]
        ends = [run.communicate()[1] for run in runs]
        codes = sorted(run.returncode for run in runs)
        assert codes in ([0, 7], [0, 0]), ends  # one waits for nobody; one may be quick enough
        job.check(want, "two at once")


@pytest.mark.parametrize("cell", [APPEND, ON_S3], ids=str)
def test_one_of_two_killed(tmp_path: Path, place: Place, cell: Cell) -> None:
    want = lake(tmp_path / "lake", 1)
    for number in range(6):
        job = Job(place, tmp_path / "job", tmp_path / "lake", cell)
        runs = [job.start(), job.start()]
        time.sleep(0.02 * number)
        runs[number % 2].kill()
        for run in runs:
            run.communicate()
        assert runs[1 - number % 2].returncode in (0, 7)
        job.resume("one of two was killed")
        assert job.rows() == want


def places_of(place: Place, folder: Path, cell: Cell) -> int:
    return places(Job(place, folder / "count", folder / "lake", cell))


def wait_until_stopped(pid: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "T":
            return
        assert state != "Z", "the run ended before the place where it was to stop"
        time.sleep(0.01)
    pytest.fail(f"process {pid} did not stop")


@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
def test_lease_of_a_stopped_run_is_taken_over(tmp_path: Path, place: Place, mode: str) -> None:
    """A run is stopped at every second place until its lease has run out; another takes over and
    does all the work. Continued, the first must see that and publish nothing more."""
    cell = ON_S3._replace(mode=mode)
    want = lake(tmp_path / "lake", 1)
    total = places_of(place, tmp_path, cell)
    stopped = []
    for at in range(2, total + 1, 2):
        job = Job(place, tmp_path / f"job-{at}", tmp_path / "lake", cell)
        job.options = ["--set", "state_lease_seconds=1"]
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
        _, err = run.communicate(timeout=60)
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
    assert replaced >= len(stopped) - 6, f"{replaced} of {len(stopped)}"
