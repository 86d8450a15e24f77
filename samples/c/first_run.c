/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a model on zeros and prints the shape of its first output: first_run MODEL.onnx */
#include <braid/graph.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  graph_t* graph = NULL;
  if (argc != 2 || graph_load(argv[1], NULL, &graph) != GRAPH_OK) {
    fprintf(stderr, "first_run: %s\n", argc != 2 ? "usage: first_run MODEL.onnx" : graph_last_error());
    return 1;
  }
  graph_value_info info = GRAPH_VALUE_INFO_INIT;
  graph_inputs(graph, &info, 1);
  graph_tensor in = GRAPH_TENSOR_INIT, out = GRAPH_TENSOR_INIT;
  in.type = info.type;
  in.rank = info.rank;
  in.bytes = sizeof(float);
  for (int32_t i = 0; i < info.rank; ++i) {
    in.dims[i] = info.dims[i] < 0 ? 1 : info.dims[i];
    in.bytes *= (uint64_t)in.dims[i];
  }
  in.data = calloc(1, in.bytes);

  graph_status status = info.type == GRAPH_FLOAT ? graph_run(graph, &in, 1, &out, 1) : GRAPH_UNSUPPORTED;
  if (status == GRAPH_OK) {
    const char* summary = "";
    graph_explain(graph, GRAPH_EXPLAIN_SUMMARY, &summary);
    printf("first output: rank %d, %llu bytes\n%s\n", (int)out.rank, (unsigned long long)out.bytes, summary);
  } else {
    fprintf(stderr, "first_run: %s\n",
            info.type == GRAPH_FLOAT ? graph_last_error() : "the first input is not float32");
  }
  graph_tensor_release(&out);
  free(in.data);
  graph_free(graph);
  return status == GRAPH_OK ? 0 : 1;
}
