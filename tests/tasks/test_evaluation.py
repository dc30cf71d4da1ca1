"""The text and the JSON of an evaluation: width, rules, what is left out, and the verdict."""

import math
from dataclasses import replace

import pytest

from vrnn.tasks.evaluation import Evaluation, ForecastScores

SCORES = ForecastScores(1.0, 2.0, 0.5, 0.75, -3.25, 4.0)
POINT = replace(SCORES, nll=math.nan)
FOUND = Evaluation(
    windows=7,
    samples=20,
    selection="samples",
    model=SCORES,
    baselines={"constant_velocity": POINT, "random_walk": SCORES, "kalman": SCORES},
    better_baselines=(),
    observe=8,
    horizon=12,
    kalman_fit="training tracks",
)


def test_the_table_has_a_row_for_every_baseline():
    lines = FOUND.to_text().splitlines()
    assert lines[0] == "7 windows, 8 observed, 12 forecast, 20 samples"
    names = [line[:18].strip() for line in lines[3:7]]
    assert names == ["model", "constant velocity", "random walk", "Kalman filter"]
    assert lines[4].split()[-2:] == ["-", "4.000"] and lines[5].split()[-2:] == ["-3.250", "4.000"]
    assert lines[-1].startswith("Windows: every run of 20 complete rows")


@pytest.mark.parametrize("selection", ["samples", "clusters", "modes"])
@pytest.mark.parametrize("better", [(), ("constant_velocity", "random_walk", "kalman")])
def test_lines_have_at_most_100_columns(selection, better):
    wide = replace(SCORES, ade=12345.678, nll=-123456.789)
    found = replace(
        FOUND,
        selection=selection,
        model=wide,
        better_baselines=better,
        qmc=True,
        unit="nmi",
        baselines={**FOUND.baselines, "kalman": wide},
    )
    lines = found.to_text().splitlines()
    assert max(map(len, lines)) <= 100
    found = replace(found, temperature=0.5)
    assert "at temperature 0.5 (the NLL and the baselines at 1)" in found.to_text()


@pytest.mark.parametrize("fit", ["training tracks", "observed rows"])
def test_the_rules_say_what_the_kalman_filter_fits(fit):
    assert f"most likely ones of the {fit}." in replace(FOUND, kalman_fit=fit).to_text()


@pytest.mark.parametrize(
    ("better", "sentence"),
    [
        (("kalman",), "Kalman filter has a lower energy score than the model"),
        (("random_walk", "kalman"), "Random walk and Kalman filter have a lower energy score"),
        (
            ("constant_velocity", "random_walk", "kalman"),
            "Constant velocity, random walk and Kalman filter have a lower energy score",
        ),
    ],
)
def test_the_last_sentence_names_the_baselines_that_are_better(better, sentence):
    last = replace(FOUND, better_baselines=better).to_text().split("\n\n")[-1]
    assert last.startswith(sentence) and last.endswith("two standard errors over tracks.")
    assert "lower energy score" not in FOUND.to_text()


def test_what_is_left_out_has_a_reason():
    none = replace(FOUND, baselines={}).to_text()
    assert "Baselines: none, because columns of categories have no velocity." in none
    alone = replace(FOUND, baselines={"constant_velocity": POINT}).to_text()
    assert "Random walk and Kalman filter: left out, because" in alone
    assert "Random walk: of the velocity" not in alone and "NLL of baselines" not in alone
    names = ("constant_velocity", "random_walk", "kalman")
    without = replace(FOUND, baselines=dict.fromkeys(names, POINT)).to_text()
    assert "The NLL of baselines is left out" in without
    assert "left out" not in FOUND.to_text()


def test_the_json_has_each_baseline_beside_the_model():
    values = replace(FOUND, better_baselines=("kalman",)).to_dict()
    assert values["kalman"]["nll"] == -3.25 and values["constant_velocity"]["nll"] is None
    assert values["constant_velocity"]["energy_score"] == 4
    assert values["kalman_fit"] == "training tracks"
    assert values["better_baselines"] == ["kalman"]
    assert "kalman_fit" not in replace(FOUND, baselines={}).to_dict()
