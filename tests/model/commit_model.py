"""A model of the commit protocol, small enough to look at every interleaving.

Two runs and a gc share one pipeline: a store with objects and unfinished uploads, a state
document, and a control part with claim, ledger and journal. Each step of a process is one thing
that the real program does outside itself (a request, a durable write); between any two of them
another process may go on, a process may die, an upload may be lost by the store, input may arrive,
and on S3 the lease of a process that is paused may run out. The ledger names an output and the one
after it at once, whether or not there will be one; what it names already is only looked at for the
claim before it is created. docs/internals/commit.md and the
sources of src/state say the same in C: claim, recover, sweep, intent, create, journal, complete,
save, drop, release.

What must hold everywhere: no row is visible twice; the state never goes back; gc touches no upload
of a run that holds the claim. And from every reachable world: if all die there, one more run and a
gc leave every row visible once, and nothing else.

`explore` finds every world; a mutation is a name that makes one step behave wrongly. The model is
of no use unless each of those is found out, which the tests demand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

Key = tuple[str, int, int]  # lineage, seq, index


class Upload(NamedTuple):
    """Staged, not visible. `late`: made by a run that lost the claim before it did so."""

    run: str
    key: Key
    row: str
    late: bool = False


class Object(NamedTuple):
    """Visible. The token names the run that staged it."""

    key: Key
    token: str
    row: str


class Doc(NamedTuple):
    """The state document."""

    lineage: str
    seq: int
    read: frozenset[str]


class Output(NamedTuple):
    """One line of a journal."""

    key: Key
    run: str
    row: str


class Journal(NamedTuple):
    """A commit on paper."""

    prior: Doc
    next: Doc
    outputs: tuple[Output, ...]


class World(NamedTuple):
    """All that outlives a process."""

    inputs: frozenset[str] = frozenset("a")
    objects: frozenset[Object] = frozenset()
    uploads: frozenset[Upload] = frozenset()
    doc: Doc = Doc("", 0, frozenset())
    journal: Journal | None = None
    ledger: frozenset[Key] = frozenset()
    owner: str = ""
    claim: int = 0  # version of the control object; every write of it is conditional on it
    expired: bool = False
    expiries: int = 0
    losses: int = 0


class Process(NamedTuple):
    """One run or gc: where it is and what it remembers."""

    kind: str
    name: str
    at: str = "claim"
    claim: int = 0
    doc: Doc = Doc("", 0, frozenset())
    journal: Journal | None = None
    todo: tuple[Output | Key | Upload, ...] = ()
    own: bool = False  # it publishes its own commit, not one it found
    before: int = 0  # outputs that an earlier run had made visible
    doubt: bool = False


class BrokenError(Exception):
    """A property that does not hold."""


END = "end"
Next = Iterator[tuple[World, Process]]


class Model:
    """lease: the state is on S3, a claim may run out; else a lock that dies with its owner.

    ask: lost_upload=ask.
    """

    def __init__(
        self,
        *,
        lease: bool,
        mutation: str = "",
        expiries: int = 2,
        losses: int = 1,
        ask: bool = False,
    ) -> None:
        self.lease = lease
        self.ask = ask
        self.mutation = mutation
        self.expiries = expiries
        self.losses = losses

    def bad(self, name: str) -> bool:
        return self.mutation == name

    # ---- the control object

    def claim(self, w: World, p: Process) -> Next:
        free = not w.owner or (self.lease and w.expired) or self.bad("no lock")
        if p.kind == "gc" and self.bad("gc without claim"):
            yield w, p._replace(at="read", claim=w.claim)
        elif free:
            w = w._replace(owner=p.name, claim=w.claim + 1, expired=False)
            yield w, p._replace(at="read", claim=w.claim)
        else:
            yield w, p._replace(at=END)

    def control(self, w: World, p: Process, at: str, **change: object) -> Next:
        """Write ledger or journal: on S3 only over the version written before."""
        if self.lease and p.claim != w.claim and not self.bad("no If-Match on the control object"):
            yield w, p._replace(at=END)
            return
        claim = w.claim + 1 if self.lease else w.claim
        w = w._replace(claim=claim, **change)
        yield w, p._replace(at=at, claim=claim)

    # ---- recovery

    def read(self, w: World, p: Process) -> Next:
        p = p._replace(doc=w.doc, journal=w.journal, own=False, before=0)
        if p.journal is None or self.bad("a journal is taken for none"):
            yield w, self.to_sweep(w, p)
        elif p.journal.next == w.doc:
            yield w, p._replace(at="drop journal")
        elif p.journal.prior == w.doc:
            yield w, p._replace(at="complete", todo=p.journal.outputs)
        else:
            raise BrokenError("the state was replaced while a journal was open")

    def to_sweep(self, w: World, p: Process) -> Process:
        keys = () if self.bad("ledger is not swept") else tuple(sorted(w.ledger))
        return p._replace(at="sweep", todo=keys)

    def sweep(self, w: World, p: Process) -> Next:
        if not p.todo:
            yield w, p._replace(at="drop ledger")
            return
        key = p.todo[0]
        kept = frozenset(u for u in w.uploads if u.key != key)
        yield w._replace(uploads=kept), p._replace(todo=p.todo[1:])

    # ---- staging

    def plan(self, w: World, p: Process) -> Next:
        if p.kind == "gc":
            ours = tuple(sorted(u for u in w.uploads if u.key[0] == w.doc.lineage))
            at = "collect" if self.bad("gc lists after it lost the claim") else "hold"
            yield w, p._replace(at=at, todo=ours)
            return
        rows = sorted(w.inputs - p.doc.read)
        lineage = p.doc.lineage or p.name
        todo = tuple(Output((lineage, p.doc.seq + 1, i), p.name, row) for i, row in enumerate(rows))
        after = Doc(lineage, p.doc.seq + 1, p.doc.read | frozenset(rows))
        first = "create" if self.bad("ledger after create") else "intent"
        yield (
            w,
            p._replace(
                at=first if rows else "release",
                todo=todo,
                journal=Journal(p.doc, after, todo),
                own=True,
            ),
        )

    def intent(self, w: World, p: Process) -> Next:
        out = p.todo[0]
        assert isinstance(out, Output)
        noted = out.key[2] > 0  # with the one before it
        if self.bad("no ledger"):
            yield w, p._replace(at="create")
        elif self.bad("ledger after create"):
            yield from self.control(
                w, self.staged(p), self.staged(p).at, ledger=w.ledger | {out.key}
            )
        elif noted:
            lost = self.lease and p.claim != w.claim
            lost = lost and not self.bad("no look at the claim before a create")
            yield w, p._replace(at=END if lost else "create")
        else:
            keys = {out.key, (*out.key[:2], out.key[2] + 1)}
            if self.bad("a file is created that the ledger does not name"):
                keys = {out.key}
            yield from self.control(w, p, "create", ledger=w.ledger | keys)

    def staged(self, p: Process) -> Process:
        again = "create" if self.bad("ledger after create") else "intent"
        assert p.journal is not None
        if len(p.todo) > 1:
            return p._replace(at=again, todo=p.todo[1:])
        at = "complete" if self.bad("journal after publish") else "journal"
        return p._replace(at=at, todo=p.journal.outputs)

    def create(self, w: World, p: Process) -> Next:
        out = p.todo[0]
        assert isinstance(out, Output)
        late = self.lease and p.claim != w.claim
        w = w._replace(uploads=w.uploads | {Upload(p.name, out.key, out.row, late)})
        if self.bad("ledger after create"):
            yield w, p._replace(at="intent")
        else:
            yield w, self.staged(p)

    def write_journal(self, w: World, p: Process) -> Next:
        at = "complete"
        if self.bad("journal after publish") or self.bad("state before publish"):
            at = "save"
        yield from self.control(w, p, at, journal=p.journal)

    # ---- publishing

    def complete(self, w: World, p: Process) -> Next:
        if not p.todo:
            at = "save"
            if p.own and self.bad("journal after publish"):
                at = "journal"
            elif self.bad("journal dropped before the state") or (
                p.own and self.bad("state before publish")
            ):
                at = "drop journal"
            yield w, p._replace(at=at)
            return
        out = p.todo[0]
        assert isinstance(out, Output)
        upload = next((u for u in w.uploads if (u.run, u.key) == (out.run, out.key)), None)
        there = next((o for o in w.objects if o.key == out.key), None)
        rest = p._replace(todo=p.todo[1:])
        if upload is not None and there is None:
            w = w._replace(
                uploads=w.uploads - {upload},
                objects=w.objects | {Object(out.key, out.run, out.row)},
            )
            yield w, rest
        elif there is not None and (there.token == out.run or self.bad("tokens do not name a run")):
            yield w, rest._replace(before=p.before + 1)
        elif self.ask and not p.own and p.before > 0:
            yield w, p._replace(at="release", doubt=True)
        else:
            assert p.journal is not None
            yield w, p._replace(at="take back", todo=p.journal.outputs)

    def take_back(self, w: World, p: Process) -> Next:
        if not p.todo:
            yield w, p._replace(at="drop journal", doubt=p.own)
            return
        out = p.todo[0]
        assert isinstance(out, Output)
        gone = frozenset(
            o
            for o in w.objects
            if o.key == out.key and (o.token == out.run or self.bad("tokens do not name a run"))
        )
        ours = frozenset(u for u in w.uploads if (u.run, u.key) == (out.run, out.key))
        w = w._replace(objects=w.objects - gone, uploads=w.uploads - ours)
        yield w, p._replace(todo=p.todo[1:])

    def save(self, w: World, p: Process) -> Next:
        assert p.journal is not None
        if w.doc != p.doc and not self.bad("no If-Match on the state"):
            yield w, p._replace(at=END)
            return
        w = w._replace(doc=p.journal.next)
        at = "drop journal"
        if p.own and self.bad("state before publish"):
            at = "complete"
        elif self.bad("journal dropped before the state"):
            at = "drop ledger" if p.own else "read"
        yield w, p._replace(at=at, doc=w.doc)

    def drop_journal(self, w: World, p: Process) -> Next:
        at = "drop ledger" if p.own else "read"
        if self.bad("journal dropped before the state") and p.journal and p.journal.next != w.doc:
            at = "save"
        yield from self.control(w, p, at, journal=None)

    def drop_ledger(self, w: World, p: Process) -> Next:
        yield from self.control(w, p, "release" if p.own else "plan", ledger=frozenset())

    # ---- gc and the end

    def hold(self, w: World, p: Process) -> Next:
        """What was listed while the claim was ours belongs to the dead, whatever happens next."""
        yield w, p._replace(at=END if self.lease and p.claim != w.claim else "collect")

    def collect(self, w: World, p: Process) -> Next:
        if not p.todo:
            yield w, p._replace(at="release")
            return
        upload = p.todo[0]
        if isinstance(upload, Upload) and upload in w.uploads and upload.run == w.owner:
            raise BrokenError("gc removed an upload of a run that is alive")
        yield w._replace(uploads=w.uploads - {upload}), p._replace(todo=p.todo[1:])

    def release(self, w: World, p: Process) -> Next:
        if w.owner == p.name and (not self.lease or p.claim == w.claim):
            w = w._replace(owner="", claim=w.claim + 1, expired=False)
        yield w, p._replace(at=END)

    def step(self, w: World, p: Process) -> Next:
        steps = {
            "claim": self.claim,
            "read": self.read,
            "sweep": self.sweep,
            "plan": self.plan,
            "intent": self.intent,
            "create": self.create,
            "journal": self.write_journal,
            "complete": self.complete,
            "take back": self.take_back,
            "save": self.save,
            "drop journal": self.drop_journal,
            "drop ledger": self.drop_ledger,
            "hold": self.hold,
            "collect": self.collect,
            "release": self.release,
        }
        return steps[p.at](w, p)

    # ---- everything that may happen

    def die(self, w: World, p: Process) -> World:
        return w if self.lease or w.owner != p.name else w._replace(owner="")

    def happen(self, w: World) -> Iterator[World]:
        """What no process does."""
        if "b" not in w.inputs:
            yield w._replace(inputs=w.inputs | {"b"})
        if self.lease and w.owner and not w.expired and w.expiries < self.expiries:
            yield w._replace(expired=True, expiries=w.expiries + 1)
        if w.losses < self.losses:
            for upload in w.uploads:
                yield w._replace(uploads=w.uploads - {upload}, losses=w.losses + 1)

    def check_step(self, w: World, after: World) -> None:
        rows = [o.row for o in after.objects]
        if len(rows) != len(set(rows)):
            raise BrokenError(f"a row is visible twice: {sorted(rows)}")
        if after.doc.seq < w.doc.seq or not after.doc.read >= w.doc.read:
            raise BrokenError(f"the state went back from {w.doc.seq} to {after.doc.seq}")

    def run_alone(self, w: World, p: Process) -> tuple[World, Process]:
        while p.at != END:
            ((after, p),) = self.step(w, p)
            self.check_step(w, after)
            w = after
        return w, p

    def check_end(self, w: World) -> None:
        """All died here. A person starts the pipeline again, and settles what it asks about."""
        w = w._replace(expired=True) if self.lease else w._replace(owner="")
        w = w._replace(inputs=w.inputs | {"b"})
        for number in range(4):
            w, p = self.run_alone(w, Process("run", f"last{number}"))
            if p.doubt and w.journal is not None:
                p = Process("run", "person", "take back", w.claim, w.doc, w.journal)
                p = p._replace(todo=w.journal.outputs)
                while p.todo:
                    ((w, p),) = self.take_back(w, p)
                w = w._replace(journal=None)
        w, _ = self.run_alone(w, Process("gc", "last gc"))
        rows = sorted(o.row for o in w.objects)
        if rows != sorted(w.inputs):
            raise BrokenError(f"in the end there are {rows} of {sorted(w.inputs)}")
        left = [u for u in w.uploads if not u.late]
        if left or w.journal is not None or w.ledger:
            raise BrokenError(f"left over: {left} {w.journal} {sorted(w.ledger)}")
        late = [u.run for u in w.uploads]
        if len(late) != len(set(late)):
            raise BrokenError("a run went on creating after it had lost the claim")

    def explore(self, processes: tuple[Process, ...], begin: World | None = None) -> int:
        """Every world that can be reached; -> how many."""
        start = (begin or World(), processes)
        seen = {start}
        ends: set[World] = set()
        stack = [start]
        while stack:
            w, ps = stack.pop()
            alone = w._replace(owner="", claim=0, expired=False, expiries=0, losses=0)
            if alone not in ends:
                ends.add(alone)
                self.check_end(alone)
            found = [(after, ps) for after in self.happen(w)]
            for i, p in enumerate(ps):
                if p.at == END:
                    continue
                rest = ps[:i], ps[i + 1 :]
                dead = self.die(w, p)
                if p.at != "claim":
                    found.append((dead, (*rest[0], p._replace(**DEAD), *rest[1])))
                for after, q in self.step(w, p):
                    self.check_step(w, after)
                    if q.at == END:
                        after = self.die(after, q)
                        q = q._replace(**DEAD)
                    found.append((after, (*rest[0], q, *rest[1])))
            for item in map(plain, found):
                if item not in seen:
                    seen.add(item)
                    stack.append(item)
        return len(seen)


def plain(item: tuple[World, tuple[Process, ...]]) -> tuple[World, tuple[Process, ...]]:
    """Of the version of the control object only this matters: is it the one a process wrote?"""
    w, ps = item
    held = tuple(p._replace(claim=int(p.claim == w.claim and p.at != END)) for p in ps)
    return w._replace(claim=1), held


# What a process that ended still remembers tells worlds apart that are one.
DEAD: dict[str, object] = {
    "at": END,
    "claim": 0,
    "doc": Doc("", 0, frozenset()),
    "journal": None,
    "todo": (),
    "own": False,
    "before": 0,
    "doubt": False,
}

# A pipeline that has committed before: its lineage is known, so names are the same when a commit is
# staged again.
OLD = World(
    inputs=frozenset("az"),
    objects=frozenset({Object(("old", 1, 0), "old", "z")}),
    doc=Doc("old", 1, frozenset("z")),
)

RUNS = (Process("run", "one"), Process("run", "two"))
ALL = (*RUNS, Process("gc", "gc"))

MUTATIONS = {
    "journal after publish": "both",
    "state before publish": "both",
    "journal dropped before the state": "both",
    "a journal is taken for none": "both",
    "no ledger": "both",
    "ledger after create": "both",
    "ledger is not swept": "both",
    "a file is created that the ledger does not name": "both",
    "gc without claim": "local",
    "no lock": "local",
    "no If-Match on the control object": "lease",
    "no If-Match on the state": "lease",
    "gc lists after it lost the claim": "lease",
    "no look at the claim before a create": "lease",
    "tokens do not name a run": "lease",
}
