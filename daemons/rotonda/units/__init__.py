"""What moves data in a daemon: sources of routes and RPKI data, links to other daemons, RIBs, validated sets.

Units are the edge: they read files, follow clocks and own services. What they decide with lies in the pure rooms.
"""
