// SPDX-License-Identifier: Apache-2.0
//
// What comes over the socket: the plugin, its devices, graphs, memory and executables. Runs are in
// server_runs.cc.
#include "core/plugins/isolate/server.h"

#include <algorithm>

namespace braid::isolate {
namespace {

// Whether its buffers may be memory of both processes. Host memory of the other process is not ours.
bool Shares(const DeviceInfo& info) {
  constexpr uint64_t kPage = 4096;
  return (info.imports & BRAID_HANDLE_HOST_POINTER) != 0 && info.import_alignment <= kPage;
}

}  // namespace

std::shared_ptr<const Constant> RemoteGraph::constant(uint32_t value) const {
  if (value >= graph_.value_count) return nullptr;
  const braid_value& known = *BRAID_AT(braid_value, graph_.values, graph_.value_stride, value);
  if ((known.flags & BRAID_VALUE_CONSTANT) == 0) return nullptr;
  std::lock_guard<std::mutex> lock(mutex_);
  std::shared_ptr<const Constant>& held = held_[value];
  if (held == nullptr) held = server_->AskConstant(call_, value, known);
  return held;
}

void Server::Dispatch(Message& message) {
  const uint64_t id = message.header.id;
  const Op op = static_cast<Op>(message.header.op);
  Reader in(message.payload);
  switch (op) {
    case Op::kHello:
      return Load(id);
    case Op::kEnumerate:
      return Enumerate(id);
    case Op::kOpen: {
      const auto object = in.Get<uint64_t>();
      const auto index = in.Get<uint32_t>();
      std::optional<std::string> cache;
      if (in.Get<uint32_t>() != 0) cache = std::string(in.Bytes());
      Options options;
      for (auto n = in.Get<uint32_t>(); n > 0 && in.ok(); --n) {
        const std::string key(in.Bytes()), value(in.Bytes());
        options.emplace_back(key, value);
      }
      auto device = plugin_->MakeDevice(index, options, cache);
      absl::Status status = device.status();
      if (status.ok()) status = (*device)->Open();
      if (!status.ok()) return Reply(id, status);
      const DeviceInfo& info = (*device)->info();
      const bool shares = Shares(info);
      Keep(object, {.device = *device, .cache = cache});
      return Reply(id, BRAID_OK,
                   Writer()
                       .Put(static_cast<uint32_t>(shares))
                       .Put(static_cast<uint32_t>(shares && info.Has(BRAID_HOST_BINDINGS)))
                       .Put(info.import_alignment));
    }
    case Op::kQuery:
    case Op::kEstimate:
    case Op::kCompile:
    case Op::kCheckBlob:
    case Op::kLoadBlob:
      InBackground(op, [this, op, id, payload = std::move(message.payload)] { OnGraph(op, id, payload); });
      return;
    case Op::kLink: {
      const Object object = Find(in.Get<uint64_t>());
      const std::string name(in.Bytes()), vendor(in.Bytes()), driver(in.Bytes());
      auto peer = in.Get<braid_device_info>();
      peer.name = {name.data(), name.size()};
      peer.vendor = {vendor.data(), vendor.size()};
      peer.driver = {driver.data(), driver.size()};
      braid_link link = BRAID_LINK_INIT;
      const braid_status status =
          AtBoundary([&] { return object.device->table().device->link(object.device->get(), &peer, &link); });
      return Reply(id, status, Writer().Put(link));
    }
    case Op::kSaveBlob: {
      const auto exec = Find(in.Get<uint64_t>()).exec;
      InBackground(op, [this, id, exec] {
        std::string blob;
        const absl::Status status = exec->SaveBlob([&](std::string_view part) {
          blob += part;
          return absl::OkStatus();
        });
        if (!status.ok()) return Reply(id, status);
        Reply(id, BRAID_OK, Writer().Text(blob));
      });
      return;
    }
    case Op::kAlloc:
    case Op::kImport:
      return Alloc(op, id, in, message.fd);
    case Op::kFenceCreate: {
      const auto device = Find(in.Get<uint64_t>()).device;
      const auto object = in.Get<uint64_t>();
      auto fence = device->FenceCreate();
      if (!fence.ok()) return Reply(id, fence.status());
      auto task = std::make_shared<Task>();
      task->fence = *std::move(fence);
      Keep(object, {.work = task});
      return Reply(id, BRAID_OK);
    }
    case Op::kSignal:
      if (const auto work = Find(id).work; work != nullptr && !work->signalled.exchange(true))
        work->fence.Signal(in.Get<braid_status>());
      return;
    case Op::kHealth: {
      auto health = Find(in.Get<uint64_t>()).device->Health();
      if (!health.ok()) return Reply(id, health.status());
      return Reply(id, BRAID_OK, Writer().Put(*health));
    }
    case Op::kIo: {
      const auto exec = Find(in.Get<uint64_t>()).exec;
      auto io = exec->IoRequirements(in.Get<uint32_t>());
      if (!io.ok()) return Reply(id, io.status());
      return Reply(id, BRAID_OK, Writer().Put(*io));
    }
    case Op::kDims:
    case Op::kWorkspace:
      return Inputs(op, id, in);
    case Op::kTake:
      return Take(id, in);
    case Op::kCancel: {
      std::shared_ptr<Task> work;
      {
        std::lock_guard<std::mutex> lock(mutex_);
        const auto found = objects_.find(id);
        if (found == objects_.end()) {
          cancelled_.insert(id);
          return;
        }
        work = found->second.work;
      }
      if (work != nullptr) {
        work->cancelled.store(true);
        if (work->submitted.load()) work->fence.Cancel();
      }
      return;
    }
    case Op::kPayload: {
      {
        std::lock_guard<std::mutex> lock(mutex_);
        payloads_[id] = std::move(message.payload);
      }
      numbered_.fetch_add(1);
      numbered_.notify_all();
      return;
    }
    case Op::kBlock: {
      auto block = SharedBlock::Map(message.fd, in.Get<uint64_t>());
      {
        std::lock_guard<std::mutex> lock(mutex_);
        if (block.ok()) {
          (*block)->CloseFd();
          blocks_[id] = *std::move(block);
        } else {
          blocks_.erase(id);
        }
      }
      numbered_.fetch_add(1);
      numbered_.notify_all();
      return;
    }
    case Op::kConstantIs: {
      std::shared_ptr<SharedBlock> block;
      if (message.fd >= 0)
        if (auto mapped = SharedBlock::Map(message.fd, in.Get<uint64_t>()); mapped.ok()) {
          (*mapped)->CloseFd();  // descriptors are few
          block = *std::move(mapped);
        }
      std::lock_guard<std::mutex> lock(mutex_);
      answers_[id] = std::move(block);
      answered_.notify_all();
      return;
    }
    default:
      return;
  }
}

void Server::Work() {
  for (;;) {
    RingHeader header;
    std::string payload;
    board_->Next(&header, &payload);
    for (uint64_t seen = numbered_.load(); seen < header.after; seen = numbered_.load()) numbered_.wait(seen);
    const uint64_t id = header.header.id;
    if (header.header.bytes == RingHeader::kOverSocket) {
      std::lock_guard<std::mutex> lock(mutex_);
      payload = std::move(payloads_[id]);
      payloads_.erase(id);
    }
    const SlotNote note(&board_->layout().worker_op, header.header.op);
    WorkOn(static_cast<Op>(header.header.op), id, payload);
  }
}

void Server::WorkOn(Op op, uint64_t id, const std::string& payload) {
  switch (op) {
    case Op::kSubmit:
      return Submit(id, payload);
    case Op::kTransfer:
      return Transfer(id, payload);
    case Op::kShutdown: {
      {
        std::unordered_map<uint64_t, Object> left;
        std::unique_lock<std::mutex> lock(mutex_);
        idle_.wait(lock, [&] { return background_ == 0; });
        left.swap(objects_);
        lock.unlock();
      }
      plugin_.reset();
      return Reply(id, BRAID_OK);
    }
    default: {
      const Object object = Drop(id);
      // A fence that the host never signalled has to end before it can go.
      if (object.work != nullptr && object.work->server == nullptr && !object.work->signalled.exchange(true))
        object.work->fence.Signal(BRAID_CANCELLED);
      const CacheScope cache(object.cache);
      return;
    }
  }
}

// With a descriptor: in memory of both processes, which the plugin imports.
void Server::Alloc(Op op, uint64_t id, Reader& in, int fd) {
  const auto device = Find(in.Get<uint64_t>()).device;
  const auto object = in.Get<uint64_t>();
  const auto desc = in.Get<braid_buffer_desc>();
  if (fd < 0) {
    auto buffer = device->BufferAlloc(desc.bytes, 0, desc.alignment);
    if (!buffer.ok()) return Reply(id, buffer.status());
    Keep(object, {.buffer = std::make_shared<Buffer>(*std::move(buffer))});
    return Reply(id, BRAID_OK);
  }
  const auto bytes = in.Get<uint64_t>(), offset = in.Get<uint64_t>(), room = in.Get<uint64_t>();
  auto block = SharedBlock::Map(fd, bytes);
  if (!block.ok()) return Reply(id, block.status());
  (*block)->CloseFd();
  if (desc.bytes > device->info().max_buffer)
    return Reply(id, absl::ResourceExhaustedError(
                         absl::StrCat("its buffers have at most ", device->info().max_buffer, " bytes")));
  braid_handle handle = BRAID_HANDLE_INIT;
  handle.kind = BRAID_HANDLE_HOST_POINTER;
  handle.pointer = (*block)->data() + offset;
  handle.bytes = op == Op::kImport ? desc.bytes : room;
  auto buffer = device->BufferImport(handle);
  if (!buffer.ok()) return Reply(id, buffer.status());
  Keep(object, {.block = *std::move(block), .buffer = std::make_shared<Buffer>(*std::move(buffer))});
  Reply(id, BRAID_OK);
}

void Server::Load(uint64_t id) {
  Plugin::LoadOptions options;
  options.cache_dir = cache_;
  // The host checks its own side; what the plugin does with memory shows only here.
  const char* check = secure_getenv("BRAID_CHECK");
  options.check = check != nullptr && *check != '\0' && std::string_view(check) != "0";
  auto plugin = Plugin::Load(library_, options);
  if (!plugin.ok()) return Reply(id, plugin.status());
  plugin_ = *std::move(plugin);
  const braid_plugin& table = plugin_->table();
  const auto slot = [](bool there, Slots bit) { return there ? uint32_t{bit} : 0; };
  const uint32_t has =
      slot(table.device->estimate != nullptr, kEstimateSlot) |
      slot(table.device->link != nullptr, kLinkSlot) |
      slot(table.device->check_blob != nullptr, kCheckBlobSlot) |
      slot(table.device->load_blob != nullptr, kLoadBlobSlot) |
      slot(table.exec->save_blob != nullptr, kSaveBlobSlot) |
      slot(table.fence->cancel != nullptr, kCancelSlot) |
      slot(table.device->buffer_import != nullptr, kImportSlot) |
      slot(table.device->fence_create != nullptr && table.fence->signal != nullptr, kFenceCreateSlot);
  Reply(id, BRAID_OK,
        Writer()
            .Put(table.newest_opset)
            .Put(has)
            .Text(plugin_->id())
            .Text(plugin_->vendor())
            .Text(plugin_->version()));
}

void Server::Enumerate(uint64_t id) {
  auto infos = plugin_->Enumerate();
  if (!infos.ok()) return Reply(id, infos.status());
  Writer out;
  out.Put(static_cast<uint32_t>(infos->size()));
  for (const DeviceInfo& info : *infos) {
    braid_device_info raw = BRAID_DEVICE_INFO_INIT;
    raw.kind = info.kind;
    std::copy(info.uuid.begin(), info.uuid.end(), raw.uuid);
    raw.memory_total = info.memory_total;
    raw.memory_free = info.memory_free;
    raw.alignment = info.alignment;
    raw.max_buffer = info.max_buffer;
    // Host memory of the other process is not ours, and its calls come back before the work is done.
    raw.flags =
        info.flags & ~static_cast<uint32_t>(BRAID_HOST_BINDINGS | BRAID_MEMORY_MAPPABLE | BRAID_SYNCHRONOUS);
    if (Shares(info)) {
      raw.flags |= BRAID_MEMORY_MAPPABLE;
      raw.imports = raw.exports = BRAID_HANDLE_FD | BRAID_HANDLE_MEMFD;
    }
    raw.arithmetic = info.arithmetic;
    raw.queues = info.queues;
    raw.transfer_queue = info.transfer_queue;
    raw.import_alignment = info.import_alignment;
    out.Put(raw).Text(info.name).Text(info.vendor).Text(info.driver);
  }
  Reply(id, BRAID_OK, out);
}

void Server::OnGraph(Op op, uint64_t id, const std::string& payload) {
  Reader in(payload);
  const Object of = Find(in.Get<uint64_t>());
  const auto& device = of.device;
  const CacheScope cache(of.cache);
  const RemoteGraph graph(this, id, BlockOf(in.Get<uint64_t>()));
  auto options = in.Get<braid_compile_options>();
  std::vector<braid_option> list;
  for (uint32_t i = 0; i < options.option_count && in.ok(); ++i) {
    const std::string_view key = in.Bytes(), value = in.Bytes();
    list.push_back({{key.data(), key.size()}, {value.data(), value.size()}});
  }
  options.options = list.data();
  const braid_device_fns& fns = *device->table().device;
  ErrorSink::Clear();
  if (op == Op::kQuery) {
    braid_verdict none{};
    none.code = BRAID_NO_OP;
    none.input = none.attr = none.group = BRAID_NONE;
    std::vector<braid_verdict> verdicts(graph.raw()->node_count, none);
    const braid_status status = AtBoundary([&] {
      return fns.query(device->get(), graph.raw(), &options, verdicts.data(), sizeof(braid_verdict));
    });
    return Reply(id, status, Writer().Bytes(verdicts.data(), verdicts.size() * sizeof(braid_verdict)));
  }
  if (op == Op::kEstimate) {
    const std::string_view nodes = in.Bytes(), ends = in.Bytes();
    std::vector<uint32_t> node_list(nodes.size() / 4), end_list(ends.size() / 4);
    if (!node_list.empty()) std::memcpy(node_list.data(), nodes.data(), node_list.size() * 4);
    if (!end_list.empty()) std::memcpy(end_list.data(), ends.data(), end_list.size() * 4);
    const braid_cost none = BRAID_COST_INIT;
    std::vector<braid_cost> costs(end_list.size(), none);
    const braid_status status = AtBoundary([&] {
      return fns.estimate(device->get(), graph.raw(), &options, node_list.data(), end_list.data(),
                          static_cast<uint32_t>(end_list.size()), costs.data(), sizeof(braid_cost));
    });
    return Reply(id, status, Writer().Bytes(costs.data(), costs.size() * sizeof(braid_cost)));
  }
  const auto object = in.Get<uint64_t>();
  const std::string_view blob = in.Bytes();
  if (op == Op::kCheckBlob)
    return Reply(id, AtBoundary([&] {
                   return fns.check_blob(device->get(), graph.raw(), &options, {blob.data(), blob.size()});
                 }));
  braid_exec* raw = nullptr;
  braid_status status = AtBoundary([&] {
    return op == Op::kCompile
               ? fns.compile(device->get(), graph.raw(), &options, &raw)
               : fns.load_blob(device->get(), graph.raw(), &options, {blob.data(), blob.size()}, &raw);
  });
  if (status == BRAID_OK && raw == nullptr) {
    ErrorSink::Set("OK without an executable");
    status = BRAID_INTERNAL;
  }
  if (status == BRAID_OK) Keep(object, {.device = device, .exec = std::make_shared<Exec>(device, raw)});
  Reply(id, status);
}

}  // namespace braid::isolate
