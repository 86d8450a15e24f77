// SPDX-License-Identifier: Apache-2.0
#include "conformance/mutants/device.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <optional>

#include "conformance/mutants/graph_edit.h"
#include "conformance/mutants/node_run.h"

namespace braid::mutants {
namespace {

// Nodes of the mutant's operators, or of all where it names none, run as the mutant says.
class Hook : public reference::NodeHook {
 public:
  explicit Hook(const Mutant& mutant) : mutant_(mutant), operators_(OperatorsOf(mutant)) {}
  void Run(const reference::OpEntry& op, reference::OpContext& context) const override {
    const bool touched =
        operators_.empty() || std::find(operators_.begin(), operators_.end(), op.op) != operators_.end();
    if (!touched || !op.domain.empty()) return op.run(context);
    NodeRun run(op, context);
    if (mutant_.node)
      mutant_.node(run);
    else
      run.Compute();
    run.Finish();
  }

 private:
  const Mutant& mutant_;
  const std::vector<std::string> operators_;
};

// A submit that outlives the call.
struct KeptSubmit {
  explicit KeptSubmit(const braid_submit& s) : submit(s) {
    for (uint32_t i = 0; i < s.binding_count; ++i) {
      braid_binding b = BRAID_BINDING_INIT;
      std::memcpy(&b, static_cast<const char*>(s.bindings) + uint64_t{s.binding_stride} * i,
                  std::min<size_t>(s.binding_stride, sizeof b));
      if (b.dims != nullptr && b.rank > 0) {
        dims.emplace_back(b.dims, b.dims + b.rank);
        b.dims = dims.back().data();
      }
      bindings.push_back(b);
    }
    submit.bindings = bindings.data();
    submit.binding_stride = sizeof(braid_binding);
    submit.waits = nullptr;
    submit.wait_count = 0;
  }
  braid_submit submit;
  std::vector<braid_binding> bindings;
  std::deque<std::vector<int64_t>> dims;
  std::unique_ptr<kit::Fence> result;  // of outputs that are to be taken
};

class LateFence : public kit::EventFence {
 public:
  LateFence(std::shared_ptr<kit::Event> event, std::shared_ptr<KeptSubmit> kept)
      : EventFence(std::move(event)), kept_(std::move(kept)) {}
  kit::Fence* result() const { return kept_->result.get(); }

 private:
  std::shared_ptr<KeptSubmit> kept_;
};

constexpr char kMagic[8] = {'M', 'U', 'T', 'A', 'N', 'T', '0', '1'};
struct Blob {
  char magic[8];
  uint64_t fingerprint[2];
};

class MutantExec : public reference::ReferenceExec {
 public:
  MutantExec(const braid_graph* view, kit::Host host, const reference::NodeHook* hook,
             std::shared_ptr<kit::Queue> queue, std::optional<Blob> blob)
      : ReferenceExec(view, host, hook), queue_(std::move(queue)), blob_(blob) {}

  kit::Fence* Submit(const braid_submit& submit) override {
    if (queue_ == nullptr) return ReferenceExec::Submit(submit);
    auto kept = std::make_shared<KeptSubmit>(submit);
    auto event = queue_->Push(kit::EventsOf(submit.waits, submit.wait_count), submit.deadline_ns,
                              (submit.flags & BRAID_SUBMIT_TIMED) != 0,
                              [this, kept] { kept->result.reset(ReferenceExec::Submit(kept->submit)); });
    return new LateFence(std::move(event), std::move(kept));
  }
  void TakeOutput(kit::Fence* fence, uint32_t value, braid_buffer** buffer, int32_t* rank,
                  int64_t* dims) override {
    if (queue_ != nullptr) fence = static_cast<LateFence*>(fence)->result();
    if (fence == nullptr) throw kit::Error(BRAID_INVALID_ARGUMENT, "there is nothing to take");
    ReferenceExec::TakeOutput(fence, value, buffer, rank, dims);
  }
  bool SaveBlob(const std::function<braid_status(braid_bytes)>& write) override {
    if (!blob_.has_value()) return false;
    write({&*blob_, sizeof *blob_});
    return true;
  }

 private:
  const std::shared_ptr<kit::Queue> queue_;
  const std::optional<Blob> blob_;
};

}  // namespace

MutantDevice::MutantDevice(kit::Host host, const DeviceOptions& options)
    : ReferenceDevice(host),
      options_(options),
      hook_(options.mutant != nullptr && (options.mutant->node || options.mutant->graph)
                ? std::make_unique<Hook>(*options.mutant)
                : nullptr) {
  if (options_.asynchronous) queue_ = std::make_shared<kit::Queue>(host);
}

MutantDevice::~MutantDevice() = default;

std::unique_ptr<kit::Executable> MutantDevice::Compile(const braid_graph* view,
                                                       const braid_compile_options& options) {
  if (options.option_count > 0)
    throw kit::Error(BRAID_INVALID_ARGUMENT,
                     "there is no option '" + std::string(kit::View(options.options[0].key)) + "'");
  std::optional<Blob> blob;
  if (options_.has_blobs) {
    blob.emplace();
    std::memcpy(blob->magic, kMagic, sizeof kMagic);
    std::copy_n(view->fingerprint, 2, blob->fingerprint);
  }
  std::optional<GraphEdit> edit;
  if (options_.mutant != nullptr && options_.mutant->graph) {
    edit.emplace(view);
    options_.mutant->graph(*edit);
    view = edit->raw();
  }
  return std::make_unique<MutantExec>(view, host(), hook_.get(), queue_, blob);
}

braid_status MutantDevice::CheckBlob(const braid_graph* view, const braid_compile_options&,
                                     braid_bytes bytes) {
  if (!options_.has_blobs) return BRAID_UNSUPPORTED;
  Blob blob;
  if (bytes.len != sizeof blob || std::memcmp(bytes.ptr, kMagic, sizeof kMagic) != 0)
    throw kit::Error(BRAID_INVALID_ARGUMENT, "this is no blob of a mutant");
  std::memcpy(&blob, bytes.ptr, sizeof blob);
  if (!std::equal(view->fingerprint, view->fingerprint + 2, blob.fingerprint))
    throw kit::Error(BRAID_STALE_BLOB, "the blob is of another graph");
  return BRAID_OK;
}

std::unique_ptr<kit::Executable> MutantDevice::LoadBlob(const braid_graph* view,
                                                        const braid_compile_options& options,
                                                        braid_bytes bytes) {
  if (CheckBlob(view, options, bytes) != BRAID_OK)
    throw kit::Error(BRAID_UNSUPPORTED, "this device keeps no blobs");
  return Compile(view, options);
}

kit::Fence* MutantDevice::Transfer(const braid_transfer& t) {
  if (queue_ == nullptr) return ReferenceDevice::Transfer(t);
  // In order with the runs, as one queue is.
  braid_transfer own = t;
  own.waits = nullptr;
  own.wait_count = 0;
  auto event = queue_->Push(kit::EventsOf(t.waits, t.wait_count), 0, false,
                            [this, own] { ReferenceDevice::Transfer(own); });
  return new kit::EventFence(std::move(event));
}

kit::Fence* MutantDevice::FenceCreate() {
  if (queue_ == nullptr) return ReferenceDevice::FenceCreate();
  return new kit::EventFence();
}

}  // namespace braid::mutants
