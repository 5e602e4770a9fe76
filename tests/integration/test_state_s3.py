"""A state on S3 as its users meet it: plain JSON at the URL, every verb, messages that help."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import Headrace
from kill_matrix import Cell, Job, Place, lake, places, wait_until_stopped
from limits import RUN_LIMIT_S
from minio_server import Minio
from proxy import Proxy

ON_S3 = Cell("s3", "s3", "incremental", 1)


@pytest.fixture
def place(headrace: Headrace, minio: Minio, s3: Any, bucket: str, tmp_path: Path) -> Place:
    """Where the pipelines of a test run."""
    return Place(headrace.path, minio, s3, bucket, tmp_path)


@pytest.fixture
def job(place: Place, tmp_path: Path) -> Job:
    """A pipeline with a small lake, not loaded yet."""
    lake(tmp_path / "lake", 1)
    return Job(place, tmp_path / "job", tmp_path / "lake", ON_S3)


DESTINATION = ("--destination", "destination.json")


def test_plain_json_and_every_verb(headrace: Headrace, job: Job) -> None:
    state = ("--state", job.state)
    assert job.sync().returncode == 0
    document = json.loads(job.get(f"{job.prefix}/state.json"))
    assert document["type"] == "STREAM"
    assert document["streams"][0]["stream"] == "events"
    assert [key for key in job.objects() if "/state.json" in key] == [
        f"{job.prefix}/state.json",
        f"{job.prefix}/state.json.control",
    ]
    assert not [p.name for p in job.folder.iterdir() if p.name.startswith("state.json")]
    shown = headrace.ok("state", "show", *state, cwd=job.folder)
    assert "events" in shown.out
    headrace.ok("gc", *state, *DESTINATION, cwd=job.folder)
    headrace.ok("verify", *state, *DESTINATION, cwd=job.folder)
    checked = headrace.ok("check", "--config", "source.json", *state, cwd=job.folder)
    assert "SUCCEEDED" in checked.out
    headrace.ok("state", "reset", "events", "--yes", *state, cwd=job.folder)
    assert job.sync().returncode == 0
    assert len(job.rows()) == 2 * 5000  # it was told to forget what it read


def test_nothing_new_writes_no_state(job: Job) -> None:
    assert job.sync().returncode == 0
    before = job.place.client.head_object(Bucket=job.place.bucket, Key=f"{job.prefix}/state.json")
    assert job.sync().returncode == 0
    after = job.place.client.head_object(Bucket=job.place.bucket, Key=f"{job.prefix}/state.json")
    assert after["LastModified"] == before["LastModified"]


def test_what_it_costs(job: Job, proxy: Proxy, place: Place, tmp_path: Path) -> None:
    """The figures of docs/internals/state-on-s3.md."""
    job = Job(place, tmp_path / "job", tmp_path / "lake", ON_S3, proxy.endpoint)

    def requests() -> Counter[str]:
        counts = Counter(
            f"{r.kind} {r.key.rpartition('/state.json')[2] or 'document'}"
            for r in proxy.requests
            if "/state.json" in r.key
        )
        proxy.reset()
        return counts

    assert job.sync().returncode == 0
    loaded = requests()
    assert job.sync().returncode == 0
    idle = requests()
    assert idle == {"get .control": 1, "put .control": 4, "get document": 1}
    # One output: its intent, the journal, the journal dropped; and the document.
    assert loaded - idle == {"put .control": 3, "put document": 1}


def test_many_partitions_are_noted_in_a_few_writes(
    proxy: Proxy, place: Place, tmp_path: Path
) -> None:
    """150 folders: the ledger names 64, 64 and 22 of them, where it was written 150 times."""
    path = tmp_path / "lake/bucket/data/events/a.csv"
    path.parent.mkdir(parents=True)
    path.write_text("id,text,kind\n" + "".join(f"{i},t,{i % 150}\n" for i in range(300)))
    job = Job(
        place, tmp_path / "job", tmp_path / "lake", ON_S3, proxy.endpoint, partition="/{kind,,}"
    )
    assert job.sync().returncode == 0
    assert len(job.rows()) == 300
    assert proxy.count("create_multipart") == 150
    written = [r for r in proxy.requests if r.kind == "put" and r.key.endswith(".control")]
    # Claim, two proofs, let go; three times the ledger; the journal, the journal dropped.
    assert len(written) == 4 + 3 + 2


@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
def test_written_once_a_checkpoint(proxy: Proxy, place: Place, tmp_path: Path, mode: str) -> None:
    """Files of half a MiB, checkpoints of one: each is in the archive, none writes it twice."""
    lake(tmp_path / "lake", 5)
    cell = Cell("s3", "s3", mode, 2)
    job = Job(place, tmp_path / "job", tmp_path / "lake", cell, proxy.endpoint)
    assert job.sync().returncode == 0
    commits = [key for key in job.objects() if "/commit-" in key]
    assert len(commits) == (3 if mode == "incremental" else 1)
    written = [r for r in proxy.requests if r.kind == "put" and r.key.endswith("/state.json")]
    assert len(written) == len(commits)


def test_the_summary_counts_all_requests(proxy: Proxy, place: Place, tmp_path: Path) -> None:
    """The source is a folder: whatever is written is the destination's or the state's."""
    job = Job(place, tmp_path / "job", tmp_path / "lake", ON_S3, proxy.endpoint)
    lake(tmp_path / "lake", 1)
    job.options += ["--summary", str(tmp_path / "summary.json")]
    assert job.sync().returncode == 0
    counts = proxy.counts()
    sent = sum(
        counts[kind] for kind in ("put", "upload_part", "create_multipart", "complete_multipart")
    )
    assert any(r.kind == "put" and r.key.endswith(".control") for r in proxy.requests)
    said = json.loads((tmp_path / "summary.json").read_text())["requests"]
    assert said["put"] == sent


def test_verbs_wait_for_no_run(headrace: Headrace, job: Job, tmp_path: Path) -> None:
    """While a run holds the state, whatever would change it is exit 7; looking is allowed."""
    state = ("--state", job.state)
    total = places(Job(job.place, tmp_path / "count", tmp_path / "lake", ON_S3))
    run = job.start(f"stop:{total - 6}")
    wait_until_stopped(run.pid)
    for verb in (("gc", *DESTINATION), ("state", "reset", "--yes")):
        refused = headrace(*verb, *state, cwd=job.folder)
        assert refused.code == 7, refused.err
        assert "another run holds the state" in refused.err
    checked = headrace("check", "--config", "source.json", *state, cwd=job.folder)
    assert checked.code != 0
    assert "another run holds the state" in checked.out
    shown = headrace.ok("state", "show", *state, cwd=job.folder)
    assert "commit" in shown.out
    run.kill()
    run.communicate()
    headrace.ok("gc", *state, *DESTINATION, cwd=job.folder)  # a dead one is not waited for
    assert job.place.open_uploads() == []


def test_interrupted_run_lets_go(job: Job, tmp_path: Path) -> None:
    """After Ctrl-C nobody has to wait for the lease, on whatever machine."""
    total = places(Job(job.place, tmp_path / "count", tmp_path / "lake", ON_S3))
    for at in (6, total // 2, total - 8):
        job = Job(job.place, tmp_path / "job", tmp_path / "lake", ON_S3)
        run = job.start(f"stop:{at}")
        wait_until_stopped(run.pid)
        assert json.loads(job.control()[1])["owner"] != ""
        run.send_signal(signal.SIGINT)
        run.send_signal(signal.SIGCONT)
        _, err = run.communicate(timeout=RUN_LIMIT_S)
        assert run.returncode in (0, 130), err
        assert json.loads(job.control()[1])["owner"] == "", f"place {at}: {err}"
        job.resume(f"interrupted at place {at}")
        assert len(job.rows()) == 5000


def test_keys_of_the_destination_reach_the_state(job: Job) -> None:
    """No keys in the environment: the destination's configuration has them."""
    environment = job.place.minio.environment
    names = {name for name in environment() if name.startswith("AWS_ACC") or "SECRET" in name}
    assert len(names) == 2
    clean = {k: v for k, v in environment().items() if k not in names and k != "AWS_ENDPOINT_URL"}
    job.place.minio.environment = lambda _endpoint=None: clean  # type: ignore[method-assign]
    try:
        done = job.sync()
    finally:
        del job.place.minio.environment
    assert done.returncode == 0, done.stderr
    assert json.loads(job.get(f"{job.prefix}/state.json"))["streams"]


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("s3://{bucket}", 2, "must name one object"),
        ("s3://{bucket}/folder/", 2, "must name one object"),
        ("gs://{bucket}/state.json", 2, "its scheme is not built in"),
        ("s3://no-such-bucket-{bucket}/state.json", 4, "the bucket does not exist"),
    ],
)
def test_urls_that_cannot_be(job: Job, url: str, code: int, words: str) -> None:
    job.state = url.format(bucket=job.place.bucket)
    refused = job.sync()
    assert refused.returncode == code, refused.stderr
    assert words in refused.stderr
    assert job.rows() == []


def test_file_urls(job: Job) -> None:
    """As everywhere else; the same file by path goes on where the URL left off."""
    job.state = f"file:{job.folder}/local/state.json"
    (job.folder / "local").mkdir()
    done = job.sync()
    assert done.returncode == 0, done.stderr
    assert json.loads((job.folder / "local/state.json").read_text())["streams"]
    job.state = "local/state.json"
    assert job.sync().returncode == 0
    assert len(job.rows()) == 5000


def test_damaged_control_object(job: Job) -> None:
    assert job.sync().returncode == 0
    key = f"{job.prefix}/state.json.control"
    body = bytearray(job.get(key))
    body[len(body) // 2] ^= 1
    job.place.client.put_object(Bucket=job.place.bucket, Key=key, Body=bytes(body))
    refused = job.sync()
    assert refused.returncode == 2
    assert "could not use the control object" in refused.stderr
    assert "checksum" in refused.stderr
