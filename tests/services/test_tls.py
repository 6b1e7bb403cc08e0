"""The three daemons in one process with TLS between them, and what their command lines say of it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from rotonda.demo.generator import write_vrps
from rotonda.services import connector, rib, router
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from tests.net.certificates import Authority
from tests.net.tls_peers import LOOPBACK, port_of
from tests.services.started import DaemonCase


class Files:
    """A folder with what the command lines name."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.server = self.authority.issue("west.example.net", "middle.example.net")
        self.client = self.authority.issue(LOOPBACK)
        self.vrps = folder / "vrps.json"
        write_vrps(self.vrps, prefixes4=300, prefixes6=60, peers=2, seed=1)

    @property
    def listen(self) -> str:
        return f"tls:{LOOPBACK}:0,certificate={self.server.certificate},key={self.server.key}"

    @property
    def mutual(self) -> str:
        return f"{self.listen},clients=required,authority={self.authority.certificate}"

    def connect(self, port: int, name: str) -> str:
        ours = f"certificate={self.client.certificate},key={self.client.key}"
        return f"tls:{LOOPBACK}:{port},authority={self.authority.certificate},name={name},{ours}"


class ChainTests(DaemonCase):
    def setUp(self) -> None:
        super().setUp()
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.files = Files(Path(folder.name))

    async def test_all_the_way_through_tls(self) -> None:
        files = self.files
        listen = ["--listen", files.mutual, "--listen", "0"]
        west = self.start(connector, connector.Connector, "--vrps", str(files.vrps), *listen)
        to = files.connect(port_of(west.serving.services[0]), "west.example.net")
        middle = self.start(rib, rib.Rib, "--west", to, *listen, "--http", "0")
        secure, plain = map(port_of, middle.unit.serving.services)
        cache = files.connect(secure, "middle.example.net")
        routers = [
            self.start(router, router.Router, "--cache", where, "--mode", mode, "--http", "0")
            for where, mode in ((cache, "auto"), (cache, "rtr"), (f"{LOOPBACK}:{plain}", "auto"))
        ]
        await self.until(lambda: not any(service.unit.missing() for service in (middle, *routers)))
        snapshots = [each.unit.history.snapshot for each in routers]
        self.assertEqual(snapshots, [west.serving.rpki.history.snapshot] * 3)
        self.assertEqual([each.unit.links()[0].mode for each in routers], ["rotoro", "rtr 2", "rotoro"])
        self.assertEqual(middle.unit.links()[0].mode, "rotoro")
        self.assertEqual([service.tls.handshakes for service in middle.unit.serving.services if service.tls], [2])
        for service in (*routers, middle, west):
            await service.stopService()
        servers = (west.serving.factory, middle.unit.serving.factory)
        await self.until(lambda: not any(server.connections for server in servers))


class OptionTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.files = Files(Path(folder.name))

    def test_several_listeners(self) -> None:
        options = connector.Options()
        options.parseOptions(["--vrps", str(self.files.vrps), "--listen", self.files.listen, "--listen", "8323"])
        self.assertEqual([str(at) for at in options["listen"]], ["tls:127.0.0.1:0", "127.0.0.1:8323"])
        default = rib.Options()
        default.parseOptions(["--west", "8323"])
        self.assertEqual([str(at) for at in default["listen"]], [rib.LISTEN])

    def test_files_that_cannot_be_used_are_told_at_the_start(self) -> None:
        """Attack test 45: as usage errors that name option and file."""
        files, other = self.files, self.files.authority.issue("other.example.net")
        wide = self.files.authority.issue("wide.example.net")
        wide.key.chmod(0o640)
        for words, said in (
            (f"certificate={wide.certificate},key={wide.key}", f"{wide.key}: others than its owner may use the key"),
            (f"certificate={wide.certificate},key={other.key}", f"{other.key} is not the key of the certificate in"),
            (f"certificate=/nowhere,key={other.key}", "/nowhere cannot be read"),
            (f"certificate={files.vrps},key={other.key}", f"{files.vrps} has no certificate in PEM"),
        ):
            with self.subTest(said=said):
                listen = ["--vrps", str(files.vrps), "--listen", f"tls:{LOOPBACK}:0,{words}"]
                error = str(self.assertRaises(UsageError, connector.Options().parseOptions, listen))
                self.assertTrue(error.startswith(f"--listen: {said}"), error)
                cache = ["--cache", f"tls:{LOOPBACK}:1,{words}"]
                error = str(self.assertRaises(UsageError, router.Options().parseOptions, cache))
                self.assertTrue(error.startswith(f"--cache: {said}"), error)

    def test_names_that_cannot_be_checked(self) -> None:
        error = self.assertRaises(UsageError, router.Options().parseOptions, ["--cache", "tls:h:1,name=a b"])
        self.assertIn("'a b' is no name that a certificate can have", str(error))

    def test_the_same_place_twice(self) -> None:
        words = ["--west", "1", "--listen", "8323", "--listen", "127.0.0.1:8323"]
        error = self.assertRaises(UsageError, rib.Options().parseOptions, words)
        self.assertIn("--listen: 127.0.0.1:8323 is given twice", str(error))
