"""The VRNNs in plain PyTorch that the speed of ours is measured against."""

import torch
from torch import Tensor, nn


class PerStepVRNN(nn.Module):
    """A VRNN written step by step: every network is called, and every loss added, inside the loop.

    The layers are those of `vrnn.VRNN`, so that both do the same multiplications.
    """

    def __init__(self, dim: int, hidden: int, latent: int, binary: bool):
        super().__init__()
        self.hidden, self.binary = hidden, binary
        self.of_x = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU())
        self.of_z = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU())
        self.encoder = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ReLU())
        self.encoder_mean, self.encoder_scale = (
            nn.Linear(hidden, latent),
            nn.Sequential(nn.Linear(hidden, latent), nn.Softplus()),
        )
        self.prior = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU())
        self.prior_mean, self.prior_scale = (
            nn.Linear(hidden, latent),
            nn.Sequential(nn.Linear(hidden, latent), nn.Softplus()),
        )
        self.decoder = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ReLU())
        self.decoder_mean, self.decoder_scale = (
            nn.Linear(hidden, dim),
            nn.Sequential(nn.Linear(hidden, dim), nn.Softplus()),
        )
        self.cell = nn.GRUCell(2 * hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Return the negative bound of sequences (batch, time, dim)."""
        h, loss = x.new_zeros(x.shape[0], self.hidden), x.new_zeros(())
        for t in range(x.shape[1]):
            h, step = self.step(x[:, t], h)
            loss = loss + step
        return loss / x[..., 0].numel()

    def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        features = self.of_x(x)
        encoded = self.encoder(torch.cat([features, h], -1))
        mean, scale = self.encoder_mean(encoded), self.encoder_scale(encoded) + 1e-3
        before = self.prior(h)
        prior_mean, prior_scale = self.prior_mean(before), self.prior_scale(before) + 1e-3
        z = mean + scale * torch.randn_like(scale)
        of_z = self.of_z(z)
        out = self.decoder(torch.cat([of_z, h], -1))
        kl = (
            (prior_scale / scale).log()
            + (scale**2 + (mean - prior_mean) ** 2) / (2 * prior_scale**2)
            - 0.5
        )
        if self.binary:
            nll = nn.functional.binary_cross_entropy_with_logits(
                self.decoder_mean(out), x, reduction="sum"
            )
        else:
            spread = self.decoder_scale(out) + 1e-3
            nll = (0.5 * ((x - self.decoder_mean(out)) / spread) ** 2 + spread.log() + 0.919).sum()
        return self.cell(torch.cat([features, of_z], -1), h), nll + kl.sum()

    @torch.no_grad()
    def forecast(self, x: Tensor, samples: int, horizon: int) -> Tensor:
        """Return futures (sample * batch, horizon, dim) of prefixes (batch, time, dim)."""
        x = x.repeat(samples, 1, 1)
        h = x.new_zeros(x.shape[0], self.hidden)
        for t in range(x.shape[1]):
            features = self.of_x(x[:, t])
            encoded = self.encoder(torch.cat([features, h], -1))
            mean, scale = self.encoder_mean(encoded), self.encoder_scale(encoded) + 1e-3
            of_z = self.of_z(mean + scale * torch.randn_like(scale))
            h = self.cell(torch.cat([features, of_z], -1), h)
        drawn = []
        for _ in range(horizon):
            before = self.prior(h)
            mean, scale = self.prior_mean(before), self.prior_scale(before) + 1e-3
            of_z = self.of_z(mean + scale * torch.randn_like(scale))
            out = self.decoder(torch.cat([of_z, h], -1))
            mean, scale = self.decoder_mean(out), self.decoder_scale(out) + 1e-3
            drawn.append(mean + scale * torch.randn_like(scale))
            h = self.cell(torch.cat([self.of_x(drawn[-1]), of_z], -1), h)
        return torch.stack(drawn, 1)


class PublishedVRNN(nn.Module):
    """A VRNN with the layers and the calls of a public implementation, written for this comparison.

    Features of x, encoder and decoder have two layers. `nn.GRU` is called on one step at a time.
    Every term of the loss is a function of its own. With a width of H it takes 17 H^2
    multiplications a step, where `PerStepVRNN` and ours take 14 H^2.
    """

    def __init__(self, dim: int, hidden: int, latent: int, binary: bool):
        super().__init__()
        self.hidden, self.binary = hidden, binary

        def deep(inputs: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
            )

        def positive(outputs: int) -> nn.Sequential:
            return nn.Sequential(nn.Linear(hidden, outputs), nn.Softplus())

        self.of_x, self.of_z = deep(dim), nn.Sequential(nn.Linear(latent, hidden), nn.ReLU())
        self.encoder, self.encoder_mean, self.encoder_scale = (
            deep(2 * hidden),
            nn.Linear(hidden, latent),
            positive(latent),
        )
        self.prior = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU())
        self.prior_mean, self.prior_scale = nn.Linear(hidden, latent), positive(latent)
        self.decoder, self.decoder_mean, self.decoder_scale = (
            deep(2 * hidden),
            nn.Linear(hidden, dim),
            positive(dim),
        )
        self.rnn = nn.GRU(2 * hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Return the negative bound of sequences (batch, time, dim)."""
        h, kl, nll = x.new_zeros(1, x.shape[0], self.hidden), x.new_zeros(()), x.new_zeros(())
        for t in range(x.shape[1]):
            features = self.of_x(x[:, t])
            encoded = self.encoder(torch.cat([features, h[-1]], 1))
            mean, scale = self.encoder_mean(encoded), self.encoder_scale(encoded)
            before = self.prior(h[-1])
            prior_mean, prior_scale = self.prior_mean(before), self.prior_scale(before)
            of_z = self.of_z(self.sample(mean, scale))
            out = self.decoder(torch.cat([of_z, h[-1]], 1))
            center, spread = self.decoder_mean(out), self.decoder_scale(out)
            _, h = self.rnn(torch.cat([features, of_z], 1)[None], h)
            kl = kl + self.divergence(mean, scale, prior_mean, prior_scale)
            nll = nll + self.minus_log_density(x[:, t], center, spread)
        return (kl + nll) / x[..., 0].numel()

    def sample(self, mean: Tensor, scale: Tensor) -> Tensor:
        return torch.empty_like(scale).normal_().mul(scale).add(mean)

    def divergence(
        self, mean: Tensor, scale: Tensor, prior_mean: Tensor, prior_scale: Tensor
    ) -> Tensor:
        terms = 2 * prior_scale.log() - 2 * scale.log() - 1
        return (
            0.5 * (terms + (scale.pow(2) + (mean - prior_mean).pow(2)) / prior_scale.pow(2)).sum()
        )

    def minus_log_density(self, x: Tensor, center: Tensor, spread: Tensor) -> Tensor:
        if self.binary:
            p = center.sigmoid()
            return -(x * (p + 1e-6).log() + (1 - x) * (1 - p + 1e-6).log()).sum()
        return (spread.log() + 0.919 + (x - center).pow(2) / (2 * spread.pow(2))).sum()

    @torch.no_grad()
    def forecast(self, x: Tensor, samples: int, horizon: int) -> Tensor:
        """Return futures (sample * batch, horizon, dim) of prefixes (batch, time, dim)."""
        x = x.repeat(samples, 1, 1)
        h, drawn = x.new_zeros(1, x.shape[0], self.hidden), []
        for t in range(x.shape[1] + horizon):
            observed = t < x.shape[1]
            if observed:
                features = self.of_x(x[:, t])
                encoded = self.encoder(torch.cat([features, h[-1]], 1))
                mean, scale = self.encoder_mean(encoded), self.encoder_scale(encoded)
            else:
                before = self.prior(h[-1])
                mean, scale = self.prior_mean(before), self.prior_scale(before)
            of_z = self.of_z(self.sample(mean, scale))
            if not observed:
                out = self.decoder(torch.cat([of_z, h[-1]], 1))
                drawn.append(self.sample(self.decoder_mean(out), self.decoder_scale(out)))
                features = self.of_x(drawn[-1])
            _, h = self.rnn(torch.cat([features, of_z], 1)[None], h)
        return torch.stack(drawn, 1)
