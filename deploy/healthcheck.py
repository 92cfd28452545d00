"""Whether the worker in this container has its partitions: its own `lookstream_ready` on /metrics.

In: LOOKSTREAM_METRICS_PORT. Out: exit status 0 if ready, 1 if not, and one line that says why. Needs only
the standard library.
"""

import os
import sys
import urllib.request
from urllib.error import URLError


def state(port: int) -> str | None:
    """None if the worker on loopback port `port` is ready, else what is wrong."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=4.0) as answer:
            page = answer.read().decode()
    except (URLError, OSError) as error:
        return f"no metrics on port {port}: {error}"
    values = [line.rpartition(" ")[2] for line in page.splitlines() if line.startswith("lookstream_ready{")]
    if not values:
        return "the worker is still starting"
    return None if all(float(value) == 1.0 for value in values) else "the worker has no partitions"


if __name__ == "__main__":
    wrong = state(int(os.environ["LOOKSTREAM_METRICS_PORT"]))
    print(wrong or "ready")
    sys.exit(0 if wrong is None else 1)
