// SPDX-License-Identifier: Apache-2.0
//
// braid/ext/operators.h in C++: a plugin lists its operators and answers Extension with them.
//
//   kit::Operators operators_{{kit::Operator{.domain = "com.example", .name = "Twice", ...}}};
//   const void* Extension(const char* id) override { return operators_.Extension(id); }
#ifndef BRAID_KIT_OPERATORS_H_
#define BRAID_KIT_OPERATORS_H_

#include <braid/ext/operators.h>
#include <braid/kit/graph_view.h>
#include <braid/kit/plugin.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace braid::kit {

struct Operator {
  struct Formal {
    std::string name;
    std::string type;  // "tensor(float)", or a constraint's name
    int32_t option = BRAID_FORMAL_SINGLE;
  };
  struct Constraint {
    std::string name;
    std::vector<std::string> types;
  };
  struct Attribute {
    std::string name;
    int32_t kind = BRAID_ATTR_INT;
    bool required = false;
  };
  // What is known of an output; dims with -1 for what is not.
  struct Inferred {
    braid_type type = 0;  // 0: as the constraints say
    bool has_rank = false;
    std::vector<int64_t> dims;
  };

  std::string domain, name, text;
  int32_t since_version = 1;
  std::vector<Formal> inputs, outputs;
  std::vector<Constraint> constraints;
  std::vector<Attribute> attributes;
  std::string body;  // see braid_operator.body
  int32_t body_opset = 0;
  // One for each output; it may throw kit::Error. `graph` has the node as its only one. May be left out.
  std::function<std::vector<Inferred>(const Graph& graph, const Node& node)> infer;
};

class Operators {
 public:
  // `host`: where the texts of errors go.
  Operators(const braid_host* host, std::vector<Operator> list) : host_(host), list_(std::move(list)) {
    for (const Operator& from : list_) Add(from);
    table_.size = sizeof table_;
    table_.count = static_cast<uint32_t>(raw_.size());
    table_.stride = sizeof(braid_operator);
    table_.operators = raw_.data();
  }
  Operators(const Operators&) = delete;
  Operators& operator=(const Operators&) = delete;

  const void* Extension(const char* id) const {
    return std::strcmp(id, BRAID_OPERATORS_ID) == 0 ? &table_ : nullptr;
  }

 private:
  struct Parts {
    const Operators* owner;
    const Operator* from;
    std::vector<braid_formal> inputs, outputs;
    std::vector<braid_constraint> constraints;
    std::vector<std::vector<braid_str>> types;
    std::vector<braid_formal_attr> attributes;
  };

  void Add(const Operator& from) {
    auto parts = std::make_unique<Parts>();
    parts->owner = this;
    parts->from = &from;
    for (const auto& [formals, to] :
         {std::pair(&from.inputs, &parts->inputs), std::pair(&from.outputs, &parts->outputs)})
      for (const Operator::Formal& f : *formals) to->push_back({Str(f.name), Str(f.type), f.option, 0});
    for (const Operator::Constraint& c : from.constraints) {
      parts->types.emplace_back();
      for (const std::string& type : c.types) parts->types.back().push_back(Str(type));
    }
    for (size_t i = 0; i < from.constraints.size(); ++i)
      parts->constraints.push_back({Str(from.constraints[i].name), parts->types[i].data(),
                                    static_cast<uint32_t>(parts->types[i].size()), 0});
    for (const Operator::Attribute& a : from.attributes)
      parts->attributes.push_back({Str(a.name), a.kind, a.required});
    braid_operator raw{};
    raw.size = sizeof raw;
    raw.since_version = from.since_version;
    raw.domain = Str(from.domain);
    raw.name = Str(from.name);
    raw.text = Str(from.text);
    raw.inputs = parts->inputs.data();
    raw.outputs = parts->outputs.data();
    raw.constraints = parts->constraints.data();
    raw.attrs = parts->attributes.data();
    raw.input_count = static_cast<uint32_t>(parts->inputs.size());
    raw.output_count = static_cast<uint32_t>(parts->outputs.size());
    raw.constraint_count = static_cast<uint32_t>(parts->constraints.size());
    raw.attr_count = static_cast<uint32_t>(parts->attributes.size());
    raw.body = Str(from.body);
    raw.body_opset = from.body_opset;
    raw.infer = from.infer ? Infer : nullptr;
    raw.data = parts.get();
    parts_.push_back(std::move(parts));
    raw_.push_back(raw);
  }

  static braid_status BRAID_CALL Infer(const braid_operator* op, const braid_graph* view, void* outputs,
                                       uint32_t stride) {
    const Parts& parts = *static_cast<const Parts*>(op->data);
    braid_status status = BRAID_INTERNAL;
    std::string text;
    try {
      const Graph graph(view);
      const std::vector<Operator::Inferred> said = parts.from->infer(graph, graph.node(0));
      for (size_t i = 0; i < said.size() && i < parts.outputs.size(); ++i) {
        auto* out = reinterpret_cast<braid_inferred*>(static_cast<char*>(outputs) + i * stride);
        if (said[i].type != 0) out->type = said[i].type;
        if (!said[i].has_rank) continue;
        if (said[i].dims.size() > BRAID_MAX_RANK) throw Error(BRAID_INVALID_ARGUMENT, "too many dimensions");
        out->rank = static_cast<int32_t>(said[i].dims.size());
        for (size_t d = 0; d < said[i].dims.size(); ++d) out->dims[d] = said[i].dims[d];
      }
      return BRAID_OK;
    } catch (const Error& error) {
      status = error.status();
      text = error.what();
    } catch (const std::exception& error) {
      text = error.what();
    }
    const braid_host* host = parts.owner->host_;
    host->set_error(host, Str(text));
    return status;
  }

  const braid_host* host_;
  std::vector<Operator> list_;
  std::vector<std::unique_ptr<Parts>> parts_;
  std::vector<braid_operator> raw_;
  braid_operators table_{};
};

}  // namespace braid::kit

#endif  // BRAID_KIT_OPERATORS_H_
