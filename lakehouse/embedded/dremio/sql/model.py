"""What passes between the SQL front (`sql/`) and the engine: statements, resolved datasets, plans.

`parse(text) -> Statement` knows only grammar; `plan(query, resolver, candidates) -> Plan` asks the
`Resolver` for datasets and gives one DuckDB SELECT over placeholder tables that the executor binds to files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from sqlglot import exp

Path = tuple[str, ...]
"""A dataset's path as the user wrote it, unquoted: ("lake", "gold", "fct_orders")."""


class SqlError(Exception):
    """A statement that is refused: unknown grammar, name or function. One line: what, where, remedy."""


@dataclass(frozen=True)
class Column:
    """`type` is a Dremio type name as in INFORMATION_SCHEMA: BIGINT, DECIMAL(12, 2), TIMESTAMP, CHARACTER VARYING ..."""

    name: str
    type: str
    nullable: bool = True


@dataclass(frozen=True)
class Version:
    """Time travel: AT SNAPSHOT '<id>' or AT TIMESTAMP '<timestamp>'."""

    kind: Literal["snapshot", "timestamp"]
    value: str


@dataclass(frozen=True)
class Relation:
    """A resolved dataset. A view has `sql` (Dremio SQL, to be expanded by the planner); a table has none."""

    path: Path
    columns: tuple[Column, ...]
    kind: Literal["table", "view", "system"]
    sql: str | None = None


class Resolver(Protocol):
    """The engine's catalogue as the planner sees it."""

    def resolve(self, path: Path, version: Version | None = None) -> Relation:
        """The dataset at `path`, matched case-insensitively. Raises SqlError naming the path when there is none."""


@dataclass(frozen=True)
class Scan:
    """One base table that a plan reads; the executor makes `placeholder` a DuckDB view over its files."""

    placeholder: str
    path: Path
    version: Version | None
    columns: tuple[str, ...]
    """Columns the query uses (empty: only the row count matters)."""


@dataclass(frozen=True)
class ReflectionCandidate:
    """A built, fresh, enabled reflection that the matcher may use."""

    reflection_id: str
    dataset: Path
    type: Literal["RAW", "AGGREGATION"]
    display: tuple[str, ...] = ()
    dimensions: tuple[tuple[str, Literal["DATE", "NORMAL"]], ...] = ()
    """(column, granularity): DATE dimensions of timestamp columns are stored truncated to the day."""
    measures: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """(column, ("SUM", "COUNT", "MIN", "MAX")); a hidden COUNT(*) is always stored."""
    rows: int = 0


@dataclass(frozen=True)
class ReflectionUse:
    """What the matcher decided for one candidate, as the job profile reports it."""

    reflection_id: str
    dataset: Path
    relationship: Literal["CONSIDERED", "MATCHED", "CHOSEN"]
    reason: str = ""
    """Why it was not chosen, for people."""


@dataclass(frozen=True)
class Plan:
    """One runnable query.

    `sql` is DuckDB SQL over the placeholders of `scans` and of `reflections`
    (placeholder of a chosen reflection: its `reflection_scans` entry).
    """

    sql: str
    names: tuple[str, ...]
    """Result column names as Dremio gives them: as written, EXPR$0, duplicates suffixed 0, 1, ..."""
    scans: tuple[Scan, ...]
    reflection_scans: tuple[tuple[str, str], ...] = ()
    """(placeholder, reflection_id) of the reflections the plan reads instead of base tables."""
    uses: tuple[ReflectionUse, ...] = ()
    datasets: tuple[Path, ...] = ()
    """Every table and view that the query names, views' own inputs included (queriedDatasets, grants)."""


@dataclass(frozen=True)
class PartitionField:
    """transform: identity, year, month, day, hour, bucket, truncate; `argument` is the bucket count or width."""

    column: str
    transform: str = "identity"
    argument: int | None = None


@dataclass(frozen=True)
class Statement:
    """Root of all statements; `text` is the SQL as received without its leading comment."""

    text: str = field(kw_only=True, default="")


@dataclass(frozen=True)
class Query(Statement):
    tree: exp.Expression
    """Dremio-dialect AST, names untouched, views not yet expanded."""


@dataclass(frozen=True)
class CreateTable(Statement):
    path: Path
    query: exp.Expression | None
    columns: tuple[Column, ...] = ()
    if_not_exists: bool = False
    or_replace: bool = False
    partition_by: tuple[PartitionField, ...] = ()
    sort_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class CreateView(Statement):
    path: Path
    query: exp.Expression
    query_text: str
    or_replace: bool = False
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drop(Statement):
    path: Path
    kind: Literal["TABLE", "VIEW"]
    if_exists: bool = False


@dataclass(frozen=True)
class Insert(Statement):
    path: Path
    columns: tuple[str, ...]
    query: exp.Expression
    """A SELECT or VALUES."""


@dataclass(frozen=True)
class Delete(Statement):
    path: Path
    where: exp.Expression | None
    alias: str | None = None


@dataclass(frozen=True)
class Update(Statement):
    path: Path
    assignments: tuple[tuple[str, exp.Expression], ...]
    where: exp.Expression | None
    alias: str | None = None


@dataclass(frozen=True)
class Merge(Statement):
    path: Path
    tree: exp.Expression
    """The sqlglot Merge node."""


@dataclass(frozen=True)
class AlterTable(Statement):
    path: Path
    action: Literal["add_columns", "drop_column", "alter_column", "refresh_metadata", "refresh_reflections"]
    columns: tuple[Column, ...] = ()
    """add_columns: the new ones; drop_column: one; alter_column: the new name and type."""
    column: str | None = None


@dataclass(frozen=True)
class SetDefaultReflection(Statement):
    """ALTER VDS|PDS|DATASET x SET enable_default_reflection = true|false."""

    path: Path
    enabled: bool


@dataclass(frozen=True)
class CreateFolder(Statement):
    path: Path
    if_not_exists: bool = False


@dataclass(frozen=True)
class Show(Statement):
    """SHOW SCHEMAS | SHOW TABLES [IN path] | SHOW VIEWS [IN path] (optionally LIKE pattern)."""

    what: Literal["SCHEMAS", "TABLES", "VIEWS"]
    path: Path = ()
    like: str | None = None


@dataclass(frozen=True)
class Describe(Statement):
    path: Path


@dataclass(frozen=True)
class Explain(Statement):
    """EXPLAIN PLAN FOR <query>: validated and planned, not run."""

    query: exp.Expression


@dataclass(frozen=True)
class Parsed:
    """For callers that log: the statement and the comment dbt put in front of it."""

    statement: Statement
    comment: str = ""


Candidates = Sequence[ReflectionCandidate]
