// SPDX-License-Identifier: Apache-2.0
/// file_writer.ipp: the bodies of file_writer.hpp.
#pragma once

#include "flashlm/storage/io/file_writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "flashlm/base/error.hpp"
#include "flashlm/storage/io/beside_file.hpp"

namespace flashlm::inline FLASHLM_ABI::storage {

FLASHLM_ONCE FileWriter::FileWriter(std::filesystem::path path) : path_(std::move(path)) {
  do fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  while (fd_ < 0 && errno == EINTR);
  if (fd_ < 0) throw IoError("[file_writer] cannot create", errno, path_.string());
}

FLASHLM_ONCE FileWriter::FileWriter(FileWriter&& other) noexcept
    : origin_(other.origin_),
      path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      offset_(other.offset_) {}

FLASHLM_ONCE void FileWriter::write(std::span<const std::byte> bytes) {
  if (fd_ < 0) throw IoError("[file_writer] cannot write", EBADF, path_.string());
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), std::min(bytes.size(), std::size_t{1} << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail("write", n < 0 ? errno : ENOSPC);
    offset_ += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

FLASHLM_ONCE void FileWriter::skip(std::uint64_t n) {
  if (fd_ < 0) throw IoError("[file_writer] cannot skip", EBADF, path_.string());
  const auto end = static_cast<off_t>(offset_ + n);
  if (::ftruncate(fd_, end) != 0 || ::lseek(fd_, end, SEEK_SET) != end) fail("skip", errno);
  offset_ += n;
}

FLASHLM_ONCE void FileWriter::sync_and_close() {
  sync();
  close();
}

FLASHLM_ONCE void FileWriter::sync() {
  if (fd_ < 0) throw IoError("[file_writer] cannot sync", EBADF, path_.string());
  if (sync(fd_) != 0) fail("sync", errno);
}

FLASHLM_ONCE void FileWriter::close() {
  if (fd_ < 0) throw IoError("[file_writer] cannot close", EBADF, path_.string());
  if (::close(std::exchange(fd_, -1)) != 0 && errno != EINTR) {
    const int code = errno;
    ::unlink(path_.c_str());
    throw IoError("[file_writer] cannot close", code, path_.string());
  }
}

FLASHLM_ONCE int FileWriter::sync(int fd) noexcept {
#if defined(F_FULLFSYNC)
  if (::fcntl(fd, F_FULLFSYNC) == 0) return 0;
#endif
  int result;
  do result = ::fsync(fd);
  while (result != 0 && errno == EINTR);
  return result;
}

FLASHLM_ONCE void FileWriter::fail(const char* verb, int code) {
  abandon();
  throw IoError(concat("[file_writer] cannot ", verb), code, path_.string());
}

FLASHLM_ONCE void FileWriter::abandon() noexcept {
  if (fd_ < 0) return;
  ::close(std::exchange(fd_, -1));
  if (origin_.is_here())
    ::unlink(path_.c_str());  // in a forked child it is the parent's, which goes on writing
}

FLASHLM_ONCE void sync_folder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) throw IoError("[file_writer] cannot open the folder", errno, folder.string());
  const int code = FileWriter::sync(fd) == 0 ? 0 : errno;
  ::close(fd);
  // Some file systems have nothing to sync for a folder and say so.
  if (code != 0 && code != EINVAL && code != ENOTSUP) {
    throw IoError("[file_writer] cannot sync the folder", code, folder.string());
  }
}

FLASHLM_ONCE void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  BesideFile beside(path);
  FileWriter writer(beside.path());
  writer.write(bytes);
  writer.sync_and_close();
  beside.replace();
  sync_folder(path.parent_path());
}

}  // namespace flashlm::inline FLASHLM_ABI::storage
