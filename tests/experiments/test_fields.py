"""Fields that a study keeps: the codebook of a quantised language stands among its messages."""

import jax
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.analysis.field_frames import stored_fields
from dcg_econ.experiments.fields import Album
from dcg_econ.experiments.specification import SpecificationError, Training
from dcg_econ.experiments.talkers import learning_form, players_for
from dcg_econ.learning import as_protocol
from dcg_econ.mechanisms import DoubleAuction

AUCTION, TRAINING = DoubleAuction(), Training(width=4)


@pytest.mark.slow
def test_codewords_stand_on_the_field():
    protocol = as_protocol(dcg.Codes(5, 1))
    game = learning_form(AUCTION, protocol, TRAINING)
    album = Album(game, protocol, True)
    players = players_for(AUCTION, protocol, TRAINING)(jax.random.key(0))
    album.add(0, players)
    (_, found), *more = stored_fields(album.frames(jax.random.key(1))["field"])
    assert not more
    words, messages = found.codewords_frame()["first"].to_numpy(), found.messages_frame()["first"].to_numpy()
    # Every message is one of the codewords, to rounding in single precision on a plane of numbers near one.
    assert len(words) == 5 and np.abs(messages[:, None] - words).min(axis=1).max() < 1e-5


def test_no_field_is_promised_where_there_is_none():
    with pytest.raises(SpecificationError, match="talk in numbers"):
        Album(AUCTION, dcg.Silence(), True)
    assert Album(AUCTION, dcg.Silence(), None).frames(jax.random.key(0)) == {}
