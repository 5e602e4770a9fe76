"""Olake's verbs, flags and files on the command line."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import threading
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import ROOT, Headrace
from limits import RUN_LIMIT_S, WAIT_LIMIT_S
from minio_server import Minio
from olake_job import BucketLake, FolderLake, Job
from proxy import Proxy

STATS_KEYS = {
    "Writer Threads",
    "Synced Records",
    "Bytes Read",
    "Speed",
    "Seconds Elapsed",
    "Estimated Remaining Time",
    "Memory Usage Bytes",
    "CPU Utilization",
}


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    lake = FolderLake(tmp_path / "lake")
    lake.put("a/1.csv", "id,v\n1,x\n2,y\n")
    lake.put("b/1.csv", "id\n7\n")
    return lake


@pytest.fixture
def job(headrace_local: Headrace, tmp_path: Path, lake: FolderLake) -> Job:
    return Job(headrace_local, tmp_path / "job", lake)


def test_catalog_and_streams_are_one_flag(job: Job) -> None:
    job.discover()
    for flag in ("--catalog", "--streams"):
        done = job.run(
            *("sync", "--config", "source.json", flag, "streams.json"),
            *("--destination", "destination.json", "--destination-buffer-size", "10"),
        )
        assert done.code == 0, done.err
    assert job.column("id", "a") == [1, 2]
    assert job.entry("a")["state"]["chunks"] == []  # state.json stands beside the config


def test_stats_at_the_end(job: Job) -> None:
    job.discover()
    job.ok()
    stats = job.read("stats.json")
    assert set(stats) == STATS_KEYS
    assert stats["Synced Records"] == 3
    assert stats["Bytes Read"] == len("id,v\n1,x\n2,y\n") + len("id\n7\n")
    assert stats["Speed"].endswith(" rps")
    assert 0 <= stats["CPU Utilization"] <= 1
    assert stats["Memory Usage Bytes"] > 100_000


def test_stats_while_it_runs(
    headrace: Headrace, minio: Minio, s3: Any, bucket: str, proxy: Proxy, tmp_path: Path
) -> None:
    """A sync that waits for its source still writes the figures, every two seconds."""
    job = Job(headrace, tmp_path / "job", BucketLake(s3, bucket, minio.environment(proxy.endpoint)))
    job.lake.put("s/1.csv", "id\n1\n")
    job.select("s")
    seen = threading.Event()
    proxy.fault("call", kind="get", times=1, call=lambda _: seen.wait(2 * WAIT_LIMIT_S) and None)
    running = headrace.start(*job.command(), cwd=job.folder)
    path = job.folder / "stats.json"
    for _ in range(20 * WAIT_LIMIT_S):
        if path.exists() or running.poll() is not None:
            break
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(0.05)
    assert running.poll() is None, running.communicate()
    stats = json.loads(path.read_text())
    seen.set()
    assert set(stats) == STATS_KEYS
    assert stats["Synced Records"] == 0
    assert stats["Writer Threads"] >= 1
    assert stats["Estimated Remaining Time"] == "Not Determined"
    assert running.wait(RUN_LIMIT_S) == 0
    assert job.read("stats.json")["Synced Records"] == 1


def test_no_save(job: Job, tmp_path: Path) -> None:
    other = tmp_path / "temporary"
    other.mkdir()
    done = job.run("discover", "--config", "source.json", "--no-save", env={"TMPDIR": str(other)})
    assert done.code == 0, done.err
    assert not (job.folder / "streams.json").exists()
    names = [
        s["stream"]["name"] for s in json.loads((other / "streams.json").read_text())["streams"]
    ]
    assert names == ["a", "b"]


def test_database_prefix(job: Job) -> None:
    catalog = job.discover("--destination-database-prefix", "My Lake")
    database = catalog["streams"][0]["stream"]["destination_database"]
    assert database == "my_lake_bucket:s3"
    job.ok()
    assert (job.out / "my_lake_bucket_s3/a").is_dir()


def test_check_of_a_destination_needs_no_source(job: Job) -> None:
    done = job.run("check", "--destination", "destination.json")
    assert done.code == 0, done.err
    assert json.loads(done.out) == {
        "connectionStatus": {"status": "SUCCEEDED"},
        "type": "CONNECTION_STATUS",
    }
    assert not [p for p in job.out.rglob("*") if p.is_file()]  # no probe stays behind
    (job.folder / "file").write_text("")
    job.write(
        "destination.json",
        {"type": "PARQUET", "writer": {"local_path": str(job.folder / "file/out")}},
    )
    done = job.run("check", "--destination", "destination.json")
    assert done.code == 1
    assert json.loads(done.out)["connectionStatus"]["status"] == "FAILED"


def test_check_of_a_source(job: Job) -> None:
    assert job.run("check", "--config", "source.json").code == 0
    job.source(file_format="csv", path_prefix="nowhere")
    done = job.run("check", "--config", "source.json")
    assert done.code == 1
    assert "nowhere" in json.loads(done.out)["connectionStatus"]["message"]


@pytest.mark.parametrize(
    ("args", "needle"),
    [
        (("discover",), "--config"),
        (("sync", "--config", "source.json", "--destination", "destination.json"), "--catalog"),
        (("sync", "--config", "source.json", "--catalog", "streams.json"), "--destination"),
        (("clear-destination", "--config", "source.json", "--catalog", "s"), "--destination"),
        (("frobnicate",), "frobnicate"),
        (("sync", "--colour", "red"), "--colour"),
        (("discover", "--config", "source.json", "--timeout", "soon"), "--timeout"),
        (("discover", "--config", "source.json", "--max-discover-threads", "0"), "threads"),
    ],
)
def test_wrong_command_lines(job: Job, args: tuple[str, ...], needle: str) -> None:
    done = job.run(*args)
    assert done.code == 2, done.err
    assert needle in done.err


def test_timeout_of_discover(
    headrace: Headrace, minio: Minio, s3: Any, bucket: str, proxy: Proxy, tmp_path: Path
) -> None:
    job = Job(headrace, tmp_path / "job", BucketLake(s3, bucket, minio.environment(proxy.endpoint)))
    job.lake.put("s/1.csv", "id\n1\n")
    proxy.fault("delay", kind="list", seconds=600.0, times=-1)  # or until the test ends
    done = job.run(
        *("discover", "--config", "source.json"),
        *("--timeout", "1", "--max-discover-threads", "3"),
    )
    assert done.code == 1
    assert "within 1 seconds" in done.err


# ---- --difference ----------------------------------------------------------------------------


def test_difference_is_offline(job: Job) -> None:
    """Two catalogs are compared without a source; old names of tables stay."""
    old = job.discover()
    job.write("old.json", old)
    new = json.loads(json.dumps(old))
    chosen = {e["stream_name"]: e for e in new["selected_streams"]["s3"]}
    chosen["a"]["append_mode"] = True
    for item in new["streams"]:
        item["stream"]["destination_database"] = "elsewhere:s3"
    chosen["b"]["normalization"] = True
    job.write("new.json", new)
    done = job.run("discover", "--streams", "old.json", "--difference", "new.json")
    assert done.code == 0, done.err
    found = job.read("difference_streams.json")
    assert [s["stream"]["name"] for s in found["streams"]] == ["a", "b"]
    assert {s["stream"]["destination_database"] for s in found["streams"]} == {"s3_bucket:s3"}
    assert next(e for e in found["selected_streams"]["s3"] if e["stream_name"] == "a")[
        "append_mode"
    ]


CHANGES: list[tuple[str, str, Any]] = [
    ("entry", "normalization", False),
    ("entry", "partition_regex", "/{id,,}"),
    ("entry", "filter", "id > 1"),
    (
        "entry",
        "filter_config",
        {
            "logical_operator": "And",
            "conditions": [{"column": "id", "operator": ">", "value": 1}],
        },
    ),
    ("entry", "append_mode", True),
    ("entry", "use_source_column_names", True),
    ("stream", "sync_mode", "full_refresh"),
    ("stream", "destination_table", "other"),
    ("stream", "cursor_field", "id"),
]


@pytest.mark.parametrize(("where", "key", "value"), CHANGES, ids=[c[1] for c in CHANGES])
def test_what_counts_as_a_difference(job: Job, where: str, key: str, value: Any) -> None:
    old = job.discover()
    job.write("old.json", old)
    job.write("new.json", old)
    args = ("discover", "--streams", "old.json", "--difference", "new.json")
    assert job.run(*args).code == 0
    assert job.read("difference_streams.json")["streams"] == []
    entry = old["selected_streams"]["s3"][0] if where == "entry" else old["streams"][0]["stream"]
    entry[key] = value
    job.write("new.json", old)
    assert job.run(*args).code == 0
    names = [s["stream"]["name"] for s in job.read("difference_streams.json")["streams"]]
    assert names == ["a"]


def test_difference_names_new_selections(job: Job) -> None:
    old = job.discover()
    new = json.loads(json.dumps(old))
    del old["selected_streams"]["s3"][1]  # b was known, not selected
    job.write("old.json", old)
    job.write("new.json", new)
    assert job.run("discover", "--streams", "old.json", "--difference", "new.json").code == 0
    names = [s["stream"]["name"] for s in job.read("difference_streams.json")["streams"]]
    assert names == ["b"]


# ---- clear-destination -----------------------------------------------------------------------


@pytest.mark.parametrize("with_config", [True, False])
def test_clear_destination_of_a_folder(job: Job, with_config: bool) -> None:
    catalog = job.discover()
    job.ok()
    (job.out / "s3_bucket_s3/a/2025-1-2_3-4-5_01J0000000000000000000000.parquet").write_text("old")
    catalog["selected_streams"]["s3"] = [
        e for e in catalog["selected_streams"]["s3"] if e["stream_name"] == "a"
    ]
    job.write("streams.json", catalog)
    done = job.run(
        "clear-destination",
        *(("--config", "source.json") if with_config else ()),
        *("--streams", "streams.json", "--destination", "destination.json"),
        *("--state", "state.json"),
    )
    assert done.code == 0, done.err
    assert [p for p in (job.out / "s3_bucket_s3/a").rglob("*") if p.is_file()] == []
    assert job.column("id", "b") == [7]  # not selected: untouched
    assert [e["stream"] for e in job.read("state.json")["streams"]] == ["b"]
    job.ok()
    assert job.column("id", "a") == [1, 2]


def test_clear_destination_on_s3(
    headrace: Headrace, minio: Minio, s3: Any, bucket: str, tmp_path: Path
) -> None:
    lake = BucketLake(s3, bucket, minio.environment())
    job = Job(headrace, tmp_path / "job", lake)
    lake.put("a/1.csv", "id\n1\n")
    lake.put("b/1.csv", "id\n2\n")
    config = lake.config()
    job.write(
        "destination.json",
        {
            "type": "PARQUET",
            "writer": {
                "s3_bucket": bucket,
                "s3_region": "us-east-1",
                "s3_access_key": config["access_key_id"],
                "s3_secret_key": config["secret_access_key"],
                "s3_endpoint": config["endpoint"],
                "s3_path": "out",
            },
        },
    )
    catalog = job.discover()
    job.ok()

    def keys(table: str) -> list[str]:
        answer = s3.list_objects_v2(Bucket=bucket, Prefix=f"out/s3_{bucket.replace('-', '_')}_s3/")
        return [o["Key"] for o in answer.get("Contents", []) if f"/{table}/" in o["Key"]]

    assert keys("a")
    assert keys("b")
    del catalog["selected_streams"]["s3"][1]
    job.write("streams.json", catalog)
    done = job.run(
        *("clear-destination", "--config", "source.json", "--streams", "streams.json"),
        *("--destination", "destination.json", "--state", "state.json"),
    )
    assert done.code == 0, done.err
    assert keys("a") == []
    assert keys("b")
    assert [e["stream"] for e in job.read("state.json")["streams"]] == ["b"]
    job.ok()
    assert keys("a")


# ---- --encryption-key ------------------------------------------------------------------------


# Sealed by Go's crypto/cipher, as Olake seals: key "open sesame", nonce 00..0b.
GO_SOURCE = (
    "AAECAwQFBgcICQoLIU4gjoePcYOqKfbECpC5H7MN6Hnq+5g/Xd3qiMGyR5oImbrpomj8KH/sXdaWioA8"
    "OWKijvo43u0CwANwH1poR7hQk26hSK0kaO2nP+DenIxKm1GqfaZ5l41KIzwu0iE69lul1Q1u7tI="
)
GO_DESTINATION = (
    "AAECAwQFBgcICQoLIU42gpSBNs3XF9b7PufGafNUqWX95s52DY+xh4uBWIsMk4zh4Sa2bmfiEMWLxJge"
    "OvM8VOd9AfSDDXcSXMhr8g=="
)


def test_sealed_configs(job: Job) -> None:
    """What the sealed files say: the lake at ../lake, and the folder out."""
    job.write("source.json", GO_SOURCE)
    job.write("destination.json", GO_DESTINATION)
    done = job.run("discover", "--config", "source.json", "--encryption-key", "open sesame")
    assert done.code == 0, done.err
    done = job.sync("--encryption-key", "open sesame")
    assert done.code == 0, done.err
    assert job.column("id", "a") == [1, 2]
    done = job.run("discover", "--config", "source.json", "--encryption-key", "Open sesame")
    assert done.code == 2
    assert "another one" in done.err
    assert "open sesame" not in done.err.lower()
    assert job.run("discover", "--config", "source.json").code == 2


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        "",
        '"',
        '"not base64!"',
        '"QUJD"',
        "7",
        f'"{base64.b64encode(b"x" * 40).decode()}"',
    ],
)
def test_what_is_not_sealed(job: Job, text: str) -> None:
    (job.folder / "bad.json").write_text(text)
    done = job.run("discover", "--config", "bad.json", "--encryption-key", "k")
    assert done.code == 2
    assert "decrypt" in done.err
    assert "bad.json" in done.err


def test_kms_keys_are_refused(job: Job) -> None:
    key = "arn:aws:kms:us-east-1:1:key/x"
    done = job.run("discover", "--config", "source.json", "--encryption-key", key)
    assert done.code == 2
    assert "KMS" in done.err


# ---- spec, refusals, the forwarder -----------------------------------------------------------


def test_spec(job: Job) -> None:
    source = json.loads(job.run("spec").out)
    assert source["jsonschema"]["required"] == ["bucket_name", "file_format"]
    assert "secret_access_key" in source["uischema"]
    writer = json.loads(job.run("spec", "--destination-type", "parquet").out)
    assert "local_path" in writer["jsonschema"]["properties"]["writer"]["properties"]
    refused = job.run("spec", "--destination-type", "iceberg")
    assert refused.code == 2
    assert "not built" in refused.err


@pytest.mark.parametrize(
    ("source", "destination", "needle"),
    [
        ({"file_format": "xml"}, None, "xml"),
        ({"file_format": "csv", "xml": {"row_identifier": "r"}, "bucket_nam": "x"}, None, "bucket"),
        ({}, {"type": "ICEBERG", "writer": {"catalog_type": "glue"}}, "ICEBERG"),
        ({}, {"type": "PARQUET", "writer": {}}, "local_path"),
        ({}, {"type": "PARQUET", "writer": {"local_pth": "x"}}, "local_path"),
        ({"file_pattern": "("}, None, "file_pattern"),
        ({"compression": "lzma"}, None, "compression"),
    ],
)
def test_refused_with_a_sentence(job: Job, source: Any, destination: Any, needle: str) -> None:
    job.discover()
    job.source(**{"file_format": "csv", **source})
    if destination is not None:
        job.write("destination.json", destination)
    done = job.sync()
    assert done.code == 2, (done.code, done.err)
    assert needle in done.err


def test_build_sh_forwards(job: Job) -> None:
    """`./build.sh driver-s3 VERB` of the README, with headrace behind it."""
    script = ROOT / "examples/olake/build.sh"
    environment = {**job.headrace.environment, "HEADRACE": str(job.headrace.path)}

    def build(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [script, *args],
            cwd=job.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    assert (
        build("driver-s3", "discover", "--config", str(job.folder / "source.json")).returncode == 0
    )
    done = build("driver-s3", *job.command())
    assert done.returncode == 0, done.stderr
    assert job.column("id", "a") == [1, 2]
    assert build("driver-mysql", "discover").returncode == 2
    assert build().returncode == 2


def test_examples_run(headrace_local: Headrace, tmp_path: Path) -> None:
    """The files of examples/olake as they stand."""
    folder = ROOT / "examples/olake"
    destination = tmp_path / "destination.json"
    destination.write_text(
        json.dumps({"type": "PARQUET", "writer": {"local_path": str(tmp_path / "out")}})
    )
    streams = tmp_path / "streams.json"
    done = headrace_local(
        "discover", "--config", folder / "source.json", "--output", streams, cwd=tmp_path
    )
    assert done.code == 0, done.err
    done = headrace_local(
        *("sync", "--config", folder / "source.json", "--catalog", streams, "--no-save"),
        *("--destination", destination, "--state", tmp_path / "state.json"),
        env={"TMPDIR": str(tmp_path)},
    )
    assert done.code == 0, done.err
    files = list((tmp_path / "out").rglob("*.parquet"))
    assert sum(pq.read_metadata(p).num_rows for p in files) > 0


def test_manual_pages(headrace_local: Headrace) -> None:
    """One of the program, one of each verb, from the tables that parse the command line."""
    whole = headrace_local.ok("help", "man").out
    assert whole.startswith(".TH HEADRACE 1\n")
    assert ".B schema_evolution\n" in whole
    verbs = re.findall(r"^  ([a-z-]+) ", headrace_local.ok("help").out, re.M)
    assert {"sync", "copy", "gc"} <= set(verbs)
    for verb in verbs:
        page = headrace_local.ok("help", "man", verb).out
        assert f".B headrace {verb}\n" in page
        assert "\\-\\-set" in page
    assert headrace_local("help", "man", "nothing").code == 2


def test_a_mode_beside_the_catalogs(headrace_local: Headrace, tmp_path: Path) -> None:
    """destination.mode says what the catalog says, or the run is refused before it reads."""
    lake = FolderLake(tmp_path / "lake")
    lake.put("s/1.csv", "id\n1\n")
    job = Job(headrace_local, tmp_path / "job", lake)
    for mode, entry, works in (
        ("full_refresh", {}, "overwrite"),
        ("full_refresh", {"append_mode": True}, "append"),
        ("incremental", {}, "append"),
    ):
        job.select("s", mode=mode, entry=entry)
        for told in ("append", "overwrite", "error", "replace"):
            done = job.sync("--set", f"destination.mode={told}")
            assert done.code == (0 if told == works else 2), (mode, entry, told, done.err)


def test_what_of_a_catalog_has_no_effect_is_said(headrace_local: Headrace, tmp_path: Path) -> None:
    lake = FolderLake(tmp_path / "lake")
    lake.put("s/1.csv", "id,v\n1,2\n")
    job = Job(headrace_local, tmp_path / "job", lake)
    catalog = job.discover()
    entry = next(iter(catalog["selected_streams"].values()))[0]
    stream = catalog["streams"][0]["stream"]
    entry["selected_columns"] = {
        "columns": ["id", "vv", "_olake_id", "_cdc_timestamp"],
        "sync_new_columns": True,
    }
    stream.update(sync_mode="incremental", cursor_field="id")
    job.write("streams.json", catalog)
    said = job.ok().err.splitlines()
    assert len(said) == 2, said
    assert "selected_columns names 'vv', which is no column" in said[0]
    assert "a cursor that is a column ('id') is not built yet" in said[1]
    stream["cursor_field"] = "_last_modified_time:id"
    entry["selected_columns"]["columns"] = ["id"]
    job.write("streams.json", catalog)
    assert job.ok().err == ""


def test_check_reads_the_pattern_and_names_the_configs_key(
    headrace_local: Headrace, tmp_path: Path
) -> None:
    lake = FolderLake(tmp_path / "lake")
    lake.put("s/1.csv", "id\n1\n")
    job = Job(headrace_local, tmp_path / "job", lake, file_pattern="(")
    done = job.run("check", "--config", "source.json")
    assert done.code == 1
    assert "missing closing parenthesis" in done.err
    job.source(file_format="csv", max_threads=1000)
    done = job.run("check", "--config", "source.json")
    assert done.code == 2
    assert '"max_threads"' in done.err


def test_a_misspelt_state_is_told(headrace_local: Headrace, tmp_path: Path) -> None:
    job = Job(headrace_local, tmp_path / "job", FolderLake(tmp_path / "lake"))
    job.out.mkdir()
    for words in (("state", "show"), ("gc", "--destination", "destination.json")):
        done = job.run(*words, "--state", "stat.json")
        assert done.code == 0
        assert "there is no state 'stat.json'" in done.err


def test_variables_that_nobody_filled_in(headrace_local: Headrace, tmp_path: Path) -> None:
    job = Job(headrace_local, tmp_path / "job", FolderLake(tmp_path / "lake"))
    job.source(file_format="csv", bucket_name="${BUCKET}")
    done = job.run("check", "--config", "source.json")
    assert done.code == 2
    assert "--env" in done.err
    (tmp_path / "lake/bucket/d/a.csv").write_text("a\n1\n")
    done = job.run("check", "--config", "source.json", "--env", env={"BUCKET": "bucket"})
    assert done.code == 0, done.err
