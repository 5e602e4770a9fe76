"""A pipeline's files damaged, exchanged or of another version: exit 2, and the file is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import Headrace
from local_job import Job, lake, resume
from test_state_verbs import files, killed_while_publishing, records, synced


@pytest.fixture
def job(tmp_path: Path, headrace_local: Headrace) -> Job:
    lake(tmp_path / "lake")
    return Job(tmp_path / "job", headrace_local, tmp_path / "lake", "incremental", 1)


def refused(job: Job, name: str) -> None:
    """A sync stops with exit 2 before it writes anything, names the file and offers a way out."""
    before = [p.read_bytes() for p in files(job)]
    done = job.sync()
    assert done.returncode == 2, done.stderr
    assert name in done.stderr
    assert "hint:" in done.stderr
    assert [p.read_bytes() for p in files(job)] == before


def test_bytes_of_the_state(job: Job) -> None:
    """Every 13th byte of the file, by the program itself; all of them by the C tests."""
    synced(job)
    path = job.folder / "state.json"
    rows = job.rows()
    whole = path.read_bytes()
    kept = passed = 0
    for at in range(0, len(whole), 13):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x01]) + whole[at + 1 :])
        done = job.sync()
        assert done.returncode in (0, 2), done.stderr
        if done.returncode == 2:
            assert "state.json" in done.stderr
            kept += 1
        else:  # a document that Olake might have written: its cursor wins, nothing is read twice
            passed += 1
        assert job.rows() == rows, at
    assert kept > 3 * passed
    for cut in (0, 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        refused(job, "state.json")
    path.write_bytes(whole)
    synced(job)
    assert job.rows() == rows


def test_a_cursor_that_went_back(job: Job) -> None:
    synced(job)
    path = job.folder / "state.json"
    doc = json.loads(path.read_text())
    state = doc["streams"][0]["state"]
    state["_last_modified_time"] = "2001-01-01T00:00:00Z"
    path.write_text(json.dumps(doc))
    refused(job, "state.json")
    del state["_last_modified_time"]
    path.write_text(json.dumps(doc))
    refused(job, "state.json")


def test_another_version(job: Job) -> None:
    synced(job)
    path = job.folder / "state.json"
    doc = json.loads(path.read_text())
    doc["streams"][0]["state"]["_headrace"]["v"] = 3
    path.write_text(json.dumps(doc))
    refused(job, "another version")


def test_a_manifest_that_is_damaged(job: Job) -> None:
    synced(job)
    (job.folder.parent / "lake/bucket/data/events/part-9.csv").write_text("id,text\n7,late\n")
    manifest = records(job) / "manifest.json"
    whole = manifest.read_bytes()
    manifest.write_bytes(whole.replace(b'"rows":', b'"rows":1'))
    refused(job, "manifest.json")
    manifest.write_bytes(whole)
    synced(job)


def other_pipeline(job: Job, name: str) -> Job:
    """A second pipeline from the same lake to a folder of its own."""
    return Job(job.folder.parent / name, job.headrace, job.folder.parent / "lake", "incremental", 1)


def test_two_states_exchanged(job: Job) -> None:
    other = other_pipeline(job, "other")
    synced(job)
    synced(other)
    (job.folder.parent / "lake/bucket/data/events/part-9.csv").write_text("id,text\n7,late\n")
    mine, theirs = (j.folder / "state.json" for j in (job, other))
    kept = mine.read_bytes(), theirs.read_bytes()
    mine.write_bytes(kept[1])
    theirs.write_bytes(kept[0])
    refused(job, "state.json")
    refused(other, "state.json")
    mine.write_bytes(kept[0])
    theirs.write_bytes(kept[1])
    synced(job)
    synced(other)


def test_a_pipeline_that_moved_as_a_whole(job: Job) -> None:
    """State and folder together under another name are the same pipeline."""
    synced(job)
    moved = other_pipeline(job, "moved")
    shutil.copytree(job.out, moved.out)
    shutil.copy(job.folder / "state.json", moved.folder / "state.json")
    (job.folder.parent / "lake/bucket/data/events/part-9.csv").write_text("id,text\n7,late\n")
    rows = job.rows()
    synced(moved)
    assert len(moved.rows()) == len(rows) + 1


def test_a_journal_and_a_ledger_of_another_pipeline(job: Job) -> None:
    other = other_pipeline(job, "other")
    killed_while_publishing(other)
    synced(job)
    for name in ("state.json.journal", "state.json.ledger"):
        kept = (other.folder / name).read_bytes()
        (job.folder / name).write_bytes(kept)
        refused(job, name)
        (job.folder / name).unlink()
        (other.folder / name).write_bytes(kept)
    resume(other, "its own journal")
    assert other.rows() == job.rows()
