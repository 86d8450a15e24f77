# SPDX-License-Identifier: Apache-2.0
# How Braid's targets are declared:
#
#   braid_library(NAME SRCS a.cc ... [DEPS target ...])       static library, linked into others
#   braid_plugin(NAME SRCS ... [DEPS ...])                    plugin and its manifest (BraidPlugin.cmake)
#   braid_test(NAME SRCS ... [DEPS ...] [ARGS ...] [LABELS unit|smoke|full] [TIMEOUT seconds] [SERIAL])
#                                                             GoogleTest binary build/tests/NAME, known to ctest;
#                                                             SERIAL: nothing else runs beside it
#   braid_include_root(TARGET SCOPE)                          see below; for targets that are declared by hand
#   braid_exports(TARGET PATTERN ...)                         lets only these symbols leave a shared library
#
# Includes are written from the root of the source tree, but a target sees only its own top-level folder's headers and
# those of what it links. For that each top-level folder has an include root with nothing else in it: roots/core holds a
# link `core`, roots/plugins a link `plugins`. So `#include "core/..."` in a plugin cannot be found.

include(BraidPlugin)

function(braid_include_root target scope)
  file(RELATIVE_PATH relative "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  string(REGEX REPLACE "/.*" "" top "${relative}")
  set(root "${PROJECT_BINARY_DIR}/roots/${top}")
  if(NOT EXISTS "${root}/${top}")
    file(MAKE_DIRECTORY "${root}")
    file(CREATE_LINK "${PROJECT_SOURCE_DIR}/${top}" "${root}/${top}" SYMBOLIC)
  endif()
  target_include_directories(${target} ${scope} "$<BUILD_INTERFACE:${root}>")
endfunction()

function(braid_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SRCS;DEPS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "braid_library(${name}): unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  add_library(${name} STATIC ${arg_SRCS})
  braid_include_root(${name} PUBLIC)
  target_link_libraries(${name} PUBLIC ${arg_DEPS})
endfunction()

function(braid_test name)
  if(NOT BRAID_TESTS)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 arg "SERIAL" "TIMEOUT" "SRCS;DEPS;LABELS;ARGS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "braid_test(${name}): unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  if(BRAID_SANITIZE)
    math(EXPR arg_TIMEOUT "${arg_TIMEOUT} * 4")
  endif()
  add_executable(${name} ${arg_SRCS})
  braid_include_root(${name} PRIVATE)
  target_link_libraries(${name} PRIVATE ${arg_DEPS} GTest::gtest_main GTest::gmock)
  target_compile_definitions(${name} PRIVATE
    BRAID_TEST_SOURCE_DIR="${PROJECT_SOURCE_DIR}" BRAID_TEST_BINARY_DIR="${PROJECT_BINARY_DIR}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  add_test(NAME ${name} COMMAND ${name} ${arg_ARGS})
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} RUN_SERIAL ${arg_SERIAL})
endfunction()

function(braid_exports target)
  set(script "${CMAKE_CURRENT_BINARY_DIR}/${target}.map")
  list(JOIN ARGN "; " patterns)
  file(CONFIGURE OUTPUT "${script}" CONTENT "{ global: ${patterns}; local: *; };\n")
  target_link_options(${target} PRIVATE "-Wl,--version-script=${script}" "-Wl,--exclude-libs,ALL")
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${script}")
endfunction()
