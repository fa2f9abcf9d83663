"""The operating-system user that PostgreSQL runs as: it refuses to run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from lakehouse.embedded.errors import EmbeddedError

ACCOUNT = "lakehouse-postgres"


def postgres_account() -> pwd.struct_passwd | None:
    """The user to run PostgreSQL as: a dedicated one when we are root (created if missing), else None.

    Raises:
        EmbeddedError: the user is missing and cannot be created.
    """
    if os.geteuid() != 0:
        return None
    return _existing() or _created()


def hand_over(directory: Path, account: pwd.struct_passwd) -> None:
    """Give one directory, and what is in it, to the account."""
    for path in (directory, *directory.rglob("*")):
        if path.lstat().st_uid != account.pw_uid:
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)


def make_traversable(path: Path) -> list[Path]:
    """Let other users pass through (not list) the parent directories of `path`.

    Returns:
        The directories whose mode had to change, by `o+x` and no more.
    """
    changed = []
    for parent in path.resolve().parents:
        mode = stat.S_IMODE(parent.stat().st_mode)
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)
            changed.append(parent)
    return changed


def _existing() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        return None


def _created() -> pwd.struct_passwd:
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd is None:
        raise EmbeddedError(
            "PostgreSQL does not run as root, and there is no useradd to create a user for it",
            where="postgres",
            remedy=f"create the user {ACCOUNT}, or run as an ordinary user",
        )
    options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    made = subprocess.run(
        [useradd, *options, "--shell", "/usr/sbin/nologin", ACCOUNT],
        capture_output=True,
        text=True,
        check=False,
    )
    # Another server may have created it at the same moment, which makes this one fail.
    account = _existing()
    if account is None:
        raise EmbeddedError(
            f"cannot create the user {ACCOUNT}: {made.stderr.strip() or made.returncode}",
            where="postgres",
            remedy="create it by hand, or run as an ordinary user",
        )
    return account
