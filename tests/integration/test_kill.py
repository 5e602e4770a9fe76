"""The kill matrix: a sync is killed at every place that changes something outside it, then resumed.

The program counts such places (HEADRACE_FAULT=count): before and after every request of a commit,
every fsync, rename and unlink. For each it is run again with SIGKILL there, once more to the end,
and the destination must hold the rows of an undisturbed run, each once, with nothing left over.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import Headrace

ROWS = 5000
FILES = 6


def lake(folder: Path) -> list[tuple[int, str]]:
    """Six CSV files of some 450 KB: with checkpoints of 1 MiB, several commits."""
    rows = []
    for number in range(FILES):
        path = folder / "bucket/data/events" / f"part-{number}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = ["id,text,kind"]
        for i in range(ROWS):
            row = (number * ROWS + i, f"row {i} of file {number} " + "x" * 60)
            rows.append(row)
            lines.append(f"{row[0]},{row[1]},{i % 3}")
        path.write_text("\n".join(lines) + "\n")
    return rows


class Job:
    """One pipeline below a folder of its own: config, catalog, state, destination."""

    def __init__(
        self,
        folder: Path,
        headrace: Headrace,
        lake_folder: Path,
        mode: str,
        workers: int,
        partition: str = "",
    ) -> None:
        self.folder = folder
        self.partition = partition
        self.headrace = headrace
        self.workers = workers
        self.out = folder / "out"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "source.json").write_text(
            json.dumps(
                {
                    "bucket_name": "bucket",
                    "path_prefix": "data",
                    "file_format": "csv",
                    "endpoint": f"file:{lake_folder}",
                }
            )
        )
        (folder / "destination.json").write_text(
            json.dumps({"type": "PARQUET", "writer": {"local_path": str(self.out)}})
        )
        self.write_catalog(mode)

    def write_catalog(self, mode: str) -> None:
        (self.folder / "streams.json").write_text(
            json.dumps(
                {
                    "selected_streams": {
                        "s3": [
                            {
                                "stream_name": "events",
                                "normalization": True,
                                "partition_regex": self.partition,
                            }
                        ]
                    },
                    "streams": [
                        {"stream": {"name": "events", "namespace": "s3", "sync_mode": mode}}
                    ],
                }
            )
        )

    def sync(self, fault: str = "") -> subprocess.CompletedProcess[str]:
        command = [
            str(self.headrace.path),
            "sync",
            *("--config", "source.json", "--catalog", "streams.json"),
            *("--destination", "destination.json", "--state", "state.json"),
            *("--progress", "never", "--workers", str(self.workers)),
            *("--set", "task_mb=1", "--set", "checkpoint_mb=1", "--set", "task_objects=2"),
        ]
        return subprocess.run(
            command,
            check=False,
            cwd=self.folder,
            env={**self.headrace.environment, "HEADRACE_FAULT": fault},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def rows(self) -> list[tuple[Any, ...]]:
        """Every row of every visible file; a broken file fails here."""
        found: list[tuple[Any, ...]] = []
        for path in sorted(self.out.rglob("*.parquet")):
            if not path.name.startswith("."):
                table = pq.read_table(path, columns=["id", "text"])
                found += zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True)
        return sorted(found)

    def leftovers(self) -> list[str]:
        hidden = [str(p) for p in self.out.rglob(".*") if p.is_file()]
        beside = [p.name for p in self.folder.iterdir()]
        return hidden + [n for n in beside if n.endswith((".journal", ".ledger", ".tmp"))]


def places(job: Job) -> int:
    done = job.sync("count")
    assert done.returncode == 0, done.stderr
    match = re.search(r"fault points: (\d+)", done.stderr)
    assert match is not None, done.stderr
    return int(match.group(1))


def resume(job: Job, where: str) -> None:
    for _ in range(3):
        done = job.sync()
        if done.returncode == 0:
            return
    pytest.fail(f"could not resume after {where}: {done.stderr}")


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
def test_killed_anywhere_each_row_once(
    tmp_path: Path, headrace: Headrace, mode: str, workers: int
) -> None:
    want = lake(tmp_path / "lake")
    job = Job(tmp_path / "count", headrace, tmp_path / "lake", mode, workers)
    total = places(job)
    assert total > 20
    assert job.rows() == want
    commits = len(list(job.out.rglob("commit-*.json")))
    assert commits > 1 if mode == "incremental" else commits == 1
    killed = 0
    for place in range(1, total + 1):
        job = Job(tmp_path / "job", headrace, tmp_path / "lake", mode, workers)
        killed += job.sync(f"kill:{place}").returncode == -9
        resume(job, f"place {place} of {total}")
        assert job.rows() == want, f"killed at place {place} of {total}"
        assert job.leftovers() == [], f"killed at place {place} of {total}"
    assert killed >= total - 2  # a second worker may shift the last place
    print(f"kill matrix {mode} workers={workers}: {killed} places, all rows once after each")


@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
def test_killed_anywhere_with_partitions(tmp_path: Path, headrace: Headrace, mode: str) -> None:
    """Every file of every folder belongs to the commit; each third place is enough here."""
    want = lake(tmp_path / "lake")

    def fresh(name: str) -> Job:
        return Job(tmp_path / name, headrace, tmp_path / "lake", mode, 1, "/kind={kind,none,}")

    job = fresh("count")
    total = places(job)
    assert job.rows() == want
    folders = {p.parent.name for p in job.out.rglob("*.parquet")}
    assert folders == {"kind=0", "kind=1", "kind=2"}
    for place in range(1, total + 1, 3):
        job = fresh("job")
        job.sync(f"kill:{place}")
        resume(job, f"place {place} of {total}")
        assert job.rows() == want, f"killed at place {place} of {total}"
        assert job.leftovers() == [], f"killed at place {place} of {total}"


@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
def test_killed_while_a_second_load_runs(tmp_path: Path, headrace: Headrace, mode: str) -> None:
    """The table has rows already; what the second run brings or replaces must survive kills too."""
    source = tmp_path / "lake"
    want = lake(source)
    job = Job(tmp_path / "first", headrace, source, mode, 1)
    assert job.sync().returncode == 0
    extra = source / "bucket/data/events/part-9.csv"
    extra.write_text("id,text\n999999,late\n")
    os.utime(extra)
    want = sorted([*want, (999999, "late")])
    shutil.copytree(tmp_path / "first", tmp_path / "template")

    def fresh(name: str) -> Job:
        job = Job(tmp_path / name, headrace, source, mode, 1)
        shutil.rmtree(job.folder)
        shutil.copytree(tmp_path / "template", job.folder)
        (job.folder / "destination.json").write_text(
            json.dumps({"type": "PARQUET", "writer": {"local_path": str(job.out)}})
        )
        return job

    total = places(fresh("count"))
    for place in range(1, total + 1):
        job = fresh("job")
        job.sync(f"kill:{place}")
        resume(job, f"place {place} of {total}")
        assert job.rows() == want, f"killed at place {place} of {total}"
        assert job.leftovers() == [], f"killed at place {place} of {total}"


def test_killed_during_recovery_too(tmp_path: Path, headrace: Headrace) -> None:
    want = lake(tmp_path / "lake")
    job = Job(tmp_path / "count", headrace, tmp_path / "lake", "incremental", 1)
    total = places(job)
    for place in range(5, total, 7):
        job = Job(tmp_path / "job", headrace, tmp_path / "lake", "incremental", 1)
        job.sync(f"kill:{place}")
        for again in range(1, 12, 2):
            job.sync(f"kill:{again}")
        resume(job, f"place {place}, then at recovery")
        assert job.rows() == want, f"killed at place {place}"
        assert job.leftovers() == []


def test_two_runs_at_once(tmp_path: Path, headrace: Headrace) -> None:
    """One of them gets the state, the other is told so (exit 7); no row is doubled."""
    want = lake(tmp_path / "lake")
    job = Job(tmp_path / "job", headrace, tmp_path / "lake", "incremental", 1)
    (job.folder / "state.json.lock").touch()
    with (job.folder / "state.json.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = job.sync()
    assert refused.returncode == 7
    assert "another run holds the state" in refused.stderr
    resume(job, "the lock was held")
    assert job.rows() == want
