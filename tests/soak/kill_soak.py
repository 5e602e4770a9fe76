"""The whole kill matrix, every place of every cell, on a server of its own; the table it prints is
the one in docs/internals/commit.md.

usage: kill_soak.py [STEP]

STEP: only every STEPth place (1: all).
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/integration"))

from kill_matrix import (  # noqa: E402
    CELLS,
    Cell,
    Job,
    Place,
    kill_everywhere,
    kill_in_recovery,
    kill_second_load,
    lake,
    table,
)
from minio_server import Minio  # noqa: E402


def run_cell(place: Place, folder: Path, cell: Cell, step: int) -> list[tuple[int, int]]:
    """First load, second load, recovery."""
    want = lake(folder / "first/lake", 3)
    results = [kill_everywhere(place, folder / "first", cell, want, step)]
    results.append(kill_second_load(place, folder / "second", cell, step))
    want = lake(folder / "recovery/lake", 1)
    results.append(kill_in_recovery(place, folder / "recovery", cell, want, step))
    return results


def kill_at_any_time(place: Place, folder: Path, cell: Cell) -> None:
    """Not at the counted places only: also while requests are under way."""
    want = lake(folder / "lake", 3)
    job = Job(place, folder / "job", folder / "lake", cell)
    began = time.monotonic()
    assert job.sync().returncode == 0
    took = time.monotonic() - began
    for number in range(30):
        job = Job(place, folder / "job", folder / "lake", cell)
        for _ in range(3):
            run = job.start()
            time.sleep(random.random() * took)
            run.kill()
            run.communicate()
        job.resume(f"kill {number} at a random time")
        assert job.rows() == want


def main() -> int:
    step = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    program = Path(os.environ.get("HEADRACE", ROOT / "build/headrace"))
    base = Path(tempfile.mkdtemp(prefix="headrace-kill-"))
    results = {}
    failed = 0
    with Minio(base / "minio/data") as minio:
        client = minio.client()
        client.create_bucket(Bucket="kill")
        place = Place(program, minio, client, "kill", base)
        for cell in CELLS:
            began = time.monotonic()
            try:
                results[cell] = run_cell(place, base / str(cell), cell, step)
                kill_at_any_time(place, base / str(cell) / "any", cell)
                shutil.rmtree(base / str(cell))
                print(f"kill {cell}: {time.monotonic() - began:.0f} s", flush=True)
            except AssertionError as wrong:
                failed += 1
                print(f"kill {cell} FAILED: {wrong}\n  kept: {base / str(cell)}", flush=True)
    print(table(results))
    if not failed:
        shutil.rmtree(base)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
