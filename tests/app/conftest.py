"""Databases of one test alone."""

from tests.system.conftest import fresh_postgres_url

__all__ = ["fresh_postgres_url"]
