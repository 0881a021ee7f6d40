"""TensorZero's gateway in a process of its own: `peer_tensorzero.py CONFIG_GLOB PORT_FILE`, until SIGTERM.

The PyPI package embeds the gateway for its patched OpenAI client; it picks a port and serves OpenAI's routes.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

import tensorzero


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    gateway = tensorzero._start_http_gateway(
        config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False
    )
    port_file = Path(sys.argv[2])
    # Renamed into place, so that whoever waits for the file never reads half of it.
    draft = port_file.with_suffix(".draft")
    draft.write_text(str(urlsplit(gateway.base_url).port))
    draft.rename(port_file)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
