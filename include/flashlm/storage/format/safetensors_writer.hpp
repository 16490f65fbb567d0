// SPDX-License-Identifier: Apache-2.0
/// safetensors_writer.hpp: writing safetensors files whose data begin where flash likes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "flashlm/base/dtype.hpp"
#include "flashlm/storage/format/file_record.hpp"
#include "flashlm/storage/io/file_writer.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// A tensor to be written.
///
/// Formats of blocks have no tag in the file. Their shape is that of a matrix of numbers, [rows,
/// cols]; in the file it is U8 [rows, bytes of a row], with metadata "dtype.<name>"
/// (`number_format` reads it).
struct TensorSpec {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::uint64_t> shape;
};

/// Where tensors lie: in the order of falling element size, then of names, so that each is aligned;
/// or as they are given, if each is aligned then too.
enum class TensorOrder : std::uint8_t { by_size, as_given };

/// Writes a safetensors file in one pass, in bounded memory.
///
/// The data begin at a multiple of 4096. A file that is not finished is removed. Not thread-safe.
class SafetensorsWriter {
 public:
  /// Writes the header. Throws IoError, or ArgumentError for a name that comes twice or is not
  /// UTF-8, for a reserved name, for sizes that overflow, and for blocks that are not a matrix of
  /// whole blocks.
  SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorSpec> tensors,
                    std::map<std::string, std::string> metadata = {},
                    TensorOrder order = TensorOrder::by_size);

  /// The names in the order in which they have to be written.
  std::vector<std::string> order() const;

  /// Appends to a tensor; it may come in pieces. Tensors come in the order of `order()`; empty ones
  /// may be left out.
  ///
  /// Throws ArgumentError if another tensor is next, ShapeError if the tensor gets too long,
  /// IoError.
  void write(const std::string& name, std::span<const std::byte> bytes);

  /// The checksum of everything that stands before the data.
  std::uint32_t header_crc32() const noexcept { return record_.header_crc32; }

  /// Waits until the file is on the device. Throws ShapeError if bytes are missing, IoError.
  FileRecord finish();

  /// Ends a file that is to be looked at, not used: bytes that are missing are holes, and nothing
  /// waits for the device. Throws IoError.
  FileRecord finish_hollow();

 private:
  static constexpr std::uint64_t kLargest = std::uint64_t{1}
                                            << 62;  // bytes; sums of two such sizes do not overflow

  /// The tensors as the file has them: blocks are bytes, whose format the metadata tell.
  static std::vector<TensorSpec> as_stored(std::vector<TensorSpec> tensors,
                                           std::map<std::string, std::string>& metadata);

  static std::uint64_t byte_count(const TensorSpec& tensor) noexcept;

  static std::vector<TensorSpec> ordered(std::vector<TensorSpec> tensors, TensorOrder order);

  /// Padded with spaces, as the format allows, so that the data begin at a page.
  std::string header_text(const std::map<std::string, std::string>& metadata) const;

  void enter(std::size_t index);

  std::string path() const { return writer_.path().string(); }

  std::vector<TensorSpec> tensors_;
  FileWriter writer_;
  FileRecord record_;
  std::size_t current_ = 0;  // the tensor that is being written
  std::uint64_t left_ = 0;   // bytes that it still needs
};

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/format/safetensors_writer.ipp"
#endif
