"""Tools for testing tasks, and the contracts that stores and transports keep."""
