"""Options of written objects: encryption, ACL, storage class and tags reach every request that
makes an object, and only those that may carry them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Headrace
from minio_server import Minio
from proxy import Proxy

NAMES = {
    "server_side_encryption": "x-amz-server-side-encryption",
    "kms_key_id": "x-amz-server-side-encryption-aws-kms-key-id",
    "acl": "x-amz-acl",
    "storage_class": "x-amz-storage-class",
    "tags": "x-amz-tagging",
}


def headers(request: Any) -> dict[str, str]:
    """Those the options may set, by option."""
    return {n: request.headers[h] for n, h in NAMES.items() if h in request.headers}


def test_copy_sends_them(
    headrace_proxied: Headrace, proxy: Proxy, s3: Any, put: Any, bucket: str
) -> None:
    put("in/a.csv", "id\n1\n2\n")
    options = {"acl": "private", "storage_class": "REDUCED_REDUNDANCY", "tags": "team=a&kind=b%20c"}
    sets = [x for n, v in options.items() for x in ("--set", f"destination.{n}={v}")]
    headrace_proxied.ok("copy", f"s3://{bucket}/in/a.csv", f"s3://{bucket}/out/", *sets)
    created = [r for r in proxy.requests if r.kind == "create_multipart"]
    assert [headers(r) for r in created] == [options]
    for request in proxy.requests:
        assert request.kind == "create_multipart" or headers(request) == {}
    key = created[0].key
    tags = s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
    assert {t["Key"]: t["Value"] for t in tags} == {"team": "a", "kind": "b c"}
    assert s3.head_object(Bucket=bucket, Key=key)["StorageClass"] == "REDUCED_REDUNDANCY"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"server_side_encryption": "AES256"}, {"server_side_encryption": "AES256"}),
        ({"kms_key_id": "k1"}, {"server_side_encryption": "aws:kms", "kms_key_id": "k1"}),
        (
            {"server_side_encryption": "aws:kms:dsse", "kms_key_id": "k1"},
            {"server_side_encryption": "aws:kms:dsse", "kms_key_id": "k1"},
        ),
    ],
)
def test_encryption_is_asked_for(
    headrace_proxied: Headrace,
    proxy: Proxy,
    put: Any,
    bucket: str,
    given: dict[str, str],
    sent: dict[str, str],
) -> None:
    """The test's server has no keys and may refuse; what it was asked is what counts."""
    put("in/a.csv", "id\n1\n2\n")
    sets = [x for n, v in given.items() for x in ("--set", f"destination.{n}={v}")]
    headrace_proxied("copy", f"s3://{bucket}/in/a.csv", f"s3://{bucket}/out/", *sets)
    created = [r for r in proxy.requests if r.kind == "create_multipart"]
    assert [headers(r) for r in created] == [sent]


def test_manifests_are_owned_but_not_tagged(
    headrace_proxied: Headrace, minio: Minio, proxy: Proxy, put: Any, bucket: str, tmp_path: Path
) -> None:
    """An archive class or a rule for tagged objects must not reach what headrace reads again."""
    put("data/ev/a.csv", "id\n1\n2\n")
    keys = minio.environment(proxy.endpoint)
    common = {
        "bucket_name": bucket,
        "region": "us-east-1",
        "endpoint": keys["AWS_ENDPOINT_URL"],
        "access_key_id": keys["AWS_ACCESS_KEY_ID"],
        "secret_access_key": keys["AWS_SECRET_ACCESS_KEY"],
    }
    writer = {
        "s3_bucket": bucket,
        "s3_region": "us-east-1",
        "s3_path": "lake",
        "s3_endpoint": keys["AWS_ENDPOINT_URL"],
        "s3_access_key": keys["AWS_ACCESS_KEY_ID"],
        "s3_secret_key": keys["AWS_SECRET_ACCESS_KEY"],
    }
    for name, text in {
        "source.json": {**common, "path_prefix": "data", "file_format": "csv"},
        "destination.json": {"type": "PARQUET", "writer": writer},
        "streams.json": {
            "selected_streams": {"s3": [{"stream_name": "ev", "normalization": True}]},
            "streams": [{"stream": {"name": "ev", "namespace": "s3", "sync_mode": "incremental"}}],
        },
    }.items():
        (tmp_path / name).write_text(json.dumps(text))
    headrace_proxied.ok(
        *("sync", "--config", "source.json", "--catalog", "streams.json"),
        *("--destination", "destination.json", "--state", "state.json", "--progress", "never"),
        *("--set", "destination.acl=private", "--set", "destination.tags=a=b"),
        cwd=tmp_path,
    )
    made = {r.key: headers(r) for r in proxy.requests if r.kind in ("create_multipart", "put")}
    data = [h for key, h in made.items() if key.endswith(".parquet")]
    own = [h for key, h in made.items() if "/_headrace/" in key]
    assert data == [{"acl": "private", "tags": "a=b"}]
    assert len(own) == 2
    assert all(h == {"acl": "private"} for h in own)
