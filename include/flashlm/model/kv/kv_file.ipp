// SPDX-License-Identifier: Apache-2.0
/// kv_file.ipp: the bodies of kv_file.hpp.
#pragma once

#include "flashlm/model/kv/kv_file.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <limits>

#include "flashlm/base/memory/aligned_buffer.hpp"
#include "flashlm/storage/format/checksum.hpp"
#include "flashlm/storage/io/beside_file.hpp"
#include "flashlm/storage/io/file_writer.hpp"
#include "flashlm/storage/io/foreign_file.hpp"
#include "flashlm/storage/readers/open_reader.hpp"

namespace flashlm::inline FLASHLM_ABI::model {

FLASHLM_ONCE std::vector<Token> KvFile::tokens() const {
  std::vector<Token> tokens(static_cast<std::size_t>(range_.n_tokens));
  files_.front().read(kKvHeadBytes, std::as_writable_bytes(std::span(tokens)));
  return tokens;
}

FLASHLM_ONCE void KvFile::check_room(const KvCache& kv) const {
  if (range_.first + range_.n_tokens <= kv.context()) return;
  throw ShapeError(concat("[kv_file] context: expected at least ", range_.first + range_.n_tokens,
                          " positions for the stored tokens, got ", kv.context(), " (", path(),
                          "). Open the model with a larger context."));
}

FLASHLM_ONCE void KvFile::read(KvCache& kv) const {
  check_room(kv);
  scan(&kv);
}

FLASHLM_ONCE std::uint64_t KvFile::bytes(const KvCache& kv, std::uint64_t n_tokens) noexcept {
  return kv_rows_begin(n_tokens) + n_tokens * kv.n_runs() * kv.row_size() + sizeof(std::uint32_t);
}

FLASHLM_ONCE FormatError KvFile::fail(const std::string& what) const {
  return FormatError(concat("[kv_file] ", what, " (", path(), ")"));
}

FLASHLM_ONCE void write_kv_file(const std::filesystem::path& path, const KvRange& range,
                                std::span<const Token> tokens, const KvCache& kv,
                                Durability durability) {
  FLASHLM_ASSERT(tokens.size() == range.n_tokens && range.first + range.n_tokens <= kv.context());
  storage::BesideFile beside(path);
  storage::FileWriter writer(beside.path());
  std::uint32_t crc = 0;
  const auto write = [&](std::span<const std::byte> bytes) {
    crc = storage::crc32(bytes, crc);
    writer.write(bytes);
  };
  writer.write(kv_head(range, kv));
  write(std::as_bytes(tokens));
  const std::array<std::byte, kKvAlignment> zeros{};
  write(std::span(zeros).first(
      static_cast<std::size_t>(kv_rows_begin(tokens.size()) - writer.offset())));
  for (std::size_t run = 0; run < kv.n_runs(); ++run) {
    write(kv.run(run, static_cast<std::size_t>(range.first), tokens.size()));
  }
  std::array<std::byte, 4> end;
  for (std::size_t i = 0; i < end.size(); ++i) end[i] = static_cast<std::byte>(crc >> (8 * i));
  writer.write(end);
  if (durability == Durability::synced) writer.sync();
  writer.close();
  beside.replace();
  if (durability == Durability::synced) storage::sync_folder(path.parent_path());
}

FLASHLM_ONCE KvFile KvFile::open(const std::filesystem::path& path, const storage::Digest& model,
                                 const KvCache& kv, storage::FileMode mode) {
  KvFile file(storage::File::open(path, mode));
  const std::uint64_t size = file.files_.front().size();
  std::array<std::byte, kKvHeadBytes> head;
  const auto refuse_foreign = [&] {
    std::vector<std::byte> begin(
        static_cast<std::size_t>(std::min<std::uint64_t>(size, storage::kForeignBytes)));
    file.files_.front().read(0, begin);
    storage::refuse_foreign(begin, storage::FileKind::kv, "kv_file", file.path());
  };
  if (size < kKvAlignment + 4) {
    refuse_foreign();
    throw file.fail(concat("size: expected at least ", kKvAlignment + 4, " bytes, got ", size));
  }
  file.files_.front().read(0, head);
  if (std::memcmp(head.data(), kKvMagic.data(), kKvMagic.size()) != 0) {
    refuse_foreign();
    throw file.fail("content: expected a KV file of this version of flashlm, got something else");
  }
  const std::uint32_t expected =
      static_cast<std::uint32_t>(kv_number(head.data() + kKvHeadBytes - 4, 4));
  if (const std::uint32_t got = storage::crc32(std::span(head).first(kKvHeadBytes - 4));
      got != expected) {
    throw file.fail(concat("head: expected checksum ", storage::crc32_hex(expected), ", got ",
                           storage::crc32_hex(got), "; the file was changed or damaged"));
  }
  KvRange& range = file.range_;
  std::copy_n(head.data() + 8, range.model.size(), range.model.data());
  std::copy_n(head.data() + 40, range.before.size(), range.before.data());
  range.first = kv_number(head.data() + 72, 8);
  range.n_tokens = kv_number(head.data() + 80, 8);
  if (range.model != model) {
    throw file.fail(
        concat("model: expected ", storage::hex(std::span(model).first(8)), "..., got ",
               storage::hex(std::span(range.model).first(8)),
               "...; it was stored with another model, number format, instruction set or version"));
  }
  constexpr std::uint64_t kMostTokens = std::numeric_limits<std::int32_t>::max();
  if (range.first > kMostTokens || range.n_tokens > kMostTokens || head != kv_head(range, kv)) {
    throw file.fail("head: expected the shape of this model, got another");
  }
  file.row_size_ = kv.row_size();
  file.rows_begin_ = kv_rows_begin(range.n_tokens);
  file.rows_end_ = bytes(kv, range.n_tokens) - 4;
  if (size != file.rows_end_ + 4) {
    throw file.fail(concat("size: expected ", file.rows_end_ + 4, " bytes for ", range.n_tokens,
                           " tokens, got ", size, ". Was the copy cut short?"));
  }
  return file;
}

/// Whether reads can go into the rows themselves: they are long, and file and memory are aligned
/// alike.
FLASHLM_ONCE bool KvFile::can_place(const KvCache& kv) const {
  const std::uint64_t run_bytes = range_.n_tokens * row_size_;
  if (run_bytes < kWorthPlacing) return false;
  const std::size_t unit = files_.front().alignment();
  const auto begin = [&](std::size_t run) {
    return reinterpret_cast<std::uintptr_t>(
        kv.run(run, static_cast<std::size_t>(range_.first), 1).data());
  };
  const bool alike = kv.n_runs() < 2 || (begin(1) - begin(0)) % unit == 0;
  return alike && begin(0) % unit == 0 && rows_begin_ % unit == 0 && run_bytes % unit == 0;
}

/// Reads all of the file behind its head, some pieces ahead of what is being checked and moved.
FLASHLM_ONCE void KvFile::scan(KvCache* kv) const {
  const std::uint64_t size = files_.front().size();
  const std::uint64_t run_bytes = range_.n_tokens * row_size_;
  const bool places = kv != nullptr && can_place(*kv);
  const std::size_t slot =
      static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, places ? rows_begin_ : size));
  AlignedBuffer buffer(kInFlight * round_up(slot, kKvAlignment));
  std::size_t n_pieces = 0;
  std::uint64_t next = 0;
  const auto cut = [&] {
    Piece piece{next, {}, places && next >= rows_begin_ && next < rows_end_, 0};
    if (piece.placed) {
      const std::uint64_t run = (next - rows_begin_) / run_bytes;
      const std::uint64_t inside = (next - rows_begin_) % run_bytes;
      const auto rows = kv->run(run, static_cast<std::size_t>(range_.first),
                                static_cast<std::size_t>(range_.n_tokens));
      piece.bytes = rows.subspan(inside, std::min<std::size_t>(kPiece, rows.size() - inside));
    } else {
      const std::uint64_t end = places && next < rows_begin_ ? rows_begin_ : size;
      piece.bytes = buffer.bytes().subspan(
          n_pieces % kInFlight * round_up(slot, kKvAlignment),
          static_cast<std::size_t>(std::min<std::uint64_t>(slot, end - next)));
    }
    next += piece.bytes.size();
    ++n_pieces;
    return piece;
  };
  // Goes before the buffer does, and waits for what is in flight. A single read needs none.
  const auto reader = size > slot ? storage::open_reader("auto", files_, kInFlight) : nullptr;
  std::deque<Piece> pieces;
  const auto submit = [&] {
    pieces.push_back(cut());
    Piece& piece = pieces.back();
    if (!reader) return files_.front().read(piece.offset, piece.bytes);
    const storage::Read read{0, piece.offset, piece.bytes};
    piece.ticket = reader->submit({&read, 1});
  };
  while (next < size && pieces.size() < kInFlight) submit();
  std::uint32_t crc = 0;
  std::array<std::byte, 4> end{};
  while (!pieces.empty()) {
    const Piece piece = pieces.front();
    pieces.pop_front();
    if (reader) reader->wait(piece.ticket);
    crc = piece.placed ? storage::crc32(piece.bytes, crc)
                       : scatter(piece.bytes, piece.offset, kv, crc);
    for (std::size_t i = 0; i < end.size(); ++i) {
      const std::uint64_t at = rows_end_ + i;
      if (at >= piece.offset && at - piece.offset < piece.bytes.size())
        end[i] = piece.bytes[at - piece.offset];
    }
    if (next < size) submit();
  }
  const std::uint32_t expected = static_cast<std::uint32_t>(kv_number(end.data(), end.size()));
  if (crc != expected) {
    throw fail(concat("content: expected checksum ", storage::crc32_hex(expected), ", got ",
                      storage::crc32_hex(crc), "; the file was changed or damaged"));
  }
}

/// Takes the bytes at `offset` of the file: into the checksum between head and end, and rows into
/// their places.
FLASHLM_ONCE std::uint32_t KvFile::scatter(std::span<const std::byte> bytes, std::uint64_t offset,
                                           KvCache* kv, std::uint32_t crc) const {
  const std::uint64_t begin = std::max<std::uint64_t>(offset, kKvHeadBytes);
  const std::uint64_t stop = std::min<std::uint64_t>(offset + bytes.size(), rows_end_);
  if (begin >= stop) return crc;
  crc = storage::crc32(bytes.subspan(begin - offset, stop - begin), crc);
  const std::uint64_t run_bytes = range_.n_tokens * row_size_;
  for (std::uint64_t at = std::max(begin, rows_begin_); kv != nullptr && at < stop;) {
    const std::uint64_t run = (at - rows_begin_) / run_bytes;
    const std::uint64_t inside = (at - rows_begin_) % run_bytes;
    const std::uint64_t n = std::min(run_bytes - inside, stop - at);
    const auto into = kv->run(run, static_cast<std::size_t>(range_.first),
                              static_cast<std::size_t>(range_.n_tokens));
    std::copy_n(bytes.data() + (at - offset), n, into.data() + inside);
    at += n;
  }
  return crc;
}

}  // namespace flashlm::inline FLASHLM_ABI::model
