// SPDX-License-Identifier: Apache-2.0
#include "plugins/vulkan/lowering.h"

#include <algorithm>
#include <set>

#include "plugins/vulkan/ops/families.h"

namespace braid::vulkan {

// ---- Types and dims

uint32_t BytesOf(braid_type type) {
  switch (type) {
    case kU8:
    case kI8:
    case kBool:
      return 1;
    case kU16:
    case kI16:
    case kF16:
    case kBf16:
      return 2;
    case kF32:
    case kI32:
    case kU32:
      return 4;
    case kI64:
    case kU64:
    case kF64:
      return 8;
    default:
      return type >= kF8First && type <= kF8Last ? 1 : 0;
  }
}

const char* TagOf(braid_type type) {
  switch (type) {
    case kF32:
      return "f32";
    case kF16:
      return "f16";
    case kI32:
      return "i32";
    case kU32:
      return "u32";
    case kI64:
      return "i64";
    case kU8:
      return "u8";
    case kI8:
      return "i8";
    case kBool:
      return "b8";
    default:
      return "";
  }
}

std::string NameOf(braid_type type) {
  static const char* const kNames[] = {"no tensor", "float",  "uint8",     "int8",       "uint16",  "int16",
                                       "int32",     "int64",  "string",    "bool",       "float16", "double",
                                       "uint32",    "uint64", "complex64", "complex128", "bfloat16"};
  if (type >= 0 && type < static_cast<braid_type>(std::size(kNames))) return kNames[type];
  return "type " + std::to_string(type);
}

int64_t Product(const Dims& dims, size_t first, size_t last) {
  int64_t n = 1;
  for (size_t i = first; i < std::min(last, dims.size()); ++i)
    if (__builtin_mul_overflow(n, dims[i], &n)) return INT64_MAX;
  return n;
}

int64_t Axis(int64_t axis, size_t rank) {
  int64_t r = static_cast<int64_t>(rank);
  if (axis < -r || axis >= std::max<int64_t>(r, 1))
    throw Refusal{BRAID_NO_SHAPE,
                  "axis " + std::to_string(axis) + " of a tensor of rank " + std::to_string(r)};
  return axis < 0 ? axis + r : axis;
}

Dims DenseStrides(const Dims& dims) {
  Dims strides(dims.size());
  int64_t step = 1;
  for (size_t i = dims.size(); i-- > 0;) {
    strides[i] = step;
    step *= dims[i];
  }
  return strides;
}

Broadcast MergeBroadcast(const Dims& result, const std::vector<const Dims*>& tensors) {
  size_t rank = result.size();
  std::vector<Dims> strides;
  for (const Dims* dims : tensors) {
    if (dims->size() > rank) throw Refusal{BRAID_NO_SHAPE, "the shapes do not broadcast to the result's"};
    Dims dense = DenseStrides(*dims), own(rank, 0);
    for (size_t i = 0; i < dims->size(); ++i) {
      size_t at = rank - dims->size() + i;
      if ((*dims)[i] != 1 && (*dims)[i] != result[at])
        throw Refusal{BRAID_NO_SHAPE, "the shapes do not broadcast to the result's"};
      own[at] = (*dims)[i] == 1 ? 0 : dense[i];
    }
    strides.push_back(std::move(own));
  }
  Broadcast out;
  out.strides.resize(tensors.size());
  for (size_t i = 0; i < rank; ++i) {
    if (result[i] == 1) continue;
    bool merge = !out.dims.empty();
    for (size_t t = 0; merge && t < tensors.size(); ++t)
      merge = static_cast<int64_t>(out.strides[t].back()) == strides[t][i] * result[i];
    if (merge) {
      out.dims.back() *= static_cast<uint32_t>(result[i]);
      for (size_t t = 0; t < tensors.size(); ++t)
        out.strides[t].back() = static_cast<uint32_t>(strides[t][i]);
    } else {
      out.dims.push_back(static_cast<uint32_t>(result[i]));
      for (size_t t = 0; t < tensors.size(); ++t)
        out.strides[t].push_back(static_cast<uint32_t>(strides[t][i]));
    }
  }
  return out;
}

// ---- Operators

const Operator* FindOperator(std::string_view name) {
  static const auto* const table = [] {
    auto* map = new std::map<std::string_view, const Operator*>;
    for (std::span<const Operator> family : {PointwiseOperators(), MovementOperators(), ReductionOperators(),
                                             MatrixOperators(), ConvolutionOperators(), WindowOperators()})
      for (const Operator& op : family) (*map)[op.name] = &op;
    return map;
  }();
  auto it = table->find(name);
  return it == table->end() ? nullptr : it->second;
}

// ---- Lowering

Lowering::Lowering(VulkanDevice& device, const braid_graph* graph)
    : device_(device), graph_(graph), storage_of_(graph->value_count, BRAID_NONE) {}

uint32_t Lowering::NewStorage(Storage storage) {
  program_->storages.push_back(std::move(storage));
  return static_cast<uint32_t>(program_->storages.size() - 1);
}

uint32_t Lowering::StorageOf(uint32_t index) {
  uint32_t& at = storage_of_[index];
  if (at != BRAID_NONE) return at;
  kit::Value value = graph_.value(index);
  Storage storage;
  storage.value = index;
  storage.bytes = static_cast<uint64_t>(value.element_count()) * BytesOf(value.type());
  if (value.is_constant()) {
    storage.kind = Storage::kConstant;
    storage.key = value.raw().constant;
    const braid_graph* graph = graph_.raw();
    kit::Host host = device_.host();
    storage.fill = [host, graph, index, bytes = storage.bytes](uint8_t* to) {
      kit::Host::Bytes from = host.Constant(graph, index);
      if (from.size() < bytes)
        throw kit::Error(BRAID_INVALID_ARGUMENT, "a constant has fewer bytes than its shape says");
      if (bytes > 0) std::memcpy(to, from.data(), bytes);
    };
  } else if (compiling_ && value.is_input()) {
    storage.kind = Storage::kInput;
  } else if (compiling_ && value.is_output()) {
    storage.kind = Storage::kOutput;
  }
  return at = NewStorage(std::move(storage));
}

Tensor Lowering::Describe(uint32_t index, bool input, uint32_t position) {
  kit::Value value = graph_.value(index);
  uint32_t offending = input ? position : BRAID_NONE;
  std::string which = (input ? "input " : "output ") + std::to_string(position);
  if (BytesOf(value.type()) == 0)
    throw Refusal{BRAID_NO_TYPE, which + " is of type " + NameOf(value.type()), offending};
  if (!value.is_static())
    throw Refusal{BRAID_NO_DYNAMIC, which + " has a shape that is not known", offending};
  Tensor tensor;
  tensor.value = index;
  tensor.type = value.type();
  tensor.dims = value.dims();
  tensor.count = value.element_count();
  uint64_t limit = device_.physical().properties.limits.maxStorageBufferRange;
  if (tensor.count > INT32_MAX || tensor.bytes() > limit)
    throw Refusal{
        BRAID_NO_MEMORY,
        which + " is larger than the device's storage buffers (" + std::to_string(limit) + " bytes)",
        offending};
  tensor.storage = StorageOf(index);
  return tensor;
}

const Tensor& Lowering::In(uint32_t i) {
  if (ins_.size() <= i) ins_.resize(i + 1);
  if (!ins_[i]) ins_[i] = Describe(node_->input(i), true, i);
  return *ins_[i];
}

const Tensor& Lowering::Out(uint32_t i) {
  if (outs_.size() <= i) outs_.resize(i + 1);
  if (!outs_[i]) outs_[i] = Describe(node_->output(i), false, i);
  return *outs_[i];
}

void Lowering::NeedType(uint32_t i, std::initializer_list<std::string_view> tags) {
  const Tensor& tensor = In(i);
  std::string_view tag = TagOf(tensor.type);
  for (std::string_view t : tags)
    if (t == tag) return;
  throw Refusal{BRAID_NO_TYPE, "input " + std::to_string(i) + " is of type " + NameOf(tensor.type), i};
}

void Lowering::RefuseAttribute(std::string_view name, const std::string& text) {
  throw Refusal{BRAID_NO_ATTRIBUTE, text, BRAID_NONE, node_->attribute_index(name)};
}

kit::Host::Bytes Lowering::BytesOfConstant(uint32_t i) {
  if (!IsConstant(i))
    throw Refusal{BRAID_NO_RUNTIME_VALUE, "input " + std::to_string(i) + " must be a constant", i};
  In(i);
  return device_.host().Constant(graph_.raw(), node_->input(i));
}

Dims Lowering::Ints(uint32_t i) {
  kit::Host::Bytes bytes = BytesOfConstant(i);
  const Tensor& tensor = In(i);
  if (bytes.size() < tensor.bytes()) throw Refusal{BRAID_NO_SHAPE, "a constant is shorter than its shape", i};
  Dims out(static_cast<size_t>(tensor.count));
  for (size_t k = 0; k < out.size(); ++k) {
    if (tensor.type == kI64) {
      std::memcpy(&out[k], static_cast<const uint8_t*>(bytes.data()) + 8 * k, 8);
    } else if (tensor.type == kI32) {
      int32_t v;
      std::memcpy(&v, static_cast<const uint8_t*>(bytes.data()) + 4 * k, 4);
      out[k] = v;
    } else {
      throw Refusal{BRAID_NO_TYPE, "input " + std::to_string(i) + " is of type " + NameOf(tensor.type), i};
    }
  }
  return out;
}

std::vector<float> Lowering::Floats(uint32_t i) {
  kit::Host::Bytes bytes = BytesOfConstant(i);
  const Tensor& tensor = In(i);
  if (tensor.type != kF32 || bytes.size() < tensor.bytes())
    throw Refusal{BRAID_NO_TYPE, "input " + std::to_string(i) + " is of type " + NameOf(tensor.type), i};
  std::vector<float> out(static_cast<size_t>(tensor.count));
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size() * 4);
  return out;
}

Tensor Lowering::Temporary(braid_type type, Dims dims) {
  Tensor tensor;
  tensor.type = type;
  tensor.count = Product(dims);
  tensor.dims = std::move(dims);
  uint64_t limit = device_.physical().properties.limits.maxStorageBufferRange;
  if (tensor.count > INT32_MAX || tensor.bytes() > limit)
    throw Refusal{BRAID_NO_MEMORY, "an intermediate result is larger than the device's storage buffers"};
  Storage storage;
  storage.bytes = tensor.bytes();
  tensor.storage = NewStorage(std::move(storage));
  return tensor;
}

Tensor Lowering::View(const Tensor& tensor, Dims dims) const {
  Tensor view = tensor;
  view.count = Product(dims);
  view.dims = std::move(dims);
  return view;
}

Tensor Lowering::Prepared(const Tensor& source, const std::string& form, braid_type type, Dims dims,
                          std::function<void(const uint8_t*, uint8_t*)> make) {
  Tensor tensor;
  tensor.type = type;
  tensor.count = Product(dims);
  tensor.dims = std::move(dims);
  uint64_t limit = device_.physical().properties.limits.maxStorageBufferRange;
  if (tensor.bytes() > limit)
    throw Refusal{BRAID_NO_MEMORY, "prepared weights are larger than the device's storage buffers"};
  Storage storage;
  storage.kind = Storage::kConstant;
  storage.bytes = tensor.bytes();
  storage.key = program_->storages[source.storage].key;
  storage.form = form;
  kit::Host host = device_.host();
  const braid_graph* graph = graph_.raw();
  uint32_t index = source.value;
  storage.fill = [host, graph, index, make = std::move(make), need = source.bytes()](uint8_t* to) {
    kit::Host::Bytes from = host.Constant(graph, index);
    if (from.size() < need)
      throw kit::Error(BRAID_INVALID_ARGUMENT, "a constant has fewer bytes than its shape says");
    make(static_cast<const uint8_t*>(from.data()), to);
  };
  tensor.storage = NewStorage(std::move(storage));
  return tensor;
}

Tensor Lowering::Literal(braid_type type, Dims dims, std::vector<uint8_t> bytes) {
  Tensor tensor;
  tensor.type = type;
  tensor.count = Product(dims);
  tensor.dims = std::move(dims);
  Storage storage;
  storage.kind = Storage::kConstant;
  storage.bytes = bytes.size();
  storage.fill = [bytes = std::move(bytes)](uint8_t* to) {
    if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  };
  tensor.storage = NewStorage(std::move(storage));
  return tensor;
}

void Lowering::Add(const std::string& name, std::vector<uint32_t> constants,
                   const std::vector<const Tensor*>& reads, const std::vector<const Tensor*>& writes,
                   const void* params, uint32_t param_bytes, std::array<uint32_t, 3> groups, double work) {
  const shaders::Shader* shader =
      device_.physical().prefers_texels() ? shaders::Find(name + "_texels") : nullptr;
  if (shader == nullptr) shader = shaders::Find(name);
  if (shader == nullptr) throw Refusal{BRAID_NO_TYPE, "there is no kernel " + name};
  if ((shader->features & ~device_.physical().shader_features) != 0)
    throw Refusal{BRAID_NO_TYPE, "the device lacks what kernel " + name + " needs (small or 64-bit types)"};
  const auto& limits = device_.physical().properties.limits;
  for (int d = 0; d < 3; ++d) {
    if (groups[d] == 0) return;
    if (groups[d] > limits.maxComputeWorkGroupCount[d])
      throw Refusal{BRAID_NO_SHAPE, "too many work groups for this device"};
  }
  Step step;
  step.shader = shader;
  step.constants = std::move(constants);
  for (const Tensor* t : reads) step.uses.push_back({t->storage, false});
  for (const Tensor* t : writes) step.uses.push_back({t->storage, true});
  std::memcpy(step.params.data(), params, param_bytes);
  step.param_bytes = param_bytes;
  step.groups = groups;
  step.work = work;
  program_->steps.push_back(std::move(step));
}

void Lowering::CopyBytes(const Tensor& from, const Tensor& to) {
  if (from.bytes() == 0) return;
  Step step;
  step.kind = Step::kCopy;
  step.uses = {{from.storage, false}, {to.storage, true}};
  step.bytes = from.bytes();
  program_->steps.push_back(std::move(step));
}

void Lowering::Fill(const Tensor& to, uint32_t word) {
  if (to.bytes() == 0) return;
  Step step;
  step.kind = Step::kFill;
  step.uses = {{to.storage, true}};
  step.bytes = (to.bytes() + 3) / 4 * 4;  // temporaries have room to 256
  step.word = word;
  program_->steps.push_back(std::move(step));
}

void Lowering::Alias(uint32_t output, const Tensor& tensor) {
  uint32_t value = node_->output(output);
  const Tensor& out = Out(output);
  if (out.count != tensor.count || out.type != tensor.type)
    RefuseShape("the output's shape does not hold the input's elements");
  // Priced as a copy too: whether the output stays in the segment is not known then.
  if (program_->storages[out.storage].kind == Storage::kOutput || !compiling_) return CopyBytes(tensor, out);
  storage_of_[value] = tensor.storage;
  outs_[output]->storage = tensor.storage;
}

void Lowering::CopyStrided(const Tensor& from, int64_t from_offset, const Dims& from_strides,
                           const Tensor& to, int64_t to_offset, const Dims& to_strides, const Dims& dims) {
  struct Params {
    uint32_t n;
    int32_t from, to;
    uint32_t dim[8];
    int32_t sx[8], sy[8];
  } params{};
  int64_t n = Product(dims);
  if (n == 0) return;
  uint32_t rank = 0;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 1) continue;
    if (rank > 0 && params.sx[rank - 1] == from_strides[i] * dims[i] &&
        params.sy[rank - 1] == to_strides[i] * dims[i]) {
      params.dim[rank - 1] *= static_cast<uint32_t>(dims[i]);
      params.sx[rank - 1] = static_cast<int32_t>(from_strides[i]);
      params.sy[rank - 1] = static_cast<int32_t>(to_strides[i]);
      continue;
    }
    if (rank == 8) RefuseShape("more than 8 dimensions that cannot be merged");
    params.dim[rank] = static_cast<uint32_t>(dims[i]);
    params.sx[rank] = static_cast<int32_t>(from_strides[i]);
    params.sy[rank] = static_cast<int32_t>(to_strides[i]);
    ++rank;
  }
  params.n = static_cast<uint32_t>(n);
  params.from = static_cast<int32_t>(from_offset);
  params.to = static_cast<int32_t>(to_offset);
  Each("copy_w" + std::to_string(BytesOf(from.type)), {rank}, {&from}, {&to}, params, n, 2);
}

Tensor Lowering::Expanded(const Tensor& tensor, const Dims& dims) {
  Tensor out = Temporary(tensor.type, dims);
  Dims strides(dims.size(), 0), dense = DenseStrides(tensor.dims);
  for (size_t i = 0; i < tensor.dims.size(); ++i)
    strides[dims.size() - tensor.dims.size() + i] = tensor.dims[i] == 1 ? 0 : dense[i];
  CopyStrided(tensor, 0, strides, out, 0, DenseStrides(dims), dims);
  return out;
}

// ---- Nodes and graphs

void Lowering::Start(uint32_t node) {
  node_.emplace(graph_.node(node));
  ins_.clear();
  outs_.clear();
}

void Lowering::LowerNode(uint32_t index) {
  Start(index);
  if (!node_->domain().empty())
    throw Refusal{BRAID_NO_OP, "no operators of domain " + std::string(node_->domain())};
  const Operator* op = FindOperator(node_->op());
  if (op == nullptr) throw Refusal{BRAID_NO_OP, "no kernel for " + std::string(node_->op())};
  if (op->version < node_->min_version() || op->version > node_->version())
    throw Refusal{BRAID_NO_OPSET, std::string(node_->op()) + " is known as of opset " +
                                      std::to_string(op->version) + ", not " +
                                      std::to_string(node_->version())};
  for (uint32_t i = 0; i < node_->input_count(); ++i)
    if (HasIn(i)) In(i);
  for (uint32_t i = 0; i < node_->output_count(); ++i)
    if (HasOut(i)) Out(i);
  op->lower(*this);
}

void Lowering::Judge(uint32_t index, braid_verdict* verdict) {
  Program scratch;
  program_ = &scratch;
  compiling_ = false;
  std::fill(storage_of_.begin(), storage_of_.end(), BRAID_NONE);
  verdict->input = verdict->attr = BRAID_NONE;
  try {
    LowerNode(index);
    verdict->code = BRAID_YES;
    verdict->detail[0] = 0;
  } catch (const Refusal& no) {
    verdict->code = no.code;
    verdict->input = no.input;
    verdict->attr = no.attr;
    size_t n = std::min(no.text.size(), sizeof verdict->detail - 1);
    std::memcpy(verdict->detail, no.text.data(), n);
    verdict->detail[n] = 0;
  }
  program_ = nullptr;
}

NodeCost Lowering::Price(uint32_t index) {
  Program scratch;
  program_ = &scratch;
  compiling_ = false;
  std::fill(storage_of_.begin(), storage_of_.end(), BRAID_NONE);
  NodeCost cost;
  try {
    LowerNode(index);
  } catch (const Refusal&) {
    // Not said YES to: the host does not ask, and gets no cost.
  }
  for (const Step& step : scratch.steps) {
    uint64_t bytes = 0;
    for (const Step::Use& use : step.uses) bytes += scratch.storages[use.storage].bytes;
    cost.steps.push_back({step.work, bytes, step.kind != Step::kDispatch});
  }
  for (const Storage& s : scratch.storages) {
    if (s.kind == Storage::kConstant) cost.constants += s.bytes;
    if (s.kind == Storage::kTemporary) cost.temporaries += s.bytes;
  }
  program_ = nullptr;
  return cost;
}

Program Lowering::Compose(const std::function<void(Lowering&)>& steps) {
  Program program;
  program_ = &program;
  try {
    steps(*this);
  } catch (const Refusal& no) {
    program_ = nullptr;
    throw kit::Error(BRAID_UNSUPPORTED, no.text);
  }
  program_ = nullptr;
  program.PlanWorkspace();
  return program;
}

Program Lowering::Compile(uint64_t memory_limit) {
  Program program;
  program_ = &program;
  compiling_ = true;
  std::fill(storage_of_.begin(), storage_of_.end(), BRAID_NONE);
  try {
    auto io = [&](uint32_t index, uint32_t position, bool input) {
      Start(0);
      Tensor t = Describe(index, input, position);
      return Io{index, t.dims, t.bytes(), t.storage};
    };
    if (graph_.node_count() > 0)
      for (uint32_t i = 0; i < graph_.inputs().size(); ++i)
        if (!graph_.value(graph_.inputs()[i]).is_constant())
          program.inputs.push_back(io(graph_.inputs()[i], i, true));
    for (uint32_t i = 0; i < graph_.node_count(); ++i) {
      try {
        LowerNode(i);
      } catch (Refusal& no) {
        no.text = "node " + std::string(node_->name()) + " (" + std::string(node_->op()) + "): " + no.text;
        throw;
      }
    }
    for (uint32_t i = 0; i < graph_.outputs().size(); ++i) {
      uint32_t index = graph_.outputs()[i];
      Io out = io(index, i, false);
      if (program.storages[out.storage].kind != Storage::kOutput) {
        // A graph output that is an input or a constant of the graph: its bytes are copied.
        Storage storage;
        storage.kind = Storage::kOutput;
        storage.value = index;
        storage.bytes = out.bytes;
        uint32_t from = out.storage;
        out.storage = NewStorage(std::move(storage));
        if (out.bytes > 0) {
          Step step;
          step.kind = Step::kCopy;
          step.uses = {{from, false}, {out.storage, true}};
          step.bytes = out.bytes;
          program.steps.push_back(std::move(step));
        }
      }
      program.outputs.push_back(std::move(out));
    }
  } catch (const Refusal& no) {
    program_ = nullptr;
    throw kit::Error(no.code == BRAID_NO_MEMORY ? BRAID_OUT_OF_MEMORY : BRAID_UNSUPPORTED, no.text);
  }
  program_ = nullptr;
  program.PlanWorkspace();
  uint64_t resident = 0;
  for (Storage& s : program.storages)
    if (s.kind == Storage::kConstant && s.first >= 0) resident += s.bytes;
  if (memory_limit != 0 && resident + program.workspace > memory_limit)
    throw kit::Error(BRAID_OUT_OF_MEMORY, "the segment needs " +
                                              std::to_string(resident + program.workspace) +
                                              " bytes, the limit is " + std::to_string(memory_limit));
  uint64_t range = device_.memory().total();
  if (program.workspace > range)
    throw kit::Error(BRAID_OUT_OF_MEMORY, "the segment's workspace of " + std::to_string(program.workspace) +
                                              " bytes is more than the device has");
  for (Storage& s : program.storages) {
    if (s.kind == Storage::kConstant && s.first >= 0)
      s.resident = device_.Constant(s.key, s.form, s.bytes, s.fill);
    s.fill = nullptr;
  }
  return program;
}

}  // namespace braid::vulkan
