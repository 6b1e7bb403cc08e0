"""ASPAs from dictionaries, and made-up ones that meet made-up paths often."""

from __future__ import annotations

import random

import numpy as np
from rotonda.rpki.aspas import AspaSet
from rotonda.rpki.paths import Path

# The topology of the ASPA examples of NIST's BGP-SRx test suite: F and G are peers and on top, so are C and D, D and E.
A, B, C, D, E, F, G = range(65000, 65070, 10)
NIST = {A: {C, D}, B: {E}, C: {F}, D: {F, G}, G: {0}}


def aspa_set(providers: dict[int, set[int]]) -> AspaSet:
    """The ASPAs that name these providers by customer."""
    customers = sorted(providers)
    keys = np.array([customer.to_bytes(4) for customer in customers], "S4")
    return AspaSet.of(keys, [b"".join(number.to_bytes(4) for number in sorted(providers[own])) for own in customers])


def random_aspas(chance: random.Random, ases: list[int]) -> dict[int, set[int]]:
    """Some ASes attest some of the others: nobody, one, many, or AS 0, which stands alone or, wrongly, does not."""
    attesting = [own for own in ases if chance.random() < 0.7]
    return {
        own: set(chance.sample(ases, chance.randint(1, len(ases)))) | ({0} if chance.random() < 0.1 else set())
        if chance.random() < 0.8
        else {0}
        for own in attesting
    }


def random_path(chance: random.Random, ases: list[int]) -> Path:
    """A path with prepends and loops, with AS 0 or with a set now and then, or empty."""
    numbers = [own for own in chance.choices(ases, k=chance.randrange(8)) for _ in range(chance.choice((1, 1, 1, 3)))]
    if chance.random() < 0.05:
        numbers.insert(chance.randint(0, len(numbers)), 0)
    return Path(tuple(numbers), chance.random() < 0.05)
