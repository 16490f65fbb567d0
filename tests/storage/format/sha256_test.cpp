// SPDX-License-Identifier: Apache-2.0
#include "flashlm/storage/format/sha256.hpp"

#include <cstddef>
#include <span>
#include <string>

#include "support/catch.hpp"

using namespace flashlm::storage;

namespace {

std::string sha256(std::string_view text) {
  Sha256 hash;
  hash.update(text);
  return hex(hash.digest());
}

}  // namespace

TEST_CASE("SHA-256 gives the published values") {
  CHECK(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256(std::string(1000000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256 does not depend on the cut, around every edge of a block") {
  for (std::size_t n = 50; n < 140; ++n) {
    const std::string text(n, 'x');
    for (std::size_t cut = 0; cut <= n; cut += 7) {
      Sha256 hash;
      hash.update(std::string_view(text).substr(0, cut));
      CHECK(hex(hash.digest()) == sha256(text.substr(0, cut)));
      hash.update(std::string_view(text).substr(cut));
      CHECK(hex(hash.digest()) == sha256(text));
    }
  }
}
