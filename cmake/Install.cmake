# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where, so that others find Braid with find_package(braid) or pkg-config:
#   bin/braid  lib/libbraid.so  lib/braid/plugins/  include/braid/  lib/cmake/braid/  lib/pkgconfig/braid.pc
#   share/doc/braid/  share/braid/examples/  share/braid/cases/ (what `braid verify` needs beside the cases)
#   share/braid/abi/ (the layout of each version of plugin.h; its oldest header, with a plugin and a host built with it)
# Imported targets: braid::braid (the library for applications), braid::sdk (plugin.h and graph.h), braid::kit (helpers
# for plugins written in C++); and the function braid_plugin().

include(CMakePackageConfigHelpers)

set(exported "")
foreach(target IN ITEMS braid braid_sdk braid_kit)
  if(TARGET ${target})
    list(APPEND exported ${target})
  endif()
endforeach()
if(NOT exported)
  return()
endif()

foreach(target IN LISTS exported)
  string(REGEX REPLACE "^braid_" "" name ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
endforeach()
if(TARGET braid)
  set_target_properties(braid PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} INSTALL_RPATH "$ORIGIN")
endif()
install(TARGETS ${exported} EXPORT braidTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT braidTargets NAMESPACE braid:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/braid)

foreach(folder IN ITEMS sdk/include sdk/kit/include)
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/${folder}/braid" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
endforeach()
if(TARGET braid_cli)
  file(RELATIVE_PATH to_lib "/${CMAKE_INSTALL_BINDIR}" "/${CMAKE_INSTALL_LIBDIR}")
  set_target_properties(braid_cli PROPERTIES INSTALL_RPATH "$ORIGIN/${to_lib}")
  install(TARGETS braid_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION ${CMAKE_INSTALL_DOCDIR})
foreach(folder IN ITEMS abi decisions how-to reference)
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/docs/${folder}" DESTINATION ${CMAKE_INSTALL_DOCDIR})
endforeach()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/sdk/examples" DESTINATION ${CMAKE_INSTALL_DATADIR}/braid)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/sdk/abi/frozen" DESTINATION ${CMAKE_INSTALL_DATADIR}/braid/abi USE_SOURCE_PERMISSIONS)
install(FILES "${PROJECT_SOURCE_DIR}/sdk/abi/layout-0.1.txt" "${PROJECT_SOURCE_DIR}/sdk/abi/types-0.1.abi" DESTINATION ${CMAKE_INSTALL_DATADIR}/braid/abi)
install(FILES "${PROJECT_SOURCE_DIR}/docs/status.md" DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES
  "${PROJECT_SOURCE_DIR}/tests/known/reference.txt"
  "${PROJECT_SOURCE_DIR}/tools/models/dump_cases.py"
  "${PROJECT_SOURCE_DIR}/tools/models/places.py"
  DESTINATION ${CMAKE_INSTALL_DATADIR}/braid/cases)

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/braidConfig.cmake.in" "${PROJECT_BINARY_DIR}/cmake/braidConfig.cmake"
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/braid)
# 0.x: a minor version may change the ABI.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/cmake/braidConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/cmake/braidConfig.cmake"
  "${PROJECT_BINARY_DIR}/cmake/braidConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/BraidPlugin.cmake"
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/braid)

# The .pc finds its prefix from where it lies, so that the installed tree can be moved.
file(RELATIVE_PATH pc_to_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file("${PROJECT_SOURCE_DIR}/cmake/braid.pc.in" "${PROJECT_BINARY_DIR}/cmake/braid.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/cmake/braid.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
