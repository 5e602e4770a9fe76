"""Polars: peer_polars.py WORK SOURCE DESTINATION, printing the number of rows."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import polars as pl
from works import WORKS

OPTIONS = {
    "aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
    "aws_secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
    "aws_endpoint_url": os.environ["AWS_ENDPOINT_URL"],
    "aws_region": os.environ["AWS_REGION"],
    "aws_allow_http": "true",
}


def scan(form: str, source: str) -> pl.LazyFrame:
    if form == "csv":
        return pl.scan_csv(source, storage_options=OPTIONS, try_parse_dates=True)
    if form == "json":
        return pl.scan_ndjson(source, storage_options=OPTIONS)
    return pl.scan_parquet(source, storage_options=OPTIONS)


def main() -> None:
    name, source, destination = sys.argv[1:]
    work = WORKS[name]
    frame = scan(work.data_format(), source)
    if work.kind == "parquet":
        frame.sink_parquet(
            f"{destination}out.parquet", compression="snappy", storage_options=OPTIONS
        )
        return
    if work.where:
        frame = frame.filter(pl.col("l_orderkey").is_between(100000, 110000))
    if work.columns:
        frame = frame.select(work.columns)
    print(frame.collect(engine="streaming").height)


main()
