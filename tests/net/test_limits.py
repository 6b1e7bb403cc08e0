from __future__ import annotations

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.limits import (  # fmt: skip
    DEFAULT_LIMITS,
    REMEMBERED,
    Bucket,
    Buckets,
    Counters,
    Quiet,
    open_to_the_world,
    source,
    within,
)


class BucketTests(SynchronousTestCase):
    def test_so_many_at_once_then_so_many_a_minute(self) -> None:
        bucket = Bucket(3, 60, 10.0)
        self.assertEqual([bucket.take(10.0) for _ in range(5)], [0, 0, 0, 1, 1])
        self.assertEqual(bucket.take(10.25), 0.75)
        self.assertEqual([bucket.take(11.0), bucket.take(11.0)], [0, 1])

    def test_what_it_says_is_long_enough(self) -> None:
        """Whoever comes back when told to is not sent away again for a rounding error."""
        for per_minute in (1, 7, 30, 600_000):
            bucket, now = Bucket(1, per_minute, 0.1), 0.1
            bucket.take(now)
            for _ in range(100):
                now += bucket.take(now)
                self.assertEqual(bucket.take(now), 0)

    def test_a_clock_that_goes_back_takes_nothing(self) -> None:
        bucket = Bucket(2, 60, 100.0)
        self.assertEqual([bucket.take(100.0), bucket.take(50.0), bucket.take(50.0)], [0, 0, 1])

    def test_never_more_than_at_once(self) -> None:
        bucket = Bucket(2, 60, 0.0)
        self.assertTrue(bucket.is_full(0.0))
        self.assertEqual([bucket.take(1000.0) for _ in range(3)], [0, 0, 1])
        self.assertEqual([bucket.is_full(1001.9), bucket.is_full(1002.0)], [False, True])


class BucketsTests(SynchronousTestCase):
    def test_each_has_its_own(self) -> None:
        buckets = Buckets(1, 60)
        self.assertEqual([buckets.take(who, 0.0) for who in "abab"], [0, 0, 1, 1])

    def test_those_that_were_quiet_are_forgotten_first(self) -> None:
        buckets = Buckets(2, 60)
        for number in range(REMEMBERED - 1):
            buckets.take(number, 0.0)
        self.assertEqual([buckets.take("busy", 100.0) for _ in range(3)], [0, 0, 1])
        buckets.take("new", 100.0)
        self.assertEqual(len(buckets), 2)
        self.assertEqual(buckets.take("busy", 100.0), 1)

    def test_however_many_come_at_once(self) -> None:
        buckets = Buckets(1, 60)
        for number in range(3 * REMEMBERED):
            buckets.take(number, 0.0)
            self.assertLessEqual(len(buckets), REMEMBERED)


class QuietTests(SynchronousTestCase):
    def test_what_was_left_out_is_told_with_the_next(self) -> None:
        quiet = Quiet(2, 60)
        self.assertEqual([quiet.worth("x", 0.0) for _ in range(3)], ["", "", None])
        self.assertEqual(quiet.worth("y", 0.0), "")
        self.assertEqual(quiet.worth("x", 1.0), " (1 such line left out)")
        self.assertEqual(quiet.worth("x", 2.0), "")
        self.assertEqual(quiet.left_out, 1)


class AddressTests(SynchronousTestCase):
    def test_whom_an_address_counts_for(self) -> None:
        for host, whose in [
            (None, None),
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
            ("fe80::1%eth0", "fe80::1"),
            ("fe80::1", "fe80::1"),
        ]:
            self.assertEqual(source(host), whose)

    def test_networks(self) -> None:
        networks = [ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")]
        for host, inside in [
            (None, False),
            ("192.0.2.255", True),
            ("192.0.3.0", False),
            ("::ffff:192.0.2.1", True),
            ("2001:db8::1", True),
            ("2001:db9::1", False),
            ("fe80::1%eth0", False),
        ]:
            self.assertEqual(within(host, networks), inside)
        self.assertTrue(within("127.8.8.8", DEFAULT_LIMITS.exempt))

    def test_who_can_be_reached_from_anywhere(self) -> None:
        for host, reached in [
            ("0.0.0.0", True),
            ("::", True),
            ("::ffff:0.0.0.0", True),
            ("2a00::1", True),
            ("192.0.2.1", False),
            ("fd00::1", False),
            ("100.64.0.1", False),
            ("localhost", False),
            ("cache.example.net", True),
        ]:
            self.assertEqual(open_to_the_world(host), reached, host)


class CountersTests(SynchronousTestCase):
    def test_they_begin_with_nothing(self) -> None:
        self.assertEqual({bool(value) for value in vars(Counters()).values()}, {False})
