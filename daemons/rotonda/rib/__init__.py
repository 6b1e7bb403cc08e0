"""Routes by prefix and by where they come from: kept, joined from several sources, and asked for.

This room is pure: no reactor, no clock, no file. It may import numpy, rotoro.table, rotonda.bgp and rotonda.rpki.
What it answers is computed on snapshots, which never change, so an answer can be made while the table moves on.
"""
