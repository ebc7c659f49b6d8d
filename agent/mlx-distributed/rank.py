"""Entry of a rank of MLX Distributed, a child process of an agent: JSON lines in, JSON lines out, the words of
protocol/worker.ts. It loads its part of a model, joins the other ranks, and then does what rank 0 hears of its agent."""

import json
import os
import queue
import re
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import mlx.core as mx

# a stream takes the default device of the time when it is made: before mlx-lm is imported
if sys.platform == "linux":
    mx.set_default_device(mx.cpu)

from espalier_rank.batch import Batch
from espalier_rank.checkpoint import Part, Place, RankError
from espalier_rank.collectives import Collectives
from espalier_rank.words import Limits, check_request, die, tell

STATS_INTERVAL_S = 0.5
# of so many decode steps one is timed in its parts, which takes about as long as two
TIMED_EVERY = 32
# the agent lets nobody wait that is over the controller's limit; this one is against a defect
MAX_WAITING = 256
# how MLX's backends begin what they say of a connection that is gone
LOST_PEER = re.compile(r"\[(ring|jaccl)\]")
MAX_REASON_CHARS = 300


class Rank:
    def __init__(self, load: dict[str, Any], inbox: "queue.Queue[dict[str, Any]]") -> None:
        spec = load["spec"]
        self.epoch = int(spec["epoch"])
        self.layer_count = int(spec["range"]["end"]) - int(spec["range"]["start"])
        where = spec["ranks"]
        self.place = Place(int(where["rank"]), int(where["rankCount"]))
        self._is_tensor = where["split"] == "tensor"
        self._part = Part(Path(spec["modelDir"]), self.place, None if self._is_tensor else where["layerCounts"])
        self._limits = Limits(
            vocabulary=self._part.vocabulary,
            context_tokens=int(spec["contextTokens"]),
            kv_tokens=int(spec["kvTokens"]),
            max_sessions=int(spec["maxSessions"]),
            max_waiting=MAX_WAITING,
            prefill_chunk_tokens=int(spec["prefillChunkTokens"]),
            max_chunk_scores=int(spec["maxChunkScores"]),
        )
        # held until the ranks meet, so that no other program takes the port
        self._ports = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._ports.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._ports.bind((load["hopHost"] if self.place.count > 1 else "127.0.0.1", 0))
        # of tensor parallel, each rank reads its part of every layer, which it has when the ranks have met
        self.weight_bytes = 0 if self._is_tensor else self._part.read()
        self.inbox = inbox
        self._meter = Meter()
        self._wakes_seen = 0

    @property
    def port(self) -> int:
        return int(self._ports.getsockname()[1])

    def link(self, words: dict[str, Any]) -> None:
        """Joins the other ranks, which all must do so within about 30 s. Raises RankError."""
        self._ports.close()
        if self.place.count > 1:
            os.environ.update(words["environment"])
            try:
                group = mx.distributed.init(strict=True, backend=words["backend"])
            except (RuntimeError, ValueError) as error:
                raise RankError("stage_lost", f"rank {self.place.number} could not join the others: {error}") from error
            if group.size() != self.place.count or group.rank() != self.place.number:
                raise RankError("internal", f"this is rank {group.rank()} of {group.size()}, not {self.place}")
            if self._is_tensor:
                self._part.shard(group)
        if self._is_tensor:
            self.weight_bytes = self._part.read()
        self.collectives = Collectives(self.place.count)
        self._batch = Batch(self._part.model, self.place, self._limits, lambda: not self.inbox.empty())
        # nobody begins before everybody is here
        mx.eval(mx.distributed.all_sum(mx.array(1.0), stream=mx.cpu))

    def run(self) -> None:
        """For as long as the process lives."""
        must_share = True
        while True:
            if self._batch.is_idle:
                self._sleep()
                must_share = True
            elif self.place.count == 1:
                must_share = not self.inbox.empty()
            if must_share:
                for command in self._share(self._drain() if self.place.number == 0 else []):
                    self._carry_out(command)
            if self._batch.is_idle:
                continue
            stepped = self._step()
            # where no token told of news, ask
            must_share = stepped.has_news is not False
            if self.place.number == 0:
                if stepped.events:
                    tell("tokens", tokens=stepped.events)
                for failure in stepped.failures:
                    tell("request-failed", failure=failure)

    def tells_kv(self) -> None:
        self._meter.tells_kv_of(self._limits.kv_tokens)

    def report(self) -> None:
        """Tells what was measured. Called by a thread of its own, also while a step takes long: who is silent is frozen."""
        interval = self._meter.report(self.collectives)
        tell(
            "stats",
            stats={"pid": os.getpid(), "weightBytes": self.weight_bytes, "residentBytes": resident_bytes(), **interval},
        )

    def _sleep(self) -> None:
        """Until the agent says something. A collective would wait with a whole core: ranks other than 0 wait for a word
        that rank 0 is about to begin, each with a number, because one may come when what it tells is long over."""
        self._meter.idle(self._batch)
        while True:
            command = self.inbox.get()
            if self.place.number != 0:
                if command["kind"] == "wake" and command["serial"] > self._wakes_seen:
                    return
            elif command["kind"] == "generate":
                self.inbox.queue.appendleft(command)
                return

    def _drain(self) -> list[dict[str, Any]]:
        """What rank 0 has heard since, as all ranks are to carry it out."""
        commands: list[dict[str, Any]] = []
        while not self.inbox.empty():
            command = self.inbox.get()
            if command["kind"] == "cancel":
                commands.append({"kind": "cancel", "requestId": command["requestId"]})
            if command["kind"] != "generate":
                continue
            self._wakes_seen = max(self._wakes_seen, int(command["serial"]))
            request = command["request"]
            try:
                if self._batch.waiting_count + len(commands) >= self._limits.max_waiting:
                    raise RankError("queue_full", f"{self._batch.waiting_count} requests are waiting already")
                check_request(request, self._limits)
                commands.append({"kind": "generate", "request": request})
            except RankError as error:
                failure = {"requestId": str(request.get("requestId")), "code": error.code, "message": str(error)}
                tell("request-failed", failure=failure)
        return commands

    def _share(self, commands: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rank 0's commands on every rank."""
        if self.place.count == 1:
            return commands
        mine = self.place.number == 0
        text = json.dumps({"commands": commands, "wakesSeen": self._wakes_seen}).encode() if mine else b""
        size = int(mx.distributed.all_sum(mx.array(len(text)), stream=mx.cpu).item())  # type: ignore[arg-type]
        data = mx.array(list(text), mx.uint8) if mine else mx.zeros(size, mx.uint8)
        data = mx.distributed.all_sum(data, stream=mx.cpu)
        words = json.loads(bytes(memoryview(data)))  # type: ignore[arg-type]
        self._wakes_seen = words["wakesSeen"]
        shared: list[dict[str, Any]] = words["commands"]
        return shared

    def _carry_out(self, command: dict[str, Any]) -> None:
        if command["kind"] == "cancel":
            self._batch.cancel(command["requestId"])
        else:
            self._batch.add(check_request(command["request"], self._limits))

    def _step(self) -> Any:
        is_decoding = self._batch.is_decoding
        is_timed = is_decoding and self._meter.decode_steps % TIMED_EVERY == TIMED_EVERY // 4
        if is_timed:
            mx.eval(*self._batch.in_flight)
            self.collectives.begin()
        began = time.perf_counter()
        stepped = self._batch.step()
        if is_timed:
            self.collectives.end(*self._batch.in_flight)
            self._meter.timed(self.collectives)
        self._meter.step(time.perf_counter() - began, stepped, is_decoding, self._batch)
        return stepped


class Meter:
    """What a rank measures of itself between two reports. Written by the steps, read by the reports."""

    def __init__(self) -> None:
        self.decode_steps = 0
        self._steps = self._tokens = self._decoded = 0
        self._busy_s = self._decode_s = 0.0
        # of a step: what this rank computes, and not waits for others; all of it until one was timed
        self._compute_share = 1.0
        # of a timed step that was not told yet: computing, waiting
        self._timed_ms: tuple[float, float] | None = None
        self._held: dict[str, Any] = {"kvBytes": 0, "sessions": 0}
        self._held_at = 0.0
        self._total_tokens = 0
        self._before = self._now(0)

    def step(self, seconds: float, stepped: Any, is_decoding: bool, batch: Batch) -> None:
        decoded = len(stepped.events)
        self._steps += 1
        self._tokens += decoded + stepped.prompt_tokens
        self._decoded += decoded
        self._busy_s += seconds
        if is_decoding:
            self.decode_steps += 1
            self._decode_s += seconds
        # the caches' sizes are asked array by array: not more often than they are told
        if time.perf_counter() - self._held_at > STATS_INTERVAL_S / 2:
            self.idle(batch)

    def idle(self, batch: Batch) -> None:
        self._held_at = time.perf_counter()
        use = {"totalTokens": self._total_tokens, "liveTokens": batch.live_tokens, "keptTokens": batch.kept_tokens}
        self._held = {"kvBytes": batch.kv_bytes, "sessions": batch.count}
        if self._total_tokens:
            self._held["kvUse"] = use

    def tells_kv_of(self, tokens: int) -> None:
        self._total_tokens = tokens

    def timed(self, collectives: Collectives) -> None:
        self._timed_ms = (collectives.compute_ms, collectives.wait_ms)
        self._compute_share = collectives.compute_ms / max(collectives.compute_ms + collectives.wait_ms, 1e-6)

    def _now(self, sent_bytes: int) -> tuple[float, int, int, float, int]:
        return time.perf_counter(), self._tokens, self._decoded, self._busy_s, sent_bytes

    def report(self, collectives: Collectives) -> dict[str, Any]:
        before, self._before = self._before, self._now(collectives.sent_bytes)
        elapsed_s = max(self._before[0] - before[0], 1e-3)
        tokens, decoded, busy_s, sent = (now - then for now, then in zip(self._before[1:], before[1:], strict=True))
        timed_ms, self._timed_ms = self._timed_ms, None
        timed: dict[str, float | None] = {"stepTimeMs": None}
        if timed_ms:
            timed = {"stepTimeMs": timed_ms[0], "stepWaitMs": timed_ms[1]}
        return {
            **self._held,
            **timed,
            "stepsTotal": self._steps,
            "tokensTotal": self._tokens,
            "tokensPerSecond": tokens / elapsed_s,
            "decodeTokensPerSecond": decoded / elapsed_s,
            "busyShare": min(busy_s * self._compute_share / elapsed_s, 1.0),
            "hopBytesPerSecond": sent / elapsed_s,
        }


def gpu_limit_bytes() -> int | None:
    """What Metal recommends to keep resident at most; None where there is no Metal."""
    if not mx.metal.is_available():
        return None
    return int(mx.device_info()["max_recommended_working_set_size"]) or None


def resident_bytes() -> int:
    """Of the process on Linux; on a Mac what MLX holds, which the process's own figure leaves out."""
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return int(mx.get_active_memory() + mx.get_cache_memory())


def read_commands(inbox: "queue.Queue[dict[str, Any]]") -> None:
    """The agent's lines; when they end, so does the process, wherever its other thread stands: nobody outlives its agent."""
    for line in sys.stdin.buffer:
        try:
            command = json.loads(line)
        except ValueError as error:
            print(f"the agent sent a line that is no JSON: {error}", file=sys.stderr, flush=True)
            continue
        if command["kind"] == "stop":
            break
        inbox.put(command)
    os._exit(0)


def report_always(rank: Rank) -> None:
    while True:
        time.sleep(STATS_INTERVAL_S)
        rank.report()


def next_of(inbox: "queue.Queue[dict[str, Any]]", kind: str) -> dict[str, Any]:
    while True:
        command = inbox.get()
        if command["kind"] == kind:
            return command


def main() -> None:
    # a terminal's Ctrl-C reaches everybody; the agent ends its ranks in order
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    inbox: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=read_commands, args=(inbox,), daemon=True).start()
    rank: Rank | None = None
    try:
        load = next_of(inbox, "load")
        rank = Rank(load, inbox)
        tell(
            "loaded",
            epoch=rank.epoch,
            hopPort=rank.port,
            weightBytes=rank.weight_bytes,
            readLayers=rank.layer_count,
            kvEpoch=None,
            gpuLimitBytes=gpu_limit_bytes(),
        )
        rank.link(next_of(inbox, "link"))
        tell("linked", epoch=rank.epoch)
        if rank.place.number == 0:
            rank.tells_kv()
        threading.Thread(target=report_always, args=(rank,), daemon=True).start()
        rank.run()
    except RankError as error:
        die(error.code, str(error))
    except Exception as error:
        if rank is not None and LOST_PEER.match(str(error)):
            # not its own fault, and nothing that it could mend: the agents start all ranks anew
            tell("unlinked", epoch=rank.epoch, hop="before", reason=str(error)[:MAX_REASON_CHARS])
            os._exit(0)
        die("engine_failed", f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
