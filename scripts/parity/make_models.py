"""Makes the fixtures of test/fixtures/parity: small random models, and what mlx-lm answers with them in float32.

A development tool: python -m venv DIR; DIR/bin/pip install "mlx[cpu]" mlx-lm==0.32.2; DIR/bin/python make_models.py OUT
"""

import json
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx import nn
from mlx.utils import tree_flatten
from mlx_lm.models import deepseek_v3, llama, qwen2, qwen3
from mlx_lm.models.cache import make_prompt_cache
from mlx_lm.utils import load_model

from rope import rope_references
from variants import VARIANTS, Variant

Tensors = dict[str, mx.array]

ARCHITECTURES = {"deepseek_v3": deepseek_v3, "llama": llama, "qwen2": qwen2, "qwen3": qwen3}
PROMPT_LENGTHS = (1, 6, 17, 40)
GREEDY_TOKENS = 12
# No two logits may be so near that another order of the same sums could exchange them.
MIN_GAP = 0.02
# Logits far apart, attention that picks tokens out, and feed-forward that counts beside it.
GAINS = {"lm_head.weight": 3.0, "q_proj.weight": 2.0, "down_proj.weight": 2.0}
# A model that says one token over and over compares little: at least so many different ones in its four answers.
MIN_DISTINCT_TOKENS = 16
# A tied embedding must be small beside what the layers add, or every token is followed by itself.
TIED_EMBEDDING = 0.05
TIED_NORM = 6.0


def random_tensors(variant: Variant) -> Tensors:
    """All parameters in float32, by the names that mlx-lm's model has, spread so that logits are far apart."""
    module = ARCHITECTURES[variant.config["model_type"]]
    layers = variant.config["num_hidden_layers"] + variant.further_layers
    args = module.ModelArgs.from_dict(
        {**variant.config, "num_hidden_layers": layers, "tie_word_embeddings": variant.tied}
    )
    shapes = {name: value.shape for name, value in tree_flatten(module.Model(args).parameters())}
    if variant.tied:
        shapes.pop("lm_head.weight", None)
    return {name: random_tensor(name, shape, variant) for name, shape in shapes.items()}


def random_tensor(name: str, shape: tuple[int, ...], variant: Variant) -> mx.array:
    noise = mx.random.normal(shape)
    if name.endswith("norm.weight"):
        # a tied head has the embedding's small numbers
        gain = TIED_NORM if variant.tied and name == "model.norm.weight" else 1
        return gain * (1 + 0.1 * noise)
    if name.endswith(".bias"):
        return 0.3 * noise
    if name.endswith("e_score_correction_bias"):
        return 0.1 * noise
    if name == "model.embed_tokens.weight":
        return (TIED_EMBEDDING if variant.tied else 1.0) * noise
    gain = next((gain for end, gain in GAINS.items() if name.endswith(end)), 1.0)
    return gain * noise / shape[-1] ** 0.5


def join_kv_b(tensors: Tensors) -> Tensors:
    """embed_q [heads, rank, nope] and unembed_out [heads, v, rank] as one kv_b_proj [heads · (nope + v), rank]."""
    joined = dict(tensors)
    for name in tensors:
        if not name.endswith("embed_q.weight"):
            continue
        path = name.removesuffix("embed_q.weight")
        keys = joined.pop(name).swapaxes(1, 2)
        both = mx.concatenate([keys, joined.pop(f"{path}unembed_out.weight")], axis=1)
        joined[f"{path}kv_b_proj.weight"] = both.reshape(-1, both.shape[-1])
    return joined


def choice_of(variant: Variant, path: str) -> dict[str, int] | None:
    """How the module at `path` is packed; None for unquantized."""
    everything = variant.quantization
    if everything is None or any(path.endswith(end) for end in variant.unnamed):
        return None
    own = everything.get(path, everything)
    return {"group_size": own["group_size"], "bits": own["bits"]} if own else None


def pack(tensors: Tensors, variant: Variant) -> Tensors:
    """The tensors as they are stored: packed, or in the variant's dtype."""
    dtype = getattr(mx, variant.dtype)
    stored: Tensors = {}
    for name, value in tensors.items():
        path = name.removesuffix(".weight")
        is_linear = value.ndim >= 2 and not path.endswith("mlp.gate")
        choice = choice_of(variant, path) if is_linear else None
        if choice is None:
            stored[name] = value if name.endswith("e_score_correction_bias") else value.astype(dtype)
            continue
        weight, scales, biases = mx.quantize(value.astype(dtype), **choice)
        stored |= {f"{path}.weight": weight, f"{path}.scales": scales, f"{path}.biases": biases}
    return stored


def part_experts(stored: Tensors) -> Tensors:
    """mlp.switch_mlp.M [experts, …] as mlp.experts.0.M, mlp.experts.1.M, …"""
    parted: Tensors = {}
    for name, value in stored.items():
        if ".switch_mlp." not in name:
            parted[name] = value
            continue
        for expert in range(value.shape[0]):
            parted[name.replace("switch_mlp", f"experts.{expert}")] = value[expert]
    return parted


def write_folder(folder: Path, config: dict[str, Any], tensors: Tensors, shards: int) -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    names = sorted(tensors)
    if shards == 1:
        files = {"model.safetensors": names}
    else:
        files = {f"model-{i + 1:05}-of-{shards:05}.safetensors": names[i::shards] for i in range(shards)}
        weight_map = {name: file for file, own in files.items() for name in own}
        index = {"metadata": {}, "weight_map": dict(sorted(weight_map.items()))}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=0) + "\n")
    for file, own in files.items():
        contents = {name: tensors[name] for name in own}
        mx.save_safetensors(str(folder / file), contents, metadata={"format": "mlx"})


def for_mlx_lm(stored: Tensors, variant: Variant) -> Tensors:
    """What mlx-lm cannot read, or would change, as it should understand it.

    It packs kv_b_proj anew, which moves logits (docs/decisions/0002): here it gets it unpacked in the checkpoint's dtype.
    It knows no tied deepseek_v3, and removes only layer 61 as one for further tokens.
    """
    tensors = dict(stored)
    for name in stored:
        path = name.removesuffix(".scales")
        if not name.endswith("kv_b_proj.scales"):
            continue
        weight, scales, biases = (tensors.pop(f"{path}.{part}") for part in ("weight", "scales", "biases"))
        choice = choice_of(variant, path)
        assert choice is not None
        tensors[f"{path}.weight"] = mx.dequantize(weight, scales, biases, choice["group_size"], choice["bits"])
    if variant.tied and variant.config["model_type"] == "deepseek_v3":
        for name in stored:
            if name.startswith("model.embed_tokens."):
                tensors[name.replace("model.embed_tokens", "lm_head")] = stored[name]
    last = variant.config["num_hidden_layers"]
    further = tuple(f"model.layers.{last + i}." for i in range(variant.further_layers))
    return {name: value for name, value in tensors.items() if not name.startswith(further)}


def references(model: nn.Module, vocabulary: int) -> tuple[list[dict[str, Any]], float]:
    """For each prompt the last logits and the greedy tokens; and the least lead of a greedy token over the next."""
    cases = []
    gap = float("inf")
    for length in PROMPT_LENGTHS:
        prompt = [int(i) for i in mx.random.randint(0, vocabulary, (length,)).tolist()]
        cache = make_prompt_cache(model)
        logits = model(mx.array([prompt]), cache=cache)[0, -1]
        first = [round(value, 5) for value in logits.tolist()]
        tokens = []
        while True:
            best, second = sorted(logits.tolist(), reverse=True)[:2]
            gap = min(gap, best - second)
            tokens.append(int(mx.argmax(logits).item()))
            if len(tokens) == GREEDY_TOKENS:
                break
            logits = model(mx.array([[tokens[-1]]]), cache=cache)[0, -1]
        cases.append({"prompt_ids": prompt, "last_prompt_logits": first, "greedy_ids": tokens})
    return cases, gap


def make(variant: Variant, out: Path, seed: int) -> bool:
    """Writes the variant's folder. Returns whether its answers are a good comparison."""
    mx.random.seed(seed)
    tensors = random_tensors(variant)
    if variant.packed_kv_b:
        tensors = join_kv_b(tensors)
    stored = pack(tensors, variant)
    readable = for_mlx_lm(stored, variant)
    if variant.experts_apart:
        stored = part_experts(stored)
    config = {**variant.config, "torch_dtype": variant.dtype, "tie_word_embeddings": variant.tied}
    if variant.quantization:
        config["quantization"] = variant.quantization
    folder = out / variant.name
    write_folder(folder, config, stored, variant.shards)
    with tempfile.TemporaryDirectory() as scratch:
        write_folder(Path(scratch) / "model", config, readable, 1)
        model, _ = load_model(Path(scratch) / "model")
        model.set_dtype(mx.float32)
        cases, gap = references(model, variant.config["vocab_size"])
    text = json.dumps({"mlx_lm": version("mlx-lm"), "mlx": version("mlx"), "cases": cases})
    (folder / "reference.json").write_text(text + "\n")
    distinct = sum(len(set(case["greedy_ids"])) for case in cases)
    return gap >= MIN_GAP and distinct >= MIN_DISTINCT_TOKENS


def main() -> None:
    out = Path(sys.argv[1])
    mx.set_default_device(mx.cpu)
    for number, variant in enumerate(VARIANTS):
        folder = out / variant.name
        for seed in range(100 * number, 100 * number + 100):
            shutil.rmtree(folder, ignore_errors=True)
            if make(variant, out, seed):
                break
        else:
            raise SystemExit(f"{variant.name}: no seed gives a good comparison")
        size = sum(file.stat().st_size for file in folder.iterdir())
        print(f"{variant.name}: {size / 1e3:.0f} kB, seed {seed}")
    (out / "rope.json").write_text(json.dumps(rope_references()) + "\n")


if __name__ == "__main__":
    main()
