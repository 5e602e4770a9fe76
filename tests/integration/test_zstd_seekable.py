"""Text in seekable zstd is read in several tasks, with the rows and offsets of the plain text."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cramjam
import pyarrow.parquet as pq
import pytest
from conftest import Headrace, Result

ROWS = 90_000
MAGIC = 0x8F92EAB1
OPTIONS = ["--set", "task_mb=1"]
Entry = tuple[int, int]

LINE = {
    "csv": lambda i: f'{i},"two\nlines, {i} ""q""",{"x" * (i % 37)}\n',
    "tsv": lambda i: f"{i}\ttext {i}\t{'x' * (i % 37)}\n",
    "jsonl": lambda i: f'{{"a":{i},"b":"text {i}","c":"{"x" * (i % 37)}"}}\n',
    "txt": lambda i: f"line {i} {'x' * (i % 37)}\n",
}
HEAD = {"csv": "a,b,c\n", "tsv": "a\tb\tc\n", "jsonl": "", "txt": ""}


def text_of(form: str) -> bytes:
    return (HEAD[form] + "".join(LINE[form](i) for i in range(ROWS))).encode()


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    """Chunks of sizes drawn at random: records, quotes and characters are cut anywhere."""
    rnd = random.Random(5)
    at = 0
    while at < len(data):
        size = rnd.choice(sizes)
        yield data[at : at + size]
        at += size


def table_of(entries: list[Entry], wide: bool = False) -> bytes:
    body = b"".join(
        struct.pack("<II", *entry) + (b"\1\2\3\4" if wide else b"") for entry in entries
    )
    body += struct.pack("<IBI", len(entries), 0x80 if wide else 0, MAGIC)
    return struct.pack("<II", 0x184D2A5E, len(body)) + body


def frames_of(data: bytes, sizes: list[int]) -> tuple[bytes, list[Entry]]:
    frames = [(bytes(cramjam.zstd.compress(chunk)), len(chunk)) for chunk in cut(data, sizes)]
    return b"".join(f for f, _ in frames), [(len(f), n) for f, n in frames]


def seekable(data: bytes, sizes: list[int], wide: bool = False) -> bytes:
    stored, entries = frames_of(data, sizes)
    return stored + table_of(entries, wide)


def gets(result: Result) -> int:
    found = re.search(r"(\d+) GET", result.err)
    assert found is not None, result.err
    return int(found[1])


@pytest.mark.parametrize("form", LINE)
def test_same_as_plain_text(headrace_local: Headrace, tmp_path: Path, form: str) -> None:
    data = text_of(form)
    (tmp_path / f"in.{form}").write_bytes(data)
    (tmp_path / f"in.{form}.zst").write_bytes(seekable(data, [1, 700, 90_000, 300_000]))
    places = [*OPTIONS, "--set", "metadata_columns=_offset"]
    headrace_local.ok("copy", f"in.{form}", "plain.csv", *places)
    expected = (tmp_path / "plain.csv").read_bytes()
    assert expected.count(b"\n") >= ROWS
    for workers in ("1", "2", "8"):
        headrace_local.ok("copy", f"in.{form}.zst", "out.csv", *places, "--workers", workers)
        assert (tmp_path / "out.csv").read_bytes() == expected


def test_is_read_in_several_tasks(headrace_local: Headrace, tmp_path: Path) -> None:
    data = text_of("csv")
    (tmp_path / "in.csv.zst").write_bytes(seekable(data, [200_000], wide=True))
    (tmp_path / "one.csv.zst").write_bytes(bytes(cramjam.zstd.compress(data)))
    many = gets(headrace_local.ok("copy", "in.csv.zst", "many.csv", *OPTIONS))
    one = gets(headrace_local.ok("copy", "one.csv.zst", "one.csv", *OPTIONS))
    assert many >= one + len(data) // (1 << 20)
    assert (tmp_path / "many.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
    # the number of a line is known only to who read all before it
    lines = ["--set", "metadata_columns=_line"]
    assert gets(headrace_local.ok("copy", "in.csv.zst", "line.csv", *OPTIONS, *lines)) < many
    (tmp_path / "in.csv").write_bytes(data)
    headrace_local.ok("copy", "in.csv", "plain.csv", *OPTIONS, *lines)
    assert (tmp_path / "line.csv").read_bytes() == (tmp_path / "plain.csv").read_bytes()


def test_records_over_many_frames(headrace_local: Headrace, tmp_path: Path) -> None:
    """Quoted texts over several tasks: in some no record starts, others guess where one does."""
    rows = ["a,b\n"]
    for i in range(6):
        inside = "no,record\n" * (5_000 + 130_000 * (i % 3))
        rows += [f'{i},"{inside}"\n', f"{i},short\n" * 9000]
    data = "".join(rows).encode()
    (tmp_path / "in.csv").write_bytes(data)
    (tmp_path / "in.csv.zst").write_bytes(seekable(data, [60_000, 150_000]))
    places = [*OPTIONS, "--set", "metadata_columns=_offset"]
    headrace_local.ok("copy", "in.csv", "plain.csv", "--set", "metadata_columns=_offset")
    for workers in ("1", "2", "8"):
        headrace_local.ok("copy", "in.csv.zst", "out.csv", *places, "--workers", workers)
        assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "plain.csv").read_bytes()


def test_from_object_storage(headrace: Headrace, tmp_path: Path, s3: Any, bucket: str) -> None:
    data = text_of("csv")
    s3.put_object(Bucket=bucket, Key="in.csv.zst", Body=seekable(data, [40_000]))
    s3.put_object(Bucket=bucket, Key="in.csv", Body=data)
    headrace.ok("copy", f"s3://{bucket}/in.csv", "plain.csv")
    for workers in ("1", "2", "8"):
        copied = headrace.ok(
            "copy", f"s3://{bucket}/in.csv.zst", "out.csv", *OPTIONS, "--workers", workers
        )
        assert gets(copied) > len(data) >> 20
        assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "plain.csv").read_bytes()
    headrace.ok("copy", f"s3://{bucket}/in.csv.zst", "out.parquet", *OPTIONS)
    assert pq.ParquetFile(tmp_path / "out.parquet").metadata.num_rows == ROWS


def damaged(kind: str, entries: list[Entry], stored: bytes) -> bytes:
    """An object whose table is not what its frames are."""
    (p0, n0), (p1, n1), *rest = entries
    last_packed, last_plain = entries[-1]
    lies: dict[str, list[Entry]] = {
        "inflated sizes moved": [(p0, n0 + 5), (p1, n1 - 5), *rest],
        "last inflated larger": [*entries[:-1], (last_packed, last_plain + 9)],
        "last inflated smaller": [*entries[:-1], (last_packed, last_plain - 9)],
        "stored sizes moved": [(p0 + 5, n0), (p1 - 5, n1), *rest],
        "two frames as one": [(p0 + p1, n0 + n1), *rest],
        "moved far away": [(p0, n0 + 40), *entries[1:-1], (last_packed, last_plain - 40)],
        "empty frames": [(p, 0) for p, _ in entries[:-1]]
        + [(last_packed, sum(n for _, n in entries))],
        "beyond the object": [(0xFFFFFFFF, n) for _, n in entries],
        "huge text": [(p, 0xFFFFFFFF) for p, _ in entries],
        "one frame less": entries[:-1],
        "one frame more": [*entries, (1, 1)],
    }
    return stored + table_of(lies[kind])


@pytest.mark.parametrize(
    "kind",
    [
        "inflated sizes moved",
        "last inflated larger",
        "last inflated smaller",
        "stored sizes moved",
        "two frames as one",
        "moved far away",
        "empty frames",
        "beyond the object",
        "huge text",
        "one frame less",
        "one frame more",
    ],
)
def test_lying_table(headrace_local: Headrace, tmp_path: Path, kind: str) -> None:
    data = text_of("csv")
    stored, entries = frames_of(data, [100_000])
    (tmp_path / "in.csv.zst").write_bytes(damaged(kind, entries, stored))
    for workers in ("1", "8"):
        result = headrace_local("copy", "in.csv.zst", "out.csv", *OPTIONS, "--workers", workers)
        assert result.code == 5, result.err
        assert "in.csv.zst" in result.err
        assert "zstd" in result.err
        assert not (tmp_path / "out.csv").exists()


def test_foot_that_is_no_table(headrace_local: Headrace, tmp_path: Path) -> None:
    """Frames of a program that calls its own skippable frame at the end what it likes."""
    data = text_of("csv")
    stored, entries = frames_of(data, [100_000])
    body = b"x" * 40 + struct.pack("<IBI", 5_000_000, 0, MAGIC)
    (tmp_path / "in.csv.zst").write_bytes(stored + struct.pack("<II", 0x184D2A53, len(body)) + body)
    (tmp_path / "in.csv").write_bytes(data)
    headrace_local.ok("copy", "in.csv", "plain.csv")
    headrace_local.ok("copy", "in.csv.zst", "out.csv", *OPTIONS)
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "plain.csv").read_bytes()
    assert len(entries) > 10
