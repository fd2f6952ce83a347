"""A continuous double auction with the fields of oTree's demo, two rounds: values, costs and trades by live messages.

Odd participants buy, even ones sell three units each. Offers stand until they are replaced or traded; a trade is at the
buyer's offer.
"""

from otree.api import BaseConstants, BaseGroup, BasePlayer, BaseSubsession, Page, WaitPage, cu, models

VALUES = (95, 80, 62)
COSTS = (20, 45, 70)


class C(BaseConstants):
    NAME_IN_URL = "double_auction"
    PLAYERS_PER_GROUP = None
    NUM_ROUNDS = 2
    ITEMS_PER_SELLER = 3
    NO_ASK = cu(1000)


class Subsession(BaseSubsession):
    pass


class Group(BaseGroup):
    start_timestamp = models.IntegerField()


class Player(BasePlayer):
    is_buyer = models.BooleanField()
    current_offer = models.CurrencyField()
    break_even_point = models.CurrencyField()
    num_items = models.IntegerField()


def creating_session(subsession):
    for player in subsession.get_players():
        player.is_buyer = player.id_in_group % 2 == 1
        place = ((player.id_in_group - 1) // 2 + subsession.round_number - 1) % 3
        player.break_even_point = (VALUES if player.is_buyer else COSTS)[place]
        player.num_items = 0 if player.is_buyer else C.ITEMS_PER_SELLER
        player.current_offer = 0 if player.is_buyer else C.NO_ASK


def partner(player):
    """The other side's best standing offer that this player's meets, or none."""
    others = [one for one in player.group.get_players() if one.is_buyer != player.is_buyer]
    if player.is_buyer:
        others = [one for one in others if one.num_items > 0 and one.current_offer <= player.current_offer]
        return min(others, key=lambda one: one.current_offer, default=None)
    others = [one for one in others if one.current_offer >= player.current_offer]
    return max(others, key=lambda one: one.current_offer, default=None) if player.num_items > 0 else None


def trade(buyer, seller):
    price = buyer.current_offer
    buyer.payoff += buyer.break_even_point - price
    seller.payoff += price - seller.break_even_point
    buyer.num_items += 1
    seller.num_items -= 1
    buyer.current_offer, seller.current_offer = cu(0), C.NO_ASK


def live(player, data):
    player.current_offer = data["offer"]
    other = partner(player)
    if other is not None:
        trade(*((player, other) if player.is_buyer else (other, player)))


class Ready(WaitPage):
    @staticmethod
    def after_all_players_arrive(group):
        group.start_timestamp = 1_700_000_000 + group.round_number  # a fixed clock: the same export every time


class Trading(Page):
    live_method = live


class Everyone(WaitPage):
    pass


class Results(Page):
    pass


page_sequence = [Ready, Trading, Everyone, Results]
