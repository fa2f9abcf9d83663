from collections.abc import Iterator

import pytest

from lakehouse_tests.observability.alerts.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver().start()
    yield receiver
    receiver.stop()
