"""Output streams: where filters send records to. One file for each kind."""
