/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin in plain C99, complete and without the kit: one synchronous device that adds float32 tensors of
 * one known shape. It reads from top to bottom: what a node must be like (query), a segment made of such
 * nodes (compile), its runs (submit), memory, and the tables that lead there. braid/plugin.h says what each
 * slot must do.
 *
 * To make it yours: add operators to judge, compile and submit. What comes in is checked before it is used,
 * and every failure has a text: keep both. A run allocates nothing: values between two nodes lie in the
 * workspace. */
#include <braid/plugin.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { FLOAT = 1 /* onnx.TensorProto.FLOAT */, ADD_VERSION = 14, ALIGNMENT = 64, QUEUES = 1 };

/* ---- Objects: the ABI's handles are pointers to what a plugin likes ---- */

struct braid_device {
  const braid_host* host;
};

struct braid_buffer {
  char* memory;
  uint64_t bytes;
  uint32_t flags;
};

/* No braid_fence is ever made: all work is done when a call returns. */

typedef struct shape {
  int32_t rank;
  int64_t dims[BRAID_MAX_RANK];
  uint64_t bytes; /* of a float32 tensor */
} shape;

/* One node of a segment: which values of the compiled graph it reads and makes, all of one shape. */
typedef struct step {
  uint32_t a, b, y;
  shape shape;
  uint64_t offset; /* of y in the workspace, if y leaves no output */
} step;

/* An input or output of the compiled graph. */
typedef struct port {
  uint32_t value;
  int output;
  shape shape;
} port;

struct braid_exec {
  const braid_host* host;
  uint64_t workspace;
  uint32_t step_count, port_count;
  step* steps; /* in an order in which they can run */
  port* ports;
};

/* ---- Structs and texts that cross the ABI ---- */

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

/* The host's struct may be shorter or longer than this header's: what both know is copied, the rest is 0. */
static void receive(void* mine, uint32_t size, const void* theirs) {
  uint32_t known = 0;
  memset(mine, 0, size);
  if (theirs == NULL) return;
  memcpy(&known, theirs, sizeof known);
  memcpy(mine, theirs, known < size ? known : size);
}

/* The other way round: an answer goes into no more than the host's struct has. */
static void give(void* theirs, const void* mine, uint32_t size) {
  uint32_t known = 0;
  memcpy(&known, theirs, sizeof known);
  if (known > size) known = size;
  if (known > sizeof known)
    memcpy((char*)theirs + sizeof known, (const char*)mine + sizeof known, known - sizeof known);
}

/* Arrays of structs are walked with their strides, for the same reason. */
static const braid_node* node_at(const braid_graph* g, uint32_t i) {
  return BRAID_AT(braid_node, g->nodes, g->node_stride, i);
}
static const braid_value* value_at(const braid_graph* g, uint32_t i) {
  return BRAID_AT(braid_value, g->values, g->value_stride, i);
}
static const braid_dim* dim_at(const braid_graph* g, const braid_value* v, int32_t i) {
  return BRAID_AT(braid_dim, g->dims, g->dim_stride, v->dims + (uint32_t)i);
}
static braid_binding binding_at(const void* bindings, uint32_t stride, uint32_t i) {
  braid_binding b;
  memset(&b, 0, sizeof b);
  memcpy(&b, (const char*)bindings + (uint64_t)stride * i, stride < sizeof b ? stride : sizeof b);
  return b;
}

static int is(const braid_graph* g, braid_span text, const char* wanted) {
  return text.count == strlen(wanted) && memcmp(g->chars + text.first, wanted, text.count) == 0;
}

/* This plugin has no options: the first one is refused by its name. */
static braid_status refuse_options(const braid_host* host, const braid_option* options, uint32_t count) {
  char text[128];
  if (count == 0) return BRAID_OK;
  snprintf(text, sizeof text, "there is no option '%.*s'",
           options[0].key.len < 64 ? (int)options[0].key.len : 64, options[0].key.ptr);
  return fail(host, BRAID_INVALID_ARGUMENT, text);
}

static void* new_zeroed(const braid_host* host, uint64_t bytes) {
  void* memory = host->alloc(host, bytes, 0);
  if (memory != NULL) memset(memory, 0, bytes);
  return memory;
}

/* ---- What the device can run ---- */

/* The shape of a value whose dims are all known; 0 where they are not, or are too many. */
static int shape_of(const braid_graph* g, const braid_value* v, shape* out) {
  int32_t i;
  if (v->rank < 0) return 0;
  out->rank = v->rank;
  out->bytes = sizeof(float);
  for (i = 0; i < v->rank; ++i) {
    const int64_t extent = dim_at(g, v, i)->value;
    if (extent < 0 || (extent > 0 && out->bytes > UINT64_MAX / 8 / (uint64_t)extent)) return 0;
    out->dims[i] = extent;
    out->bytes *= (uint64_t)extent;
  }
  return 1;
}

static int same_shape(const shape* a, const shape* b) {
  return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0;
}

static void refuse(braid_verdict* v, int32_t code, uint32_t input, const char* why) {
  v->code = code;
  v->input = input;
  snprintf(v->detail, sizeof v->detail, "%s", why);
}

/* One node: a yes, or the first reason for a no. */
static void judge(const braid_graph* g, const braid_node* node, braid_verdict* v) {
  shape first, other;
  uint32_t k;
  if (!is(g, node->op, "Add") || node->domain.count != 0) {
    refuse(v, BRAID_NO_OP, BRAID_NONE, "only Add is implemented");
    return;
  }
  if (ADD_VERSION < node->min_version || ADD_VERSION > node->version) {
    refuse(v, BRAID_NO_OPSET, BRAID_NONE, "Add-14 is implemented");
    return;
  }
  for (k = 0; k < 2; ++k) {
    const braid_value* x = value_at(g, g->refs[node->inputs.first + k]);
    if (x->type != FLOAT) {
      refuse(v, BRAID_NO_TYPE, k, "only float32 is implemented");
      return;
    }
    if ((x->flags & BRAID_VALUE_CONSTANT) != 0) {
      refuse(v, BRAID_NO_SHAPE, k, "constants are not implemented");
      return;
    }
    if (!shape_of(g, x, k == 0 ? &first : &other)) {
      refuse(v, BRAID_NO_DYNAMIC, k, "the shape must be known");
      return;
    }
  }
  if (!same_shape(&first, &other)) {
    refuse(v, BRAID_NO_SHAPE, 1, "broadcasting is not implemented");
    return;
  }
  v->code = BRAID_YES;
}

static braid_status BRAID_CALL query(braid_device* d, const braid_graph* g, const braid_compile_options* o,
                                     void* verdicts, uint32_t stride) {
  uint32_t i;
  (void)d;
  (void)o;
  for (i = 0; i < g->node_count; ++i) {
    braid_verdict v;
    memset(&v, 0, sizeof v);
    v.input = v.attr = v.group = BRAID_NONE;
    judge(g, node_at(g, i), &v);
    memcpy((char*)verdicts + (uint64_t)stride * i, &v, stride < sizeof v ? stride : sizeof v);
  }
  return BRAID_OK;
}

static void BRAID_CALL destroy_exec(braid_exec* e) {
  const braid_host* host = e->host;
  host->free(host, e->steps);
  host->free(host, e->ports);
  host->free(host, e);
}

/* The graph of one segment, all of whose nodes query said yes to. It is gone afterwards: what runs need is
 * copied. */
static braid_status BRAID_CALL compile(braid_device* d, const braid_graph* g,
                                       const braid_compile_options* given, braid_exec** out) {
  const braid_host* host = d->host;
  braid_compile_options o;
  braid_status status;
  braid_exec* e;
  uint32_t i;
  receive(&o, sizeof o, given);
  status = refuse_options(host, o.options, o.option_count);
  if (status != BRAID_OK) return status;
  e = new_zeroed(host, sizeof *e);
  if (e == NULL) return fail(host, BRAID_OUT_OF_MEMORY, "compile: out of host memory");
  e->host = host;
  e->steps = new_zeroed(host, (g->node_count + UINT64_C(1)) * sizeof(step));
  e->ports = new_zeroed(host, (g->input_count + (uint64_t)g->output_count + 1) * sizeof(port));
  if (e->steps == NULL || e->ports == NULL) {
    destroy_exec(e);
    return fail(host, BRAID_OUT_OF_MEMORY, "compile: out of host memory");
  }
  for (i = 0; i < g->node_count; ++i) {
    const braid_node* node = node_at(g, i);
    step* s = &e->steps[e->step_count++];
    braid_verdict v;
    memset(&v, 0, sizeof v);
    judge(g, node, &v);
    if (v.code != BRAID_YES) {
      destroy_exec(e);
      return fail(host, BRAID_UNSUPPORTED, v.detail);
    }
    s->a = g->refs[node->inputs.first];
    s->b = g->refs[node->inputs.first + 1];
    s->y = g->refs[node->outputs.first];
    shape_of(g, value_at(g, s->a), &s->shape);
    s->offset = e->workspace;
    if ((value_at(g, s->y)->flags & BRAID_VALUE_OUTPUT) == 0)
      e->workspace += (s->shape.bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }
  for (i = 0; i < g->input_count + g->output_count; ++i) {
    port* p = &e->ports[e->port_count++];
    p->output = i >= g->input_count;
    p->value = p->output ? g->outputs[i - g->input_count] : g->inputs[i];
    shape_of(g, value_at(g, p->value), &p->shape);
  }
  if (o.memory_limit != 0 && e->workspace > o.memory_limit) {
    destroy_exec(e);
    return fail(host, BRAID_OUT_OF_MEMORY, "compile: the workspace is beyond the memory limit");
  }
  *out = e;
  return BRAID_OK;
}

/* ---- Runs ---- */

static const port* port_of(const braid_exec* e, uint32_t value) {
  uint32_t i;
  for (i = 0; i < e->port_count; ++i)
    if (e->ports[i].value == value) return &e->ports[i];
  return NULL;
}

static braid_status BRAID_CALL io_requirements(braid_exec* e, uint32_t value, braid_io_requirements* out) {
  braid_io_requirements io = BRAID_IO_REQUIREMENTS_INIT;
  if (port_of(e, value) == NULL)
    return fail(e->host, BRAID_INVALID_ARGUMENT,
                "io_requirements: the value is neither an input nor an output");
  io.alignment = ALIGNMENT;
  io.may_alias_input = BRAID_NONE;
  give(out, &io, sizeof io);
  return BRAID_OK;
}

static braid_status BRAID_CALL output_dims(braid_exec* e, const void* inputs, uint32_t count, uint32_t stride,
                                           uint32_t output, int32_t* rank, int64_t* dims) {
  const port* p = port_of(e, output);
  (void)inputs;
  (void)count;
  (void)stride;
  if (p == NULL || !p->output)
    return fail(e->host, BRAID_INVALID_ARGUMENT, "output_dims: the value is no output of the graph");
  *rank = p->shape.rank;
  memcpy(dims, p->shape.dims, (size_t)p->shape.rank * sizeof *dims);
  return BRAID_OK;
}

static braid_status BRAID_CALL workspace_size(braid_exec* e, const void* inputs, uint32_t count,
                                              uint32_t stride, uint64_t* bytes) {
  (void)inputs;
  (void)count;
  (void)stride;
  *bytes = e->workspace;
  return BRAID_OK;
}

static int within(const braid_buffer* b, uint64_t offset, uint64_t bytes) {
  return offset <= b->bytes && bytes <= b->bytes - offset;
}

/* What is wrong with a binding; NULL: nothing. */
static const char* wrong_with(const braid_exec* e, const braid_binding* b) {
  const port* p = port_of(e, b->value);
  if (p == NULL) return "submit: a binding's value is neither an input nor an output";
  if (b->strides != NULL) return "submit: strides are not taken";
  if (!p->output && b->rank != p->shape.rank)
    return "submit: an input has another rank than the compiled graph";
  if (!p->output && b->rank > 0 &&
      (b->dims == NULL || memcmp(b->dims, p->shape.dims, (size_t)b->rank * sizeof *b->dims) != 0))
    return "submit: an input has another shape than the compiled graph";
  if (p->output ? b->bytes < p->shape.bytes : b->bytes != p->shape.bytes)
    return "submit: a binding's bytes are not those of its shape";
  if (b->buffer != NULL ? !within(b->buffer, b->offset, b->bytes) : b->host == NULL && b->bytes > 0)
    return "submit: a tensor is without memory, or beyond its buffer's end";
  return NULL;
}

/* Each input and output is bound once, and rightly. */
static braid_status check_submit(const braid_exec* e, const braid_submit* s) {
  const char* wrong = NULL;
  uint32_t i, k;
  if (s->queue >= QUEUES) wrong = "submit: there is no such queue";
  if (s->binding_count != e->port_count) wrong = "submit: not every input and output is bound once";
  for (i = 0; i < s->binding_count && wrong == NULL; ++i) {
    const braid_binding b = binding_at(s->bindings, s->binding_stride, i);
    wrong = wrong_with(e, &b);
    for (k = 0; k < i; ++k)
      if (binding_at(s->bindings, s->binding_stride, k).value == b.value)
        wrong = "submit: a value is bound twice";
  }
  if (wrong == NULL && e->workspace > 0 &&
      (s->workspace == NULL || !within(s->workspace, s->workspace_offset, e->workspace)))
    wrong = "submit: the workspace is missing or too small";
  return wrong == NULL ? BRAID_OK : fail(e->host, BRAID_INVALID_ARGUMENT, wrong);
}

/* Where a value is in this run: bound, in a buffer or in host memory, or in the workspace. */
static float* memory_of(const braid_exec* e, const braid_submit* s, uint32_t value) {
  uint32_t i;
  for (i = 0; i < s->binding_count; ++i) {
    const braid_binding b = binding_at(s->bindings, s->binding_stride, i);
    if (b.value != value) continue;
    return b.buffer != NULL ? (float*)(void*)(b.buffer->memory + b.offset) : (float*)b.host;
  }
  for (i = 0; i < e->step_count; ++i)
    if (e->steps[i].y == value)
      return (float*)(void*)(s->workspace->memory + s->workspace_offset + e->steps[i].offset);
  return NULL;
}

static braid_status BRAID_CALL submit(braid_exec* e, const braid_submit* given, braid_fence** fence) {
  braid_submit s;
  braid_status status;
  uint32_t i;
  uint64_t n;
  receive(&s, sizeof s, given);
  status = check_submit(e, &s);
  if (status != BRAID_OK) return status;
  if (s.deadline_ns != 0 && e->host->now(e->host) >= s.deadline_ns)
    return fail(e->host, BRAID_TIMEOUT, "submit: the deadline has passed");
  for (i = 0; i < e->step_count; ++i) {
    const step* at = &e->steps[i];
    const float *a = NULL, *b = NULL;
    float* y = NULL;
    if (at->shape.bytes == 0) continue; /* such a tensor may have no memory */
    a = memory_of(e, &s, at->a);
    b = memory_of(e, &s, at->b);
    y = memory_of(e, &s, at->y);
    for (n = 0; n < at->shape.bytes / sizeof *y; ++n) y[n] = a[n] + b[n];
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

/* ---- Memory ---- */

static void BRAID_CALL buffer_free(braid_device* d, braid_buffer* buffer) {
  d->host->free(d->host, buffer->memory);
  d->host->free(d->host, buffer);
}

static braid_status BRAID_CALL buffer_alloc(braid_device* d, const braid_buffer_desc* given,
                                            braid_buffer** out) {
  const braid_host* host = d->host;
  braid_buffer_desc desc;
  braid_buffer* buffer;
  receive(&desc, sizeof desc, given);
  if ((desc.alignment & (desc.alignment - 1)) != 0)
    return fail(host, BRAID_INVALID_ARGUMENT, "buffer_alloc: the alignment is no power of two");
  if (desc.exports != 0 || (desc.flags & ~(uint32_t)BRAID_BUFFER_MAPPABLE) != 0)
    return fail(host, BRAID_UNSUPPORTED, "buffer_alloc: no such buffers, and nothing can be exported");
  buffer = new_zeroed(host, sizeof *buffer);
  if (buffer == NULL) return fail(host, BRAID_OUT_OF_MEMORY, "buffer_alloc: out of host memory");
  buffer->bytes = desc.bytes;
  buffer->flags = desc.flags;
  buffer->memory = host->alloc(host, desc.bytes > 0 ? desc.bytes : 1,
                               desc.alignment > ALIGNMENT ? desc.alignment : ALIGNMENT);
  if (buffer->memory == NULL) {
    buffer_free(d, buffer);
    return fail(host, BRAID_OUT_OF_MEMORY, "buffer_alloc: out of host memory");
  }
  *out = buffer;
  return BRAID_OK;
}

static braid_status BRAID_CALL map(braid_device* d, braid_buffer* buffer, uint64_t offset, uint64_t bytes,
                                   void** out) {
  if ((buffer->flags & BRAID_BUFFER_MAPPABLE) == 0 || !within(buffer, offset, bytes))
    return fail(d->host, BRAID_INVALID_ARGUMENT, "map: beyond the buffer, or it was not made mappable");
  *out = buffer->memory + offset;
  return BRAID_OK;
}
static void BRAID_CALL unmap(braid_device* d, braid_buffer* buffer) {
  (void)d;
  (void)buffer;
}

/* One side of a transfer; 0 where there is none, or the bytes leave it. */
static int side(braid_buffer* buffer, uint64_t offset, uint64_t bytes, char** out) {
  if (buffer == NULL || !within(buffer, offset, bytes)) return 0;
  *out = buffer->memory + offset;
  return 1;
}

static braid_status BRAID_CALL transfer(braid_device* d, const braid_transfer* given, braid_fence** fence) {
  braid_transfer t;
  char *to, *from;
  receive(&t, sizeof t, given);
  if (t.kind != BRAID_TRANSFER_WRITE && t.kind != BRAID_TRANSFER_READ && t.kind != BRAID_TRANSFER_COPY)
    return fail(d->host, BRAID_INVALID_ARGUMENT, "transfer: there is no such kind");
  if (t.queue >= QUEUES) return fail(d->host, BRAID_INVALID_ARGUMENT, "transfer: there is no such queue");
  if (t.from_device != NULL)
    return fail(d->host, BRAID_UNSUPPORTED, "transfer: not from another device directly");
  to = from = t.host;
  if (t.kind != BRAID_TRANSFER_READ && !side(t.to, t.to_offset, t.bytes, &to))
    return fail(d->host, BRAID_INVALID_ARGUMENT, "transfer: no buffer to write, or beyond its end");
  if (t.kind != BRAID_TRANSFER_WRITE && !side(t.from, t.from_offset, t.bytes, &from))
    return fail(d->host, BRAID_INVALID_ARGUMENT, "transfer: no buffer to read, or beyond its end");
  if (t.bytes > 0 && (to == NULL || from == NULL))
    return fail(d->host, BRAID_INVALID_ARGUMENT, "transfer: no host memory");
  if (t.bytes > 0) memmove(to, from, t.bytes);
  *fence = NULL;
  return BRAID_OK;
}

static braid_status BRAID_CALL health(braid_device* d, braid_health* out) {
  (void)d;
  (void)out; /* memory_free stays 0: not known */
  return BRAID_OK;
}
static void BRAID_CALL close_device(braid_device* d) { d->host->free(d->host, d); }

/* ---- Fences: never made, never called, but the slots are not optional ---- */

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
  const braid_completion done = BRAID_COMPLETION_INIT;
  (void)f;
  give(out, &done, sizeof done);
  return BRAID_OK;
}
static void BRAID_CALL fence_destroy(braid_fence* f) { (void)f; }

/* ---- The plugin ---- */

static braid_status BRAID_CALL enumerate(const braid_plugin* p, uint32_t capacity, void* infos,
                                         uint32_t stride, uint32_t* count) {
  (void)p;
  *count = 1;
  if (capacity > 0) {
    braid_device_info info = BRAID_DEVICE_INFO_INIT;
    info.kind = BRAID_DEVICE_OTHER;
    info.name = str("frozen");
    info.vendor = str("frozen");
    info.driver = str("0.1.0");
    info.alignment = ALIGNMENT;
    info.flags = BRAID_HOST_BINDINGS | BRAID_SYNCHRONOUS | BRAID_MEMORY_UNIFIED | BRAID_MEMORY_MAPPABLE |
                 BRAID_DETERMINISTIC;
    info.queues = QUEUES;
    info.transfer_queue = BRAID_NONE;
    if (stride < info.size) info.size = stride; /* a host that knows a shorter struct */
    memcpy(infos, &info, info.size);
  }
  return BRAID_OK;
}

static braid_status BRAID_CALL open_device(const braid_plugin* p, uint32_t index,
                                           const braid_open_options* given, braid_device** out) {
  const braid_host* host = p->data;
  braid_open_options o;
  braid_status status;
  if (index != 0) return fail(host, BRAID_INVALID_ARGUMENT, "open: there is one device");
  receive(&o, sizeof o, given);
  status = refuse_options(host, o.options, o.option_count);
  if (status != BRAID_OK) return status;
  *out = new_zeroed(host, sizeof **out);
  if (*out == NULL) return fail(host, BRAID_OUT_OF_MEMORY, "open: out of host memory");
  (*out)->host = host;
  return BRAID_OK;
}

static void BRAID_CALL shut_down(const braid_plugin* p) {
  const braid_host* host = p->data;
  host->free(host, (void*)(uintptr_t)p);
}

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

/* The one exported function. Until the ABI is 1.0 both sides must have the same minor; from then on the same
 * major. */
BRAID_EXPORT braid_status BRAID_CALL braid_plugin_query(uint32_t host_abi, const braid_host* host,
                                                        const braid_plugin** out) {
  const int served = host_abi >> 16 == BRAID_ABI_MAJOR && (BRAID_ABI_MAJOR > 0 || host_abi == BRAID_ABI);
  const size_t slots = offsetof(braid_host, get_extension) + sizeof host->get_extension;
  braid_plugin* p;
  *out = NULL;
  if (!served || host->size < slots)
    return fail(host, BRAID_UNSUPPORTED, "this plugin was built for another version of the ABI");
  p = new_zeroed(host, sizeof *p);
  if (p == NULL) return fail(host, BRAID_OUT_OF_MEMORY, "out of host memory");
  p->size = sizeof *p;
  p->abi = BRAID_ABI;
  p->data = (void*)(uintptr_t)host;
  p->id = str("frozen");
  p->vendor = str("frozen");
  p->version = str("0.1.0");
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
