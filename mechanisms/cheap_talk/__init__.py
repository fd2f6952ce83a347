"""Cheap talk: the partition equilibria, and the game as something that can be learned."""

from dcg_econ.mechanisms.cheap_talk.game import CheapTalk as CheapTalk
from dcg_econ.mechanisms.cheap_talk.game import TalkRegret as TalkRegret
from dcg_econ.mechanisms.cheap_talk.partitions import Partition as Partition
from dcg_econ.mechanisms.cheap_talk.partitions import babbling as babbling
from dcg_econ.mechanisms.cheap_talk.partitions import most_cells as most_cells
from dcg_econ.mechanisms.cheap_talk.partitions import partition as partition
