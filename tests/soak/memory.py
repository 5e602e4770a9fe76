"""Memory does not grow with the input: a little and ten times as much, of every kind.

usage: memory.py [BIG_MB] [SMALL_MB] [KIND...] [-- ARG...]

Both are copied to JSON lines that nobody keeps and to Parquet; the peak of the large one may be a
quarter above that of the small one. Kinds are those of KINDS (a word that ends in * names all that
begin with it; without any: all); the arguments behind -- go to `copy`. Files are made as they are
written and deleted at once: BIG_MB of disk is enough, and as much again for the Parquet made of it.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cramjam
import fastavro
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("HEADRACE", str(ROOT / "build/headrace"))
GROWTH = 1.25
SLACK_MIB = 8  # of what does grow: a footer's row groups, the journal
CHUNK_ROWS = 50_000
WIDE = 5_000  # columns
LONG_CELL = 120 << 20  # of the 128 MiB a cell may have
WORDS = ["rail", "ship", "truck", "air mail", "deliver in person", "fob", "reg, air", "collect"]
Row = dict[str, object]
Pieces = Iterator[bytes]


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


def delimited(by: str) -> bytes:
    line = by.join(["{id}", "{price}", "{day}", '"{word}"' if by == "," else "{word}", "{text}\n"])
    return "".join(line.format(**r) for r in ROWS).encode()


def json_chunk(end: str, indent: int | None = None) -> bytes:
    return "".join(json.dumps(r, indent=indent) + end for r in ROWS).encode()


def repeat(size: int, head: bytes, chunk: bytes, tail: bytes = b"") -> Pieces:
    yield head
    for _ in range(max(1, size // len(chunk))):
        yield chunk
    yield tail


def csv(size: int) -> Pieces:
    return repeat(size, b"id,price,day,word,text\n", delimited(","))


def tsv(size: int) -> Pieces:
    return repeat(size, b"id\tprice\tday\tword\ttext\n", delimited("\t"))


def jsonl(size: int) -> Pieces:
    return repeat(size, b"", json_chunk("\n"))


def json_array(size: int) -> Pieces:
    return repeat(size, b"[", json_chunk(",\n"), json.dumps(ROWS[0]).encode() + b"]\n")


def json_pretty(size: int) -> Pieces:
    """Objects one behind the other, each on several lines."""
    return repeat(size, b"", json_chunk("\n", indent=2))


def deflated(plain: Pieces, window: int) -> Pieces:
    """One member, however long."""
    packer = zlib.compressobj(1, zlib.DEFLATED, window)
    for piece in plain:
        yield packer.compress(piece)
    yield packer.flush()


def packed(packer: Any, plain: Pieces) -> Pieces:
    """One frame, however long, by a compressor of cramjam."""
    for piece in plain:
        packer.compress(piece)
        yield bytes(packer.flush())
    yield bytes(packer.finish())


def bzip2(size: int) -> Pieces:
    """Streams one behind the other: the codec starts anew every 900 kB anyway."""
    plain = delimited(",")
    chunk = bytes(cramjam.bzip2.compress(plain))
    head = bytes(cramjam.bzip2.compress(b"id,price,day,word,text\n"))
    return repeat(size * len(chunk) // len(plain), head, chunk)


def avro_packed(codec: str, plain: bytes) -> bytes:
    """A block's bytes as an Avro file holds them."""
    if codec == "deflate":
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        return packer.compress(plain) + packer.flush()
    if codec == "snappy":
        return bytes(cramjam.snappy.compress_raw(plain)) + zlib.crc32(plain).to_bytes(4, "big")
    if codec == "zstandard":
        return bytes(cramjam.zstd.compress(plain))
    if codec == "bzip2":
        return bytes(cramjam.bzip2.compress(plain))
    return plain


def avro_long(number: int) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, "long", number)
    return out.getvalue()


def avro_file(codec: str, fields: Row, records: list[Row], per_block: int) -> tuple[bytes, bytes]:
    """The header and the blocks of a file of these records; blocks may be repeated."""
    sync = bytes(range(16))
    columns = [{"name": name, "type": kind} for name, kind in fields.items()]
    schema = fastavro.parse_schema({"type": "record", "name": "row", "fields": columns})
    head = io.BytesIO(b"Obj\x01")
    head.seek(4)
    text = json.dumps({"type": "record", "name": "row", "fields": columns})
    meta = {"avro.schema": text.encode(), "avro.codec": codec.encode()}
    fastavro.schemaless_writer(head, {"type": "map", "values": "bytes"}, meta)
    blocks = []
    for at in range(0, len(records), per_block):
        body = io.BytesIO()
        some = records[at : at + per_block]
        for record in some:
            fastavro.schemaless_writer(body, schema, record)
        data = avro_packed(codec, body.getvalue())
        blocks.append(avro_long(len(some)) + avro_long(len(data)) + data + sync)
    return head.getvalue() + sync, b"".join(blocks)


def avro(codec: str) -> Callable[[int], Pieces]:
    kinds: Row = {"id": "long", "price": "double"}
    kinds |= {"day": "string", "word": "string", "text": "string"}
    return lambda size: repeat(size, *avro_file(codec, kinds, ROWS, 1_000))


def wide_rows(count: int) -> list[Row]:
    rng = random.Random(9)
    return [
        {f"column_{c}": rng.randrange(10**6) if c % 3 else rng.choice(WORDS) for c in range(WIDE)}
        for _ in range(count)
    ]


def wide_csv(size: int) -> Pieces:
    some = wide_rows(100)
    lines = [",".join(f'"{v}"' if isinstance(v, str) else str(v) for v in r.values()) for r in some]
    return repeat(size, (",".join(some[0]) + "\n").encode(), ("\n".join(lines) + "\n").encode())


def wide_jsonl(size: int) -> Pieces:
    return repeat(size, b"", "".join(json.dumps(r) + "\n" for r in wide_rows(50)).encode())


def wide_avro(size: int) -> Pieces:
    some = wide_rows(100)
    kinds: Row = {name: "string" if isinstance(v, str) else "long" for name, v in some[0].items()}
    return repeat(size, *avro_file("deflate", kinds, some, 50))


def long_cell() -> bytes:
    return b"".join(b"%07d " % i for i in range(LONG_CELL // 8))


def long_csv(size: int) -> Pieces:
    return repeat(size, b"id,text\n", b'1,"' + long_cell() + b'"\n')


def long_jsonl(size: int) -> Pieces:
    return repeat(size, b"", b'{"id":1,"text":"' + long_cell() + b'"}\n')


def stream(make: Callable[[int], Pieces]) -> Callable[[Path, int], None]:
    """A file from pieces."""

    def write(path: Path, size: int) -> None:
        with path.open("wb") as file:
            for piece in make(size):
                file.write(piece)

    return write


def groups(make: Callable[[], pa.Table]) -> Callable[[Path, int], None]:
    """A table as a row group, over and over."""

    def write(path: Path, size: int) -> None:
        table = make()
        with pq.ParquetWriter(path, table.schema) as writer:
            while path.stat().st_size < size:
                writer.write_table(table)

    return write


def flat() -> pa.Table:
    return pa.concat_tables([pa.Table.from_pylist(ROWS)] * 2).combine_chunks()


def nested() -> pa.Table:
    """Lists of structs with lists, and a map."""
    rng = random.Random(8)
    lists = [[r] * rng.randrange(4) for r in ROWS]
    tags = [
        [{"word": r["word"], "days": [r["day"]] * rng.randrange(3)} for r in some] for some in lists
    ]
    bags = [[(str(r["word"]), r["id"]) for r in some[:1]] for some in lists]
    kinds = pa.map_(pa.string(), pa.int64())
    return pa.table(
        {
            "id": [r["id"] for r in ROWS],
            "at": [{"price": r["price"], "text": r["text"]} for r in ROWS],
            "tags": tags,
            "bag": pa.array(bags, kinds),
        }
    )


def one_group(path: Path, size: int) -> None:
    """A quarter of the size in a single row group."""
    chunk = pa.Table.from_pylist(ROWS)
    table = pa.concat_tables([chunk] * max(1, size // 4 // chunk.nbytes))  # copies nothing
    pq.write_table(
        table, path, compression="none", use_dictionary=False, row_group_size=table.num_rows
    )
    assert pq.ParquetFile(path).num_row_groups == 1


def small_objects(path: Path, size: int) -> None:
    """A folder of one object for each 40 kB asked for, of three rows each: 4 GB are 100,000."""
    for i in range(max(1, size // 42_950)):
        folder = path / f"{i // 1000:03}"
        if i % 1000 == 0:
            folder.mkdir(parents=True)
        (folder / f"{i:06}.csv").write_bytes(b"id,word\n%d,rail\n%d,ship\n%d,fob\n" % (i, i, i))


def large_records(path: Path, size: int) -> None:
    """A folder of files of one record each, 64 MiB long."""
    text = long_cell()[: 64 << 20]
    path.mkdir()
    for i in range(max(1, size >> 26)):
        (path / f"{i:04}.jsonl").write_bytes(b'{"id":%d,"text":"' % i + text + b'"}\n')


class Kind(NamedTuple):
    """How its input is named, and what makes so many bytes of it."""

    name: str
    write: Callable[[Path, int], None]


KINDS: dict[str, Kind] = {
    "csv": Kind("in.csv", stream(csv)),
    "tsv": Kind("in.tsv", stream(tsv)),
    "text": Kind("in.txt", stream(csv)),
    "jsonl": Kind("in.jsonl", stream(jsonl)),
    "json array": Kind("in.json", stream(json_array)),
    "json pretty": Kind("in.json", stream(json_pretty)),
    "csv.gz": Kind("in.csv.gz", stream(lambda n: deflated(csv(n * 2), 31))),
    "csv.zlib": Kind("in.csv.zlib", stream(lambda n: deflated(csv(n), 15))),
    "csv.zst": Kind("in.csv.zst", stream(lambda n: packed(cramjam.zstd.Compressor(1), csv(n * 2)))),
    "csv.lz4": Kind("in.csv.lz4", stream(lambda n: packed(cramjam.lz4.Compressor(1), csv(n)))),
    "csv.sz": Kind("in.csv.sz", stream(lambda n: packed(cramjam.snappy.Compressor(), csv(n)))),
    "csv.br": Kind("in.csv.br", stream(lambda n: packed(cramjam.brotli.Compressor(1), csv(n)))),
    "csv.bz2": Kind("in.csv.bz2", stream(bzip2)),
    "jsonl.zst": Kind(
        "in.jsonl.zst", stream(lambda n: packed(cramjam.zstd.Compressor(1), jsonl(n * 2)))
    ),
    "avro null": Kind("in.avro", stream(avro("null"))),
    "avro deflate": Kind("in.avro", stream(avro("deflate"))),
    "avro snappy": Kind("in.avro", stream(avro("snappy"))),
    "avro zstandard": Kind("in.avro", stream(avro("zstandard"))),
    "avro bzip2": Kind("in.avro", stream(lambda n: avro("bzip2")(n // 2))),
    "parquet": Kind("in.parquet", groups(flat)),
    "parquet small groups": Kind("in.parquet", groups(lambda: flat().slice(0, 2_000))),
    "parquet nested": Kind("in.parquet", groups(nested)),
    "parquet one group": Kind("in.parquet", one_group),
    "wide csv": Kind("in.csv", stream(wide_csv)),
    "wide jsonl": Kind("in.jsonl", stream(wide_jsonl)),
    "wide avro": Kind("in.avro", stream(wide_avro)),
    "wide parquet": Kind("in.parquet", groups(lambda: pa.Table.from_pylist(wide_rows(2_000)))),
    "long cells csv": Kind("in.csv", stream(long_csv)),
    "long cells jsonl": Kind("in.jsonl", stream(long_jsonl)),
    "small objects": Kind("in", small_objects),
    "large records": Kind("in", large_records),
}


# Runs a command and says its peak. A process begins with the peak of the one that started it, so it
# is started by this small one, not by the one that made the file.
RUNNER = """
import os, sys
nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=nowhere)
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


TARGETS = [["-", "--format", "jsonl"], ["out.parquet"]]


def peak_mib(folder: Path, source: str, target: list[str], more: list[str]) -> float:
    """Of one copy, in MiB."""
    limits = ["--set", "max_files_per_run=0", "--set", "mode=replace"]
    command = [PROGRAM, "copy", source, *target, "--progress", "never", *limits, *more]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", RUNNER, *command],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {done.returncode}: {done.stderr}")
    return int(done.stdout) / 1024


def stored_bytes(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size


def measure(kind: Kind, size: int, folder: Path, more: list[str]) -> tuple[int, float, float]:
    """Stored bytes and the two peaks."""
    path = folder / kind.name
    kind.write(path, size)
    stored = stored_bytes(path)
    peaks = [peak_mib(folder, path.name, target, more) for target in TARGETS]
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    (folder / "out.parquet").unlink()
    return stored, peaks[0], peaks[1]


def chosen(words: list[str]) -> list[str]:
    """Names of kinds, each once, in the table's order."""
    if not words:
        return list(KINDS)
    for word in words:
        if word not in KINDS and not word.endswith("*"):
            raise SystemExit(f"memory.py: no kind {word!r}; there are: {', '.join(KINDS)}")
    return [
        name
        for name in KINDS
        if any(name == w or (w.endswith("*") and name.startswith(w[:-1])) for w in words)
    ]


def main() -> int:
    args = sys.argv[1:]
    more = args[args.index("--") + 1 :] if "--" in args else []
    args = args[: args.index("--")] if "--" in args else args
    big, small = (int(arg) << 20 for arg in (*args[:2], *["4096", "400"][len(args[:2]) :]))
    folder = Path(tempfile.mkdtemp(prefix="headrace-memory-"))
    wrong = 0
    try:
        for name in chosen(args[2:]):
            begin = time.monotonic()
            few, little_lines, little_parquet = measure(KINDS[name], small, folder, more)
            many, large_lines, large_parquet = measure(KINDS[name], big, folder, more)
            grown = [
                large > little * GROWTH + SLACK_MIB
                for little, large in ((little_lines, large_lines), (little_parquet, large_parquet))
            ]
            wrong += sum(grown)
            print(
                f"memory {name:20} {few >> 20:5} and {many >> 20:5} MiB stored: "
                f"to JSON lines {little_lines:.0f} and {large_lines:.0f} MiB, "
                f"to Parquet {little_parquet:.0f} and {large_parquet:.0f} MiB, "
                f"{time.monotonic() - begin:.0f} s" + (" GROWS" if any(grown) else ""),
                flush=True,
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
