// SPDX-License-Identifier: Apache-2.0
/// safetensors_writer.ipp: the bodies of safetensors_writer.hpp.
#pragma once

#include "flashlm/storage/format/safetensors_writer.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/storage/format/checksum.hpp"
#include "flashlm/storage/format/json.hpp"
#include "flashlm/storage/format/safetensors.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

FLASHLM_ONCE SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path,
                                                  std::vector<TensorSpec> tensors,
                                                  std::map<std::string, std::string> metadata,
                                                  TensorOrder order)
    : tensors_(ordered(as_stored(std::move(tensors), metadata), order)), writer_(path) {
  const std::string header = header_text(metadata);
  std::array<std::byte, 8> prefix;
  for (std::size_t i = 0; i < 8; ++i) prefix[i] = static_cast<std::byte>(header.size() >> (8 * i));
  for (const auto& part : {std::span<const std::byte>(prefix), std::as_bytes(std::span(header))}) {
    writer_.write(part);
    record_.header_crc32 = crc32(part, record_.header_crc32);
  }
  record_.name = path.filename().string();
  record_.header_bytes = writer_.offset();
  enter(0);
}

FLASHLM_ONCE std::vector<std::string> SafetensorsWriter::order() const {
  std::vector<std::string> names;
  for (const TensorSpec& tensor : tensors_) names.push_back(tensor.name);
  return names;
}

FLASHLM_ONCE void SafetensorsWriter::write(const std::string& name,
                                           std::span<const std::byte> bytes) {
  std::size_t index = current_;
  if (left_ == 0 && (index == tensors_.size() || tensors_[index].name != name)) {
    do ++index;
    while (index < tensors_.size() && tensors_[index].name != name &&
           byte_count(tensors_[index]) == 0);
  }
  if (index >= tensors_.size() || tensors_[index].name != name) {
    const std::size_t next = std::min(index, tensors_.size());
    throw ArgumentError(
        concat("[safetensors_writer] order: expected ",
               next == tensors_.size() ? "no more tensors" : "tensor " + tensors_[next].name,
               ", got ", name, " (", path(), ")"));
  }
  const std::uint64_t left = index == current_ ? left_ : byte_count(tensors_[index]);
  if (bytes.size() > left) {
    throw ShapeError(concat("[safetensors_writer] tensor: expected ", left, " more bytes, got ",
                            bytes.size(), " (", path(), ", ", name, ")"));
  }
  if (index != current_) enter(index);
  writer_.write(bytes);
  record_.crc32 = crc32(bytes, record_.crc32);
  left_ -= bytes.size();
}

FLASHLM_ONCE FileRecord SafetensorsWriter::finish() {
  for (std::size_t index = current_; index < tensors_.size(); ++index) {
    const std::uint64_t missing = index == current_ ? left_ : byte_count(tensors_[index]);
    if (missing == 0) continue;
    throw ShapeError(concat("[safetensors_writer] tensor: expected ", missing,
                            " more bytes, got the end (", path(), ", ", tensors_[index].name, ")"));
  }
  writer_.sync_and_close();
  record_.bytes = writer_.offset();
  return record_;
}

FLASHLM_ONCE FileRecord SafetensorsWriter::finish_hollow() {
  for (; current_ < tensors_.size(); enter(current_ + 1)) writer_.skip(left_);
  writer_.close();
  record_.bytes = writer_.offset();
  return record_;
}

FLASHLM_ONCE std::vector<TensorSpec> SafetensorsWriter::as_stored(
    std::vector<TensorSpec> tensors, std::map<std::string, std::string>& metadata) {
  for (TensorSpec& tensor : tensors) {
    if (!is_block(tensor.dtype)) continue;
    const std::size_t numbers = format_of(tensor.dtype).numbers;
    if (tensor.shape.size() != 2 || tensor.shape[1] % numbers != 0 || tensor.shape[1] > kLargest) {
      std::string got;
      for (const std::uint64_t size : tensor.shape) got += concat(got.empty() ? "" : ", ", size);
      throw ArgumentError(concat("[safetensors_writer] shape of ", name(tensor.dtype),
                                 ": expected [rows, a multiple of ", numbers, "], got [", got,
                                 "] (", tensor.name, ")"));
    }
    metadata[number_format_key(tensor.name)] = name(tensor.dtype);
    tensor.shape[1] = row_bytes(tensor.dtype, tensor.shape[1]);
    tensor.dtype = DType::u8;
  }
  return tensors;
}

FLASHLM_ONCE std::uint64_t SafetensorsWriter::byte_count(const TensorSpec& tensor) noexcept {
  return detail::tensor_bytes(tensor.shape, 8 * row_bytes(tensor.dtype, 1)).value_or(0);
}

FLASHLM_ONCE std::vector<TensorSpec> SafetensorsWriter::ordered(std::vector<TensorSpec> tensors,
                                                                TensorOrder order) {
  std::uint64_t total = 0;
  bool aligned = true;
  for (const TensorSpec& tensor : tensors) {
    const auto bytes = detail::tensor_bytes(tensor.shape, 8 * row_bytes(tensor.dtype, 1));
    aligned = aligned && total % row_bytes(tensor.dtype, 1) == 0;
    if (!bytes || __builtin_add_overflow(total, *bytes, &total) || total > kLargest) {
      throw ArgumentError(concat(
          "[safetensors_writer] shape: expected at most 2^62 bytes, got more (", tensor.name, ")"));
    }
    if (tensor.name == "__metadata__")
      throw ArgumentError("[safetensors_writer] name: __metadata__ is reserved");
  }
  if (order == TensorOrder::by_size || !aligned) {
    std::sort(tensors.begin(), tensors.end(), [](const TensorSpec& a, const TensorSpec& b) {
      const std::size_t a_size = row_bytes(a.dtype, 1);
      const std::size_t b_size = row_bytes(b.dtype, 1);
      return a_size != b_size ? a_size > b_size : a.name < b.name;
    });
  }
  std::vector<std::string> names;
  for (const TensorSpec& tensor : tensors) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end()) {
    throw ArgumentError(
        concat("[safetensors_writer] name: expected each once, got '", *twice, "' twice"));
  }
  return tensors;
}

FLASHLM_ONCE std::string SafetensorsWriter::header_text(
    const std::map<std::string, std::string>& metadata) const {
  Json json;
  json.open(JsonKind::object);
  if (!metadata.empty()) {
    json.key("__metadata__").open(JsonKind::object);
    for (const auto& [key, value] : metadata) json.key(key).add(value);
    json.close();
  }
  std::uint64_t offset = 0;
  for (const TensorSpec& tensor : tensors_) {
    const std::uint64_t end = offset + byte_count(tensor);
    json.key(tensor.name).open(JsonKind::object);
    json.key("dtype").add(dtype_tag(tensor.dtype));
    json.key("shape").open(JsonKind::array);
    for (const std::uint64_t size : tensor.shape) json.add(size);
    json.close();
    json.key("data_offsets").open(JsonKind::array);
    json.add(offset);
    json.add(end);
    json.close();
    json.close();
    offset = end;
  }
  json.close();
  std::string text = json.dump();
  try {
    (void)parse_json(text, "safetensors_writer", path());
  } catch (const FormatError& error) {  // names that are not UTF-8
    throw ArgumentError(error.what());
  }
  text.resize(round_up(8 + text.size(), kPageBytes) - 8, ' ');
  if (text.size() > Safetensors::kLargestHeader) {
    throw ArgumentError(concat("[safetensors_writer] header: expected at most ",
                               Safetensors::kLargestHeader, " bytes, got ", text.size(), " (",
                               path(), ")"));
  }
  return text;
}

FLASHLM_ONCE void SafetensorsWriter::enter(std::size_t index) {
  current_ = index;
  left_ = index < tensors_.size() ? byte_count(tensors_[index]) : 0;
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
