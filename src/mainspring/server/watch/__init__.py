"""Watching runs: what the subscribers of an application share. No requests."""
