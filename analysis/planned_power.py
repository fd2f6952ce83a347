"""What the planned number of sessions can show, before there are data.

In a simulated study all treatments have the same S sessions, so a declared comparison is a paired difference on S - 1
degrees of freedom. With d the effect in standard deviations of the session differences, its test at level a has power

(1)  P(|T| > t(1 - a/2, S - 1)),  T noncentral t with S - 1 degrees of freedom and noncentrality d sqrt(S),

one tail of it where the claim has a direction. The minimum detectable effect solves (1) = 0.8 for d. Equality within a
margin m rests on two one-sided tests; at no difference each rejects with probability (1) at d = m, one tail, and both do
with at least 2 (1) - 1. So the margin needed for a chance of 0.8 solves (1) = 0.9. A hypothesis among n of its family is
tested at level a/n where Holm's method is at its strictest. Sources: Cohen (1988, chapter 2); Phillips (1990).
"""

from collections.abc import Mapping, Sequence
from functools import cache

import pandas as pd

from dcg_econ.analysis.tables import MISSING, Table, number_text

LEVEL, POWER = 0.05, 0.8
MANY = 1000  # sessions: beyond, the normal distribution gives d to half a per cent at any level that is used
LARGEST = 1e4  # standard deviations; two sessions and a tiny level need as many, and nobody has such an effect


def planned_power(hypotheses: Sequence[Mapping], sessions: int, level: float = LEVEL, power: float = POWER) -> Table:
    """The minimum detectable effect of each declared hypothesis (name, family, alternative, margin) with `sessions` sessions.

    `to_frame()`: per hypothesis `family`, `declared` (hypotheses in its family), `effect` (standard deviations of the
    session differences, tested alone at `level`), `effect_strictest` (at `level` / `declared`), `df`. NaN with one session.
    """
    families = [str(item.get("family") or "") for item in hypotheses]
    rows = []
    for item, family in zip(hypotheses, families, strict=True):
        many, equality = families.count(family), item.get("margin") is not None
        one_tail = equality or item.get("alternative", "two-sided") != "two-sided"
        wanted = (1 + power) / 2 if equality else power
        sizes = [detectable(sessions, alpha, wanted, one_tail) for alpha in (level, level / many)]
        names = ("effect", "effect_strictest")
        row = {"family": family, "declared": many, **dict(zip(names, sizes, strict=True)), "df": sessions - 1}
        rows.append({"name": item["name"], "equality": equality} | row)
    columns = ["name", "equality", "family", "declared", "effect", "effect_strictest", "df"]
    frame = pd.DataFrame(rows, columns=columns).set_index("name")
    notes = (
        f"Smallest true difference, in standard deviations of the outcome's difference between the two sides of a session, "
        f"that {sessions:,d} sessions show with probability {power:g}: by the noncentral t distribution on {sessions - 1} "
        f"degrees of freedom, at the {100 * level:g}% level. Strictest: at that level divided by the number declared in the "
        "family, the first step of Holm's method.",
        "For a claim of equality: the margin, in the same unit, that is needed for that probability when there is no "
        "difference (a lower bound of the probability, so slightly more than enough).",
    )
    return Table(frame, "What the planned sessions can show", notes, name="power", printed=_printed(frame))


@cache
def detectable(sessions: int, level: float, power: float, one_tail: bool) -> float:
    """Solves (1) for d; NaN where there is one session, or where noncentral t cannot be computed so far out.

    Beyond a thousand sessions t counts as normal: scipy's noncentral t has holes there. The tail on the wrong side is
    left out of a two-sided test: at a power of 0.8 it holds less than a millionth.
    """
    if sessions < 2:
        return float("nan")
    from scipy.optimize import brentq
    from scipy.stats import norm
    from statsmodels.stats.power import TTestPower

    tail = level if one_tail else level / 2
    if sessions > MANY:
        return float((norm.isf(tail) + norm.ppf(power)) / sessions**0.5)

    def short_of(effect: float) -> float:
        return float(TTestPower().power(effect, sessions, tail, alternative="larger")) - power

    high = 1.0
    while short_of(high) < 0 and high < LARGEST:
        high *= 2
    found = short_of(high)
    return float(brentq(short_of, 0.0, high)) if found > 0 else float("nan")


def _printed(frame: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {
            "Hypothesis": str(name),
            "Claim": "equality" if row["equality"] else "difference",
            "Family": f"{row['family'] or MISSING} ({row['declared']} declared)",
            "Alone": number_text(row["effect"], ".2f"),
            "Strictest": number_text(row["effect_strictest"], ".2f"),
        }
        for name, row in frame.iterrows()
    ]
    return pd.DataFrame(rows, columns=["Hypothesis", "Claim", "Family", "Alone", "Strictest"], dtype=object)
