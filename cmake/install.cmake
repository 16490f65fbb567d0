# SPDX-License-Identifier: Apache-2.0
# Installs headers, their bodies and flashlmConfig.cmake. In a wheel both live inside the package, with Eigen and nlohmann_json as a
# fallback, so that `python -m flashlm --cmake-dir` is all a C++ project needs.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

if(DEFINED SKBUILD)
  set(include_folder flashlm/include)
  set(config_folder flashlm/cmake)
else()
  set(include_folder ${CMAKE_INSTALL_INCLUDEDIR})
  set(config_folder ${CMAKE_INSTALL_DATADIR}/cmake/flashlm)
endif()

target_include_directories(flashlm_core INTERFACE $<INSTALL_INTERFACE:${include_folder}>)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/flashlm DESTINATION ${include_folder})
install(TARGETS flashlm_core flashlm_openmp EXPORT flashlmTargets)
install(EXPORT flashlmTargets NAMESPACE flashlm:: DESTINATION ${config_folder})
configure_package_config_file(cmake/flashlmConfig.cmake.in ${PROJECT_BINARY_DIR}/flashlmConfig.cmake
  INSTALL_DESTINATION ${config_folder} PATH_VARS include_folder)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/flashlmConfigVersion.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${PROJECT_BINARY_DIR}/flashlmConfig.cmake ${PROJECT_BINARY_DIR}/flashlmConfigVersion.cmake
  cmake/FindPopplerCpp.cmake cmake/build_type.cmake cmake/compiled.cmake
  DESTINATION ${config_folder})

if(flashlm_bundle OR DEFINED SKBUILD)
  get_target_property(eigen_folder Eigen3::Eigen INTERFACE_INCLUDE_DIRECTORIES)
  get_target_property(json_folder nlohmann_json::nlohmann_json INTERFACE_INCLUDE_DIRECTORIES)
  install(DIRECTORY ${eigen_folder}/Eigen DESTINATION ${config_folder}/third_party/eigen3)
  install(DIRECTORY ${json_folder}/nlohmann DESTINATION ${config_folder}/third_party/nlohmann_json
    FILES_MATCHING PATTERN "*.hpp")
  install(FILES cmake/third_party/NOTICE cmake/third_party/MIT.txt cmake/third_party/MPL-2.0.txt
    DESTINATION ${config_folder}/third_party)
endif()
