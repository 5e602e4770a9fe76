"""A pipeline as an Olake user keeps it: four JSON files in a folder, over a lake of files.

The lake is a local folder, where a test sets every time, or a bucket of the test's server. What a
test asserts is what the user sees: rows in Parquet files, and state.json.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from conftest import Headrace, Result


class Lake(Protocol):
    """Where the source files are."""

    def put(self, key: str, body: str | bytes, when: float | None = None) -> None:
        """Store an object below the prefix `d/`; `when` sets its time where a store allows it."""

    def remove(self, key: str) -> None:
        """Delete an object."""

    def config(self) -> dict[str, Any]:
        """Keys of source.json that lead here."""


class FolderLake:
    """A folder; every time can be set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bucket/d").mkdir(parents=True, exist_ok=True)

    def path(self, key: str) -> Path:
        return self.folder / "bucket/d" / key

    def put(self, key: str, body: str | bytes, when: float | None = None) -> None:
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body.encode() if isinstance(body, str) else body)
        if when is not None:
            os.utime(path, (when, when))

    def remove(self, key: str) -> None:
        self.path(key).unlink()

    def config(self) -> dict[str, Any]:
        return {"bucket_name": "bucket", "path_prefix": "d", "endpoint": f"file:{self.folder}"}


class BucketLake:
    """A bucket; the server sets the times."""

    def __init__(self, s3: Any, bucket: str, environment: dict[str, str]) -> None:
        self.s3 = s3
        self.bucket = bucket
        self.environment = environment

    def put(self, key: str, body: str | bytes, when: float | None = None) -> None:
        assert when is None, "an S3 server sets the times"
        self.s3.put_object(Bucket=self.bucket, Key=f"d/{key}", Body=body)

    def remove(self, key: str) -> None:
        self.s3.delete_object(Bucket=self.bucket, Key=f"d/{key}")

    def config(self) -> dict[str, Any]:
        return {
            "bucket_name": self.bucket,
            "path_prefix": "d",
            "region": "us-east-1",
            "endpoint": self.environment["AWS_ENDPOINT_URL"],
            "access_key_id": self.environment["AWS_ACCESS_KEY_ID"],
            "secret_access_key": self.environment["AWS_SECRET_ACCESS_KEY"],
        }


class Job:
    """source.json, destination.json, streams.json, state.json and the folder `out`."""

    def __init__(self, headrace: Headrace, folder: Path, lake: Lake, **source: Any) -> None:
        self.headrace = headrace
        self.folder = folder
        self.lake = lake
        self.out = folder / "out"
        folder.mkdir(parents=True, exist_ok=True)
        self.source(**{"file_format": "csv", **source})
        self.write("destination.json", {"type": "PARQUET", "writer": {"local_path": str(self.out)}})

    def write(self, name: str, what: Any) -> None:
        (self.folder / name).write_text(json.dumps(what))

    def read(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text())

    def source(self, **more: Any) -> None:
        self.write("source.json", {**self.lake.config(), **more})

    def select(
        self, *streams: str, mode: str = "incremental", entry: Any = None, **stream: Any
    ) -> None:
        """A catalog without columns (they are inferred): `entry` adds to selected_streams[]."""
        self.write(
            "streams.json",
            {
                "selected_streams": {
                    "s3": [{"stream_name": name, **(entry or {})} for name in streams]
                },
                "streams": [
                    {"stream": {"name": name, "namespace": "s3", "sync_mode": mode, **stream}}
                    for name in streams
                ],
            },
        )

    def run(self, *args: str, **how: Any) -> Result:
        return self.headrace(*args, cwd=self.folder, **how)

    def command(self, *more: str) -> tuple[str, ...]:
        return (
            "sync",
            *("--config", "source.json", "--catalog", "streams.json"),
            *("--destination", "destination.json", "--state", "state.json"),
            *("--progress", "never"),
            *more,
        )

    def sync(self, *more: str, **how: Any) -> Result:
        return self.run(*self.command(*more), **how)

    def ok(self, *more: str) -> Result:
        done = self.sync(*more)
        assert done.code == 0, done.err
        return done

    def discover(self, *more: str) -> Any:
        done = self.run("discover", "--config", "source.json", *more)
        assert done.code == 0, done.err
        return self.read("streams.json")

    def table(self, stream: str = "s") -> pa.Table:
        """All visible rows; a file that cannot be read whole fails the test."""
        tables = [pq.read_table(path) for path in sorted(self.out.glob(f"*/{stream}/*.parquet"))]
        return pa.concat_tables(tables, promote_options="permissive") if tables else pa.table({})

    def column(self, name: str, stream: str = "s") -> list[Any]:
        table = self.table(stream)
        return table[name].to_pylist() if name in table.column_names else []

    def entry(self, stream: str = "s") -> Any:
        """The stream's entry in state.json."""
        found = [e for e in self.read("state.json")["streams"] if e["stream"] == stream]
        assert len(found) == 1
        return found[0]
