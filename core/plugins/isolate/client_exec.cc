// SPDX-License-Identifier: Apache-2.0
//
// Executables and fences of an isolated plugin: each slot is a message to its process.
#include <vector>

#include "core/plugins/device.h"
#include "core/plugins/error_sink.h"
#include "core/plugins/isolate/client.h"

namespace braid::isolate {
namespace {

braid_status BRAID_CALL FenceWait(braid_fence* f, uint64_t timeout) {
  return Self(f)->connection->Wait(Self(f)->state, timeout);
}

void BRAID_CALL FenceOnReady(braid_fence* f, void(BRAID_CALL* callback)(void*, braid_status),
                             void* argument) {
  Self(f)->connection->OnReady(Self(f)->state, callback, argument);
}

braid_status BRAID_CALL FenceCompletion(braid_fence* f, braid_completion* out) {
  RemoteFence& s = *Self(f)->state;
  if (FenceWait(f, 0) == BRAID_PENDING) return BRAID_PENDING;
  std::lock_guard<std::mutex> lock(s.mutex);
  braid_completion mine = BRAID_COMPLETION_INIT;
  mine.status = s.status;
  mine.text = {s.text.data(), s.text.size()};
  mine.start_ns = s.start_ns;
  mine.end_ns = s.end_ns;
  Give(mine, out);
  return BRAID_OK;
}

void BRAID_CALL FenceCancel(braid_fence* f) { Self(f)->connection->Cancel(Self(f)->state); }

void BRAID_CALL FenceSignal(braid_fence* f, braid_status status) {
  Connection& connection = *Self(f)->connection;
  connection.Tell(Op::kSignal, Self(f)->state->id, Writer().Put(status));
  connection.Complete(Self(f)->state, status, "", 0, 0);
}

void BRAID_CALL FenceDestroy(braid_fence* f) {
  Self(f)->connection->TellInOrder(Op::kDestroyFence, Self(f)->state->id);
  delete Self(f);
}

void PutBindings(Writer& out, const void* bindings, uint32_t count, uint32_t stride) {
  out.Put(count);
  for (uint32_t i = 0; i < count; ++i) {
    braid_binding b = BRAID_BINDING_INIT;
    std::memcpy(&b, static_cast<const char*>(bindings) + uint64_t{stride} * i,
                std::min<size_t>(stride, sizeof b));
    b.size = sizeof b;
    braid_binding sent = b;  // whose pointers mean nothing over there
    sent.buffer = nullptr;
    sent.host = nullptr;
    sent.dims = sent.strides = nullptr;
    out.Put(sent).Put(IdOf(b.buffer));
    const uint64_t rank = b.rank < 0 ? 0 : static_cast<uint64_t>(b.rank);
    out.Bytes(b.dims, b.dims == nullptr ? 0 : rank * 8).Bytes(b.strides, b.strides == nullptr ? 0 : rank * 8);
    out.Bytes(b.host, b.host == nullptr ? 0 : b.bytes);
  }
}

// Asks once, where the answer depends on nothing but the question.
braid_status AskOnce(ClientExec* e, Answers* answers, Op op, const Writer& question, std::string* result) {
  std::string key(1, static_cast<char>(op));
  key += question.data();
  constexpr size_t kLargestKey = 4096;
  const bool keeps = key.size() <= kLargestKey;
  if (keeps && !e->connection->lost() && answers->Find(key, result)) return BRAID_OK;
  const braid_status status = e->connection->Call(op, Writer().Put(e->id).Append(question), result);
  if (status == BRAID_OK && keeps) answers->Keep(key, *result);
  return status;
}

braid_status BRAID_CALL ExecIo(braid_exec* e, uint32_t value, braid_io_requirements* out) {
  std::string result;
  const braid_status status = AskOnce(Self(e), &Self(e)->io, Op::kIo, Writer().Put(value), &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  const auto mine = in.Get<braid_io_requirements>();
  if (!in.ok()) return Garbled();
  Give(mine, out);
  return BRAID_OK;
}

// Shapes, and values on the host: what output_dims and workspace_size may depend on. Not memory, so that the
// next run has the same question.
void PutShapes(Writer& out, const void* bindings, uint32_t count, uint32_t stride) {
  std::vector<braid_binding> list(count);
  for (uint32_t i = 0; i < count; ++i) {
    braid_binding& b = list[i];
    b = BRAID_BINDING_INIT;
    std::memcpy(&b, static_cast<const char*>(bindings) + uint64_t{stride} * i,
                std::min<size_t>(stride, sizeof b));
    b.buffer = nullptr;
    b.offset = 0;
  }
  PutBindings(out, list.data(), count, sizeof(braid_binding));
}

bool ReadDims(Reader& in, int32_t rank, int64_t* dims) {
  const std::string_view data = in.Bytes();
  if (!in.ok() || rank < 0 || rank > static_cast<int32_t>(BRAID_MAX_RANK) ||
      data.size() != static_cast<uint64_t>(rank) * 8)
    return false;
  if (!data.empty()) std::memcpy(dims, data.data(), data.size());
  return true;
}

braid_status BRAID_CALL ExecDims(braid_exec* e, const void* inputs, uint32_t count, uint32_t stride,
                                 uint32_t output, int32_t* rank, int64_t* dims) {
  Writer out;
  out.Put(output);
  PutShapes(out, inputs, count, stride);
  std::string result;
  const braid_status status = AskOnce(Self(e), &Self(e)->shapes, Op::kDims, out, &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  *rank = in.Get<int32_t>();
  return ReadDims(in, *rank, dims) ? BRAID_OK : Garbled();
}

braid_status BRAID_CALL ExecWorkspace(braid_exec* e, const void* inputs, uint32_t count, uint32_t stride,
                                      uint64_t* bytes) {
  Writer out;
  out.Put(uint32_t{0});
  PutShapes(out, inputs, count, stride);
  std::string result;
  const braid_status status = AskOnce(Self(e), &Self(e)->shapes, Op::kWorkspace, out, &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  *bytes = in.Get<uint64_t>();
  return in.ok() ? BRAID_OK : Garbled();
}

braid_status BRAID_CALL ExecSubmit(braid_exec* e, const braid_submit* submit, braid_fence** out) {
  ClientExec* self = Self(e);
  auto fence = self->connection->NewFence(Op::kSubmit, submit->deadline_ns);
  braid_submit own = BRAID_SUBMIT_INIT;
  std::memcpy(&own, submit, std::min<size_t>(submit->size, sizeof own));
  own.size = sizeof own;
  Writer message;
  message.Put(fence->cell).Put(self->id).Put(own).Put(IdOf(submit->workspace));
  PutWaits(message, submit->waits, submit->wait_count);
  PutBindings(message, submit->bindings, submit->binding_count, submit->binding_stride);
  self->connection->Start(message, fence, Lane(self->device, submit->queue));
  *out = reinterpret_cast<braid_fence*>(new ClientFence{self->connection, std::move(fence)});
  return BRAID_OK;
}

braid_status BRAID_CALL ExecTake(braid_exec* e, braid_fence* f, uint32_t value, braid_buffer** buffer,
                                 int32_t* rank, int64_t* dims) {
  ClientExec* self = Self(e);
  const uint64_t id = self->connection->NewId();
  std::string result;
  const braid_status status = self->connection->Call(
      Op::kTake, Writer().Put(self->id).Put(Self(f)->state->id).Put(value).Put(id), &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  *rank = in.Get<int32_t>();
  const auto gave = in.Get<uint32_t>();
  if (!ReadDims(in, *rank, dims)) return Garbled();
  if (gave != 0) *buffer = reinterpret_cast<braid_buffer*>(new ClientBuffer{id, 0, nullptr});
  return BRAID_OK;
}

braid_status BRAID_CALL ExecSave(braid_exec* e, void* context,
                                 braid_status(BRAID_CALL* write)(void*, braid_bytes)) {
  std::string result;
  const braid_status status = Self(e)->connection->Call(Op::kSaveBlob, Writer().Put(Self(e)->id), &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  const std::string_view blob = in.Bytes();
  return in.ok() ? write(context, {blob.data(), blob.size()}) : Garbled();
}

void BRAID_CALL ExecDestroy(braid_exec* e) {
  Self(e)->connection->TellInOrder(Op::kDestroyExec, Self(e)->id);
  delete Self(e);
}

}  // namespace

braid_status Garbled() {
  ErrorSink::Set("the plugin's process gave an answer that cannot be");
  return BRAID_INTERNAL;
}

void PutWaits(Writer& out, braid_fence* const* waits, uint32_t count) {
  out.Put(count);
  for (uint32_t i = 0; i < count; ++i) out.Put(Self(waits[i])->state->id);
}

void SetExecSlots(uint32_t has, braid_exec_fns* out) {
  out->io_requirements = ExecIo;
  out->output_dims = ExecDims;
  out->workspace_size = ExecWorkspace;
  out->submit = ExecSubmit;
  out->take_output = ExecTake;
  out->save_blob = (has & kSaveBlobSlot) != 0 ? ExecSave : nullptr;
  out->destroy = ExecDestroy;
}

void SetFenceSlots(uint32_t has, braid_fence_fns* out) {
  out->wait = FenceWait;
  out->on_ready = FenceOnReady;
  out->completion = FenceCompletion;
  out->cancel = (has & kCancelSlot) != 0 ? FenceCancel : nullptr;
  out->signal = (has & kFenceCreateSlot) != 0 ? FenceSignal : nullptr;
  out->destroy = FenceDestroy;
}

}  // namespace braid::isolate
