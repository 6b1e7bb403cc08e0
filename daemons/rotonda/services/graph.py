"""What a daemon runs that is given a file of the block language: one instance of it, read again on SIGHUP."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger
from twisted.python import usage

from rotonda.blocks.check import check
from rotonda.blocks.program import Program
from rotonda.blocks.render import text
from rotonda.cli.files import Unreadable, read
from rotonda.graph.instance import Instance
from rotonda.graph.plan import CannotRun
from rotonda.graph.server import limits_of
from rotonda.services.limits import enough_descriptors
from rotonda.services.privileges import Privileges
from rotonda.units.hangup import Hangup


class BadFile(Exception):
    """A file that cannot be run; says why, in lines for people."""


def read_program(path: Path) -> Program:
    """The program of a file. Raises BadFile."""
    try:
        source = read(str(path))
    except Unreadable as wrong:
        raise BadFile(str(wrong)) from None
    program, found = check(source)
    if program is None:
        raise BadFile(text(source, found))
    return program


class GraphDaemon(MultiService):
    """Runs one instance of a file. Raises BadFile and CannotRun."""

    log = Logger()

    def __init__(self, reactor: Any, path: Path, instance: str | None) -> None:
        super().__init__()
        self._path = path
        self._reading = self._again = False
        self.instance = Instance(reactor, read_program(path), instance)
        self.instance.setServiceParent(self)
        Hangup(reactor).setServiceParent(self)

    def reopen(self) -> None:
        """Read the file again, and run what it says now, or run on as before."""
        if self._reading:
            self._again = True
            return
        self._reading = True
        done = ensureDeferred(self._reload())
        done.addErrback(lambda bug: self.log.failure("{path}: reload failed", bug, path=self._path))

    async def _reload(self) -> None:
        try:
            told = await self.instance.reload(read_program(self._path))
        except (BadFile, CannotRun) as wrong:
            self.log.error("{path} is not taken, everything runs on:\n{wrong}", path=self._path, wrong=wrong)
        else:
            self.log.info("{path} is in force: units {told}", path=self._path, told=told)
        finally:
            self._reading = False
            if self._again:
                self._again = False
                self.reopen()


def graph_daemon(reactor: Any, options: usage.Options) -> GraphDaemon:
    """The daemon that `--config` asks for. What is wrong goes to standard error, and the exit status is 2."""
    try:
        daemon = GraphDaemon(reactor, options["config"], options["instance"])
    except (BadFile, CannotRun) as wrong:
        print(wrong, file=sys.stderr)
        raise SystemExit(2) from None
    enough_descriptors(limits_of(daemon.instance.plan.daemon))
    Privileges().setServiceParent(daemon)
    return daemon
