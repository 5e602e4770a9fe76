"""ClickHouse as chdb: peer_chdb.py WORK SOURCE DESTINATION, printing the number of rows or keys."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import chdb
from works import WORKS


def function(url: str, form: str) -> str:
    address = url.replace("s3://", os.environ["AWS_ENDPOINT_URL"] + "/")
    keys = f"'{os.environ['AWS_ACCESS_KEY_ID']}', '{os.environ['AWS_SECRET_ACCESS_KEY']}'"
    return f"s3('{address}', {keys}, '{form}')"


def main() -> None:
    name, source, destination = sys.argv[1:]
    work = WORKS[name]
    if work.kind == "list":
        # 'One' reads no object: one row a key.
        print(str(chdb.query(f"SELECT count() FROM {function(source + '**', 'One')}")).strip())
        return
    form = {"csv": "CSVWithNames", "json": "JSONEachRow", "parquet": "Parquet"}[work.data_format()]
    relation = function(source, form)
    if work.kind == "parquet":
        target = function(f"{destination}out.parquet", "Parquet")
        chdb.query(
            f"INSERT INTO FUNCTION {target} SELECT * FROM {relation} "
            "SETTINGS output_format_parquet_compression_method = 'snappy', "
            "s3_truncate_on_insert = 1"
        )
        return
    columns = ", ".join(work.columns) or "*"
    where = f" WHERE {work.where}" if work.where else ""
    table = chdb.query(f"SELECT {columns} FROM {relation}{where}", "ArrowTable")
    print(table.num_rows)


main()
