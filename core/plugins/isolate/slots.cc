// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/isolate/slots.h"

#include <stdlib.h>

#include <charconv>
#include <cstring>

namespace braid::isolate {
namespace {

struct Row {
  Op op;
  const char* slot;
  uint64_t seconds;
};

// What must be quick has ten seconds: the machine may be busy. Loading a driver takes longer, and so may
// judging a graph of 100,000 nodes; a compiler or a run may work for half an hour.
constexpr Row kRows[] = {
    {Op::kHello, "braid_plugin_query", 60},
    {Op::kEnumerate, "plugin.enumerate", 60},
    {Op::kOpen, "plugin.open", 60},
    {Op::kShutdown, "plugin.shutdown", 10},
    {Op::kQuery, "device.query", 300},
    {Op::kEstimate, "device.estimate", 300},
    {Op::kLink, "device.link", 10},
    {Op::kCompile, "device.compile", 1800},
    {Op::kCheckBlob, "device.check_blob", 300},
    {Op::kLoadBlob, "device.load_blob", 1800},
    {Op::kAlloc, "device.buffer_alloc", 10},
    {Op::kImport, "device.buffer_import", 10},
    {Op::kFree, "device.buffer_free", 10},
    {Op::kTransfer, "device.transfer", 1800},
    {Op::kFenceCreate, "device.fence_create", 10},
    {Op::kHealth, "device.health", 10},
    {Op::kClose, "device.close", 10},
    {Op::kIo, "exec.io_requirements", 10},
    {Op::kDims, "exec.output_dims", 10},
    {Op::kWorkspace, "exec.workspace_size", 10},
    {Op::kSubmit, "exec.submit", 1800},
    {Op::kTake, "exec.take_output", 10},
    {Op::kSaveBlob, "exec.save_blob", 1800},
    {Op::kDestroyExec, "exec.destroy", 10},
    {Op::kSignal, "fence.signal", 10},
    {Op::kCancel, "fence.cancel", 10},
    {Op::kDestroyFence, "fence.destroy", 10},
    {Op::kCompletion, "fence.completion", 10},
};

const Row* Find(Op op) {
  for (const Row& row : kRows)
    if (row.op == op) return &row;
  return nullptr;
}

}  // namespace

const char* SlotName(Op op) {
  const Row* row = Find(op);
  return row == nullptr ? "" : row->slot;
}

uint64_t DeadlineFromEnvironmentNs() {
  uint64_t ms = 0;
  if (const char* text = secure_getenv("BRAID_ISOLATE_DEADLINE_MS"))
    std::from_chars(text, text + std::strlen(text), ms);
  return ms * 1'000'000;
}

uint64_t DeadlineNs(Op op) {
  const Row* row = Find(op);
  return (row == nullptr ? 10 : row->seconds) * 1'000'000'000;
}

}  // namespace braid::isolate
