"""`lakehouse version`."""

from __future__ import annotations


def version() -> None:
    """Print the version of the lakehouse and of what it is made of."""
    from importlib.metadata import version as installed
    from platform import python_version

    from lakehouse import __version__

    print(f"lakehouse {__version__}")
    print(f"python {python_version()}")
    for package in ("dagster", "dagster-airbyte", "dbt-core", "dbt-dremio", "duckdb", "pyarrow", "pyiceberg"):
        print(f"{package} {installed(package)}")
