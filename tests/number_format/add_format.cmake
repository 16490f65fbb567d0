# SPDX-License-Identifier: Apache-2.0
# cmake -D from=HEADERS -D to=COPY -D format=FILE -P add_format.cmake: the headers that compute,
# with the format `toy`.
file(REMOVE_RECURSE ${to})
file(COPY ${from}/base ${from}/compute ${from}/version.hpp DESTINATION ${to})
file(COPY ${format} DESTINATION ${to}/compute/cpu/formats)
file(READ ${to}/base/dtype.hpp text)
set(row "  ROW(toy, \"\", -1, 64, 22, 766 * 65504.0) \\\\")
string(REGEX REPLACE "(\n  ROW\\(q8_0,)" "\n${row}\\1" with_row "${text}")
if(with_row STREQUAL text)
  message(FATAL_ERROR "base/dtype.hpp: expected a row of q8_0 in the table of formats, got none.")
endif()
file(WRITE ${to}/base/dtype.hpp "${with_row}")
file(TOUCH ${to}/compute/cpu/formats/toy.inc)
