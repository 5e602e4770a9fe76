"""Errors and quarantined records of a file read in many pieces name the file's own lines."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from conftest import Headrace

ROWS = 150_000
# A bad record of each format, good ones around it over two or three lines each in CSV.
GOOD = {
    "csv": lambda i: f'{i},"two\nlines {i}",{i * 7}\n',
    "jsonl": lambda i: f'{{"a":{i},"b":"text {i} to fill the line","c":{i * 7}}}\n',
    "txt": lambda i: f"line {i} with some text to fill it up\n",
}
BAD = {"csv": b"1,2\n", "jsonl": b'{"a":1,"b":\n', "txt": b"bad \xff\xfe byte\n"}
HEAD = {"csv": b"a,b,c\n", "jsonl": b"", "txt": b""}


def lake(folder: Path, form: str, bad: list[int]) -> list[int]:
    """Writes in.FORM with bad records behind those rows; the lines they stand on."""
    pieces = [HEAD[form]]
    places = []
    line = 1 + HEAD[form].count(b"\n")
    for i in range(ROWS):
        row = GOOD[form](i).encode()
        pieces.append(row)
        line += row.count(b"\n")
        if i in bad:
            pieces.append(BAD[form])
            places.append(line)
            line += 1
    (folder / f"in.{form}").write_bytes(b"".join(pieces))
    return places


@pytest.mark.parametrize("form", GOOD)
def test_lines_of_the_file(headrace_local: Headrace, tmp_path: Path, form: str) -> None:
    bad = [10, ROWS // 2, ROWS - 5]
    options = ["--set", "task_mb=1", "--workers", "3"]
    for one in bad:
        (place,) = lake(tmp_path, form, [one])
        assert (tmp_path / f"in.{form}").stat().st_size > 3 << 20
        result = headrace_local("copy", f"in.{form}", "out.parquet", *options)
        assert result.code == 5
        found = re.search(r"^ *line: (\d+)", result.err, re.MULTILINE)
        assert found is not None, result.err
        assert int(found[1]) == place, result.err
    places = lake(tmp_path, form, bad)
    options += ["--set", "on_error=quarantine"]
    headrace_local.ok("copy", f"in.{form}", "out/", *options)
    kept = [
        json.loads(line)
        for path in sorted((tmp_path / "out").rglob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    assert [record["line"] for record in kept] == places, kept
