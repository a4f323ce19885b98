"""Types of registered tasks, read from their schemas and written in a language."""
