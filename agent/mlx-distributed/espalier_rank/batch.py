"""The requests of a rank on mlx-lm's BatchGenerator. Every rank carries out the same calls in the same order and takes
rank 0's tokens, so that all decide alike without asking; what a step decides rests on nothing else."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import mlx.core as mx
from mlx_lm.generate import BatchGenerator, StopSequences

from espalier_rank.checkpoint import Place
from espalier_rank.kept import KeptCaches
from espalier_rank.sampling import Adjuster, Drawn, draw_row
from espalier_rank.words import Limits, Wanted

# beside a token (below 2 ** 24) in what rank 0 tells the others
TOKEN_BITS = (1 << 24) - 1
NOT_FINITE = 1 << 25
NEWS = 1 << 26
# beside running streams a chunk is this many times shorter than alone: they wait for all of it
SHORT_CHUNKS = 8
# KV grows by this many tokens at once
BLOCK_TOKENS = 256


@dataclass
class Codes:
    """Of all rows of one draw: tokens with their flags. Lazy, until somebody looks."""

    array: mx.array
    values: list[int] | None = None

    def of(self, place: int) -> int:
        if self.values is None:
            self.values = [int(value) for value in self.array.tolist()]  # type: ignore[union-attr, arg-type]
        return self.values[place]


@dataclass
class Request:
    wanted: Wanted
    max_tokens: int
    generated: list[int]
    cached_tokens: int = 0
    """tokens in the KV, of the prompt while that is computed"""
    computed: int = 0
    is_prefilling: bool = True
    adjuster: Adjuster | None = None
    drawn_count: int = 0
    pending: deque[tuple[Codes, int, Drawn | None]] = field(default_factory=deque)

    @property
    def tokens(self) -> list[int]:
        return self.wanted.prompt_ids + self.generated

    @property
    def length(self) -> int:
        """Of `tokens`, which are copied: a step must not take longer in a long conversation."""
        return len(self.wanted.prompt_ids) + len(self.generated)


@dataclass
class Stepped:
    events: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    prompt_tokens: int = 0
    """whether rank 0 has heard something since: None where nothing told"""
    has_news: bool | None = None


class Batch:
    def __init__(self, model: Any, place: Place, limits: Limits, has_news: Any) -> None:
        """`has_news`: whether commands are waiting on this rank; asked on rank 0 alone."""
        self._place = place
        self._limits = limits
        self._has_news = has_news
        self._generator = BatchGenerator(
            model,
            sampler=self._draw,
            completion_batch_size=limits.max_sessions,
            # one after the other: prompts that share a step are padded, and computed otherwise than alone
            prefill_batch_size=1,
            prefill_step_size=limits.prefill_chunk_tokens,
            stream=mx.default_stream(mx.default_device()),
        )
        self._kept = KeptCaches()
        self._waiting: deque[Request] = deque()
        self._live: dict[int, Request] = {}
        self._rows: list[tuple[Request, mx.array]] = []
        self._last_codes: Codes | None = None

    @property
    def is_idle(self) -> bool:
        return not self._live and not self._waiting

    @property
    def count(self) -> int:
        return len(self._live)

    @property
    def waiting_count(self) -> int:
        return len(self._waiting)

    @property
    def is_decoding(self) -> bool:
        """The next step decodes, and computes no prompt."""
        return bool(self._live) and not self._waiting and not any(request.is_prefilling for request in self._live.values())

    @property
    def in_flight(self) -> list[mx.array]:
        return [self._last_codes.array] if self._last_codes else []

    @property
    def live_tokens(self) -> int:
        """MLX's batch has room for its longest sequence in every row."""
        longest = max((request.length for request in self._live.values()), default=0)
        return len(self._live) * blocks(longest)

    @property
    def kept_tokens(self) -> int:
        return self._kept.tokens

    @property
    def kv_bytes(self) -> int:
        return int(self._generator.prompt_cache_nbytes) + self._kept.bytes

    def add(self, wanted: Wanted) -> None:
        room = self._limits.kv_tokens - len(wanted.prompt_ids)
        self._waiting.append(Request(wanted, min(wanted.max_tokens, room), list(wanted.generated_ids)))

    def cancel(self, request_id: str) -> None:
        """A request that is not known (any more) is no error."""
        self._waiting = deque(request for request in self._waiting if request.wanted.request_id != request_id)
        for uid in [uid for uid, request in self._live.items() if request.wanted.request_id == request_id]:
            self._remove(uid)

    def step(self) -> Stepped:
        """One token of every stream, and a chunk of the prompt whose turn it is."""
        self._make_room()
        self._admit()
        self._set_chunk()
        result = Stepped()
        with self._generator.stats() as stats:
            prompts, responses = self._generator.next()
        result.prompt_tokens = stats.prompt_tokens
        for prompt in prompts:
            request = self._live[prompt.uid]
            request.is_prefilling = not prompt.end_of_prompt
            if not prompt.end_of_prompt:
                request.computed = request.cached_tokens + prompt.progress[0]
        for response in responses:
            self._take(response, result)
        return result

    def _take(self, response: Any, result: Stepped) -> None:
        request = self._live[response.uid]
        codes, place, drawn = request.pending.popleft()
        code = codes.of(place)
        result.has_news = bool(result.has_news) or bool(code & NEWS)
        request_id = request.wanted.request_id
        if code & NOT_FINITE:
            message = "the model's logits are not finite: its weights are damaged, or they overflow"
            result.failures.append({"requestId": request_id, "code": "engine_failed", "message": message})
            del self._live[response.uid]
            if response.finish_reason is None:
                self._generator.remove([response.uid])
            return
        finish = response.finish_reason
        event: dict[str, Any] = {"requestId": request_id, "index": len(request.generated), "finish": finish}
        event["token"] = None if finish == "stop" else response.token
        if request.cached_tokens > 0:
            event["cachedTokens"] = request.cached_tokens
            request.cached_tokens = 0
        if drawn and drawn.logprob is not None and drawn.top_ids is not None and finish != "stop":
            assert drawn.top_logprobs is not None
            event["logprob"] = drawn.logprob.item()
            pairs = zip(drawn.top_ids.tolist(), drawn.top_logprobs.tolist(), strict=True)  # type: ignore[arg-type]
            event["topLogprobs"] = [{"token": token, "logprob": value} for token, value in pairs]
        result.events.append(event)
        if finish is None:
            request.generated.append(response.token)
            return
        del self._live[response.uid]
        mx.eval([layer.state for layer in response.prompt_cache])
        self._kept.add(response.all_tokens, response.prompt_cache)

    def _make_room(self) -> None:
        """One more token for each stream: at the cost of what is kept, then of the youngest, which goes on later."""
        while self._used_tokens(self._live.values()) > self._limits.kv_tokens:
            if self._kept.give_up_oldest():
                continue
            if len(self._live) == 1:
                return
            uid, request = list(self._live.items())[-1]
            self._remove(uid)
            self._waiting.appendleft(request)

    def _used_tokens(self, requests: Any) -> int:
        lengths = [request.length + 1 for request in requests]
        return len(lengths) * blocks(max(lengths, default=0)) + self._kept.tokens

    def _admit(self) -> None:
        while self._waiting and len(self._live) < self._limits.max_sessions:
            request = self._waiting[0]
            cache, length = self._kept.begin(request.tokens)
            while self._used_tokens([*self._live.values(), request]) > self._limits.kv_tokens:
                if not self._kept.give_up_oldest():
                    break
            if self._live and self._used_tokens([*self._live.values(), request]) > self._limits.kv_tokens:
                return
            self._waiting.popleft()
            self._start(request, cache, length)

    def _start(self, request: Request, cache: list[Any] | None, length: int) -> None:
        wanted = request.wanted
        request.cached_tokens = request.computed = length
        request.is_prefilling = True
        request.drawn_count = len(request.generated)
        request.pending.clear()
        request.adjuster = Adjuster.of(
            wanted.sampling, self._limits.vocabulary, wanted.stop_ids, wanted.prompt_ids, request.generated
        )
        is_first = True

        def note(context: mx.array, logits: mx.array) -> mx.array:
            nonlocal is_first
            if request.adjuster and not is_first:
                request.adjuster.note(context[-1])
            is_first = False
            self._rows.append((request, logits[0].astype(mx.float32)))
            return logits

        (uid,) = self._generator.insert(
            [request.tokens[length:]],
            max_tokens=[request.max_tokens - len(request.generated)],
            caches=None if cache is None else [cache],
            all_tokens=[request.tokens[:length]],
            logits_processors=[[note]],
            stop_sequences=[StopSequences([[token] for token in wanted.stop_ids])],
        )
        self._live[uid] = request

    def _remove(self, uid: int) -> None:
        del self._live[uid]
        self._generator.remove([uid])

    def _set_chunk(self) -> None:
        request = next((request for request in self._live.values() if request.is_prefilling), None)
        if request is None:
            return
        limits = self._limits
        wished = limits.prefill_chunk_tokens if len(self._live) == 1 else limits.prefill_chunk_tokens // SHORT_CHUNKS
        # count · (position + count) <= max_chunk_scores, solved for count
        position = request.computed
        held = int(((position**2 + 4 * limits.max_chunk_scores) ** 0.5 - position) / 2)
        self._generator.prefill_step_size = max(1, min(wished, held))

    def _draw(self, _: mx.array) -> mx.array:
        """One call for all rows of a step. On ranks other than 0 nothing is drawn: they take what rank 0 tells."""
        rows, self._rows = self._rows, []
        logits = mx.stack([row for _, row in rows])
        tokens = mx.argmax(logits, axis=-1).astype(mx.int32)
        drawn: list[Drawn | None] = [None for _ in rows]
        if self._place.number == 0:
            for place, (request, row) in enumerate(rows):
                sampling = request.wanted.sampling
                if sampling.is_greedy and request.adjuster is None and sampling.top_logprobs is None:
                    continue
                drawn[place] = draw_row(row, sampling, request.adjuster, request.drawn_count)
            if any(drawn):
                tokens = mx.stack([one.token.astype(mx.int32) if one else tokens[i] for i, one in enumerate(drawn)])
            is_finite = mx.isfinite(logits.sum(axis=-1))
            flags = NEWS if self._has_news() else 0
            tokens = tokens + mx.where(is_finite, flags, flags + NOT_FINITE).astype(mx.int32)
        if self._place.count > 1:
            # on the others times 0 and not 0 itself: their sum must come after their layers' collectives
            tokens = mx.distributed.all_sum(tokens * int(self._place.number == 0))
        codes = Codes(tokens)
        self._last_codes = codes
        for place, (request, _) in enumerate(rows):
            request.pending.append((codes, place, drawn[place]))
            request.drawn_count += 1
        return mx.bitwise_and(tokens, TOKEN_BITS)


def blocks(tokens: int) -> int:
    return -(-tokens // BLOCK_TOKENS) * BLOCK_TOKENS
