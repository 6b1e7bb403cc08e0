"""The canonical layout: what it looks like, that it means the same, and that it does not change again."""

from __future__ import annotations

from textwrap import dedent

from hypothesis import HealthCheck, given, settings
from rotonda.blocks.format import WIDTH, CannotFormat, formatted
from rotonda.blocks.places import Source
from twisted.trial.unittest import SynchronousTestCase

from tests.blocks import generated
from tests.blocks.test_parse import seed_blocks
from tests.blocks.trees import whole, without_places


def layout(text: str) -> str:
    return formatted(Source("test.blocks", text))


class LayoutTests(SynchronousTestCase):
    def _check(self, text: str, expected: str) -> None:
        self.assertEqual(layout(text), dedent(expected).lstrip("\n"))
        self.assertEqual(layout(layout(text)), layout(text))

    def test_settings(self) -> None:
        self._check(
            "unit a:T with config{x=1;y:{a:1 b=[1,2,]}\nz: {\n q: 1}};",
            """
            unit a: T with config {
                x: 1,
                y: { a: 1, b: [1, 2] },
                z: {
                    q: 1
                }
            };
            """,
        )

    def test_a_filter(self) -> None:
        self._check(
            "filter-map f:FilterMap with a:Asn{define{rx_tx r:Route;}term t{match{r.prefix.len()<=/24;!(a&&b);}}"
            "action m{r.med.set( 5 );};apply{filter match t(1,2) matching{m;return accept;}not matching{reject;};"
            "match v with{A(x)|g(x)->{accept;}_->{reject;}};accept;}};",
            """
            filter-map f: FilterMap with a: Asn {
                define {
                    rx_tx r: Route;
                }
                term t {
                    match { r.prefix.len() <= /24; !(a && b); }
                }
                action m {
                    r.med.set(5);
                }
                apply {
                    filter match t(1, 2) matching {
                        m;
                        return accept;
                    } not matching {
                        reject;
                    };
                    match v with {
                        A(x) | g(x) -> { accept; },
                        _ -> { reject; }
                    }
                    accept;
                }
            }
            """,
        )

    def test_comments_stay_where_they_are(self) -> None:
        self._check(
            """
            // head


            // of the file
            unit a: T with config { // first
                x: 1 // one
                , y = 2; /* two */ z: 3 // last

                // end
            }; // behind
            filter f { /* in */ }
            x = f(a, // an argument
            b);
            /* of
               two lines */ y = 1; /* next */ z = 2;
            // tail""",
            """
            // head

            // of the file
            unit a: T with config { // first
                x: 1, // one
                y: 2,
                /* two */ z: 3 // last

                // end
            }; // behind
            filter f {
                /* in */
            }
            x = f(a, // an argument
                b);
            /* of
               two lines */ y = 1;
            /* next */ z = 2;
            // tail
            """.replace("   two lines", "               two lines"),
        )

    def test_groups_are_kept(self) -> None:
        self._check("x = 1;\ny = 2;\n\n\n\nz = 3;\r\n", "x = 1;\ny = 2;\n\nz = 3;\n")
        self._check("", "")
        self._check("\ufeff// one", "// one\n")

    def test_long_ones_are_opened(self) -> None:
        text = layout(f"x = [{', '.join(f'AS{number}' for number in range(64496, 64520))}];")
        self.assertEqual(len(text.splitlines()), 26)
        self.assertLessEqual(max(map(len, text.splitlines())), WIDTH)

    def test_mistakes(self) -> None:
        with self.assertRaises(CannotFormat) as caught:
            layout("unit a: ;")
        self.assertEqual(len(caught.exception.diagnostics), 1)

    def test_the_first_examples(self) -> None:
        for text in [*seed_blocks(), "\n".join(seed_blocks()), "module x {" + "\n".join(seed_blocks()) + "}"]:
            self.assertEqual(without_places(whole(layout(text))), without_places(whole(text)))
            self.assertEqual(layout(layout(text)), layout(text))
            self.assertEqual(text.count("//"), layout(text).count("//"))

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(generated.texts())
    def test_the_meaning_stays_and_so_does_the_layout(self, text: str) -> None:
        once = layout(text)
        self.assertEqual(without_places(whole(once)), without_places(whole(text)))
        self.assertEqual(layout(once), once)
        for comment in ("// a remark", "/* a comment */", "// two", "/* of"):
            self.assertEqual(once.count(comment), text.count(comment))
