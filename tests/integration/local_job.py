"""A pipeline from a folder of CSV files to a folder, its state in a file beside it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import Headrace
from limits import RUN_LIMIT_S

ROWS = 5000
FILES = 6


def lake(folder: Path) -> list[tuple[int, str]]:
    """Six CSV files of some 450 KB: with checkpoints of 1 MiB, several commits."""
    rows = []
    for number in range(FILES):
        path = folder / "bucket/data/events" / f"part-{number}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = ["id,text"]
        for i in range(ROWS):
            row = (number * ROWS + i, f"row {i} of file {number} " + "x" * 60)
            rows.append(row)
            lines.append(f"{row[0]},{row[1]}")
        path.write_text("\n".join(lines) + "\n")
    return rows


class Job:
    """One pipeline below a folder of its own: config, catalog, state, destination."""

    def __init__(
        self, folder: Path, headrace: Headrace, lake_folder: Path, mode: str, workers: int
    ) -> None:
        self.folder = folder
        self.headrace = headrace
        self.workers = workers
        self.out = folder / "out"
        self.state = "state.json"
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
                    "selected_streams": {"s3": [{"stream_name": "events", "normalization": True}]},
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
            *("--destination", "destination.json", "--state", self.state),
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
            timeout=RUN_LIMIT_S,
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
        ends = (".journal", ".ledger", ".tmp")
        # A run killed while it renews its figures leaves a file that the next one overwrites.
        return hidden + [n for n in beside if n.endswith(ends) and n != "stats.json.tmp"]


def resume(job: Job, where: str) -> None:
    for _ in range(3):
        done = job.sync()
        if done.returncode == 0:
            return
    pytest.fail(f"could not resume after {where}: {done.stderr}")
