// SPDX-License-Identifier: Apache-2.0
#include <braid/kit/checks.h>
#include <braid/kit/graph_view.h>
#include <braid/kit/types.h>

#include <algorithm>

namespace braid::kit {
namespace {

[[noreturn]] void Bad(const std::string& text) { throw Error(BRAID_INVALID_ARGUMENT, text); }

std::string Number(uint64_t n) { return std::to_string(n); }

}  // namespace

void CheckOptions(const braid_option* options, uint32_t count,
                  std::initializer_list<std::string_view> known) {
  for (uint32_t i = 0; i < count; ++i) {
    const std::string_view key = View(options[i].key);
    if (std::find(known.begin(), known.end(), key) == known.end())
      Bad("there is no option '" + std::string(key) + "'");
  }
}

void CheckDeadline(const Host& host, uint64_t deadline_ns) {
  if (deadline_ns != 0 && host.Now() >= deadline_ns) throw Error(BRAID_TIMEOUT, "the deadline has passed");
}

void CheckBuffer(const braid_buffer_desc& desc, uint64_t max_buffer, uint32_t flags, uint32_t exports) {
  if ((desc.alignment & (desc.alignment - 1)) != 0)
    Bad("an alignment of " + Number(desc.alignment) + " is no power of two");
  if (max_buffer != 0 && desc.bytes > max_buffer)
    Bad(Number(desc.bytes) + " bytes are more than max_buffer, " + Number(max_buffer));
  if ((desc.flags & ~flags) != 0)
    throw Error(BRAID_UNSUPPORTED,
                "this device has no buffers with the flags " + Number(desc.flags & ~flags));
  if ((desc.exports & ~exports) != 0) throw Error(BRAID_UNSUPPORTED, "this device exports no such memory");
}

void CheckRange(uint64_t offset, uint64_t bytes, uint64_t size, const std::string& what) {
  if (offset > size || bytes > size - offset)
    Bad(Number(bytes) + " bytes at " + Number(offset) + " leave " + what + ", which has " + Number(size));
}

void CheckTransfer(const braid_transfer& t, uint32_t queues, const SizeOf& size_of) {
  if (t.kind != BRAID_TRANSFER_WRITE && t.kind != BRAID_TRANSFER_READ && t.kind != BRAID_TRANSFER_COPY)
    Bad("there is no transfer of kind " + std::to_string(t.kind));
  if (t.queue >= queues) Bad("there is no queue " + Number(t.queue));
  if (t.from_device != nullptr)
    throw Error(BRAID_UNSUPPORTED, "this device takes nothing from another one directly");
  if (t.kind != BRAID_TRANSFER_READ) {
    if (t.to == nullptr) Bad("a transfer has no buffer to write");
    CheckRange(t.to_offset, t.bytes, size_of(t.to), "the buffer that a transfer writes");
  }
  if (t.kind != BRAID_TRANSFER_WRITE) {
    if (t.from == nullptr) Bad("a transfer has no buffer to read");
    CheckRange(t.from_offset, t.bytes, size_of(t.from), "the buffer that a transfer reads");
  }
  if (t.kind != BRAID_TRANSFER_COPY && t.host == nullptr && t.bytes > 0) Bad("a transfer has no host memory");
}

Interface::Interface(const braid_graph* view) {
  const Graph graph(view);
  const auto add = [&](uint32_t index, bool output) {
    const Value value = graph.value(index);
    Port port{index, output, value.type(), value.rank(), {}, std::string(value.name())};
    for (int32_t d = 0; d < value.rank(); ++d) {
      braid_dim dim{};
      std::memcpy(&dim, &value.dim(d), std::min<size_t>(view->dim_stride, sizeof dim));
      port.dims.push_back(dim);
    }
    ports_.push_back(std::move(port));
  };
  for (const uint32_t value : graph.inputs()) add(value, false);
  for (const uint32_t value : graph.outputs()) add(value, true);
}

const Interface::Port& Interface::Find(uint32_t value) const {
  for (const Port& port : ports_)
    if (port.value == value) return port;
  Bad("value " + Number(value) + " is neither an input nor an output of the compiled graph");
}

void Interface::CheckValue(uint32_t value) const { Find(value); }

std::vector<int64_t> Interface::InputDims(const Port& port, const braid_binding& b, Symbols* symbols) {
  const std::string what = "input '" + port.name + "'";
  if (b.rank < 0 || b.rank > static_cast<int32_t>(BRAID_MAX_RANK) || (b.rank > 0 && b.dims == nullptr))
    Bad(what + " is bound without a shape");
  if (port.rank >= 0 && port.rank != b.rank)
    Bad(what + " has rank " + std::to_string(port.rank) + ", and is bound with " + std::to_string(b.rank));
  std::vector<int64_t> dims(b.dims, b.dims + b.rank);
  for (size_t i = 0; i < dims.size(); ++i) {
    const std::string where = what + ": extent " + std::to_string(dims[i]) + " of dimension " + Number(i);
    if (dims[i] < 0) Bad(where + " is negative");
    if (port.rank < 0) continue;
    const braid_dim& dim = port.dims[i];
    if (dim.value >= 0 ? dims[i] != dim.value : dims[i] < dim.min || dims[i] > dim.max)
      Bad(where + " is not one that the compiled graph takes");
    if (dim.value >= 0 || dim.symbol == BRAID_NONE) continue;
    const auto known =
        std::find_if(symbols->begin(), symbols->end(), [&](const auto& s) { return s.first == dim.symbol; });
    if (known == symbols->end()) {
      symbols->emplace_back(dim.symbol, dims[i]);
    } else if (known->second != dims[i]) {
      Bad(where + " is " + std::to_string(known->second) + " elsewhere");
    }
  }
  return dims;
}

bool Interface::DimsOf(const Port& port, const Symbols& symbols, std::vector<int64_t>* dims) {
  dims->clear();
  for (const braid_dim& dim : port.dims) {
    const auto known =
        std::find_if(symbols.begin(), symbols.end(), [&](const auto& s) { return s.first == dim.symbol; });
    if (dim.value >= 0) {
      dims->push_back(dim.value);
    } else if (dim.symbol != BRAID_NONE && known != symbols.end()) {
      dims->push_back(known->second);
    } else {
      return false;
    }
  }
  return port.rank >= 0;
}

braid_status Interface::OutputDims(StructArray<braid_binding> inputs, uint32_t output, int32_t* rank,
                                   int64_t* dims) const {
  const Port& port = Find(output);
  if (!port.output) Bad("'" + port.name + "' is no output");
  Symbols symbols;
  for (uint32_t i = 0; i < inputs.size(); ++i)
    if (const Port& in = Find(inputs[i].value); !in.output) InputDims(in, inputs[i], &symbols);
  std::vector<int64_t> own;
  if (!DimsOf(port, symbols, &own)) return BRAID_UNSUPPORTED;
  *rank = port.rank;
  std::copy(own.begin(), own.end(), dims);
  return BRAID_OK;
}

std::vector<Interface::Bound> Interface::Check(const braid_submit& submit, const Limits& limits,
                                               const SizeOf& size_of) const {
  if (submit.queue >= limits.queues) Bad("there is no queue " + Number(submit.queue));
  const StructArray<braid_binding> bindings(submit.bindings, submit.binding_count, submit.binding_stride);
  std::vector<Bound> all;
  Symbols symbols;
  for (uint32_t i = 0; i < bindings.size(); ++i) {
    const braid_binding b = bindings[i];
    const Port& port = Find(b.value);
    for (const Bound& other : all)
      if (other.value == b.value) Bad("'" + port.name + "' is bound twice");
    if (b.strides != nullptr)
      Bad("'" + port.name + "' is bound with strides, which this device does not take");
    Bound bound{b.value, port.output, b.buffer, b.host, b.offset, b.bytes, {}, false};
    if (!port.output) {
      bound.dims = InputDims(port, b, &symbols);
      bound.has_dims = true;
    }
    all.push_back(std::move(bound));
  }
  for (const Port& port : ports_)
    if (std::none_of(all.begin(), all.end(), [&](const Bound& b) { return b.value == port.value; }))
      Bad((port.output ? "output '" : "input '") + port.name + "' is not bound");
  for (Bound& b : all) {
    const Port& port = Find(b.value);
    const std::string what = (b.output ? "output '" : "input '") + port.name + "'";
    if (b.output) b.has_dims = DimsOf(port, symbols, &b.dims);
    if (b.has_dims) {
      const uint64_t needed = BytesOf(port.type, b.dims);
      if (b.output ? b.bytes < needed : b.bytes != needed)
        Bad(what + " takes " + Number(needed) + " bytes; " + Number(b.bytes) + " are bound");
    }
    if (b.buffer != nullptr) {
      CheckRange(b.offset, b.bytes, size_of(b.buffer), "the buffer of " + what);
    } else if (b.host != nullptr ? !limits.host_bindings : b.bytes > 0) {
      Bad(what + (b.host != nullptr ? " is bound to host memory, which this device does not take"
                                    : " is bound without memory"));
    }
    if (b.output && b.has_dims) b.bytes = BytesOf(port.type, b.dims);
  }
  if (limits.workspace > 0) {
    if (submit.workspace == nullptr)
      Bad("a workspace of " + Number(limits.workspace) + " bytes is needed, and none is given");
    CheckRange(submit.workspace_offset, limits.workspace, size_of(submit.workspace),
               "the workspace's buffer");
  }
  return all;
}

}  // namespace braid::kit
