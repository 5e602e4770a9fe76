"""The data of the benchmark: made once per scale factor, kept in the user's cache.

TPC-H lineitem from tpchgen-cli as CSV and Parquet in eight parts; from the Parquet parts 1 to 4
DuckDB writes JSON lines; gzip -1 of both; 5,000 small JSON files; 100,000 tiny CSV files. The files
are stored through the S3 server once; the server's folder is what stays in the cache.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
from works import BUCKET, OUT_BUCKET

BIN = Path(sys.executable).parent
SMALL_FILES = 5000
SMALL_ROWS = 27
SMALL_FOLDERS = 30
MANY_FILES = 100_000
PARTS = 8


class Data:
    """What is stored for one scale factor, and how to add what is missing."""

    def __init__(self, scale: float, folder: Path) -> None:
        self.scale = scale
        self.folder = folder
        self.staging = folder / "staging"

    @property
    def many(self) -> int:
        """How many tiny files there are at this scale."""
        return max(336, int(MANY_FILES * min(1.0, self.scale)))

    @property
    def small(self) -> int:
        """How many small JSON files there are at this scale."""
        return max(SMALL_FOLDERS, int(SMALL_FILES * min(1.0, self.scale)))

    def ensure(self, needed: set[str], client: Any, environment: dict[str, str]) -> None:
        """Store every data set of `needed` that is not stored yet."""
        makers: dict[str, Callable[[Path], None]] = {
            "csv": self._csv,
            "parquet": self._parquet,
            "csvgz": self._csvgz,
            "jsonl": self._jsonl,
            "jsonlgz": self._jsonlgz,
            "small": self._small,
            "many": self._many,
        }
        existing = {item["Name"] for item in client.list_buckets()["Buckets"]}
        for bucket in (BUCKET, OUT_BUCKET):
            if bucket not in existing:
                client.create_bucket(Bucket=bucket)
        for name in [name for name in makers if name in needed]:
            mark = self.folder / f"{name}.complete"
            if mark.exists():
                continue
            print(f"bench: making {name} at scale {self.scale:g}", file=sys.stderr, flush=True)
            shutil.rmtree(self.staging, ignore_errors=True)
            target = self.staging / name
            target.mkdir(parents=True)
            makers[name](target)
            subprocess.run(
                [BIN / "s5cmd", "--log=error", "cp", f"{target}/", f"s3://{BUCKET}/{name}/"],
                env={
                    **os.environ,
                    **environment,
                    "S3_ENDPOINT_URL": environment["AWS_ENDPOINT_URL"],
                },
                check=True,
            )
            shutil.rmtree(self.staging)
            mark.touch()

    def _generate(self, target: Path, form: str, *options: str) -> None:
        command = [BIN / "tpchgen-cli", form, "-s", f"{self.scale:g}", "--tables=lineitem"]
        command += [f"--parts={PARTS}", f"--output-dir={target}", *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        for path in sorted((target / "lineitem").iterdir()):
            path.rename(target / path.name)
        (target / "lineitem").rmdir()

    def _csv(self, target: Path) -> None:
        self._generate(target, "csv")

    def _parquet(self, target: Path) -> None:
        self._generate(target, "parquet")

    def _half(self, target: Path, form: str) -> None:
        """Parts 1 to 4 of eight."""
        self._generate(target, form)
        for part in range(PARTS // 2 + 1, PARTS + 1):
            (target / f"lineitem.{part}.{form}").unlink()

    def _compress(self, target: Path) -> None:
        for path in sorted(target.iterdir()):
            subprocess.run(["gzip", "-1", path], check=True)

    def _csvgz(self, target: Path) -> None:
        self._half(target, "csv")
        self._compress(target)

    def _jsonl(self, target: Path) -> None:
        self._half(target, "parquet")
        for path in sorted(target.iterdir()):
            to = path.with_suffix(".jsonl")
            duckdb.sql(f"COPY (FROM '{path}') TO '{to}' (FORMAT json)")
            path.unlink()

    def _jsonlgz(self, target: Path) -> None:
        self._jsonl(target)
        self._compress(target)

    def _small(self, target: Path) -> None:
        self._jsonl(target)
        lines = self._lines(sorted(target.iterdir()))
        for number in range(self.small):
            folder = target / f"day-{number % SMALL_FOLDERS + 1:02d}"
            folder.mkdir(exist_ok=True)
            with (folder / f"part-{number:05d}.jsonl").open("wb") as sink:
                sink.writelines(itertools.islice(lines, SMALL_ROWS))
        for path in target.glob("*.jsonl"):
            path.unlink()

    @staticmethod
    def _lines(paths: list[Path]) -> Iterator[bytes]:
        for path in paths:
            with path.open("rb") as source:
                yield from source

    def _many(self, target: Path) -> None:
        days = [(month, day) for month in range(1, 13) for day in range(1, 29)]
        for number in range(self.many):
            month, day = days[number % len(days)]
            folder = target / f"year=2024/month={month:02d}/day={day:02d}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"part-{number:06d}.csv").write_text(f"id,name\n{number},n{number}\n")
