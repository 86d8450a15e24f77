// SPDX-License-Identifier: Apache-2.0
//
// Writes a plugin of sdk/template under another name. The templates are in the program (template.cc, made at
// build).
#include <fmt/format.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string_view>

#include "tools/braid/command.h"

namespace braid::cli {

struct TemplateFile {
  const char* kind;  // folder of sdk/template
  const char* name;  // "plugin" stands for the plugin's name
  const char* text;
};
extern const TemplateFile kTemplate[];
extern const size_t kTemplateSize;

namespace {

namespace fs = std::filesystem;

std::string Replaced(std::string text, const std::string& what, const std::string& by) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
  return text;
}

// A name is an identifier in CMake, C++ and file names, and an id in lists of devices.
void CheckName(const std::string& name) {
  bool good = !name.empty() && name.size() <= 64 && std::islower(static_cast<unsigned char>(name[0])) != 0;
  for (char c : name)
    good = good && (std::islower(static_cast<unsigned char>(c)) != 0 ||
                    std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '_');
  if (!good)
    throw UsageError(
        fmt::format("'{}' can't be a plugin's name: lower-case letters, digits and _, a letter first", name));
}

// Names that mean something else in lists of devices, or plugins of Braid's own, which one of this name would
// hide.
void CheckFree(const std::string& name) {
  for (const char* taken : {"auto", "braid", "reference", "cpu", "vulkan", "opencl", "cuda", "sim", "mutant"})
    if (name == taken)
      throw UsageError(fmt::format("'{}' can't be a plugin's name: it is one of Braid's own", name));
}

int Run(const std::string& name, std::string_view kind, const std::string& dir, bool json) {
  CheckName(name);
  CheckFree(name);
  const fs::path folder = dir.empty() ? fs::path(name) : fs::path(dir);
  if (fs::exists(folder) && !(fs::is_directory(folder) && fs::is_empty(folder)))
    throw UsageError(fmt::format("{} is there already and not empty; nothing was written", folder.string()));
  std::string type_name;  // "my_chip" -> "MyChip"
  for (size_t i = 0; i < name.size(); ++i)
    if (name[i] != '_')
      type_name += i == 0 || name[i - 1] == '_' ? static_cast<char>(std::toupper(name[i])) : name[i];
  fs::create_directories(folder);
  nlohmann::json written = nlohmann::json::array();
  for (size_t i = 0; i < kTemplateSize; ++i) {
    if (kTemplate[i].kind != kind) continue;
    const fs::path file = folder / Replaced(kTemplate[i].name, "plugin", name);
    std::ofstream out(file);
    out << Replaced(Replaced(kTemplate[i].text, "{{name}}", name), "{{class}}", type_name);
    out.close();
    if (!out) throw UsageError(file.string() + ": can't be written");
    written.push_back(file.string());
    if (!json) fmt::print("{}\n", file.string());
  }
  if (json) {
    fmt::print("{}\n", nlohmann::json({{"name", name}, {"kind", kind}, {"files", written}}).dump(2));
  } else {
    fmt::print("\n{}/README.md says how to build and try it.\n", folder.string());
  }
  return kDone;
}

}  // namespace

std::function<int()> AddNewPlugin(CLI::App& app) {
  struct Options {
    std::string name, dir;
    bool minimal = false, accelerator = false, c = false, json = false;
  };
  auto options = std::make_shared<Options>();
  app.add_option("name", options->name, "of the plugin: lower-case letters, digits and _")->required();
  app.add_option("--dir", options->dir, "folder to write (default: ./NAME); must be empty or not there");
  CLI::Option* minimal = app.add_flag("--minimal", options->minimal,
                                      "host memory, no queue, one operator, in C++ (the default)");
  CLI::Option* accelerator = app.add_flag("--accelerator", options->accelerator,
                                          "memory and an asynchronous queue of its own, operators in a "
                                          "table, fusions, a planned workspace; in C++, "
                                          "for a chip that is simulated");
  CLI::Option* c = app.add_flag("--c", options->c, "as --minimal, in C99 without a C++ runtime");
  minimal->excludes(accelerator)->excludes(c);
  accelerator->excludes(c);
  app.add_flag("--json", options->json, "print JSON");
  return [options] {
    const char* kind = options->accelerator ? "accelerator" : options->c ? "c" : "minimal";
    return Run(options->name, kind, options->dir, options->json);
  };
}

}  // namespace braid::cli
