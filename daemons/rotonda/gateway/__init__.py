"""What other programs are told of tables: as JSON, first what there is, then what changes; and as RIS Live tells it.

Pure: what goes out is decided here, when it goes out and to whom is `rotonda.http`'s. May import numpy, msgspec,
rotonda.bgp, rotonda.rib, rotonda.views and rotoro.table.
"""
