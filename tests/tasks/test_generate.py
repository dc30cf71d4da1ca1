"""Generation: where tracks start, and the models that cannot generate."""

import numpy as np
import pytest
from tests.helpers.trained_models import CONFIGS

import vrnn
from vrnn.errors import ConfigError, UnsupportedError


@pytest.mark.parametrize("name", [n for n in CONFIGS if n != "rollout"])
def test_generate_starts_where_it_is_told(trained, name):
    drawn = vrnn.generate(
        model=trained[name], count=3, steps=9, seed=1, start=np.array([5.0, -2.0])
    )
    assert drawn.lengths.tolist() == [9, 9, 9] and np.allclose([x[0] for x in drawn.x], [5.0, -2.0])
    again = vrnn.generate(model=trained[name], count=3, steps=9, seed=1)
    assert np.allclose(np.stack(again.x) + np.array([5.0, -2.0]), np.stack(drawn.x))


def test_generate_is_refused_where_it_has_no_meaning(trained):
    with pytest.raises(UnsupportedError, match="no distribution of prefixes"):
        vrnn.generate(model=trained["rollout"])
    with pytest.raises(ConfigError, match="at least 2 steps"):
        vrnn.generate(model=trained["vrnn"], steps=1)
