"""Values and decisions of the domain: runs, states, retry, limits, tasks. No I/O, no clock."""
