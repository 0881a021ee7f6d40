"""How long measurements take."""
"""Whether the numbers of `calibrant.measure` can be trusted: each row of the table asks it of one part."""
