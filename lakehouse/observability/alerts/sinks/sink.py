"""What every sink can do."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from lakehouse.observability.alerts.alert import Alert
from lakehouse.observability.alerts.notification import Message


class Sink(BaseModel):
    """A receiver of messages, as declared."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @abstractmethod
    def send(self, message: Message) -> None:
        """Hand a message over; when it returns, the receiver has it.

        Raises:
            TransientError: the receiver is down or busy.
            PermanentError: it refused this message.
        """

    def remind(self, alerts: Sequence[Alert], *, now: datetime, runbooks: str) -> None:
        """Tell what is still firing, for receivers that forget what they are not told again. Raises as `send`."""
