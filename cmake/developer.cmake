# SPDX-License-Identifier: Apache-2.0
# What the project's own programs are built with: warnings and sanitizers. Users of the library get none of it.
add_library(flashlm_developer INTERFACE)
target_link_libraries(flashlm_developer INTERFACE flashlm_core)
target_compile_options(flashlm_developer INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror=switch
                                                     -Werror=switch-enum)
if(FLASHLM_SANITIZE)
  target_compile_options(flashlm_developer INTERFACE
    -fsanitize=${FLASHLM_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(flashlm_developer INTERFACE -fsanitize=${FLASHLM_SANITIZE})
endif()

# The compiled targets are built in the same way, and optimised, since every test of a model waits for them.
foreach(target IN ITEMS flashlm_flashlm flashlm_training flashlm_http flashlm_papers flashlm_pdf)
  if(TARGET ${target})
    target_link_libraries(${target} PRIVATE flashlm_developer)
    if(FLASHLM_SANITIZE)
      target_compile_options(${target} PRIVATE -O1)
    else()
      target_compile_options(${target} PRIVATE $<$<CONFIG:Debug>:-O2>)
    endif()
  endif()
endforeach()
