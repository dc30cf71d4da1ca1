"""One model in several threads gives what it gives alone; a task changes nothing that it is given."""

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
import torch
from tests.helpers.untrained_models import holed, made, walks

import vrnn
from vrnn.trained import TrainedModel

TRACKS = walks(6)
HOLED = holed(walks(4), (0, slice(4, 6)), (2, slice(3, 7)))


def filtered(model: TrainedModel) -> np.ndarray:
    """Return the log-densities of a stream."""
    belief = vrnn.initial_belief(model=model, particles=8)
    found = []
    for row in TRACKS.x[0]:
        belief, log_prob = vrnn.observe(row, belief=belief, model=model)
        found.append(log_prob)
    return np.concatenate(found)


TASKS: dict[str, Callable[[TrainedModel], np.ndarray]] = {
    "forecast": lambda m: vrnn.forecast(TRACKS, model=m, horizon=4, samples=6).samples,
    "quasi": lambda m: vrnn.forecast(TRACKS, model=m, horizon=4, samples=8, qmc=True).samples,
    "generate": lambda m: np.stack(vrnn.generate(model=m, count=3, steps=5).x),
    "score": lambda m: vrnn.score(TRACKS, model=m, particles=8).score,
    "impute": lambda m: vrnn.impute(HOLED, model=m, samples=4, particles=20).samples[0],
    "likelihood": lambda m: np.array(vrnn.likelihood(TRACKS, model=m, samples=5).per_row),
    "filter": filtered,
}


@pytest.mark.parametrize("kind", ["vrnn", "srnn", "dmm", "rnn"])
def test_a_model_shared_by_threads_gives_what_it_gives_alone(kind):
    """All tasks begin at once on a model that nothing has been asked of before."""
    model, barrier = made(kind), Barrier(len(TASKS))
    alone = {name: task(copy.deepcopy(model)) for name, task in TASKS.items()}
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    state = torch.default_generator.get_state()

    def go(name: str, shared: TrainedModel) -> np.ndarray:
        barrier.wait()
        return TASKS[name](shared)

    with ThreadPoolExecutor(len(TASKS)) as pool:
        for _ in range(5):
            fresh = copy.deepcopy(model)
            started = {name: pool.submit(go, name, fresh) for name in TASKS}
            for name, future in started.items():
                np.testing.assert_array_equal(future.result(), alone[name], err_msg=name)
            for name, value in fresh.network.state_dict().items():
                assert torch.equal(value, before[name])
    assert torch.equal(torch.default_generator.get_state(), state)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_changes_no_tracks(name):
    x = [a.copy() for a in (*TRACKS.x, *HOLED.x)]
    TASKS[name](made("vrnn"))
    for a, b in zip((*TRACKS.x, *HOLED.x), x, strict=True):
        np.testing.assert_array_equal(a, b)
