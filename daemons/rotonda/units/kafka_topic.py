"""A compacted topic of Kafka that holds a table: where it is, and how it must be.

All of this waits for brokers, so it is called in threads of its own. The library is imported only there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from random import uniform
from threading import Event, Thread
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 1.0, 60.0
ASK_SECONDS = 10.0
"""How long brokers may take to answer a question."""

COMPACT = "compact"

_log = Logger()


class UnusableTopic(Exception):
    """A topic that is not there, or that is not as it must be; says why."""


@dataclass(frozen=True)
class Topic:
    """Where a table is kept. `settings` are the library's: how brokers are reached, and as whom."""

    name: str
    settings: Mapping[str, Any]
    partitions: int
    replication: int

    def __str__(self) -> str:
        return f"{self.name} at {self.settings['bootstrap.servers']}"


class Retry:
    """Waits longer after each failure, until something succeeds."""

    def __init__(self, stopped: Event) -> None:
        self._stopped, self._seconds = stopped, 0.0

    def succeeded(self) -> None:
        """The next failure is the first one."""
        self._seconds = 0.0

    def wait(self) -> None:
        """Wait, unless it is to stop."""
        self._seconds = min(max(2 * self._seconds, FIRST_RETRY_SECONDS), LONGEST_RETRY_SECONDS)
        self._stopped.wait(self._seconds * uniform(0.75, 1.25))


class TopicService(Service):
    """Who writes a topic or reads it, in a thread of its own. Whatever fails is told, and begun anew after a while."""

    log = Logger()

    def __init__(self, reactor: Any, title: str, topic: Topic) -> None:
        self.title = title
        self._reactor, self._topic = reactor, topic
        self._problem: str | None = None
        self._stopping, self._ended = Event(), Deferred[None]()

    def _start(self, does: str) -> None:
        Thread(target=self._run, name=f"{self.title} {does}", daemon=True).start()

    def _attend(self, retry: Retry) -> None:
        """In the thread, until it is to stop."""
        raise NotImplementedError

    def _interrupted(self) -> None:
        """In the thread: the work has failed, and it is waited until it begins anew."""

    def _run(self) -> None:
        retry = Retry(self._stopping)
        while not self._stopping.is_set():
            try:
                self._attend(retry)
            except Exception as wrong:
                self._tell(str(wrong) if isinstance(wrong, UnusableTopic) else f"{self._topic}: {text_of(wrong)}")
                self._interrupted()
                retry.wait()
        self._reactor.callFromThread(self._ended.callback, None)

    def _tell(self, problem: str | None) -> None:
        if problem != self._problem and problem is not None:
            self.log.warn("{unit}: {problem}", unit=self.title, problem=problem)
        self._problem = problem


class Notes:
    """What the library would write to standard error goes to our log instead, for who looks closely."""

    def __init__(self, title: str) -> None:
        self._title = title

    def log(self, level: int, *words: object) -> None:
        """The library calls this for each line, as if it were a logger of Python's."""
        _log.debug("{unit}: {text}", unit=self._title, text=" ".join(map(str, words[1:])))


def has_library() -> bool:
    """Whether what talks to Kafka is installed."""
    return find_spec("confluent_kafka") is not None


def opened(topic: Topic, *, make: bool) -> int:
    """How many partitions the topic has; if told so, it is made if it is not there.

    Raises UnusableTopic, and KafkaException if nobody answers.
    """
    from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it does not say what it exports
        AdminClient,
        ConfigResource,
        NewTopic,
    )

    admin = AdminClient(dict(topic.settings))
    known = admin.list_topics(topic.name, timeout=ASK_SECONDS).topics.get(topic.name)
    if known is not None and known.error is None and known.partitions:
        _check_policy(admin, ConfigResource(ConfigResource.Type.TOPIC, topic.name), topic)
        if make and len(known.partitions) != topic.partitions:
            raise UnusableTopic(f"{topic} has {len(known.partitions)} partitions, not {topic.partitions}")
        return len(known.partitions)
    if not make:
        raise UnusableTopic(f"{topic} is not there (yet)")
    wanted = NewTopic(topic.name, topic.partitions, topic.replication, config={"cleanup.policy": COMPACT})
    for made in admin.create_topics([wanted], request_timeout=ASK_SECONDS).values():
        made.result()
    return topic.partitions


def _check_policy(admin: Any, resource: Any, topic: Topic) -> None:
    """A topic that forgets what is old would lose routes."""
    for asked in admin.describe_configs([resource], request_timeout=ASK_SECONDS).values():
        policy = asked.result()["cleanup.policy"].value
        if policy != COMPACT:
            raise UnusableTopic(f"{topic} has the cleanup.policy {policy}, not {COMPACT}: it would forget routes")


def text_of(wrong: BaseException) -> str:
    """What went wrong, in the library's words but without its numbers."""
    error = wrong.args[0] if wrong.args else None
    told = getattr(error, "str", None)
    return str(told()) if callable(told) else str(wrong) or type(wrong).__name__
