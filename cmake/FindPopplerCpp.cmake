# SPDX-License-Identifier: Apache-2.0
# Finds poppler's C++ interface: PopplerCpp_FOUND, PopplerCpp_VERSION and the target PopplerCpp::PopplerCpp. Poppler is
# under the GPL: a program that links it is GPL as a whole.
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(PopplerCpp_pc QUIET poppler-cpp)
endif()
find_path(PopplerCpp_INCLUDE_DIR poppler-document.h HINTS ${PopplerCpp_pc_INCLUDE_DIRS} PATH_SUFFIXES poppler/cpp)
find_library(PopplerCpp_LIBRARY poppler-cpp HINTS ${PopplerCpp_pc_LIBRARY_DIRS})
mark_as_advanced(PopplerCpp_INCLUDE_DIR PopplerCpp_LIBRARY)
if(EXISTS "${PopplerCpp_INCLUDE_DIR}/poppler-version.h")
  file(STRINGS "${PopplerCpp_INCLUDE_DIR}/poppler-version.h" PopplerCpp_line REGEX "define POPPLER_VERSION +\"")
  string(REGEX MATCH "[0-9]+(\\.[0-9]+)+" PopplerCpp_VERSION "${PopplerCpp_line}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(PopplerCpp REQUIRED_VARS PopplerCpp_LIBRARY PopplerCpp_INCLUDE_DIR
  VERSION_VAR PopplerCpp_VERSION
  REASON_FAILURE_MESSAGE "Install poppler's C++ interface (Debian: apt-get install libpoppler-cpp-dev).")
if(PopplerCpp_FOUND AND NOT TARGET PopplerCpp::PopplerCpp)
  add_library(PopplerCpp::PopplerCpp UNKNOWN IMPORTED)
  set_target_properties(PopplerCpp::PopplerCpp PROPERTIES
    IMPORTED_LOCATION "${PopplerCpp_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${PopplerCpp_INCLUDE_DIR}")
endif()
