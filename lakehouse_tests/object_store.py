"""A real S3 server for tests: Ceph's gateway over one memory-backed store, as Debian packages it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import tenacity

from lakehouse.embedded.ports import free_port

PROGRAMS = ("radosgw", "radosgw-admin", "ceph", "ceph-mon", "ceph-osd", "monmaptool")
REQUIRED = "TESTS_REQUIRE"  # set by .ci/run: there a missing server is an error, not a skip
ACCESS_KEY, SECRET_KEY, REGION, BUCKET = "test-access-key", "test-secret-key", "us-east-1", "datalake"
# S3 servers older than the checksum trailers refuse uploads that have them.
CHECKSUMS = {
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
}

# Messenger protocol 1 and no authentication between its own parts: neither needs a manager daemon.
_CONFIGURATION = """
[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{mon_port}
mon initial members = a
public addr = 127.0.0.1
ms bind msgr2 = false
ms bind port min = {first_port}
ms bind port max = {last_port}
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 0
mon data avail warn = 0
osd crush chooseleaf type = 0
osd class update on start = false
osd objectstore = memstore
memstore device bytes = 4294967296
run dir = {home}
admin socket = {home}/$name.asok
log file = {home}/$name.log
mon data = {home}/mon
osd data = {home}/osd
[client.rgw]
rgw data = {home}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port}
"""


@dataclass(frozen=True)
class ObjectStore:
    """The server's address, and a client of its own for the tests."""

    endpoint: str

    @property
    def client(self) -> Any:
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(request_checksum_calculation="when_required"),
        )

    def keys(self, prefix: str) -> list[str]:
        answer = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for entry in answer.get("Contents", ())]

    def unfinished(self, prefix: str) -> list[str]:
        answer = self.client.list_multipart_uploads(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for entry in answer.get("Uploads", ())]

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=body)


@contextlib.contextmanager
def running_object_store() -> Iterator[ObjectStore]:
    """Starts the server on free ports with an empty bucket; skips without its Debian packages."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        reason = f"no S3 server: {missing[0]} is missing; apt-get install radosgw ceph-mon ceph-osd"
        if "s3" in os.environ.get(REQUIRED, "").split(","):
            pytest.fail(reason)
        pytest.skip(reason)
    with contextlib.ExitStack() as stack:
        store = _started(stack)
        store.client.create_bucket(Bucket=BUCKET)
        yield store


@tenacity.retry(stop=tenacity.stop_after_attempt(3), reraise=True)
def _started(stack: contextlib.ExitStack) -> ObjectStore:
    """Ceph's daemons, made for clusters of many, now and then do not find each other at a first start."""
    with contextlib.ExitStack() as attempt:
        # Not below pytest's own folder: the daemons' sockets need a short path.
        folder = attempt.enter_context(tempfile.TemporaryDirectory(prefix="s3-", ignore_cleanup_errors=True))
        store = _start(Path(folder), attempt)
        stack.push(attempt.pop_all())
    return store


def _start(home: Path, stack: contextlib.ExitStack) -> ObjectStore:
    for name in ("mon", "osd", "rgw"):
        (home / name).mkdir()
    mon_port, port, first_port = free_port(), free_port(), free_port()
    ports = {"mon_port": mon_port, "port": port, "first_port": first_port, "last_port": first_port + 50}
    fsid, osd = str(uuid.uuid4()), str(uuid.uuid4())
    configuration = home / "ceph.conf"
    configuration.write_text(_CONFIGURATION.format(fsid=fsid, home=home, **ports))

    def run(program: str, *arguments: str) -> None:
        command = [program, "-c", str(configuration), *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def daemon(program: str, *arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [program, "-c", str(configuration), *arguments, "-f"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(process.wait)
        stack.callback(process.kill)  # it keeps everything in memory: there is nothing to close
        return process

    monmap = str(home / "monmap")
    address = f"[v1:127.0.0.1:{mon_port}]"
    run("monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", address, monmap)
    run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)
    daemon("ceph-mon", "-i", "a")
    run("ceph", "--connect-timeout", "30", "osd", "new", osd)
    run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
    store_daemon = daemon("ceph-osd", "-i", "0")
    daemon("radosgw", "-n", "client.rgw")
    store = ObjectStore(f"http://127.0.0.1:{port}")
    deadline = time.monotonic() + 60
    while not _answers(store.endpoint):
        assert time.monotonic() < deadline, "the S3 server does not answer"
        if store_daemon.poll() is not None:  # a monitor that has only just started may refuse it
            store_daemon = daemon("ceph-osd", "-i", "0")
        time.sleep(0.1)
    keys = ("--access-key", ACCESS_KEY, "--secret", SECRET_KEY)
    run("radosgw-admin", "user", "create", "--uid", "lake", "--display-name", "lake", *keys)
    return store


def _answers(address: str) -> bool:
    try:
        return httpx.get(address).is_success
    except httpx.TransportError:
        return False
