"""Inputs that stay the same along a track, by column or by category."""

import pytest

from vrnn.errors import ConfigError
from vrnn.tasks.constant_inputs import constant_inputs


def test_constant_inputs():
    names = ("kind=ferry", "kind=tug", "load")
    assert constant_inputs(names, {"kind": "ferry", "load": "2"}, 2, 3).shape == (2, 3, 3)
    for given, word in (
        ({"kind": "tug"}, "look at load"),
        ({"kind": "tug", "load": 1, "wind": 2}, "look at wind"),
        ({"kind": "sub", "load": 1}, "ferry, tug, found 'sub'"),
        ({"kind": "tug", "load": "much"}, "load: expected a number, found 'much'"),
        ({"kind": "tug", "load": "nan"}, "expected finite"),
    ):
        with pytest.raises(ConfigError, match=word):
            constant_inputs(names, given, 1, 1)


def test_columns_with_an_equals_sign_in_their_name():
    assert constant_inputs(("a=b", "c"), {"a=b": 2, "c": 1}, 1, 1).tolist() == [[[2, 1]]]
