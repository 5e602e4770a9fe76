"""pyarrow: peer_pyarrow.py WORK SOURCE DESTINATION, printing the number of rows or keys."""

from __future__ import annotations

import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import fs, json
from works import WORKS


def connect() -> fs.S3FileSystem:
    return fs.S3FileSystem(
        access_key=os.environ["AWS_ACCESS_KEY_ID"],
        secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        endpoint_override=os.environ["AWS_ENDPOINT_URL"],
        region=os.environ["AWS_REGION"],
        scheme="http",
    )


def matching(store: fs.S3FileSystem, source: str) -> list[str]:
    folder = source.split("*", 1)[0].rsplit("/", 1)[0]
    pattern = re.escape(source).replace(r"\*\*/", ".*").replace(r"\*", "[^/]*")
    found = store.get_file_info(fs.FileSelector(folder, recursive=True))
    return sorted(info.path for info in found if re.fullmatch(pattern, info.path))


def convert_json(store: fs.S3FileSystem, files: list[str], target: str) -> None:
    def read(path: str) -> pa.Table:
        with store.open_input_stream(path) as stream:
            return json.read_json(stream)

    # Small files wait for the network, large ones fill both cores alone.
    with (
        ThreadPoolExecutor(8 if len(files) > 100 else 1) as pool,
        store.open_output_stream(target) as sink,
    ):
        writer = None
        for table in pool.map(read, files) if len(files) > 100 else map(read, files):
            writer = writer or pq.ParquetWriter(sink, table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()


def main() -> None:
    name, source, destination = sys.argv[1:]
    work = WORKS[name]
    store = connect()
    source = source.removeprefix("s3://")
    if work.kind == "list":
        found = store.get_file_info(fs.FileSelector(source.rstrip("/"), recursive=True))
        print(sum(1 for info in found if info.type == fs.FileType.File))
        return
    form = work.data_format()
    files = matching(store, source)
    target = destination.removeprefix("s3://").rstrip("/")
    if work.kind == "parquet" and form == "json":
        # A dataset of JSON files on S3 hangs in pyarrow 26 on two cores; file by file works.
        convert_json(store, files, f"{target}/out.parquet")
        return
    data = ds.dataset(files, format=form, filesystem=store)
    if work.kind == "parquet":
        ds.write_dataset(
            data,
            target,
            format="parquet",
            filesystem=store,
            existing_data_behavior="overwrite_or_ignore",
        )
        return
    where = None
    if work.where:
        key = pc.field("l_orderkey")
        where = (key >= 100000) & (key <= 110000)
    table: pa.Table = data.to_table(columns=list(work.columns) or None, filter=where)
    print(table.num_rows)


main()
