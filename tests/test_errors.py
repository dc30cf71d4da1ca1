"""Errors carry fields, and each surface words them."""

import pickle

import pytest

from vrnn.errors import (
    ConfigError,
    DataError,
    Function,
    MissingExtraError,
    NonFiniteError,
    Setting,
    VrnnError,
    check_seed,
    joined,
    require,
    write,
)


class Shouting:
    """Words of a surface of its own."""

    def setting(self, setting: Setting) -> str:
        return setting.name.upper()

    def function(self, function: Function) -> str:
        return function.name.upper()


ALL = ConfigError(
    ("the ", Setting("objective"), " is odd"),
    where="a.csv, line 3",
    setting="samples",
    expected=("at least 2 for ", Setting("objective", "iwae")),
    found=1,
    cause="it was left out",
    hint=("see ", Function("train"), " or set ", Setting("samples", 5)),
)


def test_the_message_has_all_fields_in_order():
    assert str(ALL) == (
        "a.csv, line 3: samples: the objective is odd: expected at least 2 for objective='iwae', "
        "found 1; it was left out; see vrnn.train or set samples=5"
    )


def test_another_surface_words_the_same_fields():
    assert ALL.write(Shouting()) == (
        "a.csv, line 3: SAMPLES: the OBJECTIVE is odd: expected at least 2 for OBJECTIVE, "
        "found 1; it was left out; see TRAIN or set SAMPLES"
    )


def test_fields_are_kept():
    assert (ALL.setting, ALL.found, ALL.cause) == ("samples", 1, "it was left out")
    assert isinstance(ALL, VrnnError)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (VrnnError("all is said here"), "all is said here"),
        (DataError(where="a.csv", expected="a table", found="none"), "a.csv: expected a table, found none"),
        (DataError(expected="a table"), "expected a table"),
        (DataError("too short", found=3), "too short: found 3"),
        (ConfigError(setting="chunk", expected="a number", found=None), "chunk: expected a number, found None"),
        (ConfigError(setting="speed", expected="a pair", found=(1, 2)), "speed: expected a pair, found (1, 2)"),
        (ConfigError(setting="steps", found=0.0), "steps: found 0.0"),
        (NonFiniteError("no number", where="step 3", hint="rest"), "step 3: no number; rest"),
        (VrnnError(), ""),
    ],
)  # fmt: skip
def test_fields_that_are_not_given_leave_no_trace(error, message):
    assert str(error) == message


def test_an_error_inside_another_is_written_in_the_same_words():
    inner = DataError(setting="window", expected="at least 2", found=1)
    outer = DataError(inner, where="training tracks", hint=("or lower ", Setting("window")))
    assert str(outer) == "training tracks: window: expected at least 2, found 1; or lower window"
    assert "WINDOW: expected" in outer.write(Shouting())
    assert "WINDOW: expected" in VrnnError(("no: ", inner)).write(Shouting())


def test_texts():
    assert write(Setting("Columns.id", None)) == "Columns(id=None)"
    assert write(Setting("augment.prob", 0.5)) == "augment.prob=0.5"
    assert write(("at most ", 3, " of ", OSError("disk"))) == "at most 3 of disk"
    assert write(joined([], " or ")) == ""
    assert write(joined(map(Setting, "abc"), " or ")) == "a or b or c"


def test_errors_are_pickled_with_their_fields():
    again = pickle.loads(pickle.dumps(ALL))
    assert type(again) is ConfigError
    assert str(again) == str(ALL) and again.write(Shouting()) == ALL.write(Shouting())
    assert str(pickle.loads(pickle.dumps(VrnnError("plain")))) == "plain"


def test_seed_is_checked():
    check_seed(0)
    with pytest.raises(ConfigError, match="seed: expected at least 0, found -1"):
        check_seed(-1)


def test_an_absent_extra_names_its_command():
    with pytest.raises(MissingExtraError, match=r"install it with: pip install 'vrnn\[plot\]'"):
        require("no_such_module", "plot")
