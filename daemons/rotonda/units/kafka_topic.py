"""A compacted topic of Kafka that holds a table: where it is, and how it must be.

All of this waits for brokers, so it is called in threads of its own. The library is imported only there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from random import uniform
from threading import Event, Thread
from time import monotonic
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from rotoro.net.limits import Quiet

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 1.0, 60.0
ASK_SECONDS = 10.0
"""How long brokers may take to answer a question."""

AGAIN_SECONDS, ANSWER_SECONDS = 2.0, 1.0
"""How often brokers that are all away are asked whether they are back, and how long that may take."""

MOST_TOLD = 8
"""Different problems that the log has before all is well again."""

COMPACT = "compact"
_TOLD_WITH_IT = re.compile(r"^\[thrd:[^\]]*\]: | \(after \d+ms in state [^)]*\)")
"""Threads of the library, and how long it took."""

_DOWN, _FAILED = "_ALL_BROKERS_DOWN", "FAIL"
_NOT_THERE = {"UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "LEADER_NOT_AVAILABLE"}
_SAYS_LITTLE = {"_TRANSPORT", "_TIMED_OUT", _DOWN}
"""What is raised for want of an answer, whatever the cause; by the names of the errors."""

_log = Logger()


class UnusableTopic(Exception):
    """A topic that is not there, or that is not as it must be; says why."""


@dataclass(frozen=True)
class Topic:
    """Where a table is kept. `settings` gives the library's, how brokers are reached, and as whom; it reads passwords
    and keys, and raises BadFile."""

    name: str
    brokers: tuple[str, ...]
    settings: Callable[[], Mapping[str, Any]]
    partitions: int
    replication: int

    def __str__(self) -> str:
        return f"{self.name} at {', '.join(self.brokers)}"


class Retry:
    """Waits longer after each failure, until something succeeds."""

    def __init__(self, again: Event) -> None:
        """`again`: it is not to wait any more."""
        self._again, self._seconds = again, 0.0

    def succeeded(self) -> None:
        """The next failure is the first one."""
        self._seconds = 0.0

    def wait(self) -> None:
        """Wait, unless it is not to."""
        self._seconds = min(max(2 * self._seconds, FIRST_RETRY_SECONDS), LONGEST_RETRY_SECONDS)
        self._again.wait(self._seconds * uniform(0.75, 1.25))


class TopicService(Service):
    """Who writes a topic or reads it, in a thread of its own. Whatever fails is told, and begun anew after a while."""

    log = Logger()

    def __init__(self, reactor: Any, title: str, topic: Topic) -> None:
        self.title = title
        self._reactor, self._topic = reactor, topic
        self._problem: str | None = None
        self._told_of: set[str] = set()
        self._stopping, self._ended = Event(), Deferred[None]()
        self._again = Event()
        """Set when it is to stop, or to begin anew."""
        self._settings: Mapping[str, Any] = {}
        """The library's, of this attempt."""
        self._loss = ""
        """What was wrong with a connection last."""
        self._is_down, self._ask_at = False, 0.0
        """Whether all brokers are away, and when it is asked whether they are back."""

    def _start(self, does: str) -> None:
        Thread(target=self._run, name=f"{self.title} {does}", daemon=True).start()

    def stopService(self) -> Deferred[None]:
        """Come to an end; fires when that is so."""
        super().stopService()
        self._stopping.set()
        self._again.set()
        return self._ended

    def reopen(self) -> None:
        """Passwords and certificates may be others: whoever is in trouble begins anew at once."""
        if self._problem is not None:
            self._again.set()

    def _attend(self, retry: Retry) -> None:
        """In the thread, until it is to stop or to begin anew."""
        raise NotImplementedError

    def _interrupted(self) -> None:
        """In the thread: the work has failed, and it is waited until it begins anew."""

    def _run(self) -> None:
        retry = Retry(self._again)
        while True:
            self._again.clear()
            if self._stopping.is_set():
                break
            self._loss, self._is_down = "", False
            try:
                notes = {"error_cb": self._hear_error, "logger": Notes(self.title, self._lose)}
                self._settings = {**self._topic.settings(), **notes}
                self._attend(retry)
            except Exception as wrong:
                self._tell(str(wrong) if isinstance(wrong, UnusableTopic) else self._why(wrong))
                self._interrupted()
                retry.wait()
        self._reactor.callFromThread(self._ended.callback, None)

    def _why(self, wrong: Exception) -> str:
        """The cause, if what is raised says only that nobody answers."""
        known = self._loss if name_of(wrong) in _SAYS_LITTLE else ""
        return f"{self._topic}: {known or text_of(wrong)}"

    def _hear_error(self, error: Any) -> None:
        """The library calls this, in the thread, for what is wrong with its connections.

        That one is lost is no trouble as long as there are others.
        """
        if error.name() == _DOWN:
            self._is_down = True
        else:
            self._lose(error.str())
        if self._is_down:
            self._tell(f"{self._topic}: {self._loss or error.str()}")

    def _lose(self, why: str) -> None:
        self._loss = _TOLD_WITH_IT.sub("", why)

    def _opened(self, *, make: bool) -> int:
        """How many partitions the topic has. Raises UnusableTopic and KafkaException."""
        return opened(self._topic, self._settings, lambda: self._is_down, make=make)

    def _look_for_brokers(self, client: Any) -> None:
        """In the thread, now and then: when all were away, the library does not say that they are back."""
        from confluent_kafka import KafkaException

        if not self._is_down or monotonic() < self._ask_at:
            return
        try:
            client.list_topics(self._topic.name, ANSWER_SECONDS)
        except KafkaException:
            self._ask_at = monotonic() + AGAIN_SECONDS
        else:
            self._loss, self._is_down = "", False
            self._tell(None)

    def _tell(self, problem: str | None) -> None:
        """What is wrong now; the log has it once, until all is well."""
        if problem is None:
            self._told_of.clear()
        elif problem not in self._told_of and len(self._told_of) < MOST_TOLD:
            self._told_of.add(problem)
            self.log.warn("{unit}: {problem}", unit=self.title, problem=problem)
        self._problem = problem


class Notes:
    """What the library would write to standard error goes to our log instead, for who looks closely."""

    def __init__(self, title: str, lose: Callable[[str], None]) -> None:
        """`lose` is told why connections fail: that a broker hangs up is said nowhere else."""
        self._title, self._lose, self._quiet = title, lose, Quiet()

    def log(self, level: int, form: str, facility: str, name: str, text: str) -> None:
        """The library calls this for each line, as if it were a logger of Python's."""
        if facility == _FAILED:
            self._lose(text)
        more = self._quiet.worth(facility, monotonic())
        if more is not None:
            _log.debug("{unit}: {facility} {text}{more}", unit=self._title, facility=facility, text=text, more=more)


def has_library() -> bool:
    """Whether what talks to Kafka is installed."""
    return find_spec("confluent_kafka") is not None


def opened(topic: Topic, settings: Mapping[str, Any], is_down: Callable[[], bool], *, make: bool) -> int:
    """How many partitions the topic has; if told so, it is made if it is not there.

    `is_down` tells whether all brokers are away, as far as was heard. Raises UnusableTopic, and KafkaException if
    nobody answers.
    """
    from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it does not say what it exports
        AdminClient,
        ConfigResource,
        NewTopic,
    )

    admin = AdminClient(dict(settings))
    known = _known(admin, topic.name, is_down)
    if known is not None and known.error is not None and known.error.name() not in _NOT_THERE:
        raise UnusableTopic(f"{topic}: {known.error.str()}")
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


def _known(admin: Any, topic: str, is_down: Callable[[], bool]) -> Any:
    """What brokers know of a topic. Raises KafkaException, soon if all are away: while it is asked, the library tries
    each of them many times a second."""
    from confluent_kafka import KafkaException

    until = monotonic() + ASK_SECONDS
    while True:
        try:
            return admin.list_topics(topic, timeout=ANSWER_SECONDS).topics.get(topic)
        except KafkaException as wrong:
            admin.poll(0)
            if name_of(wrong) not in _SAYS_LITTLE or is_down() or monotonic() > until:
                raise


def _check_policy(admin: Any, resource: Any, topic: Topic) -> None:
    """A topic that forgets what is old would lose routes."""
    for asked in admin.describe_configs([resource], request_timeout=ASK_SECONDS).values():
        policy = asked.result()["cleanup.policy"].value
        if policy != COMPACT:
            raise UnusableTopic(f"{topic} has the cleanup.policy {policy}, not {COMPACT}: it would forget routes")


def name_of(wrong: BaseException) -> str:
    """The library's name for what went wrong; empty if it is nothing of the library's."""
    error: Any = wrong.args[0] if wrong.args else None
    return str(error.name()) if hasattr(error, "name") else ""


def text_of(wrong: BaseException) -> str:
    """What went wrong, in the library's words but without its numbers."""
    error = wrong.args[0] if wrong.args else None
    told = getattr(error, "str", None)
    return str(told()) if callable(told) else str(wrong) or type(wrong).__name__
