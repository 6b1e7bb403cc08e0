"""Tests for L{rotonda.outputs.topics} and the templates of L{rotonda.blocks.topic_templates}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rotonda.blocks import types
from rotonda.blocks.check import check
from rotonda.blocks.places import Source
from rotonda.blocks.topic_templates import KAFKA_TOPICS, MQTT_TOPICS, BadTemplate, Rules
from rotonda.blocks.types import FieldOf, RecordType
from rotonda.blocks.values import RecordValue
from rotonda.outputs.topics import NoTopic, fixed_topic, names, topic_of
from twisted.trial.unittest import SynchronousTestCase

from tests.outputs.records import SEEN, seen

NAMES = names("west", "m.told")
NOTE = RecordType("Note", (FieldOf("note", types.STRING),))


def made(template: str, note: str | None = "a note", rules: Rules = MQTT_TOPICS) -> str:
    return topic_of(template, rules, SEEN, NAMES)(seen(7, note))


class TopicTests(SynchronousTestCase):
    def test_names_and_fields_have_their_places(self) -> None:
        for template, topic in (
            ("rotonda/{instance}/{stream}", "rotonda/west/m.told"),
            ("a/{asn}/{note}", "a/AS7/a note"),
            ("{ asn }", "AS7"),
            ("{{x}}/{asn}", "{x}/AS7"),
            ("{prefix}", "10.7.0.0%2F16"),
            ("{marks}", "[0:1, 0:2]"),
        ):
            with self.subTest(template=template):
                self.assertEqual(made(template), topic)

    def test_a_value_chooses_no_topic(self) -> None:
        for note, topic in (
            ("../other", "x/..%2Fother/y"),
            ("#", "x/%23/y"),
            ("+", "x/%2B/y"),
            ("$SYS", "x/%24SYS/y"),
            ("a%2Fb", "x/a%252Fb/y"),
            ("\x00\n\x7f\x85", "x/%00%0A%7F%C2%85/y"),
            ("\ud800\uffff", "x/%ED%A0%80%EF%BF%BF/y"),
            ("", "x//y"),
            (None, "x//y"),
        ):
            with self.subTest(note=note):
                self.assertEqual(made("x/{note}/y", note), topic)

    def test_what_would_be_no_topic_is_not_sent(self) -> None:
        for template, note, why in (
            ("{note}", "", "would be empty"),
            ("{note}", None, "would be empty"),
            ("x/{note}", "ä" * 40_000, "more than 65,535 octets"),
        ):
            with self.subTest(template=template, note=note):
                self.assertRaisesRegex(NoTopic, why, made, template, note)

    @given(st.text())
    def test_no_text_is_more_than_one_level(self, note: str) -> None:
        topic = topic_of("x/{note}/y", MQTT_TOPICS, NOTE, NAMES)(RecordValue("Note", (("note", note),)))
        self.assertEqual(topic.count("/"), 2)
        self.assertFalse(set(topic) & {"+", "#", "\x00", "$"})
        topic.encode()

    def test_kafka_has_few_characters(self) -> None:
        self.assertEqual(made("seen.{note}", "a/ü b-1", KAFKA_TOPICS), "seen.a___b-1")
        self.assertRaisesRegex(NoTopic, "would be ..", made, "{note}", "..", KAFKA_TOPICS)
        self.assertRaisesRegex(NoTopic, "more than 249", made, "{note}", "x" * 250, KAFKA_TOPICS)
        self.assertRaisesRegex(BadTemplate, "'/' cannot be in a topic of Kafka", made, "a/b", "", KAFKA_TOPICS)

    def test_templates_that_mean_nothing_are_refused(self) -> None:
        for template, why in (
            ("a/{nonsense}", "nothing is called nonsense"),
            ("a/{}", "a place without a name"),
            ("a/{asn", "a { without its other half"),
            ("a/asn}", "a } without its other half"),
            ("a/#", "'#' cannot be in a topic of MQTT"),
            ("a/+/b", "'\\+' cannot be in a topic of MQTT"),
            ("a\n", "cannot be in a topic of MQTT"),
            ("", "this is no topic of MQTT"),
            ("$SYS/{asn}", "this is no topic of MQTT"),
            ("x" * 70_000, "this is no topic of MQTT"),
        ):
            with self.subTest(template=template):
                self.assertRaisesRegex(BadTemplate, why, made, template)

    def test_topics_of_a_stream_have_no_fields(self) -> None:
        self.assertEqual(fixed_topic("rotonda/{instance}/state", MQTT_TOPICS, NAMES), "rotonda/west/state")
        self.assertRaisesRegex(BadTemplate, "nothing is called asn", fixed_topic, "{asn}", MQTT_TOPICS, NAMES)

    def test_states_of_two_streams_are_two_topics(self) -> None:
        """Of one instance, at one broker; streams that it does not use do not count."""
        words = """
        output-stream one: Mqtt with config { server: { host: "h", port: 1 }, ONE rx: Line { prefix: Prefix } };
        output-stream two: Mqtt with config { server: { host: "h", port: 1 }, TWO rx: Line { prefix: Prefix } };
        filter-map to-one {
            define { rx_tx r: Route; } action a { one.send({ prefix: r.prefix }); } apply { a; accept; }
        }
        filter-map to-two {
            define { rx_tx r: Route; } action a { two.send({ prefix: r.prefix }); } apply { a; accept; }
        }
        unit mrt: MrtConnector with config { files: ["x"] };
        unit rib: PhysicalRib with config { filter_map: to-one };
        unit more: PhysicalRib with config { filter_map: to-two };
        instance i: Daemon with config { graph: [mrt -> rib -> more] };
        """
        same = ["two keeps its state where one does"]
        for one, two, change, wanted in (
            ("", "", "", same),
            ('state_topic: "x",', 'state_topic: "x",', "", same),
            ("", 'state_topic: "",', "", []),
            ("", 'state_topic: "rotonda/{instance}/{stream}/state",', "", []),
            ('state_topic: "a/{stream}",', 'state_topic: "a/{stream}",', "", []),
            ("", "", "-> more", ["more is in no graph"]),
        ):
            text = words.replace("ONE", one).replace("TWO", two)
            text = text.replace(f" {change}]", "]") if change else text
            _, told = check(Source("told.blocks", text))
            self.assertEqual([each.message for each in told], wanted)

    def test_the_check_of_a_file_tells_what_was_meant(self) -> None:
        for settings, what, hint in (
            ('topic: "seen/{form_asn}"', "topic: nothing is called form_asn", "did you mean from_asn?"),
            ('topic: "seen/{from-asn}", state_topic: "{from_asn}"', "state_topic: nothing is called from_asn", ""),
            ('topic: "seen/#"', "topic: '#' cannot be in a topic of MQTT", ""),
            ('password: "x"', "a password without a user", ""),
            ('user: "u", password: "x", password_file: "y"', "the password is given twice", ""),
            ('tls: { certificate: "x" }', "certificate and key belong together", ""),
        ):
            with self.subTest(settings=settings):
                text = (
                    f'output-stream told: Mqtt with config {{ server: {{ host: "localhost", port: 1883 }}, {settings},'
                    " rx: Message { message: String, from_asn: Asn } };"
                )
                _, told = check(Source("told.blocks", text))
                self.assertEqual([(each.message, each.hint) for each in told], [(what, hint)])
