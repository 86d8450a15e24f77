// SPDX-License-Identifier: Apache-2.0
#include "core/run/runner.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "core/graph/names.h"
#include "core/plugins/host.h"
#include "core/run/frame.h"

namespace braid {
namespace {

// A graph that meets more shapes than this forgets those it used longest ago; a body goes over to one general
// form.
constexpr size_t kMaxSpecialisations = 16;
constexpr size_t kMaxBodySpecialisations = 4;

std::string DimsText(int32_t rank, const int64_t* dims) {
  return absl::StrCat("[", absl::StrJoin(absl::MakeSpan(dims, static_cast<size_t>(rank)), ","), "]");
}

std::string NameOf(ElementType type) {
  const char* name = BriefTypeName(type);
  return name != nullptr ? name : absl::StrCat("type ", type);
}

absl::Status CheckDims(const Type& type, const Graph& graph, absl::Span<const int64_t> dims) {
  if (!type.has_shape) return absl::OkStatus();
  const auto text = [&] { return DimsText(static_cast<int32_t>(dims.size()), dims.data()); };
  if (dims.size() != type.dims.size())
    return absl::InvalidArgumentError(absl::StrCat("the model wants ", TypeString(type, graph.symbols),
                                                   " (rank ", type.dims.size(), "), ", text(), " (rank ",
                                                   dims.size(), ") was given"));
  for (size_t i = 0; i < dims.size(); ++i)
    if (const int64_t d = type.dims[i].value; d >= 0 && d != dims[i])
      return absl::InvalidArgumentError(absl::StrCat("the model wants ", TypeString(type, graph.symbols),
                                                     ", ", text(), " was given: extent ", i, " differs"));
  return absl::OkStatus();
}

const char* KindName(ValueKind kind) {
  switch (kind) {
    case ValueKind::kTensor:
      return "a tensor";
    case ValueKind::kSequence:
      return "a sequence";
    case ValueKind::kOptional:
      return "an optional";
    case ValueKind::kMap:
      return "a map";
    case ValueKind::kSparseTensor:
      return "a sparse tensor";
  }
  return "?";
}

// Whether a value fits its type; the parts' own sense was seen to where it came in.
absl::Status CheckValue(const Type& type, const Graph& graph, const RunValue& value) {
  // What is no optional is one that has it.
  if (type.kind == ValueKind::kOptional && value.kind != ValueKind::kOptional && type.item != nullptr)
    return CheckValue(*type.item, graph, value);
  if (value.kind != type.kind)
    return absl::InvalidArgumentError(absl::StrCat("the model wants ", TypeString(type, graph.symbols), ", ",
                                                   KindName(value.kind), " was given"));
  switch (type.kind) {
    case ValueKind::kTensor:
    case ValueKind::kSparseTensor:
      if (type.element != 0 && value.tensor.type != type.element)
        return absl::InvalidArgumentError(absl::StrCat("the model wants ", NameOf(type.element), ", ",
                                                       NameOf(value.tensor.type), " was given"));
      return CheckDims(type, graph, value.tensor.dims);
    case ValueKind::kMap:
      if (type.element != value.items[0].tensor.type)
        return absl::InvalidArgumentError(absl::StrCat("the model wants keys of ", NameOf(type.element), ", ",
                                                       NameOf(value.items[0].tensor.type), " was given"));
      // Scalars lie together in one tensor.
      if (type.item == nullptr) return absl::OkStatus();
      if (value.items[1].kind == ValueKind::kTensor) {
        if (!type.item->is_tensor() || type.item->element != value.items[1].tensor.type)
          return absl::InvalidArgumentError(absl::StrCat("the model wants values of ",
                                                         TypeString(*type.item, graph.symbols), ", ",
                                                         NameOf(value.items[1].tensor.type), " was given"));
        return absl::OkStatus();
      }
      for (const RunValue& item : value.items[1].items)
        if (absl::Status s = CheckValue(*type.item, graph, item); !s.ok())
          return absl::Status(s.code(), absl::StrCat("a value of the map: ", s.message()));
      return absl::OkStatus();
    default:
      for (size_t i = 0; i < value.items.size() && type.item != nullptr; ++i)
        if (absl::Status s = CheckValue(*type.item, graph, value.items[i]); !s.ok())
          return absl::Status(s.code(), absl::StrCat("items[", i, "]: ", s.message()));
      return absl::OkStatus();
  }
}

// Whether an input fits what the model declares. That it is a tensor at all, with sane extents and as many
// bytes as they need, was seen where it came in (core/api/values.cc).
absl::Status CheckInput(const Graph& graph, size_t index, const RunInput& input) {
  const Value& value = graph.values[graph.inputs[index]];
  const Type& type = value.type;
  auto bad = [&](auto&&... text) {
    return absl::InvalidArgumentError(absl::StrCat("input '", value.name, "': ", text...));
  };
  if (!type.is_tensor()) {
    if (input.value == nullptr)
      return bad("the model wants ", TypeString(type, graph.symbols), ", a tensor was given");
    const absl::Status status = CheckValue(type, graph, *input.value);
    return status.ok() ? status : bad(status.message());
  }
  if (input.value != nullptr)
    return bad("the model wants ", TypeString(type, graph.symbols), ", ", KindName(input.value->kind),
               " was given");
  if (type.element != 0 && input.type != type.element)
    return bad("the model wants ", NameOf(type.element), ", ", NameOf(input.type), " was given");
  const absl::Status status = CheckDims(type, graph, {input.dims, static_cast<size_t>(input.rank)});
  return status.ok() ? status : bad(status.message());
}

}  // namespace

int Runner::LocationOf(const Buffer* buffer) const {
  if (buffer == nullptr) return 0;
  for (size_t d = 0; d < context_->devices.size(); ++d)
    if (context_->devices[d] == buffer->device())
      return context_->devices[d]->info().Has(BRAID_HOST_BINDINGS) ? 0 : static_cast<int>(d) + 1;
  return -1;
}

// Hands over, one number at a time, all that a specialisation depends on.
template <class Visit>
void Runner::VisitKey(absl::Span<const RunInput> inputs, absl::Span<const RunOutput> outputs,
                      const Visit& visit) const {
  for (const RunInput& in : inputs) {
    visit(LocationOf(in.buffer));
    visit(in.value != nullptr ? -1 : in.rank);
    if (in.value == nullptr)
      for (int32_t i = 0; i < in.rank; ++i) visit(in.dims[i]);
  }
  for (const RunOutput& out : outputs) visit(LocationOf(out.buffer));
}

bool Runner::Matches(const Specialisation& spec, absl::Span<const RunInput> inputs,
                     absl::Span<const RunOutput> outputs) const {
  size_t at = 0;
  bool same = true;
  VisitKey(inputs, outputs, [&](int64_t number) {
    same = same && at < spec.key.size() && spec.key[at] == number;
    ++at;
  });
  return same && at == spec.key.size();
}

std::shared_ptr<Specialisation> Runner::last() const {
  std::lock_guard lock(mutex_);
  if (general_ != nullptr) return general_;
  return specialisations_.empty() ? nullptr : specialisations_.front();
}

// Forgets the specialisations that use a device which failed since. Needs mutex_.
void Runner::DropFailed() {
  const size_t count = context_->failed.count();
  if (count == failed_seen_) return;
  failed_seen_ = count;
  auto uses_failed = [&](const std::shared_ptr<Specialisation>& spec) {
    for (size_t d = 0; d < context_->devices.size(); ++d)
      if (context_->failed.Has(d) && spec->Uses(d)) return true;
    return false;
  };
  std::erase_if(specialisations_, uses_failed);
  if (general_ != nullptr && uses_failed(general_)) general_ = nullptr;
}

absl::StatusOr<std::shared_ptr<Specialisation>> Runner::Find(absl::Span<const RunInput> inputs,
                                                             absl::Span<const RunOutput> outputs,
                                                             Attempts* attempts) {
  const Exclusions& without = attempts->without;
  const bool as_others = without.devices.empty() && without.nodes.empty();
  auto look = [&]() -> std::shared_ptr<Specialisation> {
    if (!as_others) return nullptr;
    std::lock_guard lock(mutex_);
    DropFailed();
    for (size_t i = 0; i < specialisations_.size(); ++i) {
      if (!Matches(*specialisations_[i], inputs, outputs)) continue;
      if (i > 0)
        std::rotate(specialisations_.begin(), specialisations_.begin() + static_cast<long>(i),
                    specialisations_.begin() + static_cast<long>(i) + 1);
      return specialisations_.front();
    }
    return general_;
  };
  if (auto found = look()) return found;
  std::lock_guard making(make_mutex_);
  if (auto found = look()) return found;  // another thread made it meanwhile
  return Make(inputs, outputs, attempts);
}

absl::StatusOr<std::shared_ptr<Specialisation>> Runner::Make(absl::Span<const RunInput> inputs,
                                                             absl::Span<const RunOutput> outputs,
                                                             Attempts* attempts) {
  const Graph& graph = model_->graph();
  bool general = false;
  {
    std::lock_guard lock(mutex_);
    general = is_body_ && specialisations_.size() >= kMaxBodySpecialisations;
  }
  std::vector<InputShape> shapes(general ? 0 : inputs.size());
  for (size_t i = 0; i < inputs.size() && !general; ++i) {
    if (absl::Status s = CheckInput(graph, i, inputs[i]); !s.ok()) return s;
    if (inputs[i].value != nullptr) continue;
    shapes[i].known = true;
    shapes[i].dims.assign(inputs[i].dims, inputs[i].dims + inputs[i].rank);
  }
  std::vector<int> input_at, output_at;
  for (const RunInput& in : inputs) input_at.push_back(LocationOf(in.buffer));
  for (const RunOutput& out : outputs) output_at.push_back(LocationOf(out.buffer));
  for (int at : input_at)
    if (at < 0)
      return absl::InvalidArgumentError("an input lies in memory of a device that this graph does not use");
  for (int at : output_at)
    if (at < 0)
      return absl::InvalidArgumentError(
          "an output is to lie in memory of a device that this graph does not use");
  auto made = Specialise(model_, shapes, context_, std::move(input_at), std::move(output_at),
                         attempts->without, &attempts->compile);
  if (!made.ok()) return made.status();
  std::lock_guard lock(mutex_);
  if (general) {
    general_ = *made;
    return made;
  }
  VisitKey(inputs, outputs, [&](int64_t number) { (*made)->key.push_back(number); });
  // In the place of the one that failed, where this is another attempt.
  std::erase_if(specialisations_, [&](const auto& spec) { return Matches(*spec, inputs, outputs); });
  specialisations_.insert(specialisations_.begin(), *made);
  if (specialisations_.size() > kMaxSpecialisations) specialisations_.pop_back();
  return made;
}

bool Runner::Learn(const absl::Status& status, absl::Span<const RunInput> inputs,
                   absl::Span<const RunOutput> outputs, Attempts* attempts) {
  const std::string name = FailedDevice(status);
  if (name.empty()) return false;
  size_t d = 0;
  while (d < context_->devices.size() && context_->devices[d]->name() != name) ++d;
  if (d == context_->devices.size()) return false;
  const Device& device = *context_->devices[d];
  // What lay in the memory of a lost device is gone.
  auto in_it = [&](const Buffer* buffer) { return buffer != nullptr && buffer->device().get() == &device; };
  if (device.lost() &&
      (std::any_of(inputs.begin(), inputs.end(), [&](auto& in) { return in_it(in.buffer); }) ||
       std::any_of(outputs.begin(), outputs.end(), [&](auto& out) { return in_it(out.buffer); }))) {
    context_->failed.Add(d, std::string(status.message()));
    return false;
  }
  const std::string why(status.message());
  const CompileFailure& compile = attempts->compile;
  const bool compiling = compile.device == static_cast<int>(d) && !compile.nodes.empty();
  if (device.lost() || status.code() == absl::StatusCode::kInternal) {
    // Another run may have learnt it before.
    if (context_->failed.Add(d, why))
      HostLog(BRAID_LOG_WARNING, "", absl::StrCat(name, " is left out of this graph: ", why));
    return attempts->failed.insert(d).second;
  }
  bool learnt = false;
  if (compiling) {
    for (const std::string& node : compile.nodes)
      learnt = attempts->without.nodes[d].emplace(node, compile.why).second || learnt;
    if (!learnt) learnt = attempts->without.devices.emplace(d, why).second;
    if (learnt) HostLog(BRAID_LOG_WARNING, "", absl::StrCat(why, "; its nodes go elsewhere"));
  } else if (status.code() == absl::StatusCode::kResourceExhausted) {
    auto& without = attempts->without.devices;
    if (!attempts->freed) {
      // Perhaps what is kept for other shapes and other runs is too much.
      learnt = attempts->freed = true;
      std::lock_guard lock(mutex_);
      specialisations_.clear();
      general_ = nullptr;
    } else {
      // Where nothing is left without it, that it has no memory is all there is to say.
      const auto out = [&](size_t i) { return i == d || without.contains(i) || context_->failed.Has(i); };
      size_t left = 0;
      while (left < context_->devices.size() && out(left)) ++left;
      if (left == context_->devices.size()) return false;
      learnt = without.emplace(d, why).second;
      if (learnt)
        HostLog(BRAID_LOG_WARNING, "", absl::StrCat(name, " is left out for inputs of these shapes: ", why));
    }
  }
  return learnt;
}

template <class Attempt>
absl::Status Runner::Recovering(absl::Span<const RunInput> inputs, absl::Span<const RunOutput> outputs,
                                const Attempt& attempt) {
  Attempts attempts;
  for (;;) {
    attempts.compile = CompileFailure();
    attempts.used = nullptr;
    absl::Status status = attempt(&attempts);
    if (status.ok()) return status;
    // That a device refuses what it had accepted does not mean that none can run it.
    const bool broke_word = attempts.compile.device >= 0 && absl::IsUnimplemented(status);
    const absl::Status plain(broke_word ? absl::StatusCode::kInternal : status.code(), status.message());
    const bool freed = attempts.freed;
    if (Learn(status, inputs, outputs, &attempts)) {
      // After memory was freed the same is tried again, and tells by itself if it fails again.
      if (attempts.first.ok() && attempts.freed == freed) attempts.first = plain;
      continue;
    }
    if (absl::IsUnimplemented(status) || !FailedDevice(status).empty())
      gave_up_ = gave_up_ || context_->failed.count() > 0;
    // Without its mark: whoever called this run can't do better by running it again.
    if (attempts.first.ok()) return plain;
    // The cause is told once, whatever was left out for it.
    const std::string rest =
        absl::StrReplaceAll(plain.message(), {{absl::StrCat(": ", attempts.first.message()), ""}});
    return absl::Status(attempts.first.code(),
                        absl::StrCat(attempts.first.message(), "; and without that: ", rest));
  }
}

absl::Status Runner::Prepare(absl::Span<const RunInput> inputs, absl::Span<const RunOutput> outputs) {
  return Recovering(inputs, outputs,
                    [&](Attempts* attempts) { return Find(inputs, outputs, attempts).status(); });
}

absl::Status Runner::Run(absl::Span<const RunInput> inputs, absl::Span<RunOutput> outputs,
                         RunControl* control) {
  const Graph& graph = model_->graph();
  for (size_t i = 0; i < inputs.size(); ++i)
    if (absl::Status s = CheckInput(graph, i, inputs[i]); !s.ok()) return s;
  return Recovering(inputs, outputs,
                    [&](Attempts* attempts) { return RunOnce(inputs, outputs, control, attempts); });
}

absl::Status Runner::RunOnce(absl::Span<const RunInput> inputs, absl::Span<RunOutput> outputs,
                             RunControl* control, Attempts* attempts) {
  auto spec = Find(inputs, outputs, attempts);
  if (!spec.ok()) return spec.status();
  attempts->used = *spec;
  Specialisation& s = **spec;
  std::unique_ptr<Frame> frame;
  uint32_t number = 0;
  {
    std::lock_guard lock(s.frames_mutex);
    if (!s.frames.empty()) {
      frame = std::move(s.frames.back());
      s.frames.pop_back();
    } else {
      number = s.frames_made++;
    }
  }
  if (frame == nullptr) {
    auto made = Frame::Create(s, context_, number);
    if (!made.ok()) return made.status();
    frame = *std::move(made);
  }
  absl::Status status = frame->Run(inputs, outputs, control);
  std::lock_guard lock(s.frames_mutex);
  s.frames.push_back(std::move(frame));
  return status;
}

}  // namespace braid
