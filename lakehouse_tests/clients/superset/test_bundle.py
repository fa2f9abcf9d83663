"""What is imported into Superset for a dashboard of the project."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr

from lakehouse.clients.superset.bundle import Bundle, bundle_of, dremio_uri
from lakehouse.defs.project import declared_boards
from lakehouse.settings import Settings, load_settings
from lakehouse.settings_sections import DremioSettings, SupersetSettings


def settings(home: Path, dremio: DremioSettings | None = None, **superset: object) -> Settings:
    section = SupersetSettings(url="http://superset:8088", password=SecretStr("x"), **superset)  # type: ignore[arg-type]
    changed = {"superset": section, "dremio": dremio or DremioSettings()}
    return load_settings(home).model_copy(update=changed)


def bundle(home: Path, password: str = "secret-of-dremio") -> Bundle:
    return bundle_of(declared_boards()["customer_analytics"], settings(home), password)


def test_the_same_declaration_is_the_same_archive(tmp_path: Path) -> None:
    first, second = bundle(tmp_path), bundle(tmp_path)
    assert first.archive() == second.archive()
    assert first.digest == second.digest != bundle(tmp_path, "another password").digest


def test_the_password_is_beside_the_archive_and_not_in_it(tmp_path: Path) -> None:
    made = bundle(tmp_path)
    assert made.passwords == {"databases/lakehouse.yaml": "secret-of-dremio"}
    with zipfile.ZipFile(io.BytesIO(made.archive())) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert {name.split("/")[0] for name in texts} == {"lakehouse"}
    assert not [name for name, text in texts.items() if "secret-of-dremio" in text]
    assert "secret-of-dremio" not in repr(made)
    database = yaml.safe_load(texts["lakehouse/databases/lakehouse.yaml"])
    assert (
        database["sqlalchemy_uri"]
        == "dremio+flight://lakehouse:XXXXXXXXXX@127.0.0.1:32010/?UseEncryption=false"
    )


def test_every_reference_has_its_file(tmp_path: Path) -> None:
    files = bundle(tmp_path).files
    by_folder = {
        folder: {content["uuid"] for name, content in files.items() if name.startswith(folder)}
        for folder in ("databases", "datasets", "charts")
    }
    datasets = [content for name, content in files.items() if name.startswith("datasets")]
    charts = [content for name, content in files.items() if name.startswith("charts")]
    assert {content["database_uuid"] for content in datasets} == by_folder["databases"]
    assert {content["dataset_uuid"] for content in charts} == by_folder["datasets"]
    position = files["dashboards/customer_analytics.yaml"]["position"]
    placed = {
        item["meta"]["uuid"]
        for item in position.values()
        if isinstance(item, dict) and item["type"] == "CHART"
    }
    assert placed == by_folder["charts"]
    assert all(json.loads(chart["query_context"])["form_data"] == chart["params"] for chart in charts)


@pytest.mark.parametrize(
    ("dremio", "superset", "uri"),
    [
        ({"tls": True}, {}, "@127.0.0.1:32010/?UseEncryption=true"),
        ({"tls": True}, {"dremio_ca": "/etc/ca.pem"}, "?UseEncryption=true&TrustedCerts=/etc/ca.pem"),
        ({"tls": True}, {"dremio_verify": False}, "?UseEncryption=true&DisableCertificateVerification=true"),
        ({}, {"dialect": "plain"}, "/?UseEncryption=false&routing_tag=timestamps-ns"),
        ({"user": "a@b"}, {"dremio_host": "dremio"}, "//a%40b:XXXXXXXXXX@dremio:32010/?UseEncryption=false"),
    ],
)
def test_how_superset_reaches_dremio(
    tmp_path: Path, dremio: dict[str, object], superset: dict[str, object], uri: str
) -> None:
    made = settings(tmp_path, DremioSettings(**dremio), **superset)  # type: ignore[arg-type]
    assert dremio_uri(made).endswith(uri)
