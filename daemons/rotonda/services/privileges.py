"""What a daemon that root started gives up once its ports are bound: everything that only root can do.

`twistd --uid USER` changes the user between binding ports and starting services; without it, a daemon stays root by
name and owns root's files, but has none of the kernel's capabilities, nor a way to get them back by running something.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from struct import pack

from twisted.application.service import Service
from twisted.logger import Logger

_SET_NO_NEW_PRIVILEGES, _DROP_FROM_BOUNDING_SET, _AMBIENT, _CLEAR_ALL = 38, 24, 47, 4
"""Of Linux's prctl(2)."""

_CAPABILITIES_VERSION = 0x20080522
_SETS = 3 * 2
"""Words: effective, permitted and inheritable capabilities, the lower 32 and the upper 32 of each."""

_LAST = Path("/proc/sys/kernel/cap_last_cap")


class Privileges(Service):
    """Gives them up when the daemon starts; its ports are bound before (`privilegedStartService`)."""

    log = Logger()

    def startService(self) -> None:
        """From now on this process can do no more than any user."""
        super().startService()
        if not sys.platform.startswith("linux"):
            return
        try:
            give_up()
        except OSError as wrong:
            self.log.error("privileges cannot be given up: {why}", why=wrong.strerror)
            return
        if os.geteuid() == 0:
            self.log.warn("started by root: privileges are given up, the name is not; better say twistd --uid USER")


def give_up() -> None:
    """Keep no capability of Linux, in no set, for this process and what it runs; OSError if that cannot be."""
    libc = ctypes.CDLL(None, use_errno=True)
    _do(libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    if os.geteuid() == 0:
        for number in range(int(_LAST.read_text()) + 1):
            libc.prctl(_DROP_FROM_BOUNDING_SET, number, 0, 0, 0)  # what is not there cannot be dropped
    libc.prctl(_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    header = ctypes.create_string_buffer(pack("=Ii", _CAPABILITIES_VERSION, 0))
    _do(libc.capset(header, ctypes.create_string_buffer(bytes(4 * _SETS))))


def _do(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
