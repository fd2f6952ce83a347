"""An oTree project for making exports: the games of oTree's samples by their field names, in several treatments.

OTREE_APPS_EURO=1 in the environment pays in euros; otherwise in points, ten to the euro.
"""

from os import environ

SESSION_CONFIGS = [
    {
        "name": "public_goods_low",
        "app_sequence": ["public_goods_simple"],
        "num_demo_participants": 6,
        "treatment": "low",
        "multiplier": 1.2,
    },
    {
        "name": "public_goods_high",
        "app_sequence": ["public_goods_simple", "bargaining"],
        "num_demo_participants": 6,
        "treatment": "high",
        "multiplier": 1.8,
    },
    {
        "name": "markets",
        "app_sequence": ["double_auction"],
        "num_demo_participants": 6,
        "treatment": "auction",
    },
]
SESSION_CONFIG_DEFAULTS = {"real_world_currency_per_point": 0.10, "participation_fee": 4.00, "doc": ""}
PARTICIPANT_FIELDS: list[str] = []
SESSION_FIELDS: list[str] = []
LANGUAGE_CODE = "en"
REAL_WORLD_CURRENCY_CODE = "EUR"
USE_POINTS = environ.get("OTREE_APPS_EURO") != "1"
ADMIN_USERNAME = "admin"
ADMIN_PASSWORD = environ.get("OTREE_ADMIN_PASSWORD")
SECRET_KEY = "only exports are made with it"
