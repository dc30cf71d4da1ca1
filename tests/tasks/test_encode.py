"""Codes: their shapes and values, and the model that has none."""

import pytest
from tests.helpers.trained_models import walks

import vrnn
from vrnn.errors import UnsupportedError


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        *((name, (13, 3, 2)) for name in ("vrnn", "same", "dmm", "srnn", "storn")),
        *((name, (3, 2)) for name in ("autoencoder", "rollout")),
    ],
)
def test_encode_gives_the_table_of_means_and_scales(trained, name, shape):
    codes = vrnn.encode(walks(4), model=trained[name])
    assert len(codes.tables) == 4
    assert codes.tables[0].shape == shape
    assert (codes.tables[0][..., 1] > 0).all()
    transform = codes.to_frame()
    assert len(transform) == (4 * 13 if len(shape) == 3 else 4)
    assert {"mean0", "scale2"} <= set(transform.columns)


def test_an_rnn_has_no_code(trained):
    with pytest.raises(UnsupportedError, match="no latent"):
        vrnn.encode(walks(2), model=trained["rnn"])
