// SPDX-License-Identifier: Apache-2.0
#include "core/run/runner.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
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

// Whether an input fits what the model declares.
absl::Status CheckInput(const Graph& graph, size_t index, const RunInput& input) {
  const Value& value = graph.values[graph.inputs[index]];
  const Type& type = value.type;
  auto bad = [&](auto&&... text) {
    return absl::InvalidArgumentError(absl::StrCat("input '", value.name, "': ", text...));
  };
  if (!type.is_tensor()) {
    if (input.value == nullptr)
      return bad("the model wants ", TypeString(type, graph.symbols), ", a tensor was given");
    return absl::OkStatus();
  }
  if (input.value != nullptr)
    return bad("the model wants ", TypeString(type, graph.symbols), ", a value that is no tensor was given");
  if (type.element != 0 && input.type != type.element)
    return bad("the model wants ", ElementTypeName(type.element), ", ", ElementTypeName(input.type),
               " was given");
  if (input.rank < 0 || input.rank > static_cast<int32_t>(BRAID_MAX_RANK))
    return bad("rank ", input.rank, " is outside [0, ", BRAID_MAX_RANK, "]");
  uint64_t count = 1;
  for (int32_t i = 0; i < input.rank; ++i) {
    if (input.dims[i] < 0) return bad("extent ", i, " is ", input.dims[i]);
    if (__builtin_mul_overflow(count, static_cast<uint64_t>(input.dims[i]), &count))
      return bad("the product of the extents ", DimsText(input.rank, input.dims), " overflows");
  }
  if (type.has_shape) {
    if (static_cast<size_t>(input.rank) != type.dims.size())
      return bad("the model wants ", TypeString(type, graph.symbols), " (rank ", type.dims.size(), "), ",
                 DimsText(input.rank, input.dims), " (rank ", input.rank, ") was given");
    for (int32_t i = 0; i < input.rank; ++i)
      if (int64_t d = type.dims[static_cast<size_t>(i)].value; d >= 0 && d != input.dims[i])
        return bad("the model wants ", TypeString(type, graph.symbols), ", ",
                   DimsText(input.rank, input.dims), " was given: extent ", i, " differs");
  }
  if (input.type != Element::kString && input.data != nullptr &&
      input.bytes != TensorBytes(input.type, count))
    return bad(input.bytes, " bytes were given, ", ElementTypeName(input.type),
               DimsText(input.rank, input.dims), " has ", TensorBytes(input.type, count));
  return absl::OkStatus();
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

absl::StatusOr<std::shared_ptr<Specialisation>> Runner::Find(absl::Span<const RunInput> inputs,
                                                             absl::Span<const RunOutput> outputs) {
  auto look = [&]() -> std::shared_ptr<Specialisation> {
    std::lock_guard lock(mutex_);
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
  return Make(inputs, outputs);
}

absl::StatusOr<std::shared_ptr<Specialisation>> Runner::Make(absl::Span<const RunInput> inputs,
                                                             absl::Span<const RunOutput> outputs) {
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
  auto made = Specialise(model_, shapes, context_, std::move(input_at), std::move(output_at));
  if (!made.ok()) return made.status();
  std::lock_guard lock(mutex_);
  if (general) {
    general_ = *made;
    return made;
  }
  VisitKey(inputs, outputs, [&](int64_t number) { (*made)->key.push_back(number); });
  specialisations_.insert(specialisations_.begin(), *made);
  if (specialisations_.size() > kMaxSpecialisations) specialisations_.pop_back();
  return made;
}

absl::Status Runner::Prepare(absl::Span<const RunInput> inputs, absl::Span<const RunOutput> outputs) {
  return Find(inputs, outputs).status();
}

absl::Status Runner::Run(absl::Span<const RunInput> inputs, absl::Span<RunOutput> outputs,
                         RunControl* control) {
  const Graph& graph = model_->graph();
  for (size_t i = 0; i < inputs.size(); ++i)
    if (absl::Status s = CheckInput(graph, i, inputs[i]); !s.ok()) return s;
  auto spec = Find(inputs, outputs);
  if (!spec.ok()) return spec.status();
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
