from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rotoro.session.versions import LOWER_SECONDS, UNHEARD_CONNECTIONS, Pause, Versions


class VersionsTests(SynchronousTestCase):
    def test_a_lower_version_is_kept_to_for_a_while(self) -> None:
        versions = Versions(2)
        versions.lower(10.0, 1)
        for now, expected in ((10.0, 1), (9.0 + LOWER_SECONDS, 1), (10.0 + LOWER_SECONDS, 2)):
            versions.begin(now)
            self.assertEqual(versions.current, expected)

    def test_closing_without_a_word_leads_lower_and_from_the_lowest_up_again(self) -> None:
        """R-VN-06."""
        versions, seen = Versions(2), []
        for _ in range(4 * UNHEARD_CONNECTIONS):
            versions.begin(0.0)
            seen.append(versions.current)
            versions.unheard(0.0)
        self.assertEqual(seen, [2, 2, 1, 1, 0, 0, 2, 2])

    def test_an_answer_in_between_starts_the_count_anew(self) -> None:
        versions = Versions(2)
        for _ in range(5):
            versions.unheard(0.0)
            versions.heard()
        self.assertEqual(versions.current, 2)

    def test_after_the_lowest_the_highest(self) -> None:
        """R-VN-04."""
        versions = Versions(2)
        versions.lower(5.0, 0)
        versions.exhausted(5.0)
        versions.begin(5.0)
        self.assertEqual(versions.current, 2)


class PauseTests(SynchronousTestCase):
    """R-TM-03."""

    def test_a_failed_query_waits_for_retry(self) -> None:
        pause = Pause()
        pause.failed(600)
        self.assertEqual(pause.seconds, 600)
        pause.over()
        self.assertEqual(pause.seconds, 0)

    def test_lost_connections_wait_longer_each_time(self) -> None:
        pause, seen = Pause(), []
        for _ in range(40):
            pause.lost(600)
            seen.append(pause.seconds)
            pause.over()
        self.assertEqual(seen[:12], [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600])
        self.assertEqual(seen[-1], 600)
        pause.succeeded()
        pause.lost(600)
        self.assertEqual(pause.seconds, 1)
        pause.lost(1)
        self.assertEqual(pause.seconds, 1)
