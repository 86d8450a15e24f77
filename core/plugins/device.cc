// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/device.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <thread>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "core/plugins/host.h"
#include "core/plugins/view.h"

namespace braid {
namespace {

constexpr char kFailedDevice[] = "braid/failed_device";

absl::string_view Text(std::string_view s) { return {s.data(), s.size()}; }

// braid_option arrays of C++ options; valid as long as they are.
std::vector<braid_option> RawOptions(const Options& options) {
  std::vector<braid_option> out;
  for (const auto& [key, value] : options)
    out.push_back({{key.data(), key.size()}, {value.data(), value.size()}});
  return out;
}

struct RawCompileOptions {
  // The device's vendor options, then the compilation's own.
  RawCompileOptions(const Options& of_device, const CompileOptions& o) : vendor(RawOptions(of_device)) {
    for (const braid_option& option : RawOptions(o.vendor)) vendor.push_back(option);
    raw.precision = o.precision;
    raw.threads = o.threads;
    raw.memory_limit = o.memory_limit;
    raw.deadline_ns = o.deadline_ns;
    raw.options = vendor.data();
    raw.option_count = static_cast<uint32_t>(vendor.size());
  }
  std::vector<braid_option> vendor;
  braid_compile_options raw = BRAID_COMPILE_OPTIONS_INIT;
};

braid_str Raw(const std::string& s) { return {s.data(), s.size()}; }

braid_device_info RawInfo(const DeviceInfo& info) {
  braid_device_info raw = BRAID_DEVICE_INFO_INIT;
  raw.kind = info.kind;
  raw.name = Raw(info.name);
  raw.vendor = Raw(info.vendor);
  raw.driver = Raw(info.driver);
  std::copy(info.uuid.begin(), info.uuid.end(), raw.uuid);
  raw.memory_total = info.memory_total;
  raw.memory_free = info.memory_free;
  raw.alignment = info.alignment;
  raw.max_buffer = info.max_buffer;
  raw.flags = info.flags;
  raw.arithmetic = info.arithmetic;
  raw.imports = info.imports;
  raw.exports = info.exports;
  raw.queues = info.queues;
  raw.transfer_queue = info.transfer_queue;
  raw.import_alignment = info.import_alignment;
  return raw;
}

bool PowerOfTwo(uint64_t n) { return n != 0 && (n & (n - 1)) == 0; }

}  // namespace

std::string FailedDevice(const absl::Status& status) {
  const auto payload = status.GetPayload(kFailedDevice);
  return payload.has_value() ? std::string(*payload) : "";
}

braid_status ThrewAtBoundary() noexcept {
  // The exception is looked at where it was caught: its type belongs to the plugin, which stays loaded.
  try {
    try {
      throw;
    } catch (const std::exception& e) {
      ErrorSink::Set(absl::StrCat("an exception left the plugin, which the ABI forbids: ", e.what()));
    } catch (...) {
      ErrorSink::Set("an exception left the plugin, which the ABI forbids");
    }
  } catch (...) {
  }
  return BRAID_INTERNAL;
}

// ---- Buffer ----

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this == &other) return *this;
  Reset();
  device_ = std::move(other.device_);
  handle_ = std::exchange(other.handle_, nullptr);
  bytes_ = std::exchange(other.bytes_, 0);
  mapped_ = std::exchange(other.mapped_, false);
  return *this;
}

void Buffer::Reset() {
  if (handle_ != nullptr) {
    if (mapped_) Unmap();
    braid_buffer* handle = std::exchange(handle_, nullptr);
    AtBoundary([&] { device_->table().device->buffer_free(device_->get(), handle); });
  }
  device_.reset();
  bytes_ = 0;
}

absl::StatusOr<void*> Buffer::Map(uint64_t offset, uint64_t bytes) const {
  if (handle_ == nullptr) return absl::InvalidArgumentError("map: the buffer is empty");
  const braid_device_fns& fns = *device_->table().device;
  if (fns.map == nullptr) return device_->Error(BRAID_UNSUPPORTED, "map");
  ErrorSink::Clear();
  void* out = nullptr;
  const braid_status status =
      AtBoundary([&] { return fns.map(device_->get(), handle_, offset, bytes, &out); });
  if (status != BRAID_OK) return device_->Error(status, "map");
  if (out == nullptr && bytes > 0) {
    ErrorSink::Set("OK without an address");
    return device_->Error(BRAID_INTERNAL, "map");
  }
  mapped_ = true;
  return out;
}

void Buffer::Unmap() const {
  if (handle_ == nullptr || !mapped_) return;
  mapped_ = false;
  AtBoundary([&] { device_->table().device->unmap(device_->get(), handle_); });
}

absl::StatusOr<braid_handle> Buffer::Export(uint32_t kind) const {
  if (handle_ == nullptr) return absl::InvalidArgumentError("export: the buffer is empty");
  const braid_device_fns& fns = *device_->table().device;
  if (fns.buffer_export == nullptr) return device_->Error(BRAID_UNSUPPORTED, "export");
  ErrorSink::Clear();
  braid_handle out = BRAID_HANDLE_INIT;
  const braid_status status =
      AtBoundary([&] { return fns.buffer_export(device_->get(), handle_, kind, &out); });
  if (status != BRAID_OK) return device_->Error(status, "export");
  return out;
}

// ---- Fence ----

Fence& Fence::operator=(Fence&& other) noexcept {
  if (this == &other) return *this;
  Reset();
  device_ = std::move(other.device_);
  handle_ = std::exchange(other.handle_, nullptr);
  return *this;
}

void Fence::Reset() {
  if (handle_ != nullptr) {
    while (Wait(kForever) == BRAID_PENDING) std::this_thread::yield();
    braid_fence* handle = std::exchange(handle_, nullptr);
    AtBoundary([&] { device_->table().fence->destroy(handle); });
  }
  device_.reset();
}

absl::StatusOr<braid_completion> Fence::Completion() const {
  braid_completion out = BRAID_COMPLETION_INIT;
  if (handle_ == nullptr) return out;
  ErrorSink::Clear();
  const braid_status status = AtBoundary([&] { return device_->table().fence->completion(handle_, &out); });
  if (status != BRAID_OK) return device_->Error(status, "completion");
  device_->Note(out.status);
  return out;
}

absl::Status Fence::Result() const {
  if (handle_ == nullptr) return absl::OkStatus();
  while (Wait(kForever) == BRAID_PENDING) std::this_thread::yield();
  auto completion = Completion();
  if (!completion.ok()) return completion.status();
  if (completion->status == BRAID_OK) return absl::OkStatus();
  ErrorSink::Set({completion->text.ptr, completion->text.len});
  return device_->Error(completion->status, "run");
}

void Fence::Cancel() const {
  if (handle_ != nullptr && device_->table().fence->cancel != nullptr)
    AtBoundary([&] { device_->table().fence->cancel(handle_); });
}

// ---- Exec ----

Exec& Exec::operator=(Exec&& other) noexcept {
  if (this == &other) return *this;
  Reset();
  device_ = std::move(other.device_);
  handle_ = std::exchange(other.handle_, nullptr);
  return *this;
}

void Exec::Reset() {
  if (handle_ != nullptr) {
    braid_exec* handle = std::exchange(handle_, nullptr);
    AtBoundary([&] { device_->table().exec->destroy(handle); });
  }
  device_.reset();
}

absl::StatusOr<braid_io_requirements> Exec::IoRequirements(uint32_t value) const {
  ErrorSink::Clear();
  braid_io_requirements out = BRAID_IO_REQUIREMENTS_INIT;
  out.alignment = 1;
  out.may_alias_input = BRAID_NONE;
  const braid_status status =
      AtBoundary([&] { return device_->table().exec->io_requirements(handle_, value, &out); });
  if (status != BRAID_OK) return device_->Error(status, "io_requirements");
  if (out.alignment == 0) out.alignment = 1;
  if (!PowerOfTwo(out.alignment)) {
    ErrorSink::Set(absl::StrCat("alignment ", out.alignment, " of value ", value, " is no power of two"));
    return device_->Error(BRAID_INTERNAL, "io_requirements");
  }
  return out;
}

braid_status Exec::OutputDims(const braid_binding* inputs, uint32_t count, uint32_t output, int32_t* rank,
                              int64_t* dims) const {
  ErrorSink::Clear();
  const braid_status status = device_->Note(AtBoundary([&] {
    return device_->table().exec->output_dims(handle_, inputs, count, sizeof(braid_binding), output, rank,
                                              dims);
  }));
  if (status != BRAID_OK) return status;
  return CheckDims(output, *rank, dims);
}

braid_status Exec::CheckDims(uint32_t value, int32_t rank, const int64_t* dims) {
  if (rank < 0 || rank > static_cast<int32_t>(BRAID_MAX_RANK)) {
    ErrorSink::Set(absl::StrCat("the plugin gave value ", value, " the rank ", rank));
    return BRAID_INTERNAL;
  }
  for (int32_t i = 0; i < rank; ++i) {
    if (dims[i] >= 0) continue;
    ErrorSink::Set(
        absl::StrCat("the plugin gave value ", value, " the extent ", dims[i], " in dimension ", i));
    return BRAID_INTERNAL;
  }
  return BRAID_OK;
}

absl::Status Exec::TakeOutput(const Fence& fence, uint32_t value, Buffer* buffer, int32_t* rank,
                              int64_t* dims) const {
  ErrorSink::Clear();
  braid_buffer* raw = nullptr;
  braid_status status = device_->Note(AtBoundary(
      [&] { return device_->table().exec->take_output(handle_, fence.get(), value, &raw, rank, dims); }));
  if (status == BRAID_OK) {
    if (raw != nullptr) *buffer = Buffer(device_, raw, 0);
    status = CheckDims(value, *rank, dims);
  }
  return status == BRAID_OK ? absl::OkStatus() : device_->Error(status, "take_output");
}

absl::Status Exec::SaveBlob(const std::function<absl::Status(std::string_view)>& write) const {
  const braid_exec_fns& fns = *device_->table().exec;
  if (fns.save_blob == nullptr) return device_->Error(BRAID_UNSUPPORTED, "save_blob");
  ErrorSink::Clear();
  struct Call {
    const std::function<absl::Status(std::string_view)>* write;
    absl::Status first;
  } call{&write, absl::OkStatus()};
  const auto forward = [](void* context, braid_bytes data) noexcept -> braid_status {
    Call* c = static_cast<Call*>(context);
    try {
      if (c->first.ok()) c->first = (*c->write)({static_cast<const char*>(data.ptr), data.len});
    } catch (...) {
      c->first = absl::ResourceExhaustedError("save_blob: out of memory");
    }
    return FromAbsl(c->first);
  };
  const braid_status status = AtBoundary([&] { return fns.save_blob(handle_, &call, forward); });
  if (!call.first.ok()) return call.first;
  return status == BRAID_OK ? absl::OkStatus() : device_->Error(status, "save_blob");
}

// ---- Device ----

Device::Device(std::shared_ptr<Plugin> plugin, uint32_t index, DeviceInfo info, Options vendor,
               std::optional<std::string> cache_folder)
    : plugin_(std::move(plugin)),
      table_(&plugin_->table()),
      index_(index),
      name_(absl::StrCat(plugin_->id(), ":", index)),
      info_(std::move(info)),
      vendor_(std::move(vendor)),
      cache_folder_(std::move(cache_folder)) {}

Device::~Device() {
  if (left_open_.load(std::memory_order_relaxed)) return;
  const CacheScope cache(cache_folder_);
  if (braid_device* handle = get()) AtBoundary([&] { table_->device->close(handle); });
}

absl::Status Device::Open() {
  if (is_open()) return absl::OkStatus();
  std::lock_guard<std::mutex> lock(open_mutex_);
  if (is_open() || !open_status_.ok()) return open_status_;
  ErrorSink::Clear();
  const std::vector<braid_option> options = RawOptions(vendor_);
  braid_open_options raw = BRAID_OPEN_OPTIONS_INIT;
  raw.option_count = static_cast<uint32_t>(options.size());
  raw.options = options.data();
  const CacheScope cache(cache_folder_);
  braid_device* handle = nullptr;
  braid_status status = AtBoundary([&] { return table_->open(plugin_->original_, index_, &raw, &handle); });
  if (status == BRAID_OK && handle == nullptr) {
    ErrorSink::Set("OK without a device");
    status = BRAID_INTERNAL;
  }
  if (status != BRAID_OK) return open_status_ = Error(status, "open");
  handle_.store(handle, std::memory_order_release);
  return absl::OkStatus();
}

absl::Status Device::Error(braid_status status, std::string_view doing) const {
  Note(status);
  constexpr char kLost[] = "the device is lost";
  std::string said = ErrorSink::Take();
  if (status == BRAID_DEVICE_LOST) {
    said = said.empty() || said == kLost ? kLost : absl::StrCat(kLost, ": ", said);
  } else if (said.empty()) {
    said = StatusName(status);
  }
  absl::Status out = ToAbsl(status, absl::StrCat(name_, ": ", Text(doing), ": ", said));
  // A status of a number that nobody knows is INTERNAL.
  switch (out.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnimplemented:
      out.SetPayload(kFailedDevice, absl::Cord(name_));
      break;
    default:
      break;
  }
  return out;
}

absl::StatusOr<std::vector<braid_verdict>> Device::Query(const GraphView& view,
                                                         const CompileOptions& options) {
  if (absl::Status s = Open(); !s.ok()) return s;
  ErrorSink::Clear();
  const RawCompileOptions raw(vendor_, options);
  const CacheScope cache(cache_folder_);
  braid_verdict none{};
  none.code = BRAID_NO_OP;
  none.input = none.attr = none.group = BRAID_NONE;
  std::vector<braid_verdict> verdicts(view.node_count(), none);
  const braid_status status = AtBoundary([&] {
    return table_->device->query(get(), view.raw(), &raw.raw, verdicts.data(), sizeof(braid_verdict));
  });
  if (status != BRAID_OK) return Error(status, "query");
  for (braid_verdict& verdict : verdicts) {
    verdict.detail[sizeof verdict.detail - 1] = '\0';
    const bool known = (verdict.code >= BRAID_YES && verdict.code <= BRAID_NOT_WORTH_IT) ||
                       (verdict.code >= BRAID_NO_OP && verdict.code <= BRAID_NO_RUNTIME_VALUE);
    if (!known) verdict.code = BRAID_NO_OP;
  }
  return verdicts;
}

absl::StatusOr<std::vector<braid_cost>> Device::Estimate(const GraphView& view, const CompileOptions& options,
                                                         absl::Span<const uint32_t> nodes,
                                                         absl::Span<const uint32_t> ends) {
  if (absl::Status s = Open(); !s.ok()) return s;
  ErrorSink::Clear();
  if (table_->device->estimate == nullptr) return Error(BRAID_UNSUPPORTED, "estimate");
  const RawCompileOptions raw(vendor_, options);
  const CacheScope cache(cache_folder_);
  const braid_cost none = BRAID_COST_INIT;
  std::vector<braid_cost> costs(ends.size(), none);
  const braid_status status = AtBoundary([&] {
    return table_->device->estimate(get(), view.raw(), &raw.raw, nodes.data(), ends.data(),
                                    static_cast<uint32_t>(ends.size()), costs.data(), sizeof(braid_cost));
  });
  if (status != BRAID_OK) return Error(status, "estimate");
  return costs;
}

absl::StatusOr<braid_link> Device::Link(const Device& peer) {
  if (absl::Status s = Open(); !s.ok()) return s;
  ErrorSink::Clear();
  if (table_->device->link == nullptr) return Error(BRAID_UNSUPPORTED, "link");
  const braid_device_info info = RawInfo(peer.info());
  braid_link link = BRAID_LINK_INIT;
  link.kind = BRAID_LINK_HOST;
  const braid_status status = AtBoundary([&] { return table_->device->link(get(), &info, &link); });
  if (status != BRAID_OK) return Error(status, "link");
  if (link.kind < BRAID_LINK_NATIVE || link.kind > BRAID_LINK_HOST) link.kind = BRAID_LINK_HOST;
  return link;
}

absl::StatusOr<Exec> Device::Compile(const GraphView& view, const CompileOptions& options) {
  if (absl::Status s = Open(); !s.ok()) return s;
  ErrorSink::Clear();
  const RawCompileOptions raw(vendor_, options);
  const CacheScope cache(cache_folder_);
  braid_exec* exec = nullptr;
  braid_status status =
      AtBoundary([&] { return table_->device->compile(get(), view.raw(), &raw.raw, &exec); });
  if (status == BRAID_OK && exec == nullptr) {
    ErrorSink::Set("OK without an executable");
    status = BRAID_INTERNAL;
  }
  if (status != BRAID_OK) return Error(status, "compile");
  return Exec(shared_from_this(), exec);
}

absl::Status Device::CheckBlob(const GraphView& view, const CompileOptions& options, std::string_view blob) {
  if (absl::Status s = Open(); !s.ok()) return s;
  ErrorSink::Clear();
  if (table_->device->check_blob == nullptr) return Error(BRAID_UNSUPPORTED, "check_blob");
  const RawCompileOptions raw(vendor_, options);
  const CacheScope cache(cache_folder_);
  const braid_status status = AtBoundary([&] {
    return table_->device->check_blob(get(), view.raw(), &raw.raw, {blob.data(), blob.size()});
  });
  return status == BRAID_OK ? absl::OkStatus() : Error(status, "check_blob");
}

absl::StatusOr<Exec> Device::LoadBlob(const GraphView& view, const CompileOptions& options,
                                      std::string_view blob) {
  if (absl::Status s = Open(); !s.ok()) return s;
  ErrorSink::Clear();
  if (table_->device->load_blob == nullptr) return Error(BRAID_UNSUPPORTED, "load_blob");
  const RawCompileOptions raw(vendor_, options);
  const CacheScope cache(cache_folder_);
  braid_exec* exec = nullptr;
  braid_status status = AtBoundary([&] {
    return table_->device->load_blob(get(), view.raw(), &raw.raw, {blob.data(), blob.size()}, &exec);
  });
  if (status == BRAID_OK && exec == nullptr) {
    ErrorSink::Set("OK without an executable");
    status = BRAID_INTERNAL;
  }
  if (status != BRAID_OK) return Error(status, "load_blob");
  return Exec(shared_from_this(), exec);
}

absl::StatusOr<Buffer> Device::BufferAlloc(uint64_t bytes, uint32_t flags, uint64_t alignment,
                                           uint32_t exports) {
  if (absl::Status s = Open(); !s.ok()) return s;
  ErrorSink::Clear();
  if (bytes > info_.max_buffer) {
    ErrorSink::Set(absl::StrCat("its buffers have at most ", info_.max_buffer, " bytes"));
    return Error(BRAID_OUT_OF_MEMORY, absl::StrCat("allocating ", bytes, " bytes"));
  }
  braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
  desc.flags = flags;
  desc.bytes = bytes;
  desc.alignment = alignment != 0 ? alignment : info_.alignment;
  desc.exports = exports;
  braid_buffer* buffer = nullptr;
  braid_status status = AtBoundary([&] { return table_->device->buffer_alloc(get(), &desc, &buffer); });
  if (status == BRAID_OK && buffer == nullptr) {
    ErrorSink::Set("OK without a buffer");
    status = BRAID_INTERNAL;
  }
  if (status != BRAID_OK) return Error(status, absl::StrCat("allocating ", bytes, " bytes"));
  return Buffer(shared_from_this(), buffer, bytes);
}

absl::StatusOr<Buffer> Device::BufferImport(const braid_handle& handle) {
  if (absl::Status s = Open(); !s.ok()) return s;
  ErrorSink::Clear();
  if (table_->device->buffer_import == nullptr) return Error(BRAID_UNSUPPORTED, "import");
  braid_buffer* buffer = nullptr;
  braid_status status = AtBoundary([&] { return table_->device->buffer_import(get(), &handle, &buffer); });
  if (status == BRAID_OK && buffer == nullptr) {
    ErrorSink::Set("OK without a buffer");
    status = BRAID_INTERNAL;
  }
  if (status != BRAID_OK) return Error(status, "import");
  return Buffer(shared_from_this(), buffer, handle.bytes);
}

absl::StatusOr<Fence> Device::FenceCreate() {
  if (absl::Status s = Open(); !s.ok()) return s;
  ErrorSink::Clear();
  if (table_->device->fence_create == nullptr) return Error(BRAID_UNSUPPORTED, "fence_create");
  braid_fence* fence = nullptr;
  braid_status status = AtBoundary([&] { return table_->device->fence_create(get(), &fence); });
  if (status == BRAID_OK && fence == nullptr) {
    ErrorSink::Set("OK without a fence");
    status = BRAID_INTERNAL;
  }
  if (status != BRAID_OK) return Error(status, "fence_create");
  return Fence(shared_from_this(), fence);
}

absl::StatusOr<braid_health> Device::Health() {
  if (absl::Status s = Open(); !s.ok()) return s;
  ErrorSink::Clear();
  braid_health health = BRAID_HEALTH_INIT;
  const braid_status status = AtBoundary([&] { return table_->device->health(get(), &health); });
  if (status != BRAID_OK) return Error(status, "health");
  return health;
}

}  // namespace braid
