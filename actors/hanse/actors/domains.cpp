// See the header.
#include "hanse/actors/domains.hpp"

#include "hanse/actors/domain_engine.hpp"
#include "hanse/actors/internal/ask.hpp"
#include "hanse/actors/internal/change_signal.hpp"

namespace hanse {

using internal::ask;

std::vector<protocol_id> domain_node_protocols() {
  return {join_protocol(), domain_advert_protocol(), domain_protocol()};
}

expected<std::unique_ptr<node_domains>> node_domains::start(node& n, domain_options options) {
  const auto core = n.core();
  auto machine = std::make_shared<domain_machine>(*core->key, std::move(options.protocols), options.machine);
  const auto complain = [&](std::string_view event, const error& why) {
    core->services->log(log_level::error, event, {{"reason", to_string(why)}});
  };
  for (const auto table : domain_tables) {
    HANSE_TRY(auto records, ask<std::vector<record>>(*core, core->store, load_atom_v, std::string{table}));
    for (auto& r : records)
      if (auto done = machine->node.restore(table, r.key, r.value); !done)
        complain("domain_not_restored", done.error());
  }
  for (auto& r : machine->node.reports()) {
    const auto file = machine->node.key_file(r.domain);
    if (file.empty()) continue;
    auto keys = load_psk_file(file);
    if (keys)
      (void)machine->node.set_keys(r.domain, *std::move(keys));
    else
      complain("psk_file_unreadable", {keys.error().code, file + ": " + to_string(keys.error())});
  }
  auto changes = std::make_shared<internal::change_signal>();
  machine->changes = changes;
  auto actor = caf::actor_cast<domain_actor>(
      n.system().spawn<domain_engine_actor::stateful_impl<domain_engine>>(core, std::move(machine)));
  const auto service = caf::actor_cast<service_actor>(actor);
  for (const auto& p : domain_node_protocols()) HANSE_CHECK(n.register_service(p.name, service));
  return std::unique_ptr<node_domains>{new node_domains{core, std::move(actor), std::move(changes)}};
}

expected<unit> node_domains::enter(enrolment e) {
  if (!e.key_file.empty() && e.keys.empty()) {
    HANSE_TRY(e.keys, load_psk_file(e.key_file));
  }
  // The operator gave this advert: its addresses are taken as those of a pasted ticket, but not of other instances.
  auto near = e.advert.value.introducers;
  const auto* instance = find_instance(e.advert.value, e.instance);
  if (instance) near.insert(near.end(), instance->introducers.begin(), instance->introducers.end());
  std::vector<bytes> adverts;
  for (auto& i : near)
    if (i.node != core_->services->self) adverts.push_back(std::move(i.advert));
  if (!adverts.empty())
    HANSE_CHECK(ask<std::uint64_t>(*core_, core_->identities, learn_atom_v, identity{}, std::move(adverts)));
  return ask<unit>(*core_, actor_, enter_atom_v, std::move(e));
}

expected<unit> node_domains::leave(const identity& domain) {
  return ask<unit>(*core_, actor_, leave_atom_v, domain);
}

expected<unit> node_domains::publish(const signed_domain_advert& advert) {
  return ask<unit>(*core_, actor_, publish_atom_v, std::vector<bytes>{advert.wire});
}

expected<unit> node_domains::expel(const identity& domain, const identity& member) {
  return ask<unit>(*core_, actor_, expel_atom_v, domain, member);
}

expected<unit> node_domains::promote(const identity& domain, const identity& member, member_level level) {
  return ask<unit>(*core_, actor_, promote_atom_v, domain, member, std::uint8_t{level});
}

expected<unit> node_domains::put(const identity& domain, std::string key, bytes value) {
  return ask<unit>(*core_, actor_, put_atom_v, domain, std::move(key), std::vector<bytes>{std::move(value)});
}

expected<unit> node_domains::assume_current(const identity& domain) {
  return ask<unit>(*core_, actor_, assume_atom_v, domain);
}

expected<checkpoint_proposal> node_domains::propose_checkpoint(const identity& domain) {
  const auto engine = caf::actor_cast<domain_engine_actor>(actor_);
  HANSE_TRY(auto parts, ask<std::vector<bytes>>(*core_, engine, draw_atom_v, domain));
  if (parts.size() != 2) return errc::internal;
  HANSE_TRY(auto request, decode_checkpoint_request(parts[0]));
  return checkpoint_proposal{std::move(request), std::move(parts[1])};
}

expected<unit> node_domains::checkpoint(const identity& domain, const checkpoint_request& request,
                                        const message_signature& signature, std::uint32_t replicas) {
  const auto engine = caf::actor_cast<domain_engine_actor>(actor_);
  return ask<unit>(*core_, engine, keep_atom_v, domain, std::vector<bytes>{encode(request), encode(signature)},
                   replicas);
}

expected<signed_domain_advert> node_domains::find(const identity& domain) {
  HANSE_TRY(const auto wires, ask<std::vector<bytes>>(*core_, actor_, find_atom_v, domain));
  if (wires.empty()) return errc::not_found;
  return decode_domain_advert(wires.front());
}

expected<std::vector<domain_report>> node_domains::reports() {
  return ask<std::vector<domain_report>>(*core_, actor_, list_atom_v);
}

expected<domain_report> node_domains::report(const identity& domain) {
  HANSE_TRY(auto all, reports());
  for (auto& r : all)
    if (r.domain == domain) return std::move(r);
  return error{errc::not_found, "that domain is not known here; `hanse domain find` asks other nodes"};
}

expected<std::vector<domain_member>> node_domains::members(const identity& domain) {
  return ask<std::vector<domain_member>>(*core_, actor_, list_atom_v, domain);
}

expected<lace_drawing> node_domains::drawing(const identity& domain, std::size_t blocks_max) {
  return ask<lace_drawing>(*core_, actor_, draw_atom_v, domain, static_cast<std::uint64_t>(blocks_max));
}

expected<domain_report> node_domains::await(const identity& domain,
                                            const std::function<bool(const domain_report&)>& done,
                                            std::uint32_t timeout_ms) {
  expected<domain_report> last = errc::not_found;
  if (changes_->wait(timeout_ms, [&] { return !(last = report(domain)) || done(*last); })) return last;
  return error{errc::timed_out, "this node is " + std::string{to_string(last->role)} + ", and sees " +
                                    std::to_string(last->members) + " members"};
}

expected<unit> node_domains::await_members(const identity& domain, std::size_t members, std::uint32_t timeout_ms) {
  error refused;
  HANSE_CHECK(await(
      domain,
      [&](const domain_report& r) {
        if (r.role != domain_role::member && r.role != domain_role::joining) refused = r.why;
        return refused.code != errc::none || (r.role == domain_role::member && r.members >= members);
      },
      timeout_ms));
  return refused.code == errc::none ? ok() : expected<unit>{refused};
}

void node_domains::subscribe(const domain_listener_actor& listener) {
  compat::anon_send(actor_, watch_atom_v, caf::actor_cast<caf::strong_actor_ptr>(listener));
}

} // namespace hanse
