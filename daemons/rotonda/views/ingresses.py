"""Ingresses for people and programs."""

from __future__ import annotations

import msgspec

from rotonda.rib.prefixes import address_text
from rotoro.table import NO_PARENT, Ingress


class ShownIngress(msgspec.Struct, omit_defaults=True, kw_only=True):
    """Where routes come from. `link` is what told of it, where that is known."""

    number: int
    kind: str
    state: str
    link: str = ""
    name: str = ""
    peer: str = ""
    peer_as: int = 0
    bgp_id: str = ""
    distinguisher: int = 0
    view: str
    parent: int | None = None


def shown_ingress(ingress: Ingress, link: str = "") -> ShownIngress:
    """An ingress as it is shown."""
    return ShownIngress(
        number=ingress.number,
        kind=ingress.kind.name.lower(),
        state=ingress.state.name.lower(),
        link=link,
        name=ingress.name,
        peer=address_text(ingress.address),
        peer_as=ingress.asn,
        bgp_id=address_text(ingress.bgp_id.to_bytes(4)) if ingress.bgp_id else "",
        distinguisher=ingress.distinguisher,
        view=ingress.view.name.lower().replace("_", "-"),
        parent=None if ingress.parent == NO_PARENT else ingress.parent,
    )
