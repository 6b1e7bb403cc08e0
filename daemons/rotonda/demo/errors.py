"""What can go wrong with a demo."""


class DemoFailed(Exception):
    """The show cannot go on; the text says why, for people."""
