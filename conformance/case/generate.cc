// SPDX-License-Identifier: Apache-2.0
#include "conformance/case/generate.h"

#include <algorithm>
#include <set>
#include <stdexcept>

#include "conformance/case/random.h"

namespace braid::conformance {
namespace {

// Of one version: cases that pairs of options may add, at the default and at the full level. Superseded
// versions have fewer: what they share with the newest one is tried there.
constexpr size_t kPairs = 40, kPairsFull = 400, kOldPairs = 6, kOldPairsFull = 60;

const Domain::Choice kInputs = {"~inputs", {"plain", "runtime", "constant"}, 0};
const Domain::Choice kDims = {"~dims", {"static", "symbols"}, 0};

// As schemas write types; "" where an empty value does not tell.
std::string TypeText(const Value& v) {
  const auto item = [&] {
    return v.items.empty() ? "tensor(" + ElementTypeText(v.type) + ")" : TypeText(v.items[0]);
  };
  switch (v.kind) {
    case GRAPH_TENSOR:
      return "tensor(" + ElementTypeText(v.tensor.type()) + ")";
    case GRAPH_SEQUENCE:
      return "seq(" + item() + ")";
    case GRAPH_OPTIONAL:
      return "optional(" + item() + ")";
    case GRAPH_MAP:
      return "map(" + ElementTypeText(v.items[0].tensor.type()) + ", " +
             (v.items[1].kind == GRAPH_TENSOR ? ElementTypeText(v.items[1].tensor.type())
                                              : TypeText(v.items[1])) +
             ")";
    default:
      return "";
  }
}

Parts PartsOf(Domain& d, const std::map<std::string, int32_t>& types) {
  const OperatorVersion& op = d.operator_version();
  Parts parts;
  for (const auto& [name, value] : d.attributes()) parts.attributes.push_back(name);
  for (const auto& [variable, type] : types)
    if (type != 0) parts.types[variable] = "tensor(" + ElementTypeText(type) + ")";
  for (size_t i = 0; i < d.inputs().size(); ++i) {
    const Domain::Input& input = d.inputs()[i];
    if (!input.present) continue;
    if (parts.inputs.empty() || parts.inputs.back() != input.name) parts.inputs.push_back(input.name);
    const std::string& variable = op.inputs[std::min(i, op.inputs.size() - 1)].type;
    if (op.variables.count(variable) != 0) parts.types[variable] = TypeText(input.value);
  }
  for (size_t i = 0; i < op.outputs.size(); ++i)
    if (d.outputs().has_value() ? i < d.outputs()->size() && (*d.outputs())[i]
                                : op.outputs[i].option != Formal::kOptional || i == 0)
      parts.outputs.push_back(op.outputs[i].name);
  return parts;
}

class Generator {
 public:
  Generator(const OperatorVersion& op, const DomainEntry& entry, Level level)
      : op_(op), entry_(entry), level_(level), plain_(PlainTypes(op)) {}

  std::vector<Case> Run() {
    AddChoice(kInputs);
    AddChoice(kDims);
    Add(plain_, {}, Level::kSmoke);
    for (const auto& [variable, allowed] : op_.variables)
      for (const std::string& t : allowed)
        if (const int32_t element = ElementTypeOf(t); element != 0 && element != plain_.at(variable)) {
          auto types = plain_;
          types[variable] = element;
          if (!Add(types, {}, Level::kDefault)) AddWithOthers(types, variable);
        }
    // Choices that others bring are appended while this goes on.
    for (size_t i = 0; i < choices_.size(); ++i)
      for (size_t k = 1; k < choices_[i].options.size(); ++k) {
        const std::string name = choices_[i].name, option = choices_[i].options[k];
        Choices chosen = parents_[i];
        chosen[name] = option;
        Add(plain_, chosen, Level::kDefault);
      }
    OtherKinds();
    Pairs();
    if (op_.newest)
      for (const auto& [circumstance, option] :
           {std::pair("~size", "large"), {"~size", "many"}, {"~magnitude", "large"}})
        Add(plain_, {{circumstance, option}}, Level::kDefault);
    // The largest cost seconds each, and much to make: of the most used at the default level. So many strings
    // would be minutes and gigabytes of allocating them one by one.
    const bool most_used = op_.name == "Add" || op_.name == "Relu";
    const bool strings = std::any_of(plain_.begin(), plain_.end(), [](const auto& t) {
      return t.second == ElementTypeOf("tensor(string)");
    });
    if (op_.newest && !strings && level_ >= (most_used ? Level::kDefault : Level::kFull))
      Add(plain_, {{"~size", "huge"}}, level_);
    return std::move(cases_);
  }

 private:
  // A type that needs another variable to be of the same type, or to be another than its plain one.
  void AddWithOthers(const std::map<std::string, int32_t>& types, const std::string& variable) {
    auto same = types;
    for (auto& [other, element] : same)
      if (other != variable)
        for (const std::string& t : op_.variables.at(other))
          if (ElementTypeOf(t) == types.at(variable)) element = types.at(variable);
    if (same != types && Add(same, {}, Level::kDefault)) return;
    for (const auto& [other, allowed] : op_.variables)
      for (const std::string& t : allowed)
        if (const int32_t element = ElementTypeOf(t); other != variable && element != 0) {
          auto tried = types;
          tried[other] = element;
          if (Add(tried, {}, Level::kDefault)) return;
        }
  }

  void AddChoice(const Domain::Choice& choice, const Choices& parent = {}) {
    for (const Domain::Choice& c : choices_)
      if (c.name == choice.name) return;
    choices_.push_back(choice);
    parents_.push_back(parent);
  }

  // Whether there is such a case. Learns the choices that it brings.
  bool Add(const std::map<std::string, int32_t>& types, const Choices& chosen, Level level) {
    Case c{IdOf(op_, types, chosen), &op_, types, chosen, level};
    if (!ids_.insert(c.id).second) return false;
    try {
      Domain d(op_, types, chosen, 0, 0);
      if (chosen.count("~size") != 0) d.LeaveOutData();
      entry_.make(d);
      std::set<std::string> known = {"~inputs", "~dims"};
      for (const Domain::Choice& choice : d.choices()) {
        known.insert(choice.name);
        AddChoice({choice.name, choice.options, 0}, chosen);
      }
      for (const auto& [name, option] : chosen)
        if (!known.count(name) && !d.heeds(name + "=" + option))
          return false;  // a choice that is not made here
      c.parts = PartsOf(d, types);
      if (chosen.count("~dims") || chosen.count("~inputs")) Build(c);
    } catch (const Rejected&) {
      return false;
    }
    cases_.push_back(std::move(c));
    return true;
  }

  // Sequences, optionals and maps that a type variable allows: for each, the first choice that makes such a
  // value.
  void OtherKinds() {
    std::set<std::string> made;
    for (const Case& c : cases_)
      for (const auto& [variable, type] : c.parts.types) made.insert(variable + " " + type);
    for (const auto& [variable, allowed] : op_.variables)
      for (const std::string& type : allowed) {
        if (ElementTypeOf(type) != 0 || made.count(variable + " " + type) != 0) continue;
        // The innermost tensor's element type, for every variable that may have it.
        const size_t begin = type.rfind('('), end = type.find(')', begin);
        const int32_t element = ElementTypeOf("tensor" + type.substr(begin, end + 1 - begin));
        auto types = plain_;
        for (auto& [other, t] : types)
          for (const std::string& may : op_.variables.at(other))
            if (element != 0 && ElementTypeOf(may) == element) t = element;
        AddThatHas(variable, type, types);
      }
  }

  void AddThatHas(const std::string& variable, const std::string& type,
                  const std::map<std::string, int32_t>& types) {
    for (size_t i = 0; i < choices_.size(); ++i)
      for (const std::string& option : choices_[i].options) {
        Choices chosen = parents_[i];
        if (option != choices_[i].options[0]) chosen[choices_[i].name] = option;
        try {
          Domain d(op_, types, chosen, 0, 0);
          entry_.make(d);
          const Parts parts = PartsOf(d, types);
          const auto at = parts.types.find(variable);
          if (at != parts.types.end() && at->second == type && Add(types, chosen, Level::kDefault)) return;
        } catch (const Rejected&) {
        }
      }
  }

  void Pairs() {
    const size_t limit = op_.newest ? (level_ == Level::kFull ? kPairsFull : kPairs)
                                    : (level_ == Level::kFull ? kOldPairsFull : kOldPairs);
    // At the full level the default one's come first, and are the same.
    Random random(Hash(op_.Label()));
    std::set<std::string> covered;
    size_t added = 0;
    for (size_t attempt = 0; attempt < limit * 8 && added < limit; ++attempt) {
      Choices chosen;
      for (const Domain::Choice& c : choices_) {
        const uint64_t k = random.Below(c.options.size());
        // Half of them stay plain, so that big things do not always come together.
        if (random.Below(2) == 0 && k != 0) chosen[c.name] = c.options[k];
      }
      auto types = plain_;
      for (auto& [variable, element] : types) {
        const auto& allowed = op_.variables.at(variable);
        if (allowed.empty() || random.Below(4) != 0) continue;
        if (const int32_t t = ElementTypeOf(allowed[random.Below(allowed.size())]); t != 0) element = t;
      }
      std::vector<std::string> options;
      for (const auto& [name, option] : chosen) options.push_back(name + "=" + option);
      for (const auto& [variable, element] : types)
        if (element != plain_.at(variable)) options.push_back(variable + "=" + std::to_string(element));
      std::vector<std::string> fresh;
      for (size_t i = 0; i < options.size(); ++i)
        for (size_t k = i + 1; k < options.size(); ++k) {
          std::string pair = options[i] + "&" + options[k];
          if (!covered.count(pair)) fresh.push_back(std::move(pair));
        }
      if (fresh.empty()) continue;
      if (!Add(types, chosen, added < (op_.newest ? kPairs : kOldPairs) ? Level::kDefault : Level::kFull))
        continue;
      covered.insert(fresh.begin(), fresh.end());
      ++added;
    }
  }

  const OperatorVersion& op_;
  const DomainEntry& entry_;
  const Level level_;
  const std::map<std::string, int32_t> plain_;
  std::vector<Domain::Choice> choices_;
  std::vector<Choices> parents_;  // what must be chosen for the choice to be there
  std::set<std::string> ids_;
  std::vector<Case> cases_;
};

// Whether its data, not its plain type, is of int64.
bool HasLongIntegers(const Case& c) {
  const auto plain = PlainTypes(*c.op);
  for (const auto& [variable, type] : c.types)
    if (type == reference::kInt64 && plain.at(variable) != type) return true;
  return false;
}

// Shapes as options tell them ("4x257"), or as broadcasts are called.
bool HasTail(const std::string& option) {
  for (const char* text : {"257", "1025", "tail"})
    if (option.find(text) != std::string::npos) return true;
  return false;
}

}  // namespace

std::vector<Case> Generate(const OperatorVersion& op, Level level) {
  const DomainEntry* entry = FindDomain(op.domain, op.name);
  if (entry == nullptr || op.deprecated) return {};
  std::vector<Case> all = Generator(op, *entry, level).Run();
  // Of the newest versions a few are the smoke level's, of others none: the plain case, one of int64 and one
  // beyond 256 elements, without which 32-bit integers and unwritten tails go unseen, and some others.
  constexpr size_t kSmokeCases = 4;
  size_t smoke = 0;
  bool long_integers = false, tail = false;
  for (Case& c : all) {
    bool chosen = Hash(c.id) % 16 == 0 && smoke < kSmokeCases;
    if (c.choices.empty()) {
      const bool first = !long_integers && HasLongIntegers(c);
      chosen = c.types == PlainTypes(op) || first;
      long_integers |= first;
    } else if (!tail && c.choices.size() == 1 && HasTail(c.choices.begin()->second)) {
      chosen = tail = true;
    }
    c.level = op.newest && chosen ? Level::kSmoke : std::max(c.level, Level::kDefault);
    if (c.level == Level::kSmoke) ++smoke;
  }
  std::erase_if(all, [&](const Case& c) { return c.level > level; });
  return all;
}

std::vector<Case> GenerateAll(Level level) {
  std::vector<Case> all;
  for (const OperatorVersion& op : AllOperatorVersions()) {
    std::vector<Case> some = Generate(op, level);
    std::move(some.begin(), some.end(), std::back_inserter(all));
  }
  return all;
}

Case CaseOf(const std::string& id) {
  const auto bad = [&](const std::string& why) {
    return std::runtime_error("'" + id + "' is no case: " + why);
  };
  const size_t slash = id.find('/'), end = id.find('/', slash + 1), dash = id.rfind('-', end);
  if (slash == std::string::npos || end == std::string::npos || dash == std::string::npos || dash < slash)
    throw bad("it is not DOMAIN/OPERATOR-VERSION/CHOICES");
  Case c;
  c.id = id;
  const std::string domain = id.substr(0, slash);
  c.op = FindOperatorVersion(domain == "ai.onnx" ? "" : domain, id.substr(slash + 1, dash - slash - 1),
                             std::atoi(id.c_str() + dash + 1));
  if (c.op == nullptr) throw bad("there is no such operator and version");
  c.types = PlainTypes(*c.op);
  std::string rest = id.substr(end + 1);
  if (rest == "plain") return c;
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size()), equals = rest.find('=');
    if (equals == std::string::npos || equals > comma) throw bad("'" + rest + "' is not NAME=OPTION");
    const std::string name = rest.substr(0, equals), option = rest.substr(equals + 1, comma - equals - 1);
    if (const auto variable = c.types.find(name); variable != c.types.end()) {
      variable->second = ElementTypeOf("tensor(" + option + ")");
      if (variable->second == 0) throw bad("'" + option + "' is no element type");
    } else {
      c.choices[name] = option;
    }
    rest.erase(0, std::min(comma + 1, rest.size()));
  }
  return c;
}

}  // namespace braid::conformance
