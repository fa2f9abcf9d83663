"""Declared dashboards as the archive that Superset imports: ids are derived, so an import again replaces."""

from __future__ import annotations

import hashlib
import io
import json
import uuid
import zipfile
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import yaml

from lakehouse.catalog.boards import DeclaredBoard, Shown
from lakehouse.catalog.charts import Board, Chart, NumberChart
from lakehouse.catalog.datasets import Model
from lakehouse.clients.superset.charts import form_of, query_context_of, viz_type
from lakehouse.settings import Settings

DATABASE = "Lakehouse"
CERTIFIED_BY = "lakehouse"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "lakehouse/superset")
_MASK = "XXXXXXXXXX"  # what Superset writes in the place of a password
_DATABASE_FILE = "databases/lakehouse.yaml"
_ROOT = "lakehouse"
_ANY_TIME = (2020, 1, 1, 0, 0, 0)  # the same content gives the same archive
_NUMBER_HEIGHT, _CHART_HEIGHT = 20, 50  # in Superset's grid units of 8 pixels
_Json = dict[str, Any]


def identity(*path: str) -> str:
    """The id of a thing in Superset, which is always the same."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(path)))


@dataclass(frozen=True)
class Bundle:
    """What is imported for one dashboard."""

    slug: str
    files: dict[str, _Json]
    passwords: dict[str, str] = field(repr=False)
    digest: str
    """Tells whether anything is to be imported; the dashboard in Superset carries that of its last import."""

    def archive(self) -> bytes:
        """The zip file of `POST /api/v1/assets/import/`."""
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in sorted(self.files.items()):
                entry = zipfile.ZipInfo(f"{_ROOT}/{name}", _ANY_TIME)
                archive.writestr(entry, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
        return sink.getvalue()


def bundle_of(declared: DeclaredBoard, settings: Settings, password: str) -> Bundle:
    """Everything that the dashboard needs: Dremio, its models, its charts and itself.

    Args:
        password: that of the user by which Superset reads Dremio.
    """
    slug = declared.dashboard.name
    files: dict[str, _Json] = {
        "metadata.yaml": {"version": "1.0.0", "type": "assets", "timestamp": "2020-01-01T00:00:00+00:00"},
        _DATABASE_FILE: _database(settings),
    }
    for dataset in declared.datasets.values():
        files[f"datasets/lakehouse/{dataset.name}.yaml"] = _dataset(dataset)
    for name, chart in declared.board.charts.items():
        files[f"charts/{slug}__{name}.yaml"] = _chart(slug, name, chart, declared.datasets[chart.dataset])
    digest = hashlib.sha256(
        json.dumps([files, _dashboard(declared, ""), password], sort_keys=True).encode()
    ).hexdigest()[:16]
    files[f"dashboards/{slug}.yaml"] = _dashboard(declared, digest)
    return Bundle(slug, files, {_DATABASE_FILE: password}, digest)


def dremio_uri(settings: Settings) -> str:
    """SQLAlchemy's address of Dremio with a masked password."""
    section, dremio = settings.superset, settings.dremio
    options = "UseEncryption=false"
    if dremio.tls:
        options = "UseEncryption=true"
        if not section.dremio_verify:
            options += "&DisableCertificateVerification=true"
        elif section.dremio_ca:
            options += f"&TrustedCerts={quote(str(section.dremio_ca))}"
    if section.dialect == "plain":
        options += (
            "&routing_tag=timestamps-ns"  # the local engine then sends timestamps that this driver can read
        )
    host = section.dremio_host or dremio.host
    return f"dremio+flight://{quote(dremio.user, safe='')}:{_MASK}@{host}:{dremio.flight_port}/?{options}"


def _database(settings: Settings) -> _Json:
    return {
        "database_name": DATABASE,
        "sqlalchemy_uri": dremio_uri(settings),
        "expose_in_sqllab": True,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "extra": {"allows_virtual_table_explore": True},
        "uuid": identity("database"),
        "version": "1.0.0",
    }


def _dataset(shown: Shown) -> _Json:
    temporal = [column.name for column in shown.columns if column.type in ("date", "timestamp")]
    main = shown.partition_by.column if isinstance(shown, Model) and shown.partition_by else None
    return {
        # Superset's SQLite metadata allows a name once in all: they are unique in the project.
        "table_name": shown.name,
        "schema": f"{shown.relation.database}.{shown.relation.schema}",
        "description": shown.description,
        "main_dttm_col": main or (temporal[0] if temporal else None),
        "columns": [
            {
                "column_name": column.name,
                "verbose_name": column.name.replace("_", " ").capitalize(),
                "type": column.type.upper(),
                "is_dttm": column.name in temporal,
                "is_active": True,
                "groupby": True,
                "filterable": True,
                "description": column.description,
            }
            for column in shown.columns
        ],
        "metrics": [{"metric_name": "count", "expression": "COUNT(*)", "verbose_name": "COUNT(*)"}],
        "uuid": identity("dataset", *shown.relation.parts),
        "database_uuid": identity("database"),
        "version": "1.0.0",
    }


def _chart(slug: str, name: str, chart: Chart, dataset: Shown) -> _Json:
    return {
        "slice_name": chart.title,
        "viz_type": viz_type(chart),
        "params": form_of(chart, dataset),
        "query_context": json.dumps(query_context_of(chart, dataset)),
        "uuid": identity("chart", slug, name),
        "dataset_uuid": identity("dataset", *dataset.relation.parts),
        "is_managed_externally": True,
        "version": "1.0.0",
    }


def _dashboard(declared: DeclaredBoard, digest: str) -> _Json:
    dashboard = declared.dashboard
    return {
        "dashboard_title": dashboard.label,
        "description": dashboard.description,
        "slug": dashboard.name,
        "certified_by": CERTIFIED_BY,
        "certification_details": digest,
        "published": True,
        "uuid": identity("dashboard", dashboard.name),
        "position": _position(dashboard.label, dashboard.name, declared.board),
        "metadata": {"color_scheme": "supersetColors", "refresh_frequency": 0, "cross_filters_enabled": True},
        "is_managed_externally": True,
        "version": "1.0.0",
    }


def _position(title: str, slug: str, board: Board) -> _Json:
    rows = [f"ROW-{number}" for number in range(len(board.rows))]
    position: _Json = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": rows, "parents": ["ROOT_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": title}},
    }
    numbers = {name: number for number, name in enumerate(board.charts, start=1)}
    for row, widths in zip(rows, board.rows, strict=True):
        above = ["ROOT_ID", "GRID_ID"]
        position[row] = {
            "type": "ROW", "id": row, "children": [f"CHART-{name}" for name in widths], "parents": above,
            "meta": {"background": "BACKGROUND_TRANSPARENT"},
        }  # fmt: skip
        figures = all(isinstance(board.charts[name], NumberChart) for name in widths)
        for name, width in widths.items():
            position[f"CHART-{name}"] = {
                "type": "CHART",
                "id": f"CHART-{name}",
                "children": [],
                "parents": [*above, row],
                "meta": {
                    "chartId": numbers[name],
                    "uuid": identity("chart", slug, name),
                    "sliceName": board.charts[name].title,
                    "width": width,
                    "height": _NUMBER_HEIGHT if figures else _CHART_HEIGHT,
                },
            }
    return position
