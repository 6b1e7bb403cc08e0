"""Only http and https, only so much, only so long, and nothing half done stays behind."""

from __future__ import annotations

import contextlib  # not its `suppress` by name: trial takes that for its own
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from rotonda.demo.errors import DemoFailed
from rotonda.demo.fetch import download, file_name, is_url
from twisted.trial.unittest import SynchronousTestCase

BODY = bytes(range(256)) * 2_000


class Handler(BaseHTTPRequestHandler):
    """What the path says."""

    def do_GET(self) -> None:
        kind = self.path.rpartition("/")[2]
        if kind in ("elsewhere", "ftp", "file"):
            self.send_response(302)
            places = {"elsewhere": "/dump.gz", "ftp": "ftp://127.0.0.1/dump.gz", "file": "file:///etc/hostname"}
            self.send_header("Location", places[kind])
            self.end_headers()
            return
        self.send_response(404 if kind == "missing" else 200)
        if kind != "endless":
            self.send_header("Content-Length", str(len(BODY) + (kind == "cut")))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(BODY)

    def log_message(self, format: str, *args: object) -> None:
        """Silently."""


class FetchTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        for cleanup in (server.server_close, thread.join, server.shutdown):
            self.addCleanup(cleanup)
        self.base = f"http://127.0.0.1:{server.server_port}/"
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            before = os.environ.pop(name, None)
            if before is not None:
                self.addCleanup(os.environ.__setitem__, name, before)

    def refused(self, url: str, **limits: float) -> str:
        with self.assertRaises(DemoFailed) as caught:
            download(url, self.folder, lambda text: None, **limits)  # type: ignore[arg-type]
        self.assertEqual(list(self.folder.iterdir()), [])
        return str(caught.exception)

    def test_a_file_comes_whole_and_its_progress_is_told(self) -> None:
        told: list[str] = []
        path = download(self.base + "dump.gz", self.folder, told.append)
        self.assertEqual((path.name, path.read_bytes()), ("dump.gz", BODY))
        self.assertEqual(told[-1], f"0.5 MB of 0.5 MB of {self.base}dump.gz")

    def test_a_second_file_of_the_same_name_gets_another(self) -> None:
        names = [download(self.base + "dump.gz", self.folder, lambda text: None).name for _ in range(3)]
        self.assertEqual(names, ["dump.gz", "2-dump.gz", "3-dump.gz"])

    def test_redirections_lead_to_the_web_only(self) -> None:
        self.assertEqual(download(self.base + "elsewhere", self.folder, lambda text: None).read_bytes(), BODY)
        (self.folder / "elsewhere").unlink()
        self.refused(self.base + "ftp")
        self.refused(self.base + "file")

    def test_other_schemes_are_refused(self) -> None:
        for url in ("ftp://127.0.0.1/x", "file:///etc/passwd", "data://x"):
            self.assertIn("only http and https", self.refused(url))

    def test_errors_of_the_server_are_told(self) -> None:
        self.assertIn("404", self.refused(self.base + "missing"))
        self.assertIn("512,000 of 512,001", self.refused(self.base + "cut"))
        self.assertIn("127.0.0.1:1", self.refused("http://127.0.0.1:1/x"))

    def test_limits(self) -> None:
        for kind in ("dump.gz", "endless"):
            self.assertIn("more than 300,000 octets", self.refused(self.base + kind, max_octets=300_000))
        self.assertIn("too slow", self.refused(self.base + "endless", max_seconds=-1.0))

    def test_names_are_harmless(self) -> None:
        cases = {
            "https://x/a/b.bz2": "b.bz2",
            "https://x/": "download",
            "https://x/%2e%2e%2f%2e%2e%2fetc%2fpasswd": "passwd",
            "https://x/..": "download",
            "https://x/.hidden": "hidden",
            "https://x/a%20b%00c": "a_b_c",
            "https://x/" + "a" * 300: "a" * 100,
        }
        self.assertEqual({url: file_name(url) for url in cases}, cases)
        self.assertEqual(
            [is_url(name) for name in ("HTTP://x", "a/b", "C:\\x", "/tmp/a://b")], [True, False, False, False]
        )
