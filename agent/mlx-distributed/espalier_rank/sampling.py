"""Draws tokens as agent/engine/sampler.ts does, as lazy MLX graphs: the same order (vLLM's), the same random number for a
seed and a place, the same ties. It knows one row of logits and one request's own tokens, nothing of batches and ranks."""

from dataclasses import dataclass
from typing import Any

import mlx.core as mx

MASK = (1 << 64) - 1
# vLLM's _SAMPLING_EPS: below it nothing but the likeliest token has a chance
LEAST_TEMPERATURE = 1e-5


def splitmix64(state: int) -> int:
    """One output of SplitMix64 (Steele, Lea, Flood 2014) at counter `state`."""
    z = (state * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def uniform_at(seed: int, index: int) -> float:
    """A uniform number in [0, 1) with 53 random bits for the `index`-th token of an answer (docs/decisions/0003)."""
    mixed = splitmix64((splitmix64(seed + 1) + index + 1) & MASK)
    return (mixed >> 11) / 2**53


@dataclass(frozen=True)
class Sampling:
    """protocol/generate.ts's Sampling; what was left out is off."""

    temperature: float
    top_p: float
    seed: int
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    min_tokens: int = 0
    top_logprobs: int | None = None

    @property
    def is_greedy(self) -> bool:
        return self.temperature < LEAST_TEMPERATURE or self.top_k == 1

    @property
    def counts_tokens(self) -> bool:
        return bool(self.repetition_penalty != 1 or self.presence_penalty or self.frequency_penalty)

    @property
    def changes_logits(self) -> bool:
        return bool(self.counts_tokens or self.logit_bias or self.min_tokens)


@dataclass
class Drawn:
    """What is drawn of one row; all lazy."""

    token: mx.array  # int32, a scalar
    logprob: mx.array | None = None
    top_ids: mx.array | None = None  # [topLogprobs], likeliest first
    top_logprobs: mx.array | None = None


@dataclass
class Adjuster:
    """What one request does to its logits before anything is drawn: stop tokens held back, biases, penalties."""

    sampling: Sampling
    vocabulary: int
    stop_ids: list[int]
    in_prompt: mx.array  # bool [vocabulary]
    counts: mx.array  # float32 [vocabulary]: how often the answer has each token
    bias: mx.array | None = None

    @staticmethod
    def of(
        sampling: Sampling, vocabulary: int, stop_ids: list[int], prompt_ids: list[int], generated_ids: list[int]
    ) -> "Adjuster | None":
        """None for a request that takes its logits as they are."""
        if not sampling.changes_logits:
            return None
        stops = sorted({token for token in stop_ids if token < vocabulary})
        # a vocabulary of nothing but stop tokens leaves no other to draw
        held = [] if len(stops) == vocabulary else stops
        counts = mx.zeros(vocabulary, mx.float32)
        if generated_ids:
            counts = counts.at[mx.array(generated_ids)].add(1.0)
        bias = None
        if sampling.logit_bias:
            ids, values = zip(*sampling.logit_bias, strict=True)
            bias = mx.zeros(vocabulary, mx.float32).at[mx.array(list(ids))].add(mx.array(list(values), mx.float32))
        return Adjuster(sampling, vocabulary, held, marked(prompt_ids, vocabulary), counts, bias)

    def note(self, token: mx.array) -> None:
        """Takes note of a token of the answer (a scalar, perhaps not evaluated yet)."""
        self.counts = self.counts.at[token.reshape(1)].add(1.0)

    def apply(self, row: mx.array, index: int) -> mx.array:
        """The logits, float32 [vocabulary], as the request wants them for the `index`-th token of its answer."""
        sampling = self.sampling
        if index < sampling.min_tokens and self.stop_ids:
            row = mx.where(marked(self.stop_ids, self.vocabulary), -mx.inf, row)
        if self.bias is not None:
            row = row + self.bias
        if sampling.repetition_penalty != 1:
            penalty = sampling.repetition_penalty
            seen = mx.logical_or(self.in_prompt, self.counts > 0)
            row = mx.where(seen, mx.where(row < 0, row * penalty, row / penalty), row)
        if sampling.presence_penalty or sampling.frequency_penalty:
            amount = self.counts * sampling.frequency_penalty + sampling.presence_penalty
            row = mx.where(self.counts > 0, row - amount, row)
        return row


def marked(ids: list[int], vocabulary: int) -> mx.array:
    """Bool [vocabulary]: true at these ids. MLX does not check an index, so none may be out of range."""
    inside = [token for token in ids if token < vocabulary]
    nothing = mx.zeros(vocabulary, mx.bool_)
    return nothing.at[mx.array(inside)].maximum(True) if inside else nothing


def draw_row(row: mx.array, sampling: Sampling, adjuster: Adjuster | None, index: int) -> Drawn:
    """Draws one token. `row`: the model's logits, float32 [vocabulary]."""
    adjusted = adjuster.apply(row, index) if adjuster else row
    if sampling.is_greedy:
        token = mx.argmax(adjusted).astype(mx.int32)
    else:
        token = pick(adjusted, sampling, uniform_at(sampling.seed, index))
    if sampling.top_logprobs is None:
        return Drawn(token)
    # log probabilities are the model's own: before bias, penalties, temperature and filters
    own = mx.minimum(row - mx.logsumexp(row), 0.0)
    if sampling.top_logprobs == 0:
        return Drawn(token, own[token], mx.zeros(0, mx.int32), mx.zeros(0, mx.float32))
    top_ids = mx.argsort(-row)[: sampling.top_logprobs].astype(mx.int32)
    return Drawn(token, own[token], top_ids, own[top_ids])


def pick(row: mx.array, sampling: Sampling, uniform: float) -> mx.array:
    """Tokens share [0, 1) in the order of their ids, not of their likelihood (agent/engine/sampling/draw.ts says why)."""
    top = mx.max(row)
    weights = weigh(row, top, sampling)
    limit = row.size if sampling.top_k == 0 else min(sampling.top_k, row.size)
    if sampling.top_p < 1 or limit < row.size:
        weights = keep(row, weights, top, sampling, limit)
    # 1 - uniform is in (0, 1]: a token of weight 0 is never reached first
    return mx.minimum(first_place(weights, 1 - uniform), row.size - 1)


def weigh(row: mx.array, top: mx.array, sampling: Sampling) -> mx.array:
    """Likelihoods as multiples of the likeliest token's, 0 for those under min_p."""
    weights = mx.exp((row - top) / sampling.temperature)
    return mx.where(weights < sampling.min_p, 0.0, weights) if sampling.min_p > 0 else weights


def keep(row: mx.array, weights: mx.array, top: mx.array, sampling: Sampling, limit: int) -> mx.array:
    """The weights of what top_k and top_p keep, 0 for all else; of equal logits the lower ids are kept."""
    descending = -mx.sort(-row)
    last = mx.array(limit - 1)
    if sampling.top_p < 1:
        ranked = weigh(descending[:limit], top, sampling)
        last = mx.minimum(first_place(ranked, sampling.top_p), limit - 1)
    least = descending[last]
    above = (row > least).astype(mx.int32).sum()
    is_tie = row == least
    is_kept_tie = mx.logical_and(is_tie, mx.cumsum(is_tie.astype(mx.int32)) <= last + 1 - above)
    return mx.where(mx.logical_or(row > least, is_kept_tie), weights, 0.0)


def first_place(weights: mx.array, share: float) -> mx.array:
    """The first place at which the sum of all weights so far reaches a share of the whole. In float64, which only the CPU
    has: one float32 sum over a vocabulary is off by 2e-4."""
    with mx.stream(mx.cpu):
        sums = mx.cumsum(weights.astype(mx.float64))
        target = sums[-1:] * mx.array([share], dtype=mx.float64)
        return (sums < target).astype(mx.int32).sum()


def parse_sampling(raw: dict[str, Any]) -> Sampling:
    """From the words of protocol/generate.ts, which the agent has checked."""
    return Sampling(
        temperature=float(raw["temperature"]),
        top_p=float(raw["topP"]),
        seed=int(raw["seed"]),
        top_k=int(raw.get("topK", 0)),
        min_p=float(raw.get("minP", 0.0)),
        repetition_penalty=float(raw.get("repetitionPenalty", 1.0)),
        presence_penalty=float(raw.get("presencePenalty", 0.0)),
        frequency_penalty=float(raw.get("frequencyPenalty", 0.0)),
        logit_bias=tuple((int(token), float(value)) for token, value in raw.get("logitBias", [])),
        min_tokens=int(raw.get("minTokens", 0)),
        top_logprobs=None if raw.get("topLogprobs") is None else int(raw["topLogprobs"]),
    )
