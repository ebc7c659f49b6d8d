"""KV of requests that have ended, for later ones that begin alike. Counted in tokens and not in bytes: ranks with unequal
layers hold unequal bytes of the same tokens, and every rank must keep and give up the same."""

import copy
from dataclasses import dataclass
from typing import Any

from mlx_lm.models.cache import KVCache, can_trim_prompt_cache, trim_prompt_cache

# each is compared with every new prompt
MAX_KEPT = 32
# fewer common tokens are not worth a copy: most prompts begin with the same few marks of their template
MIN_SHARED_TOKENS = 16


@dataclass
class Kept:
    tokens: list[int]
    cache: list[Any]


class KeptCaches:
    def __init__(self) -> None:
        self._kept: list[Kept] = []  # the one that was used last stands last

    @property
    def tokens(self) -> int:
        return sum(len(kept.tokens) for kept in self._kept)

    @property
    def bytes(self) -> int:
        return sum(layer.nbytes for kept in self._kept for layer in kept.cache)

    def add(self, tokens: list[int], cache: list[Any]) -> None:
        """What is a beginning of it goes: it says nothing more."""
        self._kept = [kept for kept in self._kept if kept.tokens != tokens[: len(kept.tokens)]]
        self._kept = [*self._kept, Kept(list(tokens), cache)][-MAX_KEPT:]

    def give_up_oldest(self) -> bool:
        """Returns whether there was one."""
        return bool(self._kept) and self._kept.pop(0) is not None

    def begin(self, prompt: list[int]) -> tuple[list[Any] | None, int]:
        """KV to begin with, and for how many tokens: never all of them, because something must be computed to draw from."""
        best: Kept | None = None
        length = MIN_SHARED_TOKENS - 1
        for kept in self._kept:
            shared = min(common_length(kept.tokens, prompt), len(prompt) - 1)
            is_usable = shared == len(kept.tokens) or can_trim_prompt_cache(kept.cache)
            if is_usable and shared > length:
                best, length = kept, shared
        if best is None:
            return None, 0
        self._kept.remove(best)
        self._kept.append(best)
        cache = [copied(layer) for layer in best.cache]
        if length < len(best.tokens):
            trim_prompt_cache(cache, len(best.tokens) - length)
        return cache, length


def copied(layer: Any) -> Any:
    """MLX's arrays do not change: of a plain cache, the object that names them is enough."""
    return copy.copy(layer) if type(layer) is KVCache else copy.deepcopy(layer)


def common_length(a: list[int], b: list[int]) -> int:
    """By halving: comparing two slices is one call."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
