"""Attribute sets and routes as the flat words and numbers that answers are made of."""

from __future__ import annotations

from collections.abc import Collection

from rotonda.bgp import as_path
from rotonda.bgp.attributes import Attributes, decoded
from rotonda.bgp.errors import Malformed

Shown = dict[str, object]

FIELDS_OF_SETS = (
    "origin", "origin_as", "as_path", "next_hop", "link_local_next_hop", "med", "local_pref", "atomic_aggregate",
    "aggregator", "communities", "extended_communities", "large_communities", "originator_id", "cluster_list",
    "only_to_customer", "unknown", "unreadable",
)  # fmt: skip
FIELDS_OF_ROUTES = ("prefix", "path_id", "ingress", "received", "ended", "status", "rov", "aspa")
FIELDS = (*FIELDS_OF_ROUTES, *FIELDS_OF_SETS)
"""Everything that a route may show, in this order; what a route does not have is left out."""


def display(octets: bytes) -> Shown:
    """One attribute set for people; one that is framed wrongly shows its octets as `unreadable`."""
    try:
        return _flat(decoded(octets))
    except Malformed:
        return {"unreadable": octets.hex()}


def chosen(shown: Shown, fields: Collection[str] | None) -> Shown:
    """Only these fields of a route; all of them for None."""
    return shown if fields is None else {name: value for name, value in shown.items() if name in fields}


def _flat(attributes: Attributes) -> Shown:
    aggregator = attributes.aggregator
    everything: Shown = {
        "origin": attributes.origin,
        "origin_as": attributes.origin_as,
        "as_path": as_path.text(attributes.as_path),
        "next_hop": attributes.next_hop,
        "link_local_next_hop": attributes.link_local_next_hop,
        "med": attributes.med,
        "local_pref": attributes.local_pref,
        "atomic_aggregate": attributes.atomic_aggregate or None,
        "aggregator": aggregator and {"asn": aggregator[0], "address": aggregator[1]},
        "communities": [f"{high}:{low}" for high, low in attributes.communities] or None,
        "extended_communities": list(attributes.extended_communities) or None,
        "large_communities": [":".join(map(str, parts)) for parts in attributes.large_communities] or None,
        "originator_id": attributes.originator_id,
        "cluster_list": list(attributes.cluster_list) or None,
        "only_to_customer": attributes.only_to_customer,
        "unknown": {str(kind): digits for kind, digits in attributes.unknown.items()} or None,
    }
    return {name: value for name, value in everything.items() if value is not None}
