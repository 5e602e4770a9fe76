"""gc, verify and state show|reset|replay|resolve: what looks after a pipeline between its runs."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Headrace, Result
from limits import RUN_LIMIT_S
from local_job import Job, lake
from minio_server import Minio


@pytest.fixture
def job(tmp_path: Path, headrace_local: Headrace) -> Job:
    """A pipeline of several commits from files to a folder, not run yet."""
    lake(tmp_path / "lake")
    return Job(tmp_path / "job", headrace_local, tmp_path / "lake", "incremental", 1)


def run(job: Job, *words: str, destination: bool = True) -> Result:
    """A verb on the job's state; --destination unless told otherwise."""
    command = [*words, "--state", job.state]
    if destination:
        command += ["--destination", "destination.json"]
    return job.headrace(*command, cwd=job.folder)


def ok(job: Job, *words: str, destination: bool = True) -> Result:
    result = run(job, *words, destination=destination)
    assert result.code == 0, result.err
    return result


def synced(job: Job) -> Job:
    done = job.sync()
    assert done.returncode == 0, done.stderr
    return job


def files(job: Job) -> list[Path]:
    """The table's files, in the order they were written."""
    return sorted(p for p in job.out.rglob("*.parquet") if not p.name.startswith("."))


def records(job: Job) -> Path:
    (found,) = job.out.rglob("_headrace/*/manifest.json")
    return found.parent


def killed_while_publishing(job: Job) -> None:
    """Die with a journal on disk and some of its outputs visible, by the first place that does."""
    for place in range(1, 400):
        shutil.rmtree(job.out, ignore_errors=True)
        for beside in job.folder.glob("state.json*"):
            beside.unlink()
        job.sync(f"kill:{place}")
        if (job.folder / "state.json.journal").exists() and files(job):
            return
    pytest.fail("no kill left a commit half published")


# ---- show, reset, replay


def test_show_tells_what_was_read(job: Job) -> None:
    assert "nothing was read yet" in ok(job, "state", "show", destination=False).out
    synced(job)
    shown = json.loads(ok(job, "state", "show", "--json", destination=False).out)
    (stream,) = shown["streams"]
    assert stream["stream"] == "events"
    assert stream["band"] == 6
    assert stream["seq"] == len(list(records(job).glob("commit-*.json")))
    assert stream["lineage"] == records(job).name
    assert not stream["unfinished"]
    assert not stream["other_program_ran"]
    assert "open_commit" not in shown
    text = ok(job, "state", "show", "events", destination=False).out
    assert stream["lineage"] in text
    assert stream["cursor"] in text
    assert run(job, "state", "show", "no-such", destination=False).code == 4


def test_reset_asks_first_and_forgets(job: Job) -> None:
    synced(job)
    rows = len(job.rows())
    before = (job.folder / "state.json").read_bytes()
    refused = run(job, "state", "reset", "events", destination=False)
    assert refused.code == 2
    assert "--yes" in refused.err
    assert (job.folder / "state.json").read_bytes() == before
    assert run(job, "state", "reset", "other", "--yes", destination=False).code == 4
    ok(job, "state", "reset", "--yes", destination=False)
    assert json.loads((job.folder / "state.json").read_text())["streams"] == []
    synced(job)
    assert len(job.rows()) == 2 * rows


def test_replay_reads_one_object_again(job: Job) -> None:
    synced(job)
    rows = job.rows()
    said = ok(job, "state", "replay", "data/events/part-2.csv", destination=False)
    assert "second time" in said.err
    assert "not kept" not in said.err
    assert "not kept" in ok(job, "state", "replay", "data/nothing", destination=False).err
    shown = json.loads(ok(job, "state", "show", "--json", destination=False).out)
    assert shown["streams"][0]["replay"] == 2
    synced(job)
    again = [row for row in rows if "of file 2 " in row[1]]
    assert len(again) == 5000
    assert job.rows() == sorted(rows + again)
    synced(job)
    assert job.rows() == sorted(rows + again)
    assert run(job, "state", "replay", destination=False).code == 2
    assert run(job, "state", "replay", "k", "--stream", "x", destination=False).code == 4


def test_words_that_are_wrong(job: Job) -> None:
    assert run(job, "state", "invent", destination=False).code == 2
    assert run(job, "state", "resolve", destination=False).code == 2
    assert job.headrace("gc", "--state", "state.json", cwd=job.folder).code == 2
    assert job.headrace("verify", "--destination", "destination.json", cwd=job.folder).code == 2
    assert run(job, "state", "resolve", "--keep", "--take-back").code == 2


# ---- gc


def test_gc_removes_what_is_ours_and_dead(job: Job) -> None:
    synced(job)
    rows = job.rows()
    lineage = records(job).name
    table = files(job)[0].parent
    ours = [
        table / f".{lineage}-000009-0000.parquet.{lineage}-9-0.0123abcd.tmp",
        records(job) / ".manifest.json.put.0123abcd.tmp",
    ]
    others = [
        table / ".otherone00-000001-0000.parquet.otherone00-1-0.0123abcd.tmp",
        table / ".plain.tmp",
        table / f"{lineage}-notes.txt",
        job.out / "_headrace" / f"{lineage}x" / ".manifest.json.put.0123abcd.tmp",
    ]
    for path in ours + others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    dry = ok(job, "gc", "--dry-run")
    assert sorted(dry.out.split()[2::3]) == sorted(
        str(p.parent.relative_to(job.out) / name)
        for p, name in zip(ours, [f"{lineage}-000009-0000.parquet", "manifest.json"], strict=True)
    )
    assert all(path.exists() for path in ours)
    report = json.loads(ok(job, "gc", "--json").out)
    assert report == {
        "dry_run": False,
        "removed": 2,
        "rolled_forward": False,
        "taken_back": False,
    }
    assert not any(path.exists() for path in ours)
    assert all(path.exists() for path in others)
    assert job.rows() == rows
    assert json.loads(ok(job, "gc", "--json").out)["removed"] == 0


def test_gc_finishes_an_open_commit_first(job: Job) -> None:
    killed_while_publishing(job)
    seen = len(files(job))
    hidden = sorted(p for p in job.out.rglob(".*.tmp"))
    dry = ok(job, "gc", "--dry-run")
    assert "would be finished first" in dry.err
    assert sorted(p for p in job.out.rglob(".*.tmp")) == hidden
    assert len(files(job)) == seen
    done = ok(job, "gc")
    assert "finished an unfinished commit" in done.err
    assert job.leftovers() == []
    synced(job)
    assert job.rows() == lake(job.folder.parent / "lake")


def test_a_run_that_is_alive_is_left_alone(job: Job) -> None:
    synced(job)
    with (job.folder / "state.json.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for words in (["gc"], ["gc", "--dry-run"], ["verify"], ["state", "resolve"]):
            assert run(job, *words).code == 7, words
        assert run(job, "state", "reset", "--yes").code == 7
        assert run(job, "state", "show", destination=False).code == 0


# ---- verify


def test_verify_a_whole_destination(job: Job) -> None:
    synced(job)
    (job.out / "somebody.parquet").write_text("not ours")
    report = json.loads(ok(job, "verify", "--json").out)
    assert report["whole"]
    assert report["problems"] == []
    assert report["objects"] == len(files(job)) - 1
    assert report["rows"] == 30000
    assert report["commits"] > 1
    assert report["bytes"] == sum(p.stat().st_size for p in files(job)[:-1])
    assert ok(job, "verify", "--stream", "events").out == ""
    assert run(job, "verify", "--stream", "nobody").code == 4


def test_verify_knows_what_was_put_aside(job: Job) -> None:
    """Bad records in the quarantine are objects of their commit, not rows of the table."""
    source = job.folder.parent / "lake/bucket/data/events/part-0.csv"
    source.write_text("id,text\n" + "1,a\n" * 50 + "2,b,c,d\n")
    ok_run = job.headrace(
        *("sync", "--config", "source.json", "--catalog", "streams.json"),
        *("--destination", "destination.json", "--state", "state.json"),
        *("--set", "on_error=quarantine", "--progress", "never"),
        cwd=job.folder,
    )
    assert ok_run.code == 0, ok_run.err
    aside = list(job.out.rglob("_quarantine/*"))
    assert len(aside) == 1
    report = json.loads(ok(job, "verify", "--json").out)
    assert report["rows"] == 25050
    assert report["objects"] == len(files(job)) + 1
    aside[0].write_text("gone")
    (found,) = problems(job)
    assert aside[0].name in found


def problems(job: Job) -> list[str]:
    result = run(job, "verify", "--json")
    assert result.code == 5, result.err
    return json.loads(result.out)["problems"]


def test_verify_names_each_wound(job: Job) -> None:
    synced(job)
    first, second, third = files(job)[:3]
    lineage = records(job).name
    first.unlink()
    data = bytearray(second.read_bytes())
    data[100] ^= 1
    second.write_bytes(data)
    third.write_bytes(third.read_bytes() + b"x")
    extra = first.parent / f"{lineage}-000099-0000.parquet"
    extra.write_text("x")
    found = problems(job)
    assert len(found) == 4, found
    assert any(p.startswith("missing: ") and first.name in p for p in found)
    assert any(p.startswith("changed: ") and second.name in p and "checksum" in p for p in found)
    assert any(p.startswith("changed: ") and third.name in p and "bytes" in p for p in found)
    assert any(p.startswith("extra: ") and extra.name in p for p in found)


def test_verify_finds_gaps_and_old_copies(job: Job) -> None:
    synced(job)
    archive = sorted(records(job).glob("commit-*.json"))
    kept = archive[0].read_bytes()
    archive[0].unlink()
    (found,) = problems(job)
    assert found == f"missing: '{archive[0].relative_to(job.out)}'"
    archive[0].write_bytes(kept[:-1])
    assert any(p.startswith("damaged: ") and archive[0].name in p for p in problems(job))
    archive[0].write_bytes(kept)
    ok(job, "verify")
    manifest = records(job) / "manifest.json"
    whole = manifest.read_bytes()
    manifest.unlink()
    assert any("manifest.json" in p for p in problems(job))
    manifest.write_bytes(whole)
    old = (job.folder / "state.json").read_bytes()
    (job.folder.parent / "lake/bucket/data/events/part-9.csv").write_text("id,text\n7,late\n")
    synced(job)
    ok(job, "verify")
    (job.folder / "state.json").write_bytes(old)
    (found,) = problems(job)
    assert "older than the destination" in found


def test_verify_after_an_overwrite(job: Job) -> None:
    job.write_catalog("full_refresh")
    synced(job)
    synced(job)
    report = json.loads(ok(job, "verify", "--json").out)
    assert report["rows"] == 30000
    assert report["commits"] == 1
    assert report["objects"] == len(files(job))


def test_verify_says_that_a_commit_is_open(job: Job) -> None:
    killed_while_publishing(job)
    # Nothing but the first commit was begun: the state knows no stream yet.
    assert run(job, "verify").code in (4, 5)
    synced(job)
    ok(job, "verify")


def test_verify_counts_rows_by_the_footer(job: Job) -> None:
    """A file exchanged together with its checksum in the archive still has to hold its rows."""
    synced(job)
    victim = files(job)[0]
    table = pa.table({"id": [1], "text": ["x"]})
    pq.write_table(table, victim)
    assert any(victim.name in p for p in problems(job))


# ---- resolve


def test_resolve_shows_and_settles(job: Job) -> None:
    want = lake(job.folder.parent / "lake")
    killed_while_publishing(job)
    shutil.copytree(job.folder, job.folder.parent / "template")
    shown = ok(job, "state", "resolve").out
    assert "visible" in shown
    assert (job.folder / "state.json.journal").exists()
    assert "kept" in ok(job, "state", "resolve", "--keep").out
    assert not (job.folder / "state.json.journal").exists()
    synced(job)
    assert job.rows() == want
    ok(job, "verify")
    assert job.leftovers() == []
    assert "no commit is open" in ok(job, "state", "resolve").out

    shutil.rmtree(job.folder)
    shutil.copytree(job.folder.parent / "template", job.folder)
    assert "taken back" in ok(job, "state", "resolve", "--take-back").out
    assert files(job) == []
    synced(job)
    assert job.rows() == want
    ok(job, "verify")
    assert job.leftovers() == []


def test_a_state_replaced_in_between_is_asked_about(job: Job) -> None:
    """The state is neither the one before nor the one after: only a person knows about the rows."""
    want = lake(job.folder.parent / "lake")
    killed_while_publishing(job)
    (job.folder / "state.json").write_text('{"type":"STREAM","version":7,"streams":[]}')
    refused = job.sync()
    assert refused.returncode == 1
    assert "state resolve" in refused.stderr
    assert (job.folder / "state.json.journal").exists()
    assert "replaced since" in ok(job, "state", "resolve").out
    ok(job, "state", "resolve", "--take-back")
    synced(job)
    assert job.rows() == want
    assert job.leftovers() == []


class ManyObjects(Job):
    """The same pipeline, whose one commit writes three objects."""

    lost_upload = "ask"

    def sync(self, fault: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                str(self.headrace.path),
                *("sync", "--config", "source.json", "--catalog", "streams.json"),
                *("--destination", "destination.json", "--state", "state.json"),
                *("--progress", "never", "--workers", "1", "--set", "partition_by=kind"),
                *("--set", f"lost_upload={self.lost_upload}"),
            ],
            check=False,
            cwd=self.folder,
            env={**self.headrace.environment, "HEADRACE_FAULT": fault},
            capture_output=True,
            text=True,
            timeout=RUN_LIMIT_S,
        )


def test_an_upload_is_gone_and_another_visible(tmp_path: Path, headrace_local: Headrace) -> None:
    """Since a dead run: taken back and written again, or left to a person."""
    source = tmp_path / "lake/bucket/data/events/a.csv"
    source.parent.mkdir(parents=True)
    want = [(i, f"row {i}") for i in range(300)]
    source.write_text("id,text,kind\n" + "".join(f"{i},{t},k{i % 3}\n" for i, t in want))
    job = ManyObjects(tmp_path / "job", headrace_local, tmp_path / "lake", "incremental", 1)
    killed_while_publishing(job)
    assert len(files(job)) == 1
    for path in job.out.rglob(".*.tmp"):
        path.unlink()
    seen = files(job)
    shutil.copytree(job.folder, tmp_path / "before")
    refused = job.sync()
    assert refused.returncode == 1
    assert "state resolve" in refused.stderr
    assert files(job) == seen
    shown = ok(job, "state", "resolve").out
    assert shown.count("  not visible") == 2
    shutil.copytree(job.folder, tmp_path / "template")
    ok(job, "state", "resolve", "--take-back")
    assert files(job) == []
    synced(job)
    assert job.rows() == want
    ok(job, "verify")

    shutil.rmtree(job.folder)
    shutil.copytree(tmp_path / "template", job.folder)
    assert "2 objects could not be published" in ok(job, "state", "resolve", "--keep").out
    report = json.loads(ok(job, "verify", "--json").out)
    assert (report["objects"], report["rows"]) == (1, 100)
    synced(job)
    assert len(job.rows()) == 100
    ok(job, "state", "replay", "data/events/a.csv", destination=False)
    synced(job)
    assert len(job.rows()) == 400

    shutil.rmtree(job.folder)
    shutil.copytree(tmp_path / "before", job.folder)
    job.lost_upload = "take_back"
    done = job.sync()
    assert done.returncode == 0
    assert "taken back" in done.stderr
    assert job.rows() == want
    ok(job, "verify")


# ---- S3


@pytest.fixture
def s3_job(tmp_path: Path, headrace: Headrace, minio: Minio, bucket: str) -> Job:
    """The same pipeline, to a bucket."""
    lake(tmp_path / "lake")
    job = Job(tmp_path / "job", headrace, tmp_path / "lake", "incremental", 1)
    writer = {
        "s3_bucket": bucket,
        "s3_region": "us-east-1",
        "s3_access_key": minio.access_key,
        "s3_secret_key": minio.secret_key,
        "s3_endpoint": minio.endpoint,
        "s3_path": "lake",
    }
    (job.folder / "destination.json").write_text(json.dumps({"type": "PARQUET", "writer": writer}))
    return job


def uploads(s3: Any, bucket: str, keys: list[str]) -> list[str]:
    """Of these keys those with an unfinished upload; MinIO lists by exact key only."""
    return [
        key
        for key in keys
        if s3.list_multipart_uploads(Bucket=bucket, Prefix=key).get("Uploads", [])
    ]


def test_gc_on_s3_aborts_what_the_ledger_names(s3_job: Job, s3: Any, bucket: str) -> None:
    other = "lake/s3_bucket_s3/events/otherone00-000001-0000.parquet"
    s3.create_multipart_upload(Bucket=bucket, Key=other)
    for place in range(1, 100):
        s3_job.sync(f"kill:{place}")
        ledger = s3_job.folder / "state.json.ledger"
        lines = ledger.read_text().split() if ledger.exists() else []
        keys = [bytes.fromhex(line).decode() for line in lines[::2]]
        if uploads(s3, bucket, keys) and not (s3_job.folder / "state.json.journal").exists():
            break
    else:
        pytest.fail("no kill left an unfinished upload")
    assert keys[0] in ok(s3_job, "gc", "--dry-run").out
    assert uploads(s3, bucket, keys)
    ok(s3_job, "gc")
    assert uploads(s3, bucket, keys) == []
    assert uploads(s3, bucket, [other]) == [other]
    assert s3_job.leftovers() == []


def test_verify_on_s3(s3_job: Job, s3: Any, bucket: str) -> None:
    job = synced(s3_job)
    report = json.loads(ok(job, "verify", "--json").out)
    assert report["rows"] == 30000
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    table = sorted(k for k in keys if k.endswith(".parquet"))
    body = s3.get_object(Bucket=bucket, Key=table[0])["Body"].read()
    s3.put_object(Bucket=bucket, Key=table[0], Body=body[:-1] + b"!")
    s3.delete_object(Bucket=bucket, Key=table[1])
    found = problems(job)
    assert any(p.startswith("changed: ") and table[0] in p for p in found)
    assert any(p.startswith("missing: ") and table[1] in p for p in found)


def test_every_verb_with_a_state_on_s3(s3_job: Job, s3: Any, bucket: str) -> None:
    """The same words, the state beside the table: control object, lease and all."""
    job = s3_job
    job.state = f"s3://{bucket}/run/state.json"
    open_commit = None
    for place in range(1, 200):
        if job.sync(f"kill:{place}").returncode == 0:
            break
        shown = json.loads(ok(job, "state", "show", "--json").out)
        open_commit = shown.get("open_commit")
        if open_commit is not None:
            break
    assert open_commit is not None
    assert open_commit["fit"] == "next"
    assert "visible" in ok(job, "state", "resolve").out
    assert "would be finished first" in ok(job, "gc", "--dry-run").err
    assert "finished an unfinished commit" in ok(job, "gc").err
    synced(job)
    report = json.loads(ok(job, "verify", "--json").out)
    assert report["rows"] == 30000
    ok(job, "state", "replay", "data/events/part-1.csv")
    synced(job)
    assert json.loads(ok(job, "verify", "--json").out)["rows"] == 35000
    assert run(job, "state", "reset").code == 2
    ok(job, "state", "reset", "--yes")
    assert json.loads(ok(job, "state", "show", "--json").out)["streams"] == []
    assert run(job, "verify").code == 4
    control = s3.get_object(Bucket=bucket, Key="run/state.json.control")["Body"].read()
    s3.put_object(Bucket=bucket, Key="run/state.json.control", Body=control[:-3])
    for words in (["gc"], ["verify"], ["state", "resolve"], ["state", "reset", "--yes"]):
        refused = run(job, *words)
        assert refused.code == 2, words
        assert "state.json.control" in refused.err
