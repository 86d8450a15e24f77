/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a model on plain:0 through Braid. The model's bytes are an ONNX graph t = x + x, y = t + t, float32,
 * of any length. */
#include <braid/graph.h>
#include <stdio.h>
#include <string.h>

static const unsigned char model[] = {
    0x08, 0x08, 0x3a, 0x49, 0x0a, 0x0e, 0x0a, 0x01, 0x78, 0x0a, 0x01, 0x78, 0x12, 0x01, 0x74, 0x22, 0x03,
    0x41, 0x64, 0x64, 0x0a, 0x0e, 0x0a, 0x01, 0x74, 0x0a, 0x01, 0x74, 0x12, 0x01, 0x79, 0x22, 0x03, 0x41,
    0x64, 0x64, 0x12, 0x03, 0x61, 0x64, 0x64, 0x5a, 0x10, 0x0a, 0x01, 0x78, 0x12, 0x0b, 0x0a, 0x09, 0x08,
    0x01, 0x12, 0x05, 0x0a, 0x03, 0x12, 0x01, 0x6e, 0x62, 0x10, 0x0a, 0x01, 0x79, 0x12, 0x0b, 0x0a, 0x09,
    0x08, 0x01, 0x12, 0x05, 0x0a, 0x03, 0x12, 0x01, 0x6e, 0x42, 0x04, 0x0a, 0x00, 0x10, 0x11};

static int failed(const char* what) {
  fprintf(stderr, "plain_test: %s: %s\n", what, graph_last_error());
  return 1;
}

int main(void) {
  graph_options options = GRAPH_OPTIONS_INIT;
  graph_tensor in = GRAPH_TENSOR_INIT, out = GRAPH_TENSOR_INIT;
  float x[] = {-2, -0.5f, 0, 3, 1e30f};
  const float want[] = {-8, -2, 0, 12, 4e30f};
  const char* summary = "";
  graph_t* graph = NULL;
  options.devices = "plain"; /* this device and no other */
  if (graph_load_memory(model, sizeof model, &options, &graph) != GRAPH_OK)
    return failed("graph_load_memory");
  in.type = GRAPH_FLOAT;
  in.rank = 1;
  in.dims[0] = 5;
  in.data = x;
  in.bytes = sizeof x;
  if (graph_run(graph, &in, 1, &out, 1) != GRAPH_OK) return failed("graph_run");
  if (out.bytes != sizeof want || memcmp(out.data, want, sizeof want) != 0) {
    fprintf(stderr, "plain_test: Add gave wrong numbers\n");
    return 1;
  }
  graph_explain(graph, GRAPH_EXPLAIN_SUMMARY, &summary);
  printf("%s\n1 passed, 0 failed, 0 skipped\n", summary);
  graph_tensor_release(&out);
  graph_free(graph);
  return 0;
}
