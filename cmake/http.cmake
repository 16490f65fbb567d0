# SPDX-License-Identifier: Apache-2.0
# Components flashlm::http, fetching from the web by libcurl, and flashlm::papers, which adds the hub's and arXiv's papers.
# The headers are installed wherever flashlm is built; whoever asks for a component needs libcurl then.
find_package(CURL 7.66 QUIET GLOBAL)
set(http_headers http http_message http_transfer url)
set(papers_headers daily_query pace paper paper_cache paper_id papers papers_options topic)
foreach(component IN ITEMS http papers)
  add_library(flashlm_${component} INTERFACE)
  add_library(flashlm::${component} ALIAS flashlm_${component})
  list(TRANSFORM ${component}_headers REPLACE "(.+)" "include/flashlm/tools/\\1.hpp")
  set_target_properties(flashlm_${component} PROPERTIES EXPORT_NAME ${component})
  target_sources(flashlm_${component} INTERFACE
    FILE_SET ${component} TYPE HEADERS BASE_DIRS include FILES ${${component}_headers})
endforeach()
target_link_libraries(flashlm_http INTERFACE flashlm_core CURL::libcurl)
target_link_libraries(flashlm_papers INTERFACE flashlm_http)
if(CURL_FOUND)
  set_target_properties(flashlm_http PROPERTIES INTERFACE_HEADER_SETS_TO_VERIFY http)
  set_target_properties(flashlm_papers PROPERTIES INTERFACE_HEADER_SETS_TO_VERIFY papers)
else()
  set_target_properties(flashlm_http flashlm_papers PROPERTIES VERIFY_INTERFACE_HEADER_SETS OFF)
  message(STATUS "flashlm: no libcurl, so nothing here fetches papers (Debian: apt-get install libcurl4-openssl-dev)")
endif()
