"""Whether the declared key of a dataset is one: no two rows have it, and every row has it."""

from __future__ import annotations

from typing import Any

import dagster as dg

from lakehouse.catalog.datasets import BronzeTable
from lakehouse.defs.checks.look import Dataset, Facts, Kind, Look

NAME = "keys_are_unique"
_MOST, _EXAMPLES = 1000, 5


def key_of(dataset: Dataset) -> tuple[str, ...]:
    """The columns of the declared key."""
    return dataset.primary_key if isinstance(dataset, BronzeTable) else dataset.unique_key


def _look_at(dataset: Dataset, look: Look) -> Facts:
    from lakehouse.clients.dremio import quoted

    whole = not look.is_of_days(dataset)
    if whole and (lately := look.spared(dataset, NAME, dataset)):
        return lately
    columns = [quoted(column) for column in key_of(dataset)]
    key, missing = ", ".join(columns), " OR ".join(f"{column} IS NULL" for column in columns)
    found = look.ask(
        dataset,
        f'{key}, COUNT(*) AS "times"',
        rest=f'GROUP BY {key} HAVING COUNT(*) > 1 OR {missing} ORDER BY "times" DESC LIMIT {_MOST}',
    )
    lacking = [row for row in found if None in row.values()]
    repeated = [row for row in found if None not in row.values()]
    rows = sum(row["times"] for row in lacking)
    told = [
        *(
            [f"keys of more than one row: {_counted(repeated)}, such as {_examples(repeated)}"]
            if repeated
            else []
        ),
        *([f"rows without their key: {rows}"] if lacking else []),
    ]
    return {
        "passed": not found,
        "severity": dg.AssetCheckSeverity.ERROR,
        "description": "; ".join(told) or None,
        "metadata": {
            "key": ", ".join(key_of(dataset)),
            "days": "all" if whole else " to ".join(look.days or ()),
            "repeated_keys": len(repeated),
            "repeated_rows": sum(row["times"] for row in repeated),
            "rows_without_key": rows,
            **(look.asked_now() if whole else {}),
        },
    }


def _counted(repeated: list[dict[str, Any]]) -> str:
    return f"{len(repeated)} or more" if len(repeated) >= _MOST else str(len(repeated))


def _examples(repeated: list[dict[str, Any]]) -> str:
    """
    >>> _examples([{"id": 7, "line": "a", "times": 2}])
    '7/a (2)'
    """
    rows = ((*row.values(),) for row in repeated[:_EXAMPLES])
    return ", ".join(f"{'/'.join(str(part) for part in key)} ({times})" for *key, times in rows)


KEYS_ARE_UNIQUE = Kind(
    NAME, "No two rows have the same key, and none lacks it.", lambda d: bool(key_of(d)), _look_at
)
