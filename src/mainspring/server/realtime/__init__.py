"""What is followed as it happens: shapes of runs, events, logs and streams."""
