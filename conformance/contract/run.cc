// SPDX-License-Identifier: Apache-2.0
//
// One run with guards around all memory that it touches.
#include <braid/kit/graph_view.h>
#include <braid/kit/types.h>

#include <algorithm>
#include <cstring>

#include "conformance/contract/bench.h"
#include "conformance/contract/host_memory.h"

namespace braid::conformance {
namespace {

constexpr uint8_t kCanary = 0xc3;
constexpr uint64_t kBehind = 64;  // canary bytes behind a tensor
constexpr braid_type kString = 8;

uint64_t RoundUp(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }

void CheckAlias(const kit::Graph& graph, uint32_t output, uint32_t input) {
  Check(input < graph.value_count() && graph.value(input).is_input(),
        "ABI-059: output {} may lie where value {} is, which is no input", output, input);
  const kit::Value from = graph.value(input), to = graph.value(output);
  if (from.is_static() && to.is_static())
    Check(kit::BytesOf(from.type(), from.dims()) == kit::BytesOf(to.type(), to.dims()),
          "ABI-059: output {} may lie where input {} is, which has another size", output, input);
}

}  // namespace

struct Run::Place {
  std::optional<Buffer> buffer;
  std::unique_ptr<HostMemory> host;
  uint64_t offset = 0, bytes = 0, total = 0;
  bool output = false, bound = true;
};

Run::Run(Bench& b, const Workload& workload, const Exec& exec, const RunOptions& options)
    : b_(b), w_(workload), exec_(exec.get()), options_(options) {
  submit = BRAID_SUBMIT_INIT;
  if (options.host && !b.Has(BRAID_HOST_BINDINGS)) throw NotThere("the device takes no host memory");
  const kit::Graph graph(w_.view);
  const auto add = [&](uint32_t value, bool output, const kit::testing::Array* input) {
    braid_io_requirements io = BRAID_IO_REQUIREMENTS_INIT;
    io.alignment = 1;
    io.may_alias_input = BRAID_NONE;
    b.Ok(b.ex().io_requirements(exec_, value, &io), "io_requirements");
    Check((io.alignment & (io.alignment - 1)) == 0, "ABI-027: io_requirements asks for an alignment of {}",
          io.alignment);
    const kit::Value v = graph.value(value);
    if (output && io.may_alias_input != BRAID_NONE) CheckAlias(graph, value, io.may_alias_input);
    braid_binding binding = BRAID_BINDING_INIT;
    binding.value = value;
    dims_.push_back(input != nullptr ? input->dims : v.dims());
    binding.rank = static_cast<int32_t>(dims_.back().size());
    bool sized = input != nullptr || (v.is_static() && v.type() != kString);
    if (output) {
      int32_t rank = -1;
      int64_t told[BRAID_MAX_RANK];
      const braid_status status =
          b.ex().output_dims(exec_, bindings.data(), static_cast<uint32_t>(w_.inputs.size()),
                             sizeof(braid_binding), value, &rank, told);
      if (status != BRAID_UNSUPPORTED) {
        b.Ok(status, "output_dims");
        Check(rank >= 0 && rank <= static_cast<int32_t>(BRAID_MAX_RANK) && (v.rank() < 0 || v.rank() == rank),
              "ABI-025: output_dims tells rank {}; the graph says {}", rank, v.rank());
        for (int32_t i = 0; i < rank; ++i)
          Check(told[i] >= 0 && (v.rank() < 0 || v.dim(i).value < 0 || v.dim(i).value == told[i]),
                "ABI-025: output_dims tells extent {} on axis {}, which the graph cannot have", told[i], i);
        if (!v.is_static()) {
          dims_.back().assign(told, told + rank);
          binding.rank = rank;
          sized = v.type() != kString;
        }
      } else {
        b.host.error();
        if (!v.is_static()) binding.rank = -1;
      }
    }
    binding.dims = binding.rank < 0 ? nullptr : dims_.back().data();
    Place place;
    place.output = output;
    place.bound = sized;
    if (sized) {
      const uint64_t bytes =
          input != nullptr ? input->bytes.size() : kit::testing::BytesOf(v.type(), dims_.back());
      place = NewPlace(bytes, std::max<uint64_t>(io.alignment, 1), output);
      binding.bytes = bytes;
      if (place.host != nullptr) {
        binding.host = place.host->data();
      } else {
        binding.buffer = place.buffer->get();
        binding.offset = place.offset;
      }
    }
    if (input != nullptr && (io.flags & BRAID_IO_HOST_VALUE) != 0 && !options_.host) {
      host_values_.push_back(input->bytes);
      host_values_.back().resize(std::max<size_t>(input->bytes.size(), 1));
      binding.host = host_values_.back().data();
    }
    places_.push_back(std::move(place));
    bindings.push_back(binding);
  };
  Check(w_.inputs.size() == w_.view->input_count, "the suite has no inputs for this graph");
  for (size_t i = 0; i < w_.inputs.size(); ++i) add(w_.view->inputs[i], false, &w_.inputs[i]);
  uint64_t workspace = 0;
  b.Ok(b.ex().workspace_size(exec_, bindings.data(), static_cast<uint32_t>(bindings.size()),
                             sizeof(braid_binding), &workspace),
       "workspace_size");
  for (uint32_t i = 0; i < w_.view->output_count; ++i) add(w_.view->outputs[i], true, nullptr);
  submit.bindings = bindings.data();
  submit.binding_count = static_cast<uint32_t>(bindings.size());
  submit.binding_stride = sizeof(braid_binding);
  submit.queue = options.queue;
  submit.flags = options.timed ? BRAID_SUBMIT_TIMED : 0;
  if (workspace > 0) {
    const bool host = std::exchange(options_.host, false);  // always a buffer
    workspace_ =
        std::make_unique<Place>(NewPlace(workspace, std::max<uint64_t>(b.info().alignment, 1), true));
    options_.host = host;
    submit.workspace = workspace_->buffer->get();
    submit.workspace_offset = workspace_->offset;
  }
}

Run::~Run() = default;

Run::Place Run::NewPlace(uint64_t bytes, uint64_t alignment, bool output) {
  Place place;
  place.bytes = bytes;
  place.output = output;
  if (options_.host) {
    place.host = std::make_unique<HostMemory>(bytes, options_.at_start);
    place.total = bytes;
    return place;
  }
  place.offset = RoundUp(64, alignment) + options_.skip * alignment;
  place.total = place.offset + bytes + kBehind;
  place.buffer.emplace(b_.Alloc(place.total, std::max(alignment, b_.info().alignment)));
  return place;
}

void Run::Poison(Place& place, uint8_t byte, const std::vector<uint8_t>* content) {
  if (place.host != nullptr) {
    std::memset(place.host->data(), byte, place.bytes);
    if (content != nullptr && !content->empty())
      std::memcpy(place.host->data(), content->data(), content->size());
    return;
  }
  std::vector<uint8_t> all(place.total, kCanary);
  std::fill_n(all.begin() + static_cast<ptrdiff_t>(place.offset), place.bytes, byte);
  if (content != nullptr)
    std::copy(content->begin(), content->end(), all.begin() + static_cast<ptrdiff_t>(place.offset));
  b_.Write(*place.buffer, 0, all.data(), all.size());
}

void Run::Prepare() {
  for (size_t i = 0; i < places_.size(); ++i)
    if (places_[i].bound)
      Poison(places_[i], options_.poison, i < w_.inputs.size() ? &w_.inputs[i].bytes : nullptr);
  if (workspace_ != nullptr) Poison(*workspace_, options_.poison, nullptr);
}

Fence Run::Start() {
  braid_fence* fence = nullptr;
  b_.Ok(b_.ex().submit(exec_, &submit, &fence), "submit");
  return {b_, fence};
}

braid_status Run::Try(std::string* text) {
  braid_fence* raw = nullptr;
  const braid_status status = b_.ex().submit(exec_, &submit, &raw);
  if (status != BRAID_OK) {
    const std::string why = b_.host.error();
    if (text != nullptr) *text = why;
    Check(raw == nullptr, "ABI-022: submit gives {} and a fence", StatusText(status));
    return status;
  }
  Fence fence(b_, raw);
  const braid_status ended = fence.Wait();
  if (text != nullptr) *text = fence.Text();
  return ended;
}

void Run::Go() {
  Prepare();
  Fence fence = Start();
  const braid_status status = fence.Wait();
  Check(status == BRAID_OK, "a run ends with {}: {}", StatusText(status), fence.Text());
  Collect(fence.get());
}

std::vector<uint8_t> Run::Content(Place& place) {
  if (place.host != nullptr) return {place.host->data(), place.host->data() + place.bytes};
  return b_.Read(*place.buffer, place.offset, place.bytes);
}

// Pairs of offset and length, and the characters, as far as the pairs reach.
std::vector<uint8_t> Run::ReadStrings(const Buffer& buffer, const std::vector<int64_t>& dims) {
  uint64_t bytes = 16;
  for (const int64_t d : dims) bytes *= static_cast<uint64_t>(d);
  const std::vector<uint8_t> pairs = b_.Read(buffer, 0, bytes);
  for (size_t at = 0; at < pairs.size(); at += 16) {
    uint64_t pair[2];
    std::memcpy(pair, pairs.data() + at, sizeof pair);
    constexpr uint64_t kMost = uint64_t{1} << 30;
    Check(pair[0] < kMost && pair[1] < kMost, "a string of {} bytes is told to lie at {}", pair[1], pair[0]);
    bytes = std::max(bytes, pair[0] + pair[1]);
  }
  return b_.Read(buffer, 0, bytes);
}

void Run::CheckCanaries(Place& place, const std::string& what, const std::vector<uint8_t>* content) {
  if (!place.bound) return;
  std::vector<uint8_t> all = place.host != nullptr ? Content(place) : b_.Read(*place.buffer, 0, place.total);
  for (uint64_t i = 0; i < all.size(); ++i)
    if ((i < place.offset || i >= place.offset + place.bytes) && all[i] != kCanary)
      throw Failure(fmt::format("ABI-037: a run wrote {} {} of {} bytes",
                                i < place.offset
                                    ? fmt::format("{} bytes before", place.offset - i)
                                    : fmt::format("{} bytes behind", i - place.offset - place.bytes + 1),
                                what, place.bytes));
  if (content == nullptr) return;
  const auto begin = all.begin() + static_cast<ptrdiff_t>(place.offset);
  if (const auto at = FirstDifference(*content, {begin, begin + static_cast<ptrdiff_t>(place.bytes)}))
    throw Failure(fmt::format("ABI-024: a run changed {} at byte {}", what, *at));
}

void Run::Collect(braid_fence* fence) {
  outputs_.clear();
  for (size_t i = 0; i < places_.size(); ++i) {
    const bool input = i < w_.inputs.size();
    CheckCanaries(places_[i],
                  input ? fmt::format("input {}", i) : fmt::format("output {}", i - w_.inputs.size()),
                  input ? &w_.inputs[i].bytes : nullptr);
    if (input) continue;
    const kit::Value v(w_.view, bindings[i].value);
    kit::testing::Array out{v.type(), dims_[i], {}};
    if (places_[i].bound) {
      out.bytes = Content(places_[i]);
    } else {
      Check(fence != nullptr, "ABI-022: output {} is to be taken, and the run gave no fence", i);
      braid_buffer* taken = nullptr;
      int32_t rank = -1;
      int64_t dims[BRAID_MAX_RANK];
      b_.Ok(b_.ex().take_output(exec_, fence, bindings[i].value, &taken, &rank, dims), "take_output");
      Check(taken != nullptr, "ABI-022: take_output gives OK and no buffer");
      const Buffer buffer(b_, taken, 0);
      Check(rank >= 0 && rank <= static_cast<int32_t>(BRAID_MAX_RANK) && (v.rank() < 0 || v.rank() == rank),
            "ABI-025: take_output tells rank {}; the graph says {}", rank, v.rank());
      for (int32_t d = 0; d < rank; ++d)
        Check(dims[d] >= 0 && (v.rank() < 0 || v.dim(d).value < 0 || v.dim(d).value == dims[d]),
              "ABI-025: take_output tells extent {} on axis {}, which the graph cannot have", dims[d], d);
      out.dims.assign(dims, dims + rank);
      out.bytes = v.type() == kString ? ReadStrings(buffer, out.dims)
                                      : b_.Read(buffer, 0, kit::testing::BytesOf(v.type(), out.dims));
    }
    outputs_.push_back(std::move(out));
  }
  if (workspace_ != nullptr) CheckCanaries(*workspace_, "its workspace", nullptr);
}

void Run::ExpectRight() {
  if (w_.outputs.empty()) return;
  for (size_t i = 0; i < outputs_.size(); ++i)
    if (const auto at = FirstDifference(outputs_[i].bytes, w_.outputs[i].bytes)) {
      const bool unwritten = *at < outputs_[i].bytes.size() && outputs_[i].bytes[*at] == options_.poison;
      throw Failure(fmt::format("{}output {} of {} is wrong at byte {} of {}{}", unwritten ? "ABI-038: " : "",
                                i, w_.name, *at, w_.outputs[i].bytes.size(),
                                unwritten ? ": it was not written" : ""));
    }
}

}  // namespace braid::conformance
