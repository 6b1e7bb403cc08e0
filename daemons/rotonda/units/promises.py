"""The promise on the disk: up to which serial a table may have come (see `rotoro.table.stored`)."""

from __future__ import annotations

from threading import Lock

from rotonda.units.state import Folder
from rotoro.table.sealed import BadStored
from rotoro.table.stored import Promise

SERIALS = "serials"
"""The kind of file that a promise is."""

_MAX_OCTETS = 1024


class Promises:
    """The promise on the disk, made by whichever thread needs it; while a life goes on it only ever rises.

    All methods raise OSError if the disk fails.
    """

    def __init__(self, folder: Folder) -> None:
        self.epoch: int | None = None
        self._serial = -1
        self._folder = folder
        self._turn = Lock()

    def read(self) -> Promise:
        """What is promised; raises BadStored or Refused if nothing is."""
        octets = self._folder.read(SERIALS, _MAX_OCTETS)
        if octets is None:
            raise BadStored(f"there is no {self._folder.shown(SERIALS)}")
        return Promise.read(octets)

    def raise_to(self, epoch: int, serial: int) -> None:
        """Have the disk cover all serials up to this one."""
        with self._turn:
            if epoch != self.epoch or serial > self._serial:
                self._keep(epoch, serial)

    def end_at(self, epoch: int, serial: int) -> None:
        """Have the disk say that this was the last serial."""
        with self._turn:
            self._keep(epoch, serial)

    def _keep(self, epoch: int, serial: int) -> None:
        self._folder.replace(SERIALS, [Promise(epoch, serial).write()])
        self.epoch, self._serial = epoch, serial
