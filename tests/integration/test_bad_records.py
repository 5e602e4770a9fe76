"""Bad records: refused, left out or put into the quarantine, judged in order, each exactly once."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import Headrace
from limits import RUN_LIMIT_S
from olake_job import FolderLake, Job

CSV = b"id,name\n1,a\n2\n3,c\n4,d,e\n5,\xff\n6,f\n"
CSV_BAD = [
    {"line": 3, "byte_offset": 12, "record": b"2"},
    {"line": 5, "byte_offset": 18, "record": b"4,d,e"},
    {"line": 6, "byte_offset": 24, "record": b"5,\xff"},
]
JSONL = b'{"id":1}\n{"id":2\n{"id":3}\n{"id":bad}\n{"id":6}\n'
JSONL_BAD = [
    {"line": 2, "byte_offset": 9, "record": b'{"id":2'},
    {"line": 4, "byte_offset": 26, "record": b'{"id":bad}'},
]
CASES = {
    "a.csv": (CSV, CSV_BAD, [1, 3, 6]),
    "a.tsv": (CSV.replace(b",", b"\t"), CSV_BAD, [1, 3, 6]),
    "a.jsonl": (JSONL, JSONL_BAD, [1, 3, 6]),
}


def quarantined(folder: Path) -> list[dict[str, Any]]:
    """The lines of every file of the quarantine, in the order of their names."""
    lines: list[dict[str, Any]] = []
    for path in sorted(folder.glob("**/_quarantine/*.jsonl")):
        lines += [json.loads(line) for line in path.read_text().splitlines()]
    return lines


def record(line: dict[str, Any]) -> bytes:
    if "record" in line:
        return str(line["record"]).encode()
    return base64.b64decode(line["record_base64"], validate=True)


def ids(folder: Path) -> list[int]:
    return [
        value
        for path in sorted(folder.glob("*.parquet"))
        for value in pq.read_table(path)["id"].to_pylist()
    ]


@pytest.mark.parametrize("name", CASES)
def test_each_format(headrace_local: Headrace, tmp_path: Path, name: str) -> None:
    data, bad, good = CASES[name]
    source = tmp_path / "in" / name
    source.parent.mkdir()
    source.write_bytes(data)
    failed = headrace_local("copy", source, f"{tmp_path}/fail/")
    assert failed.code == 5
    assert f"line: {bad[0]['line']}" in failed.err
    assert not list((tmp_path / "fail").glob("**/*")) if (tmp_path / "fail").exists() else True
    skipped = headrace_local.ok("copy", source, f"{tmp_path}/skip/", "--set", "on_error=skip")
    assert f"{len(bad)} bad records" in skipped.err
    assert ids(tmp_path / "skip") == good
    assert not (tmp_path / "skip/_quarantine").exists()
    headrace_local.ok("copy", source, f"{tmp_path}/q/", "--set", "on_error=quarantine")
    assert ids(tmp_path / "q") == good
    lines = quarantined(tmp_path / "q")
    want = [b["record"].replace(b",", b"\t") if name == "a.tsv" else b["record"] for b in bad]
    assert [record(line) for line in lines] == want
    for line, place in zip(lines, bad, strict=True):
        assert (line["file"], line["line"], line["byte_offset"]) == (
            name,
            place["line"],
            place["byte_offset"],
        )
        assert line["reason"]
        assert "truncated" not in line


def test_a_long_record_is_cut(headrace_local: Headrace, tmp_path: Path) -> None:
    long = "1," + "é" * 100_000 + ",x"
    (tmp_path / "a.csv").write_text(f"id,name\n{long}\n2,b\n")
    headrace_local.ok("copy", "a.csv", "q/", "--set", "on_error=quarantine", cwd=tmp_path)
    (line,) = quarantined(tmp_path / "q")
    assert line["truncated"] is True
    assert long.startswith(line["record"])
    assert 60_000 < len(line["record"].encode()) <= 65_536


def test_thresholds(headrace_local: Headrace, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(CSV)
    for options, code in (
        (("max_errors=2",), 5),
        (("max_errors=3",), 0),
        (("max_error_ratio=0.49",), 5),
        (("max_error_ratio=0.5",), 0),
    ):
        for mode in ("skip", "quarantine"):
            out = tmp_path / f"{mode}-{options[0]}"
            sets = [x for o in (f"on_error={mode}", *options) for x in ("--set", o)]
            done = headrace_local("copy", tmp_path / "a.csv", f"{out}/", *sets)
            assert done.code == code, done.err
            if code:
                assert "'a.csv'" in done.err
                assert "line 3" in done.err or "line: 6" in done.err
                assert not out.exists() or not [p for p in out.rglob("*") if p.is_file()]


def test_beside_one_file_and_not_beside_stdout(headrace_local: Headrace, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(JSONL)
    how = ("--set", "on_error=quarantine")
    headrace_local.ok("copy", "a.jsonl", "out/one.csv", *how, cwd=tmp_path)
    assert (tmp_path / "out/one.csv").read_text() == "id\n1\n3\n6\n"
    assert len(list((tmp_path / "out/_quarantine").iterdir())) == 1
    refused = headrace_local("copy", "a.jsonl", "-", "--format", "csv", *how, cwd=tmp_path)
    assert refused.code == 2
    assert "standard output" in refused.err
    drained = headrace_local.ok("copy", "a.jsonl", "null:", *how, cwd=tmp_path)
    assert "2 bad records" in drained.err


def test_summary_in_a_file(headrace_local: Headrace, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(CSV)
    how = ("--set", "on_error=skip", "--summary", "s.json")
    headrace_local.ok("copy", "a.csv", "out.csv", *how, cwd=tmp_path)
    summary = json.loads((tmp_path / "s.json").read_text())
    assert (summary["verb"], summary["rows_out"], summary["rejected"]) == ("copy", 3, 3)
    nowhere = headrace_local(
        "copy", "a.csv", "x.csv", "--set", "on_error=skip", "--summary", "no/s.json", cwd=tmp_path
    )
    assert nowhere.code == 4  # no such folder; the rows are there
    assert "no/s.json" in nowhere.err


def test_same_bytes_at_any_width(headrace_local: Headrace, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(12):
        lines = [f"{number},{i},x" + (",y" if i % 97 == number else "") for i in range(3000)]
        (folder / f"{number:02}.csv").write_text("file,row,text\n" + "\n".join(lines) + "\n")
    seen = set()
    for workers in (1, 2, 8):
        out = tmp_path / f"out-{workers}"
        headrace_local.ok(
            *("copy", folder, f"{out}/", "--workers", str(workers), "--set", "lineage=l"),
            *("--set", "on_error=quarantine"),
        )
        files = sorted(p.relative_to(out) for p in out.rglob("*") if p.is_file())
        seen.add(tuple((str(p), (out / p).read_bytes()) for p in files))
        assert len(quarantined(out)) == sum(len(range(n, 3000, 97)) for n in range(12))
    assert len(seen) == 1


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_lines_of_an_object_that_is_split(
    headrace_local: Headrace, tmp_path: Path, kind: str
) -> None:
    """A split cannot know its lines; what is written must be the object's all the same."""
    bad = (5, 40_001, 90_000, 99_999)
    if kind == "csv":
        lines = [f'{i},"{"x" * 20}\n{i}"' for i in range(100_000)]
        for i in bad:
            lines[i] = f"{i},y,z"
        text = "id,name\n" + "\n".join(lines) + "\n"
        places = [2 + 2 * i - n for n, i in enumerate(bad)]
    else:
        lines = [f'{{"id":{i},"name":"{"x" * 20}"' + "}" * (i not in bad) for i in range(100_000)]
        text = "\n".join(lines) + "\n"
        places = [1 + i for i in bad]
    (tmp_path / f"a.{kind}").write_text(text)
    how = ("--set", "task_mb=1", "--set", "on_error=quarantine")
    for workers in ("1", "3"):
        out = tmp_path / f"q{workers}"
        headrace_local.ok("copy", f"a.{kind}", f"{out}/", "--workers", workers, *how, cwd=tmp_path)
        got = quarantined(out)
        assert [line["line"] for line in got] == places
        for line in got:
            at = line["byte_offset"]
            assert text[at : at + len(line["record"])] == line["record"]
    stopped = headrace_local(
        "copy", f"a.{kind}", "no/", *how, "--set", "max_errors=2", cwd=tmp_path
    )
    assert stopped.code == 5
    assert f"line: {places[2]}" in stopped.err
    numbered = ("--set", "metadata_columns=_line", "--set", "task_mb=1", "--set", "on_error=skip")
    headrace_local.ok("copy", f"a.{kind}", "lines.parquet", *numbered, cwd=tmp_path)
    last = pq.read_table(tmp_path / "lines.parquet").slice(99_995).to_pylist()
    assert [row["id"] for row in last] == [99_998]
    assert last[0]["_line"] == places[3] - (2 if kind == "csv" else 1)


def test_strict_names_the_line_of_the_object(headrace_local: Headrace, tmp_path: Path) -> None:
    rows = [f"{i},{'n' * 20}" for i in range(100_000)]
    rows[80_000] = "late,n"
    (tmp_path / "a.csv").write_text("id,name\n" + "\n".join(rows) + "\n")
    failed = headrace_local(
        *("copy", "a.csv", "out/", "--workers", "2"),
        *("--set", "task_mb=1", "--set", "schema_evolution=strict"),
        cwd=tmp_path,
    )
    assert failed.code == 5
    assert "line: 80002" in failed.err
    assert "column: id" in failed.err


def test_a_cell_longer_than_a_split(headrace_local: Headrace, tmp_path: Path) -> None:
    """No record starts in a split that lies inside one cell, whatever its first line end says."""
    cell = "x" * 3_500_000 + "\n7,fake\n8,fake\n" + "y" * 1_500_000 + "\n9,fake"
    rows = [f"{i},n" for i in range(50_000)]
    rows[25_000] = f'25000,"{cell}"'
    text = "id,name\n" + "\n".join(rows) + "\n"
    (tmp_path / "a.csv").write_text(text)
    for workers in ("1", "2"):
        headrace_local.ok(
            *("copy", "a.csv", "b.csv", "--workers", workers, "--set", "task_mb=1"), cwd=tmp_path
        )
        assert (tmp_path / "b.csv").read_text() == text


def sync_job(program: Headrace, tmp_path: Path) -> Job:
    job = Job(program, tmp_path / "job", FolderLake(tmp_path / "lake"))
    for number in range(4):
        lines = [f"{number * 1000 + i},{'x' * 300}" for i in range(1000)]
        lines[7] += ",too,many"
        job.lake.put(f"s/{number}.csv", "id,name\n" + "\n".join(lines) + "\n")
    job.select("s")
    return job


def test_sync_keeps_them_with_their_commit(headrace_local: Headrace, tmp_path: Path) -> None:
    job = sync_job(headrace_local, tmp_path)
    job.ok("--set", "on_error=quarantine")
    assert len(job.column("id")) == 4 * 999
    lines = quarantined(job.out)
    assert [line["file"] for line in lines] == [f"d/s/{n}.csv" for n in range(4)]
    job.ok("--set", "on_error=quarantine")  # nothing new: nothing again
    assert quarantined(job.out) == lines
    job.lake.put("s/9.csv", "id,name\n90000,a\n90001\n")
    job.ok("--set", "on_error=quarantine")
    assert [line["file"] for line in quarantined(job.out)][4:] == ["d/s/9.csv"]
    whole = job.run("verify", "--destination", "destination.json", "--state", "state.json")
    assert whole.code == 0, whole.out + whole.err
    (spoilt,) = [p for p in job.out.rglob("_quarantine/*") if "90001" in p.read_text()]
    spoilt.write_text(spoilt.read_text().replace("90001", "90002"))
    assert (
        job.run("verify", *("--destination", "destination.json", "--state", "state.json")).code == 5
    )


def test_killed_runs_quarantine_once(headrace_local: Headrace, tmp_path: Path) -> None:
    job = sync_job(headrace_local, tmp_path)
    how = ("--set", "on_error=quarantine")
    job.ok(*how)
    want = [record(line) for line in quarantined(job.out)]
    points = 0
    for nth in range(1, 400, 7):
        fresh = Job(headrace_local, tmp_path / f"job-{nth}", job.lake)  # type: ignore[arg-type]
        fresh.select("s")
        done = subprocess.run(
            [headrace_local.path, *fresh.command(*how)],
            cwd=fresh.folder,
            env={**headrace_local.environment, "HEADRACE_FAULT": f"kill:{nth}"},
            capture_output=True,
            timeout=RUN_LIMIT_S,
            check=False,
        )
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        points += 1
        fresh.ok(*how)
        assert sorted(record(line) for line in quarantined(fresh.out)) == sorted(want)
        assert sorted(fresh.column("id")) == sorted(job.column("id"))
        assert not [p for p in fresh.out.rglob("*") if p.name.endswith(".tmp")]
    assert points > 3
