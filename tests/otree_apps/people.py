"""Sessions of people by oTree itself, some of whom never come or leave, exported to the folder named by the argument.

oTree's own bots follow the scripts of the apps' tests.py, but the participants are not marked as bots, have labels, and
stop where STOPS says. Run by make_exports.py inside the project.
"""

import sys
from pathlib import Path
from urllib.parse import quote

from otree.main import setup

setup()

from otree import export  # noqa: E402  after the setup, as oTree wants it
from otree.bots.bot import ParticipantBot  # noqa: E402
from otree.bots.runner import SessionBotRunner  # noqa: E402
from otree.common import get_bots_module, get_models_module, participant_start_url  # noqa: E402
from otree.database import db  # noqa: E402
from otree.models import Participant  # noqa: E402
from otree.session import create_session  # noqa: E402

LABELS = {
    1: "🎓 Ana",
    2: '=HYPERLINK("http://example.org","x")',
    3: 'O"Neil, Sean',
    4: "مشارك ٤",
    5: "007",
    6: "NA",
    7: "<b>&",
}
STOPS = {5: 1, 9: -1, 10: -1, 11: -1, 12: -1}  # rounds of the first app played before leaving; -1: never came
CONFIGS = {"public_goods_high": 12, "public_goods_low": 6}
STUCK = 3  # turns without progress after which those who are left only wait


class Person(ParticipantBot):
    """Arrives with a label."""

    def open_start_url(self):
        number = Participant.objects_get(code=self.participant_code).id_in_session
        label = LABELS.get(number, "")
        self.response = self.client.get(
            f"{participant_start_url(self.participant_code)}?participant_label={quote(label)}", allow_redirects=True
        )


class Runner(SessionBotRunner):
    """Plays until everybody is done or waits for somebody who left."""

    def play(self):
        self.open_start_urls()
        idle = 0
        while self.bots and idle < STUCK:
            idle += 1
            for code, bot in list(self.bots.items()):
                if bot.on_wait_page():
                    continue
                idle = 0
                submission = next(bot.submits_generator, None)
                if submission is None:
                    del self.bots[code]
                else:
                    bot.submit(submission)


def rounds(session, participant, stop):
    """The scripts of one participant's rounds, as many as are played."""
    found = []
    for app in session.config["app_sequence"]:
        players = get_models_module(app).Player.objects_filter(participant_id=participant.id).order_by("round_number")
        for player in players.all():
            script = get_bots_module(app).PlayerBot(
                case_number=0,
                app_name=app,
                player_pk=player.id,
                subsession_pk=player.subsession_id,
                session_pk=session.id,
                participant_code=participant.code,
            )
            found.append(script)
    return found if stop is None else found[:stop]


def run(config, count, stops):
    session = create_session(session_config_name=config, num_participants=count)
    people = [p for p in session.get_participants() if stops.get(p.id_in_session) != -1]
    Runner([Person(p, player_bots=rounds(session, p, stops.get(p.id_in_session))) for p in people]).play()
    db.commit()


def main(folder):
    for name, (config, count) in enumerate(CONFIGS.items()):
        run(config, count, STOPS if name == 0 else {})
    folder.mkdir(parents=True, exist_ok=True)
    for app in ("public_goods_simple", "bargaining"):
        with (folder / f"{app}.csv").open("w", newline="", encoding="utf8") as file:
            export.export_app(app, file)
    with (folder / "all_apps_wide.csv").open("w", newline="", encoding="utf8") as file:
        export.export_wide(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
