"""Demands that meet the pie, leave some of it, or ask for too much."""

from otree.api import Bot

from . import Request, Results


class PlayerBot(Bot):
    def play_round(self):
        number, period = self.participant.id_in_session, self.round_number
        yield Request, {"request": (50, 50, 45, 40, 70, 60)[number - 1] - (25 if period == 2 and number == 6 else 0)}
        yield Results
