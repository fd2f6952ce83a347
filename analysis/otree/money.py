"""What an export's payoffs are counted in. oTree's files do not say whether they are points or a currency."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import pandas as pd

RATE = "session.config.real_world_currency_per_point"


class AbstractMoney(ABC):
    """`unit` names the money in labels; `rates` is what one of the file's units is worth in it, by row."""

    unit: str

    @abstractmethod
    def rates(self, rows: pd.DataFrame) -> pd.Series | None:
        """A factor for each row of the export, None for 1; raises ValueError where it is not known or means nothing."""


@dataclass(frozen=True)
class AsExported(AbstractMoney):
    """The file's numbers as they are, for sessions that all pay the same for a point."""

    unit: str = "points or currency as exported"

    def rates(self, rows: pd.DataFrame) -> None:
        if RATE in rows and rows[RATE].nunique() > 1:
            by = rows.dropna(subset=[RATE]).drop_duplicates(RATE).set_index("session.code")[RATE]
            raise ValueError(
                f"sessions pay different amounts for a point (`{RATE}`: {_shown(by)}): give money=Exchange('EUR'), say, "
                "for real currency, or money=Money('points') if points are the unit all the same"
            )


@dataclass(frozen=True)
class Money(AbstractMoney):
    """The file's numbers as they are, in `unit`: "points", or the currency of an experiment without points."""

    unit: str

    def rates(self, rows: pd.DataFrame) -> None:
        return None


@dataclass(frozen=True)
class Exchange(AbstractMoney):
    """Points into real currency `unit` at each session's rate, or at `per_point` for all."""

    unit: str
    per_point: float | int | None = None

    def rates(self, rows: pd.DataFrame) -> pd.Series:
        if self.per_point is not None:
            return pd.Series(float(self.per_point), rows.index)
        if RATE not in rows:
            raise ValueError(
                f"no column `{RATE}`, which per-app files lack: give sessions=<the wide export>, or "
                f"money=Exchange({self.unit!r}, per_point=...)"
            )
        rates = pd.to_numeric(rows[RATE], errors="coerce")
        wrong = ~(rates > 0)
        if wrong.any():
            raise ValueError(
                f"session {rows.loc[wrong, 'session.code'].iloc[0]} has no positive `{RATE}`, so that its points are of "
                f"no known worth: leave it out, or give money=Exchange({self.unit!r}, per_point=...)"
            )
        return rates.astype(float)


def _shown(by: pd.Series) -> str:
    return ", ".join(f"{code} {value:g}" for code, value in list(by.items())[:4])
