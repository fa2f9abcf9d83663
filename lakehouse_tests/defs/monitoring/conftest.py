from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse_tests.defs.monitoring.watched import Watched
from lakehouse_tests.observability.alerts.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver().start()
    yield receiver
    receiver.stop()


@pytest.fixture
def watched(tmp_path: Path, receiver: Receiver) -> Iterator[Watched]:
    """A small graph with an instance of its own, whose alerts go to the receiver."""
    watched = Watched(tmp_path, receiver)
    yield watched
    watched.instance.dispose()
