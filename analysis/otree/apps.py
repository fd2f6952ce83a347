r"""oTree's sample games: what their fields are, who is done with a round, and welfare and first best in closed form.

Every app is looked at group by group and round by round, only where all members came and made their reports.

Public goods:  payoff_i = e - g_i + (M / n) sum_j g_j; welfare n e + (M - 1) sum_j g_j; first best n e max(M, 1); nobody
               gives in the Nash equilibrium for M < n                                                              (1)
Bargaining:    demands x_i are paid where sum_i x_i <= pie, else nothing; first best is the pie                     (2)
Auction:       welfare sum_b v_b q_b - sum_s c_s q_s over the units q that changed hands (prices cancel); first best is
               the sum of the positive differences of values from the top and costs from the bottom                 (3)
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd

from dcg_econ.analysis.names import nearest
from dcg_econ.analysis.otree.markets import competitive

Values: TypeAlias = float | int | str | Mapping[str, float | int]
PLACES = 4  # decimals of a currency that are looked for


@dataclass(frozen=True)
class Rows:
    """The rows of complete groups: `panel` (n, columns), `group` (n,) numbers of group x round, `names` export -> panel."""

    panel: pd.DataFrame
    group: pd.Series
    names: Mapping[str, str]

    def column(self, name: str) -> pd.Series:
        """A column by its panel name or its name in the export; ValueError names the nearest."""
        found = self.names.get(name, name)
        if found not in self.panel:
            raise ValueError(f"the export has no field `{name}`{nearest(name, self.panel.columns)}; name it in the app")
        return self.panel[found]

    def values(self, spec: Values, field: str) -> pd.Series:
        """A number for every row: one for all, a column's, or one by treatment."""
        if isinstance(spec, Mapping):
            by = self.panel["treatment"].map(dict(spec))
            lost = self.panel.loc[by.isna(), "treatment"]
            if len(lost):
                raise ValueError(f"`{field}` has no value for treatment `{lost.iloc[0]}`{nearest(lost.iloc[0], spec)}")
            return by.astype(float)
        return self.column(spec).astype(float) if isinstance(spec, str) else pd.Series(float(spec), self.panel.index)

    def total(self, values: pd.Series) -> pd.Series:
        """The sum over the own group, by row."""
        return values.groupby(self.group).transform("sum")

    def size(self) -> pd.Series:
        return self.total(pd.Series(1.0, self.panel.index))


class AbstractApp(ABC):
    """An app of an oTree project; concrete ones are frozen and final."""

    name: str | None
    mechanism: str | None

    @property
    def alone(self) -> bool:
        """Whether participants play by themselves, whatever oTree's groups are."""
        return False

    @property
    def reports(self) -> tuple[str, ...]:
        """The fields that all members of a group have once the round is played."""
        return ()

    @property
    def money(self) -> tuple[str, ...]:
        """The fields in money, besides the payoff and what `outcomes` gives."""
        return ()

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels by column; `{money}` stands for the unit."""
        return {}

    @abstractmethod
    def outcomes(self, rows: Rows) -> Mapping[str, pd.Series]:
        """Columns by row: `welfare` and `first_best` of the own group in money, and others of the app's."""


@dataclass(frozen=True)
class OTreeApp(AbstractApp):
    """Any app: `required` fields make a round complete, and `derive` gives the columns that the file lacks.

    `derive` takes `Rows` and returns columns by row, `welfare` and `first_best` among them. `money_fields` are converted
    with the payoff. `by_oneself`: a task without groups (oTree puts everybody into one).
    """

    name: str | None = None
    mechanism: str | None = None
    required: tuple[str, ...] = ()
    money_fields: tuple[str, ...] = ()
    derive: Callable[[Rows], Mapping[str, pd.Series]] | None = None
    by_oneself: bool = False

    @property
    def alone(self):
        return self.by_oneself

    @property
    def reports(self):
        return self.required

    @property
    def money(self):
        return self.money_fields

    def outcomes(self, rows):
        return self.derive(rows) if self.derive else {}


@dataclass(frozen=True)
class PublicGoodsApp(AbstractApp):
    """The sample `public_goods_simple`, (1): `endowment` and `multiplier` M as numbers, columns, or by treatment.

    `checked`: an exported payoff that (1) does not give is an error; False where payoffs hold more than the game's.
    """

    endowment: Values
    multiplier: Values
    name: str | None = "public_goods_simple"
    mechanism: str | None = "public_goods_session"
    contribution: str = "contribution"
    checked: bool = True

    @property
    def reports(self):
        return (self.contribution,)

    @property
    def money(self):
        return (self.contribution, "individual_share")

    @property
    def labels(self):
        return {
            self.contribution: "Contribution, {money}",
            "group_total": "Contributions of the group, {money}",
            "individual_share": "What each of the group gets from the contributions, {money}",
        }

    def outcomes(self, rows):
        given, size = rows.column(self.contribution).astype(float), rows.size()
        endowment = rows.values(self.endowment, "endowment")
        multiplier = rows.values(self.multiplier, "multiplier")
        total = rows.total(given)
        if self.checked:
            payoff = endowment - given + multiplier / size * total
            agree(rows.panel, payoff, f"endowment={self.endowment} and multiplier={self.multiplier}")
        stake = rows.total(endowment)
        return {
            "group_total": total,
            "welfare": stake + (multiplier - 1) * total,
            "first_best": stake * np.maximum(multiplier, 1),
            "nash_welfare": stake * np.where(multiplier > size, multiplier, 1),
        }


@dataclass(frozen=True)
class BargainingApp(AbstractApp):
    """The sample `bargaining`, Nash's demand game (2): `pie` as a number, a column, or by treatment.

    Its Nash equilibria are many (every division of the pie, and demands that leave nothing), so `nash_welfare` is not given.
    """

    pie: Values
    name: str | None = "bargaining"
    mechanism: str | None = "nash_demand"
    demand: str = "request"
    checked: bool = True

    @property
    def reports(self):
        return (self.demand,)

    @property
    def money(self):
        return (self.demand, "total_requests")

    @property
    def labels(self):
        return {self.demand: "Demand, {money}", "agreement": "Demands could be met"}

    def outcomes(self, rows):
        demand, pie = rows.column(self.demand).astype(float), rows.values(self.pie, "pie")
        total = rows.total(demand)
        met = total <= pie
        if self.checked:
            agree(rows.panel, demand.where(met, 0.0), f"pie={self.pie}")
        return {"agreement": met, "welfare": total.where(met, 0.0), "first_best": pie}


@dataclass(frozen=True)
class DoubleAuctionApp(AbstractApp):
    """The demo `double_auction`, a continuous double auction (3) of units with one value or cost a participant.

    `supply`: units a seller begins with; `demand`: units a buyer has use for, None for any number, as in the demo.
    `started` is a field of the group that is filled once trade opens (None where there is none).
    """

    supply: Values = 3
    demand: Values | None = None
    name: str | None = "double_auction"
    mechanism: str | None = "continuous_double_auction"
    buyer: str = "is_buyer"
    value: str = "break_even_point"
    units: str = "num_items"
    started: str | None = "start_timestamp"
    checked: bool = True

    @property
    def reports(self):
        return (self.buyer, self.value, self.units, *((self.started,) if self.started else ()))

    @property
    def money(self):
        return (self.value, "current_offer")

    @property
    def labels(self):
        return {
            self.value: "A buyer's value, a seller's cost, {money} per unit",
            "traded": "Units that the participant traded",
            "price": "Mean price of the units traded, {money} per unit",
            "competitive_price": "Middle of the competitive prices, {money} per unit",
        }

    def outcomes(self, rows):
        buys = rows.column(self.buyer).astype(float).eq(1)
        value, held = rows.column(self.value).astype(float), rows.column(self.units).astype(float)
        stock = rows.values(self.supply, "supply")
        demand = pd.Series(np.inf, buys.index) if self.demand is None else rows.values(self.demand, "demand")
        traded = held.where(buys, stock - held)
        self._balanced(rows, traded, buys)
        worth = value * traded
        bought, payoffs = rows.total(traded.where(buys, 0.0)), rows.panel["payoff"].astype(float)
        welfare = rows.total(worth.where(buys, -worth))
        if self.checked:
            agree(rows.panel, welfare, f"supply={self.supply}", exported=rows.total(payoffs), each=rows.size())
        paid = rows.total((worth - payoffs).where(buys, 0.0))
        best = competitive(value, buys, demand.where(buys, stock), rows.group)
        price = {"price": (paid / bought).where(bought > 0)} if self.checked else {}
        return {
            "role": buys.map({True: "buyer", False: "seller"}),
            "traded": traded,
            "welfare": welfare,
            **price,
            **best,
        }

    def _balanced(self, rows: Rows, traded: pd.Series, buys: pd.Series) -> None:
        gap = rows.total(traded.where(buys, -traded))
        if (gap != 0).any() or (traded < 0).any():
            raise ValueError(
                f"{where(rows.panel, (gap != 0) | (traded < 0))}: units bought and sold do not match (`{self.units}` "
                f"with supply={self.supply}): give `supply`, the units a seller begins with"
            )


def agree(
    panel: pd.DataFrame, implied: pd.Series, by: str, exported: pd.Series | None = None, each: pd.Series | float = 1.0
) -> None:
    """Raises ValueError where the app's numbers do not give the exported payoffs, up to the rounding of their currency.

    oTree rounds a share and then the payoff to the currency's places: each half a unit of the last place.
    """
    paid = panel["payoff"].astype(float) if exported is None else exported
    far = (paid - implied).abs() > each * 10.0 ** -_places(panel["payoff"])
    if far.any():
        row = far.index[far.to_numpy().argmax()]
        raise ValueError(
            f"{where(panel, far)}: the payoff in the file is {paid[row]:g}, but {by} would pay {implied[row]:g}; correct "
            "the app's numbers, or give checked=False if payoffs hold more than the game's"
        )


def where(panel: pd.DataFrame, wrong: pd.Series) -> str:
    row = panel.loc[wrong.to_numpy()].iloc[0]
    return f"session {row['session_code']}, round {row['round'] + 1}, participant {row['participant_code']}"


def _places(values: pd.Series) -> int:
    """Decimals of the money in use: those of the number with most of them."""
    numbers = values.dropna().to_numpy(float)
    return next((d for d in range(PLACES) if np.array_equal(np.round(numbers, d), numbers)), PLACES)
