"""`vrnn likelihood` on good data."""

import json

import pytest


@pytest.mark.parametrize("bound", ["fivo", "iwae", "elbo"])
def test_likelihood(run, folder, runs, bound):
    words = ["likelihood", folder / "walks.csv", "--model", runs["vrnn"]]
    words.append(f"--bound {bound} --samples 5")
    found = json.loads(run(*words, "--json"))
    assert (found["bound"], found["samples"], found["repeats"]) == (bound, 5, 3)
    assert (found["tracks"], found["rows"]) == (24, 456)
    assert found["of"] == "log p(track | its first point)"
    text = run(*words)
    assert (
        f"{found['log_likelihood']:.4f} +- {found['standard_error']:.4f} nats per scored row, in data units"
        in text
    )
    assert f"lower bound of log p(track | its first point): {bound.upper()}" in text
    assert json.loads(run(*words, "--json", "--repeats", 1))["standard_error"] is None
    assert (
        json.loads(run(*words, "--json", "--seed", 1))["log_likelihood"] != found["log_likelihood"]
    )
