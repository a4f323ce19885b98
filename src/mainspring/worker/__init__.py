"""The half that runs the user's functions; it never sees the database."""
