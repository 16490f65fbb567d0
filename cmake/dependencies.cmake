# SPDX-License-Identifier: Apache-2.0
# What flashlm needs. Eigen, nlohmann_json and threads: a target that the parent project has, else an installed package, else the wheel in
# the Python in use (a wheel of flashlm asks in the other order). What comes from a wheel is installed with flashlm,
# since CMake would not find it there.
find_package(Threads REQUIRED)
find_package(OpenMP QUIET GLOBAL COMPONENTS CXX)  # for flashlm::openmp only
set(flashlm_bundle OFF)

# The place in the Python in use that has FILE under FOLDER (relative to site-packages); empty if there is none.
function(flashlm_find_in_wheel result file folder)
  find_package(Python 3.10 QUIET COMPONENTS Interpreter)
  if(Python_FOUND)
    execute_process(COMMAND ${Python_EXECUTABLE} -c "import sys; print(';'.join(p for p in sys.path if p))"
                    OUTPUT_VARIABLE site OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
  list(TRANSFORM site APPEND "/${folder}")
  find_path(found ${file} PATHS ${site} NO_DEFAULT_PATH NO_CACHE)
  set(${result} "${found}" PARENT_SCOPE)
endfunction()

# flashlm_depend(TARGET PACKAGE OLDEST FILE WHEEL FOLDER APT CONDA): TARGET, from PACKAGE or from FOLDER of WHEEL. What is
# missing is noted in flashlm_missing, with the names under which Debian, pip and conda have it.
function(flashlm_depend target package oldest file wheel folder apt conda)
  if(TARGET ${target})
    return()
  endif()
  if(NOT DEFINED SKBUILD)
    find_package(${package} CONFIG QUIET GLOBAL)
  endif()
  if(NOT TARGET ${target})
    flashlm_find_in_wheel(include ${file} ${folder})
    if(include)
      add_library(${target} INTERFACE IMPORTED GLOBAL)
      set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${include}")
      set(flashlm_bundle ON PARENT_SCOPE)
      return()
    endif()
    find_package(${package} CONFIG QUIET GLOBAL)
  endif()
  if(NOT TARGET ${target} OR ${package}_VERSION VERSION_LESS oldest)
    set(found "none")
    if(${package}_VERSION)
      set(found "${${package}_VERSION}")
    endif()
    set(flashlm_missing "${flashlm_missing}\n  ${package}: expected ${oldest} or newer, found ${found}" PARENT_SCOPE)
    set(flashlm_missing_apt ${flashlm_missing_apt} ${apt} PARENT_SCOPE)
    set(flashlm_missing_pip ${flashlm_missing_pip} ${wheel} PARENT_SCOPE)
    set(flashlm_missing_conda ${flashlm_missing_conda} ${conda} PARENT_SCOPE)
  endif()
endfunction()

flashlm_depend(Eigen3::Eigen Eigen3 3.4 Eigen/Core cmeel-eigen cmeel.prefix/include/eigen3 libeigen3-dev eigen)
flashlm_depend(nlohmann_json::nlohmann_json nlohmann_json 3.11 nlohmann/json.hpp nlohmann-json nlohmann_json/include
               nlohmann-json3-dev nlohmann_json)
if(flashlm_missing)
  foreach(source IN ITEMS apt pip conda)
    list(JOIN flashlm_missing_${source} " " flashlm_missing_${source})
  endforeach()
  message(FATAL_ERROR "flashlm needs what CMake does not find:${flashlm_missing}\n"
    "Any of these brings it:\n"
    "  apt-get install ${flashlm_missing_apt}\n"
    "  pip install ${flashlm_missing_pip}   # into the Python that CMake finds\n"
    "  conda install -c conda-forge ${flashlm_missing_conda}")
endif()

# For the tools. Their sources are installed wherever flashlm is built; whoever asks for a component needs its library.
find_package(CURL 7.66 QUIET GLOBAL)
if(NOT CURL_FOUND)
  message(STATUS "flashlm: no libcurl, so nothing here fetches papers (Debian: apt-get install libcurl4-openssl-dev)")
endif()
list(PREPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
find_package(PopplerCpp 0.68 QUIET GLOBAL)
list(POP_FRONT CMAKE_MODULE_PATH)
if(NOT PopplerCpp_FOUND)
  message(STATUS "flashlm: no poppler-cpp, so nothing here reads PDFs (Debian: apt-get install libpoppler-cpp-dev)")
endif()
