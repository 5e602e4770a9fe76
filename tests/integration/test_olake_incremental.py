"""New means not yet read: whatever the times say.

On S3 the times are the test's own: a proxy writes them into every listing, and the server's clock
into every answer. On a folder a file's time is its newest of two, which only the future can change.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import urllib.parse
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import Headrace
from minio_server import Minio
from olake_job import BucketLake, FolderLake, Job
from proxy import Proxy, Request

NOON = dt.datetime(2024, 6, 15, 12, 0, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


class Clock:
    """The server's clock and the times of its objects, as the test wants them."""

    def __init__(self, proxy: Proxy) -> None:
        self.now = NOON
        self.times: dict[str, dt.datetime] = {}
        proxy.fault("rewrite", times=-1, rewrite=self.rewrite)

    def rewrite(self, request: Request, headers: dict[str, str], body: bytes) -> bytes:
        headers["date"] = format_datetime(self.now, usegmt=True)
        if request.kind != "list":
            return body

        def entry(match: re.Match[bytes]) -> bytes:
            key = urllib.parse.unquote_plus(match[1].decode())
            time = self.times.get(key, self.now).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            return b"<Key>%b</Key><LastModified>%b</LastModified>" % (match[1], time.encode())

        return re.sub(rb"<Key>([^<]*)</Key><LastModified>[^<]*</LastModified>", entry, body)


class Timed:
    """A pipeline over a bucket whose times the test sets."""

    def __init__(self, job: Job, s3: Any, bucket: str, clock: Clock) -> None:
        self.job = job
        self.s3 = s3
        self.bucket = bucket
        self.clock = clock

    def put(self, name: str, number: int | str, when: dt.datetime) -> None:
        """A file of one row, at this time."""
        self.clock.times[f"d/s/{name}"] = when
        self.s3.put_object(Bucket=self.bucket, Key=f"d/s/{name}", Body=f"id\n{number}\n")

    def run(self, after: dt.timedelta = MINUTE, *more: str) -> str:
        """One run, so much later; the ids at the destination are each there once."""
        self.clock.now += after
        err: str = self.job.ok(*more).err
        ids = self.job.column("id")
        assert len(ids) == len(set(ids)), ids
        return err

    def ids(self) -> list[int]:
        return sorted(self.job.column("id"))


@pytest.fixture
def timed(
    headrace: Headrace, minio: Minio, s3: Any, bucket: str, proxy: Proxy, tmp_path: Path
) -> Timed:
    lake = BucketLake(s3, bucket, minio.environment(proxy.endpoint))
    job = Job(headrace, tmp_path / "job", lake)
    job.select("s")
    return Timed(job, s3, bucket, Clock(proxy))


def test_an_upload_that_began_before_and_ended_after_a_run(timed: Timed) -> None:
    """S3 gives a multipart object the time its upload began."""
    timed.put("a.csv", 1, NOON)
    upload = timed.s3.create_multipart_upload(Bucket=timed.bucket, Key="d/s/late.csv")["UploadId"]
    began = timed.clock.now - 2 * HOUR
    timed.run()
    assert timed.ids() == [1]
    part = timed.s3.upload_part(
        Bucket=timed.bucket, Key="d/s/late.csv", UploadId=upload, PartNumber=1, Body=b"id\n2\n"
    )
    timed.s3.complete_multipart_upload(
        Bucket=timed.bucket,
        Key="d/s/late.csv",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    timed.clock.times["d/s/late.csv"] = began
    timed.run()
    assert timed.ids() == [1, 2]
    timed.run()
    assert timed.ids() == [1, 2]


def test_files_of_one_second(timed: Timed) -> None:
    for number in range(5):
        timed.put(f"{number}.csv", number, NOON)
        timed.run(dt.timedelta(0))
        assert timed.ids() == list(range(number + 1))


def test_a_key_before_the_last_one(timed: Timed) -> None:
    """Work goes in key order, time does not."""
    timed.put("m.csv", 1, NOON)
    timed.run()
    timed.put("a.csv", 2, NOON - HOUR)
    timed.put("z.csv", 3, NOON - 2 * HOUR)
    timed.run()
    assert timed.ids() == [1, 2, 3]


def test_replaced_and_put_again(timed: Timed) -> None:
    timed.put("a.csv", 1, NOON)
    timed.put("b.csv", 2, NOON)
    timed.run()
    timed.put("a.csv", 11, NOON + MINUTE)  # other bytes
    timed.put("b.csv", 2, NOON + MINUTE)  # the same bytes at a later time: the same version
    timed.run()
    assert timed.ids() == [1, 2, 11]
    timed.put("a.csv", 12, NOON)  # other bytes at an older time
    timed.run()
    assert timed.ids() == [1, 2, 11, 12]
    for _ in range(2):
        timed.put("a.csv", 12, timed.clock.now)
        timed.run()
    assert timed.ids() == [1, 2, 11, 12]


def test_moved_in_with_a_time_within_the_lookback(timed: Timed) -> None:
    timed.put("a.csv", 1, NOON)
    timed.run()
    timed.put("old.csv", 2, NOON - 23 * HOUR)
    timed.run()
    timed.run()
    assert timed.ids() == [1, 2]


def test_moved_in_from_long_ago_is_said(timed: Timed) -> None:
    """Below the band only sums are kept: the day that differs is named, once."""
    timed.put("a.csv", 1, NOON)
    timed.put("b.csv", 2, NOON - 30 * DAY)
    assert timed.run() == ""
    timed.put("c.csv", 3, NOON - 30 * DAY)
    err = timed.run()
    assert "2024-05-16" in err
    assert "1 read, 2 there" in err
    assert timed.ids() == [1, 2]
    assert timed.run() == ""


def test_replaced_long_ago_is_said(timed: Timed) -> None:
    timed.put("a.csv", 1, NOON)
    timed.put("b.csv", 2, NOON - 30 * DAY)
    timed.run()
    timed.put("b.csv", 3, NOON - 30 * DAY)
    assert "2024-05-16" in timed.run()
    assert timed.run() == ""


def test_every_key_for_ever(timed: Timed) -> None:
    for_ever = ("--set", "lookback_seconds=-1")
    timed.put("a.csv", 1, NOON)
    timed.put("b.csv", 2, NOON - 400 * DAY)
    timed.run(MINUTE, *for_ever)
    timed.put("c.csv", 3, NOON - 4000 * DAY)
    timed.put("b.csv", 22, NOON - 400 * DAY)
    assert timed.run(MINUTE, *for_ever) == ""
    assert timed.ids() == [1, 2, 3, 22]
    timed.run(MINUTE, *for_ever)
    assert timed.ids() == [1, 2, 3, 22]


def test_a_short_lookback(timed: Timed) -> None:
    """What lies within it is read; what lies below it is said."""
    short = ("--set", "lookback_seconds=60")
    timed.put("a.csv", 1, NOON)
    timed.run(MINUTE, *short)
    timed.put("b.csv", 2, NOON - dt.timedelta(seconds=59))
    timed.put("c.csv", 3, NOON - dt.timedelta(seconds=61))
    timed.run(MINUTE, *short)
    assert timed.ids() == [1, 2]


def test_a_time_in_the_future(timed: Timed) -> None:
    """One object of 2099 must not hide what comes before it."""
    timed.put("far.csv", 1, dt.datetime(2099, 1, 1, tzinfo=dt.UTC))
    timed.put("a.csv", 2, NOON)
    timed.run()
    for number in range(3, 6):
        timed.put(f"{number}.csv", number, timed.clock.now)
        timed.run(12 * HOUR)
    assert timed.ids() == [1, 2, 3, 4, 5]
    timed.put("far.csv", 6, dt.datetime(2099, 1, 1, tzinfo=dt.UTC))
    timed.run()
    assert timed.ids() == [1, 2, 3, 4, 5, 6]


def test_the_clock_is_the_stores(timed: Timed) -> None:
    """Objects written while a run goes on are later than its listing: none is passed over."""
    timed.put("a.csv", 1, NOON + 10 * MINUTE)  # ahead of the server's own clock
    timed.run()
    timed.put("b.csv", 2, NOON + 5 * MINUTE)
    timed.run()
    timed.put("c.csv", 3, NOON + 2 * MINUTE)
    timed.run(DAY + HOUR)
    assert timed.ids() == [1, 2, 3]


def test_weeks_of_runs(timed: Timed) -> None:
    """The band moves on: entries become sums of their days, and nothing is read twice or lost."""
    want: list[int] = []
    for day in range(14):
        for part in range(3):
            number = day * 10 + part
            timed.put(f"{(number * 7919) % 1000:03}.csv", number, NOON + day * DAY + part * HOUR)
            want.append(number)
        timed.clock.now = NOON + day * DAY + 4 * HOUR
        assert timed.run() == ""
        assert timed.ids() == sorted(want)
    state = timed.job.entry()["state"]
    assert state["_last_modified_time"] == "2024-06-28T14:00:00Z"
    assert len(state["_headrace"]["days"]) >= 12


# ---- while a run reads -----------------------------------------------------------------------


def test_deleted_between_list_and_read(timed: Timed, proxy: Proxy) -> None:
    for number in range(3):
        timed.put(f"{number}.csv", number, NOON)
    timed.job.discover()

    def delete(request: Request) -> None:
        timed.s3.delete_object(Bucket=timed.bucket, Key="d/s/1.csv")

    fault = proxy.fault("call", kind="get", key=r"1\.csv", call=delete)
    proxy.faults.insert(0, proxy.faults.pop())
    summary = timed.run(MINUTE, "--json")
    assert fault.hits == 1
    assert timed.ids() == [0, 2]
    assert '"deleted":1' in summary
    timed.put("1.csv", 1, NOON)  # it comes back as it was: it was never read
    timed.run()
    assert timed.ids() == [0, 1, 2]


def test_replaced_between_list_and_read(timed: Timed, proxy: Proxy) -> None:
    for number in range(3):
        timed.put(f"{number}.csv", number, NOON)
    timed.job.discover()

    def replace(request: Request) -> None:
        timed.put("1.csv", 100, timed.clock.now)

    fault = proxy.fault("call", kind="get", key=r"1\.csv", call=replace)
    proxy.faults.insert(0, proxy.faults.pop())
    summary = timed.run(MINUTE, "--json")
    assert fault.hits == 1
    assert timed.ids() == [0, 2, 100]
    assert '"replaced":1' in summary
    timed.run()
    assert timed.ids() == [0, 2, 100]


def test_written_while_a_run_reads(timed: Timed, proxy: Proxy) -> None:
    """An object that appears behind the place the listing has reached is next time's."""
    timed.put("b.csv", 1, NOON)
    timed.job.discover()

    def write(request: Request) -> None:
        timed.put("a.csv", 2, timed.clock.now)

    proxy.fault("call", kind="get", key=r"b\.csv", call=write)
    proxy.faults.insert(0, proxy.faults.pop())
    timed.run()
    assert timed.ids() == [1]
    timed.run()
    assert timed.ids() == [1, 2]


# ---- a folder --------------------------------------------------------------------------------


@pytest.fixture
def folder(headrace_local: Headrace, tmp_path: Path) -> Job:
    job = Job(headrace_local, tmp_path / "job", FolderLake(tmp_path / "lake"))
    job.select("s")
    return job


def folder_ids(job: Job) -> list[int]:
    job.ok()
    ids: list[int] = sorted(job.column("id"))
    assert len(ids) == len(set(ids))
    return ids


def test_folder_same_second_and_old_times(folder: Job) -> None:
    folder.lake.put("s/b.csv", "id\n1\n", when=1_700_000_000.5)
    assert folder_ids(folder) == [1]
    folder.lake.put("s/a.csv", "id\n2\n", when=1_700_000_000.5)  # the same time, moved in
    folder.lake.put("s/c.csv", "id\n3\n", when=1_000_000_000)
    assert folder_ids(folder) == [1, 2, 3]
    assert folder_ids(folder) == [1, 2, 3]


def test_folder_replaced(folder: Job) -> None:
    folder.lake.put("s/a.csv", "id\n1\n")
    assert folder_ids(folder) == [1]
    folder.lake.put("s/a.csv", "id\n2\n")
    assert folder_ids(folder) == [1, 2]
    assert folder_ids(folder) == [1, 2]


def test_folder_replaced_within_the_clocks_grain(folder: Job) -> None:
    """Another file under the same name, with the same size and time: its inode tells."""
    lake = folder.lake
    assert isinstance(lake, FolderLake)
    lake.put("s/a.csv", "id\n1\n", when=4_000_000_000)
    assert folder_ids(folder) == [1]
    lake.put("s/new", "id\n2\n", when=4_000_000_000)
    os.replace(lake.path("s/new"), lake.path("s/a.csv"))
    assert folder_ids(folder) == [1, 2]


def test_folder_renamed_in(folder: Job) -> None:
    """A rename keeps the modification time; the change of the inode counts."""
    lake = folder.lake
    assert isinstance(lake, FolderLake)
    lake.put("s/a.csv", "id\n1\n")
    outside = lake.folder / "waiting.csv"
    outside.write_text("id\n2\n")
    os.utime(outside, (1_000_000_000, 1_000_000_000))
    assert folder_ids(folder) == [1]
    outside.rename(lake.path("s/b.csv"))
    assert folder_ids(folder) == [1, 2]


def test_folder_future(folder: Job) -> None:
    folder.lake.put("s/far.csv", "id\n1\n", when=4_000_000_000)
    assert folder_ids(folder) == [1]
    folder.lake.put("s/a.csv", "id\n2\n")
    assert folder_ids(folder) == [1, 2]
    folder.lake.put("s/b.csv", "id\n3\n", when=3_999_999_999)
    assert folder_ids(folder) == [1, 2, 3]
    assert folder_ids(folder) == [1, 2, 3]


def test_folder_deleted_files_are_no_difference(folder: Job) -> None:
    folder.lake.put("s/a.csv", "id\n1\n")
    folder.lake.put("s/b.csv", "id\n2\n")
    assert folder_ids(folder) == [1, 2]
    folder.lake.remove("s/a.csv")
    done = folder.ok()
    assert "differ" not in done.err
    assert folder_ids(folder) == [1, 2]  # deletes are never propagated


def test_a_limit_goes_on_next_time(timed: Timed) -> None:
    """What max_files_per_run leaves is not read, however old it is: the sweep has not ended."""
    for number in range(6):
        timed.put(f"{number}.csv", number, NOON - number * 5 * DAY)
    limit = ("--set", "max_files_per_run=2")
    for seen in (2, 4, 6, 6):
        timed.run(MINUTE, *limit)
        assert timed.ids() == list(range(seen))


def test_a_longer_lookback_in_the_middle_of_a_first_load(timed: Timed) -> None:
    for number in range(4):
        timed.put(f"{number}.csv", number, NOON - number * 5 * DAY)
    timed.run(MINUTE, "--set", "max_files_per_run=2")
    assert timed.ids() == [0, 1]
    timed.run(MINUTE, "--set", "max_files_per_run=1", "--set", "lookback_seconds=-1")
    assert timed.ids() == [0, 1, 2]
    timed.run(MINUTE, "--set", "lookback_seconds=99999999")
    assert timed.ids() == [0, 1, 2, 3]


def test_a_longer_lookback_reads_nothing_again(timed: Timed) -> None:
    """Keys below the band were forgotten: a wider band does not take them for new ones."""
    timed.put("a.csv", 1, NOON - 30 * DAY)
    timed.put("b.csv", 2, NOON - 3 * DAY)
    timed.put("c.csv", 3, NOON)
    timed.run()
    for lookback in (86400 * 10, -1, 86400 * 400):
        timed.run(MINUTE, "--set", f"lookback_seconds={lookback}")
        assert timed.ids() == [1, 2, 3]
    timed.put("d.csv", 4, NOON - HOUR)
    timed.run(MINUTE, "--set", "lookback_seconds=-1")
    assert timed.ids() == [1, 2, 3, 4]


def select_keys(timed: Timed, pattern: str) -> None:
    timed.job.source(file_pattern=pattern, file_format="csv")


def test_a_changed_selection_is_told_and_taken_in(timed: Timed) -> None:
    """Old files that only the new pattern takes: told once, read on request, each row once."""
    for number, name in enumerate(("a1", "a2", "b1", "b2", "c1")):
        timed.put(f"{name}.csv", number, NOON - (20 + number) * DAY)
    timed.put("a3.csv", 10, NOON - HOUR)
    select_keys(timed, "/s/a")
    said = timed.run()
    assert "changed" not in said
    assert timed.ids() == [0, 1, 10]
    select_keys(timed, "/s/[ab]")
    said = timed.run()
    assert "2 objects up to 2024-06-14" in said
    assert "backfill=true" in said
    assert "differ from what was read" not in said  # the cause is known
    assert "changed" not in timed.run()
    timed.put("b3.csv", 11, timed.clock.now - HOUR)  # read under the second one
    timed.run()
    timed.run(10 * DAY)  # … and forgotten by its key
    timed.put("a4.csv", 12, timed.clock.now)
    timed.run(MINUTE)
    timed.run(3 * DAY, "--set", "backfill=true")
    assert timed.ids() == [0, 1, 2, 3, 10, 11, 12]
    for _ in range(2):
        said = timed.run(3 * DAY, "--set", "backfill=true")
        assert timed.ids() == [0, 1, 2, 3, 10, 11, 12]
        assert "WARN" not in said
    select_keys(timed, "/s/a")  # back, and to all: nothing of it comes twice
    timed.run(DAY, "--set", "backfill=true")
    select_keys(timed, "/s/")
    timed.run(DAY, "--set", "backfill=true")
    assert timed.ids() == [0, 1, 2, 3, 4, 10, 11, 12]
    assert "differ from what was read" not in timed.run()


def test_a_backfill_goes_on_where_it_was_cut(timed: Timed) -> None:
    timed.put("a.csv", 0, NOON)
    for number in range(1, 6):
        timed.put(f"b{number}.csv", number, NOON - (20 + number) * DAY)
    select_keys(timed, "/s/a")
    timed.run()
    select_keys(timed, "/s/")
    timed.run(MINUTE, "--set", "backfill=true", "--set", "max_files_per_run=2")
    assert timed.ids() == [0, 1, 2]
    timed.run(MINUTE, "--set", "max_files_per_run=2")  # it was asked for once
    assert timed.ids() == [0, 1, 2, 3, 4]
    timed.run()
    timed.run(30 * DAY)
    assert timed.ids() == [0, 1, 2, 3, 4, 5]


def test_another_selection_in_the_middle_of_a_backfill(timed: Timed) -> None:
    timed.put("a.csv", 0, NOON)
    for number in range(1, 6):
        timed.put(f"b{number}.csv", number, NOON - (20 + number) * DAY)
    select_keys(timed, "/s/a")
    timed.run()
    select_keys(timed, "/s/b?")
    timed.run(MINUTE, "--set", "backfill=true", "--set", "max_files_per_run=2")
    assert timed.ids() == [0, 1, 2]
    select_keys(timed, "/s/(a|b)")
    timed.run(MINUTE)
    timed.run(MINUTE, "--set", "backfill=true")
    assert timed.ids() == [0, 1, 2]  # the rest counts as read: never twice
