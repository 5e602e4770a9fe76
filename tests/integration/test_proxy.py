"""The counting proxy itself: what it counts is true, and each fault is the fault it says."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import botocore.exceptions
import pytest
from minio_server import Minio
from proxy import Proxy, Request

BODY = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(8192))


@pytest.fixture
def through(minio: Minio, proxy: Proxy) -> Any:
    """A boto3 client that goes through the proxy."""
    return minio.client(proxy.endpoint)


def read(client: Any, bucket: str, key: str = "k") -> bytes:
    return client.get_object(Bucket=bucket, Key=key)["Body"].read()


def test_counts_kinds_and_bytes(through: Any, proxy: Proxy, bucket: str) -> None:
    through.put_object(Bucket=bucket, Key="a b/ü+%.bin", Body=BODY)
    assert read(through, bucket, "a b/ü+%.bin") == BODY
    part = through.get_object(Bucket=bucket, Key="a b/ü+%.bin", Range="bytes=10-19")
    assert part["Body"].read() == BODY[10:20]
    listed = through.list_objects_v2(Bucket=bucket, EncodingType="url")
    assert listed["KeyCount"] == 1
    through.head_object(Bucket=bucket, Key="a b/ü+%.bin")
    through.delete_object(Bucket=bucket, Key="a b/ü+%.bin")
    assert proxy.counts() == {"put": 1, "get": 2, "list": 1, "head": 1, "delete": 1}
    assert proxy.bytes_out("get") == len(BODY) + 10
    assert proxy.bytes_in("put") >= len(BODY)
    assert [r.range for r in proxy.requests if r.kind == "get"] == [None, (10, 19)]
    assert {r.key for r in proxy.requests if r.kind in ("put", "get")} == {"a b/ü+%.bin"}
    assert proxy.connections >= 1


def test_multipart_kinds(through: Any, proxy: Proxy, bucket: str) -> None:
    made = through.create_multipart_upload(Bucket=bucket, Key="k")
    where = {"Bucket": bucket, "Key": "k", "UploadId": made["UploadId"]}
    part = through.upload_part(**where, PartNumber=1, Body=BODY)
    done = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    through.complete_multipart_upload(**where, MultipartUpload=done)
    other = through.create_multipart_upload(Bucket=bucket, Key="k2")
    through.abort_multipart_upload(Bucket=bucket, Key="k2", UploadId=other["UploadId"])
    through.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})
    assert proxy.counts() == {
        "create_multipart": 2,
        "upload_part": 1,
        "complete_multipart": 1,
        "abort_multipart": 1,
        "delete_many": 1,
    }


@pytest.mark.parametrize("after", [0, 1000])
def test_reset(through: Any, proxy: Proxy, put: Any, bucket: str, after: int) -> None:
    put("k", BODY)
    proxy.fault("reset", kind="get", after=after)
    with pytest.raises(botocore.exceptions.BotoCoreError):
        read(through, bucket)
    assert read(through, bucket) == BODY


def test_truncate(through: Any, proxy: Proxy, put: Any, bucket: str) -> None:
    put("k", BODY)
    proxy.fault("truncate", kind="get", after=1000)
    with pytest.raises(botocore.exceptions.BotoCoreError):
        read(through, bucket)
    assert proxy.bytes_out("get") == 1000
    assert read(through, bucket) == BODY


def test_status_and_slow_down(through: Any, proxy: Proxy, put: Any, bucket: str) -> None:
    put("k", BODY)
    proxy.fault("status", kind="get", key="^k$", status=500, code="InternalError")
    proxy.fault("status", kind="get", status=503, skip=1, headers={"Retry-After": "1"})
    with pytest.raises(botocore.exceptions.ClientError) as internal:
        read(through, bucket)
    assert internal.value.response["Error"]["Code"] == "InternalError"
    assert read(through, bucket) == BODY
    with pytest.raises(botocore.exceptions.ClientError) as slow:
        read(through, bucket)
    assert slow.value.response["Error"]["Code"] == "SlowDown"
    assert slow.value.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"
    assert [r.status for r in proxy.requests] == [500, 200, 503]


def test_error_inside_200(through: Any, proxy: Proxy, bucket: str) -> None:
    made = through.create_multipart_upload(Bucket=bucket, Key="k")
    where = {"Bucket": bucket, "Key": "k", "UploadId": made["UploadId"]}
    part = through.upload_part(**where, PartNumber=1, Body=BODY)
    proxy.fault("error200", kind="complete_multipart", code="InternalError")
    done = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    with pytest.raises(botocore.exceptions.ClientError, match="InternalError"):
        through.complete_multipart_upload(**where, MultipartUpload=done)


def test_lost_answer(through: Any, proxy: Proxy, s3: Any, bucket: str) -> None:
    proxy.fault("lost", kind="put")
    with pytest.raises(botocore.exceptions.BotoCoreError):
        through.put_object(Bucket=bucket, Key="k", Body=BODY)
    assert read(s3, bucket) == BODY


def test_delay_and_stall(through: Any, proxy: Proxy, put: Any, bucket: str) -> None:
    put("k", BODY)
    proxy.fault("delay", kind="get", seconds=0.3)
    started = time.monotonic()
    assert read(through, bucket) == BODY
    assert time.monotonic() - started > 0.29
    proxy.fault("stall", kind="get", after=10, seconds=0.3)
    with pytest.raises(botocore.exceptions.BotoCoreError):
        read(through, bucket)


def test_corrupt(through: Any, proxy: Proxy, put: Any, bucket: str) -> None:
    put("k", BODY)
    proxy.fault("corrupt", kind="get", after=7)
    answer = through.get_object(Bucket=bucket, Key="k", Range="bytes=0-99")["Body"].read()
    assert answer[:7] + answer[8:] == BODY[:7] + BODY[8:100]
    assert answer[7] == BODY[7] ^ 1


def test_swap_the_object(through: Any, proxy: Proxy, put: Any, bucket: str) -> None:
    put("k", BODY)
    etag = through.head_object(Bucket=bucket, Key="k")["ETag"]

    def swap(_: Request) -> None:
        put("k", b"other")

    proxy.fault("call", kind="get", call=swap)
    with pytest.raises(botocore.exceptions.ClientError) as changed:
        through.get_object(Bucket=bucket, Key="k", IfMatch=etag)
    assert changed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412


def test_list_pages_pass_unchanged(through: Any, proxy: Proxy, put: Any, bucket: str) -> None:
    keys = [f"p/{i:04d} &=+%'\"é" for i in range(25)]
    for key in keys:
        put(key, b"x")
    pages = through.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 10}
    )
    assert [item["Key"] for page in pages for item in page["Contents"]] == keys
    assert proxy.count("list") == 3
