"""`headrace copy in.X out.Y` for every pair of formats, every codec on either side, from a folder
and from S3, files written and results read by other programs. HEADRACE_SOAK=1: all with all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pairs
import pytest
from conftest import Headrace

CASES = pairs.everything() if os.environ.get("HEADRACE_SOAK") == "1" else pairs.rotation()


def test_the_rotation_leaves_nothing_out() -> None:
    formats = {(case[0], case[2]) for case in CASES}
    assert formats == {(a, b) for a in pairs.FORMATS_IN for b in pairs.FORMATS_OUT}
    assert {case[:2] for case in CASES} == {
        (form, codec) for form in pairs.FORMATS_IN for codec in pairs.codecs_of(form)
    }
    assert {case[2:4] for case in CASES} == {
        (form, codec) for form in pairs.FORMATS_OUT for codec in pairs.codecs_of(form)
    }


@pytest.mark.parametrize("first", pairs.FORMATS_IN)
def test_every_pair(headrace: Headrace, tmp_path: Path, s3: Any, bucket: str, first: str) -> None:
    mine = [case for case in CASES if case[0] == first]
    for number, (form, codec, second, pack, reader) in enumerate(mine):
        what = f"{form} {codec or 'plain'} -> {second} {pack or 'plain'} by {reader}"
        name = pairs.suffix(form, codec)
        out = f"out.{pairs.suffix(second, pack)}"
        halves = {f"in{number}/a.{name}": (0, 60), f"in{number}/b.{name}": (60, 120)}
        for key, (begin, end) in halves.items():
            data = pairs.make(form, codec, begin, end)
            (tmp_path / key).parent.mkdir(exist_ok=True)
            (tmp_path / key).write_bytes(data)
            s3.put_object(Bucket=bucket, Key=key, Body=data)
        options = ["--set", "mode=replace", "--set", "json_nested_text=false"]
        if second == "json":
            options += ["--set", "json_array=true"]
        if second in ("parquet", "avro"):
            options += ["--set", f"destination.compression={pairs.OPTION[pack]}"]
        headrace.ok("copy", f"in{number}/", out, *options)
        if second in ("parquet", "avro"):
            inside = {"parquet": pairs.PARQUET_CODEC, "avro": pairs.AVRO_CODEC}[second][pack]
            assert pairs.page_codec(second, tmp_path / out) == inside, what
        wrong = pairs.compare(pairs.read(second, tmp_path / out, pack, reader), form, second)
        assert wrong == "", f"{what}: {wrong}"
        local = (tmp_path / out).read_bytes()
        headrace.ok("copy", f"s3://{bucket}/in{number}/", f"s3://{bucket}/{out}", *options)
        stored = s3.get_object(Bucket=bucket, Key=out)["Body"].read()
        assert stored == local, f"{what}: other bytes from S3"
