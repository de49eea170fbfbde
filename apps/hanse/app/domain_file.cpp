// Reads and writes domain files.
// Checked when read, signatures included: whoever edits a signed file is told so.
#include "hanse/app/domain_file.hpp"

#include "hanse/app/object_reader.hpp"
#include "hanse/crypto/signature_collection.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace hanse::app {
namespace {

using json = nlohmann::ordered_json;

struct kind_of_protocol {
  const char* name;
  stack_protocol protocol_stack::*member;
};
constexpr std::array<kind_of_protocol, 3> kinds{{{"membership", &protocol_stack::membership},
                                                 {"dissemination", &protocol_stack::dissemination},
                                                 {"storage", &protocol_stack::storage}}};

/// The name of a member, and the rest of `text` after the separator.
expected<stack_protocol*> cut_kind(protocol_stack& stack, std::string_view& text, char separator) {
  const auto at = text.find(separator);
  for (const auto& k : kinds) {
    if (at == text.npos || text.substr(0, at) != k.name) continue;
    text.remove_prefix(at + 1);
    return &(stack.*k.member);
  }
  return error{errc::bad_value, std::string{text} + ": begins with none of membership, dissemination and storage"};
}

void read_protocol(object_reader& in, const std::string& key, const std::string& text, stack_protocol& out) {
  auto id = parse_protocol_id(text);
  if (!id) return in.problem(key, "expected a protocol like \"full-mesh/1\": " + to_string(id.error()));
  if (*id != out.id) out.parameters.clear(); // those were another protocol's
  out.id = *std::move(id);
}

/// Values are texts; numbers and booleans are taken as they are written.
void read_parameters(object_reader& in, stack_protocol& out) {
  in.object("parameters", [&](object_reader& p) {
    out.parameters.clear();
    for (const auto& key : p.keys()) {
      const auto& value = *p.find(key);
      if (value.is_string())
        out.parameters[key] = value.get<std::string>();
      else if (value.is_number_integer() || value.is_boolean())
        out.parameters[key] = value.dump();
      else
        p.problem(key, "expected a text, a whole number, true or false, found " + describe(value));
    }
  });
}

void read_stack(object_reader& in, const std::string& key, protocol_stack& out) {
  in.object(key, [&](object_reader& s) {
    for (const auto& k : kinds) {
      auto& protocol = out.*k.member;
      const auto* value = s.find(k.name);
      if (!value) continue;
      if (value->is_string()) {
        read_protocol(s, k.name, value->get<std::string>(), protocol);
        continue;
      }
      s.object(k.name, [&](object_reader& p) {
        if (p.has("protocol")) read_protocol(p, "protocol", p.text("protocol"), protocol);
        p.find("protocol");
        read_parameters(p, protocol);
      });
    }
  });
}

void read_introducers(object_reader& in, std::vector<introducer>& out) {
  if (!in.has("introducers")) return void(in.find("introducers"));
  out.clear();
  const auto tickets = in.texts("introducers");
  for (std::size_t i = 0; i < tickets.size(); ++i) {
    if (auto advert = parse_ticket(tickets[i]))
      out.push_back(make_introducer(*advert));
    else
      in.problem("introducers[" + std::to_string(i) + "]",
                 "expected a ticket as `hanse node status` prints it: " + to_string(advert.error()));
  }
}

void read_instances(object_reader& in, domain_config& c) {
  if (in.has("instances")) c.instances.clear();
  in.each("instances", [&](object_reader& i) {
    domain_instance instance;
    instance.name = i.required_text("name");
    if (i.has("protocols")) {
      instance.stack = c.stack; // what is not named is the domain's
      read_stack(i, "protocols", *instance.stack);
    }
    i.find("protocols");
    read_introducers(i, instance.introducers);
    c.instances.push_back(std::move(instance));
  });
  std::ranges::sort(c.instances, {}, &domain_instance::name);
}

void read_settings(object_reader& in, domain_config& c) {
  c.name = in.text("name", c.name);
  c.version = in.number("version", 1, wire_number_max, c.version);
  if (in.has("auth")) c.auth = *parse_auth_mechanism(in.choice("auth", {"none", "psk"}));
  in.find("auth");
  c.join_level = static_cast<member_level>(in.number("join_level", level_introducer + 1, level_lowest, c.join_level));
  read_stack(in, "protocols", c.stack);
  read_introducers(in, c.introducers);
  in.object("permissions", [&](object_reader& p) {
    for (std::size_t i = 0; i < domain_actions; ++i) {
      auto& level = c.permissions.level_max[i];
      level = static_cast<member_level>(
          p.number(std::string{to_string(static_cast<domain_action>(i))}, level_owner, level_lowest, level));
    }
  });
  c.own_stacks = in.flag("own_stacks", c.own_stacks);
  read_instances(in, c);
}

void read_groups(object_reader& in, composite_table& groups) {
  in.each("groups", [&](object_reader& g) {
    const auto threshold = g.number("threshold", 1, composite_leaves_max * std::uint64_t{composite_weight_max}, 1);
    std::vector<composite_member> members;
    g.each("members", [&](object_reader& m) {
      const auto weight = m.number("weight", 1, composite_weight_max, 1);
      if (auto id = identity::parse(m.required_text("identity")))
        members.push_back({*id, static_cast<std::uint32_t>(weight)});
      else
        m.problem("identity", "expected hk1… or hg1…: " + to_string(id.error()));
    });
    if (auto descriptor = make_composite(static_cast<std::uint32_t>(threshold), std::move(members)))
      groups.emplace(identity_of(*descriptor), *descriptor);
    else
      g.problem("", "no group: " + to_string(descriptor.error()));
  });
}

std::vector<member_signature> read_signatures(object_reader& in) {
  std::vector<member_signature> parts;
  in.each("signatures", [&](object_reader& s) {
    const auto signer = identity::parse(s.required_text("signer"));
    const auto octets = from_hex(s.required_text("signature"));
    if (!signer || !octets || octets->size() != std::tuple_size_v<signature_octets>)
      return s.problem("", "expected \"signer\": \"hk1…\" and \"signature\": 128 hexadecimal digits");
    member_signature part{*signer, {}};
    std::ranges::copy(*octets, part.signature.begin());
    parts.push_back(part);
  });
  return parts;
}

json json_of(const protocol_stack& stack) {
  json all = json::object();
  for (const auto& k : kinds) {
    const auto& p = stack.*k.member;
    all[k.name]["protocol"] = to_string(p.id);
    all[k.name]["parameters"] = json::object();
    for (const auto& [key, value] : p.parameters) all[k.name]["parameters"][key] = value;
  }
  return all;
}

json json_of(const std::vector<introducer>& list) {
  json tickets = json::array();
  for (const auto& i : list) tickets.push_back(to_ticket(signed_node_advert{{}, i.advert})); // of its octets alone
  return tickets;
}

json json_of(const composite_descriptor& group) {
  json g;
  g["threshold"] = group.threshold;
  for (const auto& m : group.members) g["members"].push_back({{"identity", to_string(m.member)}, {"weight", m.weight}});
  return g;
}

} // namespace

expected<unit> set_protocol(protocol_stack& stack, std::string_view text) {
  HANSE_TRY(auto* protocol, cut_kind(stack, text, '='));
  HANSE_TRY(protocol->id, parse_protocol_id(text));
  return ok();
}

expected<unit> set_parameter(protocol_stack& stack, std::string_view text) {
  HANSE_TRY(auto* protocol, cut_kind(stack, text, '.'));
  const auto at = text.find('=');
  if (at == text.npos) return error{errc::bad_value, std::string{text} + ": expected KEY=VALUE"};
  protocol->parameters.insert_or_assign(std::string{text.substr(0, at)}, std::string{text.substr(at + 1)});
  return ok();
}

expected<domain_config> parse_domain_settings(std::string_view text, const std::filesystem::path& file,
                                              const domain_config& base) {
  HANSE_TRY(auto document, json_document::parse(text, file));
  problem_list problems{document};
  object_reader in{problems, document.root(), ""};
  auto config = base;
  read_settings(in, config);
  in.finish();
  if (!problems.empty()) return problems.to_error();
  return config;
}

expected<domain_file> parse_domain_file(std::string_view text, const std::filesystem::path& file) {
  HANSE_TRY(auto document, json_document::parse(text, file));
  problem_list problems{document};
  object_reader in{problems, document.root(), ""};
  domain_file domain;
  const auto owner = identity::parse(in.required_text("domain"));
  if (owner)
    domain.config.domain = *owner;
  else
    in.problem("domain", "expected the identity of its owner, hk1… or hg1…: " + to_string(owner.error()));
  in.require("version", "a whole number");
  read_settings(in, domain.config);
  read_groups(in, domain.groups);
  const auto parts = read_signatures(in);
  in.finish();
  if (!problems.empty()) return problems.to_error();
  if (auto checked = check(domain.config); !checked)
    return error{errc::bad_config, file.string() + ": " + to_string(checked.error())};
  if (domain.config.domain.kind() == identity_kind::composite) {
    if (auto nested = check_nesting(domain.config.domain, domain.groups); !nested)
      return error{errc::bad_config, file.string() + ": groups: " + to_string(nested.error()) +
                                         "; expected the group behind the domain and those within it"};
  }
  for (const auto& part : parts) {
    if (auto added = add_signature(domain, part); !added)
      return error{added.error().code,
                   file.string() + ": signature of " + to_short_string(part.signer) + ": " + added.error().detail};
  }
  return domain;
}

std::string encode_domain_file(const domain_file& domain) {
  const auto& c = domain.config;
  json file;
  file["domain"] = to_string(c.domain);
  file["version"] = c.version;
  file["name"] = c.name;
  file["auth"] = to_string(c.auth);
  file["join_level"] = c.join_level;
  file["protocols"] = json_of(c.stack);
  file["introducers"] = json_of(c.introducers);
  for (std::size_t i = 0; i < domain_actions; ++i)
    file["permissions"][std::string{to_string(static_cast<domain_action>(i))}] = c.permissions.level_max[i];
  file["own_stacks"] = c.own_stacks;
  file["instances"] = json::array();
  for (const auto& i : c.instances) {
    json instance{{"name", i.name}, {"introducers", json_of(i.introducers)}};
    if (i.stack) instance["protocols"] = json_of(*i.stack);
    file["instances"].push_back(std::move(instance));
  }
  file["groups"] = json::array();
  for (const auto& [id, group] : domain.groups) file["groups"].push_back(json_of(group));
  file["signatures"] = json::array();
  for (const auto& part : domain.signatures)
    file["signatures"].push_back({{"signer", to_string(part.signer)}, {"signature", to_hex(part.signature)}});
  return file.dump(2) + "\n";
}

expected<unit> add_signature(domain_file& domain, const member_signature& part) {
  const auto signers = signers_for(domain.config.domain, domain.groups);
  if (!std::ranges::binary_search(signers, part.signer))
    return error{errc::wrong_signer, to_string(part.signer) + " does not sign for this domain"};
  if (!verify_member(part, domain.config.domain, hash_to_sign(domain.config)))
    return error{errc::bad_signature, "it is of another text: the file was changed after it was signed"};
  const auto at = std::ranges::lower_bound(domain.signatures, part.signer, {}, &member_signature::signer);
  if (at != domain.signatures.end() && at->signer == part.signer)
    return error{errc::already_exists, to_string(part.signer) + " has signed it already"};
  domain.signatures.insert(at, part);
  return ok();
}

expected<signed_domain_advert> complete(const domain_file& domain) {
  const auto& c = domain.config;
  if (domain.signatures.empty()) return errc::threshold_not_met;
  if (c.domain.kind() == identity_kind::individual)
    return attach(c, message_signature{domain.signatures.front().signature});
  HANSE_TRY(auto signature, compose(c.domain, domain.groups, hash_to_sign(c), domain.signatures));
  return attach(c, message_signature{std::move(signature)});
}

} // namespace hanse::app
