"""Mainspring's public names. It re-exports and holds nothing else."""

__version__ = "0.1.0"
