"""Random lakes, faults and kills until the time is over; every result is compared with an oracle.

usage: soak.py SECONDS [SEED]

Each round draws from one seed, which it prints:

copy  files of a random format on MinIO, read and written through the proxy while requests fail in
      random ways, each less often than the program retries. It succeeds, and the rows are exactly
      those stored.
sync  the same lake, synced to a folder or S3, its state in a file or on S3. The run is killed at
      random moments, files are added in between; in the end every row is there once.

A failed round keeps its folder and prints the command that repeats it.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/integration"))

import pyarrow as pa  # noqa: E402
import pyarrow.csv  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from minio_server import Minio  # noqa: E402
from proxy import Proxy  # noqa: E402

PROGRAM = os.environ.get("HEADRACE", str(ROOT / "build/headrace"))
RUN_LIMIT_S = 60
WORDS = ["", "a", "plain text", 'quo"te', "com,ma", "line\nbreak", "ünïcode", "tab\t", "  spaces "]
Row = tuple[int, str, float]


class WrongError(Exception):
    """A result that is not what it must be."""


class Lake:
    """Random files of one format; remembers every row that it has made."""

    def __init__(self, rng: random.Random, form: str) -> None:
        self.rng = rng
        self.form = form
        self.rows: list[Row] = []
        self.files = 0

    def draw(self) -> tuple[str, bytes]:
        """Name and content of one more file."""
        count = self.rng.choice([1, 2, 10, 500, 20_000])
        base = len(self.rows)
        rows = [
            (base + i, f"{self.rng.choice(WORDS)}x{self.rng.randrange(1000)}", (base + i) / 8 + 0.5)
            for i in range(count)
        ]
        self.rows += rows
        self.files += 1
        name = f"day={self.rng.randrange(5)}/part-{self.files:04d}.{self.suffix()}"
        data = self.encode(rows)
        if self.form != "parquet" and self.rng.random() < 0.4:
            return f"{name}.gz", gzip.compress(data, self.rng.choice([1, 6]))
        return name, data

    def suffix(self) -> str:
        """Of the file names."""
        return {"csv": "csv", "json": "jsonl", "parquet": "parquet"}[self.form]

    def encode(self, rows: list[Row]) -> bytes:
        """The rows in the lake's format."""
        if self.form == "json":
            lines = [json.dumps({"id": i, "text": t, "value": v}) + "\n" for i, t, v in rows]
            return "".join(lines).encode()
        table = pa.table(
            {
                "id": [row[0] for row in rows],
                "text": [row[1] for row in rows],
                "value": [row[2] for row in rows],
            }
        )
        sink = pa.BufferOutputStream()
        if self.form == "csv":
            pyarrow.csv.write_csv(table, sink)
        else:
            pq.write_table(table, sink, row_group_size=self.rng.choice([100, 5000, 100_000]))
        return sink.getvalue().to_pybytes()

    def compare(self, files: list[Any]) -> None:
        """Every row once, no other row."""
        got: Counter[Row] = Counter()
        for file in files:
            table = pq.read_table(file, columns=["id", "text", "value"])
            columns = [column.to_pylist() for column in table.columns]
            got.update(zip(*columns, strict=True))
        want = Counter(self.rows)
        if got != want:
            raise WrongError(
                f"{sum((want - got).values())} rows are missing, "
                f"{sum((got - want).values())} are there that should not be, of {len(self.rows)}"
            )


def run(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Exit status and messages of one run; one that hangs is wrong."""
    try:
        done = subprocess.run(
            [PROGRAM, *command],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=RUN_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise WrongError(f"{' '.join(command)} ran over {RUN_LIMIT_S} s") from late
    message = done.stderr.decode(errors="replace")
    if done.returncode < 0 or "Sanitizer" in message:
        raise WrongError(f"{' '.join(command)} crashed ({done.returncode}): {message[-3000:]}")
    return done.returncode, message


def add_faults(rng: random.Random, proxy: Proxy) -> None:
    """A few faults of any kind; each hits once, so that retries have a chance."""
    for _ in range(rng.choice([0, 2, 4, 5])):
        action = rng.choice(["reset", "truncate", "status", "delay", "lost", "error200"])
        kinds = ["complete_multipart"] if action == "error200" else ["get", "list", "put"]
        if action == "lost":
            kinds = ["put", "upload_part", "complete_multipart"]
        proxy.fault(
            action,
            kind=rng.choice([*kinds, "upload_part"] if action == "status" else kinds),
            skip=rng.choice([0, 0, 1, 2, 4, 8]),
            after=rng.choice([0, 1, 100, 5000]),
            seconds=rng.random() / 4,
            status=rng.choice([500, 502, 503]),
            code=rng.choice(["SlowDown", "InternalError"]),
        )


def copy_round(rng: random.Random, folder: Path, minio: Minio) -> str:
    """One copy under faults."""
    lake = Lake(rng, rng.choice(["csv", "json", "parquet"]))
    client = minio.client()
    bucket = f"soak-{rng.randrange(1 << 40):x}"
    client.create_bucket(Bucket=bucket)
    for _ in range(rng.randrange(1, 20)):
        name, data = lake.draw()
        client.put_object(Bucket=bucket, Key=f"in/{name}", Body=data)
    with Proxy(minio.address) as proxy:
        add_faults(rng, proxy)
        command = ["copy", f"s3://{bucket}/in/**/*.{lake.suffix()}*", f"s3://{bucket}/out/"]
        command += ["--workers", str(rng.choice([1, 2, 8])), "--progress", "never"]
        code, message = run(command, folder, minio.environment(proxy.endpoint))
        faults = Counter(request.fault for request in proxy.requests if request.fault)
    listed = client.list_objects_v2(Bucket=bucket, Prefix="out/").get("Contents", [])
    keys = [item["Key"] for item in listed if "/_" not in item["Key"]]
    if code != 0:
        seen = f", yet {keys} are visible" if keys else ""
        raise WrongError(f"copy: exit {code}{seen} after {dict(faults)}: {message}")
    for key in keys:
        client.download_file(bucket, key, str(folder / Path(key).name))
    lake.compare([folder / Path(key).name for key in keys])
    return f"{lake.form}, {lake.files} files, {len(lake.rows)} rows, faults {dict(faults)}"


def write_destination(folder: Path, minio: Minio, bucket: str | None) -> None:
    """The destination's configuration: below dst, of the bucket or of the folder."""
    writer = {"local_path": "dst"}
    if bucket is not None:
        writer = {"s3_bucket": bucket, "s3_path": "dst", "s3_region": minio.region}
        writer |= {"s3_access_key": minio.access_key, "s3_secret_key": minio.secret_key}
        writer["s3_endpoint"] = minio.endpoint
    (folder / "destination.json").write_text(json.dumps({"type": "PARQUET", "writer": writer}))


def killed_runs(
    rng: random.Random, folder: Path, command: list[str], store: Callable[[], None]
) -> int:
    """Runs that are killed at random moments, files added in between; how many were."""
    kills = 0
    for _ in range(rng.randrange(1, 6)):
        process = subprocess.Popen(
            [PROGRAM, *command],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(rng.random() ** 2 * 0.3)
        kills += process.poll() is None
        process.kill()
        process.wait()
        if rng.random() < 0.5:
            store()
    return kills


def sync_round(rng: random.Random, folder: Path, minio: Minio) -> str:
    """One stream, synced by runs that are killed."""
    lake = Lake(rng, rng.choice(["csv", "json", "parquet"]))
    on_s3 = rng.random() < 0.5
    bucket = f"soak-{rng.randrange(1 << 40):x}"
    client = minio.client()
    client.create_bucket(Bucket=bucket)

    def store() -> None:
        for _ in range(rng.randrange(1, 10)):
            name, data = lake.draw()
            if on_s3:
                client.put_object(Bucket=bucket, Key=f"data/rows/{name}", Body=data)
            else:
                path = folder / bucket / "data/rows" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)

    source: dict[str, Any] = {"bucket_name": bucket, "path_prefix": "data/", "region": "us-east-1"}
    source |= {"file_format": lake.form, "max_threads": rng.choice([1, 2, 8])}
    source["endpoint"] = minio.endpoint if on_s3 else "file:."
    if on_s3:
        source |= {"access_key_id": minio.access_key, "secret_access_key": minio.secret_key}
    (folder / "source.json").write_text(json.dumps(source))
    to_s3 = rng.random() < 0.5
    write_destination(folder, minio, bucket if to_s3 else None)
    # The state's keys are those of whichever side is S3.
    state_on_s3 = (on_s3 or to_s3) and rng.random() < 0.5
    state = f"s3://{bucket}/state/state.json" if state_on_s3 else "state.json"
    store()
    code, message = run(["discover", "--config", "source.json"], folder, {})
    if code != 0:
        raise WrongError(f"discover: exit {code}: {message}")
    command = ["sync", "--config", "source.json", "--catalog", "streams.json"]
    command += ["--destination", "destination.json", "--state", state]
    kills = killed_runs(rng, folder, command, store)
    for _ in range(2):
        code, message = run(command, folder, {})
        if code != 0:
            raise WrongError(f"sync: exit {code}: {message}")
    found = [path for path in (folder / "dst").rglob("*") if path.is_file()]
    visible = [p for p in found if not any(part[0] in "._" for part in p.relative_to(folder).parts)]
    if to_s3:
        listed = client.list_objects_v2(Bucket=bucket, Prefix="dst/").get("Contents", [])
        for number, item in enumerate(i for i in listed if "/_" not in i["Key"]):
            visible.append(folder / f"got-{number}.parquet")
            client.download_file(bucket, item["Key"], str(visible[-1]))
    lake.compare(visible)
    left = [str(path) for path in found if path.name.endswith(".tmp")]
    if left:
        raise WrongError(f"left behind: {left}")
    places = f"{'S3' if to_s3 else 'folder'}, state {'S3' if state_on_s3 else 'local'}"
    return f"{lake.form} to {places}, {lake.files} files, {len(lake.rows)} rows, {kills} kills"


def main() -> int:
    until = time.monotonic() + float(sys.argv[1])
    first = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 31)
    rounds: list[tuple[str, Callable[[random.Random, Path, Minio], str]]] = [
        ("copy", copy_round),
        ("sync", sync_round),
    ]
    done = failed = 0
    base = Path(tempfile.mkdtemp(prefix="headrace-soak-"))
    with Minio(base / "minio/data") as minio:
        seed = first
        while time.monotonic() < until:
            rng = random.Random(seed)
            name, act = rng.choice(rounds)
            folder = base / f"{seed}"
            folder.mkdir()
            try:
                print(f"soak {seed} {name}: {act(rng, folder, minio)}", flush=True)
                shutil.rmtree(folder)
            except WrongError as wrong:
                failed += 1
                print(f"soak {seed} {name} FAILED: {wrong}\n  kept: {folder}", flush=True)
                print(f"  repeat: SOAK_SEED={seed} make soak SOAK_S=1", flush=True)
            done += 1
            seed += 1
    shutil.rmtree(base / "minio", ignore_errors=True)
    print(f"{done - failed} passed, {failed} failed")
    return 1 if failed or done == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
