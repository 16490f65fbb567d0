// SPDX-License-Identifier: Apache-2.0
/// selector_file.ipp: the bodies of selector_file.hpp.
#pragma once

#include "flashlm/units/select/selector_file.hpp"

#include <algorithm>
#include <cstdlib>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/format/checksum.hpp"
#include "flashlm/storage/format/file_record.hpp"
#include "flashlm/storage/format/sha256.hpp"
#include "flashlm/storage/io/file.hpp"

namespace flashlm::inline FLASHLM_ABI::units {

FLASHLM_ONCE std::string weights_fingerprint(const storage::Manifest& manifest) {
  std::string text;
  for (const storage::FileRecord& file : manifest.files) {
    if (file.is_weights())
      text += concat(file.name, ' ', file.bytes, ' ', storage::crc32_hex(file.crc32), '\n');
  }
  storage::Sha256 hash;
  hash.update(text);
  const storage::Digest digest = hash.digest();
  return storage::hex(std::as_bytes(std::span(digest)));
}

FLASHLM_ONCE SelectorFile SelectorFile::open(const std::filesystem::path& path,
                                             const std::string& format, const std::string& model) {
  SelectorFile file(storage::Safetensors::open(path));
  file.expect("format", format, "Is it another kind of file?");
  const auto version = file.tensors_.metadata().find("format_version");
  file.has_header_sum_ =
      version == file.tensors_.metadata().end() || version->second != kOldVersion;
  if (file.has_header_sum_)
    file.expect("format_version", kVersion, "Another version of flashlm wrote it.");
  file.expect("model", model, "It belongs to the weights of another model.");
  return file;
}

FLASHLM_ONCE std::optional<double> SelectorFile::selected() const {
  const auto found = tensors_.metadata().find("selected");
  if (found == tensors_.metadata().end()) return std::nullopt;
  char* end = nullptr;
  const double share = std::strtod(found->second.c_str(), &end);
  if (end == found->second.c_str() || *end != '\0' || !(share >= 0 && share <= 1))
    return std::nullopt;
  return share;
}

FLASHLM_ONCE void SelectorFile::load() {
  AlignedBuffer data(bytes());
  storage::File::open(tensors_.file().path(), storage::FileMode::direct)
      .read(tensors_.header_bytes(), data.bytes());
  data_ = std::move(data);
  const storage::TensorInfo& sums = checksums();
  const std::byte* sum = address(sums);
  const auto compare = [&](std::uint32_t got, const std::string& what) {
    std::uint32_t expected = 0;
    for (std::size_t i = 0; i < 4; ++i)
      expected |= std::to_integer<std::uint32_t>(*sum++) << (8 * i);
    if (got == expected) return;
    fail(concat("checksum: expected ", storage::crc32_hex(expected), ", got ",
                storage::crc32_hex(got)),
         what);
  };
  if (has_header_sum_) {
    compare(storage::crc32_of(tensors_.file(), {0, tensors_.header_bytes()}), "the header");
  }
  for (const storage::TensorInfo& tensor : tensors_.tensors()) {
    if (&tensor == &sums) continue;
    compare(storage::crc32({address(tensor), static_cast<std::size_t>(tensor.extent.bytes)}),
            tensor.name);
  }
}

FLASHLM_ONCE void SelectorFile::expect_tensors(std::size_t n_layers,
                                               std::span<const std::string_view> parts) const {
  std::vector<std::size_t> found(n_layers);
  for (const storage::TensorInfo& tensor : tensors_.tensors()) {
    if (tensor.name == kChecksums) continue;
    bool known = false;
    constexpr std::string_view kPrefix = "layers.";
    const std::size_t dot = tensor.name.rfind('.');
    if (tensor.name.starts_with(kPrefix) && dot != std::string::npos && dot > kPrefix.size()) {
      const std::string number = tensor.name.substr(kPrefix.size(), dot - kPrefix.size());
      const std::string_view part = std::string_view(tensor.name).substr(dot + 1);
      known = number.size() < 10 && number.find_first_not_of("0123456789") == std::string::npos &&
              (number == "0" || number.front() != '0') &&
              std::find(parts.begin(), parts.end(), part) != parts.end();
      if (known) {
        const std::size_t layer = std::stoul(number);
        if (layer >= n_layers)
          fail(concat("layers: expected ", n_layers, ", got more"), tensor.name);
        ++found[layer];
      }
    }
    if (!known)
      fail("tensor: expected the name of one that this selector has, got another", tensor.name);
  }
  for (std::size_t layer = 0; layer < n_layers; ++layer) {
    if (found[layer] == 0 || found[layer] == parts.size()) continue;
    fail(concat("tensors of layer ", layer, ": expected ", parts.size(), ", got ", found[layer]),
         concat("layers.", layer));
  }
}

FLASHLM_ONCE std::string SelectorFile::digest() const {
  const storage::TensorInfo& sums = checksums();
  std::vector<std::byte> bytes(static_cast<std::size_t>(sums.extent.bytes));
  tensors_.file().read(sums.extent.offset, bytes);
  storage::Sha256 hash;
  hash.update(std::span<const std::byte>(bytes));
  const storage::Digest digest = hash.digest();
  return storage::hex(std::as_bytes(std::span(digest)));
}

FLASHLM_ONCE std::pair<std::size_t, std::size_t> SelectorFile::shape(
    const std::string& tensor) const {
  const storage::TensorInfo& info = tensors_.at(tensor);
  if (info.shape.size() != 2) fail("shape: expected a matrix", tensor);
  const auto cols = static_cast<std::size_t>(info.shape[1]);
  if (info.dtype != "U8") return {static_cast<std::size_t>(info.shape[0]), cols};
  return {static_cast<std::size_t>(info.shape[0]),
          cols / format_of(DType::q8_0).bytes * format_of(DType::q8_0).numbers};
}

FLASHLM_ONCE MatrixView SelectorFile::matrix(const std::string& tensor, std::size_t rows,
                                             std::size_t cols) const {
  const std::string tag = tensors_.at(tensor).dtype;
  std::optional<DType> dtype;
  if (tag == "F32") dtype = DType::f32;
  if (tag == "F16") dtype = DType::f16;
  if (tag == "BF16") dtype = DType::bf16;
  if (tag == "U8" && cols % format_of(DType::q8_0).numbers == 0) dtype = DType::q8_0;
  if (!dtype)
    fail(concat("dtype: expected F32, F16, BF16, or U8 of whole q8_0 blocks, got ", tag), tensor);
  const std::size_t width = *dtype == DType::q8_0 ? row_bytes(*dtype, cols) : cols;
  return MatrixView::dense(address(at(tensor, {rows, width}, tag)), *dtype, rows, cols);
}

FLASHLM_ONCE std::span<const float> SelectorFile::floats(
    const std::string& tensor, const std::vector<std::uint64_t>& shape) const {
  const storage::TensorInfo& info = at(tensor, shape, "F32");
  const std::byte* data = address(info);
  if (reinterpret_cast<std::uintptr_t>(data) % alignof(float) != 0)
    fail("data: expected aligned floats", tensor);
  return {reinterpret_cast<const float*>(data),
          static_cast<std::size_t>(info.extent.bytes) / sizeof(float)};
}

FLASHLM_ONCE const std::byte* SelectorFile::raw(const std::string& tensor, std::size_t rows,
                                                std::size_t n) const {
  return address(at(tensor, {rows, n}, "U8"));
}

FLASHLM_ONCE void SelectorFile::fail(const std::string& what, const std::string& tensor) const {
  throw FormatError(
      concat("[selector_file] ", what, " (", tensors_.file().path().string(), ", ", tensor, ")"));
}

FLASHLM_ONCE void SelectorFile::expect(const std::string& key, const std::string& value,
                                       const char* hint) const {
  const auto found = tensors_.metadata().find(key);
  if (found != tensors_.metadata().end() && found->second == value) return;
  throw FormatError(concat("[selector_file] ", key, ": expected '", value, "', got '",
                           found == tensors_.metadata().end() ? "" : found->second, "' (",
                           tensors_.file().path().string(), "). ", hint));
}

FLASHLM_ONCE const storage::TensorInfo& SelectorFile::checksums() const {
  return at(kChecksums, {tensors_.tensors().size() - (has_header_sum_ ? 0 : 1), 4}, "U8");
}

FLASHLM_ONCE const storage::TensorInfo& SelectorFile::at(const std::string& tensor,
                                                         const std::vector<std::uint64_t>& shape,
                                                         const std::string& tag) const {
  const storage::TensorInfo& info = tensors_.at(tensor);
  if (info.shape != shape || info.dtype != tag) {
    std::string expected, got;
    for (const std::uint64_t size : shape) expected += concat(expected.empty() ? "" : ", ", size);
    for (const std::uint64_t size : info.shape) got += concat(got.empty() ? "" : ", ", size);
    fail(concat("shape: expected ", tag, " [", expected, "], got ", info.dtype, " [", got, "]"),
         tensor);
  }
  return info;
}

FLASHLM_ONCE const std::byte* SelectorFile::address(const storage::TensorInfo& tensor) const {
  return data_.data() + (tensor.extent.offset - tensors_.header_bytes());
}

}  // namespace flashlm::inline FLASHLM_ABI::units
