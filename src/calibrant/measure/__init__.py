"""Statistics only: arrays in, estimates with intervals and warnings out. Pure, on numpy and scipy.

Read `types/estimate.py` first (what every function here returns), then `summary.py` (the two entry points, which
choose a method and say why), then `interval.py` (independent rows) and `cluster.py` (rows that come in
groups). Import from those modules: this file stays empty so that a reader pays only for what it uses.
"""
