"""The report on the use of the latents."""

import numpy as np
import pytest
import torch

from vrnn.errors import write
from vrnn.training.collapse import collapse_report


def test_collapse_report_counts_units_whose_mean_varies():
    rows, random = torch.tensor([4.0, 6.0]), np.random.default_rng(0)
    values = torch.from_numpy(random.normal(size=(10, 3)) * np.array([1.0, 0.05, 0.2]))
    code = torch.tensor([[0.0], [1.0]]).double()
    first, second = values[:4], values[4:]
    means = torch.stack(
        [
            torch.cat([torch.stack([v.sum(0), (v**2).sum(0)]), torch.stack([c, c**2])], -1)
            for v, c in ((first, code[0]), (second, code[1]))
        ]
    )
    kl = torch.tensor([[4.0, 0, 0, 1], [6.0, 0, 2, 1]])
    report = collapse_report(kl, means, rows, code_dim=1)
    variance = torch.cat([values.var(0, correction=0), code.var(0, correction=0)])
    assert report.active == (variance > 0.01).tolist() == [True, False, True, True]
    assert report.kl == pytest.approx([1.0, 0.0, 0.2, 0.2]) and report.active_units == 3
    assert report.warning(tied=False) is None
    nothing = report._replace(active=[False] * 4)
    assert (
        "none of 4 latent dimensions is active, the posterior equals the prior"
        in write(nothing.warning(tied=False))
    )
    assert "the latents do not depend on the data" in write(nothing.warning(tied=True))
