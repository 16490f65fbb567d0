// SPDX-License-Identifier: Apache-2.0
/// selector_file.hpp: what a selector needs beside the weights, in a safetensors file of its own
/// (docs/format.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flashlm/base/matrix_view.hpp"
#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/storage/format/manifest.hpp"
#include "flashlm/storage/format/safetensors.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

/// Numbers of a row of gates that share a scale: a block of q8_0.
inline constexpr std::size_t kGateBlock = format_of(DType::q8_0).numbers;

/// Names the weights of a model: the SHA-256, in hexadecimal, of a line "name bytes crc32" for
/// every weight file in the order of the manifest. What was trained or made for other weights is
/// refused by it.
std::string weights_fingerprint(const storage::Manifest& manifest);

/// A predictor.safetensors or gates.safetensors: its header at once, its tensors after `load`.
///
/// The metadata name what the file is (`format`), its `format_version`, and the weights it belongs
/// to (`model`). The U8 tensor `tensor_checksums` [1 + n, 4] holds the CRC-32 of the header and of
/// each other tensor in the order of the file, little-endian. In files of version 1 that of the
/// header is missing.
class SelectorFile {
 public:
  static constexpr const char* kVersion = "2";
  static constexpr const char* kOldVersion = "1";
  static constexpr const char* kChecksums = "tensor_checksums";

  /// Checks the header. Throws IoError, or FormatError for another format, another version or
  /// another model's file.
  static SelectorFile open(const std::filesystem::path& path, const std::string& format,
                           const std::string& model);

  /// Bytes that `load` takes.
  std::size_t bytes() const noexcept { return tensors_.size() - tensors_.header_bytes(); }

  /// The share of neurons that a token has, if whoever made the file measured it.
  std::optional<double> selected() const;

  /// Reads everything and compares the checksums. Throws IoError, FormatError.
  void load();

  /// Throws FormatError if a tensor is none of `parts` of a layer below `n_layers`, or if a layer
  /// has some of them only: where a name is wrong, the layer must not pass for one that has
  /// nothing.
  void expect_tensors(std::size_t n_layers, std::span<const std::string_view> parts) const;

  /// Names the content: the SHA-256 of its checksums, in hexadecimal. Needs no `load`. Throws
  /// IoError, FormatError.
  std::string digest() const;

  bool has(const std::string& tensor) const { return tensors_.find(tensor) != nullptr; }

  /// The shape of a matrix, whatever its number format: [rows, cols]. Throws FormatError if it is
  /// none.
  std::pair<std::size_t, std::size_t> shape(const std::string& tensor) const;

  /// A matrix [rows, cols] in f32, f16, bf16 or, as U8 [rows, row_bytes], q8_0. Throws FormatError
  /// for anything else.
  MatrixView matrix(const std::string& tensor, std::size_t rows, std::size_t cols) const;

  /// An F32 tensor of that shape, flat. Throws FormatError for anything else.
  std::span<const float> floats(const std::string& tensor,
                                const std::vector<std::uint64_t>& shape) const;

  /// A U8 tensor [rows, n]. Throws FormatError for anything else.
  const std::byte* raw(const std::string& tensor, std::size_t rows, std::size_t n) const;

  [[noreturn]] void fail(const std::string& what, const std::string& tensor) const;

 private:
  explicit SelectorFile(storage::Safetensors tensors) : tensors_(std::move(tensors)) {}

  void expect(const std::string& key, const std::string& value, const char* hint) const;

  const storage::TensorInfo& checksums() const;

  const storage::TensorInfo& at(const std::string& tensor, const std::vector<std::uint64_t>& shape,
                                const std::string& tag) const;

  const std::byte* address(const storage::TensorInfo& tensor) const;

  storage::Safetensors tensors_;
  bool has_header_sum_ = true;
  AlignedBuffer data_;  // everything behind the header
};

}  // namespace flashlm::inline FLASHLM_ABI::units

#if !defined(FLASHLM_COMPILED)
#include "flashlm/units/select/selector_file.ipp"
#endif
