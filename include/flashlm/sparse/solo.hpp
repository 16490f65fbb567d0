// SPDX-License-Identifier: Apache-2.0
/// solo.hpp: whether one thread computes what arrives from flash, because the disk is slower than it.
#pragma once

#include <cstddef>

namespace flashlm::inline v0::sparse {

/// Decides before each pass of one token, from the one before, who computes pieces that arrive: all threads, or the
/// one that waited for them.
///
/// One is enough where it waits for the disk all the same. It needs no barriers and wakes nobody, and bytes go to one
/// core's caches instead of to several: a hypervisor that copies what it reads can be half as fast again then. What
/// decides are times, so no result may depend on it. Not thread-safe.
class Solo {
 public:
  /// A pass of `n_tokens` begins. More than one are too much work for one thread.
  void begin(std::size_t n_tokens, int n_threads) noexcept {
    if (one_token_) {
      const double n = n_threads;
      // One thread takes at most n times as long as n do. That must fit into the wait twice, since waits are uneven.
      alone_ = alone_ ? waited_ > computed_ / 2 : waited_ > computed_ * (n - 1 + n);
    }
    one_token_ = n_tokens == 1;
    computed_ = waited_ = 0;
  }

  /// Whether it is one thread.
  bool on() const noexcept { return one_token_ && alone_; }

  /// So long a piece that had arrived was computed.
  void computed(double seconds) noexcept { computed_ += seconds; }
  /// So long a piece was waited for.
  void waited(double seconds) noexcept { waited_ += seconds; }

 private:
  bool one_token_ = false;
  bool alone_ = false;
  double computed_ = 0;  // in this pass
  double waited_ = 0;
};

}  // namespace flashlm::inline v0::sparse
