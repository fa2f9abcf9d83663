"""dbt's documentation of every dataset, with the columns and sizes that Dremio tells, as one page."""

from __future__ import annotations

from pathlib import Path

from lakehouse.clients.lake_source import prepare_dremio
from lakehouse.defs.project import PROJECT_DIR
from lakehouse.defs.transformation.runner import Invocation
from lakehouse.errors import PermanentError
from lakehouse.settings import Settings


def docs_page(settings: Settings) -> Path:
    """Where the page is kept; it needs no other file, and no network."""
    return settings.home / "docs" / "dbt" / "static_index.html"


def generate_docs(settings: Settings, project_dir: Path = PROJECT_DIR) -> Path:
    """Write the page anew, and give its place.

    Raises:
        ServiceDownError, ServiceRefusedError: Dremio is down or refuses the credentials.
        PermanentError: dbt could not run, or not read all of Dremio's catalogue.
    """
    prepare_dremio(settings)
    page = docs_page(settings)
    page.unlink(missing_ok=True)  # dbt ends well, and without a page, when the catalogue cannot be read
    arguments = ["docs", "generate", "--static"]
    invocation = Invocation(arguments, target=page.parent, environ=settings.environ, project_dir=project_dir)
    for _ in invocation.events():
        pass
    if not invocation.succeeded or not page.is_file():
        failures = "; ".join(invocation.failures()) or "it wrote no page"
        raise PermanentError(failures, where="dbt docs generate", remedy=f"see {page.parent / 'dbt.log'}")
    return page
