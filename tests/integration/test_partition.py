"""Output in folders by the rows' values: `partition_by` (Hive) and Olake's `partition_regex`."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from conftest import Headrace
from minio_server import Minio
from test_olake import Pipeline


@pytest.fixture
def pipeline(headrace: Headrace, minio: Minio, tmp_path: Path, bucket: str) -> Pipeline:
    return Pipeline(headrace, minio, tmp_path, bucket)


COUNTRIES = ["de", "fr", "a/b", "ü ber", "..", "_hidden", "50%", "x=y", 'q"uote', "日本"]


def sales(folder: Path, files: int = 3, rows: int = 4000) -> pa.Table:
    """CSV files whose rows are spread over countries and months; an empty country is a null."""
    tables = []
    for number in range(files):
        ids = [number * rows + i for i in range(rows)]
        table = pa.table(
            {
                "id": ids,
                "country": [None if i % 11 == 10 else COUNTRIES[i % 11] for i in ids],
                "month": [i % 12 + 1 for i in ids],
                "day": [datetime.date(2024, i % 12 + 1, i % 28 + 1) for i in ids],
                "text": [f"row {i} " + "x" * (i % 50) for i in ids],
            }
        )
        folder.mkdir(parents=True, exist_ok=True)
        pyarrow.csv.write_csv(table, folder / f"part-{number}.csv")
        tables.append(table)
    return pa.concat_tables(tables)


def digest(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.rglob("*")
        if p.is_file()
    }


def rows_of(table: pa.Table, names: list[str]) -> list[tuple[Any, ...]]:
    return sorted(zip(*(table[n].to_pylist() for n in names), strict=True))


def test_hive_folders_are_read_back(headrace_local: Headrace, tmp_path: Path) -> None:
    want = sales(tmp_path / "in")
    out = tmp_path / "out"
    headrace_local.ok("copy", f"{tmp_path}/in/*.csv", f"{out}/", "--partition-by", "country,month")
    names = {p.name for p in out.iterdir()}
    assert "country=__HIVE_DEFAULT_PARTITION__" in names
    assert "country=a%2Fb" in names
    assert "country=日本" in names
    assert "country=.." in names
    one = next((out / "country=de").rglob("*.parquet"))
    assert pq.read_schema(one).names == ["id", "day", "text"]  # folders, no columns any more
    assert {p.parent.name for p in (out / "country=de").rglob("*.parquet")} == {
        f"month={m}" for m in range(1, 13)
    }
    hive = ds.partitioning(
        pa.schema([("country", pa.string()), ("month", pa.int64())]), flavor="hive"
    )
    columns = ["id", "country", "month", "day", "text"]
    found = ds.dataset(out, partitioning=hive).to_table()
    by_id = found.select(columns).sort_by("id")
    assert by_id.equals(want.select(columns).cast(by_id.schema))
    asked = (
        duckdb.connect()
        .execute(
            f"select count(*), count(country), count(distinct country), sum(id), sum(month) "
            f"from read_parquet('{out}/**/*.parquet', hive_partitioning=true)"
        )
        .fetchone()
    )
    assert asked == (
        want.num_rows,
        want.num_rows - want["country"].null_count,
        len(COUNTRIES),
        pc.sum(want["id"]).as_py(),
        pc.sum(want["month"]).as_py(),
    )


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_every_format_has_partitions(headrace_local: Headrace, tmp_path: Path, form: str) -> None:
    want = sales(tmp_path / "in", files=1, rows=500)
    out = tmp_path / "out"
    headrace_local.ok(
        *("copy", tmp_path / "in/part-0.csv", f"{out}/", "--partition-by", "month"),
        *("--format", form, "--set", "destination.compression=none"),
    )
    assert len(list(out.iterdir())) == 12
    back = tmp_path / "back"
    total = 0
    for folder in sorted(out.iterdir()):
        headrace_local.ok("copy", f"{folder}/*", back / f"{folder.name}.parquet")
        table = pq.read_table(back / f"{folder.name}.parquet", partitioning=None)
        month = int(folder.name.split("=")[1])
        ids = want.filter(pc.equal(want["month"], month))["id"].to_pylist()
        assert table["id"].to_pylist() == ids  # rows keep their order
        assert "month" not in table.column_names
        total += table.num_rows
    assert total == want.num_rows


def test_same_bytes_at_any_number_of_workers(headrace_local: Headrace, tmp_path: Path) -> None:
    sales(tmp_path / "in", files=5, rows=20000)
    seen = []
    for workers in (1, 2, 8):
        out = tmp_path / f"out{workers}"
        headrace_local.ok(
            *("copy", f"{tmp_path}/in/*.csv", f"{out}/", "--partition-by", "country,month"),
            *("--workers", str(workers), "--set", "task_mb=1", "--set", "task_objects=1"),
            *("--set", "lineage=same", "--set", "memory_limit_mb=32"),
        )
        seen.append(digest(out))
    assert len(seen[0]) >= 120
    assert seen[0] == seen[1] == seen[2]


def test_spilling_changes_no_byte(headrace_local: Headrace, tmp_path: Path) -> None:
    """What waits for its folder's turn lies in memory or, beyond that, in a file without a name."""
    rows = [f"{i},{i % 7},{hashlib.sha256(str(i).encode()).hexdigest() * 3}" for i in range(60000)]
    (tmp_path / "in.csv").write_text("id,k,text\n" + "\n".join(rows) + "\n")
    spill = tmp_path / "spill"
    spill.mkdir()
    seen = []
    for memory in (32, 512):
        out = tmp_path / f"out{memory}"
        headrace_local.ok(
            *("copy", tmp_path / "in.csv", f"{out}/", "--partition-by", "k", "--workers", "2"),
            *("--set", "task_mb=2", "--set", "lineage=same", "--set", f"memory_limit_mb={memory}"),
            *("--set", "destination.row_group_mb=1", "--set", f"spill_dir={spill}"),
            *("--set", "destination.compression=none"),
        )
        seen.append(digest(out))
        assert list(spill.iterdir()) == []
    assert len(seen[0]) == 7
    assert seen[0] == seen[1]
    refused = headrace_local(
        *("copy", tmp_path / "in.csv", f"{tmp_path}/out/", "--partition-by", "k"),
        *("--set", "memory_limit_mb=32", "--set", f"spill_dir={tmp_path}/absent"),
        *("--set", "task_mb=2", "--set", "destination.compression=none"),
    )
    assert refused.code != 0
    assert "spill_dir" in refused.err
    assert list((tmp_path / "out").rglob("*.parquet")) == []


def test_thousands_of_partitions_in_little_memory(headrace_local: Headrace, tmp_path: Path) -> None:
    lines = "".join(f"{i},k{(i * 7919) % 2000}\n" for i in range(120000))
    (tmp_path / "in.csv").write_text("id,k\n" + lines)
    out = tmp_path / "out"
    done = headrace_local.ok(
        *("copy", tmp_path / "in.csv", f"{out}/", "--partition-by", "k"),
        *("--memory", "96M", "--workers", "2", "--set", "destination.file_format=csv"),
    )
    assert len(list(out.iterdir())) == 2000
    peak = re.search(r"(\d+) MiB at most", done.err)
    assert peak is not None
    if "-asan" not in str(headrace_local.path):  # the sanitizer's own memory counts too
        assert int(peak[1]) < 160, done.err
    again = headrace_local(
        *("copy", tmp_path / "in.csv", f"{tmp_path}/no/", "--partition-by", "k"),
        *("--set", "destination.max_partitions=1999"),
    )
    assert again.code != 0
    assert "max_partitions" in again.err
    assert list(tmp_path.glob("no/**/*.parquet")) == []


def test_a_task_with_more_output_than_memory_holds(
    headrace_local: Headrace, tmp_path: Path
) -> None:
    """Over 128 MiB of one task's blocks: they wait on disk, folder by folder."""
    row = "x" * 2000
    with (tmp_path / "in.csv").open("w") as file:
        file.write("k,id,text\n")
        for i in range(72000):
            file.write(f"{i % 3},{i},{row}\n")
    out = tmp_path / "out"
    headrace_local.ok(
        *("copy", tmp_path / "in.csv", f"{out}/", "--partition-by", "k", "--format", "csv"),
        *("--set", "task_mb=1024", "--set", "destination.compression=none"),
    )
    for k in range(3):
        (file_of_k,) = (out / f"k={k}").iterdir()
        ids = [int(line.split(",", 1)[0]) for line in file_of_k.read_text().splitlines()[1:]]
        assert ids == list(range(k, 72000, 3))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("nope", "there is no such column"),
        ("id,country,month,day,text", "no column would be left"),
    ],
)
def test_wrong_columns(
    headrace_local: Headrace, tmp_path: Path, columns: str, message: str
) -> None:
    sales(tmp_path / "in", files=1, rows=5)
    code, _, err = headrace_local(
        "copy", tmp_path / "in/part-0.csv", f"{tmp_path}/out/", "--partition-by", columns
    )
    assert code != 0
    assert message in err
    assert "columns are: id, country" in err


def test_one_file_has_no_folders(headrace_local: Headrace, tmp_path: Path) -> None:
    sales(tmp_path / "in", files=1, rows=5)
    code, _, err = headrace_local(
        *("copy", tmp_path / "in/part-0.csv", tmp_path / "out.parquet"),
        *("--partition-by", "country"),
    )
    assert code == 2
    assert "the destination is one file" in err


def test_a_value_too_long_for_a_folder(headrace_local: Headrace, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,k\n1," + "v" * 300 + "\n")
    code, _, err = headrace_local(
        "copy", tmp_path / "in.csv", f"{tmp_path}/out/", "--partition-by", "k"
    )
    assert code != 0
    assert "too long for a folder" in err


def test_path_template_keeps_the_columns(headrace_local: Headrace, tmp_path: Path) -> None:
    want = sales(tmp_path / "in", files=2, rows=500)
    out = tmp_path / "out"
    headrace_local.ok(
        *("copy", f"{tmp_path}/in/*.csv", f"{out}/", "--columns", "id,country"),
        *("--set", "destination.path_template=run={now(),,YYYY}/{day,none,YYYY}-{day,none,MM}"),
        *("--set", "run_time=2031-01-02T03:04:05Z"),
    )
    assert {p.name for p in (out / "run=2031").iterdir()} == {f"2024-{m:02d}" for m in range(1, 13)}
    found = [pq.ParquetFile(p).read() for p in sorted(out.rglob("*.parquet"))]
    assert found[0].column_names == ["id", "country"]  # day only led to the folder
    rows = rows_of(pa.concat_tables(found), ["id"])
    assert rows == rows_of(want, ["id"])
    code, _, err = headrace_local(
        *("copy", f"{tmp_path}/in/*.csv", f"{tmp_path}/no/", "--partition-by", "country"),
        *("--set", "destination.path_template={day,none,YYYY}"),
    )
    assert code == 2
    assert "path_template and partition_by at once" in err


# ---- Olake's partition_regex ----


def prepare(pipeline: Pipeline, put: Any, pattern: str, **stream: Any) -> list[dict[str, Any]]:
    rows = [
        {
            "id": i,
            "Country Name": ["de", "a/b", None, "..", "_headrace", ""][i % 6],
            "at": f"2024-{i % 12 + 1:02d}-{i % 28 + 1:02d}T{i % 24:02d}:30:00Z",
        }
        for i in range(300)
    ]
    for part in range(3):
        lines = "\n".join(json.dumps(r) for r in rows[part::3])
        put(f"data/sales/p{part}.json", lines)
    pipeline.source(path_prefix="data", file_format="json")
    catalog = pipeline.discover()
    for selected in catalog["selected_streams"]["s3"]:
        selected.update(partition_regex=pattern, **stream)
    (pipeline.folder / "streams.json").write_text(json.dumps(catalog))
    return rows


def found(pipeline: Pipeline) -> dict[str, list[dict[str, Any]]]:
    """Rows by folder below the table's."""
    tables: dict[str, list[dict[str, Any]]] = {}
    root = next(pipeline.out.glob("*/sales"))
    for path in sorted(root.rglob("*.parquet")):
        folder = str(path.parent.relative_to(root))
        tables.setdefault(folder, []).extend(pq.ParquetFile(path).read().to_pylist())
    return tables


@pytest.mark.parametrize("normalization", [True, False])
def test_partition_regex(pipeline: Pipeline, put: Any, normalization: bool) -> None:
    pattern = "/y={at,,YYYY}/m={at,x,MM}-{at,,DD}/{'Country Name', 'none' ,}/h{at,,HH}/w{at,,WW}/"
    rows = prepare(pipeline, put, pattern, normalization=normalization)
    pipeline.ok("--set", "task_objects=1", "--workers", "2")
    tables = found(pipeline)
    want: dict[str, list[int]] = {}
    for row in rows:
        at = datetime.datetime.fromisoformat(row["at"].replace("Z", "+00:00"))
        country = {None: "none", "": "none", "a/b": "a%2Fb", "..": "%2E."}.get(
            row["Country Name"], str(row["Country Name"]).replace("_head", "%5Fhead")
        )
        folder = f"y={at:%Y}/m={at:%m}-{at:%d}/{country}/h{at:%H}/w{at:%V}"
        want.setdefault(folder, []).append(row["id"])
    ids = {
        folder: sorted(int((json.loads(r["data"]) if "data" in r else r)["id"]) for r in found_rows)
        for folder, found_rows in tables.items()
    }
    assert ids == {k: sorted(v) for k, v in want.items()}
    some = next(iter(tables.values()))[0]
    names = set(json.loads(some["data"])) if "data" in some else set(some)
    assert names & {"Country Name", "country_name"}  # columns of the path stay in the files
    assert not any(name.startswith("\x01") for name in some)


def test_partition_regex_now_and_oddities(pipeline: Pipeline, put: Any) -> None:
    pattern = "{gone,,}/{absent,else,YYYY}/{two,parts}/dt={now(),,YYYY}-{now(),,MM}//{id,,MM}"
    rows = prepare(pipeline, put, pattern, normalization=True)
    pipeline.ok("--set", "run_time=2031-05-06T07:08:09Z")
    tables = found(pipeline)
    assert set(tables) == {f"default_gone/else/dt=2031-05/{r['id']}" for r in rows}


def test_partition_regex_of_a_column_that_is_not_selected(pipeline: Pipeline, put: Any) -> None:
    prepare(
        pipeline,
        put,
        "c={Country Name,none,}",
        normalization=True,
        selected_columns={"columns": ["id"], "sync_new_columns": False},
    )
    pipeline.ok()
    tables = found(pipeline)
    assert set(tables) == {"c=de", "c=a%2Fb", "c=none", "c=..", "c=_headrace"}
    assert all("country_name" not in r and "id" in r for rows in tables.values() for r in rows)


def test_partition_regex_must_stay_below(pipeline: Pipeline, put: Any) -> None:
    prepare(pipeline, put, "/../../{id,,}")
    done = pipeline.sync()
    assert done.code == 2
    assert "partition_regex" in done.err
    assert not list(pipeline.folder.rglob("*.parquet"))


@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
def test_partitioned_table_over_runs(
    pipeline: Pipeline, put: Any, s3: Any, bucket: str, mode: str
) -> None:
    """Second runs add or replace, the manifest knows every file, clear-destination takes all."""
    prepare(pipeline, put, "/{at,,MM}", normalization=True)
    catalog = json.loads((pipeline.folder / "streams.json").read_text())
    for stream in catalog["streams"]:
        stream["stream"]["sync_mode"] = mode
    (pipeline.folder / "streams.json").write_text(json.dumps(catalog))
    keys = pipeline.common
    pipeline.destination(
        {
            "s3_bucket": bucket,
            "s3_region": "us-east-1",
            "s3_path": "lake",
            "s3_endpoint": keys["endpoint"],
            "s3_access_key": keys["access_key_id"],
            "s3_secret_key": keys["secret_access_key"],
        }
    )

    def objects() -> list[str]:
        listed = s3.list_objects_v2(Bucket=bucket, Prefix="lake/").get("Contents", [])
        return sorted(o["Key"] for o in listed if o["Key"].endswith(".parquet"))

    def count() -> int:
        return sum(
            pq.read_metadata(
                pa.BufferReader(s3.get_object(Bucket=bucket, Key=k)["Body"].read())
            ).num_rows
            for k in objects()
        )

    pipeline.ok()
    first = objects()
    assert len(first) == 12
    assert {k.split("/")[-2] for k in first} == {f"{m:02d}" for m in range(1, 13)}
    assert count() == 300
    put("data/sales/p9.json", '{"id": 1000, "Country Name": "x", "at": "2024-05-01T00:00:00Z"}')
    pipeline.ok()
    second = objects()
    assert count() == 301
    if mode == "incremental":
        assert set(first) < set(second)
        assert len(second) == 13
    else:
        assert not set(first) & set(second)
        assert len(second) == 12
    manifests = [
        json.loads(s3.get_object(Bucket=bucket, Key=o["Key"])["Body"].read())
        for o in s3.list_objects_v2(Bucket=bucket, Prefix="lake/")["Contents"]
        if o["Key"].endswith("manifest.json")
    ]
    assert sorted(o["key"] for m in manifests for o in m["outputs"]) == second
    done = pipeline.run(
        *("clear-destination", "--catalog", "streams.json", "--state", "state.json"),
        *("--destination", "destination.json"),
    )
    assert done.code == 0, done.err
    assert objects() == []
