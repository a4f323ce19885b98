"""Deterministic simulation of the whole engine: one seed decides everything."""
