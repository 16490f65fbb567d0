# SPDX-License-Identifier: Apache-2.0
# An Eigen that is found, for the test of what is missing beside it.
add_library(Eigen3::Eigen INTERFACE IMPORTED GLOBAL)
