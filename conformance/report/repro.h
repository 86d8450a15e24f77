// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CONFORMANCE_REPORT_REPRO_H_
#define BRAID_CONFORMANCE_REPORT_REPRO_H_

#include <string>
#include <vector>

#include "conformance/case/case.h"

namespace braid::conformance {

// Writes a case as an ONNX test case for any run time: model.onnx, test_data_set_K/input_J.pb and
// output_J.pb (what the oracle expects, rounded to the output's type), bounds.json (the double values and how
// far an element may be off), data.json (one tolerance that holds for all elements) and README.txt. Returns
// the files' names. Throws std::runtime_error.
std::vector<std::string> WriteRepro(const std::string& id, const BuiltCase& built, const std::string& folder);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_REPORT_REPRO_H_
