// SPDX-License-Identifier: Apache-2.0
/// matrix_view_test.cpp: rows lie where stride says.
#include "flashlm/base/matrix_view.hpp"

#include <cstddef>

#include "support/catch.hpp"

using namespace flashlm;

TEST_CASE("a dense matrix has no gaps between its rows") {
  std::byte memory[24]{};
  const MatrixView view = MatrixView::dense(memory, DType::f16, 4, 3);
  CHECK(view.stride == 6);
  CHECK(view.row(0) == memory);
  CHECK(view.row(3) == memory + 18);
}

TEST_CASE("a slice is a matrix of some of the rows, with the same stride") {
  std::byte memory[64]{};
  const MatrixView view{memory, DType::f32, 4, 3, 16};
  const MatrixView slice = view.slice(1, 2);
  CHECK(slice.rows == 2);
  CHECK(slice.cols == 3);
  CHECK(slice.stride == 16);
  CHECK(slice.dtype == DType::f32);
  CHECK(slice.row(1) == view.row(2));
  CHECK(view.slice(4, 0).rows == 0);
}
