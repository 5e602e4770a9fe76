"""Requests that fail in every way: the rows still arrive, each once."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import Headrace
from proxy import Proxy

ROWS = 20_000
CSV = "id,name\n" + "".join(f"{i},n{i % 97}\n" for i in range(ROWS))

FAULTS = [
    ("list", "reset", {}),
    ("list", "truncate", {"after": 100}),
    ("list", "status", {"status": 503, "code": "SlowDown"}),
    ("get", "reset", {}),
    ("get", "reset", {"after": 1000}),
    ("get", "truncate", {"after": 1000}),
    ("get", "status", {"status": 500, "code": "InternalError"}),
    ("create_multipart", "status", {"status": 503, "code": "SlowDown"}),
    ("create_multipart", "reset", {}),
    ("upload_part", "reset", {}),
    ("upload_part", "lost", {}),
    ("upload_part", "status", {"status": 502, "code": "BadGateway"}),
    ("complete_multipart", "error200", {"code": "InternalError"}),
    ("complete_multipart", "lost", {}),
    ("complete_multipart", "reset", {}),
]


def rows_of(s3: Any, bucket: str, prefix: str) -> list[int]:
    """The ids in every Parquet object below the prefix."""
    found: list[int] = []
    for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
        body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
        found += pq.read_table(io.BytesIO(body)).column("id").to_pylist()
    return found


@pytest.mark.parametrize(("kind", "action", "how"), FAULTS)
def test_copy_outlives(
    headrace_proxied: Headrace,
    proxy: Proxy,
    put: Any,
    s3: Any,
    bucket: str,
    kind: str,
    action: str,
    how: dict[str, Any],
) -> None:
    for part in range(3):
        put(f"in/part-{part}.csv", CSV)
    fault = proxy.fault(action, kind=kind, times=2, **how)
    result = headrace_proxied.ok("copy", f"s3://{bucket}/in/*.csv", f"s3://{bucket}/out/")
    assert fault.hits >= 1, result.err
    assert sorted(rows_of(s3, bucket, "out/")) == sorted(list(range(ROWS)) * 3)
    uploads = s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    assert uploads == []


@pytest.mark.parametrize("kind", ["list", "get", "upload_part"])
def test_copy_gives_up(
    headrace_proxied: Headrace, proxy: Proxy, put: Any, s3: Any, bucket: str, kind: str
) -> None:
    """A server that never answers well: a message, exit status 1, nothing visible."""
    put("in/a.csv", CSV)
    proxy.fault("status", kind=kind, times=-1, status=500, code="InternalError")
    code, _, err = headrace_proxied(
        "copy", f"s3://{bucket}/in/*.csv", f"s3://{bucket}/out/", "--set", "retry_count=2"
    )
    assert code == 1, err
    assert "tried 3 times" in err
    assert bucket in err
    tried = Counter(r.headers.get("range") for r in proxy.requests if r.kind == kind)
    assert max(tried.values()) == 3, tried
    assert rows_of(s3, bucket, "out/") == []


def test_a_proxy_that_cannot_be_reached_is_named(headrace: Headrace, bucket: str) -> None:
    """Not the server, which may be in good health."""
    words = ("--set", "retry_count=0", "--set", "proxy=http://127.0.0.1:1")
    done = headrace("ls", f"s3://{bucket}/", *words)
    assert done.code == 1
    assert "the proxy for" in done.err
    assert "127.0.0.1 port 1" in done.err
    assert "https_proxy" in done.err
