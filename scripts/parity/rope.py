"""Rotated vectors up to position 100,000: the formulas in float64, held against mlx-lm's float32 where that is exact."""

import math
from typing import Any

import mlx.core as mx
import numpy as np
from mlx_lm.models.rope_utils import initialize_rope

POSITIONS = (0, 1, 2, 17, 4095, 4096, 32767, 65536, 100_000)

DEEPSEEK = {
    "type": "yarn",
    "factor": 40,
    "original_max_position_embeddings": 4096,
    "beta_fast": 32,
    "beta_slow": 1,
    "mscale": 1.0,
    "mscale_all_dim": 1.0,
}
CASES: list[dict[str, Any]] = [
    {"name": "R1", "dims": 64, "base": 10_000.0, "pairs": "neighbours", "scaling": DEEPSEEK},
    {
        "name": "R1 with a magnitude",
        "dims": 64,
        "base": 10_000.0,
        "pairs": "neighbours",
        "scaling": {**DEEPSEEK, "mscale_all_dim": 0.707},
    },
    {
        "name": "R1-0528-Qwen3-8B",
        "dims": 128,
        "base": 1_000_000.0,
        "pairs": "halves",
        "scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
    },
    {
        "name": "R1-Distill-Llama",
        "dims": 128,
        "base": 500_000.0,
        "pairs": "halves",
        "scaling": {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
    },
    {"name": "R1-Distill-Qwen", "dims": 128, "base": 10_000.0, "pairs": "halves", "scaling": None},
    {
        "name": "linear",
        "dims": 64,
        "base": 10_000.0,
        "pairs": "halves",
        "scaling": {"type": "linear", "factor": 4.0},
    },
]


def frequencies(dims: int, base: float, scaling: dict[str, Any] | None) -> tuple[np.ndarray, float]:
    """Radians a position of each pair, and the factor of rotated values, in float64; formulas of mlx-lm's rope_utils."""
    periods = base ** (np.arange(0, dims, 2, dtype=np.float64) / dims)
    kind = (scaling or {}).get("type") or (scaling or {}).get("rope_type", "default")
    if scaling is None or kind == "default":
        return 1 / periods, 1.0
    factor = scaling["factor"]
    if kind == "linear":
        return 1 / (periods * factor), 1.0
    trained = scaling["original_max_position_embeddings"]
    if kind == "llama3":
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        waves = 2 * math.pi * periods
        smooth = (trained / waves - low) / (high - low)
        blended = periods / ((1 - smooth) / factor + smooth)
        is_medium = (waves > trained / high) & (waves < trained / low)
        stretched = np.where(waves > trained / low, periods * factor, periods)
        return 1 / np.where(is_medium, blended, stretched), 1.0
    assert kind == "yarn"

    def dimension(turns: float) -> float:
        return dims * math.log(trained / (turns * 2 * math.pi)) / (2 * math.log(base))

    def magnitude(mscale: float) -> float:
        return 0.1 * mscale * math.log(factor) + 1.0

    first = max(math.floor(dimension(scaling.get("beta_fast", 32))), 0)
    last = min(math.ceil(dimension(scaling.get("beta_slow", 1))), dims - 1)
    keep = 1 - np.clip((np.arange(dims // 2) - first) / (last - first), 0, 1)
    inverse = (1 - keep) / (factor * periods) + keep / periods
    return inverse, magnitude(scaling.get("mscale", 1)) / magnitude(scaling.get("mscale_all_dim", 0))


def rotate(x: np.ndarray, angles: np.ndarray, pairs: str) -> np.ndarray:
    halves = pairs == "halves"
    a, b = (x[: x.size // 2], x[x.size // 2 :]) if halves else (x[0::2], x[1::2])
    rotated = (a * np.cos(angles) - b * np.sin(angles), a * np.sin(angles) + b * np.cos(angles))
    return np.concatenate(rotated) if halves else np.stack(rotated, -1).reshape(-1)


def rope_references() -> list[dict[str, Any]]:
    """For each case a vector and what it is at each position, after the check against mlx-lm."""
    generator = np.random.default_rng(4)
    references = []
    for case in CASES:
        dims, base, pairs, scaling = (case[key] for key in ("dims", "base", "pairs", "scaling"))
        inverse, magnitude = frequencies(dims, base, scaling)
        theirs = initialize_rope(dims, base, pairs == "neighbours", scaling, 4096)
        if hasattr(theirs, "_freqs"):
            np.testing.assert_allclose(1 / np.array(theirs._freqs), inverse, rtol=2e-6)
        x = generator.standard_normal(dims).round(6)
        rotated = []
        for position in POSITIONS:
            ours = magnitude * rotate(x, position * inverse, pairs)
            # their angles are float32: their error grows with the position
            row = np.array(theirs(mx.array(x, mx.float32).reshape(1, 1, 1, dims), offset=position))
            np.testing.assert_allclose(row.reshape(-1), ours, atol=2e-5 + 2e-6 * position)
            rotated.append([round(float(value), 7) for value in ours])
        references.append({**case, "x": x.tolist(), "positions": POSITIONS, "rotated": rotated})
    return references
