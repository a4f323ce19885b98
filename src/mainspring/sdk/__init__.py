"""What the authors and callers of tasks import."""
