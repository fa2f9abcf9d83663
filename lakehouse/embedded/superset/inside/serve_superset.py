"""Bring Superset's metadata up to date, make sure of the service user, and serve.

Run by the Python of Superset's environment. One process prepares and then serves: loading Superset takes seconds.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Any

import superset
from gunicorn.app.base import BaseApplication
from superset.app import create_app

ADMINISTRATOR = "Admin"


def prepare(app: Any) -> bool:
    """Migrate the metadata database; permissions, roles and the service user follow a migration.

    Returns:
        Whether it was migrated.
    """
    from superset.extensions import appbuilder, db, security_manager

    with app.app_context():
        migrated = _migrate(db.engine)
        user = security_manager.find_user(username=os.environ["SUPERSET_USER"])
        if migrated or user is None:
            print("permissions and roles", flush=True)
            appbuilder.add_permissions(update_perms=True)
            security_manager.sync_role_definitions()
        _ensure_user(security_manager, user)
        db.session.remove()
        db.engine.dispose()  # a worker is a fork of this process and may not share its connections
    return migrated


def _migrate(engine: Any) -> bool:
    """Whether anything was to be done."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from flask_migrate import upgrade

    folder = str(Path(superset.__file__).parent / "migrations")
    with engine.connect() as connection:
        current = set(MigrationContext.configure(connection).get_current_heads())
    if current == set(ScriptDirectory(folder).get_heads()):
        return False
    print("migrating the metadata database", flush=True)
    upgrade(directory=folder)
    return True


def _ensure_user(security_manager: Any, user: Any) -> None:
    name, password = os.environ["SUPERSET_USER"], os.environ["SUPERSET_PASSWORD"]
    if user is None:
        role = security_manager.find_role(ADMINISTRATOR)
        if not security_manager.add_user(name, "Lakehouse", "Service", f"{name}@localhost", role, password):
            sys.exit(f"the service user {name} cannot be made")
        return
    from werkzeug.security import check_password_hash

    if not check_password_hash(user.password, password):
        security_manager.reset_password(user.id, password)


class Server(BaseApplication):
    """Gunicorn over an application that is loaded already."""

    def __init__(self, app: Any, options: dict[str, Any]) -> None:
        self._app = app
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self._app


def main() -> None:
    os.umask(0o077)
    Path(os.environ["SUPERSET_HOME"]).mkdir(parents=True, exist_ok=True)
    app = create_app()
    if prepare(app):
        # Migrations configure logging for themselves and silence everything else: begin again without them.
        os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606
    gc.collect()
    gc.freeze()  # what is loaded stays: looking through it again and again would hold up requests
    Server(
        app,
        {
            "bind": os.environ["SUPERSET_BIND"],
            "worker_class": "gthread",
            "workers": 2,
            "threads": 8,
            "timeout": 120,
            "graceful_timeout": 5,
            "keepalive": 65,
            "preload_app": True,
        },
    ).run()


if __name__ == "__main__":
    main()
