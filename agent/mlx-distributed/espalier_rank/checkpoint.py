"""Loads one rank's part of a model folder with mlx-lm. Where a file is missing, mlx-lm serves random weights and says
nothing: here every parameter must have come from a file. It knows no requests and no sockets."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx import nn
from mlx.utils import tree_flatten, tree_unflatten
from mlx_lm.models.switch_layers import QuantizedSwitchLinear, SwitchLinear
from mlx_lm.utils import load_model

LAYER = re.compile(r"(?:^|\.)layers\.(\d+)\.")


class RankError(Exception):
    """An error for people, with a code of protocol/errors.ts."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Place:
    """A rank's place among the ranks. mlx-lm asks nothing else of a group to split a pipeline."""

    number: int
    count: int

    def rank(self) -> int:
        return self.number

    def size(self) -> int:
        return self.count


class Part:
    """A model of which a rank holds some layers (pipeline) or a part of each layer (tensor)."""

    def __init__(self, folder: Path, place: Place, layer_counts: list[int] | None) -> None:
        """Loads lazily. `layer_counts`: of each rank in turn (rank 0 has the last layers); None for tensor parallel.
        Raises RankError."""
        given: set[str] = set()
        try:
            with loaded_names(given), without_layers(torn_layers(folder)):
                self.model, config = load_model(folder, lazy=True, strict=False)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise RankError("model_unsupported", f"mlx-lm cannot load {folder}: {error}") from error
        self.vocabulary = int(config["vocab_size"])
        self.model_type = str(config["model_type"])
        if layer_counts is not None and place.count > 1:
            if not hasattr(self.model.model, "pipeline"):
                message = f"mlx-lm {self.model_type} has no pipeline: use --engine node-mlx, or --split tensor"
                raise RankError("model_unsupported", message)
            try:
                self.model.model.pipeline(place, split=layer_counts)
            except ValueError as error:
                raise RankError("internal", str(error)) from error
        random = sorted(name for name, _ in tree_flatten(self.model.parameters()) if name not in given)
        if random:
            shown = ", ".join(random[:3])
            message = f"no file in {folder} holds {shown}" + (f" and {len(random) - 3} more" if len(random) > 3 else "")
            raise RankError("model_mismatch", message)
        if sys.platform == "linux":
            # float32 is 3.7 times as fast as bfloat16 on MLX's CPU backend (the demo model), and what node-mlx's stages use
            self.model.set_dtype(mx.float32)

    def shard(self, group: Any) -> None:
        """Leaves this rank's part of every layer. Raises RankError."""
        if not hasattr(self.model, "shard"):
            message = f"mlx-lm {self.model_type} has no tensor parallelism: use --split pipeline"
            raise RankError("model_unsupported", message)
        unpack_unsplittable(self.model, group.size())
        try:
            self.model.shard(group)
        except ValueError as error:
            message = f"{self.model_type} cannot be split into {group.size()} parts: {error}"
            raise RankError("model_unsupported", message) from error

    def read(self) -> int:
        """Reads what is still lazy. Returns the bytes of all weights."""
        mx.eval(self.model.parameters())
        mx.clear_cache()
        return sum(array.nbytes for _, array in tree_flatten(self.model.parameters()))


def unpack_unsplittable(model: nn.Module, parts: int) -> None:
    """Weights are packed in groups along their rows, which tensor parallel cuts: where the groups of a row cannot be dealt
    out, the module is unpacked. No module of R1 is (2,048 / 64 groups); the demo model's experts have one group a row."""
    unpacked = []
    for name, module in model.named_modules():
        scales = module.get("scales")
        if scales is None or scales.shape[-1] % parts == 0 or not name.endswith(("down_proj", "o_proj")):
            continue
        packed = (module["weight"], scales, module.get("biases"))
        weight = mx.dequantize(*packed, group_size=module.group_size, bits=module.bits, mode=module.mode)
        plain: nn.Module
        if isinstance(module, QuantizedSwitchLinear):
            plain = SwitchLinear(1, 1, 1, bias=False)
        elif isinstance(module, nn.QuantizedLinear):
            plain = nn.Linear(1, 1, bias=False)
        else:
            continue
        plain.weight = weight
        if "bias" in module:
            plain.bias = module.bias
        unpacked.append((name, plain))
    model.update_modules(tree_unflatten(unpacked))


def torn_layers(folder: Path) -> set[str]:
    """Numbers of the layers of which only a part is here: a file may end in the middle of a layer, whose rest lies in one
    that only another rank needs."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return set()
    file_of: dict[str, str] = json.loads(index.read_text())["weight_map"]
    missing = {file for file in set(file_of.values()) if not (folder / file).is_file()}
    layers = [LAYER.search(tensor) for tensor, file in file_of.items() if file in missing]
    return {layer.group(1) for layer in layers if layer}


@contextmanager
def without_layers(numbers: set[str]) -> Iterator[None]:
    """Leaves these out of all files meanwhile: mlx-lm's repairs of a checkpoint take each layer to be whole."""
    original = mx.load

    def is_wanted(tensor: str) -> bool:
        layer = LAYER.search(tensor)
        return layer is None or layer.group(1) not in numbers

    def loading(*args: Any, **options: Any) -> Any:
        loaded = original(*args, **options)
        if not isinstance(loaded, dict):
            return loaded
        return {name: array for name, array in loaded.items() if is_wanted(name)}

    mx.load = loading
    try:
        yield
    finally:
        mx.load = original


@contextmanager
def loaded_names(names: set[str]) -> Iterator[None]:
    """Notes the names of all weights that any module is given meanwhile."""
    original = nn.Module.load_weights

    def noting(self: nn.Module, weights: Any, strict: bool = True) -> nn.Module:
        names.update(name for name, _ in weights)
        return original(self, weights, strict)

    nn.Module.load_weights = noting
    try:
        yield
    finally:
        nn.Module.load_weights = original
