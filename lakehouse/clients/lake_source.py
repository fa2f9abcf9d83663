"""The lake as Dremio sees it: one source over the Iceberg catalogue, one folder a layer."""

from __future__ import annotations

from typing import Any

from lakehouse.clients.dremio import DremioClient
from lakehouse.settings import Settings

SOURCE = "lake"
FOLDERS = ("bronze", "silver", "gold")


def lake_source(settings: Settings) -> tuple[str, dict[str, Any]]:
    """(type, config) of the source for `POST /api/v3/catalog`.

    A REST catalogue is Dremio's RESTCATALOG. A SQL catalogue is SQLCATALOG, which only the embedded engine
    knows: a real Dremio cannot read one and says so.
    """
    properties, secrets = _storage_properties(settings)
    if settings.iceberg.type == "rest":
        if settings.iceberg.credential is not None:
            secrets["credential"] = settings.iceberg.credential.get_secret_value()
        properties["warehouse"] = settings.lake
        config = {
            "restEndpointUri": settings.iceberg_uri,
            "enableAsync": True,
            "isCachingEnabled": True,
            "propertyList": _pairs(properties),
            "secretPropertyList": _pairs(secrets),
        }
        return "RESTCATALOG", config
    config = {
        "uri": settings.iceberg_uri,
        "warehouse": settings.lake,
        "propertyList": _pairs(properties | secrets),
    }
    return "SQLCATALOG", config


def prepare_dremio(settings: Settings) -> list[str]:
    """Make sure the lake's source and folders are there; says what was created. Safe to repeat.

    Raises:
        ServiceDownError, ServiceRefusedError: Dremio is down, or refuses the credentials or the source.
    """
    source_type, config = lake_source(settings)
    created: list[str] = []
    with DremioClient(settings.dremio) as dremio:
        if dremio.ensure_source(SOURCE, source_type, config):
            created.append(SOURCE)
        for folder in FOLDERS:
            if dremio.ensure_folder(SOURCE, folder):
                created.append(f"{SOURCE}.{folder}")
    return created


def _storage_properties(settings: Settings) -> tuple[dict[str, str], dict[str, str]]:
    """S3 options under the names of the reader: Hadoop's for Dremio, pyiceberg's for the embedded engine."""
    if not settings.lake.startswith("s3://"):
        return {}, {}
    s3, hadoop = settings.s3, settings.iceberg.type == "rest"
    secret = s3.secret_access_key.get_secret_value() if s3.secret_access_key else None
    values = [
        ("fs.s3a.endpoint" if hadoop else "s3.endpoint", s3.endpoint),
        ("fs.s3a.endpoint.region" if hadoop else "s3.region", s3.region),
        ("fs.s3a.path.style.access" if hadoop else "s3.path-style-access", "true" if s3.endpoint else None),
        ("fs.s3a.access.key" if hadoop else "s3.access-key-id", s3.access_key_id),
    ]
    secrets = [("fs.s3a.secret.key" if hadoop else "s3.secret-access-key", secret)]
    return {k: v for k, v in values if v}, {k: v for k, v in secrets if v}


def _pairs(properties: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in properties.items()]
