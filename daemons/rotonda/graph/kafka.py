"""A topic of Kafka between instances as a stage: one half writes the table of its wests, the other one has a share of
what others have written. Each instance has the halves that its graph names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from rotonda.blocks.configs import KafkaTopic
from rotonda.blocks.program import UnitBlock
from rotonda.blocks.types import ROUTE
from rotonda.filters.records import wire_type
from rotonda.filters.routes import PASS_ALL
from rotonda.graph.flows import Flow, Surroundings
from rotonda.graph.plan import CannotRun
from rotonda.graph.stages import Showing, Stage
from rotonda.outputs.kafka_settings import library_settings
from rotonda.units.kafka_reader import KafkaReader
from rotonda.units.kafka_topic import Topic, has_library
from rotonda.units.kafka_writer import KafkaWriter
from rotonda.units.serving import new_history
from rotonda.views.shown import Link


class KafkaStage(Stage):
    """The halves of a topic that an instance has. With `reads`, it is a member of the group."""

    def __init__(self, block: UnitBlock, around: Surroundings, *, reads: bool) -> None:
        super().__init__(block, around)
        config = block.config
        assert isinstance(config, KafkaTopic)
        assert block.gives is not None
        self._config = config
        self._wire = None if block.gives == ROUTE else wire_type(block.gives)
        self._topic = self._place(config)
        self._out = new_history()
        """What is written."""
        self._showing = Showing(self._out, PASS_ALL)
        self._wests: Sequence[Stage] = ()
        self._writer: KafkaWriter | None = None
        self._reader: KafkaReader | None = None
        self._let_go: Callable[[], None] = lambda: None
        if reads:
            self.flow = Flow(new_history(), block.gives, around.stores.of(block.gives))
            self._reader = KafkaReader(
                around.reactor, self.title, self._topic, config.group, self.flow.store, self.flow.history,
                lambda described: around.ingresses.adopt(self.title, described), self._wire,
            )  # fmt: skip
            self._reader.setServiceParent(self)
            self._let_go = around.brake.join(self._reader.hold)

    @property
    def complete(self) -> bool:
        """Whether the whole table is written, and all partitions are read."""
        writes = self._writer is None or self._writer.complete
        return writes and (self._reader is None or self._reader.complete)

    @property
    def receiving(self) -> bool:
        """Whether a change is under way."""
        return self._reader is not None and self._reader.receiving

    @property
    def problem(self) -> str | None:
        """What is wrong with one of the halves."""
        return next((half.problem for half in (self._writer, self._reader) if half and half.problem), None)

    def follow(self, wests: Sequence[Stage]) -> None:
        """Write the tables of these, joined."""
        self._wests = wests
        self._showing.follow(wests)
        if wests and self._writer is None:
            self._writer = KafkaWriter(
                self.around.reactor, self.title, self._topic,
                self._config.writer or f"{self.around.instance}.{self.title}", self._out, self._is_whole, self._wire,
                self._config.restart_time,
            )  # fmt: skip
            self._writer.setServiceParent(self)

    def links(self) -> Sequence[Link]:
        """Its halves."""
        return [half.shown() for half in (self._writer, self._reader) if half is not None]

    def close(self) -> None:
        """Write nothing any more; what others have read stays."""
        self._showing.close()
        self._out.close()
        self._let_go()
        super().close()

    def _is_whole(self) -> bool:
        return all(west.complete for west in self._wests)

    def _place(self, config: KafkaTopic) -> Topic:
        if not has_library():
            raise CannotRun(f"{self.title}: Kafka needs confluent-kafka: pip install 'rotoro[kafka]'")
        topic = Topic(
            config.topic, config.brokers, partial(library_settings, config), config.partitions, config.replication
        )
        try:
            topic.settings()
        except ValueError as wrong:
            raise CannotRun(f"{self.title}: {wrong}") from None
        return topic
