"""Text files packed by other programs are read, and what is packed here other programs read."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cramjam
import pytest
from conftest import Headrace
from proxy import Proxy

ROWS = 300_000
Pack = Callable[[bytes], bytes]

PACK: dict[str, Pack] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": lambda data: bytes(cramjam.zstd.compress(data)),
    "lz4": lambda data: bytes(cramjam.lz4.compress(data)),
    "snappy": lambda data: bytes(cramjam.snappy.compress(data)),
    "br": lambda data: bytes(cramjam.brotli.compress(data, level=5)),
}
UNPACK: dict[str, Pack] = {
    "gz": gzip.decompress,
    "bz2": bz2.decompress,
    "zst": lambda data: bytes(cramjam.zstd.decompress(data)),
    "lz4": lambda data: bytes(cramjam.lz4.decompress(data)),
    "snappy": lambda data: bytes(cramjam.snappy.decompress(data)),
    "br": lambda data: bytes(cramjam.brotli.decompress(data)),
}


@pytest.fixture(scope="module")
def text() -> bytes:
    """CSV of some megabytes, longer than one block of the writer."""
    rnd = random.Random(3)
    words = ["rail", "ship", "truck", "mail", "air", "fob", "deliver in person"]
    rows = [
        f"{i},{rnd.randrange(10**6)},{rnd.choice(words)},{rnd.randrange(10**9)}x\n"
        for i in range(ROWS)
    ]
    data = ("id,number,word,share\n" + "".join(rows)).encode()
    assert len(data) > 8 << 20
    return data


@pytest.mark.parametrize("suffix", PACK)
def test_reads_what_others_packed(
    headrace_local: Headrace, tmp_path: Path, text: bytes, suffix: str
) -> None:
    (tmp_path / f"in.csv.{suffix}").write_bytes(PACK[suffix](text))
    headrace_local.ok("copy", f"in.csv.{suffix}", "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == text


@pytest.mark.parametrize("suffix", UNPACK)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_others_read_what_was_packed(
    headrace_local: Headrace, tmp_path: Path, text: bytes, suffix: str, kind: str
) -> None:
    (tmp_path / "in.csv").write_bytes(text)
    headrace_local.ok("copy", "in.csv", f"plain.{kind}")
    headrace_local.ok("copy", "in.csv", f"out.{kind}.{suffix}")
    unpacked = UNPACK[suffix]((tmp_path / f"out.{kind}.{suffix}").read_bytes())
    assert unpacked == (tmp_path / f"plain.{kind}").read_bytes()
    assert unpacked.count(b"\n") == ROWS + (kind == "csv")


def test_same_bytes_at_any_number_of_workers(
    headrace_local: Headrace, tmp_path: Path, text: bytes
) -> None:
    (tmp_path / "in.csv").write_bytes(text)
    for suffix in PACK:
        made = set()
        for workers in (1, 3):
            name = f"out{workers}.csv.{suffix}"
            headrace_local.ok(
                "copy", "in.csv", name, "--workers", str(workers), "--set", "task_mb=1"
            )
            made.add((tmp_path / name).read_bytes())
        assert len(made) == 1, suffix


def hadoop(pack: Pack, data: bytes) -> bytes:
    """Hadoop's framing: big-endian lengths of a record and of its chunks."""
    out = b""
    for at in range(0, len(data), 200_000):
        record = data[at : at + 200_000]
        out += struct.pack(">I", len(record))
        for begin in range(0, len(record), 60_000):
            chunk = pack(record[begin : begin + 60_000])
            out += struct.pack(">I", len(chunk)) + chunk
    return out


def test_framings_found_in_the_wild(headrace_local: Headrace, tmp_path: Path, text: bytes) -> None:
    text = text[: text.index(b"\n", 900_000) + 1]
    raw = lambda data: bytes(cramjam.snappy.compress_raw(data))  # noqa: E731
    block = lambda data: bytes(cramjam.lz4.compress_block(data, store_size=False))  # noqa: E731
    files = {
        "hadoop.csv.snappy": hadoop(raw, text),
        "bare.csv.snappy": raw(text),
        "hadoop.csv.lz4": hadoop(block, text),
        "members.csv.gz": b"".join(
            gzip.compress(text[i : i + 77_777]) for i in range(0, len(text), 77_777)
        ),
        "padded.csv.gz": gzip.compress(text) + bytes(512),
        "streams.csv.bz2": bz2.compress(text[:5000]) + bz2.compress(text[5000:]),
        "frames.csv.zst": PACK["zst"](text[:5000])
        + b"\x50\x2a\x4d\x18\3\0\0\0abc"
        + PACK["zst"](text[5000:]),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        headrace_local.ok("copy", name, "out.csv", "--set", "mode=replace")
        assert (tmp_path / "out.csv").read_bytes() == text, name


def deflate(data: bytes, level: int = 6, bits: int = 31, kind: int = 0, step: int = 0) -> bytes:
    """One gzip (31) or zlib (15) stream; flushed every `step` bytes."""
    packer = zlib.compressobj(level, zlib.DEFLATED, bits, 9, kind)
    pieces = [data] if step == 0 else [data[i : i + step] for i in range(0, len(data), step)]
    out = b"".join(packer.compress(p) + packer.flush(zlib.Z_SYNC_FLUSH) for p in pieces)
    return out + packer.flush()


def seekable(pack: Pack, pieces: list[bytes]) -> bytes:
    """zstd frames and the table of their sizes."""
    frames = [pack(piece) for piece in pieces]
    table = b"".join(
        struct.pack("<II", len(f), len(p)) for f, p in zip(frames, pieces, strict=True)
    )
    table += struct.pack("<IBI", len(pieces), 0, 0x8F92EAB1)
    return b"".join(frames) + struct.pack("<II", 0x184D2A5E, len(table)) + table


def test_every_way_to_pack(headrace_local: Headrace, tmp_path: Path, text: bytes) -> None:
    text = text[: text.index(b"\n", 200_000) + 1]
    half = len(text) // 2
    zst, block = PACK["zst"], lambda d: bytes(cramjam.lz4.compress_block(d, store_size=False))
    files = {f"level{level}.csv.gz": deflate(text, level) for level in range(10)}
    files |= {
        "huffman.csv.gz": deflate(text, kind=zlib.Z_HUFFMAN_ONLY),
        "fixed.csv.gz": deflate(text, kind=zlib.Z_FIXED),
        "rle.csv.gz": deflate(text, kind=zlib.Z_RLE),
        "flushed.csv.gz": deflate(text, step=50),
        "window.csv.gz": deflate(text, bits=25),
        "empty-members.csv.gz": deflate(b"") + deflate(text) + deflate(b""),
        "stream.csv.zz": deflate(text, bits=15),
        "hadoop.csv.deflate": deflate(text, bits=15),
        "small.csv.bz2": bz2.compress(text, 1),
        "empty-streams.csv.bz2": bz2.compress(b"") + bz2.compress(text) + bz2.compress(b""),
        "fast.csv.zst": bytes(cramjam.zstd.compress(text, level=-5)),
        "best.csv.zst": bytes(cramjam.zstd.compress(text, level=19)),
        "seekable.csv.zst": seekable(zst, [text[:half], text[half:]]),
        "best.csv.lz4": bytes(cramjam.lz4.compress(text, level=9)),
        "legacy.csv.lz4": b"\x02\x21\x4c\x18" + struct.pack("<I", len(block(text))) + block(text),
        "fast.csv.br": bytes(cramjam.brotli.compress(text, level=0)),
        "best.csv.br": bytes(cramjam.brotli.compress(text, level=9)),
        "BIG.CSV.GZ": deflate(text),
        "unnamed.csv": deflate(text),
        "unnamed2.csv": zst(text),
        "unnamed3.csv": bz2.compress(text),
        "unnamed4.csv": PACK["lz4"](text),
        "unnamed5.csv": PACK["snappy"](text),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        headrace_local.ok("copy", name, "out.csv", "--set", "mode=replace")
        assert (tmp_path / "out.csv").read_bytes() == text, name
    refused = {
        "zlib.csv.gz": deflate(text, bits=15),
        "plain.csv.gz": text,
        "lost.csv.zst": seekable(zst, [text[:half], text[half:]])[len(zst(text[:half])) :],
    }
    for name, data in refused.items():
        (tmp_path / name).write_bytes(data)
        result = headrace_local("copy", name, "bad.csv")
        assert result.code == 5, f"{name}: {result.code} {result.err}"
        assert name in result.err
        assert not (tmp_path / "bad.csv").exists()


@pytest.mark.parametrize("suffix", ["gz", "bz2", "zst", "lz4", "br"])
def test_a_cut_file_fails(
    headrace_local: Headrace, tmp_path: Path, text: bytes, suffix: str
) -> None:
    packed = PACK[suffix](text[:300_000])
    for cut in (1, 30, len(packed) // 2, len(packed) - 1):
        (tmp_path / f"in.csv.{suffix}").write_bytes(packed[:cut])
        result = headrace_local("copy", f"in.csv.{suffix}", f"out{cut}.csv")
        assert result.code == 5, f"{suffix} cut at {cut}: {result.code} {result.err}"
        assert f"in.csv.{suffix}" in result.err
        assert not (tmp_path / f"out{cut}.csv").exists()


def test_junk_behind_the_end_fails(headrace_local: Headrace, tmp_path: Path, text: bytes) -> None:
    for suffix, pack in PACK.items():
        (tmp_path / f"in.csv.{suffix}").write_bytes(pack(text[:5000]) + b"<html>")
        result = headrace_local("copy", f"in.csv.{suffix}", f"out-{suffix}.csv")
        assert result.code == 5, f"{suffix}: {result.code} {result.err}"


def test_xz_says_why_not(headrace_local: Headrace, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "in.csv.xz").write_bytes(lzma.compress(text[:5000]))
    result = headrace_local("copy", "in.csv.xz", "out.csv")
    assert result.code == 5
    assert "xz is not built in" in result.err


def test_a_download_cut_between_members_fails(
    headrace_proxied: Headrace, proxy: Proxy, put: Any, s3: Any, bucket: str, text: bytes
) -> None:
    """Every member that came is whole; only the size in the listing tells that some are missing."""
    half = text.index(b"\n", 40_000) + 1
    first = gzip.compress(text[:half])
    put("in/a.csv.gz", first + gzip.compress(text[half:80_000]))
    proxy.fault("short", kind="get", times=-1, after=len(first))
    result = headrace_proxied(
        "copy", f"s3://{bucket}/in/*.gz", f"s3://{bucket}/out.csv", "--set", "retry_count=1"
    )
    assert result.code != 0
    assert "a.csv.gz" in result.err
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    assert keys == ["in/a.csv.gz"]


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_a_bomb_is_stopped(headrace_local: Headrace, tmp_path: Path, suffix: str) -> None:
    """By its ratio once 256 MiB are out, and by the cap on one object's bytes at any ratio. Every
    other codec meets the same caps in tests/seam/test_codec.c."""
    line = b"a\n" * (1 << 19)
    packed = PACK[suffix](line) * 300
    (tmp_path / f"bomb.csv.{suffix}").write_bytes(packed)
    ratio = 300 * len(line) // len(packed)
    allowed = f"max_inflate_ratio={ratio * 2}"
    headrace_local.ok("count", f"bomb.csv.{suffix}", "--set", allowed)
    low = f"max_inflate_ratio={ratio // 2}"
    result = headrace_local("copy", f"bomb.csv.{suffix}", "out.csv", "--set", low)
    assert result.code == 5
    assert "times as much" in result.err
    assert "max_inflate_ratio" in result.err
    result = headrace_local(
        "copy", f"bomb.csv.{suffix}", "out.csv", "--set", allowed, "--set", "max_inflated_gb=0.1"
    )
    assert result.code == 5
    assert "max_inflated_gb" in result.err
    assert not (tmp_path / "out.csv").exists()


NAMES = {"gz": "gzip", "bz2": "bzip2", "zst": "zstd", "br": "brotli"}


@pytest.mark.parametrize("suffix", PACK)
def test_the_option_beside_other_names(
    headrace_local: Headrace, tmp_path: Path, suffix: str
) -> None:
    """A codec that is named is taken whatever the file's name says; where first bytes tell, plain
    files among its files are read as plain."""
    small = b'a,b\n1,"x,y"\n'
    option = ("--set", f"compression={NAMES.get(suffix, suffix)}")
    words = ("-", "--format", "csv", "--set", "file_format=csv", *option)
    for name in (f"in.csv.{suffix}", "in.csv", "in.dat", "in"):
        (tmp_path / name).write_bytes(PACK[suffix](small))
        assert headrace_local.ok("copy", name, *words).out.encode() == small, name
    (tmp_path / f"plain.csv.{suffix}").write_bytes(small)
    done = headrace_local("copy", f"plain.csv.{suffix}", *words)
    assert (done.code == 0) == (suffix in ("gz", "bz2", "zst")), done.err
    named = headrace_local("copy", f"plain.csv.{suffix}", "-", "--format", "csv")
    assert named.code == 5
    if suffix in ("gz", "bz2", "zst"):
        assert f"with {option[1]} its first bytes decide" in named.err
