/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin in plain C: one synchronous device that runs segments of Add on float32 tensors of one shape, in
 * host memory, with values between nodes in the workspace. It allocates nothing in a run: tests count what
 * core allocates and how long it takes. */
#include <braid/plugin.h>
#include <stdlib.h>
#include <string.h>

struct braid_device {
  const braid_host* host;
};
#define MAX_NODES 16
struct braid_exec {
  const braid_host* host;
  uint32_t count;
  uint32_t a[MAX_NODES], b[MAX_NODES], y[MAX_NODES]; /* values of the compiled graph, by node */
};

static int same(const braid_graph* g, braid_span span, const char* text) {
  return span.count == strlen(text) && memcmp(g->chars + span.first, text, span.count) == 0;
}
static braid_str str(const char* text) {
  braid_str s;
  s.ptr = text;
  s.len = strlen(text);
  return s;
}
static braid_status fail(const braid_host* host, const char* text) {
  host->set_error(host, str(text));
  return BRAID_INVALID_ARGUMENT;
}
static const braid_node* node_at(const braid_graph* g, uint32_t i) {
  return BRAID_AT(braid_node, g->nodes, g->node_stride, i);
}
static const braid_value* value_at(const braid_graph* g, uint32_t i) {
  return BRAID_AT(braid_value, g->values, g->value_stride, i);
}

static braid_status query(braid_device* d, const braid_graph* g, const braid_compile_options* o,
                          void* verdicts, uint32_t stride) {
  uint32_t i;
  (void)d;
  (void)o;
  for (i = 0; i < g->node_count; ++i) {
    const braid_node* node = node_at(g, i);
    braid_verdict* v = (braid_verdict*)((char*)verdicts + (uint64_t)stride * i);
    if (same(g, node->op, "Add") && node->domain.count == 0 &&
        value_at(g, g->refs[node->inputs.first])->type == 1) {
      v->code = BRAID_YES;
      v->group = BRAID_NONE;
    }
  }
  return BRAID_OK;
}

static braid_status compile(braid_device* d, const braid_graph* g, const braid_compile_options* o,
                            braid_exec** out) {
  uint32_t i;
  (void)o;
  if (g->node_count > MAX_NODES) return fail(d->host, "a segment of more than 16 nodes");
  *out = (braid_exec*)malloc(sizeof **out);
  if (*out == NULL) return BRAID_OUT_OF_MEMORY;
  (*out)->host = d->host;
  (*out)->count = g->node_count;
  for (i = 0; i < g->node_count; ++i) {
    const braid_node* node = node_at(g, i);
    (*out)->a[i] = g->refs[node->inputs.first];
    (*out)->b[i] = g->refs[node->inputs.first + 1];
    (*out)->y[i] = g->refs[node->outputs.first];
  }
  return BRAID_OK;
}

/* A buffer is its memory. */
static braid_status buffer_alloc(braid_device* d, const braid_buffer_desc* desc, braid_buffer** out) {
  (void)d;
  *out = (braid_buffer*)malloc(desc->bytes > 0 ? desc->bytes : 1);
  return *out != NULL ? BRAID_OK : BRAID_OUT_OF_MEMORY;
}
static void buffer_free(braid_device* d, braid_buffer* buffer) {
  (void)d;
  free(buffer);
}
static braid_status map(braid_device* d, braid_buffer* buffer, uint64_t offset, uint64_t bytes, void** out) {
  (void)d;
  (void)bytes;
  *out = (char*)buffer + offset;
  return BRAID_OK;
}
static void unmap(braid_device* d, braid_buffer* buffer) {
  (void)d;
  (void)buffer;
}
static braid_status transfer(braid_device* d, const braid_transfer* t, braid_fence** fence) {
  (void)d;
  memcpy(t->kind == BRAID_TRANSFER_READ ? (char*)t->host : (char*)t->to + t->to_offset,
         t->kind == BRAID_TRANSFER_WRITE ? (char*)t->host : (char*)t->from + t->from_offset, t->bytes);
  *fence = NULL;
  return BRAID_OK;
}
static braid_status health(braid_device* d, braid_health* out) {
  (void)d;
  (void)out;
  return BRAID_OK;
}
static void close_device(braid_device* d) { free(d); }

static braid_status io_requirements(braid_exec* e, uint32_t value, braid_io_requirements* out) {
  (void)e;
  (void)value;
  out->alignment = 1;
  out->may_alias_input = BRAID_NONE;
  return BRAID_OK;
}
static braid_status output_dims(braid_exec* e, const void* inputs, uint32_t count, uint32_t stride,
                                uint32_t output, int32_t* rank, int64_t* dims) {
  const braid_binding* x = (const braid_binding*)inputs;
  (void)stride;
  (void)output;
  if (count == 0) return fail(e->host, "no input is bound");
  *rank = x->rank;
  memcpy(dims, x->dims, sizeof(int64_t) * (size_t)x->rank);
  return BRAID_OK;
}
static braid_status workspace_size(braid_exec* e, const void* inputs, uint32_t count, uint32_t stride,
                                   uint64_t* bytes) {
  (void)stride;
  *bytes = count == 0 ? 0 : e->count * ((const braid_binding*)inputs)->bytes;
  return BRAID_OK;
}

/* Where a value is: bound, or the workspace's part of the node that makes it. */
static float* where(const braid_exec* e, const braid_submit* s, uint32_t value, uint64_t bytes) {
  uint32_t i;
  for (i = 0; i < s->binding_count; ++i) {
    const braid_binding* x = BRAID_AT(braid_binding, s->bindings, s->binding_stride, i);
    if (x->value == value) return x->bytes < bytes ? NULL : (float*)x->host;
  }
  for (i = 0; i < e->count; ++i)
    if (e->y[i] == value && s->workspace != NULL)
      return (float*)((char*)s->workspace + s->workspace_offset + i * bytes);
  return NULL;
}

static braid_status submit(braid_exec* e, const braid_submit* s, braid_fence** fence) {
  const uint64_t bytes = ((const braid_binding*)s->bindings)->bytes;
  uint32_t i;
  uint64_t n;
  for (i = 0; i < e->count; ++i) {
    const float *a = where(e, s, e->a[i], bytes), *b = where(e, s, e->b[i], bytes);
    float* y = where(e, s, e->y[i], bytes);
    if (a == NULL || b == NULL || y == NULL)
      return fail(e->host, "tensors of one shape in host memory are wanted");
    for (n = 0; n < bytes / sizeof(float); ++n) y[n] = a[n] + b[n];
  }
  *fence = NULL;
  return BRAID_OK;
}
static braid_status take_output(braid_exec* e, braid_fence* f, uint32_t value, braid_buffer** buffer,
                                int32_t* rank, int64_t* dims) {
  (void)f;
  (void)value;
  (void)buffer;
  (void)rank;
  (void)dims;
  return fail(e->host, "there is nothing to take");
}
static void destroy_exec(braid_exec* e) { free(e); }

/* No fence is ever made: these are never called. */
static braid_status fence_wait(braid_fence* f, uint64_t timeout) {
  (void)f;
  (void)timeout;
  return BRAID_OK;
}
static void fence_on_ready(braid_fence* f, void (*callback)(void*, braid_status), void* argument) {
  (void)f;
  callback(argument, BRAID_OK);
}
static braid_status fence_completion(braid_fence* f, braid_completion* out) {
  (void)f;
  out->status = BRAID_OK;
  return BRAID_OK;
}
static void fence_destroy(braid_fence* f) { (void)f; }

static braid_status enumerate(const braid_plugin* p, uint32_t capacity, void* infos, uint32_t stride,
                              uint32_t* count) {
  (void)p;
  *count = 1;
  if (capacity > 0) {
    braid_device_info info;
    memset(&info, 0, sizeof info);
    info.size = stride < sizeof info ? stride : (uint32_t)sizeof info;
    info.kind = BRAID_DEVICE_OTHER;
    info.name = str("plain");
    info.alignment = 1;
    info.max_buffer = UINT64_MAX;
    info.flags = BRAID_HOST_BINDINGS | BRAID_SYNCHRONOUS | BRAID_MEMORY_MAPPABLE | BRAID_DETERMINISTIC;
    info.queues = 1;
    info.transfer_queue = BRAID_NONE;
    memcpy(infos, &info, info.size);
  }
  return BRAID_OK;
}
static braid_status open_device(const braid_plugin* p, uint32_t index, const braid_open_options* o,
                                braid_device** out) {
  (void)index;
  (void)o;
  *out = (braid_device*)malloc(sizeof **out);
  if (*out == NULL) return BRAID_OUT_OF_MEMORY;
  (*out)->host = (const braid_host*)p->data;
  return BRAID_OK;
}
static const void* get_extension(const braid_plugin* p, const char* id) {
  (void)p;
  (void)id;
  return NULL;
}
static void shut_down(const braid_plugin* p) { free((void*)p); }

static const braid_device_fns kDevice = {sizeof(braid_device_fns),
                                         0,
                                         query,
                                         NULL,
                                         NULL,
                                         compile,
                                         NULL,
                                         NULL,
                                         buffer_alloc,
                                         NULL,
                                         NULL,
                                         buffer_free,
                                         map,
                                         unmap,
                                         transfer,
                                         NULL,
                                         health,
                                         close_device};
static const braid_exec_fns kExec = {sizeof(braid_exec_fns),
                                     0,
                                     io_requirements,
                                     output_dims,
                                     workspace_size,
                                     submit,
                                     take_output,
                                     NULL,
                                     destroy_exec};
static const braid_fence_fns kFence = {sizeof(braid_fence_fns), 0,    fence_wait, fence_on_ready,
                                       fence_completion,        NULL, NULL,       fence_destroy};

BRAID_EXPORT braid_status BRAID_CALL braid_plugin_query(uint32_t host_abi, const braid_host* host,
                                                        const braid_plugin** out) {
  braid_plugin* p;
  *out = NULL;
  if (host_abi != BRAID_ABI) return BRAID_UNSUPPORTED;
  p = (braid_plugin*)calloc(1, sizeof *p);
  if (p == NULL) return BRAID_OUT_OF_MEMORY;
  p->size = sizeof *p;
  p->abi = BRAID_ABI;
  p->data = (void*)host;
  p->id = str("plain");
  p->vendor = str("Braid");
  p->version = str("1");
  p->newest_opset = 14;
  p->enumerate = enumerate;
  p->open = open_device;
  p->device = &kDevice;
  p->exec = &kExec;
  p->fence = &kFence;
  p->get_extension = get_extension;
  p->shutdown = shut_down;
  *out = p;
  return BRAID_OK;
}
