"""Event loops on libuv where there are such: a worker spends a third of its time in its loops.

In: nothing. Out: every loop made from now on, on any thread, is one of them. Fails with nothing.
"""

import asyncio
import sys


def use_fast_loops() -> None:
    """Let new event loops be uvloop's, except on Windows, where there is none."""
    if sys.platform != "win32":
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
