"""The figures of the pre-print, from its data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from paper_data import DATA, StudyData

from dcg_econ import analysis


def figures(studies: Mapping[str, StudyData], data: Path = DATA) -> dict[str, Any]:
    """Every figure by the name of its file and label."""
    return {
        "attention_prices": analysis.information_cost_figure(studies["attention_prices"].panel),
        "talk_bargaining": analysis.surplus_bits_figure(studies["talk_bargaining"].panel),
        "institutions": analysis.frontier_figure(pd.read_csv(data / "institutions.csv"), of="the possible gains"),
    }
