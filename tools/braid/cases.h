// SPDX-License-Identifier: Apache-2.0
//
// ONNX test cases: folders with model.onnx, test_data_set_K/{input,output}_J.pb and, where a case has
// tolerances of its own, data.json ({"rtol": 1e-3, "atol": 1e-5}).
#ifndef BRAID_TOOLS_BRAID_CASES_H_
#define BRAID_TOOLS_BRAID_CASES_H_

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/braid/graph.h"

namespace braid::cli {

struct Outcome {
  enum Kind { kPassed, kFailed, kSkipped } kind = kPassed;
  std::string text;         // why it failed or was skipped
  bool ended = false;       // it took its process with it, or all of its time
  uint64_t violations = 0;  // of the ABI's rules, by host or plugin; counted under BRAID_CHECK
};
const char* Name(Outcome::Kind kind);

struct Tolerance {
  std::optional<double> rtol, atol;  // else the case's own, else ONNX's: 1e-3, 1e-7
};

// One case under one placement.
struct Job {
  std::filesystem::path folder;
  std::string name;  // the folder's, and the placement if there are several
  std::string placement;
};

// Folders in or below `dirs` that hold a model.onnx and whose name matches one of the globs (none: all),
// sorted. Throws UsageError if a folder is not there or has no case.
std::vector<std::filesystem::path> FindCases(const std::vector<std::string>& dirs,
                                             const std::vector<std::string>& globs);

// Runs every data set and compares; a case that the devices cannot run is skipped with their reason. One that
// broke a rule of the ABI has failed, whatever its results.
Outcome RunCase(const Job& job, const LoadOptions& load, const Tolerance& tolerance);

// The same with another runtime, which gives the outputs for one data set; the model is loaded beside it only
// to tell what its files hold. The runtime throws RunError, and what else it throws fails the case.
using SetRunner =
    std::function<std::vector<HostData>(LoadedGraph& declared, const std::vector<HostData>& inputs)>;
Outcome RunCaseElsewhere(const Job& job, const Tolerance& tolerance, const SetRunner& run);

// Cases that are known to fail: one a line, "NAME  # reason"; empty lines and lines of a comment alone are
// passed over. "?NAME": its result is random, so that it may pass too.
class KnownFailures {
 public:
  static KnownFailures Read(const std::string& path);  // throws UsageError
  // A listed case that fails is skipped with the list's reason; one that passes is a failure, for the entry
  // is stale. What ended its process or broke a rule of the ABI stays a failure, and what was skipped stays
  // skipped.
  Outcome Judge(const Job& job, Outcome outcome) const;
  std::string ReasonOf(const std::string& name) const;  // "" if it is not listed
  // What the list says of a case whose own tolerance is too small; what `asked` says goes before.
  Tolerance ToleranceOf(const Job& job, Tolerance asked) const;

 private:
  struct Entry {
    std::string reason;
    bool may_pass = false;
    Tolerance tolerance;  // if set, the case is no known failure: it passes with these
  };
  std::string path_;
  std::map<std::string, Entry> entries_;
};

}  // namespace braid::cli

#endif  // BRAID_TOOLS_BRAID_CASES_H_
