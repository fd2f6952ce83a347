"""How the panel's columns are called in an oTree export, both ways.

player.<field>, group.<field>, subsession.<field> and session.config.<field> become <field>; where two would become the same,
or a name means something else in a panel, the later keeps its model's name: group_<field>. participant.<field> becomes
participant_<field> and session.<field> session_<field>, without a leading underscore.
"""

from collections.abc import Iterable

OTREE_COLUMNS = "otree_columns"  # in a panel's attrs: panel column -> export column, as read
FIRST = "session.config.first_{}"  # the number of the first round, or group, where it is not 0
SESSION = "session.config.session"
PARAMETERS = "session.config.parameters"
COUNTS = {"round": "subsession.round_number", "group": "group.id_in_subsession"}
TREATMENT = "session.config.treatment"
NAMED = {
    "participant": "participant.label",
    "participant_code": "participant.code",
    "session_code": "session.code",
    "agent_type": "participant.agent_type",
    "role": "player.role",
    "payoff": "player.payoff",
    "id_in_group": "player.id_in_group",
    "treatment": TREATMENT,
    "session": SESSION,
    **COUNTS,
}
GROUP = (
    "price",
    "supply",
    "competitive_price",
    "welfare",
    "first_best",
    "nash_welfare",
    "second_best_welfare",
    "lindahl_welfare",
    "regret",
    "converged",
    "complete",
)
YES_NO = ("converged", "complete")  # 1/0 in a file, booleans in a panel
BOOLEANS = "otree_booleans"  # in the attrs of a written frame: export columns that were booleans
IDENTIFYING = ("participant.mturk_", "session.mturk_")  # never read: accounts of people
NOT_READ = ("participant._is_bot", PARAMETERS, FIRST.format("round"), FIRST.format("group"))


def panel_names(columns: Iterable[str]) -> dict[str, str]:
    """Export column -> panel column, for all that a panel takes from an export."""
    back = {export: name for name, export in NAMED.items() if export != TREATMENT}  # any column may be the treatment
    used = {*NAMED, "mechanism", "cell", "complete"}
    names: dict[str, str] = {}
    for column in columns:
        if column in back:
            names[column] = back[column]
        elif column not in NOT_READ and not column.startswith(IDENTIFYING):
            names[column] = _name(column, used)
            used.add(names[column])
    return names


def _name(column: str, used: set[str]) -> str:
    if column in ("session.config.mechanism", "session.config.cell"):
        return column.rpartition(".")[2]
    if column == "session.config.name":
        return "session_config"
    model, _, field = column.partition(".")
    field = field.removeprefix("config.").lstrip("_")
    plain = field if model in ("player", "group", "subsession") or ".config." in column else f"{model}_{field}"
    while plain in used or plain.startswith("treat_"):
        plain = f"{model}_{plain}"
    return plain
