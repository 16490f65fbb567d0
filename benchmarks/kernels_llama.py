# SPDX-License-Identifier: Apache-2.0
"""kernels_llama.py: the rate of llama.cpp's products of a matrix and a vector, for kernels.py.

Runs in a Python that has llama-cpp-python, whose libggml it calls; needs nothing of flashlm. Prints
a line of JSON for each number format, with the gigabytes of weights a second of every round. The
matrices of a graph lie one after another in memory that is larger than the caches. llama.cpp
multiplies blocks with activations that it rounds to q8_0 first, which is in the time; of q4_0 it
keeps by default a copy in another order, which is a line of its own.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

TYPES = {"f16": 1, "q4_0": 2, "q8_0": 8, "bf16": 30}  # of ggml.h
BLOCKS = {
    "f16": (1, 2),
    "q4_0": (32, 18),
    "q8_0": (32, 34),
    "bf16": (1, 2),
}  # numbers and bytes of a block
F32 = 0
REORDERED = " reordered"
_SILENT = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
SUFFIX = ".dylib" if sys.platform == "darwin" else ".so"


class InitParameters(ctypes.Structure):
    """ggml_init_params."""

    _fields_ = (
        ("mem_size", ctypes.c_size_t),
        ("mem_buffer", ctypes.c_void_p),
        ("no_alloc", ctypes.c_bool),
    )


def library() -> Any:
    """libggml, with what it stands on."""
    found = importlib.util.find_spec("llama_cpp")
    if found is None or found.origin is None:
        sys.exit("llama-cpp-python is not there")
    folder = Path(found.origin).parent / "lib"
    for name in ("libggml-base", "libggml-cpu", "libggml"):
        ggml = ctypes.CDLL(str(folder / (name + SUFFIX)), mode=ctypes.RTLD_GLOBAL)
    ggml = ctypes.CDLL(None)
    ggml.ggml_log_set(_SILENT, None)
    pointer, size = ctypes.c_void_p, ctypes.c_int64
    for name, arguments in {
        "ggml_init": [InitParameters],
        "ggml_new_tensor_2d": [pointer, ctypes.c_int, size, size],
        "ggml_mul_mat": [pointer, pointer, pointer],
        "ggml_new_graph": [pointer],
        "ggml_backend_cpu_init": [],
        "ggml_backend_cpu_buffer_type": [],
        "ggml_backend_alloc_ctx_tensors_from_buft": [pointer, pointer],
        "_Z35ggml_backend_cpu_repack_buffer_typev": [],
    }.items():
        function = getattr(ggml, name)
        function.restype, function.argtypes = pointer, arguments
    ggml.ggml_build_forward_expand.argtypes = [pointer, pointer]
    ggml.ggml_backend_cpu_set_n_threads.argtypes = [pointer, ctypes.c_int]
    ggml.ggml_backend_tensor_set.argtypes = [
        pointer,
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_size_t,
    ]
    ggml.ggml_backend_graph_compute.argtypes = [pointer, pointer]
    return ggml


def rates(
    dtype: str, shape: tuple[int, int], *, mib: int, threads: int, rounds: int
) -> list[float]:
    """Gigabytes of weights a second, in each round."""
    ggml = library()
    rows, cols = shape
    reordered, dtype = dtype.endswith(REORDERED), dtype.removesuffix(REORDERED)
    numbers, block_bytes = BLOCKS[dtype]
    n_bytes = rows * cols // numbers * block_bytes
    n_matrices = max(1, (mib << 20) // n_bytes)
    weights, others = (ggml.ggml_init(InitParameters(1 << 24, None, True)) for _ in range(2))
    matrices = [
        ggml.ggml_new_tensor_2d(weights, TYPES[dtype], cols, rows) for _ in range(n_matrices)
    ]
    x = ggml.ggml_new_tensor_2d(others, F32, cols, 1)
    graph = ggml.ggml_new_graph(others)
    for matrix in matrices:
        ggml.ggml_build_forward_expand(graph, ggml.ggml_mul_mat(others, matrix, x))
    plain = ggml.ggml_backend_cpu_buffer_type()
    place = ggml._Z35ggml_backend_cpu_repack_buffer_typev() if reordered else plain  # noqa: SLF001 - exported as this
    if not ggml.ggml_backend_alloc_ctx_tensors_from_buft(weights, place):
        sys.exit("no memory for the matrices")
    ggml.ggml_backend_alloc_ctx_tensors_from_buft(others, plain)
    # Scales that are small f16 numbers, and any quants: bytes of 0x14 to 0x17 are both.
    data = bytes(0x14 + byte % 4 for byte in os.urandom(1 << 16)) * (n_bytes // (1 << 16) + 1)
    for matrix in matrices:
        ggml.ggml_backend_tensor_set(matrix, data, 0, n_bytes)
    ggml.ggml_backend_tensor_set(x, bytes(4 * cols), 0, 4 * cols)
    backend = ggml.ggml_backend_cpu_init()
    ggml.ggml_backend_cpu_set_n_threads(backend, threads)
    result = []
    for round_ in range(rounds + 1):
        start = time.perf_counter()
        if ggml.ggml_backend_graph_compute(backend, graph):
            sys.exit("ggml fails to compute")
        if round_:  # in the first the threads wake up
            result.append(n_matrices * n_bytes / 1e9 / (time.perf_counter() - start))
    return result


def main() -> None:
    """Each format in a process of its own: what a build of ggml cannot do ends that one alone."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--one", help="measures this format here")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rows", type=int, default=11008)
    parser.add_argument("--cols", type=int, default=4096)
    arguments = parser.parse_args()
    shape = (arguments.rows, arguments.cols)
    if arguments.one:
        values = rates(
            arguments.one,
            shape,
            mib=arguments.mib,
            threads=arguments.threads,
            rounds=arguments.rounds,
        )
        name = f"matmul {arguments.one.removesuffix(REORDERED)} {shape[0]}x{shape[1]}, 1 token"
        print(
            json.dumps(
                {"case": name, "reordered": arguments.one.endswith(REORDERED), "values": values}
            )
        )
        return
    for dtype in (*TYPES, "q4_0" + REORDERED):
        command = [sys.executable, __file__, *sys.argv[1:], "--one", dtype]
        result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if result.returncode:
            print(f"llama.cpp: {dtype}: exit code {result.returncode}", file=sys.stderr)
        else:
            print(result.stdout.strip(), flush=True)


if __name__ == "__main__":
    main()
