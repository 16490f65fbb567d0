// SPDX-License-Identifier: Apache-2.0
/// compiled.cpp: the bodies of storage/, for programs whose files all define FLASHLM_COMPILED
/// (version.hpp).
#if !defined(FLASHLM_COMPILED)
#error "compiled.cpp belongs to a program that defines FLASHLM_COMPILED in every file."
#endif

#include "flashlm/storage/format/bundle_file.ipp"
#include "flashlm/storage/format/bundle_layout.ipp"
#include "flashlm/storage/format/bundle_writer.ipp"
#include "flashlm/storage/format/checksum.ipp"
#include "flashlm/storage/format/file_record.ipp"
#include "flashlm/storage/format/json.ipp"
#include "flashlm/storage/format/json_value.ipp"
#include "flashlm/storage/format/layer_record.ipp"
#include "flashlm/storage/format/manifest.ipp"
#include "flashlm/storage/format/safetensors.ipp"
#include "flashlm/storage/format/safetensors_writer.ipp"
#include "flashlm/storage/format/sha256.ipp"
#include "flashlm/storage/io/beside_file.ipp"
#include "flashlm/storage/io/file.ipp"
#include "flashlm/storage/io/file_lock.ipp"
#include "flashlm/storage/io/file_writer.ipp"
#include "flashlm/storage/io/foreign_file.ipp"
#include "flashlm/storage/io/scratch_file.ipp"
#include "flashlm/storage/readers/busy_time.ipp"
#include "flashlm/storage/readers/disk_probe.ipp"
#include "flashlm/storage/readers/file_reader.ipp"
#include "flashlm/storage/readers/memory_reader.ipp"
#include "flashlm/storage/readers/open_reader.ipp"
#include "flashlm/storage/readers/threads_reader.ipp"
#include "flashlm/storage/readers/uring.ipp"
