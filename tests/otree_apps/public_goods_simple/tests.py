"""Two cases, hence two sessions of each configuration."""

from otree.api import Bot

from . import Contribute, Results


class PlayerBot(Bot):
    cases = ("first", "second")

    def play_round(self):
        shift = 7 if self.case == "second" else 0
        number = self.participant.id_in_session
        yield Contribute, {"contribution": (37 * number + 11 * self.round_number + shift) % 101}
        yield Results
