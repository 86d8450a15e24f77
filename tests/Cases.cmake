# SPDX-License-Identifier: Apache-2.0
# ONNX's own node cases, exported and real models, by `braid verify` (tools/testing/run_cases.py). The expected numbers are
# ONNX's, and ONNX Runtime's.

# braid_cases(NAME CASES folder (absolute, or of the cache's cases) DEVICE list [AT_LEAST n] [LABEL smoke|full [sanitize]] [TIMEOUT s] [SIM json] [ARGS argument ...])
# AT_LEAST is what passes today; SIM is BRAID_SIM, one device if it is left out.
function(braid_cases name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "CASES;DEVICE;AT_LEAST;TIMEOUT;SIM" "ARGS;LABEL")
  if(NOT arg_AT_LEAST)
    set(arg_AT_LEAST 1)
  endif()
  if(NOT arg_LABEL)
    set(arg_LABEL smoke)
  endif()
  if(NOT arg_SIM)
    set(arg_SIM 1)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 600)
  endif()
  cmake_path(ABSOLUTE_PATH arg_CASES BASE_DIRECTORY "${BRAID_CACHE}/cases")
  add_test(NAME ${name} COMMAND "${Python3_EXECUTABLE}" -B "${PROJECT_SOURCE_DIR}/tools/testing/run_cases.py"
    --braid "$<TARGET_FILE:braid_cli>" --cases "${arg_CASES}" --device ${arg_DEVICE}
    --at-least ${arg_AT_LEAST} -- ${arg_ARGS})
  # COST: the longest first.
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABEL}" TIMEOUT ${arg_TIMEOUT} COST ${arg_TIMEOUT} ENVIRONMENT "BRAID_SIM=${arg_SIM}")
endfunction()

set(node_cases onnx-1.23.2/node)
set(known --known "${CMAKE_CURRENT_SOURCE_DIR}/known/reference.txt")
# Models small enough for many cuts; the others get few.
set(small --filter magika --filter silero_default --filter silero_op15 --filter silero_sequence --filter ppocr_cls --filter minilm_int8)
set(large --filter "light_*" --filter ppocr_det --filter ppocr_rec --filter resnet50 --filter mobilenet_v3_large --filter yolo11n)

braid_cases(node_cases_reference CASES ${node_cases} DEVICE reference AT_LEAST 1874 LABEL smoke sanitize ARGS ${known})
braid_cases(node_cases_sim CASES ${node_cases} DEVICE sim AT_LEAST 1874 ARGS ${known})
braid_cases(node_cases_cut CASES ${node_cases} DEVICE reference,sim AT_LEAST 1874 ARGS ${known} --placement random:1)
# Where a device has no operator that is a function, ONNX's body of it runs: it must agree with the operator.
set(bodies DEVICE sim SIM "${CMAKE_CURRENT_SOURCE_DIR}/bodies.json")
set(known_bodies ARGS --known "${CMAKE_CURRENT_SOURCE_DIR}/known/bodies.txt")
braid_cases(node_cases_bodies CASES ${node_cases} ${bodies} AT_LEAST 1874 ${known_bodies})
braid_cases(attribute_cases_bodies CASES attributes ${bodies} AT_LEAST 3790 ${known_bodies})
braid_cases(type_cases_bodies CASES types ${bodies} AT_LEAST 2946 ${known_bodies})
# Between these, values cross from one memory to another by way of the host.
set(two_sims [[{"devices": [{"name": "a"}, {"name": "b"}]}]])
braid_cases(node_cases_two_sims CASES ${node_cases} DEVICE sim AT_LEAST 1874 SIM ${two_sims} ARGS ${known} --placement random:1)
# What ONNX's own cases leave out (tools/models/attribute_cases.py).
braid_cases(attribute_cases_reference CASES attributes DEVICE reference AT_LEAST 3800)
braid_cases(attribute_cases_cut CASES attributes DEVICE reference,sim AT_LEAST 3800 ARGS --placement random:1)
# Older releases' models with their results, of opset 1 on (tools/models/releases.py).
foreach(release IN ITEMS 1.3.0=457 1.5.0=549 1.7.0=876 1.10.2=974 1.14.1=1291 1.18.0=1536 1.19.1=1728)
  string(REGEX MATCH "^([^=]*)=(.*)$" parts ${release})
  set(args ARGS)
  if(EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/known/onnx-${CMAKE_MATCH_1}.txt")
    list(APPEND args --known "${CMAKE_CURRENT_SOURCE_DIR}/known/onnx-${CMAKE_MATCH_1}.txt")
  endif()
  braid_cases(onnx_${CMAKE_MATCH_1}_reference CASES onnx-${CMAKE_MATCH_1} DEVICE reference AT_LEAST ${CMAKE_MATCH_2} ${args})
  braid_cases(onnx_${CMAKE_MATCH_1}_cut CASES onnx-${CMAKE_MATCH_1} DEVICE reference,sim AT_LEAST ${CMAKE_MATCH_2} ${args} --placement random:1)
endforeach()
# What frameworks' exporters write, answered by the frameworks (tools/models/exporters).
set(exported "${CMAKE_CURRENT_SOURCE_DIR}/exporters")
braid_cases(exported_reference CASES ${exported} DEVICE reference AT_LEAST 386 LABEL smoke sanitize)
braid_cases(exported_cut CASES ${exported} DEVICE reference,sim AT_LEAST 386 ARGS --placement random:1)
braid_cases(exported_two_sims CASES ${exported} DEVICE sim AT_LEAST 386 SIM ${two_sims} ARGS --placement random:2)
# Every attribute, listed value and optional input of every operator is in one of these cases.
set(python "${Python3_EXECUTABLE}")
if(EXISTS "${BRAID_CACHE}/venv/bin/python")
  set(python "${BRAID_CACHE}/venv/bin/python")
endif()
add_test(NAME coverage_of_operators COMMAND "${python}" -B "${PROJECT_SOURCE_DIR}/tools/testing/coverage.py" --cases "${BRAID_CACHE}/cases")
set_tests_properties(coverage_of_operators PROPERTIES LABELS smoke TIMEOUT 300)
# Each type that a schema allows (tools/models/type_cases.py derives them from the schemas, and fails where one has no case).
braid_cases(type_cases_reference CASES types DEVICE reference AT_LEAST 2968 LABEL smoke sanitize)
braid_cases(type_cases_cut CASES types DEVICE reference,sim AT_LEAST 2968 ARGS --placement random:1)
braid_cases(type_cases_two_sims CASES types DEVICE sim AT_LEAST 2968 SIM ${two_sims} ARGS --placement random:1)
braid_cases(models_two_sims CASES models DEVICE sim AT_LEAST 6 SIM ${two_sims} TIMEOUT 900 ARGS ${small} --placement random:2)
braid_cases(models_reference CASES models DEVICE reference AT_LEAST 20)
braid_cases(models_cut_small CASES models DEVICE reference,sim AT_LEAST 600 TIMEOUT 900 ARGS ${small} --placements 100)
braid_cases(models_cut_large CASES models DEVICE reference,sim AT_LEAST 28 ARGS ${large} --placements 2)
braid_cases(models_cut_large_full CASES models DEVICE reference,sim AT_LEAST 280 LABEL full TIMEOUT 3600 ARGS ${large} --placements 20)

braid_cases(node_cases_vulkan CASES ${node_cases} DEVICE vulkan AT_LEAST 861)
braid_cases(node_cases_vulkan_cut CASES ${node_cases} DEVICE vulkan,reference AT_LEAST 1874 ARGS ${known} --placement random:1)
braid_cases(type_cases_vulkan CASES types DEVICE vulkan,reference AT_LEAST 2968 ARGS --placement random:1)
braid_cases(exported_vulkan CASES ${exported} DEVICE vulkan,reference AT_LEAST 386 TIMEOUT 900)
braid_cases(models_vulkan CASES models DEVICE vulkan,reference AT_LEAST 20 TIMEOUT 900)
braid_cases(models_vulkan_cut_small CASES models DEVICE vulkan,reference AT_LEAST 18 TIMEOUT 900 ARGS ${small} --placements 3)
braid_cases(models_vulkan_cut_full CASES models DEVICE vulkan,reference AT_LEAST 600 LABEL full TIMEOUT 7200 ARGS ${small} --placements 100)

# The conformance suite: braid_conformance(NAME DEVICE device AT_LEAST n [LABEL l] [TIMEOUT s] [ARGS argument ...])
function(braid_conformance name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "DEVICE;AT_LEAST;TIMEOUT;LABEL" "ARGS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 600)
  endif()
  if(NOT arg_LABEL)
    set(arg_LABEL smoke)
  endif()
  add_test(NAME ${name} COMMAND "${Python3_EXECUTABLE}" -B "${PROJECT_SOURCE_DIR}/tools/testing/run_cases.py"
    --braid "$<TARGET_FILE:braid_cli>" --device ${arg_DEVICE} --at-least ${arg_AT_LEAST} -- ${arg_ARGS})
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABEL}" TIMEOUT ${arg_TIMEOUT} COST ${arg_TIMEOUT} ENVIRONMENT "BRAID_SIM=1")
endfunction()
braid_conformance(conformance_sim DEVICE sim AT_LEAST 900 ARGS --level smoke)
braid_conformance(conformance_reference DEVICE reference AT_LEAST 32000 TIMEOUT 1500 ARGS --level default)
braid_conformance(conformance_vulkan DEVICE vulkan AT_LEAST 18400 TIMEOUT 2400 ARGS --level default)
braid_conformance(conformance_reference_full DEVICE reference AT_LEAST 60000 LABEL full TIMEOUT 5400 ARGS --level full)
