"""DuckDB: peer_duckdb.py WORK SOURCE DESTINATION, printing the number of rows or keys."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from duck import connect
from works import WORKS


def main() -> None:
    name, source, destination = sys.argv[1:]
    work = WORKS[name]
    connection = connect()
    if work.kind == "list":
        print(connection.execute(f"SELECT count(*) FROM glob('{source}**')").fetchone()[0])
        return
    reader = {"csv": "read_csv", "json": "read_json", "parquet": "read_parquet"}
    relation = f"{reader[work.data_format()]}('{source}')"
    if work.kind == "parquet":
        connection.execute(f"COPY (FROM {relation}) TO '{destination}out.parquet' (FORMAT parquet)")
        return
    columns = ", ".join(work.columns) or "*"
    where = f" WHERE {work.where}" if work.where else ""
    reader = connection.execute(f"SELECT {columns} FROM {relation}{where}").to_arrow_reader(122880)
    print(sum(batch.num_rows for batch in reader))


main()
