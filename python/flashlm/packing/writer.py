# SPDX-License-Identifier: Apache-2.0
"""writer.py: writes a model folder, one layer in memory at a time.

What was interrupted is continued.

The folder grows beside its place, as `NAME.partial`, and takes its name when everything is on the
device. A file of it is finished when the journal in it says so. After an error the partial folder
is removed; after an interruption (Ctrl-C, a killed process, a power cut) it stays, and packing the
same source with the same options continues it.
"""

from __future__ import annotations

import errno
import functools
import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flashlm import _core
from flashlm._core import Error, FormatError
from flashlm._engine.files import folder_error, io_error, locked, sync_folder, write_synced
from flashlm.packing.formats.dtypes import NATIVE, QUANTISED
from flashlm.packing.formats.weight import Loss, numpy_dtype
from flashlm.packing.graph.tensors import Tensor
from flashlm.packing.options import FORMAT_VERSION, Options
from flashlm.packing.sources.source import Progress, Source

JOURNAL = "journal.json"
RESIDENT = "resident.safetensors"
_GROWTH = 1.05  # packed weights that are larger than this by the source's are told of
_HEADROOM = 1 << 20  # bytes for headers, the manifest and the journal


def write_folder(
    source: Source,
    folder: Path,
    options: Options,
    progress: Progress | None = None,
    *,
    hollow: bool = False,
) -> Path:
    """Writes `source` as a model folder.

    Args:
        source: What to write.
        folder: Appears when it is complete.
        options: Resolved.
        progress: Told "pack" with the bytes written so far and in total.
        hollow: With holes in the place of weights, which take no time and no room: to plan with,
            not to run.

    Returns:
        The folder.

    Raises:
        IoError: The folder exists, the disk is full (before anything is written, if that can be
            known), another process packs into it, a file cannot be read or written.
        FormatError: A weight cannot be packed, or a source file changed meanwhile.
    """
    partial = folder.with_name(folder.name + ".partial")
    try:
        _check_absent(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(partial):
            try:
                _Writer(source, partial, options, progress, hollow=hollow).run()
                _check_absent(folder)
                partial.rename(folder)
                sync_folder(folder.parent)
            except Exception:
                shutil.rmtree(partial, ignore_errors=True)
                raise
    except OSError as error:
        if isinstance(error, Error):
            raise
        raise io_error("write", error, folder) from error
    return folder


def growth(source: Source, options: Options) -> str:
    """How large the weights get, and why, as a clause.

    It reads "98.4 MB of weights, 270 MB packed, 2.7 times as much: ...".
    """
    before = sum(weight.n_bytes for weight in source.weights.values())
    after = packed_bytes(source, options)
    told = f"{_core.format_bytes(before)} of weights, {_core.format_bytes(after)} packed"
    widened = sorted(
        {
            weight.kind
            for name, weight in source.weights.items()
            if NATIVE.get(weight.kind) != options.dtypes[name]
        }
        - {weight.kind for weight in source.weights.values() if len(weight.shape) == 1}
    )
    if after <= _GROWTH * before or not widened:
        return told
    becomes = sorted(
        {options.dtypes[name] for name, w in source.weights.items() if w.kind in widened}
    )
    return (
        f"{told}, {after / before:.1f} times as much, since {', '.join(widened)} becomes "
        f"{', '.join(becomes)}. "
        "A share as memory is one of the packed size"
    )


def packed_bytes(source: Source, options: Options) -> int:
    """Bytes of all weights in the folder."""
    return sum(bytes_by_kind(source.tensors, options.dtypes, options.neurons_per_bundle).values())


def bytes_by_kind(
    tensors: Sequence[Tensor], dtypes: Mapping[str, str], neurons_per_bundle: int | None
) -> dict[str, int]:
    """Bytes of packed weights, by what they are (`Tensor.kind`).

    Args:
        tensors: Of the graph.
        dtypes: The number format of each.
        neurons_per_bundle: As in `Options`.
    """
    result: dict[str, int] = {}
    gated = {tensor.name for tensor in tensors if tensor.name.endswith(".gate")}
    for tensor in tensors:
        dtype, n_rows, n_columns = (
            dtypes[tensor.name],
            math.prod(tensor.shape[:-1]),
            tensor.shape[-1],
        )
        if tensor.kind == "neurons" and neurons_per_bundle is not None:
            if not tensor.name.endswith(".up"):  # the one that every network has
                continue
            has_gate = f"{tensor.name.removesuffix('up')}gate" in gated
            n_bytes = _core.bundles_bytes(n_rows, neurons_per_bundle, n_columns, has_gate, dtype)
        elif _is_tiled(tensor, dtype):
            n_bytes = _core.tiles_bytes(dtype, n_rows, n_columns)
        else:
            n_bytes = n_rows * _core.row_bytes(dtype, n_columns)
        result[tensor.kind] = result.get(tensor.kind, 0) + n_bytes
    return result


def _is_tiled(tensor: Tensor, dtype: str) -> bool:
    """Whether a tensor that is no bundle lies in tiles: a quantised matrix of a layer."""
    return tensor.kind in ("matrix", "neurons") and dtype in QUANTISED


def _is_transposed(tensor: Tensor, dtype: str) -> bool:
    """Whether a matrix by itself has a row a neuron in place of a column."""
    return tensor.name.endswith(".down") and dtype not in QUANTISED


class _Writer:
    def __init__(
        self,
        source: Source,
        partial: Path,
        options: Options,
        progress: Progress | None,
        *,
        hollow: bool,
    ) -> None:
        self._hollow = hollow
        self._source = source
        self._n_layers = len(source.graph.layers)
        self._partial = partial
        self._options = options
        self._progress = progress
        self._fingerprint = options.fingerprint(source)
        self._total = packed_bytes(source, options)
        self._done = 0
        self._files: dict[str, dict[str, Any]] = {}
        self._layers: dict[str, dict[str, Any]] = {}
        self._losses: dict[str, dict[str, Loss]] = {}  # by weight file, then by kind of tensor

    def run(self) -> None:
        self._resume()
        self._check_space()
        self._tell(0)
        for name, data in self._source.small_files.items():
            write_synced(self._partial / name, data)
            self._files[name] = _core.file_record(str(self._partial / name))
        self._once(RESIDENT, self._write_resident)
        layer_files = [self._layer_file(layer) for layer in range(self._n_layers)]
        bundled = self._options.neurons_per_bundle is not None
        for layer, name in enumerate(layer_files):
            write = self._write_bundles if bundled else self._write_network
            self._once(name, functools.partial(write, layer))
        if self._options.fingerprint(self._source) != self._fingerprint:
            raise FormatError(
                f"[pack] source: {self._source.name} changed while it was being packed. Pack it "
                f"again."
            )
        manifest = {
            "format": "flashlm",
            "format_version": FORMAT_VERSION,
            "family": self._source.family,
            "graph": self._source.graph.to_json(),
            "tokens": self._source.tokens.to_json(),
            "dtype": self._options.dtype,
            "source": self._source.describe() | self._rounding_error([RESIDENT, *layer_files]),
            "files": [
                self._files[name] for name in (*self._source.small_files, RESIDENT, *layer_files)
            ],
            "layers": [self._layers[name] for name in layer_files] if bundled else [],
        }
        _core.write_manifest(str(self._partial), json.dumps(manifest))
        (self._partial / JOURNAL).unlink(missing_ok=True)
        sync_folder(self._partial)

    def _resume(self) -> None:
        """Takes over the files that the journal vouches for, and removes everything else."""
        journal = _read_journal(self._partial / JOURNAL)
        if journal.get("fingerprint") == self._fingerprint:
            for entry in journal["files"]:
                record, path = entry["file"], self._partial / entry["file"]["name"]
                if path.is_file() and path.stat().st_size == record["bytes"]:
                    self._files[record["name"]] = record
                    self._done += record["bytes"] - record["header_bytes"]
                    self._losses[record["name"]] = {
                        kind: Loss(*sums) for kind, sums in entry["losses"].items()
                    }
                    if entry["layer"] is not None:
                        self._layers[record["name"]] = entry["layer"]
        for path in self._partial.iterdir():
            if path.name in self._files:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _check_space(self) -> None:
        headers = (1 + self._n_layers) * 4096 + sum(map(len, self._source.small_files.values()))
        needed = (0 if self._hollow else self._total - self._done) + headers + _HEADROOM
        free = shutil.disk_usage(self._partial).free
        if free < needed:
            raise folder_error(
                f"no space: expected {needed} free bytes, got {free}. Free some, or pack elsewhere",
                errno.ENOSPC,
                self._partial,
            )

    def _once(
        self, name: str, write: Callable[[], tuple[dict[str, Any], dict[str, Any] | None]]
    ) -> None:
        """Writes a weight file unless an earlier run did, and enters it into the journal."""
        if name in self._files:
            return
        record, layer = write()
        self._files[name] = record
        if layer is not None:
            self._layers[name] = layer
        weight_files = [
            {
                "file": file,
                "layer": self._layers.get(file["name"]),
                "losses": self._loss_sums(file["name"]),
            }
            for file in self._files.values()
            if "header_bytes" in file
        ]
        journal = {"fingerprint": self._fingerprint, "files": weight_files}
        text = json.dumps(journal | {"crc32": _checksum(journal)}).encode()
        beside = self._partial / (JOURNAL + ".new")
        write_synced(beside, text)
        beside.rename(self._partial / JOURNAL)
        sync_folder(self._partial)

    def _write_resident(self) -> tuple[dict[str, Any], None]:
        tensors = [each for each in self._source.tensors if each.kind != "neurons"]
        return self._write_tensors(RESIDENT, sorted(tensors, key=_pass_order)), None

    def _write_network(self, layer: int) -> tuple[dict[str, Any], None]:
        """The matrices of a layer's feed-forward network, each by itself."""
        prefix = f"layers.{layer}."
        tensors = [
            each
            for each in self._source.tensors
            if each.kind == "neurons" and each.name.startswith(prefix)
        ]
        return self._write_tensors(self._layer_file(layer), tensors), None

    def _write_tensors(self, file: str, tensors: Sequence[Tensor]) -> dict[str, Any]:
        weights, dtypes = self._source.weights, self._options.dtypes
        tiled = {each.name for each in tensors if _is_tiled(each, dtypes[each.name])}
        transposed = {each.name for each in tensors if _is_transposed(each, dtypes[each.name])}
        specs, metadata = [], {"format": "flashlm"}
        for name, tensor_shape, _, _ in tensors:
            dtype, shape = dtypes[name], list(tensor_shape)
            if name in tiled:
                metadata[f"dtype.{name}"] = dtype
                n_strips = -(-shape[0] // _core.tile_rows)
                dtype, shape = "u8", [n_strips, _core.tiles_bytes(dtype, *shape) // n_strips]
            elif name in transposed:
                shape.reverse()
            specs.append((name, dtype, shape))
        writer = _core.SafetensorsWriter(str(self._partial / file), specs, metadata, as_given=True)
        if self._hollow:
            return writer.finish(hollow=True)
        try:
            for name in writer.order():
                loss = self._loss(file, _kind(name))
                if name in transposed:
                    columns = self._read_columns(name, dtypes[name], loss)
                    writer.write(name, columns)
                    self._tell(columns.nbytes)
                    continue
                for begin, end in weights[name].runs(_core.tile_rows if name in tiled else 1):
                    array = weights[name].rows(begin, end, dtypes[name], loss)
                    if name in tiled:
                        array = _core.to_tiles(array, dtypes[name])
                    writer.write(name, array)
                    self._tell(array.nbytes)
            return writer.finish()
        finally:
            # An unfinished file goes with its writer: now, not when a traceback that somebody keeps
            # lets go of it, by when a later run may be writing a file of the same name.
            del writer

    def _write_bundles(self, layer: int) -> tuple[dict[str, Any], dict[str, Any]]:
        options = self._options
        assert options.neurons_per_bundle is not None  # noqa: S101 - there are bundles
        file_name, prefix = self._layer_file(layer), f"layers.{layer}"
        gate, up = self._source.weights.get(f"{prefix}.gate"), self._source.weights[f"{prefix}.up"]
        dtype = options.dtypes[f"{prefix}.down"]
        writer = _core.BundleWriter(
            str(self._partial / file_name),
            layer,
            up.n_rows,
            options.neurons_per_bundle,
            up.n_columns,
            gate is not None,
            dtype,
        )
        if self._hollow:
            return writer.finish(hollow=True)
        before = self._done
        try:
            down = self._read_columns(f"{prefix}.down", dtype, self._loss(file_name, "down"))
            for begin, end in up.runs(options.neurons_per_bundle):
                ups = up.rows(begin, end, dtype, self._loss(file_name, "up"))
                gates = (
                    None
                    if gate is None
                    else gate.rows(begin, end, dtype, self._loss(file_name, "gate"))
                )
                writer.write(gates, ups, down[begin:end])
                self._tell((2 if gate is None else 3) * ups.nbytes)
            file, record = writer.finish()
        finally:
            del writer  # as above
        self._tell(before + file["bytes"] - file["header_bytes"] - self._done)  # the padding
        return file, record

    def _read_columns(self, name: str, dtype: str, loss: Loss) -> npt.NDArray[Any]:
        """The columns of a down matrix: [hidden_dim, dim].

        Row i is what neuron i adds to the output.
        """
        weight = self._source.weights[name]
        columns = np.empty((weight.n_columns, weight.n_rows), numpy_dtype(dtype))
        for begin, end in weight.runs():
            columns[:, begin:end] = weight.rows(begin, end, dtype, loss).T
        return columns

    def _layer_file(self, layer: int) -> str:
        word = "ffn" if self._options.neurons_per_bundle is None else "neurons"
        return f"{word}-{layer:05d}.safetensors"

    def _loss(self, file: str, kind: str) -> Loss:
        """Where the loss of a tensor is summed up: with those of its kind in its file."""
        return self._losses.setdefault(file, {}).setdefault(kind, Loss())

    def _loss_sums(self, file: str) -> dict[str, tuple[float, float]]:
        return {
            kind: (loss.squares, loss.squared_error)
            for kind, loss in self._losses.get(file, {}).items()
        }

    def _rounding_error(self, files: Sequence[str]) -> dict[str, Any]:
        """The relative RMS error by kind of tensor, of those kinds that have one."""
        total: dict[str, Loss] = {}
        for file in files:
            for kind, (squares, squared_error) in self._loss_sums(file).items():
                total.setdefault(kind, Loss()).add(squares, squared_error)
        errors = {kind: loss.relative_rms for kind, loss in total.items() if loss.squared_error}
        return {"rounding_error": errors} if errors else {}

    def _tell(self, n_bytes: int) -> None:
        self._done += n_bytes
        if self._progress is not None:
            self._progress("pack", self._done, self._total)


def _check_absent(folder: Path) -> None:
    if folder.exists() or folder.is_symlink():
        raise folder_error(
            "it exists already; remove it or choose another name", errno.EEXIST, folder
        )


def _kind(tensor: str) -> str:
    """The last word of a name: "q" of "layers.3.q"."""
    return tensor.rpartition(".")[2]


def _pass_order(tensor: Tensor) -> tuple[int, int, str]:
    """Where a tensor stands in resident.safetensors.

    What a pass streams as it needs it, then what always stays.

    Neighbours in a pass are neighbours in the file, and begin where its pages do: no read has to
    take more than it wants. Vectors lie behind them, since their sizes are any.
    """
    return (1, 0, tensor.name) if tensor.segment is None else (0, tensor.segment, "")


def _read_journal(path: Path) -> Mapping[str, Any]:
    """An earlier run's journal; empty if there is none that can be used.

    It has a checksum, since the manifest takes those of the weights from it.
    """
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(value, dict):
        return {}
    checksum = value.pop("crc32", None)
    return value if checksum == _checksum(value) else {}


def _checksum(journal: Mapping[str, Any]) -> int:
    return _core.crc32(json.dumps(journal).encode())
