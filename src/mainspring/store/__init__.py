"""SQL on SQLite and PostgreSQL behind small protocols."""
