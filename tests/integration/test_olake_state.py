"""state.json between headrace and Olake: what one leaves unfinished, the other goes on with."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
from conftest import Headrace
from minio_server import Minio
from olake_job import BucketLake, FolderLake, Job, Lake

WIDE = "x" * 1000
SMALL_STEPS = ("--set", "checkpoint_mb=1", "--set", "task_mb=1")
BROKEN = 'id,pad\n9,"never closed\n'


def body(first: int, rows: int = 600) -> str:
    """A CSV file of about 600 KB: two of them are more than a checkpoint of 1 MiB."""
    return "id,pad\n" + "".join(f"{first + i},{WIDE}\n" for i in range(rows))


@pytest.fixture(params=["folder", "minio"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    if request.param == "folder":
        return FolderLake(tmp_path / "lake")
    minio: Minio = request.getfixturevalue("minio")
    return BucketLake(
        request.getfixturevalue("s3"), request.getfixturevalue("bucket"), minio.environment()
    )


@pytest.fixture
def job(headrace: Headrace, tmp_path: Path, lake: Lake) -> Job:
    job = Job(headrace, tmp_path / "job", lake)
    job.select("s", entry={"normalization": True})
    return job


def half_loaded(job: Job) -> None:
    """Four good files and then a broken one: the load ends after some checkpoints."""
    for n in range(4):
        job.lake.put(f"s/{n}.csv", body(n * 1000))
    job.lake.put("s/4.csv", BROKEN)
    done = job.sync(*SMALL_STEPS, "--workers", "1", "--set", "infer_files=1")
    assert done.code == 5, done.err


def pending_keys(job: Job) -> list[str]:
    return [key for chunk in job.entry()["state"]["chunks"] for key in chunk["min"]]


def ids_of(*files: int) -> list[int]:
    return [n * 1000 + i for n in files for i in range(600)]


def test_what_waits_stands_in_chunks(job: Job) -> None:
    half_loaded(job)
    read = sorted({i // 1000 for i in job.column("id")})
    assert read  # a checkpoint was published before the failure
    assert sorted(job.column("id")) == ids_of(*read)
    waiting = [f"d/s/{n}.csv" for n in range(5) if n not in read]
    assert pending_keys(job) == waiting
    chunk = job.entry()["state"]["chunks"][0]
    assert set(chunk) == {"min", "max"}
    assert chunk["max"] == sum(len(body(n * 1000)) for n in range(4) if n not in read) + len(BROKEN)
    assert job.entry()["state"]["_last_modified_time"].endswith("Z")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_unfinished_load_goes_on(job: Job, workers: str) -> None:
    half_loaded(job)
    job.lake.put("s/4.csv", body(4000))
    job.ok(*SMALL_STEPS, "--workers", workers)
    assert sorted(job.column("id")) == ids_of(0, 1, 2, 3, 4)
    assert job.entry()["state"]["chunks"] == []


def test_olake_finished_the_chunks(job: Job) -> None:
    """Olake took over, read what waited and emptied chunks: nothing of it is read again."""
    half_loaded(job)
    before = sorted(job.column("id"))
    state = job.read("state.json")
    state["streams"][0]["state"]["chunks"] = []
    job.write("state.json", state)
    done = job.ok(*SMALL_STEPS)
    assert "another program" in done.err
    assert sorted(job.column("id")) == before
    put_later(job.lake, "s/5.csv", "id,pad\n5000,y\n")
    job.ok()
    assert sorted(job.column("id")) == [*before, 5000]


def put_later(lake: Lake, key: str, body: str) -> None:
    """Store an object whose time is beyond the second of all others, as the adopted cursor's is."""
    if not isinstance(lake, BucketLake):
        lake.put(key, body, when=4_000_000_000)
        return
    listed = lake.s3.list_objects_v2(Bucket=lake.bucket, Prefix="d/s/")["Contents"]
    newest = max(item["LastModified"] for item in listed)
    lake.put(key, body)
    while lake.s3.head_object(Bucket=lake.bucket, Key=f"d/{key}")["LastModified"] <= newest:
        time.sleep(0.1)
        lake.put(key, body)


def test_olake_left_chunks(job: Job) -> None:
    """A load that Olake began: exactly what its chunks name is read, and what is newer."""
    for n in range(4):
        job.lake.put(f"s/{n}.csv", f"id\n{n}\n")
    job.write(
        "state.json",
        {
            "type": "STREAM",
            "version": 7,
            "streams": [
                {
                    "stream": "s",
                    "namespace": "s3",
                    "sync_mode": "",
                    "state": {
                        "_last_modified_time": "2999-01-01T00:00:00Z",
                        "chunks": [
                            {"min": ["d/s/1.csv"], "max": 5},
                            {"min": ["d/s/3.csv", "d/s/gone.csv"], "max": 5},
                        ],
                    },
                }
            ],
        },
    )
    job.ok()
    assert sorted(job.column("id")) == [1, 3]
    assert job.entry()["state"]["chunks"] == []
    job.ok()
    assert sorted(job.column("id")) == [1, 3]


def test_other_streams_keep_their_bytes(job: Job) -> None:
    other = (
        '{"stream" : "other",  "namespace":"s3","note":[1.50,"\\u00e9",{}],'
        '"state":{"chunks":null,"_last_modified_time":"2020-01-01T00:00:00Z"}}'
    )
    head = '{"type":"STREAM", "version" : 5,"kept": {"a":  1},"streams":[ '
    (job.folder / "state.json").write_text(head + other + "]}")
    job.lake.put("s/1.csv", "id\n1\n")
    job.ok()
    text = (job.folder / "state.json").read_text()
    assert other in text
    assert json.loads(text)["kept"] == {"a": 1}
    assert json.loads(text)["version"] == 5
    assert job.column("id") == [1]


@pytest.mark.parametrize("text", ["", "  \n", "{}", '{"type":"STREAM","streams":[]}'])
def test_no_state(job: Job, text: str) -> None:
    (job.folder / "state.json").write_text(text)
    job.lake.put("s/1.csv", "id\n1\n")
    job.ok()
    assert job.column("id") == [1]
    # What came without a version stays so: it tells Olake how to read the other streams.
    assert job.read("state.json").get("version") == (None if "streams" in text else 7)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        "not json",
        '{"type":"STREAM","streams":{}}',
        '{"type":"STREAM","version":8,"streams":[]}',
        '{"type":"GLOBAL","streams":[]}',
        '{"streams":[{"stream":"s","state":{"_last_modified_time":"yesterday"}}]}',
        '{"streams":[{"stream":"s","state":{"chunks":[{"min":"a"}]}}]}',
        '{"streams":[{"stream":"s","state":{"_headrace":7}}]}',
        '{"type":"STREAM","streams":[]}\x00',
    ],
)
def test_unreadable_state_is_never_none(job: Job, text: str) -> None:
    (job.folder / "state.json").write_text(text)
    job.lake.put("s/1.csv", "id\n1\n")
    done = job.sync()
    assert done.code == 2, (done.code, done.err)
    assert "state.json" in done.err
    assert (job.folder / "state.json").read_text() == text
    assert job.column("id") == []


@pytest.mark.parametrize("text", ['{"users":{"_last_modified_time":"2025-01-01T00:00:00Z"}}', None])
def test_another_document_is_no_state(job: Job, text: str | None) -> None:
    """`--state source.json` shall not replace the user's config with a state."""
    name = "state.json" if text else "source.json"
    if text:
        (job.folder / name).write_text(text)
    before = (job.folder / name).read_bytes()
    job.lake.put("s/1.csv", "id\n1\n")
    done = job.sync("--state", name)
    assert done.code == 2
    assert "neither" in done.err
    assert name in done.err
    assert (job.folder / name).read_bytes() == before
    assert job.column("id") == []


def test_a_destination_that_was_emptied_is_told(job: Job) -> None:
    job.lake.put("s/1.csv", "id\n1\n")
    assert "warn" not in job.ok().err
    shutil.rmtree(job.out)
    job.lake.put("s/2.csv", "id\n2\n")
    assert "what this pipeline wrote before is not in" in job.ok().err
    assert job.column("id") == [2]
    job.lake.put("s/3.csv", "id\n3\n")
    assert "warn" not in job.ok().err


def test_a_state_that_was_removed_is_told(job: Job) -> None:
    job.lake.put("s/1.csv", "id\n1\n")
    job.ok()
    (job.folder / "state.json").unlink()
    assert "will stand there twice" in job.ok().err
    assert job.column("id") == [1, 1]
    job.lake.put("s/2.csv", "id\n2\n")
    assert "warn" not in job.ok().err


@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
def test_a_stream_without_objects_is_told(job: Job, mode: str) -> None:
    job.lake.put("s/1.csv", "id\n1\n")
    job.select("s", mode=mode)
    assert "nothing to read" not in job.ok().err
    job.lake.remove("s/1.csv")
    assert "stream 's': there is nothing to read" in job.ok().err
    assert job.column("id") == [1]
    job.lake.put("t/1.csv", "id\n1\n")
    job.select("T", mode=mode)
    assert "stream 'T': there is nothing to read" in job.ok().err


@pytest.mark.parametrize("columns", [[], ["nope"]])
def test_a_selection_of_no_column_loses_no_rows(job: Job, columns: list[str]) -> None:
    job.lake.put("s/1.csv", "id\n1\n")
    chosen = {"selected_columns": {"columns": columns, "sync_new_columns": False}}
    job.select("s", entry=chosen)
    done = job.sync()
    assert done.code == 2
    assert "selected_columns" in done.err
    job.select("s")
    job.ok()
    assert job.column("id") == [1]


def test_empty_destination_names_are_none(job: Job) -> None:
    job.lake.put("s/1.csv", "id\n1\n")
    job.select("s", destination_table="", destination_database="")
    job.ok()
    assert job.column("id") == [1]


@pytest.mark.parametrize("discovered", [False, True])
def test_names_of_added_columns_in_the_files(job: Job, discovered: bool) -> None:
    """A lake that Olake wrote has these columns already; two of one name cannot be read."""
    job.lake.put("s/1.csv", "_olake_id,_last_modified_time,_op_type,_cdc_timestamp,x\nq,w,e,c,1\n")
    if discovered:
        job.discover()
    job.ok()
    table = job.table()
    assert len(set(table.column_names)) == table.num_columns
    assert table["x"].to_pylist() == [1]
    assert table["_op_type"].to_pylist() == ["r"]
