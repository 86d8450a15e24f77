/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* braid/plugin.h - the ABI between Braid's core and its hardware plugins, version 0.1 (frozen later as 1.0).
 *
 * A plugin is a shared library with one exported symbol, braid_plugin_query, and a manifest beside it. Everything
 * else goes through the tables below. docs/abi/ has an article each on ownership, errors, threads and versions.
 *
 * Conventions
 *  - Structs that cross by pointer begin with `size`, only grow at the end, and are zero-filled beyond the smaller side's size.
 *  - Every array of structs carries a stride, which is the size of its elements (they may have no `size`), so that either side may know
 *    a longer struct than the other. braid_str, braid_bytes, braid_span and braid_option never change. Data structs have no implicit padding (-Wpadded): else an
 *    appended field could hide in the tail and leave `size` the same. Reserved fields and unknown flags are zero.
 *  - Strings are not zero-terminated. Times are nanoseconds, sizes bytes, energies microjoules. An alignment is a power of two; 0 is 1.
 *  - Thread tags: [any] from any thread, concurrently; [queue] one call at a time for a queue of a device; [object]
 *    one call at a time for that object, and none after its destroy; [callback] made by the plugin from any thread: must not
 *    block, and may call only fence.signal.
 *  - A function that returns braid_status reports text through braid_host.set_error on the thread it was called on, before it
 *    returns. Work that fails later reports through fence.completion.
 *  - After DEVICE_LOST every pending fence completes with it, and every free, destroy and close still succeeds.
 *  - Isolated, only the host's own extensions exist; get_extension answers NULL to others.
 *  - Slots marked (optional) may be NULL, or answer UNSUPPORTED as if they were. No exception, signal or longjmp may leave a function. A call leaves the process as it was: floating-point control, signals, working directory, locale, environment (threads.md).
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
  BRAID_TIMEOUT = 5,          /* a run or a compile passed its deadline; nothing else */
  BRAID_CANCELLED = 6,
  BRAID_STALE_BLOB = 7,       /* well-formed, but for another device, driver or plugin version */
  BRAID_INTERNAL = 8,
  BRAID_PENDING = 9,          /* not done yet: only fence.wait and fence.completion */
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

/* One dimension: a known extent (value >= 0, and min, max and likely are the same), or value -1 and a symbol shared by equal dimensions
 * (BRAID_NONE: of its own), within [min, max] (INT64_MAX: unbounded); likely is what estimate prices, -1 if unknown. */
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
  uint32_t older;              /* the same node in the words of an older version, where they differ (axes that became an input are an attribute there): its index
                                  in nodes, at least node_count; 0 if there is none. It has the outputs and the first inputs of this one, a version that is not the
                                  newest, and may itself have an older one. A plugin that knows no version in [min_version, version] may read that instead, in
                                  query and in compile. */
} braid_node;

/* Read-only, position-independent but for these pointers, topologically ordered. Valid for the call, unless said otherwise. */
typedef struct braid_graph {
  uint32_t size;
  uint32_t node_count, node_stride, value_count, value_stride, attr_count, attr_stride, dim_count, dim_stride, ref_count, string_count, symbol_count,
    int_count, float_count, char_count, older_count; /* lengths of the arrays below: nothing refers beyond them. nodes has node_count nodes of the graph, and
                                                        older_count that are only other words for one of these (braid_node.older) */
  const void *nodes, *values, *attrs, *dims; /* walk with BRAID_AT */
  const uint32_t* refs;
  const int64_t* ints;
  const float* floats;
  const braid_span *strings, *symbols; /* in chars */
  const char* chars;
  const uint32_t *inputs, *outputs;    /* value indices */
  uint32_t input_count, output_count;
  uint64_t fingerprint[2];             /* of structure, types, attributes and constants: a cache key; {0, 0} where the host made none */
  void* host_data;                     /* for braid_host functions during the call; a copy of the graph takes it along */
} braid_graph;

#define BRAID_AT(type, array, stride, i) ((const type*)((const char*)(array) + (uint64_t)(stride) * (i)))

/* ---- What a device says of a graph ------------------------------------------------------------------------- */

enum {
  BRAID_YES = 0,           /* codes below 10 are all yes: compile takes the node */
  BRAID_YES_EMULATED = 1,  /* right, but through a slow path: a yes like any other, the cost tells how slow */
  BRAID_NOT_WORTH_IT = 2,  /* could, but launch or copies outweigh it: placed here only where no other device says yes */
  BRAID_NO_OP = 10, BRAID_NO_OPSET = 11, BRAID_NO_TYPE = 12, BRAID_NO_ATTRIBUTE = 13, BRAID_NO_SHAPE = 14, BRAID_NO_DYNAMIC = 15, BRAID_NO_MEMORY = 16,
  BRAID_NO_RUNTIME_VALUE = 17 /* this input must be a constant */
};

typedef struct braid_verdict {
  int32_t code;
  uint32_t input, attr; /* the offending one's position in the node's inputs or attrs, or BRAID_NONE (as for attributes of an older form) */
  uint32_t group;       /* not BRAID_NONE: yes only if every node of this query with the same number is placed here in one segment */
  char detail[112];     /* zero-terminated text for people, never empty where it says no: "kernel 17x17 exceeds 16" */
} braid_verdict;

enum { BRAID_GUESSED = 0, BRAID_MODELLED = 1, BRAID_MEASURED = 2 };
/* Of one run of the set. bytes_moved: read and written. workspace: as workspace_size. resident: kept by the executable (weights). 0: not known, but for
 * time_ns, which is more: a device that cannot tell it answers UNSUPPORTED. */
typedef struct braid_cost { uint32_t size; int32_t confidence; uint64_t time_ns, energy_uj, bytes_moved, workspace, resident; } braid_cost;

enum { BRAID_LINK_NATIVE = 0, BRAID_LINK_IMPORT = 1, BRAID_LINK_COPY = 2, BRAID_LINK_HOST = 3 };

/* NATIVE: transfer with from_device does it. IMPORT: the peer exports, this device imports. COPY: read and write through host
 * memory that both import. HOST: read and write through plain host memory. bytes_per_second 0: not known. */
typedef struct braid_link { uint32_t size; int32_t kind; uint64_t latency_ns, bytes_per_second; } braid_link;

/* ---- Objects ------------------------------------------------------------------------------------------------ */

typedef struct braid_device braid_device;
typedef struct braid_buffer braid_buffer;
typedef struct braid_exec braid_exec;
typedef struct braid_fence braid_fence;

enum { BRAID_DEVICE_CPU = 1, BRAID_DEVICE_GPU = 2, BRAID_DEVICE_NPU = 3, BRAID_DEVICE_DSP = 4, BRAID_DEVICE_FPGA = 5, BRAID_DEVICE_OTHER = 99 };
enum {
  BRAID_MEMORY_UNIFIED = 1u, BRAID_MEMORY_MAPPABLE = 2u, BRAID_DETERMINISTIC = 8u, /* one executable: same inputs, same bits, on any queue */
  BRAID_HOST_BINDINGS = 16u, /* takes braid_binding.host: the application's own memory, no import, no copy; any binding may still be a buffer (isolated, all are) */
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
  uint64_t memory_total, memory_free, alignment, max_buffer; /* 0: not known, no limit. The host allocates no more than max_buffer at a time, and aligns every buffer and workspace */
  uint32_t flags, arithmetic, imports, exports; /* BRAID_MEMORY_*, BRAID_ARITH_*, BRAID_HANDLE_* masks */
  uint32_t queues, transfer_queue; /* independent queues (at least 1; several threads run on several); the one for transfers beside compute, or BRAID_NONE */
  uint64_t import_alignment;       /* of address and size of host memory to import */
} braid_device_info;

/* Import duplicates the fd and leaves the caller's open; export gives a new fd that the caller closes. */
typedef struct braid_handle { uint32_t size, kind; void* pointer; int64_t fd; uint64_t offset, bytes; } braid_handle;
/* EXACT: as IEEE arithmetic of the tensors' type, accumulated in float32 or better. What `arithmetic` names (TF32 ...): only from BALANCED on. */
enum { BRAID_PRECISION_EXACT = 0, BRAID_PRECISION_BALANCED = 1, BRAID_PRECISION_FAST = 2 };

typedef struct braid_compile_options {
  uint32_t size;
  int32_t precision, threads;     /* threads: of a run on a CPU-like device, at most; 0 = no limit. parallel_for does not know it: give it no more tasks */
  uint32_t reserved;
  uint64_t memory_limit;          /* bytes that this executable may take, resident and as the workspace of a run; 0 = none */
  uint64_t deadline_ns;           /* since the epoch of braid_host.now, as everywhere; 0 = none */
  const braid_option* options;    /* the vendor's own, also at open */
  uint32_t option_count, reserved2;
} braid_compile_options;

typedef struct braid_open_options { uint32_t size, option_count; const braid_option* options; } braid_open_options;

enum { BRAID_BUFFER_MAPPABLE = 1u };
/* alignment 0: the device's. */
typedef struct braid_buffer_desc { uint32_t size, flags; uint64_t bytes, alignment; uint32_t exports /* BRAID_HANDLE_* wanted */, reserved; } braid_buffer_desc;

/* A tensor in a buffer. One of 0 bytes may have neither buffer nor host. Inputs may share memory; an output overlaps nothing but its may_alias_input. */
typedef struct braid_binding {
  uint32_t size;
  uint32_t value;                 /* index in the compiled graph */
  braid_buffer* buffer;           /* NULL for an output whose size is not known yet: see take_output */
  void* host;                     /* else, with BRAID_HOST_BINDINGS: host memory, valid until the fence, aligned to its elements (at most 8 bytes). For an input with BRAID_IO_HOST_VALUE: a
                                     copy of its bytes, in submit, output_dims and workspace_size, for the call only (buffer may be given too) */
  uint64_t offset, bytes;         /* offset: a multiple of io_requirements.alignment, to which the buffer was allocated too. bytes: of an input just those of its shape, of an output perhaps more */
  int32_t rank;                   /* -1 with dims NULL: an output whose shape is not known before the run */
  uint32_t reserved;
  const int64_t *dims, *strides;  /* dims may be NULL at rank 0. strides >= 0, in elements; NULL: dense, row-major; not NULL only with BRAID_IO_STRIDES */
} braid_binding;

typedef struct braid_submit {
  uint32_t size;
  uint32_t binding_count, binding_stride, wait_count, queue, flags; /* BRAID_SUBMIT_* */
  const void* bindings;           /* braid_binding: inputs and outputs, any order */
  braid_fence* const* waits;      /* of this plugin: of other queues, or made by fence_create; if one fails, this fails with its status and does not run */
  braid_buffer* workspace;        /* of workspace_size bytes, or NULL if that is 0 */
  uint64_t workspace_offset, deadline_ns; /* a multiple of the device's alignment; 0 = none */
} braid_submit;

enum { BRAID_SUBMIT_TIMED = 1u };

enum { BRAID_TRANSFER_WRITE = 1, BRAID_TRANSFER_READ = 2, BRAID_TRANSFER_COPY = 3 };

typedef struct braid_transfer {
  uint32_t size;
  int32_t kind;
  braid_buffer *to, *from;        /* WRITE: from is NULL; READ: to is NULL */
  braid_device* from_device;      /* COPY from another device of this plugin, where link says NATIVE; else NULL */
  void* host;                     /* WRITE reads it, READ writes it; valid until the fence */
  uint64_t to_offset, from_offset, bytes; /* any, 0 too: no alignment is kept */
  uint32_t queue, flags, wait_count, reserved; /* flags: BRAID_SUBMIT_* */
  braid_fence* const* waits;      /* as in submit */
} braid_transfer;

typedef struct braid_completion { uint32_t size; braid_status status; braid_str text; uint64_t start_ns, end_ns; /* of braid_host.now: when the device worked, with BRAID_TIMESTAMPS as it measured it; 0 unless TIMED. text lives as the fence */ } braid_completion;
/* memory_free 0: not known. */
typedef struct braid_health { uint32_t size, reserved; uint64_t memory_free; } braid_health;

enum { BRAID_IO_STRIDES = 1u /* takes strides */, BRAID_IO_HOST_VALUE = 2u /* output shapes or dispatch need this input's value on the host */ };

typedef struct braid_io_requirements { uint32_t size, flags; uint64_t alignment; uint32_t may_alias_input /* of an output: an input of its size, or BRAID_NONE */, reserved; } braid_io_requirements;

/* ---- What the host gives a plugin ------------------------------------------------------------------------------
 *
 * One table a plugin; it lives until that plugin's shutdown returns. No slot is NULL. Every slot is [any]. */

enum { BRAID_LOG_ERROR = 1, BRAID_LOG_WARNING = 2, BRAID_LOG_INFO = 3, BRAID_LOG_DEBUG = 4 };

typedef struct braid_host {
  uint32_t size;
  uint32_t abi; /* BRAID_ABI of the host */
  void* data;   /* the host's own */
  /* One line for people. The text is borrowed for the call. */
  void (BRAID_CALL *log)(const struct braid_host*, int32_t level, braid_str text);
  /* Why the call that the host is making on this thread fails. Borrowed; the last text before the call returns counts.
   * Outside a call, and with a status of OK, it is forgotten. */
  void (BRAID_CALL *set_error)(const struct braid_host*, braid_str text);
  /* Host memory, `alignment` a power of two or 0 (that of max_align_t). NULL: none left, or a bad alignment. The plugin frees it. */
  void* (BRAID_CALL *alloc)(const struct braid_host*, uint64_t bytes, uint64_t alignment);
  void (BRAID_CALL *free)(const struct braid_host*, void*); /* of alloc; NULL does nothing */
  /* CLOCK_MONOTONIC: one clock for all deadlines and timestamps, in every process. */
  uint64_t (BRAID_CALL *now)(const struct braid_host*);
  /* Runs task(arg, i, worker) for i in [0, n) on the process's threads and this one, and returns when all are done. Tasks of one
   * call that run at the same time have different workers, below concurrency(), to index scratch memory. Within a task it
   * runs inline. A task must not throw nor call set_error. */
  void (BRAID_CALL *parallel_for)(const struct braid_host*, uint64_t n, void (BRAID_CALL *task)(void*, uint64_t, uint32_t worker), void* arg);
  uint32_t (BRAID_CALL *concurrency)(const struct braid_host*); /* constant for a process, at least 1 */
  /* A constant's bytes, mapped on first use, read-only. `token` NULL: valid until the host's call that it is asked in returns, on whatever thread. Else valid, beyond the graph,
   * until constant_release(*token). Hold the token to use weights in place; release it once they are prepared, so that the
   * host can drop its copy. The graph is the one of the current call, or a copy of it with the same host_data and value indices.
   * INVALID_ARGUMENT: no constant. IO_ERROR: its file cannot be read. */
  braid_status (BRAID_CALL *constant)(const struct braid_host*, const braid_graph*, uint32_t value, braid_bytes* out, void** token);
  void (BRAID_CALL *constant_release)(const struct braid_host*, void* token); /* once a token; NULL does nothing */
  /* The plugin's persistent cache, its own: atomic, checksummed, safe for several processes, limited in size, so that anything may be
   * gone the next time. get gives a read-only mapping until cache_release(*token). Not OK: there is none. */
  braid_status (BRAID_CALL *cache_get)(const struct braid_host*, braid_bytes key, braid_bytes* out, void** token);
  void (BRAID_CALL *cache_release)(const struct braid_host*, void* token); /* once a token; NULL does nothing */
  /* Key and data are borrowed. OUT_OF_MEMORY: beyond the limit, or no room on the disk. UNSUPPORTED: this process has no cache. */
  braid_status (BRAID_CALL *cache_put)(const struct braid_host*, braid_bytes key, braid_bytes data);
  /* A struct of the extension, valid as long as this table; NULL: the host does not have it. */
  const void* (BRAID_CALL *get_extension)(const struct braid_host*, const char* id);
} braid_host;

/* ---- What a plugin gives the host ------------------------------------------------------------------------------
 *
 * Tables are constant and live until shutdown. A slot may be NULL only where it says (optional). What a function takes is borrowed
 * for the call, what it gives through a pointer to a pointer belongs to the caller until the slot that is named beside it. Where
 * a status is not OK, nothing was given. Any function may answer OUT_OF_MEMORY, DEVICE_LOST and INTERNAL, and one that is given a
 * graph IO_ERROR (of a constant) and INVALID_ARGUMENT (an option that it does not know, which the text names); others are named. */
typedef struct braid_device_fns {
  uint32_t size, reserved;
  /* Judges every node of a graph; verdicts has node_count entries, zeroed but for code NO_OP and NONE in input, attr, group. A
   * YES holds for any segment of this graph: constants stay constants, dims stay within their ranges. Judges without computing and
   * without allocating on the device. An output of this graph may be an input or constant. [any] */
  braid_status (BRAID_CALL *query)(braid_device*, const braid_graph*, const braid_compile_options*, void* verdicts, uint32_t verdict_stride);
  /* (optional) Costs of `sets` node sets, each run as one segment: set k is nodes[ends[k-1]..ends[k]). Sets may overlap, and hold only nodes that query
   * accepted. Many a call, since a call may cross processes. costs has `sets` entries, zeroed but for size. UNSUPPORTED: it cannot tell for this graph. [any] */
  braid_status (BRAID_CALL *estimate)(braid_device*, const braid_graph*, const braid_compile_options*, const uint32_t* nodes, const uint32_t* ends, uint32_t sets, void* costs, uint32_t cost_stride);
  /* (optional) How data comes to this device from the peer, which may be another plugin's. UNSUPPORTED: not known; the host then goes
   * through its own memory. [any] */
  braid_status (BRAID_CALL *link)(braid_device*, const braid_device_info* peer, braid_link*);
  /* Compiles the whole graph given, to all of whose nodes this device said yes, for every shape within its dims' ranges. The graph is one of its own, with indices
   * of its own: no constant is among its inputs, every output is made by a node. It is gone afterwards. An executable is immutable: any number of its runs may be
   * pending, on any queues, each with its own workspace. The caller ends it by exec.destroy. UNSUPPORTED: a node that query refused. TIMEOUT: deadline_ns passed. [any] */
  braid_status (BRAID_CALL *compile)(braid_device*, const braid_graph*, const braid_compile_options*, braid_exec**);
  /* (optional) Whether load_blob would succeed, without doing it: OK, STALE_BLOB, or INVALID_ARGUMENT for bytes that no save_blob
   * wrote. Blobs come from files: nothing in one is trusted. [any] */
  braid_status (BRAID_CALL *check_blob)(braid_device*, const braid_graph*, const braid_compile_options*, braid_bytes);
  /* (optional, with check_blob) As compile, from what save_blob wrote for a graph of this fingerprint (not {0, 0}). Statuses of check_blob and compile. [any] */
  braid_status (BRAID_CALL *load_blob)(braid_device*, const braid_graph*, const braid_compile_options*, braid_bytes, braid_exec**);
  /* Device memory, contents undefined, 0 bytes allowed. The caller ends it by buffer_free. INVALID_ARGUMENT: alignment no power of two,
   * or more than max_buffer. UNSUPPORTED: flags or exports that the device does not have. [any] */
  braid_status (BRAID_CALL *buffer_alloc)(braid_device*, const braid_buffer_desc*, braid_buffer**);
  /* (optional) Memory of somebody else, which must outlive the buffer; an fd is duplicated. The caller ends it by buffer_free. UNSUPPORTED:
   * this kind. INVALID_ARGUMENT: not import_alignment. [any] */
  braid_status (BRAID_CALL *buffer_import)(braid_device*, const braid_handle*, braid_buffer**);
  /* (optional) A handle of a kind that buffer_alloc was asked for; the caller closes an fd. UNSUPPORTED: another kind. [any] */
  braid_status (BRAID_CALL *buffer_export)(braid_device*, braid_buffer*, uint32_t kind, braid_handle*);
  void (BRAID_CALL *buffer_free)(braid_device*, braid_buffer*); /* [any] not while work that uses it is pending, nor mapped */
  /* (optional, both or none: without them no buffer is MAPPABLE) Host access to a buffer made MAPPABLE; coherent between map and
   * unmap, one mapping a buffer. The caller orders it with fences. INVALID_ARGUMENT: beyond the buffer, or not mappable. [object] */
  braid_status (BRAID_CALL *map)(braid_device*, braid_buffer*, uint64_t offset, uint64_t bytes, void**);
  void (BRAID_CALL *unmap)(braid_device*, braid_buffer*); /* [object] */
  /* Queued, in order with the submits of its queue. OK with *fence NULL: done already; else the caller ends it by fence.destroy.
   * INVALID_ARGUMENT: beyond a buffer, or no such queue. [queue] */
  braid_status (BRAID_CALL *transfer)(braid_device*, const braid_transfer*, braid_fence**);
  /* (optional, with fence.signal) A fence that the host signals: how one device's submit waits for another plugin's. NULL: the host submits
   * when all is ready. The caller ends it by fence.destroy. [any] */
  braid_status (BRAID_CALL *fence_create)(braid_device*, braid_fence**);
  braid_status (BRAID_CALL *health)(braid_device*, braid_health*); /* OK or DEVICE_LOST, within a millisecond or so. [any] */
  void (BRAID_CALL *close)(braid_device*);                         /* [object] after all that it made is gone. Never called for a device that work is stuck on, or in a forked child */
} braid_device_fns;

typedef struct braid_exec_fns {
  uint32_t size, reserved;
  /* What this device asks of an input or output of the compiled graph; prefilled with alignment 1, flags 0 and NONE. INVALID_ARGUMENT: the value is neither. [any] */
  braid_status (BRAID_CALL *io_requirements)(braid_exec*, uint32_t value, braid_io_requirements*);
  /* Output's shape for these input bindings (buffers may be NULL); dims has room for BRAID_MAX_RANK. A run asks only where the graph does not tell (the checked layer
   * everywhere). UNSUPPORTED where it depends on data that is not given on the host. INVALID_ARGUMENT: shapes that the graph cannot take. [any] */
  braid_status (BRAID_CALL *output_dims)(braid_exec*, const void* inputs, uint32_t count, uint32_t stride, uint32_t output, int32_t* rank, int64_t* dims);
  /* Bytes that submit needs for these input bindings. INVALID_ARGUMENT: as output_dims. [any] */
  braid_status (BRAID_CALL *workspace_size)(braid_exec*, const void* inputs, uint32_t count, uint32_t stride, uint64_t* bytes);
  /* Queues one run. Work of one queue takes effect in the order of submits; queues are independent but for waits. Bindings, dims and waits are copied. OK with
   * *fence NULL: done already; else the caller ends it by fence.destroy. A failed run leaves its outputs undefined and does not stop later work of the queue: the
   * host looks at every fence before it hands out a result. INVALID_ARGUMENT: bindings that do not fit, an output or workspace too small, the model's data, no
   * such queue. A SYNCHRONOUS device that works in submit answers the status of the work: also TIMEOUT, CANCELLED, or what a wait failed with. [queue] */
  braid_status (BRAID_CALL *submit)(braid_exec*, const braid_submit*, braid_fence**);
  /* After the fence: the shape of an output that output_dims could not tell, and its buffer (data at offset 0) if it was bound without one: the
   * caller owns it (once; what is not taken goes with the fence; while one is to be taken the fence is never NULL), else *buffer
   * stays as it is. dims has room for BRAID_MAX_RANK. INVALID_ARGUMENT: nothing to take there. [any] */
  braid_status (BRAID_CALL *take_output)(braid_exec*, braid_fence*, uint32_t value, braid_buffer**, int32_t* rank, int64_t* dims);
  /* (optional) Hands the executable's blob to write, in one piece or more; write's status, where not OK, ends it and is returned. UNSUPPORTED: it has none. [any] */
  braid_status (BRAID_CALL *save_blob)(braid_exec*, void* context, braid_status (BRAID_CALL *write)(void*, braid_bytes));
  void (BRAID_CALL *destroy)(braid_exec*); /* [object] not while a run is pending or its fence exists */
} braid_exec_fns;

typedef struct braid_fence_fns {
  uint32_t size, reserved;
  /* OK when done, PENDING if not after timeout_ns (0 polls, UINT64_MAX is for ever), else why the work failed. Once it has ended,
   * with whatever status, the device touches none of the run's memory any more, and the answer stays the same. [any] */
  braid_status (BRAID_CALL *wait)(braid_fence*, uint64_t timeout_ns);
  /* Calls back once with the status, on this thread before it returns if already done. At most one call a fence, which another thread may destroy once the callback has begun. [any], the callback is [callback] */
  void (BRAID_CALL *on_ready)(braid_fence*, void (BRAID_CALL *callback)(void*, braid_status), void* argument);
  /* PENDING, or OK and all about it; the text lives as the fence. [any] */
  braid_status (BRAID_CALL *completion)(braid_fence*, braid_completion*);
  void (BRAID_CALL *cancel)(braid_fence*); /* (optional) a wish: it ends OK or CANCELLED, soon, and what waits for it ends CANCELLED with it. Nothing to a fence of fence_create, which only signal ends. [any] */
  /* (optional, with fence_create) Ends a fence of fence_create, once, with OK or why what waits for it must fail. [any], from callbacks too */
  void (BRAID_CALL *signal)(braid_fence*, braid_status);
  void (BRAID_CALL *destroy)(braid_fence*); /* [object] once done and, after on_ready, the callback has begun; not from the callback; no work waits for it any more */
} braid_fence_fns;

typedef struct braid_plugin {
  uint32_t size;
  uint32_t abi;                  /* BRAID_ABI that it was built with */
  void* data;                    /* the plugin's own: the host may load twice, wrap, or proxy a table */
  braid_str id, vendor, version; /* id as in the manifest */
  int32_t newest_opset;          /* of ai.onnx that this plugin was written for; for reports only */
  uint32_t reserved;
  /* Fills min(capacity, *count) infos, zeroed but for size, and always tells the count. capacity 0 with infos NULL counts. No device is an
   * empty list, not an error. [any] */
  braid_status (BRAID_CALL *enumerate)(const struct braid_plugin*, uint32_t capacity, void* infos, uint32_t info_stride, uint32_t* count);
  /* Opens a device; one index may be opened several times, each a device of its own. The caller ends it by device.close. INVALID_ARGUMENT: no such index, or an
   * option that it does not know, which the text names. [any] */
  braid_status (BRAID_CALL *open)(const struct braid_plugin*, uint32_t index, const braid_open_options*, braid_device**);
  const braid_device_fns* device; /* the three tables are never NULL */
  const braid_exec_fns* exec;
  const braid_fence_fns* fence;
  /* (optional) A struct of the extension, valid until shutdown; NULL: it does not have it. [any] */
  const void* (BRAID_CALL *get_extension)(const struct braid_plugin*, const char* id);
  void (BRAID_CALL *shutdown)(const struct braid_plugin*); /* [object] at most once, last: every device is closed. Threads are joined. Not called where a device could not be closed: the process then just ends */
} braid_plugin;

/* The one exported symbol. Cheap; touches no device, starts no thread. May be called again by another host in the process: each
 * call gives its own braid_plugin, valid until its shutdown. `host` outlives it. UNSUPPORTED: a host_abi that this plugin cannot
 * serve. Where a status is not OK there is no plugin, and no shutdown. [any] */
BRAID_EXPORT braid_status BRAID_CALL braid_plugin_query(uint32_t host_abi, const braid_host* host, const braid_plugin** plugin);

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
