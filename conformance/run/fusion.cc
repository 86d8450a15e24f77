// SPDX-License-Identifier: Apache-2.0
#include "conformance/fusion/graphs.h"
#include "conformance/run/generated.h"

namespace braid::conformance {

std::vector<Job> FusionJobs(const TargetMaker& make, uint32_t arithmetic) {
  std::vector<Job> jobs;
  for (const GraphCase& graph : GraphCases())
    for (const int32_t type : {int32_t{reference::kFloat}, int32_t{reference::kFloat16}}) {
      if (type != reference::kFloat && graph.float_only) continue;
      for (const GraphVariant& variant : VariantsOf(graph)) {
        // Half needs no cuts of its own.
        if (type != reference::kFloat && variant.kind != GraphVariant::kWhole) continue;
        const std::string id = "fusion/" + std::string(graph.name) + "/" +
                               (type == reference::kFloat ? "" : "T=" + ElementTypeText(type) + ",") +
                               variant.Text();
        jobs.push_back({id, "fusion", std::string(graph.name), [&graph, type, variant, make, arithmetic] {
                          const auto target = make();
                          return RunBuilt([&] { return Build(graph, type, variant); }, *target, arithmetic);
                        }});
      }
    }
  return jobs;
}

}  // namespace braid::conformance
