"""The half that holds the user's code: sessions, slots, execution, child processes. No database."""
