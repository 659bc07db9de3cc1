"""Training runs that were published, and the share of the devices' peak that they imply.

Sources: Table 1 of phi-1.5 (arXiv 2309.05463) and its model card; phi-1 (arXiv 2306.11644); the
announcement of phi-2; llm-foundry's benchmark table for its 1.3B model.
"""

from dataclasses import dataclass

A100_PEAK = 312e12


@dataclass(frozen=True)
class Run:
    """What was said of a run; parameters as in its name."""

    name: str
    parameters: float
    tokens: float
    device_hours: float
    note: str

    @property
    def peak_share(self) -> float:
        """6 operations per parameter and token, over what so many A100 can do in that time."""
        flops = 6 * self.parameters * self.tokens
        return flops / (self.device_hours * 3600 * A100_PEAK)


_PHI_1 = Run("phi-1", 1.3e9, 51e9, 770, "section 2.3, 8 A100")
RUNS = (
    Run("phi-1.5", 1.3e9, 150e9, 1_500, "Table 1"),
    Run("phi-1.5-web", 1.3e9, 300e9, 3_000, "Table 1"),
    Run("phi-1.5", 1.3e9, 150e9, 6_144, "its model card: 32 A100-40G for 8 days"),
    _PHI_1,
    Run("phi-1, The Stack+", 1.3e9, 76e9, 1_090, "as phi-1, other data"),
    Run("phi-2", 2.7e9, 1.4e12, 32_256, "96 A100 for 14 days"),
)


@dataclass(frozen=True)
class Utilisation:
    """A share of the peak that somebody reached with a model of this size, and how it counts."""

    share: float
    counts: str  # a key of `flops_per_token`
    source: str


# by the beginning of the device's name; the H200's arithmetic is the H100's
UTILISATIONS = {
    "A100": (
        Utilisation(_PHI_1.peak_share, "6N", "phi-1, 8 A100"),
        Utilisation(0.599, "full", "llm-foundry 1.3B, 8 A100"),
    ),
    "H100-80G": (Utilisation(0.418, "full", "llm-foundry 1.3B, 8 H100"),),
    "H200": (Utilisation(0.418, "full", "llm-foundry 1.3B, 8 H100; the same arithmetic"),),
}


def utilisations_of(device: str) -> tuple[Utilisation, ...]:
    """What was published for a device; nothing for one of which nothing was."""
    return next((u for name, u in UTILISATIONS.items() if device.startswith(name)), ())
