// SPDX-License-Identifier: Apache-2.0
//
// The memory of one run of a specialisation, and the run itself. A frame is used by one run at a time and
// kept for the next: the second run allocates nothing.
#ifndef BRAID_CORE_RUN_FRAME_H_
#define BRAID_CORE_RUN_FRAME_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "core/run/specialisation.h"
#include "core/run/value.h"

namespace braid {

// The extents of a value that a run found out.
struct Shape {
  int32_t rank = 0;
  int64_t dims[BRAID_MAX_RANK];
};

// Where a slot's bytes are in this run.
struct Where {
  uint8_t* host = nullptr;         // location 0
  braid_buffer* buffer = nullptr;  // a device's location
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

class Frame {
 public:
  // `number` chooses the queues: frames of one specialisation spread over a device's queues.
  static absl::StatusOr<std::unique_ptr<Frame>> Create(Specialisation& spec,
                                                       std::shared_ptr<const RunContext> context,
                                                       uint32_t number);
  ~Frame();
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  // One run. When it returns, nothing is under way any more, whatever the status.
  absl::Status Run(absl::Span<const RunInput> inputs, absl::Span<RunOutput> outputs, RunControl* control);

 private:
  Frame(Specialisation& spec, std::shared_ptr<const RunContext> context)
      : spec_(spec), context_(std::move(context)) {}
  absl::Status Allocate(uint32_t number);
  absl::Status BindCaller(absl::Span<const RunInput> inputs, absl::Span<RunOutput> outputs);
  absl::Status RunSteps(RunControl* control);
  absl::Status RunSegment(const SegmentStep& step);
  absl::Status RunCopy(const CopyStep& step);
  absl::Status RunHostStep(const HostStep& step, RunControl* control);
  absl::Status RunIf(const HostStep& step, RunControl* control);
  absl::Status RunGeneric(const HostStep& step, RunControl* control);
  // Of the outputs at location 0 (`host`), or at others.
  absl::Status HandOut(absl::Span<RunOutput> outputs, bool host);
  absl::Status HandOutTensor(uint32_t slot, RunOutput* output, size_t index);
  absl::Status WaitAll();
  absl::Status WaitForHost();
  // Waits, and passes a wish to cancel on to what is under way.
  braid_status Wait(const Fence& fence);
  absl::Status Failure(const char* doing, const Fence& fence) const;

  // Whether its extents are known before the run. (Those of a string tensor may be, and not its bytes.)
  bool HasStaticDims(ValueId v) const { return spec_.dims_of[v] != kNone; }
  int32_t RankOf(ValueId v) const;
  const int64_t* DimsOf(ValueId v) const;
  ElementType TypeOf(ValueId v) const { return spec_.graph().values[v].type.element; }
  Shape& DynamicShape(ValueId v);
  void FillBinding(const SegmentStep::Port& port, bool host_bindings, braid_binding* binding) const;
  struct Dynamic;
  absl::Status MeasureStrings(const SegmentStep& step, const Shape& shape, Dynamic* d, uint64_t* bytes);
  // Why there is no memory for a value, and how errors call it.
  absl::Status NoRoom(ValueId v, uint64_t bytes) const;
  absl::Status NoArena(size_t chunk, uint64_t bytes) const;
  std::string NameOf(ValueId v) const;
  // Memory of at least `bytes` for a slot whose size was not known; kept for the next run.
  absl::Status Reserve(uint32_t slot, uint64_t bytes);
  absl::Status TakeOutput(const SegmentStep& step, const SegmentStep::Port& port, const Fence& fence);
  RunInput InputOf(uint32_t slot) const;
  absl::StatusOr<RunValue> ValueOf(uint32_t slot) const;
  // Queues a copy within a device's memory.
  absl::Status CopyWithin(int location, const Where& from, braid_buffer* to, uint64_t to_offset,
                          uint64_t bytes, const char* doing);
  // Notes the extents of a result of the host's where its type leaves them open, else holds them against it.
  absl::Status KeepExtents(const Slot& slot, int32_t rank, const int64_t* dims, uint64_t bytes);
  absl::Status StoreValue(uint32_t slot, RunValue value);
  Device& device(int location) const { return *context_->devices[static_cast<size_t>(location) - 1]; }

  // What a slot of unknown size keeps between runs.
  struct Dynamic {
    HostBlock host;
    uint64_t room = 0;
    Buffer buffer;                      // of a device's location
    Buffer taken;                       // made by the plugin in this run
    bool mapped = false;                // `taken` is
    std::shared_ptr<const void> owner;  // of a value that came from a host step
  };
  RunControl* control_ = nullptr;  // of the run at hand
  Specialisation& spec_;
  std::shared_ptr<const RunContext> context_;
  std::vector<Where> where_;  // by slot
  std::vector<std::vector<HostBlock>> host_arena_;
  std::vector<std::vector<Buffer>> device_arena_;  // [location][chunk]
  std::vector<Buffer> workspace_;                  // by device
  std::vector<uint32_t> queue_;                    // by device
  std::vector<std::mutex*> queue_mutex_;           // by device
  std::vector<Dynamic> dynamic_;                   // by slot
  std::vector<std::unique_ptr<Shape>> shapes_;     // by value, where not static
  std::vector<RunValue> values_;                   // by slot, of values that are no tensors
  std::vector<braid_binding> bindings_;            // of the submit at hand
  struct Pending {
    Fence fence;
    const char* doing;
    bool host;  // host memory waits for it
  };
  std::vector<Pending> pending_;
  bool host_pending_ = false;
  std::vector<RunInput> body_inputs_;
  std::vector<RunOutput> body_outputs_;
};

// The lock of a queue: submits and transfers of one queue are made one at a time, whichever graph makes them.
std::mutex& QueueMutex(const Device& device, uint32_t queue);

}  // namespace braid

#endif  // BRAID_CORE_RUN_FRAME_H_
