// SPDX-License-Identifier: Apache-2.0
/// compiled.cpp: the bodies of storage/, for programs whose files all define FLASHLM_COMPILED
/// (version.hpp).
#if !defined(FLASHLM_COMPILED)
#error "compiled.cpp belongs to a program that defines FLASHLM_COMPILED in every file."
#endif

#include "flashlm/storage/beside_file.ipp"
#include "flashlm/storage/bundle_file.ipp"
#include "flashlm/storage/bundle_layout.ipp"
#include "flashlm/storage/bundle_writer.ipp"
#include "flashlm/storage/busy_time.ipp"
#include "flashlm/storage/checksum.ipp"
#include "flashlm/storage/disk_probe.ipp"
#include "flashlm/storage/file.ipp"
#include "flashlm/storage/file_lock.ipp"
#include "flashlm/storage/file_reader.ipp"
#include "flashlm/storage/file_record.ipp"
#include "flashlm/storage/file_writer.ipp"
#include "flashlm/storage/foreign_file.ipp"
#include "flashlm/storage/json.ipp"
#include "flashlm/storage/json_value.ipp"
#include "flashlm/storage/layer_record.ipp"
#include "flashlm/storage/manifest.ipp"
#include "flashlm/storage/memory_reader.ipp"
#include "flashlm/storage/open_reader.ipp"
#include "flashlm/storage/safetensors.ipp"
#include "flashlm/storage/safetensors_writer.ipp"
#include "flashlm/storage/scratch_file.ipp"
#include "flashlm/storage/sha256.ipp"
#include "flashlm/storage/threads_reader.ipp"
#include "flashlm/storage/uring.ipp"
