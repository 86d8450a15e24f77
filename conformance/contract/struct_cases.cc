// SPDX-License-Identifier: Apache-2.0
//
// Structs that are longer or shorter than the plugin's own. Behind a longer one's known fields lie bytes that
// mean nothing; behind the end of a shorter one lie fields that would make the call fail if they were read,
// and that must not be written.
#include <cstddef>
#include <cstring>

#include "conformance/contract/cases.h"

namespace braid::conformance {
namespace {

constexpr uint8_t kBeyond = 0xa5;

template <class T>
struct Longer {
  explicit Longer(const T& known) : known(known) {
    std::memset(later, kBeyond, sizeof later);
    this->known.size = sizeof *this;
  }
  T known;
  uint8_t later[64];
};

// What lies behind the first `size` bytes of *t is as `before`.
template <class T>
void Untouched(const T& t, const T& before, size_t size, const char* what) {
  const auto *now = reinterpret_cast<const uint8_t*>(&t), *then = reinterpret_cast<const uint8_t*>(&before);
  for (size_t i = size; i < sizeof t; ++i)
    Check(now[i] == then[i], "ABI-033: {} of {} bytes is written at byte {}", what, size, i);
}

const braid_option kUnknown = {{"no_such_option", 14}, {"1", 1}};

// Elements of `size` bytes moved to a stride of `stride`.
std::vector<uint8_t> Spread(const void* from, uint32_t count, size_t size, size_t stride) {
  std::vector<uint8_t> out(count * stride, kBeyond);
  for (uint32_t i = 0; i < count; ++i)
    std::memcpy(out.data() + i * stride, static_cast<const uint8_t*>(from) + i * size,
                std::min(size, stride));
  return out;
}

void GraphOf(Bench& b, const Workload& w) {
  const braid_graph& g = *w.view;
  // Multiples of 8 that no struct has, each another.
  const uint32_t node = sizeof(braid_node) + 24, value = sizeof(braid_value) + 40,
                 attr = sizeof(braid_attr) + 16, dim = sizeof(braid_dim) + 8;
  const auto nodes = Spread(g.nodes, size_t{g.node_count} + g.older_count, g.node_stride, node),
             values = Spread(g.values, g.value_count, g.value_stride, value),
             attrs = Spread(g.attrs, g.attr_count, g.attr_stride, attr),
             dims = Spread(g.dims, g.dim_count, g.dim_stride, dim);
  Longer<braid_graph> longer(g);
  longer.known.nodes = nodes.data(), longer.known.node_stride = node;
  longer.known.values = values.data(), longer.known.value_stride = value;
  longer.known.attrs = attrs.data(), longer.known.attr_stride = attr;
  longer.known.dims = dims.data(), longer.known.dim_stride = dim;
  Check(b.Takes(longer.known), "ABI-033: query refuses {} in longer structs, which it takes otherwise",
        w.name);
  const Exec plain = b.Compile(g), exec = b.Compile(longer.known);
  Run first(b, w, plain), run(b, w, exec);
  first.Go();
  run.Go();
  run.ExpectRight();
  CheckSame(run.outputs(), first.outputs(), "ABI-033: of longer structs");
}

void GraphLonger(Bench& b) {
  GraphOf(b, b.Plain());
  try {
    GraphOf(b, Chain(b.Elementwise(), {2, 3}, 4));
  } catch (const NotThere&) {
  }
  // Of nodes with attributes those that it takes.
  for (const char* op : {"Conv", "Gemm", "MaxPool", "AveragePool", "LRN"})
    if (const std::optional<Workload> w = b.TakenCase(op)) GraphOf(b, *w);
}

void CompileOptions(Bench& b) {
  const Workload w = b.Plain();
  Longer<braid_compile_options> longer(BRAID_COMPILE_OPTIONS_INIT);
  braid_compile_options shorter = BRAID_COMPILE_OPTIONS_INIT;
  shorter.size = offsetof(braid_compile_options, options);
  shorter.options = &kUnknown;
  shorter.option_count = 1;
  for (const braid_compile_options* options : {&longer.known, &shorter}) {
    auto verdicts = NoVerdicts(w.view->node_count);
    b.Ok(b.dev().query(b.device(), w.view, options, verdicts.data(), sizeof verdicts[0]),
         fmt::format("query with options of {} bytes", options->size));
    braid_exec* raw = nullptr;
    b.Ok(b.dev().compile(b.device(), w.view, options, &raw),
         fmt::format("compile with options of {} bytes", options->size));
    const Exec exec(b, raw);
    Run run(b, w, exec);
    run.Go();
    run.ExpectRight();
  }
}

void OpenOptions(Bench& b) {
  if (!b.subject().options.empty()) throw NotThere("the device is opened with options of its own");
  Longer<braid_open_options> longer(BRAID_OPEN_OPTIONS_INIT);
  braid_open_options shorter = BRAID_OPEN_OPTIONS_INIT;
  shorter.size = offsetof(braid_open_options, option_count);
  shorter.options = &kUnknown;
  shorter.option_count = 1;
  for (const braid_open_options* options : {&longer.known, &shorter}) {
    braid_device* device = nullptr;
    b.Ok(b.plugin()->open(b.plugin(), b.subject().device, options, &device),
         fmt::format("open with options of {} bytes", options->size));
    b.dev().close(device);
  }
}

// Room for `count` elements at three strides, zeroed but for `prepare`; nothing is written behind the last.
// Within a longer stride a newer plugin may write what only it knows.
template <class T, class Prepare, class Call>
void Strided(uint32_t count, size_t shortest, const char* what, const Prepare& prepare, const Call& call) {
  for (const size_t stride : {sizeof(T) + 40, sizeof(T), shortest}) {
    const size_t known = std::min(stride, sizeof(T));
    std::vector<uint8_t> room(count * stride + 64, kBeyond);
    for (uint32_t i = 0; i < count; ++i) {
      const T element = prepare(static_cast<uint32_t>(stride));
      std::memcpy(room.data() + i * stride, &element, known);
    }
    call(room.data(), static_cast<uint32_t>(stride));
    for (size_t at = count * stride; at < room.size(); ++at)
      Check(room[at] == kBeyond, "ABI-033: {} writes behind elements at a stride of {}", what, stride);
  }
}

void Verdicts(Bench& b) {
  const Workload w = b.Plain();
  const braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  Strided<braid_verdict>(
      w.view->node_count, offsetof(braid_verdict, detail), "query",
      [](uint32_t) {
        braid_verdict v{};
        v.code = BRAID_NO_OP;
        v.input = v.attr = v.group = BRAID_NONE;
        return v;
      },
      [&](void* room, uint32_t stride) {
        b.Ok(b.dev().query(b.device(), w.view, &options, room, stride),
             fmt::format("query with verdicts of {} bytes", stride));
        for (uint32_t i = 0; i < w.view->node_count; ++i)
          Check(BRAID_AT(braid_verdict, room, stride, i)->code < BRAID_NO_OP,
                "query with verdicts of {} bytes refuses node {}, which it takes otherwise", stride, i);
      });
  // One that is refused has a text, which must not be written into a short verdict.
  kit::testing::Graph unknown;
  unknown.Node("NoSuchOperator", 1, {unknown.Input(1, {2})}, {unknown.Output(1, {2})});
  Strided<braid_verdict>(
      1, offsetof(braid_verdict, detail), "query",
      [](uint32_t) {
        braid_verdict v{};
        v.code = BRAID_NO_OP;
        v.input = v.attr = v.group = BRAID_NONE;
        return v;
      },
      [&](void* room, uint32_t stride) {
        b.Ok(b.dev().query(b.device(), unknown.view(), &options, room, stride),
             fmt::format("query with verdicts of {} bytes", stride));
      });
}

void Infos(Bench& b) {
  uint32_t count = 0;
  b.Ok(b.plugin()->enumerate(b.plugin(), 0, nullptr, sizeof(braid_device_info), &count), "enumerate");
  Strided<braid_device_info>(
      count, offsetof(braid_device_info, import_alignment), "enumerate",
      [](uint32_t stride) {
        braid_device_info info{};
        info.size = stride;
        return info;
      },
      [&](void* room, uint32_t stride) {
        b.Ok(b.plugin()->enumerate(b.plugin(), count, room, stride, &count),
             fmt::format("enumerate with infos of {} bytes", stride));
        Check(BRAID_AT(braid_device_info, room, stride, b.subject().device)->queues == b.info().queues,
              "enumerate with infos of {} bytes tells something else", stride);
      });
}

void Costs(Bench& b) {
  if (b.dev().estimate == nullptr) throw NotThere("the device has no estimate");
  const Workload w = b.Plain();
  const braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  const uint32_t nodes[] = {0, 0}, ends[] = {1, 2};
  Strided<braid_cost>(
      2, offsetof(braid_cost, workspace), "estimate",
      [](uint32_t stride) {
        braid_cost cost{};
        cost.size = stride;
        return cost;
      },
      [&](void* room, uint32_t stride) {
        const braid_status status =
            b.dev().estimate(b.device(), w.view, &options, nodes, ends, 2, room, stride);
        if (status == BRAID_UNSUPPORTED) throw NotThere("the device cannot tell costs");
        b.Ok(status, fmt::format("estimate with costs of {} bytes", stride));
        Check(BRAID_AT(braid_cost, room, stride, 0)->time_ns > 0 &&
                  BRAID_AT(braid_cost, room, stride, 1)->time_ns > 0,
              "estimate with costs of {} bytes tells no time", stride);
      });
}

void Link(Bench& b) {
  if (b.dev().link == nullptr) throw NotThere("the device has no link");
  Longer<braid_device_info> peer(b.info());
  Longer<braid_link> longer(BRAID_LINK_INIT);
  const braid_status status = b.dev().link(b.device(), &peer.known, &longer.known);
  if (status == BRAID_UNSUPPORTED) throw NotThere("the device knows no links");
  b.Ok(status, "link with a longer struct");
  braid_device_info short_peer = b.info();
  short_peer.size = offsetof(braid_device_info, import_alignment);
  braid_link shorter;
  std::memset(&shorter, kBeyond, sizeof shorter);
  shorter.size = offsetof(braid_link, latency_ns);
  shorter.kind = 0;
  const braid_link before = shorter;
  b.Ok(b.dev().link(b.device(), &short_peer, &shorter), "link with a shorter struct");
  Untouched(shorter, before, before.size, "braid_link");
}

void BufferDesc(Bench& b) {
  Longer<braid_buffer_desc> longer(BRAID_BUFFER_DESC_INIT);
  longer.known.bytes = 1000;
  braid_buffer_desc shorter = BRAID_BUFFER_DESC_INIT;
  shorter.size = offsetof(braid_buffer_desc, exports);
  shorter.bytes = 1000;
  shorter.exports = 0xff;
  for (const braid_buffer_desc* desc : {&longer.known, &shorter}) {
    braid_buffer* raw = nullptr;
    b.Ok(b.dev().buffer_alloc(b.device(), desc, &raw),
         fmt::format("buffer_alloc by a desc of {} bytes", desc->size));
    const Buffer buffer(b, raw, 1000);
    const std::vector<uint8_t> data(1000, 7);
    b.Write(buffer, 0, data.data(), data.size());
    Check(b.Read(buffer, 0, 1000) == data, "a buffer of a desc of {} bytes does not hold its data",
          desc->size);
  }
}

void Bindings(Bench& b) {
  const Workload w = b.Plain();
  const Exec exec = b.Compile(*w.view);
  Run run(b, w, exec);
  // Without `strides` what stands there is the next element's beginning.
  for (const size_t stride : {sizeof(braid_binding) + 48, offsetof(braid_binding, strides)}) {
    auto spread = Spread(run.bindings.data(), run.submit.binding_count, sizeof(braid_binding), stride);
    spread.resize(spread.size() + sizeof(braid_binding), kBeyond);
    for (uint32_t i = 0; i < run.submit.binding_count; ++i) {
      const auto size = static_cast<uint32_t>(stride);
      std::memcpy(spread.data() + i * stride, &size, sizeof size);
    }
    run.submit.bindings = spread.data();
    run.submit.binding_stride = static_cast<uint32_t>(stride);
    uint64_t workspace = 0;
    b.Ok(b.ex().workspace_size(exec.get(), spread.data(), w.view->input_count, static_cast<uint32_t>(stride),
                               &workspace),
         fmt::format("workspace_size with bindings of {} bytes", stride));
    run.Go();
    run.ExpectRight();
  }
}

void Submit(Bench& b) {
  const Workload w = b.Plain();
  const Exec exec = b.Compile(*w.view);
  Run run(b, w, exec);
  Longer<braid_submit> longer(run.submit);
  braid_submit shorter = run.submit;
  shorter.size = offsetof(braid_submit, deadline_ns);
  shorter.deadline_ns = 1;
  for (const braid_submit* submit : {&longer.known, &shorter}) {
    run.Prepare();
    braid_fence* raw = nullptr;
    b.Ok(b.ex().submit(exec.get(), submit, &raw), fmt::format("submit of {} bytes", submit->size));
    Fence fence(b, raw);
    const braid_status status = fence.Wait();
    Check(status == BRAID_OK, "a submit of {} bytes ends with {}: {}", submit->size, StatusText(status),
          fence.Text());
    run.Collect(fence.get());
    run.ExpectRight();
  }
}

void Transfer(Bench& b) {
  const Buffer buffer = b.Alloc(256);
  std::vector<uint8_t> data(256, 9), back(256);
  braid_transfer write = BRAID_TRANSFER_INIT;
  write.kind = BRAID_TRANSFER_WRITE;
  write.to = buffer.get();
  write.host = data.data();
  write.bytes = data.size();
  const Longer<braid_transfer> longer(write);
  braid_transfer shorter = BRAID_TRANSFER_INIT;
  shorter.kind = BRAID_TRANSFER_READ;
  shorter.from = buffer.get();
  shorter.host = back.data();
  shorter.bytes = back.size();
  shorter.size = offsetof(braid_transfer, queue);
  shorter.queue = 999'999;
  for (const braid_transfer* t : {&longer.known, const_cast<const braid_transfer*>(&shorter)}) {
    Fence fence = b.Transfer(*t);
    const braid_status status = fence.Wait();
    Check(status == BRAID_OK, "a transfer of {} bytes ends with {}: {}", t->size, StatusText(status),
          fence.Text());
  }
  Check(back == data, "transfers by structs of other lengths move other bytes");
}

void Answers(Bench& b) {
  const Workload w = b.Plain();
  const Exec exec = b.Compile(*w.view);
  Run run(b, w, exec, {.timed = true});
  run.Prepare();
  Fence fence = run.Start();
  Check(fence.Wait() == BRAID_OK, "a run fails: {}", fence.Text());
  {
    braid_health shorter;
    std::memset(&shorter, kBeyond, sizeof shorter);
    shorter.size = offsetof(braid_health, memory_free);
    const braid_health before = shorter;
    b.Ok(b.dev().health(b.device(), &shorter), "health with a shorter struct");
    Untouched(shorter, before, before.size, "braid_health");
    Longer<braid_health> longer(BRAID_HEALTH_INIT);
    b.Ok(b.dev().health(b.device(), &longer.known), "health with a longer struct");
  }
  {
    braid_io_requirements shorter;
    std::memset(&shorter, kBeyond, sizeof shorter);
    shorter.size = offsetof(braid_io_requirements, may_alias_input);
    shorter.flags = 0;
    shorter.alignment = 1;
    const braid_io_requirements before = shorter;
    b.Ok(b.ex().io_requirements(exec.get(), w.view->inputs[0], &shorter),
         "io_requirements with a shorter struct");
    Untouched(shorter, before, before.size, "braid_io_requirements");
    Longer<braid_io_requirements> longer(BRAID_IO_REQUIREMENTS_INIT);
    b.Ok(b.ex().io_requirements(exec.get(), w.view->inputs[0], &longer.known),
         "io_requirements with a longer struct");
    Check(longer.known.alignment == shorter.alignment, "io_requirements answers by the struct's length");
  }
  if (fence.get() == nullptr) return;
  braid_completion shorter;
  std::memset(&shorter, kBeyond, sizeof shorter);
  shorter.size = offsetof(braid_completion, text);
  shorter.status = BRAID_PENDING;
  const braid_completion before = shorter;
  Check(b.fn().completion(fence.get(), &shorter) == BRAID_OK && shorter.status == BRAID_OK,
        "completion with a shorter struct does not tell its status");
  Untouched(shorter, before, before.size, "braid_completion");
  Longer<braid_completion> longer(BRAID_COMPLETION_INIT);
  Check(b.fn().completion(fence.get(), &longer.known) == BRAID_OK && longer.known.status == BRAID_OK,
        "completion with a longer struct does not tell its status");
}

}  // namespace

std::vector<ContractCase> StructCases() {
  return {
      {"abi/struct-graph", "ABI-033",
       "a longer graph and longer nodes, values, attributes, dims are walked by their strides", GraphLonger},
      {"abi/struct-compile-options", "ABI-033", "longer and shorter options of query and compile",
       CompileOptions},
      {"abi/struct-open-options", "ABI-033", "longer and shorter options of open", OpenOptions},
      {"abi/struct-verdict", "ABI-033", "verdicts at a longer stride, and shorter ones without a text",
       Verdicts},
      {"abi/struct-device-info", "ABI-033", "infos at a longer and a shorter stride", Infos},
      {"abi/struct-cost", "ABI-033", "costs at a longer and a shorter stride", Costs},
      {"abi/struct-link", "ABI-033", "longer and shorter peers and links", Link},
      {"abi/struct-buffer-desc", "ABI-033", "longer and shorter descriptions of a buffer", BufferDesc},
      {"abi/struct-binding", "ABI-033", "bindings at a longer stride, and shorter ones without strides",
       Bindings},
      {"abi/struct-submit", "ABI-033", "longer and shorter submits", Submit},
      {"abi/struct-transfer", "ABI-033", "longer and shorter transfers", Transfer},
      {"abi/struct-answers", "ABI-033", "longer and shorter health, io_requirements and completion", Answers},
  };
}

}  // namespace braid::conformance
