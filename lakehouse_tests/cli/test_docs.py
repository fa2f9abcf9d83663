"""The documentation of the real project, generated over a real engine and asked for over HTTP."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pyarrow as pa
import pytest

from lakehouse_tests.warehouse import running_warehouse

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-m", "lakehouse.cli", "docs"]


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "LAKEHOUSE_HOME": str(home)}


@contextmanager
def served(home: Path) -> Iterator[str]:
    """The address of `lakehouse docs serve`."""
    command = [*COMMAND, "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment(home), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        found = re.match(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())
        assert found
        try:
            yield found[0]
        finally:
            server.terminate()


def test_generated_and_served(tmp_path: Path) -> None:
    refused = subprocess.run(
        [*COMMAND, "serve"], env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "no documentation yet; lakehouse docs generate" in refused.stderr.replace("\n", " ")

    with running_warehouse(tmp_path) as warehouse:
        warehouse.land("shop__customers", pa.table({"customer_id": pa.array([1], pa.int64())}))
        command = [*COMMAND, "generate"]
        done = subprocess.run(
            command, env=environment(warehouse.home), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    page = Path(done.stdout.strip())
    catalog = json.loads((page.parent / "catalog.json").read_text())
    assert catalog["sources"]["source.lakehouse.shop.shop__customers"]["columns"].keys() == {"customer_id"}
    with served(warehouse.home) as address:
        answer = httpx.get(address)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
        assert "When the version began, UTC, inclusive." in answer.text  # what the project says
        assert '"shop__customers"' in answer.text
        assert httpx.get(f"{address}dbt.log").status_code == 404
    # It needs no other server.
    assert not re.search(r'(?:src|href)="https?://[^"]+\.(?:js|css)"', answer.text)
