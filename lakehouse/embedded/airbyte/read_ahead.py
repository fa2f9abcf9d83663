"""Several iterators consumed as one, each advanced in a thread: the next items are read while one is used."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from queue import Empty, Queue, SimpleQueue
from typing import TypeVar

_AHEAD = 2  # items made while one is used
T = TypeVar("T")


def read_ahead(readers: Sequence[Iterator[T]], threads: int) -> Iterator[T]:
    """What the readers give, as it comes; the items of one reader in their order.

    At most `threads` readers are read at once. Raises what the first failing reader raises.

    >>> sorted(read_ahead([iter([1, 2]), iter([3])], threads=2))
    [1, 2, 3]
    """
    waiting: SimpleQueue[Iterator[T]] = SimpleQueue()
    for reader in readers:
        waiting.put(reader)
    queue: Queue[_Item[T] | BaseException | None] = Queue(_AHEAD)

    def produce() -> None:
        try:
            with contextlib.suppress(Empty):
                while True:
                    for item in waiting.get_nowait():
                        queue.put((item,))
            queue.put(None)
        except BaseException as error:  # noqa: BLE001 - handed to the consumer, which raises it
            queue.put(error)

    at_work = min(threads, len(readers))
    for _ in range(at_work):
        threading.Thread(target=produce, daemon=True).start()
    while at_work:
        item = queue.get()
        if isinstance(item, BaseException):
            raise item
        if item is None:
            at_work -= 1
        else:
            yield item[0]


_Item = tuple[T]
