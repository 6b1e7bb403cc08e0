"""The specification holds: what is derived is up to date, and every example runs, under both runners."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

import rotoro
from rotoro.derive.__main__ import stale
from rotoro.wire import ROTORO
from rotoro.wire.shape import every_pdu
from tests.data import ROOT


def modules() -> list[ModuleType]:
    """Every module of the protocol."""
    names = (info.name for info in pkgutil.walk_packages(rotoro.__path__, "rotoro."))
    return [importlib.import_module(name) for name in names]


class DerivedTests(SynchronousTestCase):
    def test_up_to_date(self) -> None:
        """If this fails: `python -m rotoro.derive`, and look at what changed."""
        self.assertEqual("".join(stale(ROOT / "spec").values()), "")


class AgreementTests(SynchronousTestCase):
    def test_every_pdu_is_described(self) -> None:
        """The text says what each PDU is for, in capitals, under the name that heads its layout."""
        text = " ".join((ROOT / "spec" / "rotoro.md").read_text().split())
        own = [pdu for pdu in every_pdu() if pdu.versions == (ROTORO,)]
        self.assertEqual([pdu.title for pdu in own if pdu.title.upper() not in text], [])


class ExampleTests(SynchronousTestCase):
    def test_modules(self) -> None:
        tried = 0
        for module in modules():
            result = doctest.testmod(module)
            tried += result.attempted
            self.assertEqual(result.failed, 0, module.__name__)
        self.assertGreater(tried, 20)

    def test_specification(self) -> None:
        for path in sorted((ROOT / "spec").rglob("*.md")):
            result = doctest.testfile(str(path), module_relative=False)
            self.assertEqual(result.failed, 0, path.name)
