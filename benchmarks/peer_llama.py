# SPDX-License-Identifier: Apache-2.0
"""peer_llama.py: one measured process of peers.py: llama.cpp (llama-cpp-python), on a GGUF file, step by step.

Runs in any Python that has llama-cpp-python; needs nothing of flashlm.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from pathlib import Path

import llama_cpp.llama_cpp as api
from peer_process import counters, each_timed, peak_bytes, per, say


class Model:
    """A model and one context, through llama.cpp's own interface: nothing of Python stands between two tokens."""

    def __init__(self, path: str, context: int, threads: int, *, repack: bool) -> None:
        api.llama_backend_init()
        silent = api.llama_log_callback(lambda *_: None)
        api.llama_log_set(silent, None)
        self._silent = silent  # kept: the library calls it
        parameters = api.llama_model_default_params()
        parameters.load_mode = api.LLAMA_LOAD_MODE_MMAP
        parameters.use_extra_bufts = repack
        self._model = api.llama_model_load_from_file(path.encode(), parameters)
        if not self._model:
            sys.exit(f"llama.cpp cannot load {path}")
        settings = api.llama_context_default_params()
        settings.n_ctx = context
        settings.n_batch = settings.n_ubatch = 512
        settings.n_threads = settings.n_threads_batch = threads
        self._context = api.llama_init_from_model(self._model, settings)
        if not self._context:
            sys.exit("llama.cpp makes no context")
        self.vocab_size = api.llama_vocab_n_tokens(api.llama_model_get_vocab(self._model))

    def forget(self) -> None:
        """Empties the KV cache."""
        api.llama_memory_clear(api.llama_get_memory(self._context), True)

    def step(self, ids: list[int]) -> None:
        """Computes some tokens after what is there, in batches of 512."""
        for begin in range(0, len(ids), 512):
            part = ids[begin : begin + 512]
            tokens = (ctypes.c_int32 * len(part))(*part)  # the batch only points to it
            if api.llama_decode(self._context, api.llama_batch_get_one(tokens, len(part))) != 0:
                sys.exit("llama.cpp fails to decode")
        api.llama_get_logits_ith(self._context, -1)

    def logits(self, ids: list[int]) -> bytes:
        """[n, vocab_size] in float32, of one batch."""
        batch = api.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for index, token in enumerate(ids):
            batch.token[index], batch.pos[index] = token, index
            batch.n_seq_id[index], batch.seq_id[index][0], batch.logits[index] = 1, 0, 1
        if api.llama_decode(self._context, batch) != 0:
            sys.exit("llama.cpp fails to decode")
        size = 4 * self.vocab_size
        result = b"".join(
            ctypes.string_at(api.llama_get_logits_ith(self._context, index), size)
            for index in range(len(ids))
        )
        api.llama_batch_free(batch)
        return result


def main() -> None:
    """Run the steps."""
    job = json.loads(sys.argv[1])
    ids = job["ids"]
    start = time.perf_counter()
    model = Model(job["model"], job["context"], job["threads"], repack=job["repack"])
    if job["warm"]:  # all of the file into the page cache, which stays while it is mapped
        with Path(job["model"]).open("rb", buffering=0) as file:
            buffer = bytearray(16 << 20)
            while file.readinto(buffer):
                pass
    say("open", seconds=time.perf_counter() - start, info=api.llama_print_system_info().decode())
    for step, *arguments in job["steps"]:
        model.forget()
        if step == "compare":
            Path(arguments[1]).write_bytes(model.logits(arguments[0]))
            say("compare")
        elif step == "decode":
            n_warm, n = arguments
            model.step(ids[:4])
            for token in ids[4 : 4 + n_warm]:
                model.step([token])
            decoded = ids[4 + n_warm : 4 + n_warm + n]
            say("decode", **each_timed(lambda token: model.step([token]), decoded))
        else:
            n = arguments[0]
            before = counters()
            model.step(ids[:n])
            say(f"prefill {n}", n=n, **per(before, n))
    say("end", peak_bytes=peak_bytes())


if __name__ == "__main__":
    main()
