"""Parquet and Avro files of other writers: what headrace reads, what it says when they are hurt.

usage: others.py FOLDER_OR_FILE...

HEADRACE names the program, CUTS and FLIPS say how many of each. Every file is copied to Parquet.
The rows must be those that pyarrow reads (DuckDB or Polars where it cannot; fastavro counts those
of Avro), or no reader reads it and headrace refuses it with a remedy. Then it is cut at random
places, which must be an error (a cut of Avro between two blocks is a whole file), and one byte is
flipped, which must be an error, the right rows, or what pyarrow reads too. Prints a line for each
file that is not so, and counts; exits 1 when there was one.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/integration"))

import duckdb  # noqa: E402
import fastavro  # noqa: E402
import parquet_oracle as oracle  # noqa: E402
import polars  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

PROGRAM = os.environ.get("HEADRACE", str(ROOT / "build/headrace"))
CUTS, FLIPS = (int(os.environ.get(name, "100")) for name in ("CUTS", "FLIPS"))
MAGIC = {b"PAR1": "parquet", b"Obj\x01": "avro"}


def arrow(path: Path) -> pa.Table:
    return pq.ParquetFile(path).read()


def duck(path: Path) -> pa.Table:
    return duckdb.connect().execute("from read_parquet(?)", [str(path)]).to_arrow_table()


def polar(path: Path) -> pa.Table:
    return polars.read_parquet(path, use_statistics=False, glob=False).to_arrow()


def reading(read: Callable[[Path], pa.Table], path: Path) -> pa.Table | None:
    try:
        return read(path)
    except BaseException as refused:  # the panics of Polars are no Exceptions
        if isinstance(refused, KeyboardInterrupt):
            raise
        return None


class Files:
    """A folder for one file, what was made of it, and the counts."""

    def __init__(self, folder: Path) -> None:
        self.copy, self.hurt, self.sound = (folder / f"{n}.parquet" for n in ("out", "in", "ref"))
        self.seen: Counter[str] = Counter()
        self.wrong = 0

    def tell(self, what: str, path: Path, why: object) -> None:
        self.wrong += 1
        print(f"{what}: {path}: {str(why)[:500]}", flush=True)

    def run(self, source: Path, kind: str, out: Path) -> tuple[int, str]:
        out.unlink(missing_ok=True)
        args = [PROGRAM, "copy", source, out, "--set", f"file_format={kind}"]
        done = subprocess.run(args, capture_output=True, timeout=120, check=False)
        return done.returncode, done.stderr.decode(errors="replace")

    def whole(self, path: Path, kind: str) -> bool:
        """Compare the file as it is; False when it was refused."""
        code, said = self.run(path, kind, self.sound)
        if code != 0:
            readers = [
                r
                for r in (arrow, duck, polar)
                if kind == "parquet" and reading(r, path) is not None
            ]
            self.seen["refused"] += 1
            if readers or code != 5 or "hint:" not in said:
                self.tell("REFUSED", path, f"{[r.__name__ for r in readers]} read it: {said}")
            return False
        if kind == "avro":
            with path.open("rb") as file:
                rows = sum(1 for _ in fastavro.reader(file))
            if rows != pq.ParquetFile(self.sound).metadata.num_rows:
                self.tell("ROWS", path, rows)
            return True
        for read in (arrow, duck, polar):
            want, got = reading(read, path), reading(read, self.sound)
            if want is not None:
                bad = (
                    oracle.differences(want, got)
                    if got is not None
                    else ["the copy cannot be read"]
                )
                self.seen["equal" if bad == [] else "differ"] += 1
                if bad:
                    self.tell("DIFFERS", path, bad)
                break
        return True

    def cut(self, path: Path, kind: str, data: bytes, at: int) -> None:
        self.hurt.write_bytes(data[:at])
        code, said = self.run(self.hurt, kind, self.copy)
        self.seen[f"{kind} cut, exit {code}"] += 1
        if (code == 0 and kind == "parquet") or code not in (0, 5):
            self.tell(f"CUT AT {at}", path, f"exit {code} {said}")

    def flip(self, path: Path, kind: str, data: bytes, at: int, bit: int) -> None:
        hurt = bytearray(data)
        hurt[at] ^= 1 << bit
        self.hurt.write_bytes(hurt)
        code, said = self.run(self.hurt, kind, self.copy)
        self.seen[f"{kind} flip, exit {code}"] += 1
        if code == 0 and kind == "parquet" and self.copy.read_bytes() != self.sound.read_bytes():
            got, want = reading(arrow, self.copy), reading(arrow, self.hurt)
            right = [t for t in (want, arrow(self.sound)) if t is not None]
            if got is None or not any(oracle.differences(t, got) == [] for t in right):
                self.tell(f"FLIP AT {at} BIT {bit}", path, "rows that nobody else reads")
        elif code not in (0, 5):
            self.tell(f"FLIP AT {at} BIT {bit}", path, f"exit {code} {said}")


def main() -> int:
    names = [Path(name) for name in sys.argv[1:]]
    paths = [f for n in names for f in (sorted(n.rglob("*")) if n.is_dir() else [n])]
    with tempfile.TemporaryDirectory() as folder:
        files = Files(Path(folder))
        for path in (p for p in paths if p.is_file()):
            data = path.read_bytes()
            kind = MAGIC.get(data[:4])
            if kind is None or not files.whole(path, kind):
                continue
            rng = random.Random(len(data))
            for _ in range(CUTS):
                files.cut(path, kind, data, rng.randrange(4, len(data)))
            for _ in range(FLIPS):
                files.flip(path, kind, data, rng.randrange(len(data)), rng.randrange(8))
        print(dict(files.seen))
    return 1 if files.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
