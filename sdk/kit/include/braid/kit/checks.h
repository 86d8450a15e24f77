// SPDX-License-Identifier: Apache-2.0
//
// What plugin.h asks a device to refuse, checked in one place: bindings of a run, transfers, buffers and
// options. All throw kit::Error with a text that names what is wrong.
#ifndef BRAID_KIT_CHECKS_H_
#define BRAID_KIT_CHECKS_H_

#include <braid/kit/plugin.h>
#include <braid/kit/struct.h>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace braid::kit {

// INVALID_ARGUMENT that names the first option whose key is not known.
void CheckOptions(const braid_option* options, uint32_t count,
                  std::initializer_list<std::string_view> known = {});
// TIMEOUT where deadline_ns, not 0, has passed.
void CheckDeadline(const Host& host, uint64_t deadline_ns);
// INVALID_ARGUMENT: an alignment that is no power of two, or more than max_buffer (0: no limit). UNSUPPORTED:
// flags or exports beyond those of the device.
void CheckBuffer(const braid_buffer_desc& desc, uint64_t max_buffer, uint32_t flags = 0,
                 uint32_t exports = 0);
// INVALID_ARGUMENT: offset and bytes that leave `size` bytes of what `what` names.
void CheckRange(uint64_t offset, uint64_t bytes, uint64_t size, const std::string& what);

// How large a buffer of this device is.
using SizeOf = std::function<uint64_t(const braid_buffer*)>;

// INVALID_ARGUMENT: no such kind or queue, a side that is missing, a range beyond its buffer. UNSUPPORTED:
// from another device.
void CheckTransfer(const braid_transfer& transfer, uint32_t queues, const SizeOf& size_of);

// The inputs and outputs of a compiled graph, and what a run must bind for them.
class Interface {
 public:
  // A binding that was checked, with dims of its own: those of a submit are gone when it returns.
  struct Bound {
    uint32_t value = 0;
    bool output = false;
    braid_buffer* buffer = nullptr;
    void* host = nullptr;
    uint64_t offset = 0, bytes = 0;  // of an output: what its tensor takes, where its shape is known
    std::vector<int64_t> dims;       // of an output empty where its shape is not known
    bool has_dims = false;
  };
  // What the device has for a submit.
  struct Limits {
    uint32_t queues = 1;
    bool host_bindings = false;  // BRAID_HOST_BINDINGS
    uint64_t workspace = 0;      // bytes that this run needs
  };

  explicit Interface(const braid_graph* graph);
  // Throws INVALID_ARGUMENT unless the value is an input or output of the graph.
  void CheckValue(uint32_t value) const;
  // output_dims: from the shapes that the graph tells and those of the inputs, by symbols. UNSUPPORTED where
  // they do not tell.
  braid_status OutputDims(StructArray<braid_binding> inputs, uint32_t output, int32_t* rank,
                          int64_t* dims) const;
  // All bindings of a run, in the order of the submit: every input and output is there once, in memory that
  // holds it, and the inputs' shapes are such as the graph can have.
  std::vector<Bound> Check(const braid_submit& submit, const Limits& limits, const SizeOf& size_of) const;

 private:
  struct Port {
    uint32_t value;
    bool output;
    braid_type type;
    int32_t rank;
    std::vector<braid_dim> dims;
    std::string name;
  };
  using Symbols = std::vector<std::pair<uint32_t, int64_t>>;
  const Port& Find(uint32_t value) const;
  // The shape of an input's binding, checked; what it tells of symbols is added.
  static std::vector<int64_t> InputDims(const Port& port, const braid_binding& binding, Symbols* symbols);
  static bool DimsOf(const Port& port, const Symbols& symbols, std::vector<int64_t>* dims);
  std::vector<Port> ports_;
};

}  // namespace braid::kit

#endif  // BRAID_KIT_CHECKS_H_
