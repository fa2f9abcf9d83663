"""What the followed rows of a table hang on beside the log, which does not tell when it changes.

It is kept in the stream's state: another one than at the last sync means that changes are missing from the log.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from lakehouse.embedded.airbyte.connectors.postgres.tables import Table
from lakehouse.embedded.airbyte.connectors.streams import Place
from lakehouse.embedded.airbyte.protocol import ConnectorError

# Rows of the catalog name the transaction (xmin) and the command in it (cmin) that wrote them. Attaching a table
# writes its columns' rows again; of one that was made as a partition, some are as old as those of system columns.
_IDENTITIES = sql.SQL("""
SELECT c.oid::int8,
       jsonb_build_array(
           (SELECT r.oid::int8 FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = c.oid),
           {of_schemas}, CASE WHEN p.puballtables THEN p.oid::int8 END, p.xmin::text::int8),
       (SELECT jsonb_object_agg(a.attnum, a.attname) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       coalesce(parts.known, '{{}}'), coalesce(parts.doubtful, '[]')
FROM pg_class c
LEFT JOIN pg_publication p ON p.pubname = {publication}
LEFT JOIN LATERAL (
    SELECT jsonb_object_agg(n.oid, jsonb_build_array(n.relfilenode::int8, i.xmin::text::int8)) AS known,
           jsonb_agg(n.oid::text) FILTER (WHERE n.relfilenode NOT IN (0, n.oid) OR NOT EXISTS (
               SELECT FROM pg_attribute a JOIN pg_attribute s ON s.attrelid = a.attrelid AND s.attnum = -1
               WHERE a.attrelid = n.oid AND a.attnum > 0 AND NOT a.attisdropped
                 AND a.xmin = s.xmin AND a.cmin = s.cmin
           ) AND (SELECT sum(pg_relation_size(leaf.relid)) FROM pg_partition_tree(n.oid) leaf) > 0) AS doubtful
    FROM pg_partition_tree(c.oid) t JOIN pg_inherits i ON i.inhrelid = t.relid JOIN pg_class n ON n.oid = t.relid
) parts ON c.relkind = 'p'
WHERE c.oid = ANY({tables}::oid[])
""")
_OF_SCHEMAS = """
(SELECT s.oid::int8 FROM pg_publication_namespace s WHERE s.pnpubid = p.oid AND s.pnnspid = c.relnamespace)
"""
_SCHEMAS_SINCE = 150000  # a publication of all tables of a schema


@dataclass(frozen=True)
class Identity:
    """Of one table. Keys of mappings are texts, as in the JSON that a state is."""

    table_oid: int
    publication: list[int | None]
    """Which rows of the catalog have the table published; publishing it again makes another one."""
    columns: dict[str, str]
    """Names by number; a column keeps its number when it is renamed."""
    partitions: dict[str, list[int]]
    """Of each partition below the table, by oid: its file, and the transaction that attached it."""
    doubtful: frozenset[str]
    """Those partitions that would hold, or have held, rows which the log does not tell, were they new."""

    def to_state(self) -> dict[str, Any]:
        """What a later read compares."""
        return {
            "table_oid": self.table_oid,
            "publication": self.publication,
            "columns": self.columns,
            "partitions": self.partitions,
        }

    def why_anew(self, state: Mapping[str, Any], selected: Collection[str]) -> str | None:
        """Why the log does not lead from a state on to the table with these columns selected; None when it does.

        What the state of an earlier version does not have is not compared.
        """
        if state["table_oid"] != self.table_oid:
            return "the table was made anew"
        if state.get("publication", self.publication) != self.publication:
            return "the publication did not have the table all the time, or was altered"
        for name in selected:
            moved = self._moved(state.get("columns", self.columns), name)
            if moved is not None:
                return moved
        known = state.get("partitions", self.partitions)
        if any(self.partitions.get(oid) != was for oid, was in known.items()):
            return "a partition was detached, dropped, truncated or rewritten"
        if not self.doubtful <= known.keys():
            return "a partition with rows of its own was attached"
        return None

    def _moved(self, known: Mapping[str, str], name: str) -> str | None:
        number = next((number for number, column in self.columns.items() if column == name), None)
        if number is not None and known.get(number, name) != name:
            return f"column {name} was {known[number]}"
        if name in known.values() and known.get(number or "") != name:
            return f"column {name} was dropped and made anew"
        return None


def identities(
    connection: psycopg.Connection[Any], publication: str, tables: Mapping[Place, Table]
) -> dict[Place, Identity]:
    """The identities of streams' tables; read before a snapshot or a position in the log, nothing slips through.

    Raises ConnectorError when a table has just gone.
    """
    since = connection.info.server_version >= _SCHEMAS_SINCE
    query = _IDENTITIES.format(
        of_schemas=sql.SQL(_OF_SCHEMAS if since else "NULL::int8"),
        publication=publication,
        tables=[table.oid for table in tables.values()],
    )
    found = {
        oid: Identity(oid, published, columns, partitions, frozenset(doubtful))
        for oid, published, columns, partitions, doubtful in connection.execute(query)
    }
    for table in tables.values():
        if table.oid not in found:
            problem = f"table {table.schema}.{table.name} went away while its read began"
            raise ConnectorError(f"{problem}; the next attempt looks for it again", kind="transient_error")
    return {place: found[table.oid] for place, table in tables.items()}
