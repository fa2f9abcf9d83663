"""The Iceberg catalogue of the lake: SQLite on a laptop, a REST catalogue elsewhere."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.errors import ConfigurationError, TransientError
from lakehouse.lake.filesystem import s3_region

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

    from lakehouse.settings import Settings

CATALOG_NAME = "lake"
NAMESPACES = ("bronze", "silver", "gold")

BRONZE_PROPERTIES = {
    "format-version": "2",
    "write.format.default": "parquet",
    "write.parquet.compression-codec": "snappy",
    "write.parquet.row-group-limit": "1000000",
    "write.parquet.page-size-bytes": str(1024 * 1024),
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    # A merge that lost the race must be computed again from the new table, never be replayed onto it.
    "commit.retry.num-retries": "0",
}
"""Properties of every bronze table; the Parquet figures are those of SPECIFICATION."""

_SQLITE_BUSY_SECONDS = 30
_FIRST_USE_ATTEMPTS = 10


def open_catalog(settings: Settings) -> Catalog:
    """The catalogue, with the namespaces bronze, silver and gold. Safe when several processes use it first.

    Raises:
        ConfigurationError: a REST catalogue without an address, or one that refuses the credential.
        TransientError: the catalogue's database or service does not answer.
    """
    catalog = _open_rest(settings) if settings.iceberg.type == "rest" else _open_sql(settings)
    _ensure_namespaces(catalog)
    return catalog


def storage_properties(settings: Settings) -> dict[str, str]:
    """The pyiceberg file-IO options of the lake (https://py.iceberg.apache.org/configuration/#fileio)."""
    s3 = settings.s3
    properties = {
        "s3.endpoint": s3.endpoint,
        "s3.region": s3_region(settings),
        "s3.access-key-id": s3.access_key_id,
        "s3.secret-access-key": s3.secret_access_key.get_secret_value() if s3.secret_access_key else None,
    }
    return {name: value for name, value in properties.items() if value} | {
        "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO"
    }


def _open_rest(settings: Settings) -> Catalog:
    from pyiceberg.catalog.rest import RestCatalog
    from pyiceberg.exceptions import RESTError

    if not settings.iceberg.uri:
        raise ConfigurationError(
            "a REST catalogue needs an address",
            where="LAKEHOUSE_ICEBERG__URI",
            remedy="set it to the catalogue's HTTP address, such as http://127.0.0.1:19120/iceberg",
        )
    properties = {"uri": settings.iceberg.uri, "warehouse": settings.lake}
    if settings.iceberg.credential:
        properties["credential"] = settings.iceberg.credential.get_secret_value()
    try:
        return RestCatalog(CATALOG_NAME, **properties, **storage_properties(settings))
    except RESTError as error:
        raise ConfigurationError(
            f"the Iceberg catalogue refused: {_first_line(error)}",
            where=settings.iceberg.uri,
            remedy="correct LAKEHOUSE_ICEBERG__CREDENTIAL",
        ) from error
    except OSError as error:  # requests' errors are OSErrors
        raise TransientError(
            f"the Iceberg catalogue does not answer: {_first_line(error)}",
            where=settings.iceberg.uri,
            remedy="start it, or correct LAKEHOUSE_ICEBERG__URI",
        ) from error


def _open_sql(settings: Settings) -> Catalog:
    from pyiceberg.catalog.sql import SqlCatalog
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import OperationalError

    url = make_url(settings.iceberg_uri)
    if url.get_backend_name() == "sqlite":
        if url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        # Writers of other tables hold SQLite's lock for milliseconds: wait, do not fail.
        url = url.update_query_dict({"timeout": str(_SQLITE_BUSY_SECONDS)})
    properties = {
        "uri": url.render_as_string(hide_password=False),
        "warehouse": settings.lake,
        **storage_properties(settings),
    }
    for attempt in range(_FIRST_USE_ATTEMPTS):
        try:
            return SqlCatalog(CATALOG_NAME, **properties)
        except OperationalError as error:
            # Two processes that both found no tables both create them; the later one finds them next time.
            failure = error
            time.sleep(0.05 * (attempt + 1))
    raise TransientError(
        f"the Iceberg catalogue does not open: {_first_line(failure)}",
        where=str(url),
        remedy="check LAKEHOUSE_ICEBERG__URI and the directory's permissions",
    ) from failure


def _ensure_namespaces(catalog: Catalog) -> None:
    from pyiceberg.exceptions import NamespaceAlreadyExistsError
    from sqlalchemy.exc import IntegrityError

    existing = {namespace[0] for namespace in catalog.list_namespaces()}
    for namespace in NAMESPACES:
        if namespace not in existing:
            try:
                catalog.create_namespace(namespace)
            except (NamespaceAlreadyExistsError, IntegrityError):
                continue  # another process was quicker


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
