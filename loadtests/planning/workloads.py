"""Workloads by name: how long prompts and answers are, and who sends them.

The numbers are moments of published traces (statistics in docs/load-testing.md); no trace data is shipped:
Azure LLM inference traces 2023 (Patel et al., Splitwise, ISCA 2024; CC-BY 4.0), Mooncake (Qin et al., FAST
2025), ServeGen (Xiang et al., arXiv 2505.09999).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lengths:
    """A distribution of token counts: exp(Normal(log_mean, log_sigma)), rounded, within [low, high].

    `log_sigma` 0 is a fixed length of round(exp(log_mean)) tokens.
    """

    log_mean: float
    log_sigma: float
    low: int = 1
    high: int = 1_000_000

    @staticmethod
    def fixed(tokens: int) -> Lengths:
        """Always `tokens`. Raises ValueError below 1."""
        if tokens < 1:
            raise ValueError(f"a length must be at least 1 token, got {tokens}")
        return Lengths(float(np.log(tokens)), 0.0)

    @staticmethod
    def lognormal(median: int, sigma: float) -> Lengths:
        """Lognormal with this median in tokens and this standard deviation of its logarithm.

        Raises ValueError for a median below 1 or a negative deviation.
        """
        if median < 1 or sigma < 0:
            raise ValueError(
                f"lognormal lengths need median >= 1 token and sigma >= 0, got {median} and {sigma}"
            )
        return Lengths(float(np.log(median)), sigma)

    def draw(self, n: int, rng: np.random.Generator, cap: int) -> tuple[Counts, float]:
        """`n` lengths in tokens and the share that `cap` (or `high`) clipped."""
        raw = np.exp(self.log_mean + self.log_sigma * rng.standard_normal(n))
        top = min(self.high, cap)
        clipped = float(np.mean(np.rint(raw) > top)) if n else 0.0
        return np.clip(np.rint(raw), self.low, top).astype(np.int64), clipped


@dataclass(frozen=True, slots=True)
class ClientClass:
    """One class of senders inside a workload: its share of the requests, gap CV and lengths. A load class,
    which is of the user's making, holds a workload; these are what one workload is made of."""

    name: str
    share: float
    cv: float
    prompt: Lengths
    output: Lengths


@dataclass(frozen=True, slots=True)
class Workload:
    """Lengths, and arrivals where the profile has its own: `cv` replaces the
    scenario's gaps in `sustained`."""

    name: str
    source: str
    prompt: Lengths
    output: Lengths
    cv: float | None = None
    on_off: bool = False
    clients: tuple[ClientClass, ...] = ()


AZURE_CONV = Lengths(6.63, 0.99), Lengths(5.02, 0.86)
AZURE_CODE = Lengths(7.0, 1.36, high=7437), Lengths(2.79, 0.85)
MOONCAKE = Lengths(8.74, 1.2), Lengths.fixed(343)
MOONCAKE_AGENTS = Lengths(8.34, 1.2), Lengths.fixed(182)
AGENT_BEGIN = Lengths.lognormal(2000, 0.5), Lengths.lognormal(120, 0.8)

PROFILES: dict[str, Workload] = {
    "chat": Workload("chat", "Azure 2023 conversation, Poisson", *AZURE_CONV),
    "chat-bursty": Workload(
        "chat-bursty", "Azure 2023 conversation, Gamma gaps of CV 2", *AZURE_CONV, cv=2.0
    ),
    "code": Workload("code", "Azure 2023 code, on/off", *AZURE_CODE, on_off=True),
    "long": Workload("long", "Mooncake conversation, Poisson", *MOONCAKE),
    "agent-long": Workload("agent-long", "Mooncake tools and agents, Poisson", *MOONCAKE_AGENTS),
    "agent": Workload("agent", "agents at work, in sessions of about eight requests", *AGENT_BEGIN),
    "servegen-mix": Workload("servegen-mix", "ServeGen: 10 clients, Zipf rates, CV drawn", *AZURE_CONV),
}


def fixed_lengths(name: str) -> tuple[int, int] | None:
    """`512x128` → prompt and answer in tokens; None for a name of another kind."""
    prompt, x, output = name.partition("x")
    if not (x and prompt.isdecimal() and output.isdecimal()):
        return None
    lengths = int(prompt), int(output)
    return lengths if min(lengths) >= 1 and max(lengths) <= 1_000_000 else None


def fixed(prompt_tokens: int, output_tokens: int) -> Workload:
    """Every request with the same lengths."""
    return Workload("fixed", "fixed lengths", Lengths.fixed(prompt_tokens), Lengths.fixed(output_tokens))


def lognormal(prompt_tokens: int, output_tokens: int, sigma: float) -> Workload:
    """Lognormal lengths around the given medians."""
    return Workload(
        "lognormal",
        f"lognormal, sigma {sigma}",
        Lengths.lognormal(prompt_tokens, sigma),
        Lengths.lognormal(output_tokens, sigma),
    )


def servegen_clients(rng: np.random.Generator, count: int = 10) -> tuple[ClientClass, ...]:
    """Clients as ServeGen finds them: Zipf shares, CV lognormal (rate-weighted p10/p50/p90
    about 1/1.2/7), own medians."""
    shares = 1.0 / np.arange(1, count + 1)
    shares /= shares.sum()
    cvs = np.clip(np.exp(rng.normal(np.log(1.3), 0.9, count)), 0.7, 10.0)
    prompts = np.exp(rng.normal(6.63, 0.7, count))
    outputs = np.exp(rng.normal(5.0, 0.5, count))
    return tuple(
        ClientClass(
            f"client-{k}",
            float(shares[k]),
            float(cvs[k]),
            Lengths(float(np.log(prompts[k])), 0.7),
            Lengths(float(np.log(outputs[k])), 0.8),
        )
        for k in range(count)
    )
