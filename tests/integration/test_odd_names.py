"""Names with characters of patterns: as they were typed they are names, behind them patterns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Headrace

KEYS = [
    "!n.csv",
    "a,b1.csv",
    "a1.csv",
    "a[1].csv",
    "b1.csv",
    "c*.csv",
    "c2.csv",
    "d[1]/q.csv",
    "d1/p.csv",
    "x%2F+ y.csv",
    "{a,b}/r.csv",
]
READ = [
    ("a[1].csv", ["a[1].csv"]),
    ("c*.csv", ["c*.csv"]),
    ("c\\**.csv", ["c*.csv"]),
    ("c[*2].csv", ["c*.csv", "c2.csv"]),
    ("a\\[1\\].csv", ["a[1].csv"]),
    ("[ab]1.csv", ["a1.csv", "b1.csv"]),
    ("d[1]/", ["d[1]/q.csv"]),
    ("d?/*.csv", ["d1/p.csv"]),
    ("{a,b}/r.csv", ["{a,b}/r.csv"]),
    ("{a,b}1.csv", ["a1.csv", "b1.csv"]),
    ("a,b*.csv", ["a,b1.csv"]),
    ("!*.csv", ["!n.csv"]),
    ("x%2F+ y.csv", ["x%2F+ y.csv"]),
]


@pytest.fixture(params=["folder", "bucket"])
def lake(request: pytest.FixtureRequest, tmp_path: Path, s3: Any, bucket: str) -> str:
    """Where one object of each key is; what it holds is its key."""
    for key in KEYS:
        body = f'k\n"{key}"\n'
        if request.param == "bucket":
            s3.put_object(Bucket=bucket, Key=f"lake/{key}", Body=body.encode())
        else:
            path = tmp_path / "lake" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body)
    return f"s3://{bucket}/lake" if request.param == "bucket" else "lake"


def test_names_and_patterns(headrace: Headrace, lake: str) -> None:
    for text, want in READ:
        done = headrace.ok("copy", f"{lake}/{text}", "-", "--format", "jsonl")
        assert done.out == "".join(f'{{"k":"{key}"}}\n' for key in want), text
    done = headrace.ok("copy", f"{lake}/c*.csv", "null:")
    assert "c*.csv' is the name of an object, which alone is read" in done.err


def test_ls_takes_patterns(headrace: Headrace, lake: str) -> None:
    def names(text: str) -> list[str]:
        lines = headrace.ok("ls", "--json", f"{lake}/{text}").out.splitlines()
        return [json.loads(line)["key"].removeprefix("lake/") for line in lines]

    assert names("a?.csv") == ["a1.csv"]
    assert names("a[1].csv") == ["a[1].csv"]
    assert names("d*") == ["d1/", "d[1]/"]
    assert names("d[1]/") == ["d[1]/q.csv"]
    assert names("**/?.csv") == ["d1/p.csv", "d[1]/q.csv", "{a,b}/r.csv"]
    assert headrace("ls", f"{lake}/*.parquet").code == 4


def test_a_pattern_and_the_option_must_both_agree(headrace: Headrace, lake: str) -> None:
    words = ("--format", "csv", "--set", "file_pattern=!b*")
    assert headrace.ok("copy", f"{lake}/[ab]1.csv", "-", *words).out == "k\na1.csv\n"


def test_where_to_write(headrace: Headrace, lake: str) -> None:
    """Brackets and braces are names there; stars need a backslash, and the message says so."""
    refused = headrace("copy", f"{lake}/a1.csv", f"{lake}/out*.csv")
    assert refused.code == 2
    assert "backslash" in refused.err
    for typed, name in (("o[1]{x}.csv", "o[1]{x}.csv"), ("o\\*.csv", "o*.csv")):
        headrace.ok("copy", f"{lake}/a1.csv", f"{lake}/{typed}")
        assert headrace.ok("copy", f"{lake}/{name}", "-", "--format", "csv").out == "k\na1.csv\n"
