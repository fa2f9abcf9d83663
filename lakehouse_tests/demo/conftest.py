"""One Postgres for the tests of a worker; the shop in it is made by whoever needs one."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from lakehouse.demo.shop import connect
from lakehouse.embedded.ports import free_port
from lakehouse.errors import ServiceDownError
from lakehouse.settings_sections import PostgresSettings

PASSWORD = "a-password-of-the-tests"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresSettings]:
    directory = tmp_path_factory.mktemp("postgres")
    (directory / "password").write_text(PASSWORD + "\n")
    settings = PostgresSettings(port=free_port(), user="lakehouse", password=SecretStr(PASSWORD))
    command = ["serve", "postgres", "--home", str(directory / "home"), "--port", str(settings.port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "lakehouse.cli", *command, "--password-file", str(directory / "password")],
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None, "Postgres died at its start"
            assert time.monotonic() < deadline, "Postgres does not answer"
            try:
                with connect(settings, "postgres"):
                    break
            except ServiceDownError:
                time.sleep(0.1)
        yield settings
    finally:
        process.terminate()
        process.wait(30)
