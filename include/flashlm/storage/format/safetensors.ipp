// SPDX-License-Identifier: Apache-2.0
/// safetensors.ipp: the bodies of safetensors.hpp.
#pragma once

#include "flashlm/storage/format/safetensors.hpp"

#include <algorithm>
#include <array>

#include "flashlm/storage/io/foreign_file.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

FLASHLM_ONCE DType parse_tag(std::string_view tag) {
  for (const NumberFormat& format : kNumberFormats) {
    if (!is_block(format.dtype) && dtype_tag(format.dtype) == tag) return format.dtype;
  }
  throw FormatError(
      concat("[safetensors] number format: expected F32, F16, BF16 or U8, got '", tag, "'"));
}

namespace detail {

/// Bits of a number, for every format that the safetensors specification names.
inline std::optional<std::uint64_t> tag_bits(std::string_view tag) noexcept {
  constexpr std::array<std::pair<std::string_view, std::uint64_t>, 20> kTags{
      {{"F32", 32},    {"F16", 16},    {"BF16", 16},   {"U8", 8},      {"I8", 8},
       {"BOOL", 8},    {"I16", 16},    {"U16", 16},    {"I32", 32},    {"U32", 32},
       {"I64", 64},    {"U64", 64},    {"F64", 64},    {"C64", 64},    {"F8_E4M3", 8},
       {"F8_E5M2", 8}, {"F8_E8M0", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4}}};
  for (const auto& [word, bits] : kTags) {
    if (word == tag) return bits;
  }
  return std::nullopt;
}

FLASHLM_ONCE std::optional<std::uint64_t> tensor_bytes(std::span<const std::uint64_t> shape,
                                                       std::uint64_t bits) noexcept {
  // With a size of 0 anywhere the tensor is empty, even if the other sizes overflow.
  if (std::find(shape.begin(), shape.end(), 0u) != shape.end()) return 0;
  std::uint64_t total = bits;
  for (const std::uint64_t size : shape) {
    if (__builtin_mul_overflow(total, size, &total)) return std::nullopt;
  }
  if (total % 8 != 0) return std::nullopt;
  return total / 8;
}

}  // namespace detail

FLASHLM_ONCE Safetensors Safetensors::open(const std::filesystem::path& path, FileMode mode) {
  Safetensors result(File::open(path, mode));
  result.read_header();
  return result;
}

FLASHLM_ONCE const TensorInfo* Safetensors::find(const std::string& name) const noexcept {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

FLASHLM_ONCE const TensorInfo& Safetensors::at(const std::string& name) const {
  if (const TensorInfo* tensor = find(name)) return *tensor;
  throw FormatError(concat("[safetensors] tensor '", name, "' is missing (", path(), ")"));
}

FLASHLM_ONCE FormatError Safetensors::fail(const std::string& what,
                                           const std::string& tensor) const {
  return FormatError(
      concat("[safetensors] ", what, " (", path(), tensor.empty() ? "" : ", ", tensor, ")"));
}

FLASHLM_ONCE FormatError Safetensors::cut_short(const std::string& what) const {
  return FormatError(concat("[safetensors] ", what, " (", path(), "). Was the copy cut short?"));
}

FLASHLM_ONCE void Safetensors::refuse_foreign() const {
  std::array<std::byte, kForeignBytes> bytes;
  const auto begin = std::span(bytes).first(
      static_cast<std::size_t>(std::min<std::uint64_t>(size(), bytes.size())));
  file_.read(0, begin);
  storage::refuse_foreign(begin, FileKind::safetensors, "safetensors", path());
}

FLASHLM_ONCE void Safetensors::read_header() {
  if (size() < 8) {
    refuse_foreign();
    throw cut_short(concat("header: expected at least 8 bytes, got ", size()));
  }
  std::array<std::byte, 8> prefix;
  file_.read(0, prefix);
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < 8; ++i)
    length |= std::to_integer<std::uint64_t>(prefix[i]) << (8 * i);
  const std::uint64_t largest = std::min(kLargestHeader, size() - 8);
  if (length > largest) {
    refuse_foreign();
    throw cut_short(concat("header: expected at most ", largest, " bytes, got ", length));
  }
  header_bytes_ = 8 + length;
  std::string text(static_cast<std::size_t>(length), '\0');
  file_.read(8, std::as_writable_bytes(std::span(text)));
  if (text.empty() || text.front() != '{') {
    refuse_foreign();
    throw fail("header: expected JSON that begins with '{'");
  }
  const std::string file = path();
  const Json json = parse_json(text, "safetensors", file);
  JsonField(json, "safetensors", file)
      .members([&](const std::string& name, const JsonField& field) {
        if (name != "__metadata__") return tensors_.push_back(read_tensor(name, field));
        field.members([&](const std::string& key, const JsonField& value) {
          metadata_[key] = value.string();
        });
      });
  check_order();
  for (std::size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
}

FLASHLM_ONCE TensorInfo Safetensors::read_tensor(const std::string& name,
                                                 const JsonField& fields) const {
  fields.only({"dtype", "shape", "data_offsets"});
  TensorInfo tensor{name, fields["dtype"].string(), fields["shape"].counts(), {}};
  const std::optional<std::uint64_t> bits = detail::tag_bits(tensor.dtype);
  if (!bits)
    throw fail(concat("dtype: expected a known number format, got '", tensor.dtype, "'"), name);
  const std::vector<std::uint64_t> ends = fields["data_offsets"].counts();
  const std::uint64_t data_bytes = size() - header_bytes_;
  if (ends.size() != 2 || ends[0] > ends[1] || ends[1] > data_bytes) {
    throw fail(concat("data_offsets: expected a begin and an end of at most ", data_bytes, ", got ",
                      fields["data_offsets"].value().dump()),
               name);
  }
  const std::optional<std::uint64_t> bytes = detail::tensor_bytes(tensor.shape, *bits);
  if (!bytes || *bytes != ends[1] - ends[0]) {
    throw fail(concat("shape ", fields["shape"].value().dump(), " of ", tensor.dtype, ": expected ",
                      bytes ? concat(*bytes, " bytes") : "a size below 2^64", ", got ",
                      ends[1] - ends[0], " bytes"),
               name);
  }
  tensor.extent = {header_bytes_ + ends[0], ends[1] - ends[0]};
  return tensor;
}

FLASHLM_ONCE void Safetensors::check_order() {
  std::sort(tensors_.begin(), tensors_.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::pair(a.extent.offset, a.extent.bytes) < std::pair(b.extent.offset, b.extent.bytes);
  });
  std::uint64_t end = header_bytes_;
  for (const TensorInfo& tensor : tensors_) {
    if (tensor.extent.offset != end) {
      throw fail(
          concat("data: expected a tensor at byte ", end, ", got one at ", tensor.extent.offset),
          tensor.name);
    }
    end = tensor.extent.end();
  }
  if (end != size())
    throw cut_short(concat("data: expected a file of ", end, " bytes, got ", size()));
}

FLASHLM_ONCE DType number_format(const Safetensors& file, const std::string& name) {
  const std::string& tag = file.at(name).dtype;
  const auto told = file.metadata().find(number_format_key(name));
  try {
    if (told == file.metadata().end()) return parse_tag(tag);
    if (const DType dtype = parse_dtype(told->second); is_block(dtype) && tag == dtype_tag(dtype))
      return dtype;
  } catch (const FormatError& error) {
    throw FormatError(concat(error.what(), " (", file.file().path().string(), ", ", name, ")"));
  }
  throw FormatError(concat("[safetensors] number format: expected U8 with ", names_of(is_block),
                           " in the metadata, got ", tag, " with ", told->second, " (",
                           file.file().path().string(), ", ", name, ")"));
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
