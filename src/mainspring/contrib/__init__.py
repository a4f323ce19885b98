"""Mainspring inside web frameworks. Each module needs its framework; none imports another one."""
