// SPDX-License-Identifier: Apache-2.0
#include <braid/graph.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "core/graph/nearest.h"
#include "tools/braid/command.h"
#include "tools/braid/graph.h"

namespace braid::cli {
namespace {

constexpr Command kCommands[] = {
    {"run", "runs a model and shows its outputs and what ran where",
     "braid run model.onnx --input x=x.npy --output-dir out", AddRun},
    {"verify", "runs ONNX test cases and compares their outputs", "braid verify cases/ --device reference",
     AddVerify},
    {"conformance", "tests a device against the ONNX operator specifications and the plugin ABI",
     "braid conformance --device vulkan --level smoke", AddConformance},
    {"plan", "shows which device runs each node, and why", "braid plan model.onnx --device vulkan,reference",
     AddPlan},
    {"bench", "measures latency and throughput", "braid bench model.onnx --threads 2 --json", AddBench},
    {"devices", "lists the devices of this machine", "braid devices --json", AddDevices},
    {"inspect", "shows what a model holds", "braid inspect model.onnx", AddInspect},
    {"doctor", "tells which plugins were found, what became of them, and why", "braid doctor", AddDoctor},
    {"new-plugin", "writes a complete minimal plugin to start from", "braid new-plugin acme", AddNewPlugin},
};

// For the first option that the command does not have: the option that was meant, if one is near.
std::string NearestOption(const CLI::App& command) {
  std::vector<std::string> known;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  for (const std::string& wrong : command.remaining())
    if (wrong.size() > 1 && wrong[0] == '-')
      return fmt::format("'{}' is no option of braid {}{}", wrong, command.get_name(),
                         NearestMatch(wrong.substr(0, wrong.find('=')), known));
  return "";
}

int Main(int argc, char** argv) {
  CLI::App app("Runs one ONNX graph across every device of this machine.", "braid");
  app.set_version_flag("--version", std::string("braid ") + graph_version());
  app.require_subcommand(1);
  app.footer("`braid COMMAND --help` tells more about a command.");
  int status = kDone;
  std::vector<std::string> names;
  for (const Command& command : kCommands) {
    names.push_back(command.name);
    CLI::App* sub = app.add_subcommand(command.name, command.summary);
    sub->footer(std::string("Example:\n  ") + command.example);
    auto run = command.add(*sub);
    sub->callback([run, &status] { status = run(); });
  }
  if (argc > 1 && argv[1][0] != '-' && std::find(names.begin(), names.end(), argv[1]) == names.end()) {
    fmt::print(stderr, "braid: there is no command '{}'{}; the commands are {}\n", argv[1],
               NearestMatch(argv[1], names), fmt::join(names, ", "));
    return kUsage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    const auto used = app.get_subcommands();
    const std::string option = used.empty() ? "" : NearestOption(*used[0]);
    fmt::print(stderr, "braid: {}\nsee `braid {}--help`\n", option.empty() ? e.what() : option,
               used.empty() ? "" : used[0]->get_name() + " ");
    return kUsage;
  } catch (const UsageError& e) {
    fmt::print(stderr, "braid: {}\n", e.what());
    return kUsage;
  } catch (const RunError& e) {
    fmt::print(stderr, "braid: {} ({})\n", e.what(), graph_status_name(e.status()));
    const bool unusable = e.status() == GRAPH_INVALID_ARGUMENT || e.status() == GRAPH_IO_ERROR;
    return unusable ? kUsage : kFailed;
  } catch (const std::filesystem::filesystem_error& e) {
    fmt::print(stderr, "braid: {}: {}\n", e.path1().string(), e.code().message());
    return kUsage;
  } catch (const std::bad_alloc&) {
    fmt::print(
        stderr,
        "braid: the memory of this machine is not enough for the inputs and outputs of the command ({})\n",
        graph_status_name(GRAPH_OUT_OF_MEMORY));
    return kFailed;
  } catch (const std::exception& e) {
    fmt::print(stderr, "braid: {}\n", e.what());
    return kFailed;
  }
  return status;
}

}  // namespace

CLI::Validator NotBelow(double least, double most) {
  return CLI::Validator(
      [least, most](std::string& text) {
        char* end = nullptr;
        const double value = std::strtod(text.c_str(), &end);
        if (!text.empty() && *end == 0 && value >= least && value <= most) return std::string();
        return fmt::format("'{}' is no number of at least {}{}", text, least,
                           std::isinf(most) ? "" : fmt::format(" and at most {}", most));
      },
      std::isinf(most) ? fmt::format(">= {}", least) : fmt::format("{} to {}", least, most));
}

std::string NearestMatch(const std::string& wrong, const std::vector<std::string>& candidates) {
  const std::string nearest = NearestName(wrong, candidates, std::max<size_t>(2, wrong.size() / 2));
  return nearest.empty() ? "" : " (did you mean '" + nearest + "'?)";
}

}  // namespace braid::cli

int main(int argc, char** argv) { return braid::cli::Main(argc, argv); }
