"""A Python source installed from a package index, which here is a folder with one wheel, and synced."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse.embedded.airbyte.connectors.installation import install_package
from lakehouse.embedded.airbyte.connectors.installed import installed
from lakehouse.embedded.errors import EmbeddedError
from lakehouse_tests.embedded.airbyte.fixtures import AirbyteServer

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("fake_source.py")


def publish(folder: Path, version: str) -> None:
    """A wheel `airbyte-source-tiny` whose command is the fake source of the other tests."""
    info = f"airbyte_source_tiny-{version}.dist-info"
    files = {
        "source_tiny.py": f"import runpy\ndef run():\n    runpy.run_path({str(PROGRAM)!r}, run_name='__main__')\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: airbyte-source-tiny\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nsource-tiny = source_tiny:run\n",
    }
    with zipfile.ZipFile(folder / f"airbyte_source_tiny-{version}-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
        wheel.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    return folder


def test_a_package_is_installed_used_and_replaced(
    index: Path, airbyte_of_its_own: Callable[..., AirbyteServer]
) -> None:
    server = airbyte_of_its_own()
    publish(index, "1.0")
    first = install_package(server.home, "source-tiny")
    assert (first.type, first.version) == ("tiny", "1.0")
    streams = [{"name": "things", "syncMode": "full_refresh_overwrite"}]
    connection = server.connect({"rows": 4}, "tiny", streams)
    assert connection.records(connection.sync()) == {"things": 4}

    publish(index, "2.0")
    second = install_package(server.home, "tiny")
    assert [connector.version for connector in installed(server.home)] == ["2.0"]
    assert not Path(first.folder).exists()
    assert Path(second.folder).exists()
    assert connection.records(connection.sync()) == {"things": 4}


def test_what_the_index_does_not_have_leaves_nothing(index: Path, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"cannot install airbyte-source-nosuch: .*nosuch"):
        install_package(tmp_path, "source-nosuch")
    assert installed(tmp_path) == []
    assert not (tmp_path / "connectors" / "nosuch").exists()
