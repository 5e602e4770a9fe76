"""Limits of time that only keep a hanging test from hanging for ever, and what to print then.

No outcome depends on them: they are far beyond what a busy machine needs.
"""

from __future__ import annotations

from pathlib import Path

RUN_LIMIT_S = 300  # one run of the program
WAIT_LIMIT_S = 240  # something the program does on its way


def where_it_hangs(pid: int) -> str:
    """What each thread of a process waits for, as the kernel tells it."""
    lines = []
    for task in sorted(Path(f"/proc/{pid}/task").glob("*")):
        facts = []
        for name in ("comm", "wchan", "syscall"):
            try:
                facts.append((task / name).read_text().strip())
            except OSError:
                facts.append("?")
        lines.append(f"thread {task.name}: {', '.join(facts)}")
    return "\n".join(lines)
