# SPDX-License-Identifier: Apache-2.0
# Says so where the compiler would not optimise, as it does by default: flashlm is compiled in its user's files, whose
# flags are the user's own and are not changed.
macro(flashlm_check_build_type)
  get_property(flashlm_multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
  get_directory_property(flashlm_options COMPILE_OPTIONS)
  if(NOT flashlm_multi_config AND NOT CMAKE_BUILD_TYPE AND NOT "${CMAKE_CXX_FLAGS};${flashlm_options}" MATCHES "[-/]O[1-9sfgzx]")
    message(WARNING "flashlm: no CMAKE_BUILD_TYPE, so the compiler does not optimise (-O0), and models run several times "
                    "slower. Configure with -DCMAKE_BUILD_TYPE=Release.")
  endif()
endmacro()
