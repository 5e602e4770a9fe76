"""Olake's S3 source: the four JSON files of its README against a real server."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Headrace
from minio_server import Minio


class Pipeline:
    """source.json, destination.json, streams.json and state.json in one folder."""

    def __init__(self, headrace: Headrace, minio: Minio, folder: Path, bucket: str) -> None:
        self.headrace = headrace
        self.folder = folder
        self.out = folder / "out"
        keys = minio.environment()
        self.common = {
            "bucket_name": bucket,
            "region": "us-east-1",
            "endpoint": keys["AWS_ENDPOINT_URL"],
            "access_key_id": keys["AWS_ACCESS_KEY_ID"],
            "secret_access_key": keys["AWS_SECRET_ACCESS_KEY"],
        }
        self.destination({"local_path": str(self.out)})

    def source(self, **config: Any) -> None:
        (self.folder / "source.json").write_text(json.dumps({**self.common, **config}))

    def destination(self, writer: dict[str, Any]) -> None:
        (self.folder / "destination.json").write_text(
            json.dumps({"type": "PARQUET", "writer": writer})
        )

    def run(self, *verb: str) -> Any:
        return self.headrace(*verb, "--config", "source.json", cwd=self.folder)

    def discover(self) -> dict[str, Any]:
        done = self.run("discover")
        assert done.code == 0, done.err
        assert '"type":"CATALOG"' in done.out.replace(" ", "")
        catalog: dict[str, Any] = json.loads((self.folder / "streams.json").read_text())
        return catalog

    def sync(self, *more: str) -> Any:
        return self.run(
            "sync",
            *("--catalog", "streams.json", "--destination", "destination.json"),
            *("--state", "state.json", "--progress", "never", *more),
        )

    def ok(self, *more: str) -> None:
        done = self.sync(*more)
        assert done.code == 0, done.err

    def table(self, stream: str) -> pa.Table:
        files = sorted(self.out.glob(f"*/{stream}/*.parquet"))
        return pa.concat_tables([pq.read_table(f) for f in files], promote_options="permissive")


@pytest.fixture
def pipeline(headrace: Headrace, minio: Minio, tmp_path: Path, bucket: str) -> Pipeline:
    return Pipeline(headrace, minio, tmp_path, bucket)


def test_json_stream_of_the_readme(pipeline: Pipeline, put: Any) -> None:
    lines = "\n".join(
        json.dumps({"id": 2**53 + i, "name": f"n{i}", "at": "2024-01-02T03:04:05Z", "tags": [1, 2]})
        for i in range(50)
    )
    put("data/json/users/a.jsonl.gz", gzip.compress(lines.encode()))
    put("data/json/users/b.json", json.dumps([{"id": 1, "name": "array", "new": True}]))
    put("data/json/orders/o.json", '{"id": 7, "price": 1.25}')
    pipeline.source(
        path_prefix="data/json/",
        file_format="json",
        json={"line_delimited": True},
        compression="gzip",
        max_threads=5,
        retry_count=3,
    )
    catalog = pipeline.discover()
    assert [s["stream"]["name"] for s in catalog["streams"]] == ["orders", "users"]
    pipeline.ok()
    users = pipeline.table("users")
    assert users.num_rows == 51
    assert set(users["id"].to_pylist()) == {2**53 + i for i in range(50)} | {1}
    assert json.loads(users["tags"].to_pylist()[0]) == [1, 2]
    assert "true" in str(users["new"].to_pylist()).lower()
    assert pipeline.table("orders")["price"].to_pylist() == [1.25]


def test_csv_stream_of_the_readme(pipeline: Pipeline, put: Any) -> None:
    put(
        "data/csv/users/1.csv",
        'id,name,zip,joined\n1,"Ada, Countess",00501,2024-01-15\n2,Bob,12345,2024-02-29\n',
    )
    put("data/csv/database/no.csv", "x\n1\n")
    put("data/csvx/no/no.csv", "x\n1\n")  # another folder that only starts like the prefix
    pipeline.source(
        path_prefix="data/csv/",
        file_format="csv",
        csv={"has_header": True, "delimiter": ","},
        max_threads=5,
        retry_count=3,
    )
    catalog = pipeline.discover()
    assert [s["stream"]["name"] for s in catalog["streams"]] == ["database", "users"]
    pipeline.ok()
    users = pipeline.table("users").to_pylist()
    assert [u["zip"] for u in users] == ["00501", "12345"]
    assert [u["name"] for u in users] == ["Ada, Countess", "Bob"]
    assert {u["_op_type"] for u in users} == {"r"}
    assert all(u["_last_modified_time"].endswith("Z") for u in users)
    assert len({u["_olake_id"] for u in users}) == 2
    state = json.loads((pipeline.folder / "state.json").read_text())
    assert state["type"] == "STREAM"
    assert state["version"] == 7
    entry = next(s for s in state["streams"] if s["stream"] == "users")
    assert entry["namespace"] == "s3"
    assert entry["state"]["chunks"] == []
    assert entry["state"]["_last_modified_time"] == users[0]["_last_modified_time"]


def test_parquet_stream_of_the_readme(pipeline: Pipeline, put: Any) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": [1, 2, None], "v": [["a"], None, []]}), sink)
    put("data/parquet/things/x.parquet", sink.getvalue())
    pipeline.source(
        path_prefix="data/parquet/",
        file_format="parquet",
        compression="none",
        max_threads=5,
        retry_count=3,
    )
    pipeline.discover()
    pipeline.ok()
    things = pipeline.table("things")
    assert things["id"].to_pylist() == [1, 2, None]
    assert things["v"].to_pylist() == ['["a"]', None, "[]"]


def readme_catalog(mode: str) -> str:
    """The catalog as the README prints it: another namespace, no schema, no normalization."""
    return json.dumps(
        {
            "selected_streams": {
                "data": [
                    {"stream_name": "users", "partition_regex": ""},
                    {"stream_name": "orders", "partition_regex": ""},
                ]
            },
            "streams": [
                {
                    "stream": {
                        "name": "users",
                        "namespace": "data",
                        "supported_sync_modes": ["full_refresh", "incremental"],
                        "cursor_field": "_last_modified_time",
                        "sync_mode": mode,
                    }
                }
            ],
        }
    )


def test_catalog_and_state_of_the_readme(pipeline: Pipeline, put: Any) -> None:
    put("d/users/1.csv", "id\n1\n")
    put("d/orders/1.csv", "id\n5\n")
    pipeline.source(path_prefix="d", file_format="csv")
    (pipeline.folder / "streams.json").write_text(readme_catalog("incremental"))
    (pipeline.folder / "state.json").write_text(
        '{"type":"STREAM","streams":[{"stream":"users","state":'
        '{"_last_modified_time":"2025-01-01T00:00:00Z","chunks":[]}}]}'
    )
    pipeline.ok()
    assert pipeline.table("users")["id"].to_pylist() == [1]  # newer than the state's cursor
    assert pipeline.table("orders")["id"].to_pylist() == [5]
    pipeline.ok()
    assert pipeline.table("users").num_rows == 1


def test_only_what_is_new_is_read(pipeline: Pipeline, put: Any) -> None:
    put("d/s/1.csv", "id\n1\n")
    pipeline.source(path_prefix="d", file_format="csv")
    pipeline.discover()
    pipeline.ok()
    put("d/s/2.csv", "id\n2\n")  # most likely within the same second as the first
    put("d/s/0.csv", "id\n0\n")
    pipeline.ok()
    assert sorted(pipeline.table("s")["id"].to_pylist()) == [0, 1, 2]
    put("d/s/1.csv", "id\n100\n")  # replaced: another ETag
    pipeline.ok()
    assert sorted(pipeline.table("s")["id"].to_pylist()) == [0, 1, 2, 100]
    put("d/s/1.csv", "id\n100\n")  # put again with the same bytes: nothing new
    pipeline.ok()
    assert pipeline.table("s").num_rows == 4
    assert set(pipeline.table("s")["_op_type"].to_pylist()) == {"r", "u"}


def test_full_refresh_replaces(pipeline: Pipeline, put: Any, s3: Any, bucket: str) -> None:
    put("d/users/1.csv", "id\n1\n")
    put("d/users/2.csv", "id\n2\n")
    pipeline.source(path_prefix="d", file_format="csv")
    (pipeline.folder / "streams.json").write_text(readme_catalog("full_refresh"))
    pipeline.ok()
    pipeline.ok()
    assert sorted(pipeline.table("users")["id"].to_pylist()) == [1, 2]
    s3.delete_object(Bucket=bucket, Key="d/users/1.csv")
    foreign = next(pipeline.out.glob("*/users")) / "somebody-elses.parquet"
    pq.write_table(pa.table({"id": [77]}), foreign)
    pipeline.ok()
    assert sorted(pipeline.table("users")["id"].to_pylist()) == [2, 77]  # only ours is replaced


def test_destination_on_s3(pipeline: Pipeline, put: Any, s3: Any, bucket: str) -> None:
    put("d/s/1.csv", "id,text\n" + "".join(f"{i},row {i}\n" for i in range(1000)))
    pipeline.source(path_prefix="d", file_format="csv")
    pipeline.discover()
    pipeline.destination(
        {
            "s3_bucket": bucket,
            "s3_region": "us-east-1",
            "s3_access_key": pipeline.common["access_key_id"],
            "s3_secret_key": pipeline.common["secret_access_key"],
            "s3_endpoint": pipeline.common["endpoint"],
            "s3_path": "lake/out",
        }
    )
    done = pipeline.run("check", "--destination", "destination.json")
    assert done.code == 0
    assert "SUCCEEDED" in done.out
    pipeline.ok()
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket, Prefix="lake/out/")["Contents"]]
    data = [k for k in keys if k.endswith(".parquet")]
    assert len(data) == 1
    assert data[0].startswith("lake/out/s3_")
    body = s3.get_object(Bucket=bucket, Key=data[0])["Body"].read()
    assert pq.read_table(io.BytesIO(body)).num_rows == 1000
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")
    pipeline.ok()
    assert (
        pipeline.run(
            "clear-destination",
            "--catalog",
            "streams.json",
            "--destination",
            "destination.json",
            "--state",
            "state.json",
        ).code
        == 0
    )
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="lake/out/")


def test_raw_form(pipeline: Pipeline, put: Any) -> None:
    put("d/s/1.jsonl", '{"b": 1, "a": "<x>", "n": null}\n')
    pipeline.source(path_prefix="d", file_format="json")
    pipeline.discover()
    catalog = json.loads((pipeline.folder / "streams.json").read_text())
    catalog["selected_streams"]["s3"][0]["normalization"] = False
    (pipeline.folder / "streams.json").write_text(json.dumps(catalog))
    pipeline.ok()
    table = pipeline.table("s")
    assert table.column_names == [
        "_cdc_timestamp",
        "_olake_id",
        "_olake_timestamp",
        "_op_type",
        "data",
    ]
    row = table.to_pylist()[0]
    record = json.loads(row["data"])
    assert list(record) == ["_last_modified_time", "a", "b", "n"]
    assert record["a"] == "<x>"
    assert "\\u003cx\\u003e" in row["data"]
    assert record["n"] is None


def test_selected_columns(pipeline: Pipeline, put: Any) -> None:
    put("d/s/1.csv", "id,secret,v\n1,x,2\n")
    pipeline.source(path_prefix="d", file_format="csv")
    pipeline.discover()
    catalog = json.loads((pipeline.folder / "streams.json").read_text())
    chosen = catalog["selected_streams"]["s3"][0]["selected_columns"]
    chosen["columns"] = [c for c in chosen["columns"] if c != "secret"]
    (pipeline.folder / "streams.json").write_text(json.dumps(catalog))
    put("d/s/2.csv", "id,secret,v,extra\n2,y,3,new\n")
    pipeline.ok()
    table = pipeline.table("s")
    assert "secret" not in table.column_names
    assert sorted(str(v) for v in table["extra"].to_pylist()) == ["None", "new"]


def test_late_text_widens(pipeline: Pipeline, put: Any) -> None:
    put("d/s/1.csv", "id,v\n" + "".join(f"{i},{i}\n" for i in range(3000)) + "3000,oops\n")
    pipeline.source(path_prefix="d", file_format="csv")
    pipeline.discover()
    pipeline.ok()
    assert pipeline.table("s")["v"].to_pylist()[-1] == "oops"
    assert pipeline.table("s").num_rows == 3001
    strict = pipeline.sync("--set", "schema_evolution=strict", "--state", "other.json")
    assert strict.code == 5
    assert "line: 3002" in strict.err
    assert "oops" in strict.err
    assert "column: v" in strict.err


def test_rediscover_keeps_the_selection(pipeline: Pipeline, put: Any) -> None:
    put("d/a/1.csv", "id\n1\n")
    put("d/b/1.csv", "id\n1\n")
    pipeline.source(path_prefix="d", file_format="csv")
    catalog = pipeline.discover()
    catalog["selected_streams"]["s3"] = [
        e for e in catalog["selected_streams"]["s3"] if e["stream_name"] == "a"
    ]
    (pipeline.folder / "streams.json").write_text(json.dumps(catalog))
    put("d/c/1.csv", "id\n1\n")
    assert pipeline.run("discover", "--streams", "streams.json").code == 0
    again = json.loads((pipeline.folder / "streams.json").read_text())
    assert [s["stream"]["name"] for s in again["streams"]] == ["a", "b", "c"]
    assert [e["stream_name"] for e in again["selected_streams"]["s3"]] == ["a"]


@pytest.mark.parametrize(
    ("config", "code", "needle"),
    [
        ({"path_prefix": "d", "file_format": "csv", "max_thread": 3}, 2, "max_threads"),
        ({"path_prefix": "d", "file_format": "csv", "secret_access_key": None}, 2, "access_key_id"),
        ({"path_prefix": "d", "file_format": "csv", "secret_access_key": "wrong"}, 3, "secret"),
        (
            {"path_prefix": "d", "file_format": "csv", "bucket_name": "no-such-bucket-here"},
            4,
            "no-such-bucket-here",
        ),
        ({"path_prefix": "nowhere", "file_format": "csv"}, 4, "nowhere"),
        (
            {
                "path_prefix": "d",
                "file_format": "csv",
                "endpoint": "http://127.0.0.1:9",
                "retry_count": 1,
            },
            1,
            "127.0.0.1",
        ),
        ({"path_prefix": "d", "file_format": "xml"}, 2, "xml"),
        ({"path_prefix": "d"}, 2, "file_format"),
    ],
)
def test_bad_configs_name_the_place(
    pipeline: Pipeline, put: Any, config: dict[str, Any], code: int, needle: str
) -> None:
    put("d/s/1.csv", "id\n1\n")
    common = {k: v for k, v in {**pipeline.common, **config}.items() if v is not None}
    (pipeline.folder / "source.json").write_text(json.dumps(common))
    done = pipeline.run("discover")
    assert done.code == code, (done.code, done.err)
    assert needle in done.err
    assert "hint:" in done.err


@pytest.mark.parametrize(
    ("key", "body", "needles"),
    [
        (
            "s/1.csv.gz",
            gzip.compress(b"id,v\n" + b"1,2\n" * 5000, mtime=0)[:-50],
            ["1.csv.gz", "gzip"],
        ),
        ("s/1.csv", b'id,v\n1,"never closed\n2,3\n', ["1.csv", "quote"]),
        ("s/1.csv", b"id,v\n1,2\n1,2,3\n", ["1.csv", "line: 3"]),
    ],
    ids=["cut gzip", "open quote", "ragged row"],
)
def test_damaged_text_names_the_place(
    pipeline: Pipeline, put: Any, key: str, body: bytes, needles: list[str]
) -> None:
    put(f"d/{key}", body)
    pipeline.source(path_prefix="d", file_format="csv", compression="gzip")
    (pipeline.folder / "streams.json").write_text(
        '{"streams":[{"stream":{"name":"s","namespace":"s3","sync_mode":"incremental"}}]}'
    )
    done = pipeline.sync()
    assert done.code == 5, (done.code, done.err)
    for needle in needles:
        assert needle in done.err
    assert not list(pipeline.out.rglob("*.parquet"))


def test_damaged_json_and_parquet(pipeline: Pipeline, put: Any) -> None:
    put("j/s/1.jsonl", '{"a": 1}\n{"a": 2\n{"a": 3}\n')
    pipeline.source(path_prefix="j", file_format="json")
    (pipeline.folder / "streams.json").write_text(
        '{"streams":[{"stream":{"name":"s","namespace":"s3","sync_mode":"incremental"}}]}'
    )
    done = pipeline.sync()
    assert done.code == 5
    assert "1.jsonl" in done.err
    assert "line: 2" in done.err
    skipped = pipeline.sync("--set", "on_error=skip")
    assert skipped.code == 0, skipped.err
    assert pipeline.table("s")["a"].to_pylist() == [1, 3]
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": list(range(1000))}), sink)
    put("p/s/1.parquet", sink.getvalue()[:-20])
    pipeline.source(path_prefix="p", file_format="parquet")
    done = pipeline.sync("--state", "p.json")
    assert done.code == 5
    assert "1.parquet" in done.err


def test_unwritable_destination(pipeline: Pipeline, put: Any) -> None:
    put("d/s/1.csv", "id\n1\n")
    pipeline.source(path_prefix="d", file_format="csv")
    pipeline.discover()
    blocked = pipeline.folder / "file"
    blocked.write_text("a file, not a folder")
    pipeline.destination({"local_path": str(blocked / "out")})
    done = pipeline.sync()
    assert done.code in (1, 3, 4)
    assert str(blocked) in done.err
