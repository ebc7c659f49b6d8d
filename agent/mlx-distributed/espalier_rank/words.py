"""The words between a rank and its agent, as protocol/worker.ts has them: JSON lines. A request that is not right is said
to be so here, before any rank has heard of it."""

import json
import os
import sys
import threading
from dataclasses import dataclass
from typing import Any

from espalier_rank.checkpoint import RankError
from espalier_rank.sampling import Sampling, parse_sampling

_SPEAKING = threading.Lock()


def tell(kind: str, **words: Any) -> None:
    """Says one thing to the agent. May be called by any thread."""
    line = json.dumps({"kind": kind, **words}, separators=(",", ":"), allow_nan=False) + "\n"
    with _SPEAKING:
        sys.stdout.write(line)
        sys.stdout.flush()


def die(code: str, message: str) -> None:
    """The last words. Ends the process at once: another thread may stand in a collective that never returns."""
    try:
        tell("fatal", code=code, message=message)
    finally:
        os._exit(1)


@dataclass(frozen=True)
class Limits:
    vocabulary: int
    context_tokens: int
    kv_tokens: int
    max_sessions: int
    max_waiting: int
    prefill_chunk_tokens: int
    max_chunk_scores: int


@dataclass(frozen=True)
class Wanted:
    """protocol/generate.ts's GenerateRequest, checked."""

    request_id: str
    prompt_ids: list[int]
    generated_ids: list[int]
    max_tokens: int
    stop_ids: list[int]
    sampling: Sampling


def check_request(raw: dict[str, Any], limits: Limits) -> Wanted:
    """Raises RankError: invalid_request, context_length_exceeded, kv_full."""
    try:
        wanted = Wanted(
            request_id=str(raw["requestId"]),
            prompt_ids=token_ids(raw["promptIds"]),
            generated_ids=token_ids(raw.get("generatedIds") or []),
            max_tokens=int(raw["maxTokens"]),
            stop_ids=token_ids(raw["stopIds"]),
            sampling=parse_sampling(raw["sampling"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RankError("invalid_request", f"the request cannot be read ({type(error).__name__}: {error})") from error
    beyond = [token for token in wanted.prompt_ids + wanted.generated_ids if token >= limits.vocabulary]
    biased = [token for token, _ in wanted.sampling.logit_bias if token >= limits.vocabulary or token < 0]
    has = len(wanted.prompt_ids)
    if raw.get("grammar") is not None:
        message = "MLX Distributed has no grammars: without a JSON schema and required tools, or with --engine node-mlx"
        raise RankError("invalid_request", message)
    if has == 0:
        raise RankError("invalid_request", "the prompt is empty")
    if beyond:
        raise RankError("invalid_request", f"token id {beyond[0]} is not in the vocabulary of {limits.vocabulary}")
    if biased:
        message = f"logit_bias: token id {biased[0]} is not in the vocabulary of {limits.vocabulary}"
        raise RankError("invalid_request", message)
    if wanted.max_tokens <= len(wanted.generated_ids):
        raise RankError("invalid_request", f"{wanted.max_tokens} tokens at most, {len(wanted.generated_ids)} are there")
    if has + wanted.max_tokens > limits.context_tokens:
        message = f"{has} prompt tokens and {wanted.max_tokens} more exceed the context of {limits.context_tokens} tokens"
        raise RankError("context_length_exceeded", message)
    if has + len(wanted.generated_ids) >= limits.kv_tokens:
        message = f"a prompt of {has} tokens does not fit: the ranks have KV for {limits.kv_tokens}, the answer included"
        raise RankError("kv_full", message)
    return wanted


def token_ids(raw: Any) -> list[int]:
    if not isinstance(raw, list) or not all(type(token) is int and token >= 0 for token in raw):
        raise ValueError("token ids are whole numbers from 0 on")
    return raw
