// SPDX-License-Identifier: Apache-2.0
#include "tools/braid/official.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "onnx/onnx_pb.h"
#include "tools/braid/command.h"

namespace braid::cli {
namespace {

namespace fs = std::filesystem;
using conformance::Result;

// Whether all operators of the model are the profile's. A model that can't be read is: it fails when it runs.
bool IsOf(const conformance::Profile& profile, const fs::path& folder) {
  if (profile.operators.empty()) return true;
  ONNX_NAMESPACE::ModelProto model;
  if (!model.ParseFromString(ReadFile((folder / "model.onnx").string()))) return true;
  const auto& nodes = model.graph().node();
  return std::all_of(nodes.begin(), nodes.end(),
                     [&](const auto& node) { return profile.Has(node.domain(), node.op_type()); });
}

conformance::Outcome OutcomeOf(const Outcome& found, const Outcome& judged) {
  if (found.kind == Outcome::kSkipped) return conformance::Outcome::kUnsupported;
  if (found.kind == judged.kind)
    return found.kind == Outcome::kPassed ? conformance::Outcome::kPass : conformance::Outcome::kFail;
  return judged.kind == Outcome::kSkipped ? conformance::Outcome::kWaived : conformance::Outcome::kStale;
}

HostData HostOf(const conformance::Value& value, const std::string& name) {
  conformance::Lent lent;
  return CopyOf(lent.Lend(value, name));
}

// The outputs of one data set from what is no device of Braid's.
std::vector<HostData> RunOn(conformance::Target& target, const std::string& model, LoadedGraph& declared,
                            const std::vector<HostData>& inputs) {
  conformance::BuiltCase built;
  built.model = model;
  built.runs.emplace_back();
  std::vector<std::unique_ptr<std::vector<graph_tensor>>> items;
  for (const HostData& input : inputs)
    built.runs[0].push_back({input.name, conformance::Copy(Borrow(input, items))});
  for (const graph_value_info& info : declared.outputs()) built.outputs.emplace_back(info.name);
  std::vector<HostData> outputs;
  const auto results = target.Run(built);
  for (size_t i = 0; i < built.outputs.size(); ++i)
    outputs.push_back(HostOf(results[0][i], built.outputs[i]));
  return outputs;
}

Outcome RunOnPeer(const Job& job, const conformance::SuiteTarget& target, const Tolerance& tolerance) {
  const std::string model = ReadFile((job.folder / "model.onnx").string());
  const auto peer = target.maker()();
  return RunCaseElsewhere(job, tolerance, [&](LoadedGraph& declared, const std::vector<HostData>& inputs) {
    try {
      return RunOn(*peer, model, declared, inputs);
    } catch (const conformance::TargetError& e) {
      throw RunError(e.status(), e.what());
    }
  });
}

Result Run(const Job& job, const conformance::SuiteTarget& target, const KnownFailures* known) {
  const Tolerance tolerance = known != nullptr ? known->ToleranceOf(job, {}) : Tolerance();
  LoadOptions load;
  load.device = target.device;
  const Outcome found =
      target.peer.empty() ? RunCase(job, load, tolerance) : RunOnPeer(job, target, tolerance);
  const Outcome judged = known != nullptr ? known->Judge(job, found) : found;
  Result result;
  result.outcome = OutcomeOf(found, judged);
  result.text = judged.text;
  result.basis = "official";
  return result;
}

}  // namespace

std::vector<conformance::Job> OfficialJobs(const std::vector<std::string>& dirs,
                                           const std::shared_ptr<const KnownFailures>& known,
                                           const conformance::Selection& selection,
                                           const conformance::SuiteTarget& target) {
  std::vector<conformance::Job> jobs;
  std::set<std::string> ids;
  for (const std::string& dir : dirs) {
    const fs::path root = fs::canonical(dir);
    for (const fs::path& folder : FindCases({dir}, {})) {
      const std::string within = folder == root ? "" : folder.lexically_relative(root).string();
      std::string id = "official/" + (within.empty() ? folder.filename().string() : within);
      // Folders of several releases have cases of one name.
      if (!ids.insert(id).second) {
        id = "official/" + root.filename().string() + "/" + within;
        if (!ids.insert(id).second)
          throw UsageError(folder.string() + ": there is another case with the id " + id);
      }
      if (!selection.Wants(id) || !IsOf(*selection.profile, folder)) continue;
      const Job job = {folder, folder.filename().string(), ""};
      jobs.push_back({id, "official", folder.parent_path().filename().string(),
                      [job, target, known] { return Run(job, target, known.get()); }});
    }
  }
  return jobs;
}

}  // namespace braid::cli
