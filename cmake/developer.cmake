# SPDX-License-Identifier: Apache-2.0
# What the project's own programs are built with: warnings and sanitizers. Users of the library get none of it.
add_library(flashlm_developer INTERFACE)
target_link_libraries(flashlm_developer INTERFACE flashlm_core)
target_compile_options(flashlm_developer INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror=switch)
if(FLASHLM_SANITIZE)
  target_compile_options(flashlm_developer INTERFACE
    -fsanitize=${FLASHLM_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(flashlm_developer INTERFACE -fsanitize=${FLASHLM_SANITIZE})
endif()

# The same with flashlm::kernels, compiled once for all programs; optimised, since every test of a model waits for it.
add_library(flashlm_developer_kernels OBJECT ${PROJECT_SOURCE_DIR}/include/flashlm/kernels/compiled.cpp)
target_link_libraries(flashlm_developer_kernels PUBLIC flashlm_developer)
target_compile_definitions(flashlm_developer_kernels PUBLIC FLASHLM_COMPILED_KERNELS)
target_compile_options(flashlm_developer_kernels PRIVATE -O1)
