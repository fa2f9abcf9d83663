"""Platform errors in a run: one line, and tried again only where that can help."""

import dagster as dg
import pytest

from lakehouse.defs import failures
from lakehouse.defs.automation.execute import Runner, RunResult
from lakehouse.defs.failures import as_failures
from lakehouse.errors import PermanentError, TransientError


def run(*outcomes: Exception | None) -> tuple[int, RunResult]:
    """How often an asset was tried that fails so, one attempt after another, and the run's result."""
    left = list(outcomes)

    @dg.asset
    def shaky(context: dg.AssetExecutionContext) -> None:
        with as_failures(context):
            if error := left.pop(0):
                raise error

    runner = Runner(dg.Definitions(assets=[shaky]), dg.DagsterInstance.ephemeral(), "test")
    result = runner.run([shaky.key])
    return len(outcomes) - len(left), result


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "_FIRST_PAUSE_SECONDS", 0)


def test_a_transient_error_is_tried_again() -> None:
    down = TransientError("does not answer", where="Airbyte")
    tries, result = run(down, None)
    assert (tries, result.succeeded) == (2, True)
    tries, result = run(down, down, down, None)
    assert (tries, result.failures) == (3, ("shaky: Airbyte: does not answer",))


def test_a_permanent_error_is_not() -> None:
    tries, result = run(PermanentError("is gone", where="the table"), None)
    assert (tries, result.failures) == (1, ("shaky: the table: is gone",))
