# SPDX-License-Identifier: Apache-2.0
"""_report.py: what training says about its predictors."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class LayerReport:
    """One layer's predictor, measured on text that it was not made from.

    Shares are of the layer's neurons.

    Example:
        >>> layer = flashlm.LayerReport(0, 32, -1.5, 0.9, 0.25, 0.98, 0.99, 0.4, 0.05)
        >>> layer.over_prediction
        2.5
    """

    layer: int
    rank: int
    threshold: float
    """The logit above which a neuron is selected."""
    sparsity: float
    """Share that does not fire."""
    predicted: float
    """Share that is selected."""
    recall: float
    """Share selected of those that fire."""
    mass_recall: float
    """Share selected of the sum of all activations."""
    precision: float
    """Share that fires of those selected."""
    cost: float
    """Multiplications of the predictor, as a share of those of the dense feed-forward network."""

    @property
    def over_prediction(self) -> float:
        """Selected neurons for each one that fires.

        Example:
            >>> flashlm.LayerReport(0, 32, 0.0, 0.9, 0.2, 1.0, 1.0, 0.5, 0.05).over_prediction
            2.0
        """
        return round(self.predicted / max(1 - self.sparsity, 1e-9), 3)

    def to_dict(self) -> dict[str, Any]:
        """All numbers by name.

        Example:
            >>> flashlm.LayerReport(0, 32, 0.0, 0.9, 0.2, 1.0, 1.0, 0.5, 0.05).to_dict()["rank"]
            32
        """
        return {**asdict(self), "over_prediction": self.over_prediction}


@dataclass(frozen=True)
class TrainReport:
    """The predictors of a model; printable.

    Example:
        >>> layer = flashlm.LayerReport(0, 32, -1.5, 0.9, 0.2, 0.98, 0.99, 0.5, 0.05)
        >>> path = Path("predictor.safetensors")
        >>> report = flashlm.TrainReport(path, "q8_0", 0.99, 8192, (layer,), 20.0, 20.1)
        >>> round(report.perplexity_ratio, 3)
        1.005
    """

    path: Path
    dtype: str
    target: float
    """The share of activation mass that the thresholds were set to find."""
    tokens: int
    layers: tuple[LayerReport, ...]
    dense_perplexity: float | None
    """None if it was not measured."""
    perplexity: float | None
    """With the predictors; None if it was not measured."""

    @property
    def perplexity_ratio(self) -> float | None:
        """Perplexity with predictors, as a multiple of dense; None if it was not measured.

        Example:
            >>> report = flashlm.TrainReport(Path("p"), "f16", 0.99, 1, (), None, None)
            >>> report.perplexity_ratio is None
            True
        """
        if self.perplexity is None or self.dense_perplexity is None:
            return None
        return self.perplexity / self.dense_perplexity

    def to_dict(self) -> dict[str, Any]:
        """All numbers by name.

        Example:
            >>> flashlm.TrainReport(Path("p"), "f16", 0.99, 1, (), None, None).to_dict()["dtype"]
            'f16'
        """
        return {
            "path": str(self.path),
            "dtype": self.dtype,
            "target": self.target,
            "tokens": self.tokens,
            "layers": [layer.to_dict() for layer in self.layers],
            "dense_perplexity": self.dense_perplexity,
            "perplexity": self.perplexity,
            "perplexity_ratio": self.perplexity_ratio,
        }

    def __str__(self) -> str:
        head = "layer  rank  sparsity  predicted  over  recall  of mass  precision   cost"
        rows = [
            f"{one.layer:>5} {one.rank:>5} {one.sparsity:>8.1%} {one.predicted:>10.1%} "
            f"{one.over_prediction:>5.2f} "
            f"{one.recall:>7.1%} {one.mass_recall:>8.2%} {one.precision:>10.1%} {one.cost:>6.1%}"
            for one in self.layers
        ]
        return "\n".join([head, *rows, self.verdict()])

    def verdict(self) -> str:
        """One line about the quality.

        Example:
            >>> flashlm.TrainReport(Path("p"), "f16", 0.99, 1, (), 20.0, 20.1).verdict()
            'perplexity 20.100 with predictors, 20.000 dense (+0.50 %)'
        """
        if self.perplexity is None or self.dense_perplexity is None:
            return "perplexity not measured"
        change = 100 * (self.perplexity / self.dense_perplexity - 1)
        return (
            f"perplexity {self.perplexity:.3f} with predictors, "
            f"{self.dense_perplexity:.3f} dense ({change:+.2f} %)"
        )
