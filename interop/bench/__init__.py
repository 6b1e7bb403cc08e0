"""Ratios against peers: everybody side by side in one run, interleaved, the same answers proved for all."""
