"""Makes the model of the engine's bench: a random deepseek_v3 of 35 MB in MLX format, float32 packed to 4 bits.

Usage: python make-model.py OUT. The same seed gives the same model; what it answers means nothing.
"""

import json
import sys
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx import nn
from mlx.utils import tree_flatten, tree_map_with_path
from mlx_lm.models import deepseek_v3

SEED = 7
QUANTIZATION = {"group_size": 64, "bits": 4}
# R1's shape in small: one dense layer, then experts in groups; latent attention; YaRN with R1's constants.
CONFIG: dict[str, Any] = {
    "model_type": "deepseek_v3",
    "vocab_size": 2048,
    "hidden_size": 512,
    "intermediate_size": 1024,
    "moe_intermediate_size": 256,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "n_shared_experts": 1,
    "n_routed_experts": 16,
    "num_experts_per_tok": 4,
    "n_group": 4,
    "topk_group": 2,
    "routed_scaling_factor": 2.5,
    "topk_method": "noaux_tc",
    "scoring_func": "sigmoid",
    "norm_topk_prob": True,
    "moe_layer_freq": 1,
    "first_k_dense_replace": 1,
    "q_lora_rank": 128,
    "kv_lora_rank": 128,
    "qk_rope_head_dim": 32,
    "qk_nope_head_dim": 64,
    "v_head_dim": 64,
    "max_position_embeddings": 163840,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "attention_bias": False,
    "rope_scaling": {
        "type": "yarn",
        "factor": 40,
        "original_max_position_embeddings": 4096,
        "mscale": 1.0,
        "mscale_all_dim": 1.0,
        "beta_fast": 32,
        "beta_slow": 1,
    },
}


def spread(path: str, value: mx.array) -> mx.array:
    """Random where mlx-lm begins with zeros or ones, so that tokens go to different experts and norms count."""
    noise = mx.random.normal(value.shape)
    if path.endswith("norm.weight"):
        return 1 + 0.1 * noise
    if path.endswith("gate.weight"):
        return 0.06 * noise
    if path.endswith("e_score_correction_bias"):
        return 0.05 * noise
    if path.endswith("embed_tokens.weight"):
        return noise
    return value


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    mx.set_default_device(mx.cpu)
    mx.random.seed(SEED)
    model = deepseek_v3.Model(deepseek_v3.ModelArgs.from_dict(CONFIG))
    model.update(tree_map_with_path(spread, model.parameters()))
    nn.quantize(model, **QUANTIZATION)
    weights = dict(tree_flatten(model.parameters()))
    mx.save_safetensors(str(out / "model.safetensors"), weights, metadata={"format": "mlx"})
    config = {**CONFIG, "quantization": QUANTIZATION}
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n")


if __name__ == "__main__":
    main()
