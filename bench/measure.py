"""Run one command and write what it cost as JSON.

usage: measure.py RESULT.json STDOUT SECONDS COMMAND...

A small process of its own, because Linux counts the memory of the process that forks into the peak
of the child: measured from the benchmark itself, every peer would seem to need what that one has.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time


def main() -> int:
    result, stdout, seconds, *command = sys.argv[1:]
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        out = os.open(stdout, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        try:
            os.execvp(command[0], command)
        except OSError as error:
            os.write(2, f"{command[0]}: {error.strerror}\n".encode())
            os._exit(127)
    timed_out = False

    def stop(*_: object) -> None:
        nonlocal timed_out
        timed_out = True
        os.killpg(pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(int(seconds))
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - started
    signal.alarm(0)
    with open(result, "w", encoding="utf-8") as sink:
        json.dump(
            {
                "status": -1 if timed_out else os.waitstatus_to_exitcode(status),
                "wall_s": wall,
                "user_s": usage.ru_utime,
                "sys_s": usage.ru_stime,
                "cpu_s": usage.ru_utime + usage.ru_stime,
                "rss_mib": usage.ru_maxrss / 1024,
                "switches": usage.ru_nivcsw + usage.ru_nvcsw,
            },
            sink,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
