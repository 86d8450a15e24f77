// SPDX-License-Identifier: Apache-2.0
//
// A plugin that is served by another process (plugin_host.cc), and when that process is started again.
#include "core/plugins/isolate/isolate.h"

#include <unistd.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/plugins/host.h"
#include "core/plugins/isolate/client.h"
#include "core/plugins/isolate/connection.h"
#include "core/plugins/isolate/restarts.h"

namespace braid {
namespace isolate {
namespace {

class Layer : public PluginLayer {
 public:
  Layer(std::string library, std::string cache_dir)
      : library_(std::move(library)),
        cache_dir_(std::move(cache_dir)),
        restarts_(std::make_shared<Restarts>(RestartLimits::FromEnvironment())) {}

  // A process that is there: a new one if the last was lost and that is not to be left alone.
  absl::StatusOr<std::shared_ptr<Connection>> Connect() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (connection_ != nullptr && !connection_->lost()) return connection_;
    if (const std::string why = restarts_->Refusal(HostNow()); !why.empty())
      return absl::UnavailableError(why);
    if (const uint64_t pause = restarts_->Pause(HostNow()); pause > 0)
      usleep(static_cast<useconds_t>(pause / 1000));
    auto connection = Connection::Start(library_, cache_dir_, [restarts = restarts_](const std::string& why) {
      restarts->Died(HostNow(), why);
    });
    if (!connection.ok()) return connection.status();
    std::string result;
    ErrorSink::Clear();
    const braid_status status = (*connection)->Call(Op::kHello, Writer(), &result);
    if (status != BRAID_OK) return ToAbsl(status, ErrorSink::Take());
    Reader in(result);
    const auto opset = in.Get<int32_t>();
    const auto has = in.Get<uint32_t>();
    const std::string id(in.Bytes()), vendor(in.Bytes()), version(in.Bytes());
    if (!in.ok())
      return absl::InternalError(absl::StrCat(library_, ": its process gave an answer that cannot be"));
    (*connection)->set_name(id);
    if (restarts_->OnTrial()) {
      if (absl::Status well = IsWell(**connection); !well.ok()) {
        if (!(*connection)->lost()) restarts_->Died(HostNow(), std::string(well.message()));
        return well;
      }
      restarts_->Good();
    }
    if (connection_ == nullptr) Describe(opset, has, id, vendor, version);
    connection_ = *connection;
    return connection_;
  }

  std::string state() const override {
    if (const std::string why = restarts_->Refusal(HostNow()); !why.empty()) return why;
    const uint64_t deaths = restarts_->deaths();
    if (deaths == 0) return "in a process of its own";
    return absl::StrCat("in a process of its own, which ended ", deaths, deaths == 1 ? " time" : " times");
  }

  const braid_plugin* table() override { return &table_; }
  // A string that lives as long as the plugin.
  braid_str Keep(std::string_view text) {
    std::lock_guard<std::mutex> lock(strings_mutex_);
    for (const std::string& s : strings_)
      if (s == text) return {s.data(), s.size()};
    strings_.emplace_back(text);
    return {strings_.back().data(), strings_.back().size()};
  }
  void Close() {
    std::lock_guard<std::mutex> lock(mutex_);
    // A plugin that does not end in time is ended: a second, and the grace of a deadline.
    constexpr uint64_t kPatienceNs = 1'000'000'000;
    if (connection_ != nullptr && !connection_->lost())
      (void)connection_->Call(Op::kShutdown, Writer(), nullptr, nullptr, HostNow() + kPatienceNs);
    connection_.reset();
  }

 private:
  void Describe(int32_t opset, uint32_t has, const std::string& id, const std::string& vendor,
                const std::string& version);
  // Opens its first device, if there is one, and asks how it is.
  static absl::Status IsWell(Connection& connection) {
    std::string result;
    ErrorSink::Clear();
    braid_status status = connection.Call(Op::kEnumerate, Writer(), &result);
    if (status == BRAID_OK && Reader(result).Get<uint32_t>() == 0) return absl::OkStatus();
    const uint64_t id = connection.NewId();
    if (status == BRAID_OK)
      status = connection.Call(Op::kOpen, Writer().Put(id).Put(uint32_t{0}).Put(uint32_t{0}).Put(uint32_t{0}),
                               &result);
    if (status == BRAID_OK) status = connection.Call(Op::kHealth, Writer().Put(id), &result);
    if (status == BRAID_OK) connection.TellInOrder(Op::kClose, id);
    return ToAbsl(status, ErrorSink::Take());
  }
  const std::string library_, cache_dir_;
  const std::shared_ptr<Restarts> restarts_;
  std::mutex mutex_, strings_mutex_;
  std::shared_ptr<Connection> connection_;
  std::deque<std::string> strings_;
  braid_plugin table_ = BRAID_PLUGIN_INIT;
  braid_device_fns device_ = BRAID_DEVICE_FNS_INIT;
  braid_exec_fns exec_ = BRAID_EXEC_FNS_INIT;
  braid_fence_fns fence_ = BRAID_FENCE_FNS_INIT;
};

Layer* LayerOf(const braid_plugin* p) { return static_cast<Layer*>(p->data); }

braid_status Failed(const absl::Status& status) {
  ErrorSink::Set(std::string(status.message()));
  return FromAbsl(status);
}

braid_status BRAID_CALL PluginEnumerate(const braid_plugin* p, uint32_t capacity, void* infos,
                                        uint32_t stride, uint32_t* count) {
  auto connection = LayerOf(p)->Connect();
  if (!connection.ok()) return Failed(connection.status());
  std::string result;
  const braid_status status = (*connection)->Call(Op::kEnumerate, Writer(), &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  *count = in.Get<uint32_t>();
  for (uint32_t i = 0; i < *count && in.ok(); ++i) {
    auto info = in.Get<braid_device_info>();
    info.name = LayerOf(p)->Keep(in.Bytes());
    info.vendor = LayerOf(p)->Keep(in.Bytes());
    info.driver = LayerOf(p)->Keep(in.Bytes());
    if (i >= capacity) continue;
    info.size = std::min<uint32_t>(stride, sizeof info);
    std::memcpy(static_cast<char*>(infos) + uint64_t{stride} * i, &info, info.size);
  }
  return in.ok() ? BRAID_OK : Garbled();
}

braid_status BRAID_CALL PluginOpen(const braid_plugin* p, uint32_t index, const braid_open_options* options,
                                   braid_device** out) {
  auto connection = LayerOf(p)->Connect();
  if (!connection.ok()) return Failed(connection.status());
  const uint64_t id = (*connection)->NewId();
  Writer message;
  const std::string* cache = CacheScope::Folder();
  message.Put(id).Put(index).Put(cache == nullptr ? 0u : 1u);
  if (cache != nullptr) message.Text(*cache);
  message.Put(options == nullptr ? 0u : options->option_count);
  for (uint32_t i = 0; options != nullptr && i < options->option_count; ++i) {
    const braid_option& o = options->options[i];
    message.Bytes(o.key.ptr, o.key.len).Bytes(o.value.ptr, o.value.len);
  }
  std::string result;
  const braid_status status = (*connection)->Call(Op::kOpen, message, &result);
  if (status != BRAID_OK) return status;
  Reader in(result);
  const auto shares = in.Get<uint32_t>(), all = in.Get<uint32_t>();
  const auto unit = in.Get<uint64_t>();
  if (!in.ok()) return Garbled();
  *out = reinterpret_cast<braid_device*>(
      new ClientDevice{*connection, id, shares != 0, all != 0, std::max<uint64_t>(unit, 1)});
  return BRAID_OK;
}

const void* BRAID_CALL PluginExtension(const braid_plugin*, const char*) { return nullptr; }
void BRAID_CALL PluginShutdown(const braid_plugin* p) { LayerOf(p)->Close(); }

void Layer::Describe(int32_t opset, uint32_t has, const std::string& id, const std::string& vendor,
                     const std::string& version) {
  table_.abi = BRAID_ABI;
  table_.data = this;
  table_.id = Keep(id);
  table_.vendor = Keep(vendor);
  table_.version = Keep(version);
  table_.newest_opset = opset;
  table_.enumerate = PluginEnumerate;
  table_.open = PluginOpen;
  table_.device = &device_;
  table_.exec = &exec_;
  table_.fence = &fence_;
  table_.get_extension = PluginExtension;
  table_.shutdown = PluginShutdown;
  SetDeviceSlots(has, &device_);
  SetExecSlots(has, &exec_);
  SetFenceSlots(has, &fence_);
}

}  // namespace
}  // namespace isolate

IsolationTraffic CountIsolation() {
  return {isolate::AllTraffic().copied.load(), isolate::AllTraffic().messages.load()};
}

absl::StatusOr<std::shared_ptr<PluginLayer>> LoadIsolated(const std::string& library,
                                                          const std::string& cache_dir) {
  auto layer = std::make_shared<isolate::Layer>(library, cache_dir);
  if (auto connection = layer->Connect(); !connection.ok()) return connection.status();
  return layer;
}

}  // namespace braid
