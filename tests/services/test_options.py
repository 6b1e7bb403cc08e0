"""Tests for the command lines of L{rotonda.services}."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from rotonda.services import connector, rib, router
from rotonda.units.keeping import KeepAt
from rotonda.units.policy_unit import AnyUnit
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.endpoints import Connect, HostPort, Listen
from rotoro.session.negotiation import Mode


class OptionTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "file"
        self.file.touch()

    def test_connector(self) -> None:
        options = connector.Options()
        options.parseOptions(["--mrt", str(self.file), "--vrps", str(self.file), "--listen", "[::1]:0", str(self.file)])
        self.assertEqual(options["mrt"], [self.file, self.file])
        self.assertEqual(options["vrps"], [self.file])
        self.assertEqual(options["listen"], [Listen(HostPort("::1", 0))])
        self.assertFalse(options["keep-expired"])

    def test_files_keep_their_order_wherever_options_stand(self) -> None:
        second, third = (self.file.with_name(name) for name in ("second", "third"))
        second.touch()
        third.touch()
        files = list(map(str, (self.file, second, third)))
        for words in [
            ["--mrt", files[0], files[1], files[2], "--vrps", files[0], "--keep-expired"],
            ["--mrt", files[0], files[1], "--keep-expired", "--mrt", files[2], "--vrps", files[0]],
            [files[0], "--vrps", files[0], files[1], f"--mrt={files[2]}", "--keep-expired"],
        ]:
            with self.subTest(words=words):
                options = connector.Options()
                options.parseOptions(words)
                self.assertEqual(options["mrt"], [self.file, second, third])
                self.assertEqual((options["vrps"], options["keep-expired"]), ([self.file], 1))

    def test_rib(self) -> None:
        options = rib.Options()
        options.parseOptions(["--west", "192.0.2.1:8323", "--west", "8323", "--http", "0", "--mode", "rotoro"])
        self.assertEqual(options["west"], [Connect(HostPort("192.0.2.1", 8323)), Connect(HostPort("127.0.0.1", 8323))])
        self.assertEqual((options["http"].where.port, options["mode"]), (0, Mode.ROTORO))

    def test_router(self) -> None:
        options = router.Options()
        options.parseOptions(["--cache", "cache.example.net:323", "--cache", "h:1,preference=2", "--patience", "0.5"])
        caches = [Connect(HostPort("cache.example.net", 323)), Connect(HostPort("h", 1), preference=2)]
        self.assertEqual((options["cache"], options["mode"], options["patience"]), (caches, Mode.AUTO, 0.5))

    def test_what_is_kept_and_what_is_said_in_the_end(self) -> None:
        for made, words in [
            (connector, ["--vrps", str(self.file)]),
            (rib, ["--west", "h:1"]),
            (router, ["--cache", "h:1"]),
        ]:
            options = made.Options()
            options.parseOptions(words)
            self.assertIsNone(options["keep"], "nothing is kept unless somebody says where")
            options = made.Options()
            options.parseOptions([*words, "--state", "/var/lib/x", "--state-max-age", "3600"])
            self.assertEqual(options["keep"], KeepAt(Path("/var/lib/x"), 3600.0))
            if made is not router:
                self.assertEqual(options["goodbye"], 1)
                options = made.Options()
                options.parseOptions([*words, "--goodbye", "shutdown"])
                self.assertEqual(options["goodbye"], 0)

    def test_an_export_may_be_away_where_data_is_kept(self) -> None:
        """Its file may be written again at the very moment when the daemon starts again."""
        options = connector.Options()
        options.parseOptions(["--vrps", "/nowhere", "--state", "/var/lib/x"])
        self.assertEqual(options["sources"], [Path("/nowhere")])

    def test_exports_have_preferences_like_caches(self) -> None:
        options = connector.Options()
        words = ["--vrps", f"{self.file},preference=2", "--rtr", "h:1,preference=1", "--vrps", "http://h/x.json"]
        options.parseOptions([*words, "--policy", "any"])
        unit = connector.rpki_source(options)
        assert isinstance(unit, AnyUnit)
        self.assertEqual([own.preference for own in unit.sources], [2, 1, 0])

    def test_what_cannot_be_meant_is_told_with_the_option(self) -> None:
        for made, words, said in [
            (rib.Options, ["--west", "h:1", "--state-max-age", "long"], "--state-max-age: 'long'"),
            (router.Options, ["--cache", "h:1", "--state-max-age", "0"], "--state-max-age: '0'"),
            (rib.Options, ["--west", "h:1", "--goodbye", "never"], "--goodbye: 'never' is not one of restart"),
            (connector.Options, [], "nothing to serve"),
            (connector.Options, ["--mrt", "/nowhere"], "--mrt: there is no file /nowhere"),
            (connector.Options, ["--vrps", str(self.file.parent)], "--vrps: there is no file"),
            (connector.Options, ["--vrps", "x,preference=256"], "--vrps: the preference '256' is not a number from 0"),
            (connector.Options, ["--vrps", "file:///x"], "--vrps: 'file:///x' is neither a file nor a URL of http"),
            (connector.Options, ["--mrt", str(self.file), "--listen", "x:y"], "--listen: 'x:y' has the port 'y'"),
            (connector.Options, [str(self.file), "--never"], "--never"),
            (connector.Options, ["--rtr", "h:1", "--rtr", "h:1"], "--rtr: h:1 is given twice"),
            (connector.Options, ["--vrps", str(self.file), "--vrps", str(self.file)], "--vrps: a file or URL is given"),
            (connector.Options, ["--rtr", "h:1", "--policy", "best"], "--policy: 'best' is not one of merge, any"),
            (connector.Options, ["--rtr", "h:1", "--stale", "x"], "--stale: 'x' is not one of drop, keep"),
            (connector.Options, ["--rtr", "h:1", "--hold-down", "nan"], "--hold-down: 'nan' is not a number"),
            (connector.Options, ["--rtr", "h:1", "--max-age", "-1"], "--max-age: '-1' is not a number of seconds"),
            (connector.Options, ["--mrt", str(self.file), "--slurm", str(self.file)], "--slurm: exceptions to nothing"),
            (connector.Options, ["--mrt", str(self.file), "--name", "x" * 65], "--name: 'xxx"),
            (router.Options, ["--cache", "h:1", "--patience", "soon"], "--patience: 'soon' is not a number of seconds"),
            (rib.Options, [], "nothing to follow"),
            (rib.Options, ["--west", "h:1", "--name", "a/b"], "--name: 'a/b' is not 1 to 64"),
            (rib.Options, ["--west", "h:99999"], "--west"),
            (rib.Options, ["--west", "8323", "--west", "127.0.0.1:8323"], "--west: 127.0.0.1:8323 is given twice"),
            (router.Options, ["--cache", "h:1", "--cache", "h:1"], "--cache: h:1 is given twice"),
            (rib.Options, ["--west", "h:1,preference=2"], "--west: a RIB follows all its wests alike"),
            (rib.Options, ["--west", "h:1", "--mode", "bgp"], "--mode: 'bgp' is not one of auto, rtr, rotoro"),
            (router.Options, [], "nothing to follow"),
            (connector.Options, ["--rtr", "h:1", "--fetch-seconds", "0"], "--fetch-seconds: 0 is less than a second"),
            (connector.Options, ["--vrps", "/\udcff"], "--vrps: '/\\udcff' has characters that cannot be shown"),
            (connector.Options, ["--vrps", "/\udcff", "--state", "/x"], "--vrps: '/\\udcff' has characters"),
            (router.Options, ["--cache", "h:1", "--state", "/\n"], "--state: '/\\n' has characters"),
        ]:
            with self.subTest(words=words):
                error = self.assertRaises(UsageError, made().parseOptions, words)
                self.assertIn(said, str(error))
