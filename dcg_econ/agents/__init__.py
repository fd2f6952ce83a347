"""Who speaks."""

from dcg_econ.agents.attentive import Attentive as Attentive
from dcg_econ.agents.bidders import BidAgent as BidAgent
from dcg_econ.agents.bidders import Bidders as Bidders
from dcg_econ.agents.bids import AffineBids as AffineBids
from dcg_econ.agents.bids import StepBids as StepBids
from dcg_econ.agents.learned import CurveAgent as CurveAgent
from dcg_econ.agents.learned import NumberAgent as NumberAgent
from dcg_econ.agents.learned import QuantityAgent as QuantityAgent
from dcg_econ.agents.learned import Separate as Separate
from dcg_econ.agents.learned import Shared as Shared
from dcg_econ.agents.number_messages import AffineMessages as AffineMessages
from dcg_econ.agents.number_messages import FixedMessages as FixedMessages
from dcg_econ.agents.strategies import AbstractStrategy as AbstractStrategy
from dcg_econ.agents.strategies import AffineDemand as AffineDemand
from dcg_econ.agents.strategies import AffineQuantity as AffineQuantity
from dcg_econ.agents.strategies import ProportionalDemand as ProportionalDemand
from dcg_econ.agents.talkers import AbstractTalkers as AbstractTalkers
from dcg_econ.agents.talkers import Decoded as Decoded
from dcg_econ.agents.talkers import SenderReceiver as SenderReceiver
from dcg_econ.agents.talkers import SeparateSpeakers as SeparateSpeakers
from dcg_econ.agents.talkers import SharedSpeakers as SharedSpeakers
from dcg_econ.agents.talkers import Talkers as Talkers
