"""SIGHUP: only what changed begins anew, stored routes stay, and what cannot be run changes nothing."""

from __future__ import annotations

import socket
from collections.abc import Callable

from rotonda.demo.generator import write_table, write_vrps

from interop.graphs import GraphCase, Running, instance
from interop.peers.processes import LOOPBACK, free_ports, memory, wait_until

FILE = """
filter-map short {{
    define {{ rx_tx route: Route; }}
    apply {{ filter match route.prefix.len() <= {most} matching {{ return accept; }}; reject; }}
}}
filter-map first {{
    define {{ rx_tx route: Route; }}
    apply {{ filter match route.as_path.len() <= 6 matching {{ return accept; }}; reject; }}
}}
unit val: JsonConnector with config {{ source_file: "{folder}/vrps.json" }};
unit mrt: MrtConnector with config {{ files: ["{folder}/table.mrt"] }};
unit rib-in: PhysicalRib with config {{ }};
unit rib-loc: PhysicalRib with config {{ filter_map: short }};
unit rib-mon: VirtualRib with config {{ filter_map: first }};
{more}
"""
GRAPH = "mrt -> rib-in -> rib-loc -> rib-mon, val -> rib-in"

Told = dict[str, tuple[int, str]]


class ReloadTests(GraphCase):
    """One instance, and one that follows it."""

    def setUp(self) -> None:
        super().setUp()
        write_table(self.folder / "table.mrt", prefixes4=4000, prefixes6=500, peers=3, seed=1)
        write_vrps(self.folder / "vrps.json", prefixes4=4000, prefixes6=500, peers=3, seed=1)
        self.port, self.http, self.east_port, self.east_http = free_ports(4)

    def write_program(
        self, most: str = "/22", more: str = "", graph: str = GRAPH, port: int | None = None, http: int | None = None,
        east: str = "main.rib-loc -> far, main.rib-mon -> other",
    ) -> None:  # fmt: skip
        text = FILE.format(most=most, folder=self.folder, more=more)
        text += "unit far: PhysicalRib with config { };\nunit other: PhysicalRib with config { };\n"
        text += instance("main", graph, port or self.port, http or self.http)
        self.write(text + instance("east", east, self.east_port, self.east_http, {"main": port or self.port}))

    def start(self) -> tuple[Running, Running]:
        self.write_program()
        main, east = self.run_instance("main", self.http), self.run_instance("east", self.east_http)
        for each in (main, east):
            each.await_complete()
        return main, east

    def assertComes(self, east: Running, far: str, main: Running, name: str) -> None:
        """The follower's table becomes the same."""
        wanted = main.tables()[f"{name}/rib"]
        came = wait_until(lambda: True if east.tables().get(f"{far}/rib") == wanted else None, 15, 0.2)
        self.assertTrue(came, (east.tables(), main.tables()))

    def test_filter_change(self) -> None:
        main, east = self.start()
        self.assertComes(east, "far", main, "rib-loc")
        before, there, told = main.positions(), east.positions(), main.tables()
        self.write_program("/24")
        line = main.reload()
        self.assertIn("1 with other filters", line)
        self.assertIn("4 kept", line)
        now = main.tables()
        self.assertGreater(now["rib-loc/rib"][0], told["rib-loc/rib"][0])
        self.assertEqual(now["rib-in/rib"], told["rib-in/rib"])
        after = main.positions()
        self.assertEqual(after["rib-in/rib"], before["rib-in/rib"])
        for name in ("rib-loc/rib", "rib-mon/rib"):
            self.assertEqual(after[name], (before[name][0], before[name][1] + 1), name)
        self.assertComes(east, "far", main, "rib-loc")
        self.assertComes(east, "other", main, "rib-mon")
        self.assertEqual(east.positions()["far/rib"], (there["far/rib"][0], there["far/rib"][1] + 1))
        self.write_program("/22")
        main.reload()
        self.assertEqual(main.tables(), told)
        self.assertComes(east, "far", main, "rib-loc")

    def test_broken_file(self) -> None:
        main, _ = self.start()
        told, before = main.tables(), main.positions()
        self.write(
            self.file.read_text().replace("<= /22", "<= /22 && rout.prefix").replace("filter_map: first", "fil: 1")
        )
        main.reload("is not taken")
        said = "\n".join(main.daemon.lines())
        self.assertIn("rout", said)
        self.assertIn("fil", said)
        self.assertEqual((main.tables(), main.positions()), (told, before))
        self.write_program()
        main.reload()
        self.assertEqual((main.tables(), main.positions()), (told, before))

    def test_taken_port(self) -> None:
        main, east = self.start()
        told, before = main.tables(), main.positions()
        with socket.socket() as taken:
            taken.bind((LOOPBACK, 0))
            taken.listen()
            port = taken.getsockname()[1]
            bmp = f"unit bmp: BmpConnector with config {{ listen: {LOOPBACK}:{port} }};"
            for change in (
                lambda: self.write_program("/24", port=port),
                lambda: self.write_program("/24", http=port),
                lambda: self.write_program("/24", bmp, GRAPH + ", bmp -> rib-in"),
            ):
                change()
                self.assertIn("is not taken", main.reload("is not taken"))
                self.assertEqual((main.tables(), main.positions()), (told, before))
        self.write_program("/24")
        main.reload()
        self.assertComes(east, "far", main, "rib-loc")

    def test_units_come_and_go(self) -> None:
        main, east = self.start()
        there = east.positions()
        self.write_program(
            more="unit rib-new: VirtualRib with config { filter_map: first };",
            graph=GRAPH + ", rib-in -> rib-new",
        )
        self.assertIn("1 new", main.reload())
        self.assertGreater(main.tables()["rib-new/rib"][0], 0)
        self.assertEqual(east.positions(), there)
        self.write_program(graph="mrt -> rib-in -> rib-loc, val -> rib-in", east="main.rib-loc -> far")
        self.assertIn("2 gone", main.reload())
        self.assertNotIn("rib-mon/rib", main.tables())
        gone = wait_until(lambda: True if not east.tables()["other/rib"][0] else None, 20, 0.2)
        self.assertTrue(gone, east.tables())
        self.assertComes(east, "far", main, "rib-loc")

    def test_changed_west(self) -> None:
        main, east = self.start()
        write_table(self.folder / "other.mrt", prefixes4=1000, prefixes6=100, peers=2, seed=5)
        self.write(self.file.read_text().replace("table.mrt", "other.mrt"))
        self.assertIn("1 replaced", main.reload())
        before = main.tables()
        wait_until(lambda: True if main.tables()["rib-in/rib"] != before["rib-in/rib"] else None, 20)
        main.await_complete()
        fresh = main.tables()
        self.assertEqual(fresh["rib-in/rib"], fresh["mrt/rib"])
        self.assertComes(east, "far", main, "rib-loc")
        self.assertComes(east, "other", main, "rib-mon")

    def test_other_places(self) -> None:
        main, east = self.start()
        told, before = main.tables(), main.positions()
        port, http = free_ports(2)
        self.write_program(port=port, http=http)
        main.reload()
        main.http = http
        self.assertEqual((main.tables(), main.positions()), (told, before))
        self.assertIn("is in force", east.reload())
        self.assertComes(east, "far", main, "rib-loc")
        self.assertComes(east, "other", main, "rib-mon")

    def test_many_reloads(self) -> None:
        main, east = self.start()
        self.assertComes(east, "other", main, "rib-mon")
        told = main.tables()
        extra = "unit rib-new: VirtualRib with config { filter_map: first };"
        changes: list[Callable[[], None]] = [
            lambda: self.write_program("/24"),
            lambda: self.write_program("/20", extra, GRAPH + ", rib-in -> rib-new"),
            lambda: self.write_program(graph="mrt -> rib-in -> rib-loc -> rib-mon"),
            lambda: self.write_program(),
        ]

        def round_trip() -> None:
            for change in changes:
                change()
                main.reload()

        for _ in range(3):
            round_trip()
        held, open_then = memory(main.daemon.pid, "RssAnon"), main.descriptors()
        for _ in range(12):
            round_trip()
        self.assertLessEqual(main.descriptors(), open_then + 2)
        self.assertLess(memory(main.daemon.pid, "RssAnon") - held, 12 << 20)
        wait_until(lambda: True if main.tables() == told else None, 10, 0.2)
        self.assertEqual(main.tables(), told)
        self.assertComes(east, "other", main, "rib-mon")
