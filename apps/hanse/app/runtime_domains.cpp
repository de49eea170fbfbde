// The domains of the program's node: those of its configuration, and what `hanse domain …` asks of it.
#include "hanse/app/domain_text.hpp"
#include "hanse/app/lace_picture.hpp"
#include "hanse/app/runtime_backend.hpp"

#include <nlohmann/json.hpp>

namespace hanse::app {

using nlohmann::json;

namespace {

json json_of(const stack_protocol& p) {
  return {{"protocol", to_string(p.id)}, {"parameters", p.parameters}};
}

json json_of(const error& e) {
  if (e.code == errc::none) return nullptr;
  return {{"code", to_string(e.code)}, {"detail", e.detail}};
}

json json_of(const join_report& j) {
  auto tries = json::array();
  for (const auto& t : j.tries) tries.push_back({{"introducer", to_string(t.introducer)}, {"why", to_string(t.why)}});
  return {{"asks", j.introducer ? json(to_string(j.introducer)) : json(nullptr)},
          {"round", j.round},
          {"again_at", j.pause_until},
          {"tries", tries}};
}

json json_of(const checkpoint_status& c) {
  return {{"version", c.version},
          {"archived", c.archived},
          {"covered", c.covered},
          {"dropped", c.dropped},
          {"archives_named", c.archives_named},
          {"archives_taken", c.archives_taken},
          {"archives_failed", c.archives_failed}};
}

json json_of(const domain_report& r) {
  return {{"domain", to_string(r.domain)},
          {"name", r.name},
          {"version", r.version},
          {"role", to_string(r.role)},
          {"why", json_of(r.why)},
          {"instance", r.instance},
          {"auth", to_string(r.auth)},
          {"level", r.level == level_none ? json(nullptr) : json(r.level)},
          {"introduces", r.introduces},
          {"may_write", r.may_write},
          {"members", r.members},
          {"introducers", identities(r.introducers)},
          {"byzantine", identities(r.byzantine)},
          {"blocks", r.blocks},
          {"pending", r.pending},
          {"state", r.members == 0 ? json(nullptr) : json(to_hex(r.state.view()))},
          {"checkpoint", json_of(r.checkpoint)},
          {"protocols",
           {{"membership", json_of(r.stack.membership)},
            {"dissemination", json_of(r.stack.dissemination)},
            {"storage", json_of(r.stack.storage)}}},
          {"join", r.join ? json_of(*r.join) : json(nullptr)}};
}

} // namespace

expected<enrolment> runtime_backend::read_enrolment(const std::string& advert, const std::string& key_file,
                                                    const std::string& instance) const {
  enrolment e;
  HANSE_TRY(e.advert, read_domain_advert(advert));
  e.key_file = key_file;
  e.instance = instance;
  return e;
}

expected<unit> runtime_backend::start_domains() {
  domain_options options;
  options.machine.gossip = config_.gossip_domains;
  HANSE_TRY(domains_, node_domains::start(*node_, std::move(options)));
  for (const auto& d : config_.domains) {
    auto wanted = read_enrolment(d.advert, d.psk_file.string(), d.instance);
    if (!wanted)
      return error{errc::bad_config, "domains: " + d.advert.substr(0, 64) + ": " + to_string(wanted.error())};
    const auto domain = wanted->advert.value.domain;
    auto entered = domains_->enter(*std::move(wanted));
    if (entered || entered.code() == errc::already_exists) continue;
    return error{errc::bad_config, "domain " + to_string(domain) + ": " + to_string(entered.error())};
  }
  return ok();
}

/// An identity, or the name that the owner gave the domain, if there is only one of that name.
expected<identity> runtime_backend::resolve_domain(const std::string& text) {
  if (is_identity_text(text)) return identity::parse(text);
  HANSE_TRY(const auto all, domains_->reports());
  std::vector<std::pair<std::string, identity>> known;
  for (const auto& r : all) known.emplace_back(r.name, r.domain);
  return one_called(text, known, "domain", "hanse domain status");
}

control_result runtime_backend::domain_status(const domain_request& request) {
  HANSE_TRY(const auto all, domains_->reports());
  std::optional<identity> one;
  if (!request.domain.empty()) {
    HANSE_TRY(one, resolve_domain(request.domain));
  }
  auto list = json::array();
  for (const auto& r : all)
    if (!one || r.domain == *one) list.push_back(json_of(r));
  if (one && list.empty())
    return error{errc::not_found, "that domain is not known here; `hanse domain find` asks other nodes"};
  return json{{"domains", list}};
}

control_result runtime_backend::domain_members(const identity& domain) {
  HANSE_TRY(const auto members, domains_->members(domain));
  auto list = json::array();
  for (const auto& m : members)
    list.push_back({{"identity", to_string(m.view.member)},
                    {"name", name_of(m.view.member)},
                    {"level", m.view.level},
                    {"since_ms", m.view.since_ms},
                    {"online", m.online},
                    {"last_seen_ms", m.last_seen_ms ? json(*m.last_seen_ms) : json(nullptr)},
                    {"byzantine", m.is_byzantine}});
  if (list.empty()) return error{errc::not_found, "this node is not in that domain; enter it with `hanse domain join`"};
  return json{{"domain", to_string(domain)}, {"now_ms", node_->services().now_ms()}, {"members", list}};
}

control_result runtime_backend::domain_graph(const identity& domain, std::uint32_t blocks) {
  HANSE_TRY(const auto drawing, domains_->drawing(domain, blocks));
  HANSE_TRY(auto members, domain_members(domain));
  auto lace = json_of(drawing, [this](const identity& id) { return name_of(id); });
  std::string name;
  if (auto r = domains_->report(domain)) name = r->name;
  lace.update({{"domain", to_string(domain)}, {"name", name}, {"members", members.at("members")}});
  return lace;
}

/// Without a signature: what the owner should sign, whose archive is kept here by then. With one: writes it.
control_result runtime_backend::domain_checkpoint(const identity& domain, const domain_request& request) {
  if (!request.request.empty()) {
    HANSE_TRY(const auto wire, from_hex(request.request));
    HANSE_TRY(const auto signed_request, decode_checkpoint_request(wire));
    HANSE_TRY(const auto octets, from_hex(request.signature));
    HANSE_TRY(const auto signature, decode_message_signature(octets));
    HANSE_CHECK(domains_->checkpoint(domain, signed_request, signature, request.replicas));
    HANSE_TRY(const auto now, domains_->report(domain));
    return json{{"domain", to_string(domain)}, {"done", "checkpoint"}, {"checkpoint", json_of(now.checkpoint)}};
  }
  HANSE_TRY(auto proposal, domains_->propose_checkpoint(domain));
  json no_archive = "the history is over " + std::to_string(archive_octets_max >> 20) + " MiB";
  if (!proposal.archive.empty()) {
    // Here for ever: dropped payloads are nowhere else, and who joins needs them until there is another checkpoint.
    const auto kept = blocks_->put({.domain = domain}, proposal.archive);
    no_archive = kept ? json(nullptr) : json(to_string(kept.error()));
    if (kept) proposal.request.archive = encode(kept->content);
  }
  return json{{"domain", to_string(domain)},
              {"version", proposal.request.version},
              {"blocks", proposal.request.blocks},
              {"state", to_hex(proposal.request.state.view())},
              {"archive_octets", proposal.archive.size()},
              {"no_archive", no_archive},
              {"request", to_hex(encode(proposal.request))}};
}

/// To the domain, if this node is in it; an introducer that is not founds an instance; others keep it to answer with.
control_result runtime_backend::publish_domain(const domain_request& request) {
  HANSE_TRY(auto wanted, read_enrolment(request.advert, request.key_file, {}));
  const auto domain = wanted.advert.value.domain;
  const auto introducers = introducers_of(wanted.advert.value);
  const bool introduces = std::ranges::find(introducers, node_->id(), &introducer::node) != introducers.end();
  const auto known = domains_->report(domain);
  const bool is_in = known && known->role == domain_role::member;
  if (introduces && !is_in) {
    HANSE_CHECK(domains_->enter(std::move(wanted)));
  } else {
    const auto advert = wanted.advert;
    if (!request.key_file.empty()) HANSE_CHECK(domains_->enter(std::move(wanted)));
    auto published = domains_->publish(advert);
    if (!published && !(published.code() == errc::already_exists && published.error().detail.empty()))
      return published.error();
  }
  domain_request one;
  one.domain = to_string(domain);
  HANSE_TRY(const auto status, domain_status(one));
  return status.at("domains").at(0);
}

control_result runtime_backend::domain(const domain_request& request) {
  lock guard{stopping_};
  HANSE_CHECK(running());
  if (request.action == "status") return domain_status(request);
  if (request.action == "publish") return publish_domain(request);
  if (request.action == "enter") {
    HANSE_TRY(auto wanted, read_enrolment(request.advert, request.key_file, request.instance));
    const auto id = wanted.advert.value.domain;
    HANSE_CHECK(domains_->enter(std::move(wanted)));
    domain_request one;
    one.domain = to_string(id);
    HANSE_TRY(const auto status, domain_status(one));
    return status.at("domains").at(0);
  }
  HANSE_TRY(const auto id, resolve_domain(request.domain));
  if (request.action == "members") return domain_members(id);
  if (request.action == "graph") return domain_graph(id, request.blocks);
  if (request.action == "checkpoint") return domain_checkpoint(id, request);
  if (request.action == "find") {
    HANSE_TRY(const auto advert, domains_->find(id));
    return json{{"domain", to_string(id)},
                {"name", advert.value.name},
                {"version", advert.value.version},
                {"ticket", to_ticket(advert)}};
  }
  if (request.action == "leave") HANSE_CHECK(domains_->leave(id));
  if (request.action == "assume_current") HANSE_CHECK(domains_->assume_current(id));
  if (request.action == "put") HANSE_CHECK(domains_->put(id, request.key, to_bytes(request.value)));
  if (request.action == "expel" || request.action == "promote") {
    HANSE_TRY(const auto member, resolve(request.member));
    if (request.action == "expel") HANSE_CHECK(domains_->expel(id, member));
    if (request.action == "promote") HANSE_CHECK(domains_->promote(id, member, request.level));
  }
  return json{{"domain", to_string(id)}, {"done", request.action}};
}

} // namespace hanse::app
