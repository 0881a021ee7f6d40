"""Whether the numbers of `calibrant.measure` can be trusted, how long they take, and pictures of them."""
