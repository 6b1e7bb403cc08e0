"""A client for tests."""

from __future__ import annotations

from rotoro.session.follower import FollowingPeer, follow_all
from rotoro.session.negotiation import ClientSession, Mode
from rotoro.session.router import RouterSession
from rotoro.table.attributes import AttributeStore


def client(mode: Mode) -> ClientSession:
    follower = FollowingPeer(follow_all, AttributeStore(), lambda ingress: ingress)
    return ClientSession(mode, follower, RouterSession("rtr"))
