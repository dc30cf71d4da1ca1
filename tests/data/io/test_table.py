"""The columns that have a role."""

import pytest

from vrnn.data.io import Columns
from vrnn.errors import ConfigError


def test_a_role_names_a_column_once():
    with pytest.raises(ConfigError, match="x names a column twice: a, a"):
        Columns(x=("a", "a"))


def test_one_name_is_a_role_of_one_column():
    assert Columns(y="lat").y == ("lat",)
