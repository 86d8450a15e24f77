/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin in plain C, complete and without the kit: one synchronous device that adds float32 tensors of one
 * known shape. It reads from top to bottom: what a node must be like (query), a segment made of such nodes
 * (compile), its runs (submit), memory, and the tables that lead there. braid/plugin.h says what each slot
 * must do.
 *
 * A run allocates nothing: values between two nodes lie in the workspace. */
#include <braid/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLOAT = 1 /* onnx.TensorProto.FLOAT */, ADD_VERSION = 14, ALIGNMENT = 64 };

/* ---- Objects: the ABI's handles are pointers to what a plugin likes
 * ----------------------------------------------- */

struct braid_device {
  const braid_host* host;
};

/* One node of a segment: which values of the compiled graph it reads and makes, and their one shape. */
typedef struct step {
  uint32_t a, b, y;
  int32_t rank;
  uint64_t elements;
  uint64_t offset; /* of y in the workspace, if y leaves no output */
  int64_t dims[BRAID_MAX_RANK];
} step;

struct braid_exec {
  const braid_host* host;
  uint64_t workspace;
  uint32_t count;
  step steps[]; /* in an order in which they can run */
};

/* A braid_buffer is its memory, and no braid_fence is ever made: all work is done when a call returns. */

/* ---- Helpers
 * ------------------------------------------------------------------------------------------------------- */

static braid_str str(const char* text) {
  braid_str s;
  s.ptr = text;
  s.len = strlen(text);
  return s;
}

/* Every failure has a text for people. */
static braid_status fail(const braid_host* host, braid_status status, const char* text) {
  host->set_error(host, str(text));
  return status;
}

/* Arrays of structs are walked with their strides: the host's structs may be longer than this header's. */
static const braid_node* node_at(const braid_graph* g, uint32_t i) {
  return BRAID_AT(braid_node, g->nodes, g->node_stride, i);
}
static const braid_value* value_at(const braid_graph* g, uint32_t i) {
  return BRAID_AT(braid_value, g->values, g->value_stride, i);
}
static const braid_dim* dim_at(const braid_graph* g, const braid_value* v, int32_t i) {
  return BRAID_AT(braid_dim, g->dims, g->dim_stride, v->dims + (uint32_t)i);
}
static const braid_binding* binding_at(const void* bindings, uint32_t stride, uint32_t i) {
  return BRAID_AT(braid_binding, bindings, stride, i);
}

static int is(const braid_graph* g, braid_span text, const char* wanted) {
  return text.count == strlen(wanted) && memcmp(g->chars + text.first, wanted, text.count) == 0;
}

/* The elements of a value whose dims are all known; UINT64_MAX where they are not, or are too many. */
static uint64_t elements_of(const braid_graph* g, const braid_value* v) {
  uint64_t n = 1;
  int32_t i;
  if (v->rank < 0) return UINT64_MAX;
  for (i = 0; i < v->rank; ++i) {
    const int64_t extent = dim_at(g, v, i)->value;
    if (extent < 0 || (extent > 0 && n > UINT64_MAX / 8 / (uint64_t)extent)) return UINT64_MAX;
    n *= (uint64_t)extent;
  }
  return n;
}

static int same_shape(const braid_graph* g, const braid_value* a, const braid_value* b) {
  int32_t i;
  if (a->rank != b->rank) return 0;
  for (i = 0; i < a->rank; ++i)
    if (dim_at(g, a, i)->value != dim_at(g, b, i)->value) return 0;
  return 1;
}

/* ---- What the device can run
 * -------------------------------------------------------------------------------------- */

static void refuse(braid_verdict* v, int32_t code, uint32_t input, const char* why) {
  v->code = code;
  v->input = input;
  snprintf(v->detail, sizeof v->detail, "%s", why);
}

static braid_status BRAID_CALL query(braid_device* d, const braid_graph* g, const braid_compile_options* o,
                                     void* verdicts, uint32_t stride) {
  uint32_t i, k;
  (void)d;
  (void)o;
  for (i = 0; i < g->node_count; ++i) {
    const braid_node* node = node_at(g, i);
    braid_verdict* v = (braid_verdict*)((char*)verdicts + (uint64_t)stride * i); /* comes as NO_OP */
    if (!is(g, node->op, "Add") || node->domain.count != 0) {
      refuse(v, BRAID_NO_OP, BRAID_NONE, "only Add is implemented");
      continue;
    }
    if (ADD_VERSION < node->min_version || ADD_VERSION > node->version) {
      refuse(v, BRAID_NO_OPSET, BRAID_NONE, "Add-14 is implemented");
      continue;
    }
    v->code = BRAID_YES;
    for (k = 0; k < 2 && v->code == BRAID_YES; ++k) {
      const braid_value* x = value_at(g, g->refs[node->inputs.first + k]);
      if (x->type != FLOAT)
        refuse(v, BRAID_NO_TYPE, k, "only float32 is implemented");
      else if ((x->flags & BRAID_VALUE_CONSTANT) != 0)
        refuse(v, BRAID_NO_SHAPE, k, "constants are not implemented");
      else if (elements_of(g, x) == UINT64_MAX)
        refuse(v, BRAID_NO_DYNAMIC, k, "the shape must be known");
      else if (!same_shape(g, x, value_at(g, g->refs[node->inputs.first])))
        refuse(v, BRAID_NO_SHAPE, k, "broadcasting is not implemented");
    }
  }
  return BRAID_OK;
}

/* The graph of one segment, all of whose nodes query said yes to. It is gone afterwards: what runs need is
 * copied. */
static braid_status BRAID_CALL compile(braid_device* d, const braid_graph* g, const braid_compile_options* o,
                                       braid_exec** out) {
  braid_exec* e = calloc(1, sizeof *e + g->node_count * sizeof(step));
  uint32_t i;
  (void)o;
  if (e == NULL) return fail(d->host, BRAID_OUT_OF_MEMORY, "out of host memory");
  e->host = d->host;
  e->count = g->node_count;
  for (i = 0; i < g->node_count; ++i) {
    const braid_node* node = node_at(g, i);
    step* s = &e->steps[i];
    const braid_value* a;
    s->a = g->refs[node->inputs.first];
    s->b = g->refs[node->inputs.first + 1];
    s->y = g->refs[node->outputs.first];
    a = value_at(g, s->a);
    s->elements = elements_of(g, a);
    s->rank = a->rank;
    for (int32_t k = 0; k < a->rank; ++k) s->dims[k] = dim_at(g, a, k)->value;
    s->offset = e->workspace;
    if ((value_at(g, s->y)->flags & BRAID_VALUE_OUTPUT) == 0)
      e->workspace += (s->elements * sizeof(float) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }
  *out = e;
  return BRAID_OK;
}

/* ---- Runs
 * ---------------------------------------------------------------------------------------------------------
 */

static braid_status BRAID_CALL io_requirements(braid_exec* e, uint32_t value, braid_io_requirements* out) {
  (void)e;
  (void)value;
  out->alignment = ALIGNMENT;
  return BRAID_OK;
}

static braid_status BRAID_CALL output_dims(braid_exec* e, const void* inputs, uint32_t count, uint32_t stride,
                                           uint32_t output, int32_t* rank, int64_t* dims) {
  uint32_t i;
  (void)inputs;
  (void)count;
  (void)stride;
  for (i = 0; i < e->count; ++i) {
    if (e->steps[i].y != output) continue;
    *rank = e->steps[i].rank;
    memcpy(dims, e->steps[i].dims, sizeof e->steps[i].dims);
    return BRAID_OK;
  }
  return fail(e->host, BRAID_INVALID_ARGUMENT, "output_dims: the value is no output of the graph");
}

static braid_status BRAID_CALL workspace_size(braid_exec* e, const void* inputs, uint32_t count,
                                              uint32_t stride, uint64_t* bytes) {
  (void)inputs;
  (void)count;
  (void)stride;
  *bytes = e->workspace;
  return BRAID_OK;
}

/* Where a value is in this run: bound, in a buffer or in host memory, or in the workspace. NULL: nowhere. */
static float* memory_of(const braid_exec* e, const braid_submit* s, uint32_t value, uint64_t elements) {
  uint32_t i;
  for (i = 0; i < s->binding_count; ++i) {
    const braid_binding* x = binding_at(s->bindings, s->binding_stride, i);
    if (x->value != value) continue;
    if (x->bytes < elements * sizeof(float)) return NULL;
    return x->buffer != NULL ? (float*)(void*)((char*)x->buffer + x->offset) : (float*)x->host;
  }
  for (i = 0; i < e->count; ++i)
    if (e->steps[i].y == value && s->workspace != NULL)
      return (float*)(void*)((char*)s->workspace + s->workspace_offset + e->steps[i].offset);
  return NULL;
}

static braid_status BRAID_CALL submit(braid_exec* e, const braid_submit* s, braid_fence** fence) {
  uint32_t i;
  uint64_t n;
  for (i = 0; i < e->count; ++i) {
    const step* at = &e->steps[i];
    const float *a = memory_of(e, s, at->a, at->elements), *b = memory_of(e, s, at->b, at->elements);
    float* y = memory_of(e, s, at->y, at->elements);
    if (at->elements == 0) continue; /* such a tensor may have no memory */
    if (a == NULL || b == NULL || y == NULL)
      return fail(e->host, BRAID_INVALID_ARGUMENT,
                  "submit: a tensor is not bound, or its memory is too small");
    for (n = 0; n < at->elements; ++n) y[n] = a[n] + b[n];
  }
  *fence = NULL; /* done already */
  return BRAID_OK;
}

static braid_status BRAID_CALL take_output(braid_exec* e, braid_fence* f, uint32_t value,
                                           braid_buffer** buffer, int32_t* rank, int64_t* dims) {
  (void)f;
  (void)value;
  (void)buffer;
  (void)rank;
  (void)dims;
  return fail(e->host, BRAID_INVALID_ARGUMENT, "take_output: every shape was known before the run");
}
static void BRAID_CALL destroy_exec(braid_exec* e) { free(e); }

/* ---- Memory
 * ------------------------------------------------------------------------------------------------------- */

static braid_status BRAID_CALL buffer_alloc(braid_device* d, const braid_buffer_desc* desc,
                                            braid_buffer** out) {
  const uint64_t alignment = desc->alignment > ALIGNMENT ? desc->alignment : ALIGNMENT;
  if ((alignment & (alignment - 1)) != 0)
    return fail(d->host, BRAID_INVALID_ARGUMENT, "buffer_alloc: the alignment is no power of two");
  if (desc->exports != 0) return fail(d->host, BRAID_UNSUPPORTED, "buffer_alloc: nothing can be exported");
  *out = d->host->alloc(d->host, desc->bytes > 0 ? desc->bytes : 1, alignment);
  return *out != NULL ? BRAID_OK : fail(d->host, BRAID_OUT_OF_MEMORY, "buffer_alloc: out of host memory");
}
static void BRAID_CALL buffer_free(braid_device* d, braid_buffer* buffer) { d->host->free(d->host, buffer); }

static braid_status BRAID_CALL map(braid_device* d, braid_buffer* buffer, uint64_t offset, uint64_t bytes,
                                   void** out) {
  (void)d;
  (void)bytes;
  *out = (char*)buffer + offset;
  return BRAID_OK;
}
static void BRAID_CALL unmap(braid_device* d, braid_buffer* buffer) {
  (void)d;
  (void)buffer;
}

static braid_status BRAID_CALL transfer(braid_device* d, const braid_transfer* t, braid_fence** fence) {
  char* to = t->kind == BRAID_TRANSFER_READ ? t->host : (char*)t->to + t->to_offset;
  const char* from = t->kind == BRAID_TRANSFER_WRITE ? t->host : (char*)t->from + t->from_offset;
  (void)d;
  if (t->bytes > 0) memmove(to, from, t->bytes);
  *fence = NULL;
  return BRAID_OK;
}

static braid_status BRAID_CALL health(braid_device* d, braid_health* out) {
  (void)d;
  (void)out; /* memory_free stays 0: not known */
  return BRAID_OK;
}
static void BRAID_CALL close_device(braid_device* d) { free(d); }

/* ---- Fences: never made, never called, but the slots are not optional
 * ---------------------------------------------- */

static braid_status BRAID_CALL fence_wait(braid_fence* f, uint64_t timeout) {
  (void)f;
  (void)timeout;
  return BRAID_OK;
}
static void BRAID_CALL fence_on_ready(braid_fence* f, void(BRAID_CALL* callback)(void*, braid_status),
                                      void* argument) {
  (void)f;
  callback(argument, BRAID_OK);
}
static braid_status BRAID_CALL fence_completion(braid_fence* f, braid_completion* out) {
  (void)f;
  out->status = BRAID_OK;
  return BRAID_OK;
}
static void BRAID_CALL fence_destroy(braid_fence* f) { (void)f; }

/* ---- The plugin
 * --------------------------------------------------------------------------------------------------- */

static braid_status BRAID_CALL enumerate(const braid_plugin* p, uint32_t capacity, void* infos,
                                         uint32_t stride, uint32_t* count) {
  (void)p;
  *count = 1;
  if (capacity > 0) {
    braid_device_info info = BRAID_DEVICE_INFO_INIT;
    info.kind = BRAID_DEVICE_OTHER;
    info.name = str("plain");
    info.vendor = str("Braid");
    info.driver = str("1");
    info.alignment = ALIGNMENT;
    info.flags = BRAID_HOST_BINDINGS | BRAID_SYNCHRONOUS | BRAID_MEMORY_MAPPABLE | BRAID_DETERMINISTIC;
    info.queues = 1;
    info.transfer_queue = BRAID_NONE;
    if (stride < info.size) info.size = stride; /* a host that knows a shorter struct */
    memcpy(infos, &info, info.size);
  }
  return BRAID_OK;
}

static braid_status BRAID_CALL open_device(const braid_plugin* p, uint32_t index, const braid_open_options* o,
                                           braid_device** out) {
  const braid_host* host = p->data;
  if (index != 0) return fail(host, BRAID_INVALID_ARGUMENT, "open: there is one device");
  if (o->option_count > 0) return fail(host, BRAID_INVALID_ARGUMENT, "open: this plugin has no options");
  *out = malloc(sizeof **out);
  if (*out == NULL) return fail(host, BRAID_OUT_OF_MEMORY, "open: out of host memory");
  (*out)->host = host;
  return BRAID_OK;
}

static void BRAID_CALL shut_down(const braid_plugin* p) { free((void*)(uintptr_t)p); }

/* Slots that are not named are NULL: they are optional. */
static const braid_device_fns device_fns = {.size = sizeof(braid_device_fns),
                                            .query = query,
                                            .compile = compile,
                                            .buffer_alloc = buffer_alloc,
                                            .buffer_free = buffer_free,
                                            .map = map,
                                            .unmap = unmap,
                                            .transfer = transfer,
                                            .health = health,
                                            .close = close_device};
static const braid_exec_fns exec_fns = {.size = sizeof(braid_exec_fns),
                                        .io_requirements = io_requirements,
                                        .output_dims = output_dims,
                                        .workspace_size = workspace_size,
                                        .submit = submit,
                                        .take_output = take_output,
                                        .destroy = destroy_exec};
static const braid_fence_fns fence_fns = {.size = sizeof(braid_fence_fns),
                                          .wait = fence_wait,
                                          .on_ready = fence_on_ready,
                                          .completion = fence_completion,
                                          .destroy = fence_destroy};

/* The one exported function. */
BRAID_EXPORT braid_status BRAID_CALL braid_plugin_query(uint32_t host_abi, const braid_host* host,
                                                        const braid_plugin** out) {
  braid_plugin* p;
  *out = NULL;
  if (host_abi != BRAID_ABI)
    return fail(host, BRAID_UNSUPPORTED, "this plugin was built for another version of the ABI");
  p = calloc(1, sizeof *p);
  if (p == NULL) return fail(host, BRAID_OUT_OF_MEMORY, "out of host memory");
  p->size = sizeof *p;
  p->abi = BRAID_ABI;
  p->data = (void*)(uintptr_t)host;
  p->id = str("plain");
  p->vendor = str("Braid");
  p->version = str("1");
  p->newest_opset = 28;
  p->enumerate = enumerate;
  p->open = open_device;
  p->device = &device_fns;
  p->exec = &exec_fns;
  p->fence = &fence_fns;
  p->shutdown = shut_down;
  *out = p;
  return BRAID_OK;
}
