// A node's domains: entering and leaving, operations, restarts. See the header; what comes in is in
// domain_node_receive.cpp, what it tells of itself in domain_node_report.cpp.
#include "hanse/domains/domain_node.hpp"

#include "hanse/domains/internal/domain_entry.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::uint64_t role_format = 1;

std::optional<domain_terms> judge_advert(const identity& domain, byte_view octets) {
  const auto advert = decode_domain_advert(octets);
  if (!advert || advert->value.domain != domain) return std::nullopt;
  domain_terms t{advert->value.version, {}, advert->value.permissions};
  for (const auto& i : introducers_of(advert->value)) t.introducers.push_back(i.node);
  return t;
}

bool introduces(const domain_config& config, const identity& node) {
  return std::ranges::any_of(introducers_of(config), [&](const introducer& i) { return i.node == node; });
}

/// The named instance whose introducer `node` is; empty if it is none or the domain's.
std::string instance_of(const domain_config& config, const identity& node) {
  for (const auto& i : config.instances)
    if (std::ranges::find(i.introducers, node, &introducer::node) != i.introducers.end()) return i.name;
  return {};
}

} // namespace

domain_node::domain_node(const key_pair& own, random_source& random, domain_protocols protocols,
                         domain_node_config config)
    : own_(own), self_(own.identity()), random_(random), protocols_(std::move(protocols)), config_(config),
      adverts_(config.adverts), introducer_(self_, random, config.introducer),
      requester_(self_, random, config.requester), gossip_bodies_(config.gossip_bodies) {}

domain_node::~domain_node() = default;

domain_node::entry* domain_node::find_entry(const identity& domain) const {
  const auto i = entries_.find(domain);
  return i == entries_.end() ? nullptr : i->second.get();
}

domain_node::entry* domain_node::find_active(const identity& domain) const {
  auto* e = find_entry(domain);
  return e && e->is_active() ? e : nullptr;
}

expected<domain_node::entry*> domain_node::make_entry(const identity& domain) {
  if (auto* known = find_entry(domain)) return known;
  if (entries_.size() >= config_.domains_max) return errc::table_full;
  auto e = std::make_unique<entry>();
  e->domain = domain;
  return entries_.emplace(domain, std::move(e)).first->second.get();
}

/// `is_new`: this node has written nothing in the domain.
expected<std::unique_ptr<membership_protocol>> domain_node::make_membership(const identity& domain,
                                                                            const protocol_stack& stack, bool is_new) {
  const auto judge = [domain](byte_view octets) { return judge_advert(domain, octets); };
  return protocols_.open(stack, {domain, own_, judge, random_, is_new});
}

expected<unit> domain_node::open_membership(entry& e, bool is_new) {
  if (e.membership) return ok();
  const auto* a = adverts_.find(e.domain);
  HANSE_TRY(e.membership, make_membership(e.domain, a ? stack_of(a->value, e.instance) : protocol_stack{}, is_new));
  e.membership->take_archives(takes_archives_);
  return ok();
}

// --- restarts ---

/// Pairs may come in any order, but for the adverts: the stack they name opens the memberships.
expected<unit> domain_node::restore(std::string_view table, byte_view key, byte_view value) {
  if (table == domain_table) return adverts_.restore(key, value);
  if (key.size() < identity::size_bytes) return error{errc::bad_value, "key"};
  HANSE_TRY(const auto domain, identity::decode(key.first(identity::size_bytes)));
  if (table != domain_role_table && table != lace_table) return error{errc::not_found, "table"};
  HANSE_TRY(auto* e, make_entry(domain));
  if (table == lace_table) {
    HANSE_CHECK(open_membership(*e, false));
    return e->membership->restore(key, value);
  }
  msgpack_reader in{value};
  in.array_exactly(4);
  if (in.unsigned_integer() != role_format) in.fail(errc::bad_version);
  const auto role = in.unsigned_integer(static_cast<std::uint8_t>(domain_role::expelled));
  auto instance = std::string{in.text(domain_name_size_max)};
  auto key_file = std::string{in.text(4096)};
  HANSE_CHECK(in.finish());
  e->role = static_cast<domain_role>(role);
  e->instance = std::move(instance);
  e->key_file = std::move(key_file);
  return ok();
}

void domain_node::keep_role(const entry& e, domain_effects& out) const {
  msgpack_writer w;
  w.array(4);
  w.unsigned_integer(role_format);
  w.unsigned_integer(static_cast<std::uint8_t>(e.role));
  w.text(e.instance);
  w.text(std::string_view{e.key_file}.substr(0, 4096));
  out.push_back(domain_write{domain_role_table, {{to_bytes(e.domain.wire()), std::move(w).take()}}, {}, 0});
}

void domain_node::set_role(entry& e, domain_role role, error why, domain_effects& out) {
  e.role = role;
  e.why = why;
  keep_role(e, out);
  out.push_back(domain_role_changed{e.domain, role, std::move(why)});
  view(e, out);
}

void domain_node::start(time_ms now, domain_effects& out) {
  started_ = true;
  gossip_at_ = now + random_.below(config_.gossip_ms + 1);
  for (auto& [domain, e] : entries_) {
    if (!adverts_.find(domain)) continue; // a role without its advert: the operator gives it again
    if (e->role == domain_role::member || e->role == domain_role::leaving) {
      e->leaves_at = now + config_.leave_ms;
      if (auto opened = open_membership(*e, true); !opened) {
        e->why = opened.error();
        out.push_back(domain_event{"domain_refused", domain, {}, opened.error()});
        continue;
      }
      activate(*e, now, out);
    } else if (e->role == domain_role::joining) {
      if (auto asked = ask_in(*e, false, now, out); !asked) set_role(*e, domain_role::outside, asked.error(), out);
    }
  }
}

expected<unit> domain_node::set_keys(const identity& domain, psk_list keys) {
  auto* e = find_entry(domain);
  if (!e) return errc::not_found;
  e->keys = std::move(keys);
  if (e->is_active()) serve(*e);
  return ok();
}

// --- in ---

/// The lattice lives from here on: contacts, introducing, the router's view.
void domain_node::activate(entry& e, time_ms now, domain_effects& out) {
  membership_effects effects;
  if (!e.started) {
    e.started = true;
    e.membership->start(now, effects);
  }
  const auto& config = adverts_.find(e.domain)->value;
  for (const auto& i : introducers_of(config))
    if (i.node != self_) e.membership->add_contact(i.node);
  reach_introducers(e, out);
  for (const auto& n : links_) e.membership->peer_up(n, now, effects);
  take(e, std::move(effects), now, out);
  serve(e);
  configure(e, now, out);
  view(e, out);
}

/// Those of the own instance and of the domain as a whole. Other instances are met by a link, not called.
void domain_node::reach_introducers(const entry& e, domain_effects& out) const {
  const auto& config = adverts_.find(e.domain)->value;
  auto near = config.introducers;
  if (const auto* i = find_instance(config, e.instance))
    near.insert(near.end(), i->introducers.begin(), i->introducers.end());
  for (const auto& i : near)
    if (i.node != self_) out.push_back(domain_reach{i.node, i.advert});
}

void domain_node::serve(entry& e) {
  const auto level = e.membership->level_of(self_);
  const auto* advert = adverts_.find(e.domain);
  if (!advert || level == level_none || e.role != domain_role::member) return introducer_.stop(e.domain);
  // Nodes that are not advertised are not asked; serving anyway costs nothing and outlives a rotation.
  (void)introducer_.serve({*advert, e.keys, level});
}

/// Writes the advert into the lattice, if it is not there and this node is to do it.
void domain_node::configure(entry& e, time_ms now, domain_effects& out) {
  const auto* advert = adverts_.find(e.domain);
  if (!e.is_active() || !advert || !e.membership->may_write()) return;
  if (advert->value.version <= e.membership->advert_version()) return;
  if (!e.publishes && !introduces(advert->value, self_)) return;
  membership_effects effects;
  const auto written = e.membership->configure(advert->wire, now, effects);
  if (!written) out.push_back(domain_event{"configure_refused", e.domain, self_, written.error()});
  e.publishes = false;
  take(e, std::move(effects), now, out);
}

expected<unit> domain_node::ask_in(entry& e, bool leaving, time_ms now, domain_effects& out) {
  requester_effects effects;
  auto started = requester_.start({*adverts_.find(e.domain), e.keys, e.instance, leaving}, now, effects);
  take(std::move(effects), now, out);
  return started;
}

expected<unit> domain_node::enter(enrolment wanted, time_ms now, domain_effects& out) {
  const auto domain = wanted.advert.value.domain;
  const auto& config = wanted.advert.value;
  HANSE_CHECK(make_membership(domain, stack_of(config, wanted.instance), true));
  if (config.auth == auth_mechanism::psk && wanted.keys.empty())
    return error{errc::bad_proof, "the domain asks for a pre-shared key: name its file with --psk-file"};
  if (!wanted.instance.empty() && !find_instance(config, wanted.instance))
    return error{errc::not_found, "the domain names no instance " + wanted.instance};
  HANSE_TRY(auto* e, make_entry(domain));
  if (e->role == domain_role::joining || e->role == domain_role::leaving)
    return error{errc::already_exists, "this node is " + std::string{to_string(e->role)} + " already"};
  domain_store_effects stored;
  const auto put = adverts_.put(std::move(wanted.advert), domain_origin::kept, stored);
  take(std::move(stored), now, out);
  if (!put && put.code() != errc::already_exists && !(put.code() == errc::stale && e->role == domain_role::member))
    return put;
  e->keys = std::move(wanted.keys);
  e->key_file = std::move(wanted.key_file);
  if (e->role == domain_role::member) {
    keep_role(*e, out);
    if (e->is_active()) serve(*e);
    return ok();
  }
  e->instance = std::move(wanted.instance);
  e->refused_by.clear();
  const auto& latest = adverts_.find(domain)->value;
  const bool founds = introduces(latest, self_) && !e->membership;
  if (founds) {
    if (e->instance.empty()) e->instance = instance_of(latest, self_);
    HANSE_CHECK(open_membership(*e, true));
    set_role(*e, domain_role::member, {}, out);
    activate(*e, now, out);
    return ok();
  }
  e->asks_again_at = e->asks_again_ms = 0;
  HANSE_CHECK(ask_in(*e, false, now, out));
  set_role(*e, domain_role::joining, {}, out);
  return ok();
}

// --- out, and operations ---

void domain_node::depart(entry& e, error why, domain_effects& out) {
  introducer_.stop(e.domain);
  e.waiting.clear();
  set_role(e, why.code == errc::none ? domain_role::outside : domain_role::expelled, std::move(why), out);
}

expected<unit> domain_node::leave(const identity& domain, time_ms now, domain_effects& out) {
  auto* e = find_entry(domain);
  if (!e || e->role == domain_role::outside) return error{errc::not_found, "this node is not in that domain"};
  if (e->role == domain_role::joining) {
    requester_.cancel(domain);
    e->asks_again_at = 0;
    depart(*e, {}, out);
    return ok();
  }
  if (e->role == domain_role::leaving) return ok();
  if (!e->is_active() || e->role == domain_role::expelled || !e->membership->is_member(self_)) {
    depart(*e, {}, out);
    return ok();
  }
  membership_effects effects;
  const auto written = e->membership->withdraw(self_, now, effects);
  if (!written) HANSE_CHECK(ask_in(*e, true, now, out)); // an introducer can write it for us
  introducer_.stop(domain);
  e->leaves_at = now + config_.leave_ms;
  set_role(*e, domain_role::leaving, {}, out);
  take(*e, std::move(effects), now, out);
  return ok();
}

expected<unit> domain_node::publish(signed_domain_advert advert, time_ms now, domain_effects& out) {
  const auto domain = advert.value.domain;
  auto* e = find_entry(domain);
  if (e) HANSE_CHECK(make_membership(domain, stack_of(advert.value, e->instance), true));
  domain_store_effects stored;
  if (e) e->publishes = true;
  auto put = adverts_.put(std::move(advert), domain_origin::kept, stored);
  if (!put && e) e->publishes = false;
  take(std::move(stored), now, out);
  return put;
}

expected<unit> domain_node::expel(const identity& domain, const identity& member, time_ms now, domain_effects& out) {
  auto* e = find_active(domain);
  if (!e) return error{errc::not_found, "this node is not in that domain"};
  if (!e->membership->is_member(member)) return error{errc::not_found, "no member: " + to_string(member)};
  membership_effects effects;
  const auto written = e->membership->expel(member, now, effects);
  take(*e, std::move(effects), now, out);
  if (!written) return written.error();
  // It hears of it now; else not before it speaks next, which may take as long as an idle comparison.
  out.push_back(domain_message{member, domain_channel::domain, encode(membership_refusal{domain})});
  return ok();
}

expected<unit> domain_node::promote(const identity& domain, const identity& member, member_level level, time_ms now,
                                    domain_effects& out) {
  auto* e = find_active(domain);
  if (!e) return error{errc::not_found, "this node is not in that domain"};
  bytes value;
  for (auto& m : e->membership->members())
    if (m.view.member == member) value = std::move(m.view.value);
  if (value.empty())
    if (const auto known = node_adverts_.find(member); known != node_adverts_.end()) value = known->second;
  membership_effects effects;
  const auto written = e->membership->admit(member, level, std::move(value), now, effects);
  take(*e, std::move(effects), now, out);
  if (!written) return written.error();
  return ok();
}

expected<unit> domain_node::put(const identity& domain, std::string key, bytes value, time_ms now,
                                domain_effects& out) {
  auto* e = find_active(domain);
  if (!e) return error{errc::not_found, "this node is not in that domain"};
  membership_effects effects;
  const auto written = e->membership->put(std::move(key), std::move(value), now, effects);
  take(*e, std::move(effects), now, out);
  if (!written) return written.error();
  return ok();
}

expected<checkpoint_proposal> domain_node::propose_checkpoint(const identity& domain) const {
  const auto* e = find_active(domain);
  if (!e) return error{errc::not_found, "this node is not in that domain"};
  if (!e->membership->may_write())
    return error{errc::in_doubt, "other members have not confirmed this node's newest block yet"};
  return e->membership->propose_checkpoint();
}

expected<unit> domain_node::checkpoint(const identity& domain, const checkpoint_request& request,
                                       const message_signature& signature, time_ms now, domain_effects& out) {
  auto* e = find_active(domain);
  if (!e) return error{errc::not_found, "this node is not in that domain"};
  membership_effects effects;
  auto written = e->membership->checkpoint(request, signature, now, effects);
  take(*e, std::move(effects), now, out);
  return written;
}

void domain_node::take_archives(bool can) {
  takes_archives_ = can;
  for (auto& [domain, e] : entries_)
    if (e->membership) e->membership->take_archives(can);
}

void domain_node::archive_came(const identity& domain, std::optional<shared_bytes> octets, time_ms now,
                               domain_effects& out) {
  auto* e = find_active(domain);
  if (!e) return;
  membership_effects effects;
  e->membership->archive_came(std::move(octets), now, effects);
  take(*e, std::move(effects), now, out);
}

expected<unit> domain_node::assume_current(const identity& domain, time_ms now, domain_effects& out) {
  auto* e = find_active(domain);
  if (!e) return error{errc::not_found, "this node is not in that domain"};
  membership_effects effects;
  e->membership->assume_current(now, effects);
  take(*e, std::move(effects), now, out);
  configure(*e, now, out);
  return ok();
}

} // namespace hanse
