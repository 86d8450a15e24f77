# SPDX-License-Identifier: Apache-2.0
# Tests of the tree itself, run beside the programs' tests.

if(BRAID_TESTS AND Python3_FOUND AND EXISTS "${PROJECT_SOURCE_DIR}/tools/testing/check_style.py")
  add_test(NAME style COMMAND "${Python3_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/tools/testing/check_style.py"
    --source "${PROJECT_SOURCE_DIR}" --build "${PROJECT_BINARY_DIR}")
  set_tests_properties(style PROPERTIES LABELS style TIMEOUT 300)
endif()
