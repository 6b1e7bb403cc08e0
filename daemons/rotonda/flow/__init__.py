"""What flows between units: tables and their changes, through filters, from many to one, from one to many.

This room is pure: no reactor, no clock, no file.
"""
