// SPDX-License-Identifier: Apache-2.0
//
// What the commands share about graphs: loading with a device list, running on HostData, inputs that were not
// given.
#ifndef BRAID_TOOLS_BRAID_GRAPH_H_
#define BRAID_TOOLS_BRAID_GRAPH_H_

#include <braid/graph.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tools/braid/tensors.h"

namespace braid::cli {

// A failed call of the API: its status and text.
class RunError : public std::runtime_error {
 public:
  RunError(graph_status status, const std::string& text) : std::runtime_error(text), status_(status) {}
  graph_status status() const { return status_; }

 private:
  graph_status status_;
};

struct LoadOptions {
  std::string device = "auto";
  std::string placement;
  int threads = 0;
  std::string precision = "exact";
  std::vector<std::string> options;  // PLUGIN:KEY=VALUE
  uint64_t memory_limit = 0;
  double compile_timeout = 0;  // seconds
};

class LoadedGraph {
 public:
  LoadedGraph(const std::string& path, const LoadOptions& options);
  const std::vector<graph_value_info>& inputs() const { return inputs_; }
  const std::vector<graph_value_info>& outputs() const { return outputs_; }
  // All outputs in order; inputs by name. Throws RunError.
  std::vector<HostData> Run(const std::vector<HostData>& inputs);
  void Prepare(const std::vector<HostData>& inputs);
  std::string Explain(int32_t format);
  // What is behind the inputs, for the text of a RunError: their files, symbols that were taken as 1.
  void set_files(std::map<std::string, std::string> files) { files_ = std::move(files); }
  void set_hint(std::string hint) { hint_ = std::move(hint); }
  graph_t* get() const { return graph_.get(); }

 private:
  struct Free {
    void operator()(graph_t* graph) const { graph_free(graph); }
  };
  std::unique_ptr<graph_t, Free> graph_;
  void Check(graph_status status) const;
  std::vector<graph_value_info> inputs_, outputs_;
  std::map<std::string, std::string> files_;  // by input
  std::string hint_;
};

// How a user gives inputs on the command line, for `run`, `plan` and `bench`.
struct InputOptions {
  std::vector<std::string> files;    // NAME=FILE.npy or NAME=FILE.pb
  std::vector<std::string> shapes;   // NAME=1x3x640x640
  std::vector<std::string> symbols;  // SYMBOL=640: an unknown extent of whatever input
  uint64_t seed = 0;
};
void AddInputOptions(CLI::App& app, InputOptions* options);
void AddLoadOptions(CLI::App& app, LoadOptions* options);

// Each input of the graph: from its file, or made from the seed with the given shape. Symbols get their
// extents from --symbol, else from the files and shapes that are given, else 1, of which a line on stderr
// tells. with_data false: the made ones are shapes without elements. Throws a UsageError for what is no input
// of the graph or does not fit into memory.
std::vector<HostData> MakeInputs(LoadedGraph& graph, const InputOptions& options, bool with_data = true);

// Breaches of the ABI's rules that the checked layer has seen in this process.
uint64_t Violations();

// Bytes that this process can still take: what the machine has, less where a control group or limit is
// tighter.
uint64_t AvailableMemory();

}  // namespace braid::cli

#endif  // BRAID_TOOLS_BRAID_GRAPH_H_
