"""What a disk may hold after a power cut: the record of a run (tests/powerloss/record.c) replayed
into a model that keeps only what was synced.

The model is that of POSIX, not of one file system: the bytes of a file are durable up to its last
fsync, a name (create, rename, link, unlink, mkdir) only once its folder was synced. What is not
durable may be there or not, each name for itself, whatever order they were made in; bytes that were
not synced may be lost, be zeros, or be cut.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from local_job import Job

FIGURES = ("stats.json", "stats.json.tmp")  # renewed while a run goes on, of no consequence
SOURCE = Path(__file__).resolve().parent.parent / "powerloss/record.c"


def build_recorder(folder: Path) -> Path:
    """The library that is preloaded to record."""
    library = folder / "record.so"
    flags = ["-std=gnu17", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(
        [os.environ.get("CC", "cc"), *flags, "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"],
        check=True,
    )
    return library


@dataclass
class File:
    """The bytes of one file: as they are, and as they were at its last fsync."""

    now: bytes = b""
    synced: bytes = b""


@dataclass
class Folder:
    """Names of one folder: those that are durable, and what was done to them since."""

    durable: dict[str, File | Folder] = field(default_factory=dict)
    now: dict[str, File | Folder] = field(default_factory=dict)
    pending: list[Callable[[dict[str, File | Folder]], None]] = field(default_factory=list)

    def act(self, step: Callable[[dict[str, File | Folder]], None]) -> None:
        step(self.now)
        self.pending.append(step)

    def sync(self) -> None:
        self.durable = dict(self.now)
        self.pending.clear()


def set_name(name: str, node: File | Folder) -> Callable[[dict[str, File | Folder]], None]:
    def step(names: dict[str, File | Folder]) -> None:
        names[name] = node

    return step


def drop_name(name: str) -> Callable[[dict[str, File | Folder]], None]:
    def step(names: dict[str, File | Folder]) -> None:
        names.pop(name, None)

    return step


def move_name(
    source: str, target: str, node: File | Folder
) -> Callable[[dict[str, File | Folder]], None]:
    def step(names: dict[str, File | Folder]) -> None:
        names.pop(source, None)
        names[target] = node

    return step


class Disk:
    """A tree of files, changed by the lines of a record."""

    def __init__(self, start: Path) -> None:
        """As it is now, all of it durable."""
        self.root = self.load(start)
        self.data = b""
        self.at = 0

    def load(self, path: Path) -> Folder:
        folder = Folder()
        for item in path.iterdir():
            if item.name in FIGURES:
                continue
            if item.is_dir():
                folder.now[item.name] = self.load(item)
            else:
                content = item.read_bytes()
                folder.now[item.name] = File(content, content)
        folder.sync()
        return folder

    def find(self, path: str) -> tuple[Folder, str]:
        """The folder a path is in, and its last name."""
        *parents, name = path.split("/")
        folder = self.root
        for part in parents:
            inner = folder.now[part]
            assert isinstance(inner, Folder)
            folder = inner
        return folder, name

    def file(self, path: str) -> File:
        folder, name = self.find(path)
        found = folder.now[name]
        assert isinstance(found, File)
        return found

    def play(self, line: str) -> None:
        """One line of the record."""
        what, path, *rest = line.split("\t")
        if what == "sync":
            self.sync(path)
        elif what == "write":
            offset, length = int(rest[0]), int(rest[1])
            file = self.file(path)
            piece = self.data[self.at : self.at + length]
            assert len(piece) == length
            self.at += length
            base = file.now.ljust(offset, b"\0")
            file.now = base[:offset] + piece + base[offset + length :]
        elif what == "truncate":
            file = self.file(path)
            file.now = file.now[: int(rest[0])].ljust(int(rest[0]), b"\0")
        else:
            self.rename_or_make(what, path, rest)

    def sync(self, path: str) -> None:
        if path == ".":
            self.root.sync()
            return
        folder, name = self.find(path)
        found = folder.now.get(name)
        if isinstance(found, Folder):
            found.sync()
        elif found is not None:
            found.synced = found.now

    def rename_or_make(self, what: str, path: str, rest: list[str]) -> None:
        folder, name = self.find(path)
        if what == "create":
            folder.act(set_name(name, File()))
        elif what == "mkdir":
            folder.act(set_name(name, Folder()))
        elif what == "unlink":
            folder.act(drop_name(name))
        else:
            target, new_name = self.find(rest[0])
            assert target is folder, "a rename across folders is not modelled"
            node = folder.now[name]
            folder.act(
                move_name(name, new_name, node) if what == "rename" else set_name(new_name, node)
            )

    def crash(self, into: Path, rng: random.Random, how: str) -> None:
        """Write what the disk may hold now. how: `lost` everything not synced is gone, `kept` it is
        all there but unsynced bytes are zeros, `mixed` each name and file for itself."""
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        self.write_folder(self.root, into, rng, how)

    def write_folder(self, folder: Folder, into: Path, rng: random.Random, how: str) -> None:
        names = dict(folder.durable)
        for step in folder.pending:
            if how == "kept" or (how == "mixed" and rng.random() < 0.5):
                step(names)
        for name, node in names.items():
            if isinstance(node, Folder):
                (into / name).mkdir()
                self.write_folder(node, into / name, rng, how)
            else:
                (into / name).write_bytes(self.bytes_of(node, rng, how))

    @staticmethod
    def bytes_of(file: File, rng: random.Random, how: str) -> bytes:
        if file.now == file.synced or how == "lost":
            return file.synced
        same = 0
        while same < min(len(file.now), len(file.synced)) and (file.now[same] == file.synced[same]):
            same += 1
        choice = "zeros" if how == "kept" else rng.choice(["zeros", "lost", "cut", "all"])
        if choice == "zeros":
            return file.now[:same] + bytes(len(file.now) - same)
        if choice == "cut":
            return file.now[: same + (len(file.now) - same) // 2]
        return file.now if choice == "all" else file.synced


@dataclass
class Record:
    """One recorded run: where it began and what it did."""

    start: Path
    lines: list[str]
    data: bytes

    def prefixes(self) -> Iterator[tuple[int, Disk]]:
        """The disk after each line; it must not be kept."""
        disk = Disk(self.start)
        disk.data = self.data
        yield 0, disk
        for number, line in enumerate(self.lines, 1):
            disk.play(line)
            yield number, disk


def record(job: Job, library: Path, log: Path) -> Record:
    """Run a sync and keep what it did to the job's folder."""
    start = log.with_suffix(".start")
    shutil.copytree(job.folder, start)
    kept = dict(job.headrace.environment)
    job.headrace.environment.update(
        LD_PRELOAD=str(library), HEADRACE_RECORD=str(log), HEADRACE_RECORD_ROOT=str(job.folder)
    )
    done = job.sync()
    job.headrace.environment.clear()
    job.headrace.environment.update(kept)
    assert done.returncode == 0, done.stderr
    data = log.with_name(log.name + ".data")
    # stats.json is written by stdio, which cannot be seen here, and nothing depends on it.
    lines = [line for line in log.read_text().splitlines() if "\tstats.json" not in line]
    whole = Record(start, lines, data.read_bytes())
    check_record(whole, job)
    return whole


def check_record(whole: Record, job: Job) -> None:
    """The model's own proof: with nothing lost it ends at the files that are there."""
    disk = None
    for _, state in whole.prefixes():
        disk = state
    assert disk is not None
    found = {}

    def walk(folder: Folder, prefix: str) -> None:
        for name, node in folder.now.items():
            if isinstance(node, Folder):
                walk(node, f"{prefix}{name}/")
            else:
                found[prefix + name] = node.now

    walk(disk.root, "")
    there = {
        str(p.relative_to(job.folder)): p.read_bytes()
        for p in job.folder.rglob("*")
        if p.is_file() and p.name not in FIGURES
    }
    assert found == there, sorted(set(found) ^ set(there))
