"""How fast the record is written, and how fast it is asked."""
