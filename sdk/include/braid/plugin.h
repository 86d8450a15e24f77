/* SPDX-License-Identifier: Apache-2.0
 *
 * braid/plugin.h - the ABI between Braid's core and its hardware plugins, version 0.1 (frozen later as 1.0).
 *
 * A plugin is a shared library with one exported symbol, braid_plugin_query, and a manifest beside it. Everything
 * else goes through the tables below. docs/abi/ has an article each on ownership, errors, threads and versions.
 *
 * Conventions
 *  - Structs that cross the ABI begin with `size`, only grow at the end, and are zero-filled beyond the smaller side's size.
 *  - Every array of structs carries a stride, so that either side may know a longer struct than the other. braid_str,
 *    braid_bytes, braid_span and braid_option never change. Data structs have no implicit padding (-Wpadded): else an
 *    appended field could hide in the tail and leave `size` the same. Reserved fields and unknown flags are zero.
 *  - Strings are not zero-terminated. Times are nanoseconds, sizes bytes, energies microjoules.
 *  - Thread tags: [any] from any thread, concurrently; [queue] one call at a time for a queue of a device; [object]
 *    one call at a time for that object, and none after its destroy; [callback] made by the plugin from any thread: must not
 *    block, and may call only fence.signal.
 *  - A function that returns braid_status reports text through braid_host.set_error on the thread it was called on, before it
 *    returns. Work that fails later reports through fence.completion.
 *  - After DEVICE_LOST every pending fence completes with it, and every free, destroy and close still succeeds.
 *  - Isolated, only the host's own extensions exist; get_extension answers NULL to others.
 *  - Slots marked (optional) may be NULL. No exception, signal or longjmp may leave a function.
 */
#ifndef BRAID_PLUGIN_H_
#define BRAID_PLUGIN_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BRAID_ABI_MAJOR 0u /* until frozen: both sides must have the same minor; then 1 for good */
#define BRAID_ABI_MINOR 1u
#define BRAID_ABI ((BRAID_ABI_MAJOR << 16) | BRAID_ABI_MINOR)

#if defined(_WIN32)
#define BRAID_CALL __cdecl
#define BRAID_EXPORT __declspec(dllexport)
#else
#define BRAID_CALL
#define BRAID_EXPORT __attribute__((visibility("default")))
#endif

/* ---- Status ------------------------------------------------------------------------------------------------ */

typedef int32_t braid_status;
enum {
  BRAID_OK = 0,
  BRAID_INVALID_ARGUMENT = 1, /* the caller broke the contract, or the model's data did (index out of range ...) */
  BRAID_UNSUPPORTED = 2,
  BRAID_OUT_OF_MEMORY = 3,    /* of the device or the host; the device goes on working */
  BRAID_DEVICE_LOST = 4,      /* nothing on this device will succeed until it is opened again */
  BRAID_TIMEOUT = 5,
  BRAID_CANCELLED = 6,
  BRAID_STALE_BLOB = 7,       /* well-formed, but for another device, driver or plugin version */
  BRAID_INTERNAL = 8,
  BRAID_PENDING = 9,          /* not done yet; TIMEOUT is only ever a run that passed its deadline */
  BRAID_IO_ERROR = 10         /* a file behind a constant or cache entry could not be read */
};

/* ---- Plain data -------------------------------------------------------------------------------------------- */

typedef struct braid_str { const char* ptr; uint64_t len; } braid_str;
typedef struct braid_bytes { const void* ptr; uint64_t len; } braid_bytes;
typedef struct braid_option { braid_str key, value; } braid_option; /* an unknown key is INVALID_ARGUMENT, and named */

/* A range of one of the view's arrays. */
typedef struct braid_span { uint32_t first, count; } braid_span;

#define BRAID_MAX_RANK 32u     /* the host refuses more; dims arrays that a callee fills have this length */
#define BRAID_NONE 0xffffffffu /* "no value": an absent optional input, no symbol, no index */

/* ---- The graph, as plugins see it -------------------------------------------------------------------------- */

/* Element types have the numbers of onnx.TensorProto.DataType (FLOAT 1, UINT8 2, ... FLOAT4E2M1 23 ...). Types of less than a
 * byte are packed, first element in the low bits, as in ONNX; unused bits of the last byte are written 0 and not read. Their
 * tensors are dense. 0 is a value that is no tensor (sequence, optional, map): its nodes are the host's, any verdict on
 * them is ignored. Control flow, sparse and graph attributes are the host's too; plugins never see them. A string tensor is an array of pairs of uint64 (offset from the
 * tensor's start, length) followed by the characters, so that it can be shared and copied like any other; its size is not known
 * before it is made. Readers check every pair against the tensor's bytes. */
typedef int32_t braid_type;

/* One dimension: a known extent (value >= 0), or value -1 and a symbol shared by equal dimensions, within [min, max] (INT64_MAX:
 * unbounded); likely is what estimate prices, -1 if unknown. */
typedef struct braid_dim { int64_t value, min, max, likely; uint32_t symbol, reserved; } braid_dim;

enum { BRAID_VALUE_CONSTANT = 1u, BRAID_VALUE_INPUT = 2u, BRAID_VALUE_OUTPUT = 4u };

typedef struct braid_value {
  braid_span name;   /* in chars */
  braid_type type;
  int32_t rank;      /* -1: unknown */
  uint32_t dims;     /* first in dims; rank of them */
  uint32_t flags;
  uint64_t bytes;    /* of a constant; get it by braid_host.constant */
  uint64_t constant; /* same number, same bytes, in every graph of this host while anything holds them: the key for sharing
                        prepared weights between executables and specialisations; 0 if not a constant */
} braid_value;

enum { BRAID_ATTR_FLOAT = 1, BRAID_ATTR_INT = 2, BRAID_ATTR_STRING = 3, BRAID_ATTR_TENSOR = 4, BRAID_ATTR_FLOATS = 6, BRAID_ATTR_INTS = 7, BRAID_ATTR_STRINGS = 8 };

typedef struct braid_attr {
  braid_span name;   /* in chars */
  int32_t kind;      /* numbers of onnx.AttributeProto.AttributeType */
  float f;
  int64_t i;
  braid_span list;   /* in floats, ints or strings, or in chars for STRING */
  uint32_t tensor;   /* a constant value */
  uint32_t reserved;
} braid_attr;

typedef struct braid_node {
  braid_span op, domain, name; /* in chars; domain "" is ai.onnx */
  int32_t version;             /* the operator's since_version, in the newest opset the host knows */
  int32_t min_version;         /* the oldest since_version under which this very node (its types, attributes, inputs) means the
                                  same. A plugin that knows any version in [min_version, version] knows this node. */
  braid_span inputs, outputs;  /* in refs: value indices, BRAID_NONE for an absent optional */
  braid_span attrs;            /* present ones; absent ones have the specification's default */
  uint32_t group;              /* nodes of one group must be placed together; BRAID_NONE if free */
} braid_node;

/* Read-only, position-independent but for these pointers, topologically ordered. Valid for the call, unless said otherwise. */
typedef struct braid_graph {
  uint32_t size;
  uint32_t node_count, node_stride, value_count, value_stride, attr_count, attr_stride, dim_count, dim_stride, ref_count, string_count, symbol_count,
    int_count, float_count, char_count, reserved; /* lengths of the arrays below: nothing refers beyond them */
  const void *nodes, *values, *attrs, *dims; /* walk with BRAID_AT */
  const uint32_t* refs;
  const int64_t* ints;
  const float* floats;
  const braid_span *strings, *symbols; /* in chars */
  const char* chars;
  const uint32_t *inputs, *outputs;    /* value indices */
  uint32_t input_count, output_count;
  uint64_t fingerprint[2];             /* of structure, types, attributes and constants: a cache key */
  void* host_data;                     /* for braid_host functions */
} braid_graph;

#define BRAID_AT(type, array, stride, i) ((const type*)((const char*)(array) + (uint64_t)(stride) * (i)))

/* ---- What a device says of a graph ------------------------------------------------------------------------- */

enum {
  BRAID_YES = 0,
  BRAID_YES_EMULATED = 1,  /* right, but through a slow path */
  BRAID_NOT_WORTH_IT = 2,  /* could, but launch or copies outweigh it */
  BRAID_NO_OP = 10, BRAID_NO_OPSET = 11, BRAID_NO_TYPE = 12, BRAID_NO_ATTRIBUTE = 13, BRAID_NO_SHAPE = 14, BRAID_NO_DYNAMIC = 15, BRAID_NO_MEMORY = 16,
  BRAID_NO_RUNTIME_VALUE = 17 /* this input must be a constant */
};

typedef struct braid_verdict {
  int32_t code;
  uint32_t input, attr; /* the offending one, or BRAID_NONE */
  uint32_t group;       /* not BRAID_NONE: yes only if every node of this query with the same number is placed here in one segment */
  char detail[112];     /* zero-terminated text for people: "kernel 17x17 exceeds 16" */
} braid_verdict;

enum { BRAID_GUESSED = 0, BRAID_MODELLED = 1, BRAID_MEASURED = 2 };

typedef struct braid_cost { uint32_t size; int32_t confidence; uint64_t time_ns, energy_uj, bytes_moved, workspace, resident; } braid_cost;

enum { BRAID_LINK_NATIVE = 0, BRAID_LINK_IMPORT = 1, BRAID_LINK_COPY = 2, BRAID_LINK_HOST = 3 };

/* NATIVE: transfer with from_device does it. IMPORT: the peer exports, this device imports. COPY: read and write through host
 * memory that both import. HOST: read and write through plain host memory. */
typedef struct braid_link { uint32_t size; int32_t kind; uint64_t latency_ns, bytes_per_second; } braid_link;

/* ---- Objects ------------------------------------------------------------------------------------------------ */

typedef struct braid_device braid_device;
typedef struct braid_buffer braid_buffer;
typedef struct braid_exec braid_exec;
typedef struct braid_fence braid_fence;

enum { BRAID_DEVICE_CPU = 1, BRAID_DEVICE_GPU = 2, BRAID_DEVICE_NPU = 3, BRAID_DEVICE_DSP = 4, BRAID_DEVICE_FPGA = 5, BRAID_DEVICE_OTHER = 99 };
enum {
  BRAID_MEMORY_UNIFIED = 1u, BRAID_MEMORY_MAPPABLE = 2u, BRAID_DETERMINISTIC = 8u,
  BRAID_HOST_BINDINGS = 16u, /* takes braid_binding.host: the application's own memory, no import, no copy */
  BRAID_SYNCHRONOUS = 32u,   /* submit and transfer may do the work before they return; else they must not wait for the device */
  BRAID_TIMESTAMPS = 64u     /* completion gives times of the device itself, not of the submitting thread */
};
enum { BRAID_ARITH_FLUSH_DENORMALS = 1u, BRAID_ARITH_TF32 = 2u, BRAID_ARITH_FP16_ACCUMULATE = 4u, BRAID_ARITH_FAST_MATH = 8u };
enum { BRAID_HANDLE_HOST_POINTER = 1u, BRAID_HANDLE_FD = 2u, BRAID_HANDLE_DMABUF = 4u, BRAID_HANDLE_MEMFD = 8u };

typedef struct braid_device_info {
  uint32_t size;
  int32_t kind;
  braid_str name, vendor, driver; /* driver: any text that changes when results or blobs may */
  /* Strings live until shutdown. An index means the same device until the process ends; new devices come after. */
  uint8_t uuid[16];               /* the same for one physical device in every plugin that sees it, where the API gives one */
  uint64_t memory_total, memory_free, alignment, max_buffer;
  uint32_t flags, arithmetic, imports, exports; /* BRAID_MEMORY_*, BRAID_ARITH_*, BRAID_HANDLE_* masks */
  uint32_t queues, transfer_queue; /* independent queues (at least 1; several threads run on several); the one for transfers beside compute, or BRAID_NONE */
  uint64_t import_alignment;       /* of address and size of host memory to import */
} braid_device_info;

/* Import duplicates the fd and leaves the caller's open; export gives a new fd that the caller closes. */
typedef struct braid_handle { uint32_t size, kind; void* pointer; int64_t fd; uint64_t offset, bytes; } braid_handle;

enum { BRAID_PRECISION_EXACT = 0, BRAID_PRECISION_BALANCED = 1, BRAID_PRECISION_FAST = 2 };

typedef struct braid_compile_options {
  uint32_t size;
  int32_t precision, threads;     /* threads: CPU-like devices; 0 = host's choice */
  uint32_t reserved;
  uint64_t memory_limit;          /* 0 = none */
  uint64_t deadline_ns;           /* since the epoch of braid_host.now; 0 = none */
  const braid_option* options;    /* the vendor's own, also at open */
  uint32_t option_count, reserved2;
} braid_compile_options;

typedef struct braid_open_options { uint32_t size, option_count; const braid_option* options; } braid_open_options;

enum { BRAID_BUFFER_MAPPABLE = 1u };

typedef struct braid_buffer_desc { uint32_t size, flags; uint64_t bytes, alignment; uint32_t exports /* BRAID_HANDLE_* wanted */, reserved; } braid_buffer_desc;

/* A tensor in a buffer. */
typedef struct braid_binding {
  uint32_t size;
  uint32_t value;                 /* index in the compiled graph */
  braid_buffer* buffer;           /* NULL for an output whose size is not known yet: see take_output */
  void* host;                     /* else, with BRAID_HOST_BINDINGS: host memory, valid until the fence. For an input with BRAID_IO_HOST_VALUE: a
                                     copy of its bytes, in submit, output_dims and workspace_size (buffer may be given too) */
  uint64_t offset, bytes;         /* offset: a multiple of io_requirements.alignment. bytes of an output may exceed what the run needs */
  int32_t rank;
  uint32_t reserved;
  const int64_t *dims, *strides;  /* strides >= 0, in elements; NULL: dense, row-major; not NULL only with BRAID_IO_STRIDES */
} braid_binding;

typedef struct braid_submit {
  uint32_t size;
  uint32_t binding_count, binding_stride, wait_count, queue, flags; /* BRAID_SUBMIT_* */
  const void* bindings;           /* braid_binding: inputs and outputs, any order */
  braid_fence* const* waits;      /* of this plugin: of other queues, or made by fence_create; if one fails, this fails with its status and does not run */
  braid_buffer* workspace;        /* of workspace_size bytes, or NULL if that is 0 */
  uint64_t workspace_offset, deadline_ns;
} braid_submit;

enum { BRAID_SUBMIT_TIMED = 1u };

enum { BRAID_TRANSFER_WRITE = 1, BRAID_TRANSFER_READ = 2, BRAID_TRANSFER_COPY = 3 };

typedef struct braid_transfer {
  uint32_t size;
  int32_t kind;
  braid_buffer *to, *from;        /* WRITE: from is NULL; READ: to is NULL */
  braid_device* from_device;      /* COPY from another device of this plugin, where link says NATIVE; else NULL */
  void* host;                     /* WRITE reads it, READ writes it; valid until the fence */
  uint64_t to_offset, from_offset, bytes;
  uint32_t queue, flags, wait_count, reserved;
  braid_fence* const* waits;      /* as in submit */
} braid_transfer;

typedef struct braid_completion { uint32_t size; braid_status status; braid_str text; uint64_t start_ns, end_ns; /* host clock; 0 unless TIMED; text lives as the fence */ } braid_completion;

typedef struct braid_health { uint32_t size, reserved; uint64_t memory_free; } braid_health;

enum { BRAID_IO_STRIDES = 1u /* takes strides */, BRAID_IO_HOST_VALUE = 2u /* output shapes or dispatch need this input's value on the host */ };

typedef struct braid_io_requirements { uint32_t size, flags; uint64_t alignment; uint32_t may_alias_input /* or BRAID_NONE */, reserved; } braid_io_requirements;

/* ---- What the host gives a plugin ---------------------------------------------------------------------------- */

/* One table a plugin; lives until shutdown returns. */
enum { BRAID_LOG_ERROR = 1, BRAID_LOG_WARNING = 2, BRAID_LOG_INFO = 3, BRAID_LOG_DEBUG = 4 };

typedef struct braid_host {
  uint32_t size;
  uint32_t abi;
  void* data;
  void (BRAID_CALL *log)(const struct braid_host*, int32_t level, braid_str text);                     /* [any] */
  void (BRAID_CALL *set_error)(const struct braid_host*, braid_str text);                              /* [any] for the calling thread's current call */
  void* (BRAID_CALL *alloc)(const struct braid_host*, uint64_t bytes, uint64_t alignment);             /* [any] NULL when out of memory */
  void (BRAID_CALL *free)(const struct braid_host*, void*);                                            /* [any] */
  uint64_t (BRAID_CALL *now)(const struct braid_host*);                                                /* [any] CLOCK_MONOTONIC: one clock for all processes */
  /* Runs task(arg, i) for i in [0, n) on the process's pool and returns when all are done. worker < concurrency() indexes scratch memory.
   * [any], not from a task; a task must not call set_error. */
  void (BRAID_CALL *parallel_for)(const struct braid_host*, uint64_t n, void (BRAID_CALL *task)(void*, uint64_t, uint32_t worker), void* arg);
  uint32_t (BRAID_CALL *concurrency)(const struct braid_host*);                                        /* [any] constant for a process */
  /* A constant's bytes, mapped on first use. token NULL: valid for the current call. Else valid, beyond the graph, until
   * constant_release(token). Hold the token to use weights in place; release it once they are prepared, so that the
   * host can drop its copy. [any] */
  braid_status (BRAID_CALL *constant)(const struct braid_host*, const braid_graph*, uint32_t value, braid_bytes* out, void** token);
  void (BRAID_CALL *constant_release)(const struct braid_host*, void* token);                          /* [any] */
  /* A plugin's persistent cache: atomic, checksummed, safe for several processes. get gives a mapping to release. [any] */
  braid_status (BRAID_CALL *cache_get)(const struct braid_host*, braid_bytes key, braid_bytes* out, void** token);
  void (BRAID_CALL *cache_release)(const struct braid_host*, void* token);
  braid_status (BRAID_CALL *cache_put)(const struct braid_host*, braid_bytes key, braid_bytes data);
  const void* (BRAID_CALL *get_extension)(const struct braid_host*, const char* id);                   /* [any] */
} braid_host;

/* ---- What a plugin gives the host ---------------------------------------------------------------------------- */

typedef struct braid_device_fns {
  uint32_t size, reserved;
  /* Judges every node of a graph; verdicts has node_count entries, zeroed but for code NO_OP and NONE in input, attr, group.
   * A YES holds for any segment of this graph: constants stay constants, dims stay within their ranges. [any] */
  braid_status (BRAID_CALL *query)(braid_device*, const braid_graph*, const braid_compile_options*, void* verdicts, uint32_t verdict_stride);
  /* Costs of `sets` node sets, each run as one segment: set k is nodes[ends[k-1]..ends[k]). Many sets a call, since a call may cross
   * processes. (optional) [any] */
  braid_status (BRAID_CALL *estimate)(braid_device*, const braid_graph*, const braid_compile_options*, const uint32_t* nodes, const uint32_t* ends, uint32_t sets, void* costs, uint32_t cost_stride);
  braid_status (BRAID_CALL *link)(braid_device*, const braid_device_info* peer, braid_link*);          /* (optional) [any] */
  /* Compiles the whole graph given, all of whose nodes this device said YES to, for every shape within its dims'
   * ranges. The graph is gone afterwards. An executable is immutable: any number of its runs may be pending, on any queues,
   * each with its own workspace. [any] */
  braid_status (BRAID_CALL *compile)(braid_device*, const braid_graph*, const braid_compile_options*, braid_exec**);
  /* Whether load_blob would succeed, without doing it: OK, STALE_BLOB or INVALID_ARGUMENT. (optional) [any] */
  braid_status (BRAID_CALL *check_blob)(braid_device*, const braid_graph*, const braid_compile_options*, braid_bytes);
  braid_status (BRAID_CALL *load_blob)(braid_device*, const braid_graph*, const braid_compile_options*, braid_bytes, braid_exec**);  /* (optional) [any] */
  braid_status (BRAID_CALL *buffer_alloc)(braid_device*, const braid_buffer_desc*, braid_buffer**);    /* [any] */
  braid_status (BRAID_CALL *buffer_import)(braid_device*, const braid_handle*, braid_buffer**);        /* (optional) [any] the memory must outlive the buffer */
  braid_status (BRAID_CALL *buffer_export)(braid_device*, braid_buffer*, uint32_t kind, braid_handle*);/* (optional) [any] */
  void (BRAID_CALL *buffer_free)(braid_device*, braid_buffer*);                                        /* [any] not while in use */
  /* Host access to a buffer made MAPPABLE; coherent between map and unmap, one mapping a buffer. The caller orders it with fences. [object] */
  braid_status (BRAID_CALL *map)(braid_device*, braid_buffer*, uint64_t offset, uint64_t bytes, void**);
  void (BRAID_CALL *unmap)(braid_device*, braid_buffer*);
  /* Queued, in order with the submits of its queue. [queue] */
  braid_status (BRAID_CALL *transfer)(braid_device*, const braid_transfer*, braid_fence**);
  /* A fence that the host signals: how one device's submit waits for another plugin's. NULL: the host submits when all is ready. (optional) [any] */
  braid_status (BRAID_CALL *fence_create)(braid_device*, braid_fence**);
  braid_status (BRAID_CALL *health)(braid_device*, braid_health*);                                     /* [any] OK or DEVICE_LOST; quick */
  void (BRAID_CALL *close)(braid_device*);                                                             /* [object] after all its objects are gone */
} braid_device_fns;

typedef struct braid_exec_fns {
  uint32_t size, reserved;
  braid_status (BRAID_CALL *io_requirements)(braid_exec*, uint32_t value, braid_io_requirements*);     /* [any] */
  /* Output shapes for these input bindings (buffers may be NULL). BRAID_UNSUPPORTED where they depend on data. [any] */
  braid_status (BRAID_CALL *output_dims)(braid_exec*, const void* inputs, uint32_t count, uint32_t stride, uint32_t output, int32_t* rank, int64_t* dims);
  braid_status (BRAID_CALL *workspace_size)(braid_exec*, const void* inputs, uint32_t count, uint32_t stride, uint64_t* bytes); /* [any] */
  /* Queues one run. Work of one queue takes effect in the order of submits; queues are independent but for waits. Bindings, dims
   * and waits are copied. OK with *fence NULL: done already. A failed run leaves its outputs undefined and does not stop
   * later work of the queue: the host looks at every fence before it hands out a result. [queue] */
  braid_status (BRAID_CALL *submit)(braid_exec*, const braid_submit*, braid_fence**);
  /* After the fence: the shape of an output that output_dims could not tell, and its buffer if it was bound without one: the
   * caller owns it (once; what is not taken goes with the fence; while one is to be taken the fence is never NULL). [any] */
  braid_status (BRAID_CALL *take_output)(braid_exec*, braid_fence*, uint32_t value, braid_buffer**, int32_t* rank, int64_t* dims);
  braid_status (BRAID_CALL *save_blob)(braid_exec*, void* context, braid_status (BRAID_CALL *write)(void*, braid_bytes)); /* (optional) [any] */
  void (BRAID_CALL *destroy)(braid_exec*);                                                             /* [object] not while a run is pending or its fence exists */
} braid_exec_fns;

typedef struct braid_fence_fns {
  uint32_t size, reserved;
  /* OK when done, PENDING if not yet, else why the work failed. timeout 0 polls. [any] */
  braid_status (BRAID_CALL *wait)(braid_fence*, uint64_t timeout_ns);
  /* Calls back once with the status, on this thread before it returns if already done. At most one a fence. [any], the callback is [callback] */
  void (BRAID_CALL *on_ready)(braid_fence*, void (BRAID_CALL *)(void*, braid_status), void*);
  braid_status (BRAID_CALL *completion)(braid_fence*, braid_completion*);                              /* [any] PENDING, or OK and all about it */
  void (BRAID_CALL *cancel)(braid_fence*);                                                             /* (optional) [any] a wish: it ends OK or CANCELLED, soon */
  void (BRAID_CALL *signal)(braid_fence*, braid_status);                                               /* with fence_create. [any], from callbacks too */
  void (BRAID_CALL *destroy)(braid_fence*);                                                            /* [object] once done and called back, not from the callback */
} braid_fence_fns;

typedef struct braid_plugin {
  uint32_t size;
  uint32_t abi;
  void* data;                    /* the plugin's own: the host may load twice, wrap, or proxy a table */
  braid_str id, vendor, version; /* id as in the manifest */
  int32_t newest_opset;          /* of ai.onnx that this plugin was written for */
  uint32_t reserved;
  braid_status (BRAID_CALL *enumerate)(const struct braid_plugin*, uint32_t capacity, void* infos, uint32_t info_stride, uint32_t* count); /* [any] no device is an empty list, not an error */
  braid_status (BRAID_CALL *open)(const struct braid_plugin*, uint32_t index, const braid_open_options*, braid_device**); /* [any] */
  const braid_device_fns* device;
  const braid_exec_fns* exec;
  const braid_fence_fns* fence;
  const void* (BRAID_CALL *get_extension)(const struct braid_plugin*, const char* id);                 /* [any] */
  void (BRAID_CALL *shutdown)(const struct braid_plugin*);                                             /* [object] once, last */
} braid_plugin;

/* ---- Initialisers ---------------------------------------------------------------------------------------------
 * Each sets `size` and zeroes the rest: braid_cost cost = BRAID_COST_INIT; */
#define BRAID_GRAPH_INIT \
  {sizeof(braid_graph), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, {0}, 0}
#define BRAID_COST_INIT {sizeof(braid_cost), 0, 0, 0, 0, 0, 0}
#define BRAID_LINK_INIT {sizeof(braid_link), 0, 0, 0}
#define BRAID_DEVICE_INFO_INIT \
  {sizeof(braid_device_info), 0, {0, 0}, {0, 0}, {0, 0}, {0}, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
#define BRAID_HANDLE_INIT {sizeof(braid_handle), 0, 0, 0, 0, 0}
#define BRAID_COMPILE_OPTIONS_INIT {sizeof(braid_compile_options), 0, 0, 0, 0, 0, 0, 0, 0}
#define BRAID_OPEN_OPTIONS_INIT {sizeof(braid_open_options), 0, 0}
#define BRAID_BUFFER_DESC_INIT {sizeof(braid_buffer_desc), 0, 0, 0, 0, 0}
#define BRAID_BINDING_INIT {sizeof(braid_binding), 0, 0, 0, 0, 0, 0, 0, 0, 0}
#define BRAID_SUBMIT_INIT {sizeof(braid_submit), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
#define BRAID_TRANSFER_INIT {sizeof(braid_transfer), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
#define BRAID_COMPLETION_INIT {sizeof(braid_completion), 0, {0, 0}, 0, 0}
#define BRAID_HEALTH_INIT {sizeof(braid_health), 0, 0}
#define BRAID_IO_REQUIREMENTS_INIT {sizeof(braid_io_requirements), 0, 0, 0, 0}
#define BRAID_HOST_INIT {sizeof(braid_host), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
#define BRAID_DEVICE_FNS_INIT {sizeof(braid_device_fns), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
#define BRAID_EXEC_FNS_INIT {sizeof(braid_exec_fns), 0, 0, 0, 0, 0, 0, 0, 0}
#define BRAID_FENCE_FNS_INIT {sizeof(braid_fence_fns), 0, 0, 0, 0, 0, 0, 0}
#define BRAID_PLUGIN_INIT {sizeof(braid_plugin), 0, 0, {0, 0}, {0, 0}, {0, 0}, 0, 0, 0, 0, 0, 0, 0, 0, 0}

#ifdef __cplusplus
}
#endif
#endif /* BRAID_PLUGIN_H_ */
