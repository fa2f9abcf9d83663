"""Run by the Python of Superset's environment: what a driver gives for statements, and what sqlglot makes of SQL.

Reads a JSON object from stdin (`url`, `plain`: sqlalchemy-dremio as it is, `queries`, `statements`, `catalogue`); prints one.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import sqlalchemy as sa
import sqlglot
from lakehouse_dremio import register
from lakehouse_sql import DremioAsWritten
from sqlglot.dialects.dremio import Dremio


def main() -> None:
    asked = json.load(sys.stdin)
    if not asked["plain"]:
        register()
    engine = sa.create_engine(asked["url"], poolclass=sa.pool.NullPool)
    answer = {
        "dialect": type(engine.dialect).__module__,
        "queries": {name: attempted(query, engine, sql) for name, sql in asked.get("queries", {}).items()},
        "catalogue": {
            name: attempted(look, engine) for name, look in CATALOGUE.items() if asked.get("catalogue")
        },
        "written": {sql: written(sql, DremioAsWritten) for sql in asked.get("statements", [])},
        "written_by_sqlglot": {sql: written(sql, Dremio) for sql in asked.get("statements", [])},
    }
    print(json.dumps(answer))


def attempted(action: Any, *arguments: Any) -> Any:
    try:
        return action(*arguments)
    except Exception as error:  # noqa: BLE001  the tests look at what is raised
        return {"error": f"{type(error).__name__}: {error}"}


def query(engine: Any, sql: str) -> dict[str, Any]:
    connection = engine.raw_connection()
    cursor = connection.cursor()
    cursor.execute(sql)
    kinds = [str(column[1]) for column in cursor.description]
    return {"types": kinds, "rows": [[repr(value) for value in row] for row in cursor.fetchall()]}


def columns_of(table: str, schema: str) -> Any:
    def look(engine: Any) -> dict[str, str]:
        found = sa.inspect(engine).get_columns(table, schema)
        return {column["name"]: column["type"].compile(dialect=engine.dialect) for column in found}

    return look


def truth(engine: Any) -> str:
    online = sa.column("online", sa.Boolean)
    compiled = (
        sa.select([online]).where(online.is_(True)).compile(engine, compile_kwargs={"literal_binds": True})
    )
    return str(compiled)


CATALOGUE = {
    "schemas": lambda engine: sa.inspect(engine).get_schema_names(),
    "tables": lambda engine: sa.inspect(engine).get_table_names("lake.gold"),
    "views": lambda engine: sa.inspect(engine).get_view_names("lake.gold"),
    "has": lambda engine: [
        sa.inspect(engine).has_table(name, "lake.gold") for name in ("probe", "it's not there")
    ],
    "columns": columns_of("probe", "lake.gold"),
    "missing": columns_of("nowhere", "lake.gold"),
    "true": truth,
}


def written(sql: str, dialect: Any) -> str:
    return sqlglot.parse_one(sql, dialect=dialect).sql(dialect=dialect)


if __name__ == "__main__":
    main()
