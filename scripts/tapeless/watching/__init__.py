"""Watching a run: how far it is, what it said of each video, and what it cost."""
