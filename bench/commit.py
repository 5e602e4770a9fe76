"""What exactly-once costs: a sync, with state, ledger, journal and manifest, beside a plain copy of
the same objects to the same place; a run that finds nothing new; the size of the state.

Called by bench.py as the work `commit`. Copy and sync take turns, the medians of their CPU seconds
are compared. Goals: at most 3 % more CPU; at most 0.3 CPU-s and nothing but LIST for nothing new
among 100,000 objects.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

from works import BUCKET, OUT_BUCKET

if TYPE_CHECKING:
    from bench import Bench, Run

ROOT = Path(__file__).resolve().parent.parent
GOAL_PERCENT = 3.0
GOAL_NOTHING_CPU = 0.3


def program() -> str:
    """headrace."""
    return os.environ.get("HEADRACE", str(ROOT / "build/headrace"))


class Pair:
    """Copy and sync of one folder of the bench's bucket to one place."""

    def __init__(self, bench: Bench, folder: str, form: str, to: str) -> None:
        self.bench = bench
        self.folder = folder
        self.form = form
        self.to = to  # "s3" or "folder"
        self.home = bench.scratch / f"commit-{folder}-{to}"
        self.home.mkdir()
        (self.home / "source.json").write_text(
            json.dumps(
                {
                    "uri": f"s3://{BUCKET}/{folder}/",
                    "file_format": form,
                    "stream_by": "all",
                    "max_files_per_run": 0,
                    "max_data_size_gb": 0,
                    "cost_limit_usd": 0,
                }
            )
        )
        self.out = f"s3://{OUT_BUCKET}/commit/" if to == "s3" else f"{self.home}/out/"
        (self.home / "destination.json").write_text(json.dumps({"uri": self.out}))
        found = self.bench.run([program(), *self.absolute(("discover", "--config", "source.json"))])
        if found.status != 0:
            raise SystemExit(f"bench: discover: {found.error}")
        self.discover_cpu = found.cpu_s
        self.only_data()

    def only_data(self) -> None:
        """A copy writes the columns of the files; the sync shall write no others."""
        path = self.home / "streams.json"
        catalog = json.loads(path.read_text())
        for entry in catalog["streams"]:
            properties = entry["stream"]["type_schema"]["properties"]
            for name in [name for name in properties if name.startswith("_")]:
                del properties[name]
            names = list(properties)
            for selected in catalog["selected_streams"].values():
                for stream in selected:
                    stream["normalization"] = True
                    stream["selected_columns"] = {"columns": names, "sync_new_columns": False}
        path.write_text(json.dumps(catalog))

    def absolute(self, words: tuple[str, ...]) -> list[str]:
        return [str(self.home / w) if w.endswith(".json") else w for w in words]

    def clear(self) -> None:
        """Neither output nor state."""
        self.bench.clear("commit/")
        shutil.rmtree(self.home / "out", ignore_errors=True)
        for path in self.home.glob("state.json*"):
            path.unlink()

    def copy(self) -> Run:
        command = [program(), "copy", "--progress", "never"]
        return self.bench.run([*command, f"s3://{BUCKET}/{self.folder}/**", self.out])

    def sync(self) -> Run:
        return self.bench.run(
            [
                program(),
                *self.absolute(
                    (
                        *("sync", "--config", "source.json", "--catalog", "streams.json"),
                        *("--destination", "destination.json", "--state", "state.json"),
                        *("--progress", "never"),
                    )
                ),
            ]
        )

    def bytes_out(self) -> int:
        """Of data files, wherever they went."""
        if self.to == "folder":
            return sum(p.stat().st_size for p in (self.home / "out").rglob("*.parquet"))
        client = self.bench.minio.client()
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=OUT_BUCKET, Prefix="commit/"
        )
        items = [item for page in pages for item in page.get("Contents", [])]
        return sum(item["Size"] for item in items if item["Key"].endswith(".parquet"))


def overhead(pair: Pair, rounds: int) -> dict[str, Any]:
    """CPU seconds of both, and how much more a commit takes."""
    runs: dict[str, list[Run]] = {"copy": [], "sync": []}
    sizes: dict[str, int] = {}
    for number in range(rounds):
        for what in ("copy", "sync") if number % 2 == 0 else ("sync", "copy"):
            pair.clear()
            run = pair.copy() if what == "copy" else pair.sync()
            if run.status != 0:
                raise SystemExit(f"bench: {what}: {run.error}")
            runs[what].append(run)
            sizes[what] = pair.bytes_out()
    pair.clear()
    cpu = {what: statistics.median(run.cpu_s for run in runs[what]) for what in runs}
    # A copy looks at samples for its columns, a sync has them from its catalog.
    percent = ((cpu["sync"] + pair.discover_cpu) / cpu["copy"] - 1) * 100
    print(
        f"commit  {pair.folder:<8} to {pair.to:<7} copy {cpu['copy']:.3f} CPU-s, "
        f"sync {cpu['sync']:.3f} + discover {pair.discover_cpu:.3f} CPU-s: {percent:+.1f} % "
        f"(goal {GOAL_PERCENT:.0f} %); "
        f"{sizes['copy'] / 1e6:.1f} and {sizes['sync'] / 1e6:.1f} MB written",
        flush=True,
    )
    return {
        "from": pair.folder,
        "to": pair.to,
        "copy_cpu_s": [round(r.cpu_s, 3) for r in runs["copy"]],
        "sync_cpu_s": [round(r.cpu_s, 3) for r in runs["sync"]],
        "discover_cpu_s": round(pair.discover_cpu, 3),
        "percent": round(percent, 2),
        "bytes": sizes,
    }


def nothing_new(bench: Bench, rounds: int) -> dict[str, Any]:
    """100,000 objects are read, then looked at again."""
    pair = Pair(bench, "many", "csv", "folder")
    pair.clear()
    first = pair.sync()
    if first.status != 0:
        raise SystemExit(f"bench: sync of many: {first.error}")
    runs = [pair.sync() for _ in range(rounds)]
    cpu = statistics.median(run.cpu_s for run in runs)
    state = (pair.home / "state.json").stat().st_size
    print(
        f"commit  nothing new among {bench.data.many} objects: {cpu:.2f} CPU-s "
        f"(goal {GOAL_NOTHING_CPU}), {runs[-1].rss_mib:.0f} MiB, requests {runs[-1].requests}; "
        f"first run {first.cpu_s:.2f} CPU-s, {first.rss_mib:.0f} MiB; state {state / 1e6:.2f} MB",
        flush=True,
    )
    return {
        "objects": bench.data.many,
        "cpu_s": [round(run.cpu_s, 3) for run in runs],
        "requests": runs[-1].requests,
        "first_cpu_s": round(first.cpu_s, 3),
        "first_rss_mib": round(first.rss_mib, 1),
        "state_bytes": state,
    }


def measure(bench: Bench, rounds: int) -> dict[str, Any]:
    """All of it."""
    found: dict[str, Any] = {"overhead": []}
    for folder, form in (("csv", "csv"), ("parquet", "parquet")):
        for to in ("folder", "s3"):
            found["overhead"].append(overhead(Pair(bench, folder, form, to), rounds))
    found["nothing_new"] = nothing_new(bench, min(rounds, 3))
    return found
