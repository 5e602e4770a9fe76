"""A MinIO server of one's own: free loopback port, random keys, stopped with its owner."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import secrets
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ROOT = Path(__file__).resolve().parent.parent.parent
START_S = 240  # no outcome depends on it


def minio_path() -> str:
    """The pinned server, installed when this is the first use on this machine."""
    given = os.environ.get("HEADRACE_MINIO")
    if given:
        return given
    return subprocess.run(
        [ROOT / "tools/get-minio"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()


def free_port() -> int:
    """A loopback port that was free a moment ago, of those the kernel gives to nobody unasked: what
    runs beside us cannot get it by chance before the server does."""
    limits = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first = int(limits.read_text().split()[0]) if limits.exists() else 32768
    for _ in range(1000):
        port = random.SystemRandom().randrange(max(1024, first // 2), first) if first > 2048 else 0
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise RuntimeError("no port is free")


class Minio:
    """The server over the folder `data`, with random keys unless given; a context manager.

    `settings` are variables of MinIO's own environment.
    """

    region = "us-east-1"

    def __init__(
        self,
        data: Path,
        keys: tuple[str, str] | None = None,
        settings: dict[str, str] | None = None,
    ) -> None:
        random = ("ak" + secrets.token_hex(8), secrets.token_hex(20))
        self.data = data
        self.access_key, self.secret_key = keys or random
        self.settings = settings or {}
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """The URL of the server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, as Proxy wants its upstream."""
        return ("127.0.0.1", self.port)

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._process is not None
        return self._process.pid

    def environment(self, endpoint: str | None = None) -> dict[str, str]:
        """What an S3 client of this server needs in its environment."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_ENDPOINT_URL": endpoint or self.endpoint,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        }

    def client(self, endpoint: str | None = None) -> Any:
        """A boto3 client of this server; by way of another endpoint it does not retry."""
        return boto3.client(
            "s3",
            endpoint_url=endpoint or self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
            config=Config(
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": 1 if endpoint else 5},
                proxies={},
                connect_timeout=120,
                read_timeout=240,
            ),
        )

    def __enter__(self) -> Minio:
        for _ in range(5):
            if self._start():
                return self
        raise RuntimeError(f"minio did not start: {self._log()}")

    def __exit__(self, *_: object) -> None:
        self._stop()

    def kill(self) -> None:
        """End the server at once, as a power cut would; its data stay."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def restart(self) -> None:
        """Start it again on the same data; its address is another one."""
        self.kill()
        self.__enter__()

    def _log(self) -> str:
        log = self.data.parent / "minio.log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""

    def _start(self) -> bool:
        self.data.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        command = [minio_path(), "server", str(self.data), "--quiet"]
        command += ["--address", f"127.0.0.1:{self.port}"]
        setpriv = shutil.which("setpriv")
        if setpriv:
            # The server must not outlive a test run that is killed.
            command = [setpriv, "--pdeathsig", "KILL", "--", *command]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.data.parent),
            "MINIO_ROOT_USER": self.access_key,
            "MINIO_ROOT_PASSWORD": self.secret_key,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
            "MINIO_CI_CD": "1",
            # A slow disk or many requests at once are no reasons to refuse any.
            "MINIO_API_REQUESTS_MAX": "400",
            "MINIO_API_REQUESTS_DEADLINE": "5m",
            "MINIO_DRIVE_MAX_TIMEOUT": "10m",
            "_MINIO_DRIVE_ACTIVE_MONITORING": "off",
            **self.settings,
        }
        with (self.data.parent / "minio.log").open("wb") as log:
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until = time.monotonic() + START_S
        while time.monotonic() < until and self._process.poll() is None:
            if self._ready():
                return True
            time.sleep(0.1)
        self._stop()
        return False

    def _ready(self) -> bool:
        """It says so, and it is ours: whoever else got the port does not know the keys."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(f"{self.endpoint}/minio/health/cluster", timeout=60) as answer:
                if answer.status != 200:
                    return False
            self.client().list_buckets()
        except (OSError, http.client.HTTPException, BotoCoreError, ClientError):
            return False
        return True

    def _stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
