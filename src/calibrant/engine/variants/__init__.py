"""How each type of variant comes to an answer. `run.py` knows which is whose; start there."""
