# SPDX-License-Identifier: Apache-2.0
# Makes OUTPUT, a source file with the files of the folders beneath TEMPLATE (KIND/NAME.in, without .in) as strings:
#   cmake -DTEMPLATE=sdk/template -DOUTPUT=template.cc -P template.cmake
file(GLOB files "${TEMPLATE}/*/*.in")
list(SORT files)
set(text "#include <cstddef>\nnamespace braid::cli {\nstruct TemplateFile {\n  const char* kind;\n  const char* name;\n  const char* text;\n};\n")
string(APPEND text "extern const TemplateFile kTemplate[];\nextern const std::size_t kTemplateSize;\nconst TemplateFile kTemplate[] = {\n")
list(LENGTH files count)
foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME)
  get_filename_component(kind "${file}" DIRECTORY)
  get_filename_component(kind "${kind}" NAME)
  string(REGEX REPLACE "\\.in$" "" name "${name}")
  # As hex digits: whatever characters the text holds, no list or string of CMake's spoils them.
  file(READ "${file}" hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" escaped "${hex}")
  string(REGEX REPLACE "((\\\\x[0-9a-f][0-9a-f]){40})" "\\1\"\n     \"" escaped "${escaped}")
  string(APPEND text "    {\"${kind}\",\n     \"${name}\",\n     \"${escaped}\"},\n")
endforeach()
string(APPEND text "};\nconst std::size_t kTemplateSize = ${count};\n}  // namespace braid::cli\n")
file(WRITE "${OUTPUT}" "${text}")
