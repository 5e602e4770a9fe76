"""Measure headrace and its peers on the same files of the same S3 server, in turn.

usage: bench.py [WORK...|commit] [--rounds N] [--scale SF] [--peers a,b] [--slope]

Every tool runs as a fresh process, A B C A B C ..., after one pass that warms the page cache. CPU
seconds are user and system time of the process tree, requests and bytes are the server's own
counters. Results are verified outside the timed part; a tool that gives wrong rows shows `wrong`,
one that cannot do the work `n/a`. Prints the table of docs/PERFORMANCE.md's form, writes
bench/results/*.json and a plot.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "tests/integration"))

import commit  # noqa: E402
from data import BIN, Data  # noqa: E402
from minio_server import Minio  # noqa: E402
from plot import draw  # noqa: E402
from verify import differences  # noqa: E402
from works import BUCKET, OUT_BUCKET, WORKS, Work  # noqa: E402

LIMIT_S = 240
PYTHON_PEERS = ("polars", "duckdb", "pyarrow", "chdb")
CLEAR_ENV = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "http_proxy", "HTTP_PROXY", "https_proxy")


@dataclass
class Run:
    """One process: what measure.py wrote, and what the server counted."""

    status: int
    wall_s: float
    cpu_s: float
    rss_mib: float
    requests: dict[str, int]
    sent_mb: float
    received_mb: float
    server_cpu_s: float
    out: str
    error: str


@dataclass
class Outcome:
    """All rounds of one tool at one work."""

    tool: str
    runs: list[Run] = field(default_factory=list)
    verdict: str = ""

    @property
    def usable(self) -> bool:
        """Whether it ran and its result was right."""
        return bool(self.runs) and not self.verdict

    def median(self, what: Callable[[Run], float]) -> float:
        """The median over the rounds."""
        return statistics.median(what(run) for run in self.runs)

    def summary(self) -> dict[str, Any]:
        """What the JSON result keeps."""
        if not self.runs:
            return {"verdict": self.verdict}
        last = self.runs[-1]
        return {
            "verdict": self.verdict or "ok",
            "cpu_s": [round(run.cpu_s, 4) for run in self.runs],
            "wall_s": [round(run.wall_s, 4) for run in self.runs],
            "rss_mib": round(max(run.rss_mib for run in self.runs), 1),
            "requests": last.requests,
            "sent_mb": round(last.sent_mb, 3),
            "received_mb": round(last.received_mb, 3),
            "server_cpu_s": round(self.median(lambda run: run.server_cpu_s), 3),
        }


class Bench:
    """The server, its data and the tools."""

    def __init__(self, scale: float, cache: Path) -> None:
        self.folder = cache / f"bench/sf{scale:g}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = Data(scale, self.folder)
        self.minio = Minio(
            self.folder / "minio",
            keys=("headrace-bench", "headrace-bench-secret"),
            settings={"MINIO_PROMETHEUS_AUTH_TYPE": "public", "MINIO_API_ODIRECT": "off"},
        )
        self.scratch = Path(tempfile.mkdtemp(prefix="headrace-bench-"))

    def environment(self) -> dict[str, str]:
        """Of every tool: the server and nothing else."""
        kept = {name: value for name, value in os.environ.items() if name not in CLEAR_ENV}
        return {
            **kept,
            **self.minio.environment(),
            "S3_ENDPOINT_URL": self.minio.endpoint,
            "AWS_ENDPOINT_URL_S3": self.minio.endpoint,
            "AWS_ALLOW_HTTP": "true",
        }

    def counters(self) -> dict[str, float]:
        """The server's counters by request name, and its bytes and CPU seconds."""
        url = f"{self.minio.endpoint}/minio/metrics/v3/api/requests"
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
        found: dict[str, float] = {}
        for name, labels, value in re.findall(r"^(\w+)\{(.*)\} (\S+)$", text, re.MULTILINE):
            if name == "minio_api_requests_total":
                found["n:" + re.search(r'name="(\w+)"', labels)[1]] = float(value)  # type: ignore[index]
            elif name.startswith("minio_api_requests_traffic"):
                found[name.split("_")[4]] = float(value)
        ticks = Path(f"/proc/{self.minio.pid}/stat").read_text().rsplit(")", 1)[1].split()
        found["cpu"] = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
        return found

    def run(self, command: list[str]) -> Run:
        """One measured process; the server's counters are given a moment to be written."""
        before = self.counters()
        result, out = self.scratch / "result.json", self.scratch / "out"
        measure = [sys.executable, "-I", "-S", str(HERE / "measure.py"), str(result), str(out)]
        done = subprocess.run(
            [*measure, str(LIMIT_S), *command],
            env=self.environment(),
            cwd=self.scratch,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        cost = json.loads(result.read_text())
        time.sleep(1.2)
        after = self.counters()
        delta = {name: after[name] - before.get(name, 0.0) for name in after}
        requests = {k[2:]: int(v) for k, v in sorted(delta.items()) if k[:2] == "n:" and v > 0}
        return Run(
            status=cost["status"],
            wall_s=cost["wall_s"],
            cpu_s=cost["cpu_s"],
            rss_mib=cost["rss_mib"],
            requests=requests,
            sent_mb=delta.get("sent", 0.0) / 1e6,
            received_mb=delta.get("received", 0.0) / 1e6,
            server_cpu_s=delta["cpu"],
            out=str(out),
            error=done.stderr.decode(errors="replace"),
        )

    def command(self, tool: str, work: Work, source: list[str], out: str) -> list[str] | None:
        """How a tool does a work, None when it is not made for it."""
        if tool == "headrace":
            return self.headrace(work, source, out)
        if tool == "s5cmd":
            return [str(BIN / "s5cmd"), "ls", source[0] + "*"] if work.kind == "list" else None
        if tool == "polars" and work.kind == "list":
            return None
        return [sys.executable, str(HERE / f"peers/peer_{tool}.py"), work.name, source[0], out]

    def headrace(self, work: Work, source: list[str], out: str) -> list[str]:
        """The command line of headrace."""
        program = os.environ.get("HEADRACE", str(ROOT / "build/headrace"))
        if work.kind == "list":
            return [program, "ls", "--recursive", source[0]]
        command = [program, "copy", "--progress", "never"]
        if work.columns:
            command += ["--columns", ",".join(work.columns)]
        if work.where:
            command += ["--filter", work.where]
        if work.kind == "scan":
            return [*command, *source, "null:"]
        return [*command, *source, f"{out}out.parquet" if work.one_file else out]

    def clear(self, prefix: str) -> None:
        """Remove what a run has written."""
        client = self.minio.client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=OUT_BUCKET, Prefix=prefix)
        for page in pages:
            for item in page.get("Contents", []):
                client.delete_object(Bucket=OUT_BUCKET, Key=item["Key"])

    def checksums(self, relation: str) -> dict[str, object]:
        """Row count and column checksums, in a process of their own."""
        done = subprocess.run(
            [sys.executable, HERE / "verify.py", relation],
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            return {"error": last_line(done.stderr)}
        return dict(json.loads(done.stdout))

    def expected(self, work: Work) -> dict[str, object]:
        """The right answer, from the Parquet files that the generator wrote."""
        columns = ", ".join(work.columns) or "*"
        where = f" WHERE {work.where}" if work.where else ""
        files = f"s3://{BUCKET}/parquet/lineitem.*.parquet"
        if work.data == "half":
            files = f"s3://{BUCKET}/parquet/lineitem.[1-4].parquet"
        relation = f"(SELECT {columns} FROM read_parquet('{files}'){where})"
        if work.data == "small":
            relation = f"read_json('s3://{BUCKET}/small/**/*.jsonl')"
        return self.checksums(relation)


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:160] if lines else "no message"


def verify(bench: Bench, work: Work, outcome: Outcome, wanted: dict[str, object]) -> str:
    """Empty when the tool's result is right, else what is wrong with it."""
    text = Path(outcome.runs[-1].out).read_text(errors="replace")
    if work.kind == "list":
        lines = text.splitlines()
        numbers = [int(line) for line in lines if line.isdigit()]
        keys = numbers[0] if numbers else sum(1 for line in lines if line.endswith(".csv"))
        return "" if keys == bench.data.many else f"{keys} keys instead of {bench.data.many}"
    prefix = f"{outcome.tool}/{work.name}/"
    if work.kind == "scan":
        if outcome.tool != "headrace":
            rows = int(text.strip() or -1)
            return "" if rows == wanted["rows"] else f"{rows} rows instead of {wanted['rows']}"
        # What null: drained cannot be seen: the same command writes Parquet once, not timed.
        command = bench.headrace(work, [f"s3://{BUCKET}/{work.source}"], "")[:-1]
        run = bench.run([*command, f"s3://{OUT_BUCKET}/{prefix}"])
        if run.status != 0:
            return last_line(run.error)
    got = bench.checksums(f"read_parquet('s3://{OUT_BUCKET}/{prefix}**/*.parquet')")
    if "error" in got:
        return str(got["error"])
    return "; ".join(differences(wanted, got)[:3])


def measure_work(bench: Bench, work: Work, tools: list[str], rounds: int) -> list[Outcome]:
    """All rounds of all tools at one work, then the verification."""
    source = [f"s3://{BUCKET}/{work.source}"]
    outcomes = []
    for tool in tools:
        out = f"s3://{OUT_BUCKET}/{tool}/{work.name}/"
        if bench.command(tool, work, source, out) is not None:
            outcomes.append(Outcome(tool))
    for number in range(rounds):
        for outcome in outcomes:
            if outcome.verdict:
                continue
            bench.clear(f"{outcome.tool}/{work.name}/")
            out = f"s3://{OUT_BUCKET}/{outcome.tool}/{work.name}/"
            command = bench.command(outcome.tool, work, source, out)
            assert command is not None
            run = bench.run(command)
            keep = bench.scratch / f"{outcome.tool}.out"
            Path(run.out).replace(keep)
            run.out = str(keep)
            if run.status != 0:
                outcome.verdict = f"n/a: {last_line(run.error)}"
                print(f"bench: {work.name} {outcome.tool}: {outcome.verdict}", file=sys.stderr)
                continue
            outcome.runs.append(run)
            print(
                f"bench: {work.name} round {number + 1}/{rounds} {outcome.tool}: "
                f"{run.cpu_s:.2f} CPU-s, {run.wall_s:.2f} s, {run.rss_mib:.0f} MiB",
                file=sys.stderr,
                flush=True,
            )
    wanted = bench.expected(work) if work.kind != "list" else {}
    for outcome in outcomes:
        if outcome.usable:
            why = verify(bench, work, outcome, wanted)
            outcome.verdict = f"wrong: {why}" if why else ""
            if why:
                print(f"bench: {work.name} {outcome.tool}: wrong: {why}", file=sys.stderr)
        bench.clear(f"{outcome.tool}/{work.name}/")
    return outcomes


def cell(outcome: Outcome | None) -> str:
    """CPU seconds (peak MiB), as in the table of figures."""
    if outcome is None:
        return "-"
    if not outcome.usable:
        return outcome.verdict.split(":")[0]
    cpu = outcome.median(lambda run: run.cpu_s)
    return f"{cpu:.2f} ({max(run.rss_mib for run in outcome.runs):.0f})"


def table(results: dict[str, list[Outcome]], tools: list[str]) -> str:
    """CPU seconds and peak memory of each tool at each work, and headrace against the best."""
    head = ["work", *tools, "cpu ratio", "wall ratio", "goal", "sent MB", "requests"]
    rows = [head]
    for name, outcomes in results.items():
        by_tool = {outcome.tool: outcome for outcome in outcomes}
        ours = by_tool.get("headrace")
        peers = [o for o in outcomes if o.tool != "headrace" and o.usable]
        row = [name, *(cell(by_tool.get(tool)) for tool in tools)]
        for what in (lambda run: run.cpu_s, lambda run: run.wall_s):
            if ours is not None and ours.usable and peers:
                row.append(f"{ours.median(what) / min(p.median(what) for p in peers):.2f}")
            else:
                row.append("-")
        work = WORKS[name]
        row.append(f"{work.goal_cpu:.2f}" + (f" ({work.goal_mib})" if work.goal_mib else ""))
        if ours is not None and ours.runs:
            last = ours.runs[-1]
            row += [f"{last.sent_mb:.0f}", str(sum(last.requests.values()))]
        else:
            row += ["-", "-"]
        rows.append(row)
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = [
        "  ".join(cellv.ljust(width) for cellv, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def slope(bench: Bench, works: list[Work], rounds: int) -> list[dict[str, Any]]:
    """headrace on half of the files and on all: memory stays, CPU doubles."""
    client = bench.minio.client()
    found = []
    for work in works:
        folder, _, _ = work.source.partition("*")
        listed = client.list_objects_v2(Bucket=BUCKET, Prefix=folder)
        keys = [f"s3://{BUCKET}/{item['Key']}" for item in listed["Contents"]]
        point: dict[str, Any] = {"work": work.name}
        for title, source in (("half", keys[: len(keys) // 2]), ("all", keys)):
            runs = []
            for _ in range(rounds):
                bench.clear(f"slope/{work.name}/")
                out = f"s3://{OUT_BUCKET}/slope/{work.name}/"
                runs.append(bench.run(bench.headrace(work, source, out)))
            bench.clear(f"slope/{work.name}/")
            if any(run.status != 0 for run in runs):
                point[title] = f"n/a: {last_line(runs[-1].error)}"
                continue
            point[title] = {
                "cpu_s": round(statistics.median(run.cpu_s for run in runs), 3),
                "rss_mib": round(max(run.rss_mib for run in runs), 1),
            }
        print(f"slope {work.name:<12} half {point['half']}  all {point['all']}")
        found.append(point)
    return found


def warm(bench: Bench, prefixes: set[str]) -> None:
    """Read what the server will serve once, so that no tool pays for the disk."""
    for prefix in prefixes:
        if prefix == "many":
            continue
        for path in (bench.folder / "minio" / BUCKET / prefix).rglob("*"):
            if path.is_file():
                path.read_bytes()


def versions() -> dict[str, str]:
    """What was measured, and where."""
    import importlib.metadata  # noqa: PLC0415

    found = {name: importlib.metadata.version(name) for name in (*PYTHON_PEERS, "s5cmd")}
    commit = subprocess.run(
        ["git", "-C", ROOT, "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        **found,
        "headrace": commit,
        "minio": Path(os.environ.get("HEADRACE_MINIO", "")).name,
        "kernel": platform.release(),
        "cores": str(os.cpu_count()),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="measure headrace beside its peers")
    parser.add_argument("works", nargs="*", help=f"of {' '.join(WORKS)}; default all")
    parser.add_argument(
        "--rounds", type=int, default=int(os.environ.get("HEADRACE_BENCH_ROUNDS", "3"))
    )
    parser.add_argument(
        "--scale", type=float, default=float(os.environ.get("HEADRACE_BENCH_SF", "1"))
    )
    parser.add_argument("--peers", default="polars,duckdb,pyarrow,chdb,s5cmd")
    parser.add_argument("--slope", action="store_true", help="headrace alone, half and all files")
    args = parser.parse_args()
    names = [name for given in args.works for name in given.replace(",", " ").split()] or list(
        WORKS
    )
    with_commit = "commit" in names
    names = [name for name in names if name != "commit"]
    unknown = [name for name in names if name not in WORKS]
    if unknown:
        parser.error(
            f"there is no work {', '.join(unknown)}; there are {', '.join([*WORKS, 'commit'])}"
        )
    works = [WORKS[name] for name in names]
    tools = ["headrace", *[peer for peer in args.peers.split(",") if peer]]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headrace"
    bench = Bench(args.scale, cache)
    needed = {work.source.split("/")[0] for work in works} | {"parquet"}
    needed |= {"csv", "many"} if with_commit else set()
    with bench.minio:
        bench.data.ensure(needed, bench.minio.client(), bench.environment())
        warm(bench, needed)
        results: dict[str, list[Outcome]] = {}
        slopes = []
        committed = commit.measure(bench, args.rounds) if with_commit else {}
        if args.slope:
            slopes = slope(bench, [w for w in works if w.kind != "list"], args.rounds)
        else:
            for work in works:
                results[work.name] = measure_work(bench, work, tools, args.rounds)
    record = {
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "scale": args.scale,
        "rounds": args.rounds,
        "versions": versions(),
        "works": {n: {o.tool: o.summary() for o in found} for n, found in results.items()},
        "slope": slopes,
        "commit": committed,
    }
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    stem = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    (folder / f"{stem}.json").write_text(json.dumps(record, indent=1) + "\n")
    if results:
        print(table(results, tools))
        print("CPU seconds (peak MiB), median of the rounds; ratios against the best peer")
        draw(record, folder / f"{stem}.svg")
    print(f"written: bench/results/{stem}.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
