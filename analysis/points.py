"""The grid of a study: which parameters it sweeps, the points these make, and what a point is called.

A cell is a treatment at a point. The swept parameters are columns named in `panel.attrs["parameters"]`; one that takes
a single value makes no grid. Nothing here pools points: whoever averages over them says so.
"""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from dcg_econ.analysis.names import nearest
from dcg_econ.analysis.style import study_order
from dcg_econ.analysis.tables import number_text

PARAMETERS = "parameters"


def parameters_of(frame: pd.DataFrame) -> tuple[str, ...]:
    """The parameters that the frame's rows are told apart by, as `market_days` left them in `attrs`."""
    return tuple(frame.attrs.get(PARAMETERS, ()))


def swept_parameters(panel: pd.DataFrame, parameters: Sequence[str] | None = None) -> tuple[str, ...]:
    """`parameters` as given, else those of `panel.attrs["parameters"]` that take more than one value.

    Raises ValueError for a name that is no column, and where a treatment has several cells that no parameter tells apart.
    """
    names = tuple(panel.attrs.get(PARAMETERS) or ()) if parameters is None else tuple(parameters)
    for name in names:
        if name not in panel:
            raise ValueError(f"the panel has no column for the swept parameter `{name}`{nearest(name, panel.columns)}")
    if parameters is None:
        names = tuple(name for name in names if panel[name].nunique(dropna=False) > 1)
    _check_cells(panel, names)
    return names


def varied(frames: Iterable[pd.DataFrame | None], names: Iterable[str]) -> tuple[str, ...]:
    """Those of `names` that take more than one value over all `frames` together (the panel and the list of cells)."""
    have = [frame for frame in frames if frame is not None]
    found = []
    for name in names:
        values = [frame[name] for frame in have if name in frame and len(frame)]
        if values and len(set(pd.concat(values, ignore_index=True).dropna())) > 1:
            found.append(name)
    return tuple(found)


def levels(values: Iterable) -> list:
    """Distinct values: numbers ascending, text as it first occurs."""
    found = list(dict.fromkeys(values))
    numbers = all(isinstance(value, int | float) for value in found)
    return sorted(found) if numbers else found


def cells_of(frame: pd.DataFrame, parameters: Sequence[str]) -> list[tuple]:
    """The (treatment, *point) that `frame` has rows for: treatments in the study's order, points ascending."""
    names = ["treatment", *parameters]
    rank = {"treatment": {name: i for i, name in enumerate(study_order(frame["treatment"]))}}
    values = {name: [row[0] for row in distinct(frame, [name])] for name in parameters}
    rank |= {name: {value: i for i, value in enumerate(levels(values[name]))} for name in parameters}
    return sorted(
        distinct(frame, names), key=lambda row: [rank[name][value] for name, value in zip(names, row, strict=True)]
    )


def distinct(frame: pd.DataFrame, names: Sequence[str]) -> list[tuple]:
    """The distinct rows of some columns, a missing value as None."""
    rows = frame[list(names)].drop_duplicates().itertuples(index=False, name=None)
    return [tuple(None if pd.isna(value) else value for value in row) for row in rows]


def points_of(frame: pd.DataFrame, parameters: Sequence[str]) -> list[tuple]:
    """The points that `frame` has rows for, ascending; one empty tuple where nothing is swept."""
    return [row[1:] for row in cells_of(frame.assign(treatment=""), parameters)]


def at_point(frame: pd.DataFrame, parameters: Sequence[str], point: Sequence) -> pd.DataFrame:
    """The rows of one point."""
    keep = pd.Series(True, frame.index)
    for name, value in zip(parameters, point, strict=True):
        keep &= frame[name].isna() if pd.isna(value) else frame[name] == value
    return frame[keep]


def in_cell(frame: pd.DataFrame, parameters: Sequence[str], cell: Sequence) -> pd.DataFrame:
    """The rows of one (treatment, *point)."""
    return at_point(frame[frame["treatment"] == cell[0]], parameters, cell[1:])


def value_text(value: object) -> str:
    """A parameter's value as printed: four digits for a number, text as it is."""
    if isinstance(value, bool | int):
        return number_text(value)
    return f"{value:.4g}" if isinstance(value, float) else "none" if value is None else str(value)


def point_text(parameters: Sequence[str], point: Sequence) -> str:
    """Such as "outside slope = 0.5, curvature = 2"; empty where nothing is swept."""
    pairs = zip(parameters, point, strict=True)
    return ", ".join(f"{name.replace('_', ' ')} = {value_text(value)}" for name, value in pairs)


def cell_text(label: str, parameters: Sequence[str], point: Sequence) -> str:
    """Such as "Chat at outside slope = 0.5"."""
    where = point_text(parameters, point)
    return f"{label} at {where}" if where else label


def cell_index(cells: Sequence[tuple], parameters: Sequence[str]) -> pd.Index:
    """Index of the cells' rows: treatment alone where nothing is swept, else treatment and parameters."""
    if not parameters:
        return pd.Index([cell[0] for cell in cells], name="treatment")
    return pd.MultiIndex.from_tuples(list(cells), names=["treatment", *parameters])


def matches(point: Mapping[str, object], parameters: Sequence[str], values: Sequence) -> bool:
    """Whether the point `values` agrees with the parameters fixed in `point`."""
    here = dict(zip(parameters, values, strict=True))
    return all(here[name] == value for name, value in point.items())


def _check_cells(panel: pd.DataFrame, parameters: Sequence[str]) -> None:
    if "cell" not in panel or "treatment" not in panel:
        return
    cells = panel[["treatment", *parameters, "cell"]].drop_duplicates()
    twice = cells.duplicated(["treatment", *parameters])
    if twice.any():
        name = cells.loc[twice, "treatment"].iloc[0]
        raise ValueError(
            f"treatment `{name}` has several cells that no parameter tells apart, and they must not be pooled: name the "
            'swept columns, parameters=("...",), or set panel.attrs["parameters"]'
        )
