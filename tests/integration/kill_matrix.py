"""What the kill matrix works with: a small lake, a pipeline to a folder or S3 whose state is a file
or on S3, and the checks that hold after every fault.

The program counts the places where it changes something outside itself (HEADRACE_FAULT=count):
before and after every request of a commit, every write of the control object, every fsync, rename
and unlink.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from limits import RUN_LIMIT_S, WAIT_LIMIT_S, where_it_hangs
from minio_server import Minio

ROWS = 5000
LONG_LEASE_S = 36000  # no run renews it, which would shift its places, and none is waited out
Row = tuple[int, str]


def lake(folder: Path, files: int = 6) -> list[Row]:
    """CSV files of some 450 KB: with checkpoints of 1 MiB, several commits."""
    rows = []
    for number in range(files):
        path = folder / "bucket/data/events" / f"part-{number}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = ["id,text,kind"]
        for i in range(ROWS):
            row = (number * ROWS + i, f"row {i} of file {number} " + "x" * 60)
            rows.append(row)
            lines.append(f"{row[0]},{row[1]},{i % 3}")
        path.write_text("\n".join(lines) + "\n")
    return rows


class Cell(NamedTuple):
    """One cell of the matrix."""

    destination: str  # folder, s3
    state: str  # local, s3
    mode: str  # incremental, full_refresh
    workers: int

    def __str__(self) -> str:
        return f"{self.destination}-{self.state}-{self.mode}-{self.workers}"


CELLS = [
    Cell(destination, state, mode, workers)
    for destination in ("folder", "s3")
    for state in ("local", "s3")
    for mode in ("incremental", "full_refresh")
    for workers in (1, 2)
]


@dataclass
class Place:
    """Where runs happen: the program, its server and a bucket of the test's own."""

    program: Path
    minio: Minio
    client: Any
    bucket: str
    home: Path

    def environment(self, endpoint: str | None = None) -> dict[str, str]:
        """Of every run."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""),
            "UBSAN_OPTIONS": os.environ.get("UBSAN_OPTIONS", ""),
            **self.minio.environment(endpoint),
        }

    def __post_init__(self) -> None:
        self.before = set(self._uploads())

    def open_uploads(self) -> list[str]:
        """Unfinished uploads of the server that other tests did not leave behind before. The server
        may be at removing one still: only what stays counts."""
        until = time.monotonic() + WAIT_LIMIT_S
        while found := [path for path in self._uploads() if path not in self.before]:
            if time.monotonic() > until:
                break
            time.sleep(0.1)
        return found

    def _uploads(self) -> list[str]:
        """As the server keeps them on its disk: its list of uploads answers for exact keys only."""
        folder = str(self.minio.data / ".minio.sys/multipart")
        walk = os.walk(folder)  # unlike glob it bears that the server removes folders meanwhile
        return [os.path.relpath(path, folder) for path, _, names in walk if "xl.meta" in names]


class Job:
    """One pipeline: config, catalog, state and destination, all of its own."""

    def __init__(
        self,
        place: Place,
        folder: Path,
        lake_folder: Path,
        cell: Cell,
        endpoint: str | None = None,
        partition: str = "",
    ) -> None:
        self.place = place
        self.cell = cell
        self.folder = folder
        self.endpoint = endpoint
        self.out = folder / "out"
        self.prefix = uuid.uuid4().hex[:12]
        self.options: list[str] = []
        self.lease_s = LONG_LEASE_S
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.write(
            "source.json",
            bucket_name="bucket",
            path_prefix="data",
            file_format="csv",
            endpoint=f"file:{lake_folder}",
        )
        self.write("destination.json", type="PARQUET", writer=self.writer())
        stream = {"name": "events", "namespace": "s3", "sync_mode": cell.mode}
        self.write(
            "streams.json",
            selected_streams={
                "s3": [
                    {
                        "stream_name": "events",
                        "normalization": True,
                        "partition_regex": partition,
                    }
                ]
            },
            streams=[{"stream": stream}],
        )
        self.state = (
            f"s3://{place.bucket}/{self.prefix}/state.json" if cell.state == "s3" else "state.json"
        )

    def write(self, name: str, **document: Any) -> None:
        """A JSON file of the pipeline."""
        (self.folder / name).write_text(json.dumps(document))

    def writer(self) -> dict[str, str]:
        """The destination."""
        if self.cell.destination == "folder":
            return {"local_path": str(self.out)}
        return {
            "s3_bucket": self.place.bucket,
            "s3_region": self.place.minio.region,
            "s3_path": f"{self.prefix}/out",
            "s3_access_key": self.place.minio.access_key,
            "s3_secret_key": self.place.minio.secret_key,
            "s3_endpoint": self.endpoint or self.place.minio.endpoint,
        }

    def command(self) -> list[str]:
        """A sync of it."""
        return [
            str(self.place.program),
            "sync",
            *("--config", "source.json", "--catalog", "streams.json"),
            *("--destination", "destination.json", "--state", self.state),
            *("--progress", "never", "--workers", str(self.cell.workers)),
            *("--set", "task_mb=1", "--set", "checkpoint_mb=1", "--set", "task_objects=2"),
            *("--set", f"state_lease_seconds={self.lease_s}"),
            *self.options,
        ]

    def environment(self, fault: str = "") -> dict[str, str]:
        """Of its runs."""
        return {**self.place.environment(self.endpoint), "HEADRACE_FAULT": fault}

    def sync(self, fault: str = "") -> subprocess.CompletedProcess[str]:
        """One run to its end."""
        return subprocess.run(
            self.command(),
            check=False,
            cwd=self.folder,
            env=self.environment(fault),
            capture_output=True,
            text=True,
            timeout=RUN_LIMIT_S,
        )

    def start(self, fault: str = "") -> subprocess.Popen[str]:
        """One run, for the test to stop, kill or wait for."""
        return subprocess.Popen(
            self.command(),
            cwd=self.folder,
            env=self.environment(fault),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def resume(self, where: str) -> None:
        """Run until it ends well; more than three runs are a failure."""
        for _ in range(3):
            done = self.sync()
            if done.returncode == 0:
                return
            assert done.returncode > 0, f"crashed after {where}: {done.stderr}"
        raise AssertionError(f"could not resume after {where}: {done.stderr}")

    # what is there

    def objects(self) -> list[str]:
        """Objects below the pipeline's own prefix."""
        pages = self.place.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.place.bucket, Prefix=self.prefix + "/"
        )
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def get(self, key: str) -> bytes:
        """One object."""
        body = self.place.client.get_object(Bucket=self.place.bucket, Key=key)["Body"].read()
        assert isinstance(body, bytes)
        return body

    def files(self) -> list[Any]:
        """Visible Parquet files; a broken one fails when it is read."""
        if self.cell.destination == "folder":
            found = sorted(self.out.rglob("*.parquet"))
            return [path for path in found if not path.name.startswith(".")]
        return [io.BytesIO(self.get(key)) for key in self.objects() if key.endswith(".parquet")]

    def rows(self) -> list[Row]:
        """Every row of every visible file, sorted."""
        found: list[Row] = []
        for file in self.files():
            table = pq.read_table(file, columns=["id", "text"])
            found += zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True)
        return sorted(found)

    def commits(self) -> int:
        """Commits that were archived at the destination."""
        if self.cell.destination == "folder":
            return len(list(self.out.rglob("commit-*.json")))
        return len([key for key in self.objects() if re.search(r"/commit-\d+\.json$", key)])

    def leftovers(self) -> list[str]:
        """What a finished run must not leave behind."""
        left = [str(p) for p in self.out.rglob(".*") if p.is_file()]
        left += [
            p.name
            for p in self.folder.iterdir()
            if p.name.endswith((".journal", ".ledger", ".tmp")) and p.name != "stats.json.tmp"
        ]
        if self.cell.state == "s3":
            control = json.loads(self.control()[1])
            left += [f"{name}: {control[name]}" for name in ("journal", "ledger") if control[name]]
            left += [f"owner: {control['owner']}"] if control["owner"] else []
        return left

    def control(self) -> list[bytes]:
        """Lines of the control object."""
        return self.get(f"{self.prefix}/state.json.control").splitlines()

    def check(self, want: list[Row], where: str, uploads: bool = True) -> None:
        """Every row once, every file whole, nothing left over, a readable state. uploads: no other
        job has unfinished ones on the server."""
        assert self.rows() == want, where
        assert self.leftovers() == [], where
        assert not uploads or self.place.open_uploads() == [], where
        if self.cell.state == "s3":
            state = json.loads(self.get(f"{self.prefix}/state.json"))
        else:
            state = json.loads((self.folder / "state.json").read_text())
        assert state["streams"], where


def wait_until_stopped(pid: int) -> None:
    """Until the process stands at the place where it was to stop."""
    until = time.monotonic() + WAIT_LIMIT_S
    while time.monotonic() < until:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "T":
            return
        assert state != "Z", "the run ended before the place where it was to stop"
        time.sleep(0.01)
    raise AssertionError(f"process {pid} did not stop:\n{where_it_hangs(pid)}")


def places(job: Job) -> int:
    """How many places an undisturbed run passes."""
    done = job.sync("count")
    assert done.returncode == 0, done.stderr
    match = re.search(r"fault points: (\d+)", done.stderr)
    assert match is not None, done.stderr
    return int(match.group(1))


def kill_everywhere(
    place: Place, folder: Path, cell: Cell, want: list[Row], step: int = 1, partition: str = ""
) -> tuple[int, int]:
    """Kill a first load at every place (every `step`th), resume, check. Places and kills."""
    job = Job(place, folder / "count", folder / "lake", cell, partition=partition)
    total = places(job)
    job.check(want, "undisturbed")
    killed = 0
    tried = range(1, total + 1, step)
    for at in tried:
        job = Job(place, folder / "job", folder / "lake", cell, partition=partition)
        killed += job.sync(f"kill:{at}").returncode == -9
        job.resume(f"place {at} of {total}")
        job.check(want, f"{cell}: killed at place {at} of {total}")
    assert killed >= len(tried) - 2  # a second worker may shift the last place
    return total, killed


def kill_second_load(place: Place, folder: Path, cell: Cell, step: int = 1) -> tuple[int, int]:
    """Kill the second load of a table at every place (every `step`th). Places and kills.

    Each try starts from a first load of its own, which a new file has joined since.
    """
    source = folder / "lake"
    extra = source / "bucket/data/events/part-9.csv"
    first = lake(source, 2)
    want = sorted([*first, (999999, "late")])

    def loaded(name: str) -> Job:
        extra.unlink(missing_ok=True)
        job = Job(place, folder / name, source, cell)
        assert job.sync().returncode == 0
        extra.write_text("id,text,kind\n999999,late,1\n")
        return job

    total = places(loaded("count"))
    killed = 0
    for at in range(1, total + 1, step):
        job = loaded("job")
        killed += job.sync(f"kill:{at}").returncode == -9
        job.resume(f"place {at} of {total}")
        job.check(want, f"{cell}, second load: killed at place {at} of {total}")
    return total, killed


def kill_in_recovery(
    place: Place, folder: Path, cell: Cell, want: list[Row], step: int = 1
) -> tuple[int, int]:
    """Kill at a place, then recovery at its 1st, 3rd, 5th … place, until it comes through."""
    total = places(Job(place, folder / "count", folder / "lake", cell))
    killed = 0
    for at in range(5, total, step):
        job = Job(place, folder / "job", folder / "lake", cell)
        job.sync(f"kill:{at}")
        for again in range(1, 12, 2):
            killed += job.sync(f"kill:{again}").returncode == -9
        job.resume(f"place {at}, then at recovery")
        job.check(want, f"{cell}: killed at place {at}, then during recovery")
    return total, killed


def table(results: dict[Cell, list[tuple[int, int]]]) -> str:
    """The matrix as Markdown, from places and kills of each cell's first load, second load and
    recovery."""
    lines = ["| destination | state | mode | workers | first load | second load | in recovery |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    for cell, (first, second, recovery) in results.items():
        mode = "append" if cell.mode == "incremental" else "overwrite"
        lines.append(
            f"| {cell.destination} | {cell.state} | {mode} | {cell.workers} "
            f"| {first[1]} of {first[0]} | {second[1]} of {second[0]} | {recovery[1]} |"
        )
    total = sum(killed for cell in results.values() for _, killed in cell)
    lines.append(f"\n{total} kills, each resumed: rows, files and leftovers as after no kill.")
    return "\n".join(lines)
