// SPDX-License-Identifier: Apache-2.0
#include "core/api/session.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/api/values.h"
#include "core/place/explain.h"
#include "core/plugins/registry.h"

namespace braid {

namespace {

// What of BRAID_PLUGIN_PATH counts for nothing: who asks for a device that is not there may have meant it.
std::string LeftOut(Registry& registry) {
  std::string out;
  for (const DirectoryReport& directory : registry.Directories())
    if (directory.origin == "BRAID_PLUGIN_PATH" && !directory.exists)
      absl::StrAppend(&out, "; in BRAID_PLUGIN_PATH '", directory.path, "': ", directory.note);
  return out;
}

std::string Names(const Graph& graph, const std::vector<ValueId>& ids) {
  constexpr size_t kMost = 20;
  const auto last = ids.begin() + static_cast<ptrdiff_t>(std::min(ids.size(), kMost));
  std::string names = absl::StrJoin(ids.begin(), last, ", ", [&](std::string* out, ValueId v) {
    absl::StrAppend(out, "'", graph.values[v].name, "'");
  });
  if (ids.size() > kMost) absl::StrAppend(&names, " and ", ids.size() - kMost, " more");
  return names;
}

// Position among `ids` (the model's inputs or outputs, which `kind` says) of what the i-th of `count` tensors
// stands for: that of its name, or without a name i.
absl::StatusOr<size_t> Which(const Graph& graph, const std::vector<ValueId>& ids,
                             const absl::flat_hash_map<std::string_view, size_t>& by_name,
                             const graph_tensor& tensor, uint32_t i, uint32_t count, const char* kind) {
  if (tensor.size < sizeof(graph_tensor))
    return absl::InvalidArgumentError(
        absl::StrCat(kind, "s[", i, "]: size is ", tensor.size, "; start from GRAPH_TENSOR_INIT"));
  if (tensor.name == nullptr) {
    if (i < ids.size()) return i;
    return absl::InvalidArgumentError(
        absl::StrCat(count, " ", kind, "s were given, the model has ", ids.size(), ": ", Names(graph, ids)));
  }
  const auto found = by_name.find(tensor.name);
  if (found != by_name.end()) return found->second;
  return absl::InvalidArgumentError(
      absl::StrCat("there is no ", kind, " '", tensor.name, "'; the ", kind, "s are ", Names(graph, ids)));
}

}  // namespace

absl::StatusOr<std::vector<std::shared_ptr<Device>>> ChooseDevices(const std::string& list) {
  Registry& registry = Registry::Default();
  std::vector<std::shared_ptr<Device>> all = registry.Devices();
  static std::once_flag loaded;
  std::call_once(loaded, [] { Registry::ReleaseAtExit(); });
  if (all.empty()) return absl::UnimplementedError(registry.WhyNone());
  if (list.empty() || list == "auto") {
    for (auto& device : all) device = registry.Usable(device);
    return all;
  }
  std::vector<std::shared_ptr<Device>> chosen;
  for (absl::string_view part : absl::StrSplit(list, ',', absl::SkipWhitespace())) {
    std::string name(absl::StripAsciiWhitespace(part));
    bool found = false;
    for (auto& device : all) {
      if (device->name() != name && device->plugin()->id() != name) continue;
      found = true;
      device = registry.Usable(device);
      if (std::find(chosen.begin(), chosen.end(), device) == chosen.end()) chosen.push_back(device);
    }
    if (!found) {
      std::string there =
          absl::StrJoin(all, ", ", [](std::string* out, const auto& d) { absl::StrAppend(out, d->name()); });
      std::string why;
      for (const PluginReport& report : registry.Report())
        if (report.id == name)
          why = absl::StrCat("; the plugin is there (", PluginReport::OutcomeName(report.outcome),
                             report.reason.empty() ? ") but has no device" : "): ", report.reason);
      return absl::InvalidArgumentError(
          absl::StrCat("there is no device '", name, "'; there are: ", there, why, LeftOut(registry)));
    }
  }
  if (chosen.empty())
    return absl::InvalidArgumentError(absl::StrCat("the list of devices '", list, "' names none"));
  return chosen;
}

// Of a list of devices, whether there are such plugins. Which devices they have is known once they are
// loaded, which a run does.
absl::Status CheckDeviceList(const std::string& list) {
  if (list.empty() || list == "auto") return absl::OkStatus();
  const std::vector<PluginReport> reports = Registry::Default().Report();
  if (reports.empty()) return absl::OkStatus();  // the run says where was looked
  for (absl::string_view part : absl::StrSplit(list, ',', absl::SkipWhitespace())) {
    part = absl::StripAsciiWhitespace(part);
    const absl::string_view id = part.substr(0, part.find(':'));
    if (std::any_of(reports.begin(), reports.end(), [&](const PluginReport& r) { return r.id == id; }))
      continue;
    std::set<std::string> ids;
    for (const PluginReport& report : reports)
      if (!report.id.empty()) ids.insert(report.id);
    return absl::InvalidArgumentError(absl::StrCat("there is no device '", part, "'; the plugins are ",
                                                   absl::StrJoin(ids, ", "), LeftOut(Registry::Default())));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Session>> Session::Create(std::shared_ptr<const Model> model,
                                                         std::string origin, const graph_options& options) {
  std::unique_ptr<Session> session(new Session(std::move(model), std::move(origin)));
  session->devices_ = options.devices != nullptr ? options.devices : "";
  if (absl::Status s = CheckDeviceList(session->devices_); !s.ok()) return s;
  session->verbose_ = (options.flags & GRAPH_VERBOSE) != 0;
  if ((options.flags & ~GRAPH_VERBOSE) != 0)
    return absl::InvalidArgumentError(
        absl::StrCat("options: flags ", options.flags, " has bits that mean nothing"));
  if (options.precision < GRAPH_PRECISION_EXACT || options.precision > GRAPH_PRECISION_FAST)
    return absl::InvalidArgumentError(
        absl::StrCat("options: precision ", options.precision, " is none of GRAPH_PRECISION_*"));
  if (options.threads < 0)
    return absl::InvalidArgumentError(absl::StrCat("options: threads is ", options.threads,
                                                   "; it is a number, or 0 for as many as there are cores"));
  if (options.cache_folder != nullptr) {
    if (*options.cache_folder != '\0' && *options.cache_folder != '/')
      return absl::InvalidArgumentError(
          absl::StrCat("options: cache_folder '", options.cache_folder, "' is not an absolute path"));
    session->cache_folder_ = options.cache_folder;
  }
  if (absl::Status s = session->SetDeviceOptions(options.device_options); !s.ok()) return s;
  session->place_.compile.memory_limit = options.memory_limit;
  session->place_.compile_timeout_ns = options.compile_timeout_ns;
  session->place_.compile.precision = options.precision;
  session->place_.compile.threads = options.threads;
  std::string placement = options.placement != nullptr ? options.placement : "auto";
  if (placement.rfind("random:", 0) == 0) {
    session->place_.random = true;
    if (!absl::SimpleAtoi(placement.substr(7), &session->place_.seed))
      return absl::InvalidArgumentError(
          absl::StrCat("options: placement '", placement, "': the seed is no number"));
  } else if (placement != "auto" && !placement.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("options: placement '", placement, "' is neither 'auto' nor 'random:SEED'"));
  }
  const Graph& g = session->graph();
  for (size_t k = 0; k < g.inputs.size(); ++k) session->input_of_.emplace(g.values[g.inputs[k]].name, k);
  for (size_t k = 0; k < g.outputs.size(); ++k) session->output_of_.emplace(g.values[g.outputs[k]].name, k);
  session->defaults_.resize(g.inputs.size());
  session->default_dims_.resize(g.inputs.size());
  for (size_t i = 0; i < g.inputs.size() && i < g.input_defaults.size(); ++i) {
    if (g.input_defaults[i] == nullptr) continue;
    const Type& type = g.values[g.inputs[i]].type;
    for (const Dim& d : type.dims) session->default_dims_[i].push_back(d.value);
    RunInput& in = session->defaults_[i];
    in.type = type.element;
    in.rank = static_cast<int32_t>(type.dims.size());
    in.dims = session->default_dims_[i].data();
    in.data = g.input_defaults[i]->data;
    in.bytes = g.input_defaults[i]->bytes;
  }
  return session;
}

absl::Status Session::SetDeviceOptions(const char* const* options) {
  for (; options != nullptr && *options != nullptr; ++options) {
    DeviceOption option{*options, "", -1, "", ""};
    const absl::string_view text = option.text;
    const size_t equals = text.find('='), colon = text.find(':');
    if (equals == absl::string_view::npos || colon == absl::string_view::npos || colon > equals || colon == 0)
      return absl::InvalidArgumentError(absl::StrCat("options: device option '", text,
                                                     "' is not PLUGIN:KEY=VALUE or PLUGIN:INDEX:KEY=VALUE"));
    option.plugin = std::string(text.substr(0, colon));
    absl::string_view key = text.substr(colon + 1, equals - colon - 1);
    if (const size_t second = key.find(':');
        second != absl::string_view::npos && absl::SimpleAtoi(key.substr(0, second), &option.index))
      key = key.substr(second + 1);
    if (key.empty() || option.index < -1)
      return absl::InvalidArgumentError(absl::StrCat("options: device option '", text, "' has no key"));
    option.key = std::string(key);
    option.value = std::string(text.substr(equals + 1));
    device_options_.push_back(std::move(option));
  }
  return absl::OkStatus();
}

// The process's devices, or devices of this session's own where its options ask for other than the usual.
absl::StatusOr<std::vector<std::shared_ptr<Device>>> Session::OpenDevices() const {
  auto devices = ChooseDevices(devices_);
  if (!devices.ok()) return devices;
  std::vector<Options> vendor(devices->size());
  std::vector<bool> isolated(devices->size(), false);
  for (const DeviceOption& option : device_options_) {
    bool used = false;
    for (size_t d = 0; d < devices->size(); ++d) {
      const Device& device = *(*devices)[d];
      if (device.plugin()->id() != option.plugin || (option.index >= 0 && device.index() != option.index))
        continue;
      used = true;
      // Braid's own; every other key is the vendor's.
      if (option.key == "isolation") {
        if (option.value != "process")
          return absl::InvalidArgumentError(
              absl::StrCat("options: device option '", option.text, "': isolation can only be 'process'"));
        isolated[d] = true;
        continue;
      }
      vendor[d].push_back({option.key, option.value});
    }
    if (!used)
      return absl::InvalidArgumentError(absl::StrCat(
          "options: device option '", option.text, "': no such device is used; there are ",
          absl::StrJoin(*devices, ", ",
                        [](std::string* out, const auto& d) { absl::StrAppend(out, d->name()); })));
  }
  for (size_t d = 0; d < devices->size(); ++d) {
    if (vendor[d].empty() && !cache_folder_.has_value() && !isolated[d]) continue;
    auto plugin = absl::StatusOr<std::shared_ptr<Plugin>>((*devices)[d]->plugin());
    if (isolated[d]) plugin = Registry::Default().Isolated(*plugin);
    if (!plugin.ok()) return plugin.status();
    auto own = (*plugin)->MakeDevice((*devices)[d]->index(), vendor[d], cache_folder_);
    // One whose process is not to be started now is left out of the graph's runs, which say why. So long its
    // place is held by the device as the registry knows it, whose info is the same.
    if (!own.ok() && isolated[d] && absl::IsUnavailable(own.status()))
      own = std::make_shared<Device>(*plugin, (*devices)[d]->index(), (*devices)[d]->info(), vendor[d],
                                     cache_folder_);
    if (!own.ok()) return own.status();
    (*devices)[d] = *std::move(own);
  }
  return devices;
}

Session::~Session() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return requests_ == 0; });
}

void Session::BeginRequest() {
  std::lock_guard lock(mutex_);
  ++requests_;
}

void Session::EndRequest() {
  std::lock_guard lock(mutex_);
  --requests_;
  idle_.notify_all();
}

absl::Status Session::Annotate(const absl::Status& status) const {
  if (status.ok()) return status;
  // PENDING means that a run has not ended: of a device that has answered so it is a fault.
  const auto code = absl::IsAborted(status) ? absl::StatusCode::kInternal : status.code();
  return absl::Status(code, absl::StrCat(origin_, ": ", status.message()));
}

absl::StatusOr<std::shared_ptr<Runner>> Session::runner() {
  std::lock_guard lock(mutex_);
  if (runner_ != nullptr) return runner_;
  auto devices = OpenDevices();
  if (!devices.ok()) return devices.status();
  auto context = std::make_shared<RunContext>();
  context->devices = *std::move(devices);
  context->place = place_;
  runner_ = std::make_shared<Runner>(model_, std::move(context), false);
  return runner_;
}

void Session::Renew(const std::shared_ptr<Runner>& runner) {
  std::lock_guard lock(mutex_);
  if (runner_ == runner) runner_ = nullptr;
}

std::unique_ptr<Session::Call> Session::TakeCall() {
  std::lock_guard lock(mutex_);
  if (calls_.empty()) return std::make_unique<Call>();
  auto call = std::move(calls_.back());
  calls_.pop_back();
  return call;
}

void Session::GiveCall(std::unique_ptr<Call> call) {
  call->dense.clear();
  call->values.clear();
  std::lock_guard lock(mutex_);
  calls_.push_back(std::move(call));
}

absl::Status Session::MatchInputs(const graph_tensor* inputs, uint32_t count, bool with_data, Call* call) {
  const Graph& g = graph();
  if (count > 0 && inputs == nullptr)
    return absl::InvalidArgumentError(absl::StrCat("inputs is NULL, input_count is ", count));
  call->inputs.assign(g.inputs.size(), RunInput());
  call->given.assign(g.inputs.size(), nullptr);
  for (uint32_t i = 0; i < count; ++i) {
    const graph_tensor& t = inputs[i];
    auto which = Which(g, g.inputs, input_of_, t, i, count, "input");
    if (!which.ok()) return which.status();
    const size_t k = *which;
    if (call->given[k] != nullptr)
      return absl::InvalidArgumentError(
          absl::StrCat("input '", g.values[g.inputs[k]].name, "' was given twice"));
    call->given[k] = &t;
    if (absl::Status s = ToRunInput(t, &call->inputs[k], &call->dense, &call->values); !s.ok())
      return absl::Status(s.code(), absl::StrCat("input '", g.values[g.inputs[k]].name, "': ", s.message()));
    if (with_data && t.kind == GRAPH_TENSOR && t.data == nullptr && t.buffer == nullptr &&
        call->inputs[k].bytes > 0)
      return absl::InvalidArgumentError(
          absl::StrCat("input '", g.values[g.inputs[k]].name, "': data is NULL"));
  }
  for (size_t k = 0; k < g.inputs.size(); ++k) {
    if (call->given[k] != nullptr) continue;
    const Value& value = g.values[g.inputs[k]];
    if (defaults_[k].data == nullptr)
      return absl::InvalidArgumentError(
          absl::StrCat("input '", value.name, "' (", TypeString(value.type, g.symbols), ") was not given"));
    call->inputs[k] = defaults_[k];
  }
  return absl::OkStatus();
}

absl::Status Session::MatchOutputs(const graph_tensor* outputs, uint32_t count, Call* call) {
  const Graph& g = graph();
  if (count > 0 && outputs == nullptr)
    return absl::InvalidArgumentError(absl::StrCat("outputs is NULL, output_count is ", count));
  call->outputs.resize(g.outputs.size());
  call->asked.assign(g.outputs.size(), -1);
  call->taken.clear();
  for (RunOutput& out : call->outputs) {
    out = RunOutput();
    out.wanted = false;
  }
  for (uint32_t i = 0; i < count; ++i) {
    const graph_tensor& t = outputs[i];
    auto which = Which(g, g.outputs, output_of_, t, i, count, "output");
    if (!which.ok()) return which.status();
    const size_t k = *which;
    const std::string& name = g.values[g.outputs[k]].name;
    if (call->asked[k] >= 0)
      return absl::InvalidArgumentError(absl::StrCat("output '", name, "' was asked for twice"));
    if (t.owner != nullptr)
      return absl::InvalidArgumentError(absl::StrCat(
          "output '", name, "' still holds the result of a run: call graph_tensor_release first"));
    call->asked[k] = i;
    RunOutput& out = call->outputs[k];
    out.wanted = true;
    out.data = t.buffer == nullptr ? t.data : nullptr;
    if (t.buffer != nullptr && t.buffer->host == nullptr) out.buffer = &t.buffer->buffer;
    out.offset = t.offset;
    out.room = t.bytes;
    if (t.buffer != nullptr) {
      if (absl::Status offset = CheckOffset(t); !offset.ok())
        return absl::InvalidArgumentError(absl::StrCat("output '", name, "': ", offset.message()));
      out.room = t.buffer->buffer.bytes() - t.offset;
      if (t.buffer->host != nullptr) out.data = t.buffer->host + t.offset;
    }
    if (out.room > 0 && out.buffer != nullptr) {
      call->taken.push_back({out.buffer, out.offset, t.bytes > 0 ? std::min(t.bytes, out.room) : 1, k});
    } else if (out.room > 0 && out.data != nullptr) {
      const uint64_t room = t.buffer == nullptr ? out.room : t.bytes > 0 ? std::min(t.bytes, out.room) : 1;
      call->taken.push_back({nullptr, reinterpret_cast<uintptr_t>(out.data), room, k});
    }
  }
  if (call->taken.size() < 2) return absl::OkStatus();
  std::sort(call->taken.begin(), call->taken.end(), [](const Call::Range& a, const Call::Range& b) {
    return std::pair(a.buffer, a.begin) < std::pair(b.buffer, b.begin);
  });
  for (size_t i = 1; i < call->taken.size(); ++i) {
    const Call::Range &a = call->taken[i - 1], &b = call->taken[i];
    if (a.buffer == b.buffer && b.begin - a.begin < a.bytes)
      return absl::InvalidArgumentError(absl::StrCat("outputs '", g.values[g.outputs[a.output]].name,
                                                     "' and '", g.values[g.outputs[b.output]].name,
                                                     "' are to be written to the same memory"));
  }
  return absl::OkStatus();
}

absl::Status Session::Prepare(const graph_tensor* inputs, uint32_t input_count) {
  auto r = runner();
  if (!r.ok()) return r.status();
  auto call = TakeCall();
  absl::Status status = MatchInputs(inputs, input_count, false, call.get());
  if (status.ok()) status = MatchOutputs(nullptr, 0, call.get());
  if (status.ok()) status = (*r)->Prepare(call->inputs, call->outputs);
  GiveCall(std::move(call));
  if (status.ok() && verbose_) TellOnce(**r);
  if (!status.ok() && (*r)->gave_up()) Renew(*r);
  return Annotate(status);
}

absl::Status Session::Run(const graph_tensor* inputs, uint32_t input_count, graph_tensor* outputs,
                          uint32_t output_count, RunControl* control) {
  auto r = runner();
  if (!r.ok()) return r.status();
  auto call = TakeCall();
  absl::Status status = MatchInputs(inputs, input_count, true, call.get());
  if (status.ok()) status = MatchOutputs(outputs, output_count, call.get());
  if (status.ok()) status = (*r)->Run(call->inputs, absl::MakeSpan(call->outputs), control);
  // Shapes are told even where the memory was too small, so that the caller can make it larger.
  if (status.ok() || status.code() == absl::StatusCode::kOutOfRange)
    for (size_t k = 0; k < call->outputs.size(); ++k)
      if (call->asked[k] >= 0)
        FromRunOutput(graph().values[graph().outputs[k]].type, status.ok(), &call->outputs[k],
                      &outputs[call->asked[k]]);
  GiveCall(std::move(call));
  if (status.ok()) {
    static std::once_flag ran;
    std::call_once(ran, [] { Registry::ReleaseAtExit(); });
  }
  if (status.ok() && verbose_) TellOnce(**r);
  if (!status.ok() && (*r)->gave_up()) Renew(*r);
  return status.ok() ? status : Annotate(status);
}

void Session::TellOnce(const Runner& runner) {
  constexpr size_t kReasons = 8;
  auto spec = runner.last();
  if (spec == nullptr || spec->told.exchange(true)) return;
  std::fprintf(stderr, "braid: %s: %s\n%s", origin_.c_str(), SummaryOf(spec->placement).c_str(),
               ReasonsOf(spec->placement, kReasons).c_str());
}

absl::StatusOr<const char*> Session::Explain(int32_t format) {
  auto text = Explanation(format);
  if (!text.ok()) return text.status();
  std::lock_guard lock(mutex_);
  std::string& kept = explained_[std::this_thread::get_id()];
  kept = *std::move(text);
  return kept.c_str();
}

absl::StatusOr<std::string> Session::Explanation(int32_t format) {
  if (format < GRAPH_EXPLAIN_SUMMARY || format > GRAPH_EXPLAIN_JSON)
    return absl::InvalidArgumentError(absl::StrCat("format ", format, " is none of GRAPH_EXPLAIN_*"));
  std::shared_ptr<Specialisation> spec;
  {
    std::lock_guard lock(mutex_);
    if (runner_ != nullptr) spec = runner_->last();
  }
  if (spec == nullptr) {
    constexpr char kNothing[] = "nothing has been placed yet: graph_run or graph_prepare does that";
    if (format != GRAPH_EXPLAIN_JSON) return kNothing;
    return absl::StrCat("{\"summary\": \"", kNothing,
                        "\", \"devices\": [], \"segments\": [], \"nodes\": []}");
  }
  switch (format) {
    case GRAPH_EXPLAIN_SUMMARY:
      return SummaryOf(spec->placement);
    case GRAPH_EXPLAIN_TEXT:
      return TextOf(spec->placement);
    default:
      return JsonOf(spec->placement);
  }
}

}  // namespace braid
