"""Moves the record of another gateway into ours: readers of its databases, a pure mapping, and what runs both."""
