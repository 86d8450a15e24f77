/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* braid/ext/operators.h - a plugin's extension "braid.operators/1": operators of a domain of its own.
 *
 * The host asks every plugin for it, by braid_plugin.get_extension, before it loads the first model that has a node of a domain which is
 * not ONNX's (calls of a model's own functions are none: they are expanded before). From then on models may use the operators: they are
 * checked against the declaration, shapes are inferred, and the nodes are offered to every device like any others (a device says NO_OP to
 * what it does not know). Where the declaration has a body, nodes that no device takes are replaced by it.
 *
 * An operator is known by domain, name and since_version. Of two plugins that declare the same one, the one found first counts.
 * A plugin in a process of its own (BRAID_ISOLATE) cannot declare operators.
 *
 * braid_formal, braid_constraint and braid_formal_attr, whose arrays have no stride, never change: more of them would be "braid.operators/2". */
#ifndef BRAID_EXT_OPERATORS_H_
#define BRAID_EXT_OPERATORS_H_

#include <braid/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BRAID_OPERATORS_ID "braid.operators/1"

enum { BRAID_FORMAL_SINGLE = 0, BRAID_FORMAL_OPTIONAL = 1, BRAID_FORMAL_VARIADIC = 2 /* the last one only */ };

/* An input or an output. */
typedef struct braid_formal {
  braid_str name;
  braid_str type;  /* as ONNX's schemas write it, "tensor(float)", or the name of a constraint: "T" */
  int32_t option;  /* BRAID_FORMAL_* */
  uint32_t reserved;
} braid_formal;

/* The types that a name stands for; what has the same name has the same type in one node. */
typedef struct braid_constraint {
  braid_str name;
  const braid_str* types; /* "tensor(float)" ... */
  uint32_t type_count, reserved;
} braid_constraint;

typedef struct braid_formal_attr {
  braid_str name;
  int32_t kind;      /* BRAID_ATTR_* */
  uint32_t required; /* 1: each node has it */
} braid_formal_attr;

/* What infer says of an output. Comes with rank -1 and the type that the constraints give, 0 if they leave it open. */
typedef struct braid_inferred {
  uint32_t size;
  braid_type type;
  int32_t rank; /* -1: unknown */
  uint32_t reserved;
  int64_t dims[BRAID_MAX_RANK]; /* -1: unknown */
} braid_inferred;

typedef struct braid_operator {
  uint32_t size;
  int32_t since_version; /* of the domain: the first in which the operator is as it is declared here; >= 1 */
  braid_str domain, name, text; /* text: for people, what it does */
  const braid_formal *inputs, *outputs;
  const braid_constraint* constraints;
  const braid_formal_attr* attrs;
  uint32_t input_count, output_count, constraint_count, attr_count;
  /* (optional) The operator in ONNX's: nodes in ONNX's text form that read the inputs and write the outputs by their names,
   * "{ c = Clip (x, low, high)  y = Mul (c, c) }", of the opset body_opset of ai.onnx. An attribute of the node is passed on by
   * "Constant <value_float: float = @alpha> ()"; one that a node leaves out must not be read. */
  braid_str body;
  int32_t body_opset;
  uint32_t reserved;
  /* (optional) The outputs' shapes, and types where constraints leave them open. `node` is a graph of the one node: its inputs with what is
   * known of them (rank -1, extents -1 where nothing is), those whose values are known are constants (braid_host.constant). `outputs`:
   * output_count structs, walked by stride. INVALID_ARGUMENT with a text (set_error) refuses the node. Called when a model is loaded, and
   * again for each new set of input shapes. Left out, the shapes are the body's, or unknown until the run. [any] */
  braid_status (BRAID_CALL *infer)(const struct braid_operator*, const braid_graph* node, void* outputs, uint32_t stride);
  void* data; /* the plugin's own */
} braid_operator;

/* The extension: valid, with all that it points at, until shutdown. */
typedef struct braid_operators {
  uint32_t size;
  uint32_t count, stride, reserved;
  const void* operators; /* braid_operator, walk with BRAID_AT */
} braid_operators;

#ifdef __cplusplus
}
#endif
#endif /* BRAID_EXT_OPERATORS_H_ */
