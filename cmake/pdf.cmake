# SPDX-License-Identifier: Apache-2.0
# Component flashlm::pdf: reading PDFs by poppler-cpp. The headers are installed wherever flashlm is built; whoever asks
# for the component needs poppler then. Poppler is GPL, see docs/pdf.md.
list(PREPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
find_package(PopplerCpp 0.68 QUIET GLOBAL)
list(POP_FRONT CMAKE_MODULE_PATH)

add_library(flashlm_pdf INTERFACE)
add_library(flashlm::pdf ALIAS flashlm_pdf)
set_target_properties(flashlm_pdf PROPERTIES EXPORT_NAME pdf INTERFACE_HEADER_SETS_TO_VERIFY pdf)
target_link_libraries(flashlm_pdf INTERFACE flashlm_core PopplerCpp::PopplerCpp)
foreach(name IN ITEMS child_process page_lines pdf pdf_message pdf_text poppler_reader reading_order)
  list(APPEND pdf_headers include/flashlm/tools/${name}.hpp)
endforeach()
target_sources(flashlm_pdf INTERFACE FILE_SET pdf TYPE HEADERS BASE_DIRS include FILES ${pdf_headers})
if(NOT PopplerCpp_FOUND)
  set_target_properties(flashlm_pdf PROPERTIES VERIFY_INTERFACE_HEADER_SETS OFF)
  message(STATUS "flashlm: no poppler-cpp, so nothing here reads PDFs (Debian: apt-get install libpoppler-cpp-dev)")
endif()
