"""Rotonda: reference daemons for Rotoro - a connector, a RIB and a router, each a twistd plugin."""

VERSION = "0.1.0"
