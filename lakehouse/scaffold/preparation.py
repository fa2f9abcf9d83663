"""What a Postgres user may not do yet, as the SQL that somebody with more rights has to run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

_SERVER = """
SELECT current_setting('wal_level') = 'logical' AS logical,
       rolsuper OR rolreplication
       OR EXISTS (SELECT FROM pg_roles m WHERE m.rolname = 'rds_replication' AND pg_has_role(m.oid, 'MEMBER'))
       AS may_replicate,
       EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = :slot)
       OR (SELECT count(*) FROM pg_replication_slots) + 1 < current_setting('max_replication_slots')::int
       AS free_slot,
       has_database_privilege(current_database(), 'CREATE') AS may_create,
       (SELECT pg_has_role(pubowner, 'USAGE') FROM pg_publication WHERE pubname = :publication) AS may_extend
FROM pg_roles WHERE rolname = current_user
"""
# A table without a key is not followed: were it published, Postgres would refuse its owner's own updates.
_TABLES = """
SELECT c.relname AS name, has_schema_privilege(n.oid, 'USAGE') AS enterable,
       has_table_privilege(c.oid, 'SELECT') AS readable, pg_has_role(c.relowner, 'USAGE') AS owned,
       keyed, keyed AND c.relpersistence = 'p' AS followed, c.relreplident = 'n' AS unidentified,
       EXISTS (SELECT FROM pg_publication_tables p
               WHERE p.pubname = :publication AND p.schemaname = n.nspname AND p.tablename = c.relname) AS published
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) AS keyed) k
WHERE n.nspname = :schema AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
ORDER BY c.relname
"""


class Preparation:
    """The tables of a source's schema, and what its user lacks.

    The tables that methods take are those to be read; without any, those that have a key: the readable ones, or all
    of them if none is.
    """

    def __init__(self, connection: Connection, configuration: Mapping[str, Any]) -> None:
        import sqlalchemy as sa

        self._connection = connection
        self._method: Mapping[str, str] = configuration["replication_method"]
        self._quote = connection.dialect.identifier_preparer.quote
        self._user = self._quote(configuration["username"])
        (schema,) = configuration["schemas"][:1]
        self._schema = self._quote(schema)
        asked = {"publication": self._method.get("publication"), "schema": schema}
        self._tables: Sequence[Row[Any]] = connection.execute(sa.text(_TABLES), asked).all()

    def grants(self, tables: Collection[str]) -> list[str]:
        """The SQL that lets the user read the tables."""
        wanted = self._wanted(tables)
        statements = []
        if not all(table.enterable for table in wanted):
            statements.append(f"GRANT USAGE ON SCHEMA {self._schema} TO {self._user};")
        if unreadable := [table for table in wanted if not table.readable]:
            statements.append(self._grant(unreadable))
        return statements

    def log(self, tables: Collection[str]) -> list[str]:
        """The SQL that lets the user follow the tables by the log, where that is asked for."""
        return list(self._log(self._wanted(tables))) if self._method["method"] == "CDC" else []

    def unreadable(self) -> dict[str, str]:
        """The tables with a key that are not offered, because the user may not read them; each with its remedy."""
        wanted = {table.name for table in self._wanted(())}
        hidden = [table for table in self._tables if table.keyed and table.name not in wanted]
        return {table.name: f"{self._user} may not read it; run {self._grant([table])}" for table in hidden}

    def _wanted(self, tables: Collection[str]) -> list[Row[Any]]:
        if tables:
            return [table for table in self._tables if table.name in tables]
        keyed = [table for table in self._tables if table.keyed]
        return [table for table in keyed if table.readable] or keyed

    def _grant(self, tables: Collection[Row[Any]]) -> str:
        return f"GRANT SELECT ON {self._listed(tables)} TO {self._user};"

    def _listed(self, tables: Collection[Row[Any]]) -> str:
        return ", ".join(f"{self._schema}.{self._quote(table.name)}" for table in tables)

    def _log(self, wanted: Collection[Row[Any]]) -> Iterator[str]:
        import sqlalchemy as sa

        slot, publication = self._method["replication_slot"], self._method["publication"]
        asked = {"slot": slot, "publication": publication}
        server = self._connection.execute(sa.text(_SERVER), asked).one()
        if not server.logical:
            yield "ALTER SYSTEM SET wal_level = 'logical'; /* then restart the server */"
        if not server.free_slot:
            yield "ALTER SYSTEM SET max_replication_slots = 20; /* then restart the server */"
        if not server.may_replicate:
            yield f"ALTER ROLE {self._user} REPLICATION;"
        followed = [table for table in wanted if table.followed]
        for table in followed:
            if table.unidentified:
                yield f"ALTER TABLE {self._listed([table])} REPLICA IDENTITY DEFAULT;"
        missing = [table for table in followed if not table.published]
        may = server.may_create if server.may_extend is None else server.may_extend
        if not missing or (may and all(table.owned for table in missing)):
            return
        named, listed = self._quote(publication), self._listed(missing)
        if server.may_extend is None:
            yield f"CREATE PUBLICATION {named} FOR TABLE {listed} WITH (publish_via_partition_root = true);"
        else:
            yield f"ALTER PUBLICATION {named} ADD TABLE {listed};"
