"""What a treatment's welfare is compared with besides other treatments: columns of the panel, on the same draws."""

import pandas as pd

NASH, SECOND_BEST, FIRST_BEST = "nash", "second_best", "first_best"
COLUMNS = {NASH: "nash_welfare", SECOND_BEST: "second_best_welfare", FIRST_BEST: "first_best"}
PRINTED = {NASH: "Nash", SECOND_BEST: "second best", FIRST_BEST: "first best"}
BOUND_NOTE = (
    "Second best: the trading rule of Myerson and Satterthwaite (1983) on the same draws. It bounds the expected surplus of "
    "play without regret; on finitely many draws a treatment may come out above it by chance, and one with regret at any rate."
)


def is_known(days: pd.DataFrame, benchmark: str) -> bool:
    """Whether the benchmark's welfare is known on some market day."""
    column = COLUMNS[benchmark]
    return column in days and bool(days[column].notna().any())
