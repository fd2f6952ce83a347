"""Nash's demand game with the fields of oTree's sample, two rounds."""

from otree.api import BaseConstants, BaseGroup, BasePlayer, BaseSubsession, Page, WaitPage, cu, models


class C(BaseConstants):
    NAME_IN_URL = "bargaining"
    PLAYERS_PER_GROUP = 2
    NUM_ROUNDS = 2
    AMOUNT_SHARED = cu(100)


class Subsession(BaseSubsession):
    pass


class Group(BaseGroup):
    total_requests = models.CurrencyField()


class Player(BasePlayer):
    request = models.CurrencyField(min=0, max=C.AMOUNT_SHARED)


def pay(group):
    players = group.get_players()
    group.total_requests = sum(player.request for player in players)
    for player in players:
        player.payoff = player.request if group.total_requests <= C.AMOUNT_SHARED else cu(0)


class Request(Page):
    form_model = "player"
    form_fields = ("request",)


class Everyone(WaitPage):
    after_all_players_arrive = pay


class Results(Page):
    pass


page_sequence = [Request, Everyone, Results]
