/* SPDX-License-Identifier: Apache-2.0
 *
 * A host in one file, as an old application has it: it loads a plugin by the raw ABI and adds two tensors on
 * its first device, in buffers and with fences. Its binary is kept, so that a plugin of today is tried with a
 * host of then:
 *
 *   host libbraid_reference.so     prints "11 22 33 44" */
#define _POSIX_C_SOURCE 200809L
#include <braid/plugin.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FLOAT = 1, COUNT = 4 };

/* ---- The host's table: as little as may be ---- */

static void BRAID_CALL log_line(const braid_host* h, int32_t level, braid_str text) {
  (void)h;
  fprintf(stderr, "%d: %.*s\n", (int)level, (int)text.len, text.ptr);
}
static void BRAID_CALL set_error(const braid_host* h, braid_str text) { log_line(h, BRAID_LOG_ERROR, text); }
static void* BRAID_CALL allocate(const braid_host* h, uint64_t bytes, uint64_t alignment) {
  void* memory = NULL;
  (void)h;
  if (alignment < sizeof(void*)) alignment = 16;
  return posix_memalign(&memory, (size_t)alignment, (size_t)(bytes > 0 ? bytes : 1)) == 0 ? memory : NULL;
}
static void BRAID_CALL give_back(const braid_host* h, void* memory) {
  (void)h;
  free(memory);
}
static uint64_t BRAID_CALL now(const braid_host* h) {
  struct timespec t;
  (void)h;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
static void BRAID_CALL parallel_for(const braid_host* h, uint64_t n,
                                    void(BRAID_CALL* task)(void*, uint64_t, uint32_t), void* argument) {
  uint64_t i;
  (void)h;
  for (i = 0; i < n; ++i) task(argument, i, 0);
}
static uint32_t BRAID_CALL concurrency(const braid_host* h) {
  (void)h;
  return 1;
}
static braid_status BRAID_CALL constant(const braid_host* h, const braid_graph* g, uint32_t value,
                                        braid_bytes* out, void** token) {
  (void)h;
  (void)g;
  (void)value;
  (void)out;
  (void)token;
  return BRAID_INVALID_ARGUMENT;
}
static void BRAID_CALL release(const braid_host* h, void* token) {
  (void)h;
  (void)token;
}
static braid_status BRAID_CALL cache_get(const braid_host* h, braid_bytes key, braid_bytes* out,
                                         void** token) {
  (void)h;
  (void)key;
  (void)out;
  (void)token;
  return BRAID_UNSUPPORTED;
}
static braid_status BRAID_CALL cache_put(const braid_host* h, braid_bytes key, braid_bytes data) {
  (void)h;
  (void)key;
  (void)data;
  return BRAID_UNSUPPORTED;
}
static const void* BRAID_CALL get_extension(const braid_host* h, const char* id) {
  (void)h;
  (void)id;
  return NULL;
}

/* ---- One Add ---- */

static void check(braid_status status, const char* what) {
  if (status == BRAID_OK) return;
  fprintf(stderr, "%s answered %d\n", what, (int)status);
  exit(1);
}

static void await(const braid_plugin* p, braid_fence* fence, const char* what) {
  if (fence == NULL) return; /* done already */
  check(p->fence->wait(fence, UINT64_MAX), what);
  p->fence->destroy(fence);
}

static braid_buffer* new_buffer(const braid_plugin* p, braid_device* d, uint64_t bytes) {
  braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
  braid_buffer* buffer = NULL;
  desc.bytes = bytes;
  check(p->device->buffer_alloc(d, &desc, &buffer), "buffer_alloc");
  return buffer;
}

static void move(const braid_plugin* p, braid_device* d, int32_t kind, braid_buffer* buffer, float* host) {
  braid_transfer t = BRAID_TRANSFER_INIT;
  braid_fence* fence = NULL;
  t.kind = kind;
  if (kind == BRAID_TRANSFER_WRITE) t.to = buffer;
  if (kind == BRAID_TRANSFER_READ) t.from = buffer;
  t.host = host;
  t.bytes = COUNT * sizeof(float);
  check(p->device->transfer(d, &t, &fence), "transfer");
  await(p, fence, "the fence of a transfer");
}

int main(int argc, char** argv) {
  static const char chars[] = "Addabc";
  const uint32_t refs[] = {0, 1, 2}, inputs[] = {0, 1}, outputs[] = {2};
  const int64_t extent = COUNT;
  float a[COUNT] = {1, 2, 3, 4}, b[COUNT] = {10, 20, 30, 40}, c[COUNT] = {0};
  float* tensors[3];
  braid_host host = BRAID_HOST_INIT;
  braid_open_options open = BRAID_OPEN_OPTIONS_INIT;
  braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  braid_graph graph = BRAID_GRAPH_INIT;
  braid_submit submit = BRAID_SUBMIT_INIT;
  braid_binding bindings[3];
  braid_buffer *buffers[3], *workspace = NULL;
  braid_dim dim;
  braid_value values[3];
  braid_node node;
  braid_verdict verdict;
  braid_device* device = NULL;
  braid_exec* exec = NULL;
  braid_fence* fence = NULL;
  const braid_plugin* p = NULL;
  braid_status(BRAID_CALL * query)(uint32_t, const braid_host*, const braid_plugin**);
  void* library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  uint64_t bytes = 0;
  int i;
  if (library == NULL) {
    fprintf(stderr, "%s\n", argc == 2 ? dlerror() : "usage: host LIBRARY");
    return 2;
  }
  *(void**)&query = dlsym(library, "braid_plugin_query");
  if (query == NULL) return 2;
  host.abi = BRAID_ABI;
  host.log = log_line;
  host.set_error = set_error;
  host.alloc = allocate;
  host.free = give_back;
  host.now = now;
  host.parallel_for = parallel_for;
  host.concurrency = concurrency;
  host.constant = constant;
  host.constant_release = release;
  host.cache_get = cache_get;
  host.cache_release = release;
  host.cache_put = cache_put;
  host.get_extension = get_extension;
  check(query(BRAID_ABI, &host, &p), "braid_plugin_query");
  check(p->open(p, 0, &open, &device), "open");

  memset(&dim, 0, sizeof dim);
  dim.value = dim.min = dim.max = dim.likely = COUNT;
  dim.symbol = BRAID_NONE;
  memset(values, 0, sizeof values);
  for (i = 0; i < 3; ++i) {
    values[i].name.first = 3 + (uint32_t)i;
    values[i].name.count = 1;
    values[i].type = FLOAT;
    values[i].rank = 1;
    values[i].flags = i < 2 ? BRAID_VALUE_INPUT : BRAID_VALUE_OUTPUT;
  }
  memset(&node, 0, sizeof node);
  node.op.count = 3;
  node.version = 14;
  node.min_version = 7;
  node.inputs.count = 2;
  node.outputs.first = 2;
  node.outputs.count = 1;
  node.group = BRAID_NONE;
  graph.node_count = 1;
  graph.node_stride = sizeof node;
  graph.value_count = 3;
  graph.value_stride = sizeof *values;
  graph.attr_stride = sizeof(braid_attr);
  graph.dim_count = 1;
  graph.dim_stride = sizeof dim;
  graph.ref_count = 3;
  graph.char_count = sizeof chars - 1;
  graph.nodes = &node;
  graph.values = values;
  graph.dims = &dim;
  graph.refs = refs;
  graph.chars = chars;
  graph.inputs = inputs;
  graph.input_count = 2;
  graph.outputs = outputs;
  graph.output_count = 1;
  memset(&verdict, 0, sizeof verdict);
  verdict.code = BRAID_NO_OP;
  verdict.input = verdict.attr = verdict.group = BRAID_NONE;
  check(p->device->query(device, &graph, &options, &verdict, sizeof verdict), "query");
  if (verdict.code >= BRAID_NO_OP) {
    fprintf(stderr, "query refuses Add: %s\n", verdict.detail);
    return 1;
  }
  check(p->device->compile(device, &graph, &options, &exec), "compile");

  tensors[0] = a;
  tensors[1] = b;
  tensors[2] = c;
  for (i = 0; i < 3; ++i) {
    const braid_binding none = BRAID_BINDING_INIT;
    buffers[i] = new_buffer(p, device, sizeof a);
    bindings[i] = none;
    bindings[i].value = (uint32_t)i;
    bindings[i].buffer = buffers[i];
    bindings[i].bytes = sizeof a;
    bindings[i].rank = 1;
    bindings[i].dims = &extent;
    if (i < 2) move(p, device, BRAID_TRANSFER_WRITE, buffers[i], tensors[i]);
  }
  check(p->exec->workspace_size(exec, bindings, 2, sizeof *bindings, &bytes), "workspace_size");
  if (bytes > 0) workspace = new_buffer(p, device, bytes);
  submit.binding_count = 3;
  submit.binding_stride = sizeof *bindings;
  submit.bindings = bindings;
  submit.workspace = workspace;
  check(p->exec->submit(exec, &submit, &fence), "submit");
  await(p, fence, "the fence of a run");
  move(p, device, BRAID_TRANSFER_READ, buffers[2], c);
  printf("%g %g %g %g\n", c[0], c[1], c[2], c[3]);

  p->exec->destroy(exec);
  for (i = 0; i < 3; ++i) p->device->buffer_free(device, buffers[i]);
  if (workspace != NULL) p->device->buffer_free(device, workspace);
  p->device->close(device);
  p->shutdown(p);
  return 0;
}
