"""Wiring: the one room that names a concrete store; builds the embedded and the hosted form."""
