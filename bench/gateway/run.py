"""`python bench/gateway/run.py` is `python -m bench.gateway`, for those who start from anywhere."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

# The folder of this script would come first otherwise, and its `profile.py` hide the standard library's.
sys.path[0] = str(Path(__file__).resolve().parents[2])

if __name__ == "__main__":
    runpy.run_module("bench.gateway", run_name="__main__", alter_sys=True)
