"""What a daemon shows of itself: the words that units and the HTTP API have in common.

Units have these, and sites are made of them; nothing here changes anything. This room is pure, and may import msgspec,
rotoro.table and rotonda.rib.
"""
