// SPDX-License-Identifier: Apache-2.0
//
// A graph placed and compiled for the shapes of its inputs: the steps of a run, and where each value lies.
//
// Memory has locations: 0 is the host's, i + 1 the own memory of device i (a device that works on host memory
// has location 0). A Slot is a value at a location. Steps run segments on devices, copy a slot to another, or
// run a node on the host. All that is known beforehand is worked out here; Frame (frame.h) holds the memory
// of one run.
#ifndef BRAID_CORE_RUN_SPECIALISATION_H_
#define BRAID_CORE_RUN_SPECIALISATION_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/place/placement.h"
#include "core/plugins/device.h"
#include "core/run/memory_plan.h"
#include "core/run/value.h"

namespace braid {

class Frame;
class Runner;

// Devices that failed, by index, and why: they are left out of every placement that is made from then on.
class FailedDevices {
 public:
  // Whether it was not known before.
  bool Add(size_t device, std::string why);
  std::map<size_t, std::string> All() const;
  bool Has(size_t device) const;
  size_t count() const { return count_.load(std::memory_order_acquire); }

 private:
  mutable std::mutex mutex_;
  std::map<size_t, std::string> why_;
  std::atomic<size_t> count_{0};
};

// What a graph and its bodies have in common.
struct RunContext {
  std::vector<std::shared_ptr<Device>> devices;
  PlaceOptions place;
  mutable FailedDevices failed;
};

// Why a specialisation could not be made, where it is a device's failure.
struct CompileFailure {
  int device = -1;                 // -1: it is none
  std::vector<std::string> nodes;  // of the segment that could not be compiled, by their first outputs' names
  std::string why;                 // in the device's words
};

struct Slot {
  enum Source : uint8_t {
    kInput,     // the caller's memory
    kOutput,    // the caller's memory where it fits, else memory of the frame
    kConstant,  // the graph's
    kArena,     // planned memory of the frame
    kDynamic,   // memory found during the run, when the size is known
    kValue,     // no tensor: Frame::values
  };
  ValueId value = kNone;
  int location = 0;
  Source source = kDynamic;
  uint32_t index = 0;      // of the graph's input or output; of the chunk in the arena
  uint64_t offset = 0;     // in the chunk
  uint64_t bytes = 0;      // where the type is static
  uint64_t alignment = 1;  // that segments ask of it
};

struct SegmentStep {
  struct Port {
    uint32_t view_value = 0;  // index in the compiled view
    ValueId value = kNone;
    uint32_t slot = 0;
    uint32_t host_slot = kNone;  // of an input whose value the device wants on the host too
    bool is_static = false;
  };
  int device = 0;
  Exec exec;
  std::vector<Port> inputs, outputs;
  bool is_static = false;  // all ports are
  uint64_t workspace = 0;  // where static
  std::string title;       // "segment 3 on sim:0 (Conv ... Relu, 12 nodes)"
};

struct CopyStep {
  uint32_t from = 0, to = 0;  // slots
  bool native = false;        // from device to device without the host
};

struct HostStep {
  NodeId node = 0;
  std::vector<uint32_t> inputs;                 // slots, kNone: absent
  std::vector<uint32_t> outputs;                // likewise
  std::vector<std::shared_ptr<Runner>> bodies;  // by graph attribute, in the order of the node's attributes
  std::vector<std::vector<uint32_t>> captures;  // slots, for each body
};

struct Step {
  enum Kind : uint8_t { kSegment, kCopy, kHostOp };
  Kind kind;
  uint32_t index;
};

// OUT_OF_MEMORY of the host: which node's value, of which type and extents, takes how much. UINT64_MAX bytes
// are more than can be counted.
absl::Status NoHostMemory(const Graph& graph, ValueId value, absl::Span<const int64_t> dims, uint64_t bytes);
// "Expand of 't': 't' float32[2,3]".
std::string ValueText(const Graph& graph, ValueId value, absl::Span<const int64_t> dims);

struct Specialisation {
  // Of the inputs' shapes and locations, and the outputs' locations: what Runner::VisitKey hands over.
  std::vector<int64_t> key;
  Placement placement;
  std::vector<Slot> slots;
  std::vector<Step> steps;
  std::vector<SegmentStep> segments;
  std::vector<CopyStep> copies;
  std::vector<HostStep> host_steps;
  std::vector<uint32_t> input_slots;   // of each graph input, kNone: unused
  std::vector<uint32_t> output_slots;  // of each graph output, at the location where it is wanted
  std::vector<int> input_at, output_at;
  // By value: extents of static tensors, behind one another; kNone: not static.
  std::vector<uint32_t> dims_of;
  std::vector<int64_t> dims;
  std::vector<std::vector<uint64_t>> arenas;  // [location]: bytes of each chunk
  std::vector<uint64_t> alignment;            // [location]
  std::vector<uint64_t> workspaces;           // [device]: the largest of its static segments
  const Graph& graph() const { return *placement.graph; }
  bool Uses(size_t device) const;  // for a segment

  // Frames that no run uses. Steady state takes one and gives it back.
  std::mutex frames_mutex;
  std::vector<std::unique_ptr<Frame>> frames;
  uint32_t frames_made = 0;
  std::atomic<bool> told{false};  // GRAPH_VERBOSE has told of it

  Specialisation();
  ~Specialisation();
};

// Places and compiles. shapes empty: for whatever shapes, as the model declares them. `without` is in
// addition to the context's failed devices, to which devices that could not be asked are added.
absl::StatusOr<std::shared_ptr<Specialisation>> Specialise(
    std::shared_ptr<const Model> model, absl::Span<const InputShape> shapes,
    std::shared_ptr<const RunContext> context, std::vector<int> input_at, std::vector<int> output_at,
    const Exclusions& without, CompileFailure* failure);

}  // namespace braid

#endif  // BRAID_CORE_RUN_SPECIALISATION_H_
