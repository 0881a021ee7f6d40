"""How long measurements take."""
