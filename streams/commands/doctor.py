"""`lookstream doctor`: what is set, what is installed, what answers. It changes nothing.

In: settings. Out: a report for people or as JSON; 0 if no check failed, 1 otherwise. Nothing raises: a check
that cannot be made is a failed check with the reason.
"""

import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict

from streams.commands.checks import CHECKS, Check, versions
from streams.settings import Settings


def doctor(settings: Settings, as_json: bool) -> int:
    """Look at everything and print it; 0 if nothing failed."""
    if settings.log_level != "DEBUG":
        logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what it would say is in the report
    made = [_made(name, check, settings) for name, check in CHECKS.items()]
    failed = any(check.state == "fail" for check in made)
    if as_json:
        report = {"ok": not failed, "settings": settings.shown(), "versions": versions()}
        text = json.dumps({**report, "checks": [asdict(check) for check in made]}, indent=2)
    else:
        text = "\n".join(_lines(settings, made))
    print(re.sub(r"://[^/@\s\"]+@", "://***@", text))  # a mirror's or a server's address may hold a password
    return int(failed)


def _made(name: str, check: Callable[[Settings], Check], settings: Settings) -> Check:
    try:
        with warnings.catch_warnings(action="ignore"):
            return check(settings)
    except Exception as error:  # the rest of the report is wanted all the same
        return Check(name, "fail", f"{type(error).__name__}: {error}")


def _lines(settings: Settings, made: list[Check]) -> Iterator[str]:
    yield "settings"
    for name, value in settings.shown().items():
        yield f"  {name:<24} {'-' if value in (None, []) else value}"
    yield "versions"
    yield "  " + ", ".join(f"{name} {found}" for name, found in versions().items())
    yield "checks"
    for check in made:
        yield f"  {check.state:<4} {check.name:<14} {check.found}"
        if check.hint:
            yield f"       {'':<14} {check.hint}"
