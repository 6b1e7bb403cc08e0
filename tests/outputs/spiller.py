"""A process that sends numbered records without end to a broker that takes none: they wait on disk.

    python -m tests.outputs.spiller FOLDER

It tells how many are on the disk, each time there are more, a number a line.
"""

from __future__ import annotations

import sys
from itertools import count
from typing import Any

from rotonda.outputs.broker import BrokerStream
from rotonda.outputs.overflow import Overflow, QueueSettings
from twisted.internet import reactor as installed_reactor
from twisted.internet.task import LoopingCall

from tests.outputs.carriers import Puppet, numbered
from tests.outputs.records import seen

TOGETHER = 50
QUEUE = 100


def main(folder: str) -> None:
    """Run until killed."""
    reactor: Any = installed_reactor
    queue = QueueSettings(QUEUE, Overflow.SPILL, folder, 1 << 30)
    stream = BrokerStream("s", numbered, Puppet(), queue, reactor)
    numbers, told = count(), 0

    def send() -> None:
        nonlocal told
        stream.send_all([seen(next(numbers)) for _ in range(TOGETHER)])
        if stream.spilled > told:
            told = stream.spilled
            print(told, flush=True)

    stream.startService()
    LoopingCall(send).start(0.005)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
