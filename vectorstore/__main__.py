"""`python -m vectorstore`: the owner of an embedded vector store, alone.

In: `--data-dir`, `--model`, `--dim`, optionally `--socket`. Out: one JSON line on stdout when it listens.
What can fail: one line on stderr and status 1.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path

from vectorstore.base import VectorStoreError
from vectorstore.lock import DirectoryInUse
from vectorstore.paths import socket_path
from vectorstore.service import serve_vectors


def main() -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m vectorstore", description="Own an embedded vector store."
    )
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument(
        "--socket", type=Path, help="default: in the data directory if its path is short enough"
    )
    parser.add_argument("--model", required=True, help="name of the embedder")
    parser.add_argument("--dim", type=int, required=True, help="dimensions of its embeddings")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    path: Path = options.socket or socket_path(options.data_dir)
    try:
        serve_vectors(
            options.data_dir,
            path,
            model=options.model,
            dim=options.dim,
            ready=lambda: print(json.dumps({"socket": str(path)}), flush=True),
        )
    except (DirectoryInUse, VectorStoreError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
