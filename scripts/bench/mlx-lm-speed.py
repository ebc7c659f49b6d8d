"""The mlx-lm side of the engine's bench: generates greedily as mlx-lm does by default, and says when each token came.

Usage: python mlx-lm-speed.py MODEL_DIR. A line of JSON in for each generation ({"prompt_ids", "tokens"}), a line out
({"tokens", "at_ms"}); before them, when the model is loaded, a line with the versions. Ends with its standard input.
"""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import mlx.core as mx

# node-mlx computes on the CPU on Linux and on Metal on a Mac; streams that mlx-lm makes take the default at import
if sys.platform == "linux":
    mx.set_default_device(mx.cpu)

from mlx_lm.generate import generate_step, generation_stream
from mlx_lm.utils import load_model


def main() -> None:
    model, _ = load_model(Path(sys.argv[1]))
    tell({"mlx_lm": version("mlx-lm"), "mlx": version("mlx")})
    for line in sys.stdin:
        request = json.loads(line)
        prompt = mx.array(request["prompt_ids"])
        tokens: list[int] = []
        at_ms: list[float] = []
        begin = time.perf_counter()
        for token, _ in generate_step(prompt, model, max_tokens=request["tokens"]):
            tokens.append(int(token))
            at_ms.append((time.perf_counter() - begin) * 1000)
        # one step beyond the last token is on its way: it must not take the other side's time
        mx.synchronize(generation_stream)
        tell({"tokens": tokens, "at_ms": at_ms})


def tell(what: dict[str, object]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
