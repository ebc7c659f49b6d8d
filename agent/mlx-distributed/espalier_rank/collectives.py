"""What a rank's collectives carry and cost: stands before mx.distributed's functions, counts their bytes always, and their
times in some steps. A timed step evaluates before and after each of them, which untimed ones must not."""

import time
from collections.abc import Callable
from typing import Any

import mlx.core as mx


class Collectives:
    """Times are of the last timed step, in milliseconds."""

    def __init__(self, ranks: int) -> None:
        self.sent_bytes = 0
        self.compute_ms = 0.0
        self.wait_ms = 0.0
        self._is_timing = False
        self._since = 0.0
        self._ranks = ranks
        # what goes over the wire in MLX's ring, of an array of n bytes
        self._wrap("send", lambda size: size)
        self._wrap("recv_like", lambda _: 0)
        self._wrap("all_gather", lambda size: size * (ranks - 1))
        self._wrap("all_sum", lambda size: size * 2 * (ranks - 1) // ranks)

    def begin(self) -> None:
        """From here on time counts; nothing may be in flight."""
        self.compute_ms = self.wait_ms = 0.0
        self._is_timing = True
        self._since = time.perf_counter()

    def end(self, *results: mx.array) -> None:
        mx.eval(*results)
        self.compute_ms += (time.perf_counter() - self._since) * 1000
        self._is_timing = False

    def _wrap(self, name: str, wire_bytes: Callable[[int], int]) -> None:
        original = getattr(mx.distributed, name)

        def counted(array: mx.array, *args: Any, **options: Any) -> mx.array:
            if self._ranks > 1:
                self.sent_bytes += wire_bytes(array.nbytes)
            if not self._is_timing:
                return original(array, *args, **options)  # type: ignore[no-any-return]
            mx.eval(array)
            began = time.perf_counter()
            self.compute_ms += (began - self._since) * 1000
            result: mx.array = original(array, *args, **options)
            mx.eval(result)
            self._since = time.perf_counter()
            self.wait_ms += (self._since - began) * 1000
            return result

        setattr(mx.distributed, name, counted)
