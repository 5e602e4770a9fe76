#!/usr/bin/env python3
"""Make the files of this folder: one text, packed by implementations that are not ours.

Needs zstandard, lz4, brotli and cramjam from PyPI. The names say what is special; test_wild.c reads
every file by its suffix (or the name before the first dot where a suffix is missing) and compares
with text.txt. Files named bad-* must be refused.
"""

import bz2
import gzip
import lzma
import struct
import zlib
from pathlib import Path

import brotli
import cramjam
import lz4.block
import lz4.frame
import zstandard

HERE = Path(__file__).parent
LINES = [
    f"{i},{i * 7919 % 1000},ship by {'rail' if i % 3 else 'air'},1996-03-{i % 28 + 1:02d}\n"
    for i in range(60)
]
TEXT = "".join(LINES).encode()
A, B, C = TEXT[:500], TEXT[500:501], TEXT[501:]


def write(name, data):
    (HERE / name).write_bytes(data)


def gzip_member(data, flags=0, extra=b"", level=9):
    head = b"\x1f\x8b\x08" + bytes([flags]) + b"\0\0\0\0\2\3" + extra
    if flags & 2:
        head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    deflate = zlib.compressobj(level, zlib.DEFLATED, -15)
    body = deflate.compress(data) + deflate.flush()
    return head + body + struct.pack("<II", zlib.crc32(data), len(data))


def be(*numbers):
    return b"".join(struct.pack(">I", n) for n in numbers)


def hadoop(pack, pieces):
    """One record whose chunks are the pieces, then one record for the rest."""
    first = b"".join(pieces[:-1])
    out = be(len(first))
    for piece in pieces[:-1]:
        packed = pack(piece)
        out += be(len(packed)) + packed
    packed = pack(pieces[-1])
    return out + be(len(pieces[-1]), len(packed)) + packed


def lz4_block(data):
    return lz4.block.compress(data, store_size=False)


def lz4_legacy(*pieces):
    """What `lz4 -l` writes, in blocks of any size."""
    blocks = [lz4_block(piece) for piece in pieces]
    return b"\x02\x21\x4c\x18" + b"".join(struct.pack("<I", len(b)) + b for b in blocks)


def seekable(pieces, checks):
    """Frames of the pieces and their seek table, with or without checksums (which nobody reads)."""
    frames = [zstandard.ZstdCompressor(write_checksum=True).compress(piece) for piece in pieces]
    body = b"".join(
        struct.pack("<II", len(frame), len(piece)) + (b"\1\2\3\4" if checks else b"")
        for frame, piece in zip(frames, pieces, strict=True)
    )
    body += struct.pack("<IBI", len(pieces), 0x80 if checks else 0, 0x8F92EAB1)
    return frames, struct.pack("<II", 0x184D2A5E, len(body)) + body


def snappy_block(data):
    return bytes(cramjam.snappy.compress_raw(data))


def zstd_stream(data, **params):
    values = zstandard.ZstdCompressionParameters(**params)
    obj = zstandard.ZstdCompressor(compression_params=values).compressobj()
    return obj.compress(data) + obj.flush()


def main():
    write("text.txt", TEXT)
    extra = struct.pack("<H", 6) + b"AB\2\0xy" + b"name.csv\0" + b"a comment\0"
    write("all-flags.gz", gzip_member(TEXT, 2 | 4 | 8 | 16, extra))
    write("stored.gz", gzip_member(TEXT, level=0))
    members = (
        gzip.compress(A, 9) + gzip.compress(b"") + gzip_member(B, 8, b"n\0") + gzip.compress(C, 1)
    )
    write("members.gz", members)
    write("zero-padded.gz", members + bytes(1000))
    write("bad-header-crc.gz", gzip_member(TEXT, 2)[:10] + b"\0\0" + gzip_member(TEXT, 2)[12:])
    write("bad-length.gz", gzip_member(TEXT)[:-1] + b"\1")
    write("bad-padded-junk.gz", members + bytes(10) + b"x")
    write("zlib.zz", zlib.compress(TEXT, 6))
    write(
        "streams.bz2",
        bz2.compress(A, 1) + bz2.compress(b"") + bz2.compress(B, 9) + bz2.compress(C, 5),
    )
    skip = b"\x5a\x2a\x4d\x18" + struct.pack("<I", 5) + b"hello"
    single = zstandard.ZstdCompressor(level=19, write_checksum=True)
    write(
        "frames.zst",
        single.compress(A)
        + skip
        + zstd_stream(B, compression_level=1)
        + single.compress(b"")
        + zstd_stream(C, window_log=18, compression_level=3)
        + skip,
    )
    write("skippable-first.zst", skip + single.compress(TEXT))
    write("window-128m.zst", zstd_stream(TEXT, window_log=27, compression_level=1))
    write("bad-window-256m.zst", zstd_stream(TEXT, window_log=28, compression_level=1))
    write(
        "x100-linked.lz4",
        lz4.frame.compress(
            TEXT * 100,
            block_linked=True,
            block_size=lz4.frame.BLOCKSIZE_MAX64KB,
            content_checksum=True,
            block_checksum=True,
        ),
    )
    write(
        "frames.lz4",
        lz4.frame.compress(A, store_size=True)
        + skip
        + lz4.frame.compress(B, block_linked=False)
        + lz4.frame.compress(b"")
        + lz4.frame.compress(C, compression_level=9),
    )
    write("legacy.lz4", lz4_legacy(A, B) + lz4_legacy(C))
    write("bad-legacy.lz4", lz4_legacy(TEXT)[:4] + struct.pack("<I", 1 << 30) + lz4_block(TEXT))
    frames, table = seekable([A, B, C], checks=False)
    write("seekable.zst", b"".join(frames) + table)
    write("bad-seekable-lost.zst", frames[0] + frames[2] + table)
    frames, table = seekable([A, B, C], checks=True)
    write("seekable-checks.zst", b"".join(frames) + table)
    frames, _ = seekable([A, B + C[:7], C[7:]], checks=True)
    write("bad-seekable-sizes.zst", b"".join(frames) + table)
    write("by-hadoop.lz4", hadoop(lz4_block, [A, B, C]))
    write("chunks.lz4-hadoop", hadoop(lz4_block, [A, B, C]))
    write("block.lz4-raw", lz4_block(TEXT))
    framed = bytes(cramjam.snappy.compress(TEXT))
    padding = b"\xfe\5\0\0\0\0\0\0\0" + b"\x80\3\0\0abc"
    write("framed.sz", framed[:10] + padding + framed[10:] + framed[:10])
    write("by-hadoop.snappy", hadoop(snappy_block, [A, B, C]))
    write("bare.snappy", snappy_block(TEXT))
    write("bad-checksum.sz", framed[:14] + b"\0\0\0\0" + framed[18:])
    write("chunks.snappy-hadoop", hadoop(snappy_block, [A, B, C]))
    write("block.snappy-raw", snappy_block(TEXT))
    write("small-window.br", brotli.compress(TEXT, quality=11, lgwin=10))
    write("large.br", brotli.compress(TEXT, quality=1, lgwin=24))
    write("block.deflate-raw", zlib.compress(TEXT, 9)[2:-4])
    write("missing.xz", lzma.compress(TEXT))


main()
