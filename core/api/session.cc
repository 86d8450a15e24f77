// SPDX-License-Identifier: Apache-2.0
#include "core/api/session.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/api/values.h"
#include "core/place/explain.h"
#include "core/plugins/registry.h"

namespace braid {

namespace {

std::string Names(const Graph& graph, const std::vector<ValueId>& ids) {
  return absl::StrJoin(
      ids, ", ", [&](std::string* out, ValueId v) { absl::StrAppend(out, "'", graph.values[v].name, "'"); });
}

// Position among `ids` (the model's inputs or outputs, which `kind` says) of what the i-th of `count` tensors
// stands for: that of its name, or without a name i.
absl::StatusOr<size_t> Which(const Graph& graph, const std::vector<ValueId>& ids, const graph_tensor& tensor,
                             uint32_t i, uint32_t count, const char* kind) {
  if (tensor.size < sizeof(graph_tensor))
    return absl::InvalidArgumentError(
        absl::StrCat(kind, "s[", i, "]: size is ", tensor.size, "; start from GRAPH_TENSOR_INIT"));
  if (tensor.name == nullptr) {
    if (i < ids.size()) return i;
    return absl::InvalidArgumentError(
        absl::StrCat(count, " ", kind, "s were given, the model has ", ids.size(), ": ", Names(graph, ids)));
  }
  for (size_t k = 0; k < ids.size(); ++k)
    if (graph.values[ids[k]].name == tensor.name) return k;
  return absl::InvalidArgumentError(
      absl::StrCat("there is no ", kind, " '", tensor.name, "'; the ", kind, "s are ", Names(graph, ids)));
}

}  // namespace

absl::StatusOr<std::vector<std::shared_ptr<Device>>> ChooseDevices(const std::string& list) {
  Registry& registry = Registry::Default();
  std::vector<std::shared_ptr<Device>> all = registry.Devices();
  if (all.empty()) return absl::FailedPreconditionError(registry.WhyNone());
  if (list.empty() || list == "auto") return all;
  std::vector<std::shared_ptr<Device>> chosen;
  for (absl::string_view part : absl::StrSplit(list, ',', absl::SkipWhitespace())) {
    std::string name(absl::StripAsciiWhitespace(part));
    bool found = false;
    for (const auto& device : all) {
      if (device->name() != name && device->plugin()->id() != name) continue;
      found = true;
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
          absl::StrCat("there is no device '", name, "'; there are: ", there, why));
    }
  }
  if (chosen.empty())
    return absl::InvalidArgumentError(absl::StrCat("the list of devices '", list, "' names none"));
  return chosen;
}

absl::StatusOr<std::unique_ptr<Session>> Session::Create(std::shared_ptr<const Model> model,
                                                         std::string origin, const graph_options& options) {
  std::unique_ptr<Session> session(new Session(std::move(model), std::move(origin)));
  session->devices_ = options.devices != nullptr ? options.devices : "";
  session->verbose_ = (options.flags & GRAPH_VERBOSE) != 0;
  if ((options.flags & ~GRAPH_VERBOSE) != 0)
    return absl::InvalidArgumentError(
        absl::StrCat("options: flags ", options.flags, " has bits that mean nothing"));
  if (options.precision < GRAPH_PRECISION_EXACT || options.precision > GRAPH_PRECISION_FAST)
    return absl::InvalidArgumentError(
        absl::StrCat("options: precision ", options.precision, " is none of GRAPH_PRECISION_*"));
  if (options.threads < 0)
    return absl::InvalidArgumentError(absl::StrCat("options: threads is ", options.threads));
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
  return absl::Status(status.code(), absl::StrCat(origin_, ": ", status.message()));
}

absl::StatusOr<Runner*> Session::runner() {
  std::lock_guard lock(mutex_);
  if (runner_ != nullptr) return runner_.get();
  auto devices = ChooseDevices(devices_);
  if (!devices.ok()) return devices.status();
  context_ = std::make_shared<RunContext>();
  context_->devices = *std::move(devices);
  context_->place = place_;
  runner_ = std::make_unique<Runner>(model_, context_, false);
  return runner_.get();
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
    auto which = Which(g, g.inputs, t, i, count, "input");
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
  for (RunOutput& out : call->outputs) {
    out = RunOutput();
    out.wanted = false;
  }
  for (uint32_t i = 0; i < count; ++i) {
    const graph_tensor& t = outputs[i];
    auto which = Which(g, g.outputs, t, i, count, "output");
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
      const uint64_t bytes = t.buffer->buffer.bytes();
      if (t.offset > bytes)
        return absl::InvalidArgumentError(absl::StrCat("output '", name, "': offset ", t.offset,
                                                       " is beyond its buffer of ", bytes, " bytes"));
      out.room = bytes - t.offset;
      if (t.buffer->host != nullptr) out.data = t.buffer->host + t.offset;
    }
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
  if (status.ok() && verbose_) TellOnce();
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
  if (status.ok() && verbose_) TellOnce();
  return status.ok() ? status : Annotate(status);
}

void Session::TellOnce() {
  auto spec = runner_->last();
  {
    std::lock_guard lock(mutex_);
    if (spec == nullptr || spec.get() == told_) return;
    told_ = spec.get();
  }
  std::fprintf(stderr, "braid: %s: %s\n", origin_.c_str(), SummaryOf(spec->placement).c_str());
}

absl::StatusOr<std::string> Session::Explain(int32_t format) {
  std::shared_ptr<Specialisation> spec;
  {
    std::lock_guard lock(mutex_);
    if (runner_ != nullptr) spec = runner_->last();
  }
  if (spec == nullptr)
    return absl::FailedPreconditionError(
        "nothing has been placed yet: call graph_run or graph_prepare first");
  switch (format) {
    case GRAPH_EXPLAIN_SUMMARY:
      return SummaryOf(spec->placement);
    case GRAPH_EXPLAIN_TEXT:
      return TextOf(spec->placement);
    case GRAPH_EXPLAIN_JSON:
      return JsonOf(spec->placement);
    default:
      return absl::InvalidArgumentError(absl::StrCat("format ", format, " is none of GRAPH_EXPLAIN_*"));
  }
}

}  // namespace braid
