"""The kill matrix: a sync is killed at every place that changes something outside it, then resumed.

For each place it is run once with SIGKILL there, once more to the end, and the destination must
hold the rows of an undisturbed run, each once, with nothing left over. Here every place of the
smallest load runs, of larger ones a part; `make soak` runs all (tests/soak/kill_soak.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import Headrace
from kill_matrix import (
    CELLS,
    Cell,
    Place,
    kill_everywhere,
    kill_in_recovery,
    kill_second_load,
    lake,
)
from minio_server import Minio

APPEND = Cell("folder", "local", "incremental", 1)
ON_S3 = Cell("s3", "s3", "incremental", 1)


WHOLE = (APPEND, ON_S3)  # of the others a part; the soak has all


@pytest.fixture
def place(headrace: Headrace, minio: Minio, s3: Any, bucket: str, tmp_path: Path) -> Place:
    """Where the pipelines of a test run."""
    return Place(headrace.path, minio, s3, bucket, tmp_path)


@pytest.mark.parametrize("cell", [c for c in CELLS if c.workers == 1], ids=str)
def test_smallest_load_killed_anywhere(tmp_path: Path, place: Place, cell: Cell) -> None:
    want = lake(tmp_path / "lake", 1)
    total, killed = kill_everywhere(place, tmp_path, cell, want, 1 if cell in WHOLE else 5)
    assert total > 20
    print(f"kill matrix {cell}: {killed} places, all rows once after each")


@pytest.mark.parametrize(
    ("cell", "step"),
    [(APPEND._replace(workers=2), 11), (ON_S3._replace(workers=2), 11)],
    ids=str,
)
def test_several_commits_killed_anywhere(
    tmp_path: Path, place: Place, cell: Cell, step: int
) -> None:
    want = lake(tmp_path / "lake", 6)
    kill_everywhere(place, tmp_path, cell, want, step)


@pytest.mark.parametrize(
    ("cell", "step"),
    [
        (APPEND._replace(mode="full_refresh"), 13),
        (ON_S3, 13),
    ],
    ids=str,
)
def test_several_files_a_commit_killed_anywhere(
    tmp_path: Path, place: Place, cell: Cell, step: int
) -> None:
    """Files of three folders belong to each commit."""
    want = lake(tmp_path / "lake", 3)
    kill_everywhere(place, tmp_path, cell, want, step, "/kind={kind,none,}")


@pytest.mark.parametrize(
    ("cell", "step"),
    [
        (APPEND, 9),
        (APPEND._replace(mode="full_refresh"), 7),
        (ON_S3._replace(mode="full_refresh"), 5),
    ],
    ids=str,
)
def test_second_load_killed_anywhere(tmp_path: Path, place: Place, cell: Cell, step: int) -> None:
    """The table has rows already; what the second run brings or replaces must survive kills too."""
    kill_second_load(place, tmp_path, cell, step)


@pytest.mark.parametrize("cell", [APPEND, ON_S3], ids=str)
def test_killed_during_recovery_too(tmp_path: Path, place: Place, cell: Cell) -> None:
    kill_in_recovery(place, tmp_path, cell, lake(tmp_path / "lake", 1), step=9)
