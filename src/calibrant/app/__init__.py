"""The composition root: what is wired together here is wired nowhere else.

`supervisor.py` starts processes; `worker.py` is one that answers requests, `recorder.py` the one that drains
the spool. Each process gets its `Options` as one JSON line on standard input, and stops when that closes.
"""
