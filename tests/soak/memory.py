"""Memory does not grow with the file: one file of each kind, and one ten times as large.

usage: memory.py [BIG_MB] [SMALL_MB] [KIND...]

Both are copied to nothing and to Parquet; the peak of the large one may be a quarter above that of
the small one. Files are made as they are written and deleted at once: BIG_MB of disk is enough, and
as much again for the Parquet made of it.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import cramjam
import fastavro
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("HEADRACE", str(ROOT / "build/headrace"))
GROWTH = 1.25
SLACK_MIB = 8  # of what does grow: a footer's row groups, the journal
CHUNK_ROWS = 50_000
WORDS = ["rail", "ship", "truck", "air mail", "deliver in person", "fob", "reg, air", "collect"]
Row = dict[str, object]


def rows() -> list[Row]:
    """What every file repeats."""
    rng = random.Random(7)
    return [
        {
            "id": rng.randrange(10**9),
            "price": rng.randrange(10**7) / 100,
            "day": f"20{rng.randrange(10, 25)}-0{rng.randrange(1, 10)}-1{rng.randrange(10)}",
            "word": rng.choice(WORDS),
            "text": f"{rng.getrandbits(160):x}",
        }
        for _ in range(CHUNK_ROWS)
    ]


ROWS = rows()


def csv_chunk() -> bytes:
    lines = [f'{r["id"]},{r["price"]},{r["day"]},"{r["word"]}",{r["text"]}\n' for r in ROWS]
    return "".join(lines).encode()


def json_chunk(end: str) -> bytes:
    return "".join(json.dumps(r) + end for r in ROWS).encode()


def repeat(size: int, head: bytes, chunk: bytes, tail: bytes = b"") -> Iterator[bytes]:
    yield head
    for _ in range(max(1, size // len(chunk))):
        yield chunk
    yield tail


def csv(size: int) -> Iterator[bytes]:
    return repeat(size, b"id,price,day,word,text\n", csv_chunk())


def jsonl(size: int) -> Iterator[bytes]:
    return repeat(size, b"", json_chunk("\n"))


def json_array(size: int) -> Iterator[bytes]:
    return repeat(size, b"[", json_chunk(",\n"), json.dumps(ROWS[0]).encode() + b"]\n")


def gzipped(plain: Iterator[bytes]) -> Iterator[bytes]:
    """One member, however long."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    for piece in plain:
        yield packer.compress(piece)
    yield packer.flush()


def zstd(plain: Iterator[bytes]) -> Iterator[bytes]:
    """One frame, however long."""
    packer = cramjam.zstd.Compressor(level=1)
    for piece in plain:
        packer.compress(piece)
        yield bytes(packer.flush())
    yield bytes(packer.finish())


def avro(size: int) -> Iterator[bytes]:
    """The blocks of one file, over and over: they need nothing but its header."""
    kinds = {"id": "long", "price": "double", "day": "string", "word": "string", "text": "string"}
    fields = [{"name": name, "type": kind} for name, kind in kinds.items()]
    with tempfile.TemporaryFile() as file:
        schema = {"type": "record", "name": "row", "fields": fields}
        fastavro.writer(file, schema, ROWS, codec="deflate", sync_interval=64_000)
        file.seek(0)
        whole = file.read()
    begin = whole.index(whole[-16:]) + 16
    return repeat(size, whole[:begin], whole[begin:])


def stream(make: Callable[[int], Iterator[bytes]]) -> Callable[[Path, int], None]:
    """A file from pieces."""

    def write(path: Path, size: int) -> None:
        with path.open("wb") as file:
            for piece in make(size):
                file.write(piece)

    return write


def parquet(path: Path, size: int) -> None:
    """Row groups of 100,000 rows."""
    table = pa.concat_tables([pa.Table.from_pylist(ROWS)] * 2).combine_chunks()
    with pq.ParquetWriter(path, table.schema) as writer:
        while path.stat().st_size < size:
            writer.write_table(table)


def one_group(path: Path, size: int) -> None:
    """A quarter of the size in a single row group."""
    chunk = pa.Table.from_pylist(ROWS)
    table = pa.concat_tables([chunk] * max(1, size // 4 // chunk.nbytes))  # copies nothing
    pq.write_table(
        table, path, compression="none", use_dictionary=False, row_group_size=table.num_rows
    )
    assert pq.ParquetFile(path).num_row_groups == 1


KINDS: dict[str, tuple[str, Callable[[Path, int], None]]] = {
    "csv": ("csv", stream(csv)),
    "jsonl": ("jsonl", stream(jsonl)),
    "json array": ("json", stream(json_array)),
    "csv.gz": ("csv.gz", stream(lambda size: gzipped(csv(size * 2)))),
    "jsonl.zst": ("jsonl.zst", stream(lambda size: zstd(jsonl(size * 2)))),
    "avro": ("avro", stream(avro)),
    "parquet": ("parquet", parquet),
    "one row group": ("parquet", one_group),
}


def peak_mib(folder: Path, source: str, target: str) -> float:
    """Of one copy, in MiB."""
    log = folder / "log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [PROGRAM, "copy", source, target, "--progress", "never", "--set", "mode=replace"],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"copy {source} {target}: {process.returncode}: {log.read_text()}")
    return usage.ru_maxrss / 1024


def measure(kind: str, size: int, folder: Path) -> tuple[int, float, float]:
    """Stored bytes and the two peaks."""
    suffix, write = KINDS[kind]
    path = folder / f"in.{suffix}"
    write(path, size)
    stored = path.stat().st_size
    peaks = [peak_mib(folder, path.name, target) for target in ("null:", "out.parquet")]
    path.unlink()
    (folder / "out.parquet").unlink()
    return stored, peaks[0], peaks[1]


def main() -> int:
    big, small = (
        int(arg) << 20 for arg in (*sys.argv[1:3], *["4096", "400"][len(sys.argv[1:3]) :])
    )
    folder = Path(tempfile.mkdtemp(prefix="headrace-memory-"))
    wrong = 0
    try:
        for kind in sys.argv[3:] or KINDS:
            few, little_null, little_parquet = measure(kind, small, folder)
            many, large_null, large_parquet = measure(kind, big, folder)
            grown = [
                large > little * GROWTH + SLACK_MIB
                for little, large in ((little_null, large_null), (little_parquet, large_parquet))
            ]
            wrong += sum(grown)
            print(
                f"memory {kind:14} {few >> 20:5} and {many >> 20:5} MiB stored: "
                f"to null {little_null:.0f} and {large_null:.0f} MiB, "
                f"to Parquet {little_parquet:.0f} and {large_parquet:.0f} MiB"
                + (" GROWS" if any(grown) else ""),
                flush=True,
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
