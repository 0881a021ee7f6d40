"""Whether the numbers of `calibrant.measure` can be trusted: each row of the table asks it of one part."""

"""Whether the numbers of `calibrant.measure` can be trusted, how long they take, and pictures of them."""
