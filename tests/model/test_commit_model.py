"""Every interleaving of the commit protocol keeps its promises, and a wrong protocol is found out.

`make test` bounds what may go wrong at once with three processes on S3; MODEL_WHOLE=1 (`make soak`)
does not.
"""

from __future__ import annotations

import os

import pytest
from commit_model import ALL, MUTATIONS, OLD, RUNS, BrokenError, Model, Process, World

WHOLE = os.environ.get("MODEL_WHOLE", "") != ""
BEGINNINGS = {"first load": World(), "later load": OLD}


@pytest.mark.parametrize("ask", [False, True])
@pytest.mark.parametrize("begin", BEGINNINGS)
@pytest.mark.parametrize("processes", [RUNS, ALL], ids=["two runs", "two runs and a gc"])
def test_a_local_state(processes: tuple[Process, ...], begin: str, ask: bool) -> None:
    assert Model(lease=False, ask=ask).explore(processes, BEGINNINGS[begin]) > 500


@pytest.mark.parametrize("ask", [False, True])
@pytest.mark.parametrize("begin", BEGINNINGS)
def test_a_state_on_s3(begin: str, ask: bool) -> None:
    assert Model(lease=True, ask=ask).explore(RUNS, BEGINNINGS[begin]) > 10_000


@pytest.mark.parametrize("begin", BEGINNINGS if WHOLE else ["first load"])
def test_a_state_on_s3_and_a_gc(begin: str) -> None:
    limits = {"expiries": 2, "losses": 1} if WHOLE else {"expiries": 1, "losses": 0}
    assert Model(lease=True, **limits).explore(ALL, BEGINNINGS[begin]) > 10_000


def explore_all(model: Model) -> None:
    for processes, begin in ((RUNS, World()), (RUNS, OLD), (ALL, World())):
        model.explore(processes, begin)


@pytest.mark.parametrize(
    ("mutation", "lease"),
    [
        (name, lease)
        for name, where in MUTATIONS.items()
        for lease in (False, True)
        if where == "both" or lease == (where == "lease")
    ],
)
def test_a_wrong_protocol_is_found_out(mutation: str, lease: bool) -> None:
    """The same exploration must fail when one step is wrong: else it proves nothing."""
    model = Model(lease=lease, mutation=mutation, expiries=1)
    with pytest.raises(BrokenError):
        explore_all(model)
