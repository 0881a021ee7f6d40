"""Credentials that are fetched, expire and are fetched again: AWS's chain and Google's tokens.

`opening.py` wires it together; `refresh.py` renews; `aws.py` and `gcp.py` are the only modules that load the clouds'
own libraries, and `sources.py` loads them only where a provider needs one.
"""
