# SPDX-License-Identifier: Apache-2.0
# The targets that are compiled once, in the project that uses them, from the sources that flashlm brings: no binary of
# flashlm has to fit another compiler. One that nothing links is not built. All define FLASHLM_COMPILED (version.hpp).
#
#     flashlm::flashlm   everything but the next four; flashlm::kernels is another name of it
#     flashlm::training  flashlm::flashlm and fitting predictors, with Eigen
#     flashlm::http      flashlm::flashlm and fetching from the web; if CURL::libcurl is there
#     flashlm::papers    flashlm::http and the hub's and arXiv's papers
#     flashlm::pdf       flashlm::flashlm and reading PDFs; if PopplerCpp::PopplerCpp is there. Poppler is GPL, see docs/pdf.md
#
# flashlm_sources is the folder include/flashlm. FLASHLM_OPENMP lets OpenMP's threads compute instead of flashlm's own.

# flashlm_compile(NAME SOURCE...): the target flashlm::NAME.
function(flashlm_compile name)
  if(TARGET flashlm::${name})
    return()
  endif()
  list(TRANSFORM ARGN PREPEND "${flashlm_sources}/")
  add_library(flashlm_${name} STATIC EXCLUDE_FROM_ALL ${ARGN})
  add_library(flashlm::${name} ALIAS flashlm_${name})
  target_link_libraries(flashlm_${name} PUBLIC flashlm::core)
  target_compile_definitions(flashlm_${name} PUBLIC FLASHLM_COMPILED)
  set_target_properties(flashlm_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
endfunction()

flashlm_compile(flashlm agent/compiled.cpp base/compiled.cpp compute/compiled.cpp model/compiled.cpp
  storage/compiled.cpp stream/compiled.cpp text/compiled.cpp text/grammar.cpp tools/compiled.cpp units/compiled.cpp)
if(NOT TARGET flashlm::kernels)
  add_library(flashlm::kernels ALIAS flashlm_flashlm)
  if(FLASHLM_OPENMP)
    target_link_libraries(flashlm_flashlm PRIVATE OpenMP::OpenMP_CXX)
  endif()
endif()

flashlm_compile(training training/compiled.cpp)
target_link_libraries(flashlm_training PUBLIC flashlm::flashlm)

if(TARGET CURL::libcurl)
  flashlm_compile(http tools/http.cpp)
  target_link_libraries(flashlm_http PUBLIC flashlm::flashlm CURL::libcurl)
  flashlm_compile(papers tools/papers.cpp)
  target_link_libraries(flashlm_papers PUBLIC flashlm::http)
endif()
if(TARGET PopplerCpp::PopplerCpp)
  flashlm_compile(pdf tools/pdf.cpp)
  target_link_libraries(flashlm_pdf PUBLIC flashlm::flashlm PopplerCpp::PopplerCpp)
endif()
