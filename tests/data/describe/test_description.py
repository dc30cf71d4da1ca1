"""The layout of a description on a terminal."""

import numpy as np
from tests.helpers.changed_tracks import changed
from tests.helpers.random_walks import binary, many

from vrnn.data.describe import describe
from vrnn.data.tracks import Tracks


def test_zeros_and_ones():
    d = describe(binary())
    assert d.binary
    assert all(c.binary for c in d.columns)
    assert d.advice[0].startswith("All observed values are 0 or 1: train with emission='bernoulli'")
    assert len(d.advice) == 2
    ones = np.concatenate(binary().x).sum(axis=1).mean()
    (line,) = (line for line in str(d).splitlines() if "x0" in line)
    assert (
        line == "columns       x0 to x5 (6 columns, observed): 0 or 1, "
        f"in a row on average {ones:.3g} of them 1"
    )
    assert "displacement" not in str(d).partition("advice")[0]


CHANGES = (((slice(None), 0), 0.0), ((1, 2), np.nan))


def test_few_zeros_and_ones_and_columns_that_never_change():
    assert "x (observed): 0 to 1" in str(describe(binary(2)))
    silent = binary()
    places = [(i, index, value) for i in range(len(silent)) for index, value in CHANGES]
    silent = changed(silent, "x", *places)
    d = describe(silent)
    assert "of them 1, 1 never, up to 4 % missing" in str(d)
    assert "Constant" not in " ".join(d.advice)
    zeros = describe(Tracks([np.zeros((25, 2))] * 60, ids=list(map(str, range(60)))))
    assert not zeros.binary
    assert "Constant: x, y." in " ".join(zeros.advice)


def test_text_is_the_string():
    d = describe(many())
    assert str(d) == d.to_text()
    assert str(d).splitlines()[0] == "tracks        60"
