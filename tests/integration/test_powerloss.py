"""The power fails: a recorded run is replayed up to every line into what a disk may hold then, the
real program goes on from there, and every row is at the destination once.

`make test` takes a sample of the prefixes, `make soak` (POWERLOSS_STEP=1) all of them.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from conftest import Headrace
from local_job import Job, lake, resume
from powerloss import Disk, Record, build_recorder, record

STEP = int(os.environ.get("POWERLOSS_STEP", "23"))
MIXED = int(os.environ.get("POWERLOSS_MIXED", "1"))


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_recorder(tmp_path_factory.mktemp("record"))


def cut_everywhere(job: Job, whole: Record, want: list[tuple[int, str]], first: int) -> int:
    """Cut the power after each line of the record; -> how many times."""
    cuts = 0
    lines = len(whole.lines)
    for number, disk in whole.prefixes():
        if (number - first) % STEP != 0 and number not in (0, lines):
            continue
        for how in ["lost", "kept"] + ["mixed"] * MIXED:
            rng = random.Random(number * 1000 + cuts)
            disk.crash(job.folder, rng, how)
            before = whole.lines[number - 1] if number else "the start"
            where = f"after line {number} of {lines} ({before}), {how}"
            resume(job, where)
            assert job.rows() == want, where
            swept = job.headrace(
                *("gc", "--state", "state.json", "--destination", "destination.json"),
                cwd=job.folder,
            )
            assert swept.code == 0, f"{where}: {swept.err}"
            assert job.leftovers() == [], where
            cuts += 1
            if how != "mixed":
                continue
            whole_again = job.headrace(
                *("verify", "--state", "state.json", "--destination", "destination.json"),
                cwd=job.folder,
            )
            assert whole_again.code == 0, f"{where}: {whole_again.out}{whole_again.err}"
    return cuts


@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
def test_the_state_is_written_once_a_checkpoint(
    tmp_path: Path, headrace_local: Headrace, recorder: Path, mode: str
) -> None:
    lake(tmp_path / "lake")
    job = Job(tmp_path / "job", headrace_local, tmp_path / "lake", mode, 2)
    whole = record(job, recorder, tmp_path / "log")
    commits = list(job.out.rglob("_headrace/*/commit-*.json"))
    assert len(commits) == (3 if mode == "incremental" else 1)
    renames = [line.split("\t") for line in whole.lines if line.startswith("rename")]
    assert sum(line[-1] == "state.json" for line in renames) == len(commits)


@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
def test_power_cut_in_a_first_load(
    tmp_path: Path, headrace_local: Headrace, recorder: Path, mode: str
) -> None:
    want = lake(tmp_path / "lake")
    job = Job(tmp_path / "job", headrace_local, tmp_path / "lake", mode, 1)
    whole = record(job, recorder, tmp_path / "log")
    assert job.rows() == want
    assert sum(line.startswith("rename") for line in whole.lines) > 4
    assert cut_everywhere(job, whole, want, 3) > 10


@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
def test_power_cut_in_a_second_load(
    tmp_path: Path, headrace_local: Headrace, recorder: Path, mode: str
) -> None:
    """Now there is something to lose: the rows of the first load, its manifest, its state."""
    want = lake(tmp_path / "lake")
    job = Job(tmp_path / "job", headrace_local, tmp_path / "lake", mode, 1)
    resume(job, "the first load")
    (tmp_path / "lake/bucket/data/events/part-9.csv").write_text("id,text\n999999,late\n")
    want = sorted([*want, (999999, "late")])
    whole = record(job, recorder, tmp_path / "log")
    assert job.rows() == want
    assert cut_everywhere(job, whole, want, 5) > 5


def test_power_cut_during_recovery(
    tmp_path: Path, headrace_local: Headrace, recorder: Path
) -> None:
    """Killed with an open journal; the power fails while the next run recovers."""
    want = lake(tmp_path / "lake")
    job = Job(tmp_path / "job", headrace_local, tmp_path / "lake", "incremental", 1)
    for place in range(1, 200):
        job.sync(f"kill:{place}")
        if (job.folder / "state.json.journal").exists():
            break
    whole = record(job, recorder, tmp_path / "log")
    assert job.rows() == want
    assert cut_everywhere(job, whole, want, 1) > 5


def test_the_model_notices_a_missing_fsync(
    tmp_path: Path, headrace_local: Headrace, recorder: Path
) -> None:
    """A program that did not sync its staged files would be caught: the same record without these
    lines loses rows."""
    want = lake(tmp_path / "lake")
    job = Job(tmp_path / "job", headrace_local, tmp_path / "lake", "incremental", 1)
    whole = record(job, recorder, tmp_path / "log")
    assert job.rows() == want
    careless = [x for x in whole.lines if not (x.startswith("sync") and ".parquet" in x)]
    assert len(careless) < len(whole.lines)
    disk = None
    for _, state in Record(whole.start, careless, whole.data).prefixes():
        disk = state
    assert isinstance(disk, Disk)
    disk.crash(job.folder, random.Random(1), "lost")
    done = job.sync()
    verified = job.headrace(
        *("verify", "--state", "state.json", "--destination", "destination.json"), cwd=job.folder
    )
    assert done.returncode != 0 or verified.code == 5
