"""The linear public goods game with the fields of oTree's sample, three rounds, multiplier from the session's configuration."""

from otree.api import BaseConstants, BaseGroup, BasePlayer, BaseSubsession, Page, WaitPage, cu, models


class C(BaseConstants):
    NAME_IN_URL = "public_goods_simple"
    PLAYERS_PER_GROUP = 3
    NUM_ROUNDS = 3
    ENDOWMENT = cu(100)


class Subsession(BaseSubsession):
    pass


class Group(BaseGroup):
    total_contribution = models.CurrencyField()
    individual_share = models.CurrencyField()


class Player(BasePlayer):
    contribution = models.CurrencyField(min=0, max=C.ENDOWMENT)


def pay(group):
    players = group.get_players()
    group.total_contribution = sum(player.contribution for player in players)
    group.individual_share = group.total_contribution * group.session.config["multiplier"] / C.PLAYERS_PER_GROUP
    for player in players:
        player.payoff = C.ENDOWMENT - player.contribution + group.individual_share


class Contribute(Page):
    form_model = "player"
    form_fields = ("contribution",)


class Everyone(WaitPage):
    after_all_players_arrive = pay


class Results(Page):
    pass


page_sequence = [Contribute, Everyone, Results]
