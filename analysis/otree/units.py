"""What a session of the panel is in an oTree export: the unit that standard errors are clustered on."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import pandas as pd


class AbstractUnit(ABC):
    """`keys` names the panel's session for each row."""

    @abstractmethod
    def keys(self, rows: pd.DataFrame) -> pd.Series: ...


@dataclass(frozen=True)
class BySession(AbstractUnit):
    """An oTree session, whoever met whom in it; welfare is the sum over its groups."""

    def keys(self, rows: pd.DataFrame) -> pd.Series:
        return rows["session.code"]


@dataclass(frozen=True)
class ByGroup(AbstractUnit):
    """A group of partners, who meet nobody else; ValueError if somebody changes groups."""

    def keys(self, rows: pd.DataFrame) -> pd.Series:
        group = rows["session.code"] + "|" + rows["group.id_in_subsession"].astype(int).astype(str)
        moves = group.groupby([rows["session.code"], rows["participant.code"]]).transform("nunique") > 1
        if moves.any():
            raise ValueError(
                f"participant {rows.loc[moves, 'participant.code'].iloc[0]} of session "
                f"{rows.loc[moves, 'session.code'].iloc[0]} changes groups between rounds, so that groups are not "
                "independent: give unit=BySession()"
            )
        return group
