"""The same model in PyTorch: `nn.GRU`, automatic differentiation, the global generator's noise."""

import os
import time

import torch
from torch import nn


class TorchRNNRBM(nn.Module):
    """RNN-RBM of PyTorch's own modules.

    Args:
        sizes: `Sizes`.
        model: `ModelConfig`, for units and input noise;
            `nn.GRU` has sigmoid gates, whatever the model's.
        num_steps: int, Gibbs steps.    starts_at_bias: bool, where the chains start.
    """

    def __init__(self, sizes, model, num_steps, starts_at_bias):
        super().__init__()
        self.num_direct_frames, self.num_steps, self.starts_at_bias = (
            sizes.num_direct_frames,
            num_steps,
            starts_at_bias,
        )
        self.gaussian, self.input_noise = model.visible_units == "gaussian", model.input_noise
        self.gru = nn.GRU(
            sizes.num_visible, sizes.num_recurrent, sizes.num_layers, batch_first=True
        )
        self.to_bv, self.to_bh = (
            nn.Linear(sizes.u, sizes.num_visible),
            nn.Linear(sizes.u, sizes.num_hidden),
        )
        self.W = nn.Parameter(0.01 * torch.randn(sizes.num_visible, sizes.num_hidden))

    def biases(self, frames):
        """bv and bh of every frame, from those before it.  [B, T, V] -> [B, T, V], [B, T, H]"""
        u, _ = self.gru(
            frames + self.input_noise * torch.randn_like(frames) if self.input_noise else frames
        )
        num_frames = frames.shape[1]
        direct = [
            nn.functional.pad(frames, (0, 0, i, 0))[:, :num_frames]
            for i in range(self.num_direct_frames)
        ]
        before = nn.functional.pad(torch.cat([u, *direct], -1), (0, 0, 1, 0))[:, :num_frames]
        return self.to_bv(before), self.to_bh(before)

    def chain(self, v, bv, bh):
        """The sample and the mean after `num_steps` Gibbs steps."""
        for _ in range(self.num_steps):
            h = torch.sigmoid(bh + v @ self.W)
            h = (torch.rand_like(h) < h).to(v.dtype)
            field = bv + h @ self.W.T
            mean = field if self.gaussian else torch.sigmoid(field)
            v = mean + torch.randn_like(mean) if self.gaussian else mean
        return v, mean

    def free_energy(self, v, bv, bh):
        """F(v), up to a constant.  [B, T, V] -> [B, T]"""
        visible = 0.5 * ((v - bv) ** 2).sum(-1) if self.gaussian else -(v * bv).sum(-1)
        return visible - nn.functional.softplus(bh + v @ self.W).sum(-1)

    def forward(self, frames, mask):
        """The masked mean of F(data) - F(chain's end)."""
        bv, bh = self.biases(frames)
        with torch.no_grad():
            negative, _ = self.chain(bv if self.starts_at_bias else frames, bv, bh)
        difference = self.free_energy(frames, bv, bh) - self.free_energy(negative, bv, bh)
        return (mask * difference).sum() / mask.sum()

    def next_frame(self, u, state, direct):
        """Sings one frame from u's parts.

        -> frame [B, V], top state [B, U], state [L, B, U], direct frames [P, B, V]
        """
        before = torch.cat([u, *direct], -1)
        bv, bh = self.to_bv(before), self.to_bh(before)
        sample, mean = self.chain(bv if self.starts_at_bias else torch.zeros_like(bv), bv, bh)
        frame = sample if self.gaussian else mean
        output, state = self.gru(frame[:, None], state)
        return frame, output[:, 0], state, [frame, *direct][: self.num_direct_frames]


def training_step(sizes, config, batch, compiled):
    """A function that takes one step of the PyTorch model on a batch, and waits for its loss."""
    model, training = (
        _model(
            sizes, config, config.training.cd_steps[0], config.training.negative_start == "bias"
        ),
        config.training,
    )
    optimizer = {"adam": torch.optim.Adam, "rmsprop": torch.optim.RMSprop}[training.optimizer](
        model.parameters(), training.learning_rates[0]
    )
    frames, mask, _ = (torch.from_numpy(array) for array in batch)
    loss_of = torch.compile(model) if compiled else model

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(frames, mask)
        loss.backward()
        optimizer.step()
        return loss.item()

    return _with_fastest_threads(step)


def song(sizes, config, num_rows, num_frames, compiled):
    """A function that sings `num_rows` songs of `num_frames` frames."""
    model = _model(
        sizes, config, config.generation.num_gibbs_steps, config.generation.chain_start == "bias"
    )
    next_frame = torch.compile(model.next_frame) if compiled else model.next_frame

    @torch.inference_mode()
    def sing():
        u, state = (
            torch.zeros(num_rows, sizes.num_recurrent),
            torch.zeros(sizes.num_layers, num_rows, sizes.num_recurrent),
        )
        direct = [torch.zeros(num_rows, sizes.num_visible) for _ in range(sizes.num_direct_frames)]
        frames = []
        for _ in range(num_frames):
            frame, u, state, direct = next_frame(u, state, direct)
            frames.append(frame)
        return torch.stack(frames, 1).sum().item()

    return _with_fastest_threads(sing)


def _model(sizes, config, num_steps, starts_at_bias):
    torch.manual_seed(0)
    return TorchRNNRBM(sizes, config.model, num_steps, starts_at_bias)


def _with_fastest_threads(run):
    """The same function with as many threads as serve it best:
    small products, or a busy machine, are faster with one.
    """
    fastest = None

    def timed(num_threads):
        torch.set_num_threads(num_threads)
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    def run_fastest():
        nonlocal fastest
        if fastest is None:
            run()  # compiles, where it does
            fastest = min(
                (1, os.cpu_count()),
                key=lambda num_threads: min(timed(num_threads) for _ in range(3)),
            )
        torch.set_num_threads(fastest)
        return run()

    return run_fastest
