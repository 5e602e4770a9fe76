"""Integers and decimals that meet doubles: what a double does not hold is counted and told."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from conftest import Headrace

BIG = 2**53
WHOLE = [1, BIG, BIG + 1, -BIG - 1, BIG + 2, None, 2**63 - 1, -(2**63)]
EXACT = [Decimal("0.10"), Decimal("123456789012.25"), None]
LONG = [Decimal("1234567890123456789012345678901234.25"), Decimal("12345678901234567.25")]


def lost(values: list[Any]) -> int:
    """As Python counts them: the double is another number at the value's own digits."""
    bad = 0
    for value in values:
        if isinstance(value, int):
            bad += int(float(value)) != value
        elif isinstance(value, Decimal):
            bad += Decimal(f"{float(value):.2f}") != value
    return bad


def lake(folder: Path, column: pa.Array) -> None:
    folder.mkdir()
    pq.write_table(pa.table({"id": [0.5, 1.5], "x": [0.25, 1e300]}), folder / "1.parquet")
    pq.write_table(pa.table({"x": column, "y": ["t"] * len(column)}), folder / "2.parquet")


def run(headrace: Headrace, folder: Path, *args: str) -> tuple[dict[str, Any], str]:
    done = headrace.ok("copy", *args, "--summary", "s.json", cwd=folder)
    return json.loads((folder / "s.json").read_text()), done.err


def test_integers(tmp_path: Path, headrace_local: Headrace) -> None:
    lake(tmp_path / "lake", pa.array(WHOLE, pa.int64()))
    for more in ((), ("--set", "infer_files=1"), ("--workers", "3")):
        summary, err = run(headrace_local, tmp_path, "lake/", "o.parquet", *more)
        got = pq.read_table(tmp_path / "o.parquet")
        assert got["x"].to_pylist()[2:] == [None if v is None else float(v) for v in WHOLE]
        assert summary["rounded"] == lost(WHOLE) == 3
        assert "'x': 3 values were rounded" in err
    unsigned = [2**64 - 1, 2**63, 2**53 + 1]
    pq.write_table(pa.table({"x": pa.array(unsigned, pa.uint64())}), tmp_path / "lake/2.parquet")
    summary, _ = run(headrace_local, tmp_path, "lake/", "o.parquet")
    assert summary["rounded"] == lost(unsigned) == 2


def test_decimals_by_their_digits(tmp_path: Path, headrace_local: Headrace) -> None:
    """0.10 is no binary fraction, but it comes back: only lost digits count."""
    values = EXACT + LONG
    lake(tmp_path / "lake", pa.array(values, pa.decimal128(38, 2)))
    summary, err = run(headrace_local, tmp_path, "lake/", "o.parquet")
    assert summary["rounded"] == lost(values) == 2
    assert "'x': 2 values were rounded" in err


def test_inside_structs_and_lists(tmp_path: Path, headrace_local: Headrace) -> None:
    folder = tmp_path / "lake"
    folder.mkdir()
    pq.write_table(pa.table({"s": [{"a": [0.5], "b": 1}]}), folder / "1.parquet")
    pq.write_table(pa.table({"s": [{"b": BIG + 1, "a": [BIG + 1, 3]}]}), folder / "2.parquet")
    summary, err = run(headrace_local, tmp_path, "lake/", "o.parquet")
    assert summary["rounded"] == 1
    assert "'s': 1 values" in err


def test_nothing_lost_nothing_told(tmp_path: Path, headrace_local: Headrace) -> None:
    lake(tmp_path / "lake", pa.array([1, 2, BIG], pa.int64()))
    summary, err = run(headrace_local, tmp_path, "lake/", "o.parquet")
    assert (summary["rounded"], "rounded" in err) == (0, False)
    # A schema that holds the digits, as the warning says.
    lake(tmp_path / "big", pa.array(WHOLE, pa.int64()))
    option = ("--set", 'schema={"x": "utf8", "y": "utf8", "id": "double"}')
    summary, err = run(headrace_local, tmp_path, "big/", "o.parquet", *option)
    assert (summary["rounded"], "rounded" in err) == (0, False)
    assert str(BIG + 1) in pq.read_table(tmp_path / "o.parquet")["x"].to_pylist()
