"""A DuckDB connection to the benchmark's server, for the peer and for the verification."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from urllib.parse import urlparse

import duckdb


def connect() -> duckdb.DuckDBPyConnection:
    """DuckDB with httpfs from its PyPI package and the credentials of the environment."""
    spec = importlib.util.find_spec("duckdb_extension_httpfs")
    assert spec is not None
    assert spec.origin is not None
    extension = next(Path(spec.origin).parent.rglob("httpfs.duckdb_extension"))
    connection = duckdb.connect()
    connection.execute(f"LOAD '{extension}'")
    address = urlparse(os.environ["AWS_ENDPOINT_URL"]).netloc
    connection.execute(
        f"""CREATE SECRET (TYPE s3, KEY_ID '{os.environ["AWS_ACCESS_KEY_ID"]}',
            SECRET '{os.environ["AWS_SECRET_ACCESS_KEY"]}', REGION 'us-east-1',
            ENDPOINT '{address}', URL_STYLE 'path', USE_SSL false)"""
    )
    return connection
