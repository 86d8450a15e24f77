# SPDX-License-Identifier: Apache-2.0
# Options, and the compiler settings that hold for every target of the project.

foreach(feature IN ITEMS VULKAN OPENCL CUDA PYTHON)
  set(BRAID_${feature} AUTO CACHE STRING "Build the ${feature} part: AUTO where what it needs is found, ON or OFF")
  set_property(CACHE BRAID_${feature} PROPERTY STRINGS AUTO ON OFF)
  if(NOT BRAID_${feature} MATCHES "^(AUTO|ON|OFF)$")
    message(FATAL_ERROR "BRAID_${feature} is '${BRAID_${feature}}'; it must be AUTO, ON or OFF")
  endif()
endforeach()
option(BRAID_TESTS "Build the tests" ON)
option(BRAID_FUZZ "Build the fuzz targets with libFuzzer, which wants clang (tools/testing/fuzz)" OFF)
set(BRAID_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize=: for example address,undefined")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

set(CMAKE_C_STANDARD 99)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# A build tree looks like an installed one: bin/braid, lib/libbraid.so, lib/braid/plugins/.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib/static")
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)

add_compile_options(-Wall -Wextra -Werror)
# Members that a designated initialiser leaves out are zero or have their default: that is what it is used for.
add_compile_options(-Wno-missing-field-initializers)
# GCC 12 sees overlapping copies in "text" + std::to_string(n) (GCC bug 105651, mended in 13).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  add_compile_options(-Wno-restrict)
endif()
add_link_options(-Wl,--as-needed)

if(BRAID_SANITIZE)
  add_compile_options(-fsanitize=${BRAID_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1 -O1 -UNDEBUG)
  add_link_options(-fsanitize=${BRAID_SANITIZE})
  add_compile_definitions(BRAID_SANITIZED=1)
  add_library(braid_keep_libraries OBJECT "${CMAKE_CURRENT_LIST_DIR}/keep_libraries.c")
  link_libraries("$<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:$<TARGET_OBJECTS:braid_keep_libraries>>")
  add_link_options("$<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-Wl,--export-dynamic-symbol=dlclose>")
  # Instrumented code trips GCC's flow warnings in headers of the standard library; the plain build has them on.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
endif()
if(BRAID_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "BRAID_FUZZ needs clang: -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(BRAID_CCACHE ccache)
if(BRAID_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Paths below the source folder are made relative, so that two checkouts share what is compiled.
  set(CMAKE_C_COMPILER_LAUNCHER env "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" "${BRAID_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER env "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" "${BRAID_CCACHE}")
endif()
