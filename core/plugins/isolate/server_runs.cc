// SPDX-License-Identifier: Apache-2.0
//
// Runs, transfers and what is asked of a run: what comes through the ring, in its order.
#include <algorithm>

#include "core/plugins/isolate/server.h"

namespace braid::isolate {
namespace {

// Tells the host through the cell. False: it wants an event.
bool EndedWell(std::atomic<uint32_t>* cell) {
  if (cell == nullptr) return false;
  const uint32_t before = cell->fetch_or(kDone);
  if ((before & kSleeping) != 0) FutexWake(cell);
  return (before & kWanted) == 0;
}

}  // namespace

void Server::ReadBindings(Reader& in, Bindings* out) {
  const auto count = in.Get<uint32_t>();
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    auto b = in.Get<braid_binding>();
    const auto buffer = in.Get<uint64_t>();
    const std::string_view dims = in.Bytes(), strides = in.Bytes(), host = in.Bytes();
    const auto copy = [&](std::string_view from) {
      out->dims.emplace_back(from.size() / 8);
      if (!from.empty()) std::memcpy(out->dims.back().data(), from.data(), from.size());
      return out->dims.back().data();
    };
    b.dims = copy(dims);
    b.strides = strides.empty() ? nullptr : copy(strides);
    b.buffer = nullptr;
    if (buffer != 0) {
      out->keep.push_back(Find(buffer).buffer);
      if (out->keep.back() != nullptr) b.buffer = out->keep.back()->get();
    }
    out->host.emplace_back(host);
    b.host = nullptr;
    out->list.push_back(b);
  }
  // Host values lie aligned in strings of their own, which no longer move.
  for (size_t i = 0; i < out->list.size(); ++i)
    if (!out->host[i].empty()) out->list[i].host = out->host[i].data();
}

void Server::Inputs(Op op, uint64_t id, Reader& in) {
  const auto exec = Find(in.Get<uint64_t>()).exec;
  const auto output = in.Get<uint32_t>();
  Bindings bindings;
  ReadBindings(in, &bindings);
  const auto count = static_cast<uint32_t>(bindings.list.size());
  if (op == Op::kWorkspace) {
    uint64_t bytes = 0;
    const braid_status status = exec->WorkspaceSize(bindings.list.data(), count, &bytes);
    return Reply(id, status, Writer().Put(bytes));
  }
  int32_t rank = 0;
  int64_t dims[BRAID_MAX_RANK] = {};
  const braid_status status = exec->OutputDims(bindings.list.data(), count, output, &rank, dims);
  Reply(id, status, Writer().Put(rank).Bytes(dims, status == BRAID_OK ? static_cast<uint64_t>(rank) * 8 : 0));
}

void Server::Take(uint64_t id, Reader& in) {
  const auto exec = Find(in.Get<uint64_t>()).exec;
  const auto work = Find(in.Get<uint64_t>()).work;
  const auto value = in.Get<uint32_t>();
  const auto object = in.Get<uint64_t>();
  Buffer buffer;
  int32_t rank = 0;
  int64_t dims[BRAID_MAX_RANK] = {};
  const absl::Status status = exec->TakeOutput(work->fence, value, &buffer, &rank, dims);
  if (!status.ok()) return Reply(id, status);
  const auto gave = static_cast<uint32_t>(static_cast<bool>(buffer));
  if (gave != 0) Keep(object, {.buffer = std::make_shared<Buffer>(std::move(buffer))});
  Reply(id, BRAID_OK, Writer().Put(rank).Put(gave).Bytes(dims, static_cast<uint64_t>(rank) * 8));
}

braid_status Server::Waits(Reader& in, std::vector<braid_fence*>* out,
                           std::vector<std::shared_ptr<Task>>* keep) {
  for (auto n = in.Get<uint32_t>(); n > 0 && in.ok(); --n) {
    const auto work = Find(in.Get<uint64_t>()).work;
    if (work == nullptr) continue;
    keep->push_back(work);
    if (work->fence) {
      out->push_back(work->fence.get());
    } else if (work->status != BRAID_OK) {
      return work->status;
    }
  }
  return BRAID_OK;
}

void Server::Track(std::shared_ptr<Task> work, braid_status status) {
  work->status = status;
  Keep(work->id, {.work = work});
  if (status != BRAID_OK || !work->fence) {
    const std::string text = ErrorSink::Take();
    if (status == BRAID_OK && EndedWell(work->cell)) return;
    return Finished(work->id, status, text, 0, 0);
  }
  if (work->cell != nullptr && work->fence.Wait(0) == BRAID_OK && EndedWell(work->cell)) return;
  work->fence.OnReady(
      [](void* argument, braid_status ended) {
        // Text and times are asked for on the sender's thread: here nothing may block. Once the cell is
        // written, the host may have the fence and its task destroyed.
        auto* w = static_cast<Task*>(argument);
        Server* server = w->server;
        const uint64_t id = w->id;
        if (ended == BRAID_OK && w->cell != nullptr) {
          if (!EndedWell(w->cell))
            server->sender_.Push([server, id] { server->Finished(id, BRAID_OK, "", 0, 0); });
          return;
        }
        server->sender_.Push([w] {
          const SlotNote note(&w->server->board_->layout().sender_op, static_cast<uint32_t>(Op::kCompletion));
          braid_completion end = BRAID_COMPLETION_INIT;
          std::string why;
          if (auto completion = w->fence.Completion(); completion.ok()) {
            end = *completion;
          } else {
            end.status = FromAbsl(completion.status());
            why = std::string(completion.status().message());
            end.text = {why.data(), why.size()};
          }
          (void)w->server->channel_.Send(
              Op::kEvent, w->id,
              Writer()
                  .Put(end.status)
                  .Put(end.start_ns)
                  .Put(end.end_ns)
                  .Text({end.text.ptr, end.text.ptr == nullptr ? 0 : std::min(end.text.len, kMaxText)})
                  .data());
        });
      },
      work.get());
}

// Submits what can be cancelled meanwhile.
template <class Call>
braid_status Server::Cancellable(const std::shared_ptr<Task>& work, const Call& call) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    objects_[work->id] = {.work = work};
    if (cancelled_.erase(work->id) != 0) work->cancelled.store(true);
  }
  const CancelScope scope(&work->cancelled);
  const braid_status status = call();
  work->submitted.store(true);
  if (work->cancelled.load()) {
    const SlotNote note(&board_->layout().worker_op, static_cast<uint32_t>(Op::kCancel));
    work->fence.Cancel();
  }
  return status;
}

void Server::Submit(uint64_t id, const std::string& payload) {
  Reader in(payload);
  auto work = std::make_shared<Task>();
  work->server = this;
  work->id = id;
  work->cell = board_->cell(in.Get<uint32_t>());
  const auto exec = Find(in.Get<uint64_t>()).exec;
  auto submit = in.Get<braid_submit>();
  // The times of a run come with its event.
  if ((submit.flags & BRAID_SUBMIT_TIMED) != 0) work->cell = nullptr;
  const auto workspace = Find(in.Get<uint64_t>()).buffer;
  std::vector<braid_fence*> waits;
  std::vector<std::shared_ptr<Task>> keep;
  ErrorSink::Clear();
  braid_status status = Waits(in, &waits, &keep);
  Bindings bindings;
  ReadBindings(in, &bindings);
  submit.bindings = bindings.list.data();
  submit.binding_count = static_cast<uint32_t>(bindings.list.size());
  submit.binding_stride = sizeof(braid_binding);
  submit.waits = waits.data();
  submit.wait_count = static_cast<uint32_t>(waits.size());
  submit.workspace = workspace == nullptr ? nullptr : workspace->get();
  if (status == BRAID_OK)
    status = exec == nullptr ? BRAID_INVALID_ARGUMENT
                             : Cancellable(work, [&] { return exec->Submit(submit, &work->fence); });
  Track(std::move(work), status);
}

void Server::Transfer(uint64_t id, const std::string& payload) {
  Reader in(payload);
  auto work = std::make_shared<Task>();
  work->server = this;
  work->id = id;
  work->cell = board_->cell(in.Get<uint32_t>());
  const auto device = Find(in.Get<uint64_t>()).device;
  const auto from_device = Find(in.Get<uint64_t>()).device;
  const auto to = Find(in.Get<uint64_t>()).buffer, from = Find(in.Get<uint64_t>()).buffer;
  work->staging = BlockOf(in.Get<uint64_t>());
  auto transfer = in.Get<braid_transfer>();
  if ((transfer.flags & BRAID_SUBMIT_TIMED) != 0) work->cell = nullptr;
  std::vector<braid_fence*> waits;
  std::vector<std::shared_ptr<Task>> keep;
  ErrorSink::Clear();
  braid_status status = Waits(in, &waits, &keep);
  transfer.to = to == nullptr ? nullptr : to->get();
  transfer.from = from == nullptr ? nullptr : from->get();
  transfer.from_device = from_device == nullptr ? nullptr : from_device->get();
  transfer.host = work->staging == nullptr ? nullptr : work->staging->data();
  transfer.waits = waits.data();
  transfer.wait_count = static_cast<uint32_t>(waits.size());
  if (status == BRAID_OK)
    status = device == nullptr ? BRAID_INVALID_ARGUMENT : device->Transfer(transfer, &work->fence);
  Track(std::move(work), status);
}

}  // namespace braid::isolate
