"""The lint tools find what they are for: each check gets a small tree that breaks its rule."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def make_tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def run_tool(tool: str, *args: str | Path) -> tuple[int, str]:
    done = subprocess.run(
        [ROOT / "tools" / tool, *args], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


GOOD = {
    "src/base/mem.h": "#define X 1\n",
    "src/batch/vec.h": '#include "base/mem.h"\n',
    "src/format/format.h": '#include "batch/vec.h"\n#include "headrace/error.h"\n',
    "src/format/csv/csv_read.h": '#include "format/format.h"\n',
    "src/format/csv/csv_read.c": '#include "csv_read.h"\n#include "format/csv/csv_read.h"\n',
    "src/format/format_table.c": '#include "format/csv/csv_read.h"\n',
    "src/codec/codec.h": '#include "base/mem.h"\n',
    "src/codec/codec_gzip.h": '#include "codec/codec.h"\n',
    "src/codec/codec_gzip.c": '#include "codec/codec_gzip.h"\n',
    "src/codec/codec_table.c": '#include "codec/codec_gzip.h"\n',
    "src/cli/main.c": '#include "format/format.h"\n',
}


def test_layers_accept_a_tree_in_order(tmp_path: Path) -> None:
    code, out = run_tool("check-layers", "--root", make_tree(tmp_path, GOOD))
    assert (code, out) == (0, f"check-layers: {len(GOOD)} files, 0 violations\n")


@pytest.mark.parametrize(
    ("path", "include", "why"),
    [
        ("src/base/mem.c", "batch/vec.h", "must not include 'batch' on level 1"),
        ("src/format/format.c", "cli/verb.h", "must not include 'cli' on level 10"),
        ("src/store/store.c", "format/format.h", "must not include 'format' on level 3"),
        ("src/plan/plan.c", "sink/sink.h", "must not include 'sink' on level 6"),
        ("src/plan/plan.c", "format/csv/csv_read.h", "leaf 'format/csv'"),
        ("src/format/json/json.c", "format/csv/csv_read.h", "leaf 'format/csv'"),
        ("src/format/format.c", "format/csv/csv_read.h", "leaf 'format/csv'"),
        ("src/codec/codec_zstd.c", "codec/codec_gzip.h", "leaf 'codec/codec_gzip'"),
        ("src/pipeline/run.c", "codec/codec_gzip.h", "leaf 'codec/codec_gzip'"),
        ("src/util/x.c", "base/mem.h", "folder 'util' has no level"),
        ("src/plan/plan.c", "nothing.h", "in no folder that has a level"),
    ],
)
def test_layers_catch(tmp_path: Path, path: str, include: str, why: str) -> None:
    tree = make_tree(tmp_path, {**GOOD, path: f'\n#include "{include}"\n'})
    code, out = run_tool("check-layers", "--root", tree)
    assert code == 1
    assert f"{path}:2: " in out
    assert why in out


def test_style_accepts_a_clean_tree(tmp_path: Path) -> None:
    body = "    call(1);\n" * 100
    tree = make_tree(
        tmp_path,
        {
            "src/base/mem.c": "void *f(void) {\n    return malloc(1);\n}\n",
            "src/base/a.c": f'/* strcpy( */\nvoid f(void) {{\n{body}}}\nchar *s = "free(x)";\n',
            "src/base/b.c": "void g(struct ops *ops) {\n    ops->free(ops);\n}\n",
            "README.md": "plain\n",
        },
    )
    code, out = run_tool("check-style", "--root", tree)
    assert (code, out) == (0, "check-style: 4 files, 0 violations\n")


@pytest.mark.parametrize(
    ("path", "text", "why"),
    [
        ("src/a.c", "void f(void) {\n    strcpy(a, b);\n}\n", "a.c:2: 'strcpy' is banned"),
        ("tests/a.c", "int x = atoi(s);\n", "a.c:1: 'atoi' is banned"),
        ("src/a.c", "void f(void) {\n    free(a);\n}\n", "a.c:2: 'free' is only for base/mem.c"),
        ("src/a.h", "typedef struct a a;\n", "a.h:1: structs are not typedef'd"),
        ("src/a.c", "/* TO" + "DO later */\n", "a.c:1: unfinished work"),
        ("README.md", "see /ro" + "ot/x\n", "README.md:1: names a machine's path"),
        ("README.md", "from https://py" + "pi.org/x\n", "README.md:1: names a machine's path"),
        (
            "src/a.c",
            "int f(int a,\n      int b) {\n" + "    g();\n" * 119 + "}\n",
            "f has 122 lines",
        ),
        ("src/a.c", "int x;\n" * 1201, "1201 lines, at most 1200"),
    ],
)
def test_style_catches(tmp_path: Path, path: str, text: str, why: str) -> None:
    code, out = run_tool("check-style", "--root", make_tree(tmp_path, {path: text}))
    assert code == 1
    assert why in out


def test_style_exceptions(tmp_path: Path) -> None:
    tree = make_tree(
        tmp_path,
        {
            "src/a.c": "int f(void) {\n" + "    g();\n" * 130 + "}\n",
            "tools/length-exceptions.txt": "# why\nsrc/a.c:f a table in code\n",
        },
    )
    assert run_tool("check-style", "--root", tree)[0] == 0


def test_headers_alone(tmp_path: Path) -> None:
    good = "#ifndef A_H\n#define A_H\n#include <stdint.h>\nint32_t f(int32_t a);\n#endif\n"
    tree = make_tree(tmp_path, {"src/base/a.h": good, "include/headrace/b.h": good})
    assert run_tool("check-headers", tree) == (0, "check-headers: 2 headers\n")
    make_tree(tree, {"src/base/a.h": good.replace("#include <stdint.h>\n", "")})
    code, out = run_tool("check-headers", tree)
    assert code == 1
    assert "base/a.h does not compile alone" in out
    make_tree(tree, {"src/base/a.h": good, "include/headrace/b.h": "int new(int class);\n"})
    code, out = run_tool("check-headers", tree)
    assert code == 1
    assert "headrace/b.h does not compile alone" in out


def test_retry(tmp_path: Path) -> None:
    """What fails is run again, as often as told; the last status counts."""
    count = tmp_path / "count"
    script = f'echo . >>{count}; [ "$(wc -l <{count})" -ge "$1" ]'

    def retried(good_from: int) -> int:
        count.unlink(missing_ok=True)
        environment = {**os.environ, "RETRY_PAUSES": "0 0"}
        command = [ROOT / "tools/retry", "bash", "-c", script, "_", str(good_from)]
        return subprocess.run(command, env=environment, capture_output=True).returncode  # noqa: PLW1510

    for good_from, code, tries in ((1, 0, 1), (3, 0, 3), (4, 1, 3)):
        assert retried(good_from) == code
        assert len(count.read_text().splitlines()) == tries


@pytest.mark.parametrize(
    ("share", "free_gib", "most"),
    [("max 100000", 64, 999), ("150000 100000", 64, 2), ("100000 100000", 64, 1), ("max 1", 0, 1)],
)
def test_jobs_know_their_limits(tmp_path: Path, share: str, free_gib: int, most: int) -> None:
    """A container's share of the processors, and memory."""
    make_tree(
        tmp_path,
        {
            "sys/fs/cgroup/cpu.max": f"{share}\n",
            "proc/meminfo": f"MemTotal: 1 kB\nMemAvailable:   {free_gib << 20} kB\n",
        },
    )
    code, out = run_tool("jobs", tmp_path)
    assert code == 0
    assert 1 <= int(out) <= most


def test_symbols(tmp_path: Path) -> None:
    def library(code: str) -> Path:
        (tmp_path / "a.c").write_text(code)
        subprocess.run(["gcc", "-c", "a.c", "-o", "a.o"], cwd=tmp_path, check=True)
        (tmp_path / "a.a").unlink(missing_ok=True)
        subprocess.run(["ar", "rc", "a.a", "a.o"], cwd=tmp_path, check=True)
        return tmp_path / "a.a"

    assert run_tool("check-symbols", library("int hr_a(void) { return 1; }"))[0] == 0
    code, out = run_tool("check-symbols", library("int parse(void) { return 1; }"))
    assert code == 1
    assert "parse" in out
