"""Which revision a metadata database has, and the migrations from it to this version's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from lakehouse.errors import ConfigurationError

if TYPE_CHECKING:
    from alembic.config import Config

_VERSION = sa.table("alembic_version", sa.column("version_num"))


def revision_of(connection: sa.Connection) -> str | None:
    """The migration that the database is at; None for an empty one. Without alembic, whose import takes time."""
    if not sa.inspect(connection).has_table(_VERSION.name):
        return None
    return connection.execute(sa.select(_VERSION.c.version_num)).scalar_one_or_none()


def bring_up_to_date(connection: sa.Connection, where: str) -> None:
    """Apply the missing migrations in the connection's transaction; rows are kept.

    Raises:
        ConfigurationError: the database is of a revision that this version does not know.
    """
    from alembic import command
    from alembic.script import ScriptDirectory

    config = configuration(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    current = revision_of(connection)
    if current is not None and current not in known:
        raise ConfigurationError(
            f"the metadata database is at revision {current!r}, which this version of lakehouse does not know",
            where=where,
            remedy="a newer version wrote it: use that, or another LAKEHOUSE_METADATA__URL",
        )
    command.upgrade(config, "head")


def configuration(connection: sa.Connection) -> Config:
    """What alembic has to know: the migrations, and the connection that they run on."""
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
