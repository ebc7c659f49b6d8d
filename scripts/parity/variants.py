"""The small models that the engine is compared with mlx-lm on: every architecture, layout and packing that it reads."""

from dataclasses import dataclass, field
from typing import Any

Config = dict[str, Any]

YARN: Config = {
    "type": "yarn",
    "factor": 8,
    "original_max_position_embeddings": 32,
    "beta_fast": 32,
    "beta_slow": 1,
    "mscale": 1.0,
    "mscale_all_dim": 1.0,
}
LLAMA3: Config = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}


@dataclass(frozen=True)
class Variant:
    """One model folder. Its name begins with its model_type."""

    name: str
    config: Config
    dtype: str = "bfloat16"
    quantization: Config | None = None
    """config.json's `quantization`, with modules of their own by path"""
    tied: bool = False
    shards: int = 1
    packed_kv_b: bool = False
    """deepseek_v3: one kv_b_proj (as R1's checkpoints have) instead of embed_q and unembed_out"""
    experts_apart: bool = False
    """deepseek_v3: mlp.experts.N.* instead of stacked mlp.switch_mlp.*"""
    further_layers: int = 0
    """deepseek_v3: layers after the last one, for predicting further tokens, which nobody loads"""
    unnamed: tuple[str, ...] = field(default=())
    """modules left unquantized without a word in config.json, as converters do with odd shapes"""


def bits(count: int, group: int, **modules: Any) -> Config:
    """config.json's `quantization`; `modules` by their path with `__` for the dots."""
    own = {path.replace("__", "."): choice for path, choice in modules.items()}
    return {"group_size": group, "bits": count, **own}


def dense(model_type: str, **fields: Any) -> Config:
    """A config of qwen2, qwen3 or llama."""
    return {
        "model_type": model_type,
        "vocab_size": 300,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        **fields,
    }


def deepseek(**fields: Any) -> Config:
    """A config of deepseek_v3: one dense layer, then experts in groups, one of them shared."""
    return {
        "model_type": "deepseek_v3",
        "vocab_size": 300,
        "hidden_size": 64,
        "intermediate_size": 128,
        "moe_intermediate_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "n_shared_experts": 1,
        "n_routed_experts": 8,
        "num_experts_per_tok": 2,
        "n_group": 4,
        "topk_group": 2,
        "routed_scaling_factor": 2.5,
        "scoring_func": "sigmoid",
        "topk_method": "noaux_tc",
        "norm_topk_prob": True,
        "moe_layer_freq": 1,
        "first_k_dense_replace": 1,
        "q_lora_rank": 64,
        "kv_lora_rank": 64,
        "qk_nope_head_dim": 32,
        "qk_rope_head_dim": 16,
        "v_head_dim": 32,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "rope_scaling": YARN,
        "max_position_embeddings": 4096,
        "attention_bias": False,
        **fields,
    }


LAYER = "model__layers__"

VARIANTS = [
    Variant("qwen2-4bit", dense("qwen2", rope_theta=1000000.0), quantization=bits(4, 64)),
    Variant(
        "qwen2-tied-bfloat16",
        dense("qwen2", intermediate_size=96, num_key_value_heads=1),
        tied=True,
    ),
    Variant(
        "qwen2-tied-2bit",
        dense("qwen2", hidden_size=128),
        dtype="float16",
        quantization=bits(2, 32),
        tied=True,
    ),
    Variant(
        "llama-llama3-4bit-sharded",
        dense("llama", rope_scaling=LLAMA3, rope_theta=500000.0),
        quantization=bits(4, 32),
        shards=3,
    ),
    Variant(
        "llama-linear-biases-float16",
        dense(
            "llama",
            intermediate_size=96,
            head_dim=24,
            num_key_value_heads=4,
            attention_bias=True,
            mlp_bias=True,
            rope_scaling={"type": "linear", "factor": 4.0},
        ),
        dtype="float16",
    ),
    Variant(
        "llama-6bit",
        dense("llama", rope_traditional=True, hidden_size=128),
        quantization=bits(6, 128),
    ),
    Variant(
        "qwen3-yarn-4bit",
        dense(
            "qwen3",
            head_dim=32,
            rope_scaling={"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32},
        ),
        quantization=bits(4, 64),
    ),
    Variant(
        "qwen3-parameters-float32",
        dense(
            "qwen3",
            hidden_size=48,
            intermediate_size=96,
            head_dim=16,
            rope_theta=None,
            rope_parameters={"rope_type": "default", "rope_theta": 50000.0},
        ),
        dtype="float32",
    ),
    Variant(
        "qwen3-mixed-bits",
        dense("qwen3", hidden_size=128, head_dim=32),
        quantization=bits(
            3,
            64,
            model__embed_tokens={"group_size": 128, "bits": 6},
            lm_head={"group_size": 32, "bits": 8},
            **{
                f"{LAYER}0__self_attn__q_proj": {"group_size": 32, "bits": 2},
                f"{LAYER}0__self_attn__k_proj": False,
                f"{LAYER}1__mlp__down_proj": {"group_size": 128, "bits": 4},
                f"{LAYER}1__mlp__up_proj": {"group_size": 32, "bits": 6},
                f"{LAYER}2__self_attn__o_proj": {"group_size": 32, "bits": 3},
            },
        ),
    ),
    Variant("qwen3-8bit", dense("qwen3", hidden_size=128, head_dim=32), quantization=bits(8, 128), tied=True),
    Variant(
        "deepseek_v3-r1-4bit",
        deepseek(),
        quantization=bits(4, 64),
        packed_kv_b=True,
        further_layers=1,
        shards=2,
        unnamed=("mlp.switch_mlp.down_proj", "mlp.shared_experts.down_proj"),
    ),
    Variant(
        "deepseek_v3-split-4bit",
        deepseek(
            n_shared_experts=2,
            qk_rope_head_dim=32,
            rope_scaling={**YARN, "mscale": 1.0, "mscale_all_dim": 0.707},
        ),
        quantization=bits(4, 32),
    ),
    Variant(
        "deepseek_v3-plain-4bit",
        deepseek(
            n_shared_experts=None,
            n_routed_experts=6,
            num_experts_per_tok=3,
            n_group=1,
            topk_group=1,
            q_lora_rank=None,
            rope_scaling=None,
            norm_topk_prob=False,
            routed_scaling_factor=1.0,
        ),
        quantization=bits(4, 32),
        experts_apart=True,
    ),
    Variant(
        "deepseek_v3-tied-bfloat16",
        deepseek(
            n_routed_experts=4,
            n_group=2,
            topk_group=1,
            intermediate_size=96,
            attention_bias=True,
            first_k_dense_replace=0,
            moe_layer_freq=2,
            kv_lora_rank=48,
        ),
        tied=True,
        packed_kv_b=True,
        experts_apart=True,
    ),
    Variant(
        "deepseek_v3-mixed-bits",
        deepseek(n_routed_experts=6, n_group=3),
        dtype="float16",
        quantization=bits(
            6,
            32,
            **{
                f"{LAYER}{layer}__mlp__switch_mlp__{name}_proj": {"group_size": 32, "bits": count}
                for layer in (1, 2)
                for name, count in (("gate", 3), ("up", 2), ("down", 3))
            },
            **{
                f"{LAYER}0__self_attn__kv_b_proj": {"group_size": 64, "bits": 8},
                f"{LAYER}1__self_attn__kv_b_proj": {"group_size": 32, "bits": 3},
                f"{LAYER}2__self_attn__kv_b_proj": {"group_size": 64, "bits": 6},
            },
        ),
        packed_kv_b=True,
        experts_apart=True,
    ),
    Variant(
        "deepseek_v3-split-3bit",
        deepseek(n_routed_experts=4, n_group=1, topk_group=1),
        quantization=bits(3, 32),
    ),
]
