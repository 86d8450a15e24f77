# SPDX-License-Identifier: Apache-2.0
# braid_plugin(NAME SRCS a.cc ... [DEPS target ...] [MANIFEST file] [DIRECTORY dir] [NO_INSTALL])
#
# Makes the target braid_plugin_NAME, a plugin for Braid: libbraid_NAME.so, from which only braid_plugin_query leaves,
# and beside it the manifest NAME.braid.json, made from MANIFEST (default: NAME.braid.json.in in the current folder).
# In the manifest these are filled in: @BRAID_PLUGIN_NAME@, @BRAID_PLUGIN_LIBRARY@ (the file's name) and
# @PROJECT_VERSION@. Both files go to DIRECTORY (default: lib/braid/plugins of the build tree), and are installed into
# lib/braid/plugins of the prefix unless NO_INSTALL is given (for a test's own plugins).
# This file serves in Braid's own tree and, installed, in that of any other plugin: find_package(braid) brings it.

include(GNUInstallDirs)

function(braid_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "NO_INSTALL" "MANIFEST;DIRECTORY" "SRCS;DEPS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "braid_plugin(${name}): unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_MANIFEST)
    set(arg_MANIFEST "${CMAKE_CURRENT_SOURCE_DIR}/${name}.braid.json.in")
  endif()
  if(NOT arg_DIRECTORY)
    set(arg_DIRECTORY "${PROJECT_BINARY_DIR}/lib/braid/plugins")
  endif()
  set(target braid_plugin_${name})
  add_library(${target} MODULE ${arg_SRCS})
  if(COMMAND braid_include_root)
    braid_include_root(${target} PRIVATE)
    target_link_libraries(${target} PRIVATE ${arg_DEPS} braid_sdk)
  else()
    target_link_libraries(${target} PRIVATE ${arg_DEPS} braid::sdk)
  endif()
  if(NOT arg_NO_INSTALL)
    set_property(GLOBAL APPEND PROPERTY BRAID_PLUGIN_TARGETS ${target})
  endif()
  set(script "${CMAKE_CURRENT_BINARY_DIR}/${target}.map")
  file(CONFIGURE OUTPUT "${script}" CONTENT "{ global: braid_plugin_query; local: *; };\n")
  target_link_options(${target} PRIVATE "-Wl,--version-script=${script}" "-Wl,--exclude-libs,ALL")
  # What is missing is told when it is linked, not when it is loaded; a sanitizer's runtime comes with the program.
  if(NOT BRAID_SANITIZE)
    target_link_options(${target} PRIVATE "-Wl,-z,defs")
  endif()
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME "braid_${name}" PREFIX lib LINK_DEPENDS "${script}"
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LIBRARY_OUTPUT_DIRECTORY "${arg_DIRECTORY}" INSTALL_RPATH "$ORIGIN")
  # What is certified in the build tree is what is installed, byte for byte.
  set_target_properties(${target} PROPERTIES BUILD_WITH_INSTALL_RPATH ON)

  set(BRAID_PLUGIN_NAME "${name}")
  set(BRAID_PLUGIN_LIBRARY "libbraid_${name}${CMAKE_SHARED_MODULE_SUFFIX}")
  # A manifest that was certified keeps its certificate when the tree is configured anew.
  set(manifest "${arg_DIRECTORY}/${name}.braid.json")
  set(certificate "")
  if(EXISTS "${manifest}")
    file(READ "${manifest}" text)
    string(JSON certificate ERROR_VARIABLE none GET "${text}" conformance)
  endif()
  configure_file("${arg_MANIFEST}" "${manifest}" @ONLY)
  if(certificate AND NOT none)
    file(READ "${manifest}" text)
    string(JSON text SET "${text}" conformance "${certificate}")
    file(WRITE "${manifest}" "${text}\n")
  endif()
  if(NOT arg_NO_INSTALL)
    install(TARGETS ${target} LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}/braid/plugins" COMPONENT plugins)
    install(FILES "${manifest}" DESTINATION "${CMAKE_INSTALL_LIBDIR}/braid/plugins" COMPONENT plugins)
    install(FILES "${arg_DIRECTORY}/${name}.conformance.json" DESTINATION "${CMAKE_INSTALL_LIBDIR}/braid/plugins" COMPONENT plugins OPTIONAL)
  endif()
endfunction()
