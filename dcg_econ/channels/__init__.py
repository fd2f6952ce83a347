"""What saying it costs."""

from dcg_econ.channels.base import AbstractChannel as AbstractChannel
from dcg_econ.channels.base import Chain as Chain
from dcg_econ.channels.base import Info as Info
