"""source-files from an FTP and an SFTP server, each a real one."""

from __future__ import annotations

import asyncio
import builtins
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import ThreadedFTPServer

from lakehouse.embedded.airbyte.connectors.files.listing import URL
from lakehouse.embedded.airbyte.connectors.files.source import FilesSource, read_direct
from lakehouse.embedded.airbyte.connectors.streams import ConfiguredStream
from lakehouse.embedded.airbyte.protocol import ConnectorError
from lakehouse.embedded.airbyte.records import LandingBatch

STREAMS = [{"name": "s", "globs": ["sub/*.csv"], "format": {"filetype": "csv"}}]
PASSWORD = {"auth_type": "password", "password": "right"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.csv").write_text("x\n1\n2\n")
    (tmp_path / "other.csv").write_text("y\n1\n")
    os.utime(tmp_path / "sub" / "a.csv", (1_700_000_000,) * 2)
    return tmp_path


@pytest.fixture
def ftp(folder: Path) -> Iterator[dict[str, Any]]:
    authorizer = DummyAuthorizer()
    authorizer.add_user("anna", "right", str(folder))
    handler = type("Handler", (FTPHandler,), {"authorizer": authorizer})
    server = ThreadedFTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    root = f"ftp://127.0.0.1:{server.address[1]}/"
    yield {"root": root, "username": "anna", "credentials": PASSWORD, "streams": STREAMS}
    server.close_all()
    thread.join(5)


class _OneUser(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("anna", "right")


@pytest.fixture
def sftp(folder: Path) -> Iterator[dict[str, Any]]:
    loop = asyncio.new_event_loop()
    key = asyncssh.generate_private_key("ssh-ed25519")

    async def start() -> Any:
        return await asyncssh.listen(
            "127.0.0.1", 0, server_factory=_OneUser, server_host_keys=[key],
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(folder)),
        )  # fmt: skip

    server = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield {
        "host": "127.0.0.1", "port": server.get_port(), "username": "anna", "credentials": PASSWORD,
        "folder_path": "/", "streams": STREAMS,
    }  # fmt: skip
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["ftp", "sftp"])
def test_files_of_a_server_are_read_and_a_wrong_password_is_refused(
    protocol: str, request: pytest.FixtureRequest
) -> None:
    configuration = request.getfixturevalue(protocol)
    (stream,) = FilesSource().discover(configuration)
    configured = ConfiguredStream.from_json({"stream": stream, "sync_mode": "incremental"})
    batches = [i for i in read_direct(configuration, configured, None) if isinstance(i, LandingBatch)]
    rows = [(int(row["x"]), row[URL]) for batch in batches for row in batch.rows.to_pylist()]
    assert rows == [(1, "sub/a.csv"), (2, "sub/a.csv")]
    wrong = {**configuration, "credentials": {**PASSWORD, "password": "wrong"}}
    with pytest.raises(ConnectorError, match="refuses the credentials") as caught:
        FilesSource().check(wrong)
    assert caught.value.kind == "config_error"
    assert "\n" not in str(caught.value)


def test_sftp_without_its_extra_says_which_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = builtins.__import__

    def without_paramiko(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name == "paramiko":
            raise ImportError(name)
        return plain(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without_paramiko)
    configuration = {"host": "h", "username": "u", "credentials": PASSWORD, "streams": STREAMS}
    with pytest.raises(ConnectorError, match=r"need the extra sftp: pip install 'lakehouse\[sftp\]'"):
        FilesSource().check(configuration)
