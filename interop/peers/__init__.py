"""Real programs of others, and how each is installed, configured, started and observed: one file each."""
