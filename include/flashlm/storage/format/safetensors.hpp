// SPDX-License-Identifier: Apache-2.0
/// safetensors.hpp: reading the tensor files that everybody uses
/// (github.com/huggingface/safetensors, format).
///
///     8 bytes        length of the header, little-endian
///     header         JSON: name -> {dtype, shape, data_offsets: [begin, end)}, and "__metadata__"
///     data           the tensors, without holes
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "flashlm/base/dtype.hpp"
#include "flashlm/base/error.hpp"
#include "flashlm/storage/format/json.hpp"
#include "flashlm/storage/io/extent.hpp"
#include "flashlm/storage/io/file.hpp"
#include "flashlm/version.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

/// The name of a number format in a safetensors file, "F32", which for plain numbers is GGUF's.
/// Blocks are bytes to other readers: "U8".
constexpr std::string_view dtype_tag(DType dtype) noexcept {
  return is_plain(dtype) ? format_of(dtype).gguf_name : "U8";
}

/// The inverse of `dtype_tag`. Throws FormatError for a tag that flashlm does not compute with.
DType parse_tag(std::string_view tag);

namespace detail {

/// shape product * bits / 8, if it is a whole number of bytes below 2^64.
std::optional<std::uint64_t> tensor_bytes(std::span<const std::uint64_t> shape,
                                          std::uint64_t bits) noexcept;

}  // namespace detail

/// One tensor of a safetensors file.
struct TensorInfo {
  std::string name;
  std::string dtype;  // the tag of the file: "F32", "F16", ...
  std::vector<std::uint64_t> shape;
  Extent extent;  // in the file, not in its data part
};

/// An open safetensors file whose header was checked completely.
///
/// Thread-safe.
class Safetensors {
 public:
  static constexpr std::uint64_t kLargestHeader =
      100'000'000;  // the limit of the reference implementation

  /// Throws IoError, or FormatError if the header is not JSON, has a key twice, names an unknown
  /// number format, or describes tensors that do not fill the file exactly.
  static Safetensors open(const std::filesystem::path& path, FileMode mode = FileMode::buffered);

  /// In the order of their bytes.
  const std::vector<TensorInfo>& tensors() const noexcept { return tensors_; }

  /// The tensor of that name, or null.
  const TensorInfo* find(const std::string& name) const noexcept;

  /// The tensor of that name. Throws FormatError if there is none.
  const TensorInfo& at(const std::string& name) const;

  const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }

  /// Where the data begin: 8 bytes and the length of the header.
  std::uint64_t header_bytes() const noexcept { return header_bytes_; }
  std::uint64_t size() const noexcept { return file_.size(); }
  const File& file() const& noexcept { return file_; }
  File file() && noexcept { return std::move(file_); }

 private:
  explicit Safetensors(File file) : file_(std::move(file)) {}

  std::string path() const { return file_.path().string(); }

  FormatError fail(const std::string& what, const std::string& tensor = {}) const;

  FormatError cut_short(const std::string& what) const;

  /// Throws a FormatError if the file is none of safetensors, and it can be said what it is.
  void refuse_foreign() const;

  void read_header();

  TensorInfo read_tensor(const std::string& name, const JsonField& fields) const;

  void check_order();

  File file_;
  std::uint64_t header_bytes_ = 0;
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string, std::size_t> index_;
  std::map<std::string, std::string> metadata_;
};

/// Where the metadata tell the number format of a tensor of blocks, which the file calls U8.
inline std::string number_format_key(const std::string& tensor) { return "dtype." + tensor; }

/// The number format of a tensor: its tag, or the format of blocks that the metadata tell of a U8
/// tensor.
///
/// Throws FormatError if there is no such tensor, or if tag and metadata make no format that
/// flashlm computes with.
DType number_format(const Safetensors& file, const std::string& name);

}  // namespace flashlm::inline FLASHLM_ABI::storage

#if !defined(FLASHLM_COMPILED)
#include "flashlm/storage/format/safetensors.ipp"
#endif
