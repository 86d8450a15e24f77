# SPDX-License-Identifier: Apache-2.0
# Tests of the tree itself and of what is installed, run beside the programs' tests.

if(BRAID_TESTS AND Python3_FOUND AND EXISTS "${PROJECT_SOURCE_DIR}/tools/testing/check_style.py")
  add_test(NAME style COMMAND "${Python3_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/tools/testing/check_style.py"
    --source "${PROJECT_SOURCE_DIR}" --build "${PROJECT_BINARY_DIR}")
  set_tests_properties(style PROPERTIES LABELS style TIMEOUT 300)
endif()

if(BRAID_TESTS AND Python3_FOUND AND TARGET braid AND TARGET braid_cli AND NOT BRAID_SANITIZE)
  add_test(NAME install COMMAND "${Python3_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/tools/testing/check_install.py"
    --source "${PROJECT_SOURCE_DIR}" --build "${PROJECT_BINARY_DIR}" --cmake "${CMAKE_COMMAND}" --version ${PROJECT_VERSION}
    --model "${BRAID_CACHE}/cases/onnx-1.23.2/node/test_relu/model.onnx")
  set_tests_properties(install PROPERTIES LABELS smoke TIMEOUT 300)
endif()
