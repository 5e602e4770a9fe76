"""What a record becomes: Olake's raw form and its columns, ids, names, selections, filters."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Headrace
from olake_job import FolderLake, Job

OWN = ["_last_modified_time", "_olake_id", "_olake_timestamp", "_op_type"]
WHEN = 1_700_000_000  # 2023-11-14T22:13:20Z, in the middle of a second below
MODIFIED = "2023-11-14T22:13:20Z"


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    return FolderLake(tmp_path / "lake")


@pytest.fixture
def job(headrace_local: Headrace, tmp_path: Path, lake: FolderLake) -> Job:
    return Job(headrace_local, tmp_path / "job", lake)


def entry_of(catalog: Any, stream: str = "s") -> Any:
    return next(e for e in catalog["selected_streams"]["s3"] if e["stream_name"] == stream)


def stream_of(catalog: Any, stream: str = "s") -> Any:
    return next(s["stream"] for s in catalog["streams"] if s["stream"]["name"] == stream)


def modified(path: Path) -> str:
    """The object time of a local file: its inode changes when a test sets an older time."""
    stat = path.stat()
    newest = max(stat.st_mtime_ns, stat.st_ctime_ns) // 10**9
    return dt.datetime.fromtimestamp(newest, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# ---- the raw form ----------------------------------------------------------------------------


def raw(job: Job, *more: str) -> list[Any]:
    catalog = job.discover()
    entry_of(catalog)["normalization"] = False
    job.write("streams.json", catalog)
    job.ok(*more)
    table = job.table()
    assert table.column_names == [
        "_cdc_timestamp",
        "_olake_id",
        "_olake_timestamp",
        "_op_type",
        "data",
    ]
    assert not table.schema.field("data").nullable
    assert table["_cdc_timestamp"].null_count == table.num_rows
    assert set(table["_op_type"].to_pylist()) == {"r"}
    return [str(text) for text in table["data"].to_pylist()]


def test_raw_records_are_go_json(job: Job, lake: FolderLake) -> None:
    job.source(file_format="json")
    lake.put(
        "s/1.json",
        '{"z":"<a>&\\u2028","big":9007199254740993,"f":100.0,"e":1e21,"d":1e20,"s":1e-7,'
        '"n":null,"t":"2024-02-29T12:30:01.500Z","o":{"k":[1,"<"]},"b":true}\n',
    )
    when = modified(lake.path("s/1.json"))
    assert raw(job) == [
        f'{{"_last_modified_time":"{when}","b":true,"big":9007199254740993,'
        '"d":100000000000000000000,"e":1e+21,"f":100,"n":null,'
        '"o":{"k":[1,"\\u003c"]},"s":1e-7,"t":"2024-02-29T12:30:01.5Z",'
        '"z":"\\u003ca\\u003e\\u0026\\u2028"}'
    ]


def test_raw_records_of_csv(job: Job, lake: FolderLake) -> None:
    lake.put("s/1.csv", "b,a,day\n1,x,2024-02-29\n,,\n")
    lake.put("s/2.csv", "c\n2.50\n")
    one, two, three = (json.loads(text) for text in raw(job))
    assert list(one) == ["_last_modified_time", "a", "b", "day"]  # what the file has, in order
    assert one["b"] == 1
    assert one["day"] == "2024-02-29T00:00:00Z"
    assert (two["a"], two["b"], two["day"]) == (None, None, None)
    assert list(three) == ["_last_modified_time", "c"]
    assert three["c"] == 2.5


def test_raw_records_follow_the_selection(job: Job, lake: FolderLake) -> None:
    lake.put("s/1.csv", "a,b\n1,2\n")
    catalog = job.discover()
    entry = entry_of(catalog)
    entry["normalization"] = False
    entry["selected_columns"] = {"columns": ["b"], "sync_new_columns": False}
    job.write("streams.json", catalog)
    lake.put("s/2.csv", "a,b,new\n3,4,5\n")
    job.ok()
    assert [json.loads(str(t)) for t in job.column("data")] == [{"b": 2}, {"b": 4}]


def test_only_an_explicit_false_is_raw(job: Job, lake: FolderLake) -> None:
    lake.put("s/1.csv", "a\n1\n")
    job.select("s")
    job.ok()
    assert job.table().column_names == ["a", *OWN]


# ---- ids -------------------------------------------------------------------------------------


def go_text(value: Any) -> str:
    """fmt.Sprint of the values these tests use."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        number = float(value)
        mantissa, exponent = f"{number!r}", 0
        if number and not 1e-4 <= abs(number) < 1e6:
            digits = f"{number:.17e}"
            for precision in range(17):
                digits = f"{number:.{precision}e}"
                if float(digits) == number:
                    break
            return digits
        assert exponent == 0
        return mantissa.removesuffix(".0")
    return str(value)


def md5(values: dict[str, Any]) -> str:
    text = "".join(f"{go_text(values[k])}|" for k in sorted(values))
    return hashlib.md5(text.encode()).hexdigest()


def test_md5_of_the_record(job: Job, lake: FolderLake) -> None:
    rows: list[dict[str, Any]] = [
        {"id": 1, "x": 1.5, "name": "a|b", "ok": True},
        {"id": 1234567, "x": 1e21, "name": None, "ok": False},
        {"id": -7, "x": 0.00001, "name": "ü", "ok": None},
        {"id": 2**53, "x": 100000.0, "name": "", "ok": True},
    ]
    job.source(file_format="json")
    lake.put("s/1.json", "".join(json.dumps(r) + "\n" for r in rows))
    when = modified(lake.path("s/1.json"))
    job.discover()
    job.ok("--set", "olake_ids=md5")
    want = [md5({**row, "_last_modified_time": when}) for row in rows]
    assert job.column("_olake_id") == want


def test_md5_does_not_depend_on_the_selection(job: Job, lake: FolderLake) -> None:
    lake.put("s/1.csv", "a,b\n1,x\n")
    when = modified(lake.path("s/1.csv"))
    catalog = job.discover()
    entry_of(catalog)["selected_columns"] = {
        "columns": ["b", "_olake_id"],
        "sync_new_columns": False,
    }
    job.write("streams.json", catalog)
    job.ok("--set", "olake_ids=md5")
    assert job.table().column_names == ["b", "_olake_id"]
    assert job.column("_olake_id") == [md5({"a": 1, "b": "x", "_last_modified_time": when})]


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_md5_of_files_of_other_columns(job: Job, lake: FolderLake, file_format: str) -> None:
    """A column that only other files have is none of this record's keys."""
    job.source(file_format=file_format)
    tables = [{"a": 1.5, "b": "x"}, {"b": "y", "c": True}, {"a": None, "b": "z"}]
    for number, row in enumerate(tables):
        if file_format == "parquet":
            sink = io.BytesIO()
            pq.write_table(pa.table({k: [v] for k, v in row.items()}), sink)
            lake.put(f"s/{number}.parquet", sink.getvalue())
        else:
            cells = ["" if v is None else str(v).lower() for v in row.values()]
            lake.put(f"s/{number}.csv", ",".join(row) + "\n" + ",".join(cells) + "\n")
    job.discover()
    job.ok("--set", "olake_ids=md5")
    table = job.table()
    got = dict(zip(table["b"].to_pylist(), table["_olake_id"].to_pylist(), strict=True))
    for number, row in enumerate(tables):
        when = modified(lake.path(f"s/{number}.{file_format}"))
        assert got[row["b"]] == md5({**row, "_last_modified_time": when})


def test_md5_of_a_known_record(job: Job, lake: FolderLake) -> None:
    """The vector that Olake's own function gave, by way of a primary key of all its columns."""
    job.source(file_format="json")
    lake.put(
        "s/1.json",
        '{"a":"x","b":2.0,"big":1e21,"bo":true,"n":null,"t":"1970-01-01T00:00:00Z"}\n',
    )
    catalog = job.discover()
    stream_of(catalog)["source_defined_primary_key"] = ["t", "bo", "a", "b", "big", "n"]
    job.write("streams.json", catalog)
    job.ok("--set", "olake_ids=md5")
    assert job.column("_olake_id") == ["0135c6ef862b850e7fdbf62e52c14b3f"]


def test_a_primary_key_of_one_column_is_the_id(job: Job, lake: FolderLake) -> None:
    lake.put("s/1.csv", "id,v\n1234567,x\nabc,y\n")
    catalog = job.discover()
    stream_of(catalog)["source_defined_primary_key"] = ["id"]
    job.write("streams.json", catalog)
    job.ok("--set", "olake_ids=md5")
    assert job.column("_olake_id") == ["1234567", "abc"]


def test_nested_values_in_the_md5(job: Job, lake: FolderLake) -> None:
    job.source(file_format="json")
    lake.put("s/1.json", '{"o":{"b":1e7,"a":[1,null,"x"]}}\n')
    when = modified(lake.path("s/1.json"))
    job.discover()
    job.ok("--set", "olake_ids=md5")
    text = f"{when}|map[a:[1 <nil> x] b:1e+07]|"
    assert job.column("_olake_id") == [hashlib.md5(text.encode()).hexdigest()]


def test_our_ids_tell_rows_apart_and_stay(job: Job, lake: FolderLake) -> None:
    lake.put("s/1.csv", "a\n" + "1\n" * 100)
    job.discover()
    job.ok()
    first = job.column("_olake_id")
    assert len(set(first)) == 100
    assert all(len(i) == 32 for i in first)
    other = Job(job.headrace, job.folder.parent / "other", lake)
    other.discover()
    other.ok("--workers", "2")
    assert other.column("_olake_id") == first


# ---- added columns ---------------------------------------------------------------------------


def test_added_columns(job: Job, lake: FolderLake) -> None:
    lake.put("s/1.csv", "a\n1\n")
    job.discover()
    job.ok("--set", "run_time=2024-02-29T12:00:00.25Z")
    lake.put("s/2.csv", "a\n2\n")
    job.ok("--set", "run_time=2024-03-01T00:00:00Z")
    table = job.table().sort_by("a")
    assert table["_op_type"].to_pylist() == ["r", "u"]
    assert table.schema.field("_olake_timestamp").type == pa.timestamp("us", "UTC")
    assert table["_olake_timestamp"].to_pylist() == [
        dt.datetime(2024, 2, 29, 12, 0, 0, 250000, dt.UTC),
        dt.datetime(2024, 3, 1, tzinfo=dt.UTC),
    ]
    assert table["_last_modified_time"].to_pylist() == [
        modified(lake.path(f"s/{n}.csv")) for n in (1, 2)
    ]
    assert table.schema.field("_last_modified_time").type == pa.string()


# ---- names and types -------------------------------------------------------------------------


def test_destination_names(job: Job, lake: FolderLake) -> None:
    lake.put("My Stream/1.csv", "User ID,user-id,Größe\n1,2,3\n")
    catalog = job.discover()
    properties = stream_of(catalog, "My Stream")["type_schema"]["properties"]
    assert properties["User ID"]["destination_column_name"] == "user_id"
    job.ok()
    assert job.table("my_stream").column_names == ["user_id", "user_id_2", "gr__e", *OWN]
    entry_of(catalog, "My Stream")["use_source_column_names"] = True
    job.write("streams.json", catalog)
    lake.put("My Stream/2.csv", "User ID,user-id,Größe\n4,5,6\n")
    job.ok()
    assert {"User ID", "user-id", "Größe"} <= set(job.table("my_stream").column_names)


def test_streams_with_one_table(job: Job, lake: FolderLake) -> None:
    """Names that become the same get tables of their own; a catalog that says otherwise cannot be
    refreshed, as one stream would take away what the other wrote."""
    lake.put("My s/1.csv", "a\n1\n")
    lake.put("my-s/1.csv", "a\n2\n")
    catalog = job.discover()
    tables = [s["stream"]["destination_table"] for s in catalog["streams"]]
    assert tables == ["my_s", "my_s_2"]
    lake.put("MY_S/1.csv", "a\n3\n")
    again = job.discover("--streams", "streams.json")
    assert {s["stream"]["name"]: s["stream"]["destination_table"] for s in again["streams"]} == {
        "MY_S": "my_s_3",
        "My s": "my_s",
        "my-s": "my_s_2",
    }
    job.ok()
    assert job.column("a", "my_s") == [1]
    assert job.column("a", "my_s_2") == [2]
    for stream in catalog["streams"]:
        stream["stream"]["destination_table"] = "one"
        stream["stream"]["sync_mode"] = "full_refresh"
    job.write("streams.json", catalog)
    done = job.sync()
    assert done.code == 2
    assert "My s" in done.err
    assert "my-s" in done.err


def test_olake_types(job: Job, lake: FolderLake) -> None:
    lake.put("s/1.csv", "i,f,b,t,d\n1,1.5,true,x,2024-02-29\n")
    exact = stream_of(job.discover())["type_schema"]["properties"]
    loose = stream_of(job.discover("--set", "olake_types=true"))["type_schema"]["properties"]
    assert exact["i"]["type"] == ["integer", "null"]
    assert loose["i"]["type"] == ["number", "null"]
    assert loose["f"]["type"] == ["number", "null"]
    assert loose["b"]["type"] == ["boolean", "null"]
    assert loose["t"]["type"] == ["string", "null"]
    assert loose["d"]["type"] == ["timestamp", "null"]
    assert all("headrace_type" not in p for p in loose.values())
    job.ok()
    schema = job.table().schema
    assert schema.field("i").type == pa.float64()
    assert schema.field("d").type == pa.timestamp("us", "UTC")


def test_a_catalog_of_olake(job: Job, lake: FolderLake) -> None:
    """streams.json as Olake 0.9 writes it: types in any order, its own columns among them."""
    lake.put("s/1.csv", "id,name,at\n1,x,2024-02-29T12:30:01Z\n2,,\n")
    own = {
        name: {"type": ["null", kind], "destination_column_name": name, "olake_column": True}
        for name, kind in (
            ("_olake_id", "string"),
            ("_olake_timestamp", "timestamp_micro"),
            ("_op_type", "string"),
        )
    }
    job.write(
        "streams.json",
        {
            "selected_streams": {
                "s3": [
                    {
                        "partition_regex": "",
                        "stream_name": "s",
                        "normalization": True,
                        "use_source_column_names": False,
                        "selected_columns": {
                            "columns": ["id", "name", "at", "_last_modified_time", *own],
                            "sync_new_columns": True,
                        },
                    }
                ]
            },
            "streams": [
                {
                    "stream": {
                        "name": "s",
                        "namespace": "s3",
                        "type_schema": {
                            "properties": {
                                **own,
                                "name": {
                                    "type": ["null", "string"],
                                    "destination_column_name": "name",
                                },
                                "at": {
                                    "type": ["timestamp", "null"],
                                    "destination_column_name": "at",
                                },
                                "id": {"type": ["null", "number"], "destination_column_name": "id"},
                                "_last_modified_time": {
                                    "type": ["string"],
                                    "destination_column_name": "_last_modified_time",
                                },
                            }
                        },
                        "supported_sync_modes": ["incremental", "full_refresh"],
                        "source_defined_primary_key": [],
                        "available_cursor_fields": ["_last_modified_time"],
                        "cursor_field": "_last_modified_time",
                        "sync_mode": "incremental",
                        "destination_database": "s3_bucket:s3",
                        "destination_table": "s",
                        "default_stream_properties": {"normalization": False, "append_mode": False},
                    }
                }
            ],
        },
    )
    job.ok()
    table = job.table()
    assert table.schema.field("id").type == pa.float64()
    assert table["id"].to_pylist() == [1.0, 2.0]
    assert table["name"].to_pylist() == ["x", None]
    assert table["at"].to_pylist() == [dt.datetime(2024, 2, 29, 12, 30, 1, tzinfo=dt.UTC), None]
    assert (job.out / "s3_bucket_s3/s").is_dir()


# ---- selection -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "sync_new", "want"),
    [
        (["a", "b", *OWN], True, ["a", "b", *OWN, "late"]),
        (["a", "b", *OWN], False, ["a", "b", *OWN]),
        (["b", "_op_type"], True, ["b", "_op_type", "late"]),
        (["b", "_op_type"], False, ["b", "_op_type"]),
        (None, None, ["a", "b", *OWN, "late"]),
    ],
)
@pytest.mark.parametrize("file_format", ["csv", "json", "parquet"])
def test_selected_columns(
    job: Job,
    lake: FolderLake,
    columns: list[str] | None,
    sync_new: bool | None,
    want: list[str],
    file_format: str,
) -> None:
    """`sync_new_columns`: what the catalog does not know is written, or not."""

    def body(row: dict[str, int]) -> bytes:
        if file_format == "parquet":
            sink = io.BytesIO()
            pq.write_table(pa.Table.from_pylist([row]), sink)
            return sink.getvalue()
        if file_format == "json":
            return json.dumps(row).encode() + b"\n"
        return (",".join(row) + "\n" + ",".join(map(str, row.values())) + "\n").encode()

    job.source(file_format=file_format)
    lake.put(f"s/1.{file_format}", body({"a": 1, "b": 2}))
    catalog = job.discover()
    entry = entry_of(catalog)
    if columns is None:
        del entry["selected_columns"]
    else:
        entry["selected_columns"] = {"columns": columns, "sync_new_columns": sync_new}
    job.write("streams.json", catalog)
    lake.put(f"s/2.{file_format}", body({"a": 3, "b": 4, "late": 5}))
    job.ok()
    table = job.table()
    assert sorted(table.column_names) == sorted(want)
    assert sorted(table["b"].to_pylist()) == [2, 4]
    if "late" in want:
        assert sorted(table["late"].to_pylist(), key=str) == [5, None]


def test_rediscovery_keeps_choices(job: Job, lake: FolderLake) -> None:
    lake.put("s/1.csv", "a,b\n1,2\n")
    lake.put("gone/1.csv", "a\n1\n")
    catalog = job.discover()
    entry = entry_of(catalog)
    entry["selected_columns"] = {"columns": ["a"], "sync_new_columns": False}
    entry["partition_regex"] = "/x={a,,}"
    entry["append_mode"] = True
    stream = stream_of(catalog)
    stream["sync_mode"] = "full_refresh"
    stream["destination_table"] = "renamed"
    stream["source_defined_primary_key"] = ["a"]
    stream["additional_properties"] = "kept"
    job.write("streams.json", catalog)
    lake.remove("gone/1.csv")
    lake.put("new/1.csv", "a\n1\n")
    lake.put("s/1.csv", "a,b,c\n1,2,3\n")
    again = job.discover("--streams", "streams.json")
    assert [s["stream"]["name"] for s in again["streams"]] == ["new", "s"]
    assert [e["stream_name"] for e in again["selected_streams"]["s3"]] == ["s"]
    entry = entry_of(again)
    assert entry["selected_columns"] == {"columns": ["a"], "sync_new_columns": False}
    assert entry["partition_regex"] == "/x={a,,}"
    assert entry["append_mode"] is True
    stream = stream_of(again)
    assert stream["sync_mode"] == "full_refresh"
    assert stream["destination_table"] == "renamed"
    assert stream["source_defined_primary_key"] == ["a"]
    assert stream["additional_properties"] == "kept"
    assert "c" in stream["type_schema"]["properties"]


# ---- filters ---------------------------------------------------------------------------------

FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({"column": "id", "operator": ">", "value": 2}, [3, 4]),
    ({"column": "id", "operator": "<=", "value": "2"}, [1, 2]),
    ({"column": "name", "operator": "=", "value": "b"}, [2]),
    ({"column": "name", "operator": "!=", "value": "b"}, [1, 3]),
    ({"column": "day", "operator": ">=", "value": "2024-03-01"}, [3, 4]),
    ({"column": "x", "operator": "<", "value": 0.5}, [1]),
]


@pytest.mark.parametrize("normalization", [True, False])
@pytest.mark.parametrize(
    ("condition", "want"), FILTERS, ids=[str(c["operator"]) for c, _ in FILTERS]
)
def test_filter_config(
    job: Job, lake: FolderLake, condition: dict[str, Any], want: list[int], normalization: bool
) -> None:
    lake.put(
        "s/1.csv",
        "id,name,day,x\n1,a,2024-01-01,0.1\n2,b,2024-02-01,0.5\n3,c,2024-03-01,1\n4,,2024-04-01,2\n",
    )
    catalog = job.discover()
    entry = entry_of(catalog)
    entry["normalization"] = normalization
    entry["selected_columns"] = {"columns": ["id"], "sync_new_columns": False}
    entry["filter_config"] = {"logical_operator": "And", "conditions": [condition]}
    job.write("streams.json", catalog)
    job.ok()
    if normalization:
        assert job.table().column_names == ["id"]
        assert job.column("id") == want
    else:
        assert [json.loads(str(t))["id"] for t in job.column("data")] == want


@pytest.mark.parametrize(
    ("how", "want"), [("And", [2]), ("and", [2]), ("Or", [1, 2, 3]), ("OR", [1, 2, 3])]
)
def test_two_conditions(job: Job, lake: FolderLake, how: str, want: list[int]) -> None:
    lake.put("s/1.csv", "id,name\n1,a\n2,b\n3,c\n4,c\n")
    catalog = job.discover()
    entry_of(catalog)["filter_config"] = {
        "logical_operator": how,
        "conditions": [
            {"column": "id", "operator": "<", "value": 4},
            {"column": "name", "operator": "=", "value": "b"},
        ],
    }
    job.write("streams.json", catalog)
    job.ok()
    assert job.column("id") == want


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("id > 2", [3]),
        ("id >= 2 and name != 'c'", [2]),
        ('id = 1 or name = "c"', [1, 3]),
        ("id=2", [2]),
        ("name=b OR id >2", [2, 3]),
        ("id in (1, 3)", [1, 3]),
        ("", [1, 2, 3]),
    ],
)
def test_the_older_filter_text(job: Job, lake: FolderLake, text: str, want: list[int]) -> None:
    """Olake parses it and passes over it for files; whoever wrote it meant it."""
    lake.put("s/1.csv", "id,name\n1,a\n2,b\n3,c\n")
    job.select("s", entry={"filter": text})
    job.ok()
    assert job.column("id") == want


@pytest.mark.parametrize(
    "config",
    [
        {"conditions": [{"column": "nope", "operator": "=", "value": 1}]},
        {"conditions": [{"column": "id", "operator": "~", "value": 1}]},
        {"conditions": "id > 1"},
    ],
)
def test_filters_that_cannot_be(job: Job, lake: FolderLake, config: Any) -> None:
    lake.put("s/1.csv", "id\n1\n")
    job.select("s", entry={"filter_config": config})
    done = job.sync()
    assert done.code == 2, (done.code, done.err)
    assert job.column("id") == []


# ---- modes -----------------------------------------------------------------------------------


def test_append_mode_keeps_what_a_full_refresh_replaces(job: Job, lake: FolderLake) -> None:
    lake.put("s/1.csv", "id\n1\n")
    job.select("s", mode="full_refresh")
    job.ok()
    job.ok()
    assert job.column("id") == [1]
    job.select("s", mode="full_refresh", entry={"append_mode": True})
    job.ok()
    assert job.column("id") == [1, 1]


OLAKES = "2025-1-2_13-04-5_01JGXR3M9V5T8W2K4N6P7Q0ZAB.parquet"


@pytest.mark.parametrize("mode", ["full_refresh", "incremental"])
def test_a_table_that_olake_wrote(job: Job, lake: FolderLake, mode: str) -> None:
    """A full refresh replaces what Olake wrote too, as Olake would; increments stand beside it.
    Files of anybody else stay."""
    folder = job.out / "s3_bucket_s3/s"
    (folder / "day=1").mkdir(parents=True)
    others = ["report.parquet", "2025-1-2_13-04-5_notes.parquet", f"x{OLAKES}", f"{OLAKES}.bak"]
    for name in [OLAKES, f"day=1/{OLAKES}", *others]:
        pq.write_table(pa.table({"id": [0]}), folder / name)
    lake.put("s/1.csv", "id\n1\n")
    job.select("s", mode=mode)
    job.ok()
    left = {str(p.relative_to(folder)) for p in folder.rglob("*.parquet*")}
    assert set(others) < left
    assert (OLAKES in left) == (mode == "incremental")
    assert (f"day=1/{OLAKES}" in left) == (mode == "incremental")
    assert 1 in job.column("id")


def test_full_refresh_leaves_a_state_for_increments(job: Job, lake: FolderLake) -> None:
    lake.put("s/1.csv", "id\n1\n")
    job.select("s", mode="full_refresh")
    job.ok()
    assert job.entry()["state"]["chunks"] == []
    job.select("s", mode="incremental")
    job.ok()
    assert job.column("id") == [1]
    lake.put("s/2.csv", "id\n2\n")
    job.ok()
    assert sorted(job.column("id")) == [1, 2]


# ---- names of our own, files of blanks ---------------------------------------------------------


def test_a_file_with_a_column_of_the_cursor(job: Job, lake: FolderLake) -> None:
    """A record is a map: the object's time takes the place of the file's value."""
    job.source(file_format="json")
    lake.put("s/1.json", '{"_last_modified_time":"mine","a":1,"Z":2}\n')
    when = modified(lake.path("s/1.json"))
    assert raw(job) == [f'{{"Z":2,"_last_modified_time":"{when}","a":1}}']


def test_md5_with_a_column_of_the_cursor(job: Job, lake: FolderLake) -> None:
    job.source(file_format="json")
    lake.put("s/1.json", '{"_last_modified_time":"mine","a":1}\n')
    when = modified(lake.path("s/1.json"))
    job.discover()
    job.ok("--set", "olake_ids=md5")
    assert job.column("_olake_id") == [md5({"a": 1, "_last_modified_time": when})]


@pytest.mark.parametrize("name", ["blank.json", "blank.jsonl"])
@pytest.mark.parametrize("text", [" \n\t\n\r\n", "\n", "\ufeff\n ", " " * 300_000])
def test_a_file_of_blanks_is_no_rows(job: Job, lake: FolderLake, name: str, text: str) -> None:
    """As DuckDB has it; a stream is not stopped by it."""
    job.source(file_format="json")
    lake.put("s/1.json", '{"a":1}\n \n\n{"a":2}\n')
    lake.put(f"s/{name}", text)
    job.select("s")
    job.ok()
    assert job.column("a") == [1, 2]
    job.discover()
    job.ok()
