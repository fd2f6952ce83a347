"""The answer of any study in sentences: efficiency of each treatment against Nash and first best, and what failed."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from dcg_econ.analysis.benchmarks import COLUMNS, NASH, PRINTED, SECOND_BEST, nash_of
from dcg_econ.analysis.inference import Estimate, ratio
from dcg_econ.analysis.points import at_point, cell_text, in_cell, point_text, points_of
from dcg_econ.analysis.sentences import ROUNDING, absolute, sized, verb_of
from dcg_econ.analysis.style import study_order, treatment_label
from dcg_econ.analysis.tables import small_percent
from dcg_econ.analysis.welfare import efficiency_difference

SUCCESS, MISSING = "ok", "missing"
NAMED = 6  # cells named in a sentence; the table of computation has all
TERMS = (
    "First best: the largest welfare that the private information of the round allows, were everyone honest and "
    "unselfish. Efficiency: expected welfare as a share of expected first best, everyone included.",
    "{nash}, in which nobody gains by playing otherwise. Regret: the largest expected gain of a player from its best "
    "deviation, as a share of first best; zero at an exact equilibrium.",
    "Treatment: {treatment}. Grid point: one value of each swept parameter. Cell: a treatment at a grid point. Session: one "
    "independently trained group; it plays all rounds of its cell.",
    "s.e.: standard error, clustered by session. pp: percentage points of first best.",
)
LINDAHL_TERM = (
    "Lindahl's equilibrium: each player pays a price of its own for the good, and at these prices all want the same level. It "
    "takes true preferences as known, so it is a benchmark and nobody's strategy; with quasi-linear players it is efficient."
)

BOUND = (
    "Second best: the most expected welfare that any mechanism can reach when both sides keep their type to themselves, "
    "are free to walk away, and nobody else pays in (Myerson and Satterthwaite 1983); here the trading rule that reaches it, "
    "on the draws of the study. A treatment that is no equilibrium is not held by it."
)

BITS = "Bits: the information that a message carries, on the scale of log 2; one of 4 words holds 2 bits."
CAPACITY = (
    "Capacity: the most bits that one player's messages may hold in a round, used or not; zero in silence, and without a bound "
    "where a whole report is handed in."
)


def study_answer(
    every: pd.DataFrame | None, days: pd.DataFrame | None, swept: Sequence[str], flags: pd.DataFrame | None, names: list
) -> list[str]:
    """A paragraph per treatment of `names`; `every` has all market days, `days` those of the sessions that did not fail."""
    if every is None or days is None or flags is None:
        return ["No cell has finished: there is no answer yet."]
    if days.empty:
        return ["Every session failed: there is no answer yet."]
    return [_treatment(days, swept, name, flags) for name in study_order(names)]


def study_terms(
    bits: bool, second_best: bool = False, of: str = "", lindahl: bool = False, capacity: bool = False
) -> list[str]:
    """What the words of the report mean; `of` says whose equilibrium Nash is, as `nash_of` does."""
    nash, treatment = "Nash: the equilibrium that was solved for", "what may be said and what the players aim at"
    if of:
        nash = f"Nash, with which every treatment is compared: the equilibrium{of}, whatever the treatment plays"
        treatment = f"which mechanism is played, {treatment}"
    first, *rest = (term.format(nash=nash, treatment=treatment) for term in TERMS)
    said = [first, *([BOUND] if second_best else []), *([LINDAHL_TERM] if lindahl else []), *rest]
    return [*said, *([BITS] if bits else []), *([CAPACITY] if capacity else [])]


def counts(
    cells: pd.DataFrame | None, flags: pd.DataFrame | None, swept: Sequence[str], sessions_planned: int | None
) -> str:
    """How many cells are planned, done, failed and missing, and how many sessions failed or did not converge."""
    parts = [_cell_counts(cells, flags)]
    total, failed, unconverged = _session_counts(cells, flags)
    planned = ""
    if sessions_planned and cells is not None and len(cells):
        every = sessions_planned * len(cells)
        planned = f" ({sessions_planned:,d} planned in each of {len(cells):,d} cells, {every:,d} in all)"
    parts.append(
        f"Sessions: {total:,d} run{planned}; {failed:,d} failed, having no finite welfare, and {unconverged:,d} did not "
        "converge."
    )
    if flags is not None and unconverged:
        parts.append(f"Those that did not converge are included in every mean: {_where(flags['unconverged'], swept)}.")
    if flags is not None and failed:
        parts.append(f"Those that failed enter no mean: {_where(flags['failed'], swept)}.")
    return " ".join(parts)


def _cell_counts(cells: pd.DataFrame | None, flags: pd.DataFrame | None) -> str:
    if cells is None or cells.empty:
        return f"Cells: {0 if flags is None else len(flags):,d} in the panel; the plan of the study was not given."
    status = cells["status"].astype(str)
    done, missing = int((status == SUCCESS).sum()), int((status == MISSING).sum())
    failed = len(cells) - done - missing
    text = f"Cells: {len(cells):,d} planned, {done:,d} done, {failed:,d} failed, {missing:,d} missing."
    lost = cells.loc[status != SUCCESS, "cell"].astype(str).tolist() if "cell" in cells else []
    return f"{text} Without result: {_listed(lost)}." if lost else text


def _session_counts(cells: pd.DataFrame | None, flags: pd.DataFrame | None) -> tuple[int, int, int]:
    if flags is not None:
        return int(flags["sessions"].sum()), int(flags["failed"].sum()), int(flags["unconverged"].sum())
    if cells is None or not {"sessions", "unconverged", "status"} <= set(cells):
        return 0, 0, 0
    done = cells[cells["status"].astype(str) == SUCCESS]
    return int(done["sessions"].sum()), 0, int(done["unconverged"].sum())


def _where(numbers: pd.Series, swept: Sequence[str]) -> str:
    found = []
    for key, count in numbers[numbers > 0].items():
        cell = key if isinstance(key, tuple) else (key,)
        found.append(f"{cell_text(treatment_label(cell[0]), swept, cell[1:])} ({int(count)})")
    return _listed(found)


def _listed(items: list[str]) -> str:
    more = len(items) - NAMED
    return "; ".join(items[:NAMED]) + (f"; and {more:,d} more, see the table of computation" if more > 0 else "")


def _treatment(days: pd.DataFrame, swept: Sequence[str], name: str, flags: pd.DataFrame) -> str:
    own, label = days[days["treatment"] == name], treatment_label(name)
    if own.empty:
        return f"{label}: no session finished with finite welfare, so its efficiency is not known."
    points = points_of(own, swept)
    found = {
        point: ratio(in_cell(days, swept, (name, *point)), "welfare", "first_best").scaled(100.0) for point in points
    }
    said = [_level(found, swept, label)]
    for benchmark in (NASH, SECOND_BEST):
        gaps = {point: _gap(days, swept, name, point, benchmark) for point in points}
        said.append(_against(gaps, swept, _Benchmark.of(benchmark, days)))
    return " ".join(part for part in (*said, _regret(flags, name)) if part)


def _gap(days: pd.DataFrame, swept: Sequence[str], name: str, point: tuple, benchmark: str) -> Estimate | None:
    here, column = at_point(days, swept, point), COLUMNS[benchmark]
    own = here[here["treatment"] == name]
    if column not in here or own[column].isna().any():
        return None
    return efficiency_difference(here, name, benchmark).scaled(100.0)


def _level(found: dict[tuple, Estimate], swept: Sequence[str], label: str) -> str:
    unit = "% of first best"
    if len(found) == 1:
        ((point, only),) = found.items()
        where = f" at {point_text(swept, point)}" if point else ""
        lost = 100.0 - only.value
        rest = f"; {lost:.3g}% is lost against first best." if lost > 100 * ROUNDING else "; nothing is lost."
        return f"{label}: efficiency{where} is {sized(only, unit, interval=True)}{rest}"
    low, high = (choose(found, key=lambda point: found[point].value) for choose in (min, max))
    if found[high].value - found[low].value <= 100 * ROUNDING:
        return f"{label}: efficiency is {sized(found[low], unit)} at each of the {len(found)} grid points."
    return (
        f"{label}: over {len(found)} grid points efficiency is lowest at {point_text(swept, low)}, {sized(found[low], unit)}, "
        f"and highest at {point_text(swept, high)}, {sized(found[high], unit)}."
    )


class _Benchmark(NamedTuple):
    """What a benchmark is called after "above", and what is said of a treatment that is the benchmark."""

    name: str
    itself: str

    @classmethod
    def of(cls, benchmark: str, days: pd.DataFrame) -> "_Benchmark":
        if benchmark == SECOND_BEST:
            return cls(f"the {PRINTED[SECOND_BEST]}", "This is the second best.")
        whose = nash_of(days)
        name = f"the Nash equilibrium{whose}" if whose else PRINTED[NASH]
        return cls(name, f"This is the Nash equilibrium{whose} itself.")


def _against(gaps: dict[tuple, Estimate | None], swept: Sequence[str], benchmark: _Benchmark) -> str:
    whom = benchmark.name
    known = {point: gap for point, gap in gaps.items() if gap is not None}
    if not known:
        return ""
    if all(abs(gap.value) <= 100 * ROUNDING for gap in known.values()):
        return benchmark.itself if len(known) == len(gaps) else ""
    if len(gaps) == 1:
        return _one_gap(next(iter(known.values())), whom)
    verbs = [verb_of(gap, "above it", "below it") or "not distinguishable from it" for gap in known.values()]
    tally = {word: verbs.count(word) for word in ("above it", "below it", "not distinguishable from it")}
    sides = [f"{word} at {count} of {len(gaps)} points" for word, count in tally.items() if count]
    sides += [f"unknown at {len(gaps) - len(known)} of them"] if len(known) < len(gaps) else []
    largest = max(known, key=lambda point: abs(known[point].value))
    size = sized(known[largest], " percentage points")
    every = f"{verbs[0]} at every one" if len(sides) == 1 else f"{', '.join(sides[:-1])} and {sides[-1]}"
    return (
        f"Against {whom}, by a 95% interval at each point, it is {every}; the largest gap is {size} at "
        f"{point_text(swept, largest)}."
    )


def _one_gap(gap: Estimate, whom: str) -> str:
    verb = verb_of(gap, "above", "below")
    if verb:
        return f"That is {verb} {whom} by {sized(absolute(gap), ' percentage points', interval=True)}."
    claim = (
        f"not distinguishable from {whom} at the 5% level" if gap.se == gap.se else f"at an unknown distance to {whom}"
    )
    return f"That is {claim}; the difference is {sized(gap, ' percentage points', interval=True)}."


def _regret(flags: pd.DataFrame, name: str) -> str:
    names = flags.index.get_level_values("treatment")
    own = flags[names == name]
    largest = own["regret_max"].max()
    if not largest > ROUNDING:
        return ""
    return f"Its largest regret in any session is {small_percent(largest)}% of first best."
