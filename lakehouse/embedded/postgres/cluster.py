"""The data directory of PostgreSQL (a "database cluster" in its documentation): made once, used for ever."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lakehouse.embedded.errors import EmbeddedError
from lakehouse.embedded.postgres.account import hand_over
from lakehouse.embedded.postgres.binaries import binary

_TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Cluster:
    """`<home>/data`, and the user whose it is."""

    home: Path
    account: pwd.struct_passwd | None

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def identity(self) -> tuple[int, int] | None:
        """User and group id to become, or None to stay who we are."""
        return (self.account.pw_uid, self.account.pw_gid) if self.account else None

    def exists(self) -> bool:
        return (self.data / "PG_VERSION").is_file()

    def create(self, user: str, password: str) -> None:
        """Make the cluster with a superuser `user`, in one step: a kill in the middle leaves nothing behind.

        Raises:
            EmbeddedError: initdb failed; holds its last line.
        """
        draft = self.home / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if self.account:
            hand_over(draft, self.account)
        with tempfile.NamedTemporaryFile("w", dir=self.home, prefix=".password-") as password_file:
            password_file.write(password + "\n")
            password_file.flush()
            if self.account:
                os.chown(password_file.name, self.account.pw_uid, self.account.pw_gid)
            options = ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-instructions"]
            # The built-in provider sorts and folds case alike on every machine, whatever locales it has.
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            self._run("initdb", "-D", str(draft), "-U", user, f"--pwfile={password_file.name}", *options)
        draft.rename(self.data)

    def set_login(self, user: str, password: str) -> None:
        """Make `user` a superuser with this password. The server must not be running.

        Uses single-user mode, which asks for no password.

        Raises:
            EmbeddedError: PostgreSQL refused; holds its last line.
        """
        name, secret = user.replace('"', '""'), password.replace("'", "''")
        exists = f"EXISTS (SELECT FROM pg_roles WHERE rolname = '{user.replace(chr(39), chr(39) * 2)}')"
        create = f'DO $do$ BEGIN IF NOT {exists} THEN CREATE ROLE "{name}"; END IF; END $do$;'
        alter = f"ALTER ROLE \"{name}\" SUPERUSER LOGIN PASSWORD '{secret}';"
        self._run("postgres", "--single", "-D", str(self.data), "postgres", text=f"{create}\n{alter}\n")

    def _run(self, program: str, *arguments: str, text: str | None = None) -> None:
        uid, gid = self.identity or (None, None)
        done = subprocess.run(
            [str(binary(program)), *arguments],
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
            cwd=self.home if not self.account else "/",
            user=uid,
            group=gid,
            extra_groups=None if uid is None else [],
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
        )
        # Single-user mode exits with 0 even when a statement failed.
        failed = [line for line in done.stderr.splitlines() if "ERROR:" in line or "FATAL:" in line]
        if done.returncode != 0 or failed:
            lines = failed or done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise EmbeddedError(f"{program} failed: {lines[-1].strip()}", where=str(self.data))
