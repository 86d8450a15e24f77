/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* braid/graph.h - run an ONNX graph on the devices of this machine.
 *
 *   graph_t* graph;
 *   if (graph_load("model.onnx", NULL, &graph) != GRAPH_OK) puts(graph_last_error());
 *   graph_tensor in = GRAPH_TENSOR_INIT, out = GRAPH_TENSOR_INIT;
 *   in.type = GRAPH_FLOAT; in.rank = 2; in.dims[0] = 1; in.dims[1] = 4; in.data = numbers; in.bytes = sizeof numbers;
 *   graph_run(graph, &in, 1, &out, 1);          out.data, out.dims: the result, in memory of Braid's
 *   graph_tensor_release(&out); graph_free(graph);
 *
 * Conventions
 *  - Every function that can fail returns graph_status; graph_last_error() then gives the text, on the same thread.
 *  - Structs begin with `size`, set by their _INIT macro, and only grow at the end.
 *  - Strings are UTF-8 and zero-terminated. Strings and arrays that a graph hands out live as long as the graph.
 *  - Thread tags: [any] from any thread, concurrently. [owner] not concurrently with any other call on the same object.
 */
#ifndef BRAID_GRAPH_H_
#define BRAID_GRAPH_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define GRAPH_API __declspec(dllexport)
#else
#define GRAPH_API __attribute__((visibility("default")))
#endif

/* ---- Status -------------------------------------------------------------------------------------------------- */

typedef int32_t graph_status; /* the numbers of braid_status in plugin.h */
enum {
  GRAPH_OK = 0,
  GRAPH_INVALID_ARGUMENT = 1, /* the call, the model or its data is wrong; the text names what, where and why */
  GRAPH_UNSUPPORTED = 2,      /* no device that may be used can run a node: the text has each device's reason */
  GRAPH_OUT_OF_MEMORY = 3,
  GRAPH_DEVICE_LOST = 4,
  GRAPH_TIMEOUT = 5,
  GRAPH_CANCELLED = 6,
  GRAPH_INTERNAL = 8,         /* a fault of a plugin or of Braid */
  GRAPH_PENDING = 9,          /* graph_wait: the run has not ended */
  GRAPH_IO_ERROR = 10,        /* a file is missing or could not be read */
  GRAPH_BUFFER_TOO_SMALL = 11 /* an output does not fit the caller's memory; its dims and bytes are filled in */
};

/* Text of this thread's last failure, "" if its last call succeeded. Valid until the thread's next call. [any] */
GRAPH_API const char* graph_last_error(void);
/* "OUT_OF_MEMORY"; "UNKNOWN" for a number that is no status. [any] */
GRAPH_API const char* graph_status_name(graph_status status);
/* "0.1.0" [any] */
GRAPH_API const char* graph_version(void);

/* ---- Tensors ------------------------------------------------------------------------------------------------- */

/* Element types have the numbers of onnx.TensorProto.DataType. */
enum {
  GRAPH_FLOAT = 1, GRAPH_UINT8 = 2, GRAPH_INT8 = 3, GRAPH_UINT16 = 4, GRAPH_INT16 = 5, GRAPH_INT32 = 6, GRAPH_INT64 = 7,
  GRAPH_STRING = 8, GRAPH_BOOL = 9, GRAPH_FLOAT16 = 10, GRAPH_DOUBLE = 11, GRAPH_UINT32 = 12, GRAPH_UINT64 = 13,
  GRAPH_COMPLEX64 = 14, GRAPH_COMPLEX128 = 15, GRAPH_BFLOAT16 = 16, GRAPH_FLOAT8E4M3FN = 17, GRAPH_FLOAT8E4M3FNUZ = 18,
  GRAPH_FLOAT8E5M2 = 19, GRAPH_FLOAT8E5M2FNUZ = 20, GRAPH_UINT4 = 21, GRAPH_INT4 = 22, GRAPH_FLOAT4E2M1 = 23,
  GRAPH_FLOAT8E8M0 = 24, GRAPH_UINT2 = 25, GRAPH_INT2 = 26, GRAPH_FLOAT6E2M3 = 27, GRAPH_FLOAT6E3M2 = 28
};

/* "float32"; "unknown" for a number that is no type. [any] */
GRAPH_API const char* graph_type_name(int32_t type);

enum { GRAPH_TENSOR = 0, GRAPH_SEQUENCE = 1, GRAPH_OPTIONAL = 2, GRAPH_MAP = 3, GRAPH_SPARSE_TENSOR = 4 };

#define GRAPH_MAX_RANK 32

typedef struct graph_buffer graph_buffer;

/* A tensor, or a sequence or optional of such, a map, or a sparse tensor.
 * Elements are little-endian and row-major; types below a byte are packed, first element in the low bits. A string tensor is an array of pairs
 * of uint64 (offset from `data`, length) followed by the characters.
 * A map has two items: its keys, a tensor [n] of strings or integers, none twice; and its values, a tensor [n], or a sequence of n
 * where they are no scalars. A sparse tensor has the type, rank and dims of the dense one, and two items: its values, a tensor [n], and
 * their indices as int64, [n] into the flattened tensor or [n, rank], in ascending order.
 * As an input: `type`, `rank`, `dims` and `data` + `bytes` (or `buffer` + `offset`), borrowed until the run has ended.
 * As an output: with `data` (or `buffer`) the result is written there, `bytes` being the room; with NULL, Braid allocates, and
 * graph_tensor_release gives it back. type, rank, dims and bytes (of the result) are filled in. */
typedef struct graph_tensor {
  uint32_t size;
  int32_t kind;           /* GRAPH_TENSOR; all others have items */
  const char* name;       /* of the graph's input or output; NULL: by position */
  int32_t type;
  int32_t rank;
  int64_t dims[GRAPH_MAX_RANK];
  const int64_t* strides; /* of an input, in elements, >= 0; NULL: dense */
  void* data;
  uint64_t bytes;
  graph_buffer* buffer;   /* device memory instead of data */
  uint64_t offset;        /* in the buffer: a multiple of graph_device_info.alignment */
  struct graph_tensor* items; /* of a sequence; of an optional: one or none; of a map: keys, values; of a sparse tensor: values, indices */
  uint64_t item_count;
  void* owner;            /* Braid's; not NULL where graph_tensor_release has something to free */
} graph_tensor;

#define GRAPH_TENSOR_INIT {sizeof(graph_tensor), 0, 0, 0, 0, {0}, 0, 0, 0, 0, 0, 0, 0, 0}

/* Frees what a run allocated for this output, and clears data, items and owner. Anything else, or NULL: nothing. [owner] */
GRAPH_API void graph_tensor_release(graph_tensor* tensor);

/* ---- Graphs -------------------------------------------------------------------------------------------------- */

typedef struct graph graph_t;

enum { GRAPH_PRECISION_EXACT = 0, GRAPH_PRECISION_BALANCED = 1, GRAPH_PRECISION_FAST = 2 };

typedef struct graph_options {
  uint32_t size;
  int32_t threads;         /* for CPU-like devices; 0: as many as there are cores */
  const char* devices;     /* "auto" or NULL: every device that is there. Else a list such as "vulkan,reference" or "sim:1": these and
                              no others; a plugin's id stands for all its devices */
  const char* placement;   /* NULL or "auto": by cost. "random:SEED": each node on a random device of those that can run it */
  int32_t precision;       /* GRAPH_PRECISION_* */
  uint32_t flags;          /* GRAPH_VERBOSE */
  const char* cache_folder;/* an absolute path: where plugins keep what they compiled. NULL: the user's cache folder; "": no cache */
  const char* base_folder; /* graph_load_memory: where external data lies; NULL: none is read */
  const char* const* device_options; /* NULL, or strings ended by NULL: "acme:key=value" goes to all devices of a plugin,
                              "acme:1:key=value" to one. The vendor's own options, for open and compile; but
                              "acme:isolation=process" has Braid use the plugin in a process of its own, whose end is
                              that of its devices and of nothing else (for all graphs: BRAID_ISOLATE) */
  uint64_t memory_limit;   /* bytes that what is compiled for a device may take there; 0: none */
  uint64_t compile_timeout_ns; /* of each placement: plugins give up compiling after it; 0: none */
} graph_options;
/* A graph with cache_folder or device_options opens devices of its own; a graph_buffer can't be given to its runs. */

/* Some lines on standard error for each placement: what runs where, and why not elsewhere. */
enum { GRAPH_VERBOSE = 1u };

#define GRAPH_OPTIONS_INIT {sizeof(graph_options), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

/* Loads, checks and upgrades a model. options may be NULL. On failure *graph is NULL. Nothing touches a device before the
 * first run or graph_prepare. [any] */
GRAPH_API graph_status graph_load(const char* path, const graph_options* options, graph_t** graph);
/* The same from memory, which is copied. External data is read only beneath options->base_folder. [any] */
GRAPH_API graph_status graph_load_memory(const void* model, uint64_t bytes, const graph_options* options, graph_t** graph);
/* Waits for pending runs, then frees all. NULL: nothing. [owner] */
GRAPH_API void graph_free(graph_t* graph);

/* An input or output as the model declares it. */
typedef struct graph_value_info {
  uint32_t size;
  int32_t kind;
  const char* name;
  int32_t type;            /* of the tensor, of a sequence's or optional's tensors, of a map's values */
  int32_t rank;            /* -1: not known */
  int64_t dims[GRAPH_MAX_RANK];                /* -1: not known before the run */
  const char* symbols[GRAPH_MAX_RANK];         /* name of an unknown extent, "" or NULL if it has none */
  int32_t has_default;     /* an input that may be left out: the model has a value for it */
  int32_t key_type;        /* of a map, or of a sequence's or optional's maps; else 0 */
} graph_value_info;

#define GRAPH_VALUE_INFO_INIT {sizeof(graph_value_info), 0, 0, 0, 0, {0}, {0}, 0, 0}

/* Number of inputs (outputs), and the first `capacity` of them in infos, which have their size set. [any] */
GRAPH_API uint32_t graph_inputs(const graph_t* graph, graph_value_info* infos, uint32_t capacity);
GRAPH_API uint32_t graph_outputs(const graph_t* graph, graph_value_info* infos, uint32_t capacity);

/* Chooses devices and compiles for these inputs' shapes (data may be NULL), so that the first run is as quick as any. [any] */
GRAPH_API graph_status graph_prepare(graph_t* graph, const graph_tensor* inputs, uint32_t input_count);

/* Runs the graph. Inputs and outputs are matched by name, or by position where name is NULL; outputs not asked for are not
 * copied out. On failure nothing is allocated in outputs. An output that still holds a result in memory of Braid's is refused:
 * graph_tensor_release first. [any]: many threads may run one graph at once. */
GRAPH_API graph_status graph_run(graph_t* graph, const graph_tensor* inputs, uint32_t input_count, graph_tensor* outputs,
                                 uint32_t output_count);

typedef struct graph_request graph_request;

/* Starts a run and returns; inputs and outputs (the structs and their memory) must stay until it has ended. [any] */
GRAPH_API graph_status graph_run_async(graph_t* graph, const graph_tensor* inputs, uint32_t input_count, graph_tensor* outputs,
                                       uint32_t output_count, graph_request** request);
/* GRAPH_PENDING if it has not ended within timeout_ns (UINT64_MAX: for ever), else the run's status. [any] */
GRAPH_API graph_status graph_wait(graph_request* request, uint64_t timeout_ns);
/* Asks a run to end early; it ends GRAPH_CANCELLED, or as it would have. [any] */
GRAPH_API void graph_cancel(graph_request* request);
/* Waits for the run to end. NULL: nothing. [owner] */
GRAPH_API void graph_request_free(graph_request* request);

enum { GRAPH_EXPLAIN_SUMMARY = 0, GRAPH_EXPLAIN_TEXT = 1, GRAPH_EXPLAIN_JSON = 2 };
/* What ran where and why, of the last placement: one line, text or JSON. The string is valid until this graph's next explanation on
 * this thread, and as long as the graph. Before any placement it says that there is none. [any] */
GRAPH_API graph_status graph_explain(graph_t* graph, int32_t format, const char** text);

/* ---- Devices ------------------------------------------------------------------------------------------------- */

typedef struct graph_device_info {
  uint32_t size;
  int32_t kind;            /* braid_device_info.kind: 1 CPU, 2 GPU, 3 NPU, 4 DSP, 5 FPGA, 99 other */
  const char* id;          /* "vulkan:0": what graph_options.devices takes */
  const char* name;        /* of the hardware */
  const char* plugin;      /* plugin id and version */
  const char* driver;
  uint64_t memory_total, memory_free;
  uint64_t alignment;      /* of tensors in its memory */
  uint32_t arithmetic;     /* braid_device_info.arithmetic, a mask: 1 flushes denormals, 2 TF32, 4 accumulates float16, 8 fast math */
  uint32_t reserved;
} graph_device_info;

#define GRAPH_DEVICE_INFO_INIT {sizeof(graph_device_info), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}

/* Number of devices, and the first `capacity` of them. Strings live until the process ends. [any] */
GRAPH_API uint32_t graph_devices(graph_device_info* infos, uint32_t capacity);
/* JSON: each plugin manifest that was found, what became of it and why; where was looked. Valid until the next call on this thread.
 * [any] */
GRAPH_API graph_status graph_plugins(const char** json);

/* Memory of a device, to keep tensors there between runs. `device` as in graph_device_info.id. The runs that use a buffer are
 * ordered by the caller. [any] */
GRAPH_API graph_status graph_buffer_alloc(const char* device, uint64_t bytes, graph_buffer** buffer);
GRAPH_API graph_status graph_buffer_write(graph_buffer* buffer, uint64_t offset, const void* data, uint64_t bytes);
GRAPH_API graph_status graph_buffer_read(graph_buffer* buffer, uint64_t offset, void* data, uint64_t bytes);
GRAPH_API void graph_buffer_free(graph_buffer* buffer); /* NULL: nothing. [owner] */

#ifdef __cplusplus
}
#endif
#endif /* BRAID_GRAPH_H_ */
