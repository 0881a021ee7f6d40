"""Shapes of the public wire formats, shared by `wire` and `providers`. Structs only: no logic, no I/O."""
