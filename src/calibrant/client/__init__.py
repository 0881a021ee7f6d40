"""A gateway's API for Python: `calibrant.Client` and `calibrant.AsyncClient`.

A call is a value: `inference`, `routes`, `batches`, `inferences` and `datasets` build it and say how its answer is
read, `retry` when it is made again, `events` reads streams. All of these are pure. The two clients only send.
"""
