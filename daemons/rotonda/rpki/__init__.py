"""What RPKI validators say, and what it says about routes.

This room is pure: it turns octets into sorted arrays of records and routes into verdicts. It reads no file, opens no
connection and knows no time of its own. It may import numpy and msgspec.
"""
