"""The replay: every shopper through every system, and what comes of it as rows.

In: a catalogue, how many shoppers, a seed. Out: a `Report`: a row per scenario and system, and how lookstream
compares with the published centroid on the same shoppers. The figures are the same for the same seed; the
times are not.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from models.evaluation.taste import scores
from models.evaluation.taste.catalogue import Catalogue, tastes
from models.evaluation.taste.shoppers import LOOKS, Shoppers, Visit
from models.evaluation.taste.systems import LENGTH, Session, System, systems

BASELINE: Final = "centroid of 12"
OURS: Final = "lookstream"
SCENARIOS: Final = ("single", "two", "drift", "noisy", "cold")
PERSONAS: Final = (("Alice", "shorts"), ("Bella", "floral"), ("Cathy", "urban"))
PERSONA_SYSTEMS: Final = ("popular", BASELINE, OURS)
COSTS: Final = ("lookstream + fresh", "lookstream + part quota")
COSTS_IN: Final = ("single", "two")
FRESH_SHARE: Final = 0.1
AFTER_DRIFT: Final = 3  # events of the new taste after which precision is taken
GOOD: Final = 0.7  # of a set
Values = dict[str, list[float]]
Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Outcome:
    """What one system did in one scenario: values per shopper, last sets, how long each answer took."""

    values: Values = field(default_factory=dict)
    sets: list[list[int]] = field(default_factory=list)
    answered_s: list[float] = field(default_factory=list)

    def note(self, **values: float) -> None:
        """Keep one shopper's values."""
        for name, value in values.items():
            self.values.setdefault(name, []).append(value)


@dataclass(frozen=True, slots=True)
class Report:
    """Rows and ratios, ready for JSON, and the tastes that shoppers had or that no centroid tells."""

    rows: list[dict[str, Any]]
    ratios: list[dict[str, Any]]
    told: tuple[str, ...]
    untold: tuple[str, ...]


def replay(catalogue: Catalogue, shoppers: int, seed: int, progress: Progress) -> Report:
    """Replay so many shoppers of each scenario. Raises ValueError where the catalogue has too few tastes."""
    known = tastes(catalogue)
    crowd = Shoppers(catalogue, known.told, seed)
    count = max(1, round(FRESH_SHARE * len(catalogue)))
    fresh = np.random.default_rng([seed, 8]).permutation(len(catalogue))[:count].tolist()
    compared = systems(catalogue, crowd.popularity, fresh, seed)
    outcomes: dict[tuple[str, str], Outcome] = {}
    for done, scenario in enumerate(SCENARIOS):
        progress(f"replaying {catalogue.name}", done, len(SCENARIOS))
        visits = [getattr(crowd, scenario)(number) for number in range(shoppers)]
        for name, system in compared.items():
            if scenario in COSTS_IN or name not in COSTS:
                outcomes[scenario, name] = _replayed(scenario, visits, system, crowd)
    for name, likes in PERSONAS if catalogue.name == "drawn" else ():
        progress(f"replaying {name}", len(SCENARIOS), len(SCENARIOS))
        for of in PERSONA_SYSTEMS:
            outcomes[f"{name} ({likes})", of] = _persona(likes, shoppers, compared[of], crowd)
    rows = [
        _row(catalogue, scenario, name, outcome, fresh, seed)
        for (scenario, name), outcome in outcomes.items()
    ]
    return Report(rows, _ratios(catalogue, outcomes, seed), known.told, known.untold)


def _replayed(scenario: str, visits: Sequence[Visit], system: System, crowd: Shoppers) -> Outcome:
    outcome = Outcome()
    for number, visit in enumerate(visits):
        session = system.open(number)
        if scenario == "drift":
            found = _drifted(session, visit, crowd, outcome)
        else:
            for product in visit.looks[:-1]:
                session.act(product)
            found = _timed(session, visit.looks[-1], "product.viewed", outcome)
            _note(found, visit, crowd, outcome)
        outcome.sets.append(found)
        outcome.note(
            diversity=scores.diversity(found, crowd.catalogue.whole),
            novelty_bits=scores.novelty_bits(found, crowd.popularity),
        )
    return outcome


def _note(found: Sequence[int], visit: Visit, crowd: Shoppers, outcome: Outcome) -> None:
    """Precision over what was not looked at yet; of two tastes also how well both are served."""
    liked = [_left(crowd.having[taste], visit.looks) for taste in visit.likes]
    relevant = np.logical_or.reduce(liked)
    outcome.note(
        precision12=scores.precision(found, relevant, 12), precision24=scores.precision(found, relevant, 24)
    )
    if len(liked) == 2:
        one, other = liked
        outcome.note(
            balanced24=scores.balanced(found, one, other, LENGTH),
            both12=float(one[found[:12]].any() and other[found[:12]].any()),
        )


def _drifted(session: Session, visit: Visit, crowd: Shoppers, outcome: Outcome) -> list[int]:
    """Acts until the new taste has half of the set and more of it than the old; the set some events after."""
    old, new = (crowd.having[taste] for taste in visit.likes)
    for product in visit.looks[:LOOKS]:
        session.act(product)
    half = overtaken = len(visit.looks) - LOOKS + 1  # never
    after: list[int] = []
    for event, product in enumerate(visit.looks[LOOKS:], 1):
        found = _timed(session, product, "product.viewed", outcome)
        if event == AFTER_DRIFT:
            after = found
            left = _left(new, visit.looks[: LOOKS + event])
            outcome.note(
                precision12=scores.precision(found, left, 12), precision24=scores.precision(found, left, 24)
            )
        if half > event and new[found].sum() * 2 >= LENGTH:
            half = event
        if overtaken > event and new[found].sum() >= max(1, old[found].sum()):
            overtaken = event
        if event >= AFTER_DRIFT and max(half, overtaken) <= event:
            break
    outcome.note(half_events=float(half), overtaken_events=float(overtaken))
    return after


def _persona(likes: str, shoppers: int, system: System, crowd: Shoppers) -> Outcome:
    """The demo's shoppers; a set holds what the shopper has not acted on, and all of it may be liked."""
    outcome = Outcome()
    liked = crowd.catalogue.having(likes)
    for number in range(max(1, shoppers // 5)):
        session, found = system.open(number), list[int]()

        def act(product: int, action: str, session: Session = session, found: list[int] = found) -> list[int]:
            found[:] = _timed(session, product, action, outcome)
            return found

        crowd.demo(likes, number, act)
        share = float(liked[found].mean())
        outcome.sets.append(found)
        outcome.note(
            precision12=float(liked[found[:12]].mean()),
            precision24=share,
            good_sets=float(share >= GOOD),
            diversity=scores.diversity(found, crowd.catalogue.whole),
            novelty_bits=scores.novelty_bits(found, crowd.popularity),
        )
    return outcome


def _timed(session: Session, product: int, action: str, outcome: Outcome) -> list[int]:
    started_s = time.perf_counter()
    session.act(product, action)
    found = session.answer()
    outcome.answered_s.append(time.perf_counter() - started_s)
    return found


def _left(having: scores.Mask, looks: Sequence[int]) -> scores.Mask:
    left = having.copy()
    left[list(looks)] = False
    return left


def _row(
    catalogue: Catalogue, scenario: str, name: str, outcome: Outcome, fresh: Sequence[int], seed: int
) -> dict[str, Any]:
    means = {key: round(float(np.mean(values)), 4) for key, values in outcome.values.items()}
    intervals = {key: list(scores.interval(values, seed)) for key, values in outcome.values.items()}
    times_ms = np.array(outcome.answered_s) * 1000
    return {
        "catalogue": catalogue.name,
        "system": name,
        "scenario": scenario,
        "shoppers": len(outcome.sets),
        **means,
        "fresh_reached": round(scores.reached(outcome.sets, fresh), 4),
        "intervals": intervals,
        "p50_ms": round(float(np.quantile(times_ms, 0.5)), 3),
        "p99_ms": round(float(np.quantile(times_ms, 0.99)), 3),
    }


def _ratios(
    catalogue: Catalogue, outcomes: dict[tuple[str, str], Outcome], seed: int
) -> list[dict[str, Any]]:
    """How lookstream compares with the published centroid, and each with itself under strays."""
    ours = {scenario: outcomes[scenario, OURS].values for scenario in SCENARIOS}
    theirs = {scenario: outcomes[scenario, BASELINE].values for scenario in SCENARIOS}
    half = np.array([ours["drift"]["half_events"], theirs["drift"]["half_events"]])
    either = half.min(axis=0) <= LOOKS
    asked = [
        ("single-taste precision@24", ours["single"]["precision24"], theirs["single"]["precision24"]),
        ("two-taste balanced precision@24", ours["two"]["balanced24"], theirs["two"]["balanced24"]),
        ("both tastes in the first 12", ours["two"]["both12"], theirs["two"]["both12"]),
        ("events until half of the set is the new taste", half[0], half[1]),
        (f"the same, where either gets there ({either.mean():.0%})", half[0][either], half[1][either]),
        (
            "events until the new taste overtakes the old",
            ours["drift"]["overtaken_events"],
            theirs["drift"]["overtaken_events"],
        ),
        (
            "precision@24 with 20 % strays, against without",
            ours["noisy"]["precision24"],
            ours["single"]["precision24"],
        ),
        ("the centroid's", theirs["noisy"]["precision24"], theirs["single"]["precision24"]),
    ]
    return [
        {
            "catalogue": catalogue.name,
            "measure": measure,
            "value": round(float(np.mean(above)), 4),
            "against": round(float(np.mean(below)), 4),
            "ratio": round(float(np.mean(above) / max(1e-9, float(np.mean(below)))), 4),
            "interval": list(scores.ratio_interval(above, below, seed)),
        }
        for measure, above, below in asked
        if len(above)
    ]
