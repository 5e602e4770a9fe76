"""Fixtures of the integration tests: the server, a client, the proxy, the program."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))

from limits import RUN_LIMIT_S, where_it_hangs  # noqa: E402
from minio_server import Minio  # noqa: E402
from proxy import Proxy  # noqa: E402


def forget_surroundings() -> None:
    """Keys, proxies, faults and the zone of whoever runs the tests decide none of them."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "MINIO_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.pop("HEADRACE_FAULT", None)
    os.environ["TZ"] = "UTC"
    time.tzset()


forget_surroundings()


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes have no part in a test's name: what packed them may have put the time in, and then two
    processes that make the same list at different seconds could not agree on it."""
    return argname if isinstance(val, bytes) else None


class Result(NamedTuple):
    """How a run of headrace ended."""

    code: int
    out: str
    err: str


class Headrace:
    """Runs the program: `headrace("ls", url)`; the environment names the test's own server only."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.path = Path(os.environ.get("HEADRACE", ROOT / "build/headrace"))
        self.home = home
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""),
            "UBSAN_OPTIONS": os.environ.get("UBSAN_OPTIONS", ""),
            **environment,
        }

    def _environment(self, env: dict[str, str | None] | None) -> dict[str, str]:
        merged: dict[str, str | None] = {**self.environment, **(env or {})}
        return {name: value for name, value in merged.items() if value is not None}

    def __call__(
        self,
        *args: str | Path,
        env: dict[str, str | None] | None = None,
        input: str | bytes | None = None,
        cwd: Path | None = None,
        timeout: float = RUN_LIMIT_S,
    ) -> Result:
        """Run to the end. `env` adds variables, None removes one; a run past `timeout` fails."""
        data = input.encode() if isinstance(input, str) else input or b""
        with self.start(*args, env=env, cwd=cwd, stdin=subprocess.PIPE) as process:
            try:
                out, err = process.communicate(data, timeout=timeout)
            except subprocess.TimeoutExpired:
                where = where_it_hangs(process.pid)
                process.kill()
                err = process.communicate()[1]
                said = err.decode(errors="replace")
                what = " ".join(map(str, args))
                pytest.fail(f"headrace {what} ran over {timeout} s:\n{said}\n{where}")
        return Result(
            process.returncode,
            out.decode(errors="replace"),
            err.decode(errors="replace"),
        )

    def ok(self, *args: str | Path, **how: Any) -> Result:
        """Run and fail the test unless the exit status is 0."""
        result = self(*args, **how)
        assert result.code == 0, f"headrace {' '.join(map(str, args))}: {result.err}"
        return result

    def start(
        self,
        *args: str | Path,
        env: dict[str, str | None] | None = None,
        cwd: Path | None = None,
        **how: Any,
    ) -> subprocess.Popen[bytes]:
        """Start and return the process, for tests that interrupt or kill it."""
        how.setdefault("stdin", subprocess.DEVNULL)
        how.setdefault("stdout", subprocess.PIPE)
        how.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen(
            [self.path, *map(str, args)], env=self._environment(env), cwd=cwd or self.home, **how
        )


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Minio]:
    """The S3 server of this test process."""
    with Minio(tmp_path_factory.mktemp("minio") / "data") as server:
        yield server


@pytest.fixture(scope="session")
def s3(minio: Minio) -> Any:
    """A boto3 client of the server, past any proxy."""
    return minio.client()


@pytest.fixture
def bucket(s3: Any) -> str:
    """A new, empty bucket."""
    name = f"t-{uuid.uuid4().hex[:20]}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def proxy(minio: Minio) -> Iterator[Proxy]:
    """A counting, fault-injecting proxy before the server, for this test alone."""
    with Proxy(minio.address) as running:
        yield running


@pytest.fixture
def headrace(minio: Minio, tmp_path: Path) -> Headrace:
    """The program, set up for the server."""
    program = Headrace(tmp_path, minio.environment())
    if not program.path.exists():
        pytest.fail(f"{program.path} is missing: build it first")
    return program


@pytest.fixture
def headrace_local(tmp_path: Path) -> Headrace:
    """The program with no server and no credentials."""
    program = Headrace(tmp_path, {"AWS_EC2_METADATA_DISABLED": "true"})
    if not program.path.exists():
        pytest.fail(f"{program.path} is missing: build it first")
    return program


@pytest.fixture
def headrace_proxied(headrace: Headrace, minio: Minio, proxy: Proxy) -> Headrace:
    """The program, set up for the proxy before the server."""
    headrace.environment.update(minio.environment(proxy.endpoint))
    return headrace


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The third-party corpus; tests that need it skip, and say so, where it is absent."""
    path = Path(os.environ.get("HEADRACE_CORPUS", ROOT.parent / "shared/corpus"))
    if not path.is_dir():
        pytest.skip(f"no corpus at {path}")
    return path


@pytest.fixture
def put(s3: Any, bucket: str) -> Any:
    """`put(key, data)` stores text or bytes, `put(key, path)` a file, in the test's bucket."""

    def store(key: str, data: str | bytes | Path, into: str | None = None) -> str:
        body = data.read_bytes() if isinstance(data, Path) else data
        s3.put_object(Bucket=into or bucket, Key=key, Body=body)
        return f"s3://{into or bucket}/{key}"

    return store
