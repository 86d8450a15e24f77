// SPDX-License-Identifier: Apache-2.0
#include "core/api/operators.h"

#include <braid/ext/operators.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/onnx/operators.h"
#include "core/plugins/host.h"
#include "core/plugins/registry.h"
#include "core/plugins/view.h"

namespace braid {
namespace {

std::string Text(braid_str s) { return s.ptr == nullptr ? std::string() : std::string(s.ptr, s.len); }

// A struct of the plugin's, which may be shorter or longer than ours.
template <class Raw>
Raw CopyOf(const void* from) {
  Raw raw{};
  uint32_t size = 0;
  std::memcpy(&size, from, sizeof size);
  std::memcpy(&raw, from, std::min<size_t>(size, sizeof raw));
  return raw;
}

absl::Status AskPlugin(const std::weak_ptr<Plugin>& owner, const braid_operator* op, const Graph& call,
                       std::vector<Type>* outputs) {
  const std::shared_ptr<Plugin> plugin = owner.lock();
  if (plugin == nullptr) return absl::UnavailableError("the plugin that declares it is gone");
  const std::unique_ptr<GraphView> view = GraphView::Whole(call);
  std::vector<braid_inferred> said(outputs->size());
  for (size_t i = 0; i < said.size(); ++i) {
    said[i].size = sizeof(braid_inferred);
    said[i].type = (*outputs)[i].element;
    said[i].rank = -1;
  }
  const auto infer = CopyOf<braid_operator>(op).infer;
  const braid_status status =
      AtBoundary([&] { return infer(op, view->raw(), said.data(), sizeof(braid_inferred)); });
  if (status != BRAID_OK) return plugin->Error(status, "shapes");
  for (size_t i = 0; i < said.size(); ++i) {
    Type& type = (*outputs)[i];
    if (ElementBits(said[i].type) == 0 && said[i].type != Element::kString && said[i].type != 0)
      return absl::InternalError(
          absl::StrCat(plugin->id(), " gives output ", i, " the unknown type ", said[i].type));
    if (said[i].rank > static_cast<int32_t>(BRAID_MAX_RANK) || said[i].rank < -1)
      return absl::InternalError(absl::StrCat(plugin->id(), " gives output ", i, " the rank ", said[i].rank));
    type.element = said[i].type;
    type.has_shape = said[i].rank >= 0;
    for (int32_t d = 0; d < said[i].rank; ++d) {
      if (said[i].dims[d] < -1)
        return absl::InternalError(
            absl::StrCat(plugin->id(), " gives output ", i, " the extent ", said[i].dims[d]));
      type.dims.push_back({said[i].dims[d], -1});
    }
  }
  return absl::OkStatus();
}

OperatorDeclaration DeclarationOf(const std::shared_ptr<Plugin>& plugin, const braid_operator* op) {
  const auto raw = CopyOf<braid_operator>(op);
  OperatorDeclaration out;
  out.domain = Text(raw.domain);
  out.name = Text(raw.name);
  out.text = Text(raw.text);
  out.since_version = raw.since_version;
  for (uint32_t i = 0; i < raw.input_count; ++i)
    out.inputs.push_back({Text(raw.inputs[i].name), Text(raw.inputs[i].type), raw.inputs[i].option});
  for (uint32_t i = 0; i < raw.output_count; ++i)
    out.outputs.push_back({Text(raw.outputs[i].name), Text(raw.outputs[i].type), raw.outputs[i].option});
  for (uint32_t i = 0; i < raw.constraint_count; ++i) {
    out.constraints.push_back({Text(raw.constraints[i].name), {}});
    for (uint32_t t = 0; t < raw.constraints[i].type_count; ++t)
      out.constraints.back().types.push_back(Text(raw.constraints[i].types[t]));
  }
  for (uint32_t i = 0; i < raw.attr_count; ++i)
    out.attributes.push_back({Text(raw.attrs[i].name), raw.attrs[i].kind, raw.attrs[i].required != 0});
  out.body = Text(raw.body);
  out.body_opset = raw.body_opset;
  if (raw.infer != nullptr)
    out.infer = [owner = std::weak_ptr<Plugin>(plugin), op](const Graph& call, std::vector<Type>* outputs) {
      return AskPlugin(owner, op, call, outputs);
    };
  return out;
}

// Of each plugin once: a plugin that comes later declares later.
void DeclareAll() {
  static std::mutex mutex;
  static auto& asked = *new std::set<std::string>();
  const std::lock_guard lock(mutex);
  for (const std::shared_ptr<Plugin>& plugin : Registry::Default().Plugins()) {
    if (!asked.insert(plugin->id()).second) continue;
    const void* extension = plugin->Extension(BRAID_OPERATORS_ID);
    if (extension == nullptr) continue;
    const auto table = CopyOf<braid_operators>(extension);
    for (uint32_t i = 0; i < table.count; ++i) {
      const auto* op = BRAID_AT(braid_operator, table.operators, table.stride, i);
      const absl::Status status = DeclareOperator(DeclarationOf(plugin, op));
      if (!status.ok()) HostLog(BRAID_LOG_WARNING, plugin->id(), std::string(status.message()));
    }
  }
}

}  // namespace

void AskPluginsForOperators() {
  static std::once_flag once;
  std::call_once(once, [] { SetOperatorSource(DeclareAll); });
}

}  // namespace braid
