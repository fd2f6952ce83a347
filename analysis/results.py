"""What every result of the analysis can do: it prints as a table, in each of the table's formats."""

import abc

import pandas as pd

from dcg_econ.analysis.tables import Table


class AbstractResult(abc.ABC):
    """A result that is a table when printed: text, Markdown, LaTeX and HTML."""

    @abc.abstractmethod
    def table(self) -> Table:
        """The result with its unit, the sessions or clusters it rests on, and how it was tested."""

    def summary(self) -> str:
        """The table as plain text."""
        return str(self.table())

    def to_markdown(self) -> str:
        """The table in Markdown."""
        return self.table().to_markdown()

    def to_latex(self) -> str:
        """The table in LaTeX (booktabs, threeparttable)."""
        return self.table().to_latex()

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return self.table().to_html()


class AbstractFit(AbstractResult):
    """A regression of one outcome, which stands in maketables' tables beside those of other packages."""

    coefficients: pd.DataFrame
    outcome: str
    absorbed: str | None
    parameters: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """The unrounded coefficients."""
        return self.coefficients.copy()

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        return self.coefficients[["b", "se", "t", "p"]]

    @property
    def __maketables_depvar__(self) -> str:
        return self.outcome

    @property
    def __maketables_fixef_string__(self) -> str | None:
        return " + ".join([*self.parameters, *([self.absorbed] if self.absorbed else [])]) or None
