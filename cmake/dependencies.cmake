# SPDX-License-Identifier: Apache-2.0
# Eigen, nlohmann_json and threads: a target the parent project has, else an installed package, else the wheel of
# the Python in use. A wheel of flashlm is always built from wheels, so that it ships what it was built with.
find_package(Threads REQUIRED)

# Where the Python in use keeps FILE under one of FOLDERS (relative to site-packages); empty if nowhere.
function(flashlm_find_in_wheel result file)
  find_package(Python 3.10 QUIET COMPONENTS Interpreter)
  if(Python_FOUND)
    execute_process(COMMAND ${Python_EXECUTABLE} -c "import sys; print(';'.join(p for p in sys.path if p))"
                    OUTPUT_VARIABLE site OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
  foreach(folder IN LISTS ARGN)
    list(TRANSFORM site APPEND "/${folder}" OUTPUT_VARIABLE candidates)
    find_path(found ${file} PATHS ${candidates} NO_DEFAULT_PATH NO_CACHE)
  endforeach()
  set(${result} "${found}" PARENT_SCOPE)
endfunction()

function(flashlm_add_headers target folder)
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${folder}")
endfunction()

# flashlm_depend(TARGET PACKAGE OLDEST FILE WHEEL FOLDER): TARGET, from PACKAGE or from FOLDER of WHEEL.
function(flashlm_depend target package oldest file wheel folder)
  if(TARGET ${target})
    return()
  endif()
  if(NOT DEFINED SKBUILD)
    find_package(${package} CONFIG QUIET GLOBAL)
  endif()
  if(NOT TARGET ${target})
    flashlm_find_in_wheel(include ${file} ${folder})
    if(include)
      flashlm_add_headers(${target} ${include})
      return()
    endif()
    find_package(${package} CONFIG QUIET GLOBAL)
  endif()
  if(NOT TARGET ${target} OR ${package}_VERSION VERSION_LESS oldest)
    message(FATAL_ERROR "flashlm needs ${package} ${oldest} or newer, found '${${package}_VERSION}'. "
                        "Install it from the system, or `pip install ${wheel}` into the Python that CMake finds.")
  endif()
endfunction()

flashlm_depend(Eigen3::Eigen Eigen3 3.4 Eigen/Core cmeel-eigen cmeel.prefix/include/eigen3)
flashlm_depend(nlohmann_json::nlohmann_json nlohmann_json 3.11 nlohmann/json.hpp nlohmann-json nlohmann_json/include)
