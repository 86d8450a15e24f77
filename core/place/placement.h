// SPDX-License-Identifier: Apache-2.0
//
// A specialised graph and a list of devices -> which device runs which nodes, in which segments, and why.
#ifndef BRAID_CORE_PLACE_PLACEMENT_H_
#define BRAID_CORE_PLACE_PLACEMENT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/graph/graph.h"
#include "core/onnx/model.h"
#include "core/place/solver.h"
#include "core/plugins/device.h"

namespace braid {

struct PlaceOptions {
  CompileOptions compile;
  uint64_t compile_timeout_ns = 0;  // of one placement and its compilations; 0: none
  bool random = false;              // runs of nodes on random devices, by seed
  uint64_t seed = 0;
};

// What a placement has to do without, because it failed when it was used.
struct Exclusions {
  std::map<size_t, std::string> devices;  // by index in the list of devices: why
  // By index of the device, then by name of a node's first output, which is unique in a graph: why.
  std::map<size_t, std::map<std::string, std::string>> nodes;
};

inline constexpr int kHost = -1;    // the host itself runs the node: control flow, sequences
inline constexpr int kUnused = -2;  // nothing needs the node

struct DeviceView {  // what one device said
  std::shared_ptr<Device> device;
  int location = 0;                     // 0: works on host memory; else its own memory, index + 1
  std::vector<braid_verdict> verdicts;  // by node
  std::vector<double> cost_ns;          // by node: alone, less the launch; kImpossible where it can't run
  std::vector<int32_t> confidence;      // by node: BRAID_GUESSED ...
  double launch_ns = 0;
  std::string left_out;  // why nothing may run there; "": it was asked
};

struct Placement {
  std::shared_ptr<const Model> model;  // with the function operators expanded that no device took
  std::shared_ptr<const Graph> graph;  // the model's, with the shapes at hand
  std::vector<DeviceView> devices;
  std::vector<int> device_of;  // by node: index into devices, kHost or kUnused
  struct Part {
    int device;  // index into devices, or kHost
    std::vector<NodeId> nodes;
  };
  std::vector<Part> segments;                              // in the order in which they run
  std::vector<std::vector<PlacementProblem::Link>> links;  // [from location][to location]
  double predicted_ns = 0;
  bool random = false;
};

// Places `model` for the shapes of its inputs (empty: as declared). input_at and output_at: the location of
// each graph input and output (empty: host memory). A device whose query
// fails is left out. Errors: Unimplemented if some node has no device, with
// each device's reason.
absl::StatusOr<Placement> Place(std::shared_ptr<const Model> model, absl::Span<const InputShape> shapes,
                                absl::Span<const std::shared_ptr<Device>> devices,
                                const PlaceOptions& options, const Exclusions& without = {},
                                absl::Span<const int> input_at = {}, absl::Span<const int> output_at = {});

// Core's own verdict, beside those of the ABI: the node failed there, or the whole device did.
inline constexpr int32_t kLeftOut = -1;
// Whether a verdict lets the node run there.
bool Accepts(const braid_verdict& verdict);
std::string VerdictName(int32_t code);                  // "NO_TYPE"
std::string VerdictText(const braid_verdict& verdict);  // "NO_TYPE input 1: int64 is not supported"

}  // namespace braid

#endif  // BRAID_CORE_PLACE_PLACEMENT_H_
