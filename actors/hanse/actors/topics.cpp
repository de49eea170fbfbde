// See the header.
#include "hanse/actors/topics.hpp"

#include "hanse/actors/internal/ask.hpp"
#include "hanse/actors/internal/change_signal.hpp"
#include "hanse/actors/topic_engine.hpp"

#include <algorithm>

namespace hanse {

using internal::ask;

namespace {

std::uint64_t number_of(byte_view octets) {
  std::uint64_t n = 0;
  for (const auto b : octets.first(std::min<std::size_t>(octets.size(), 8))) n = n << 8 | std::to_integer<unsigned>(b);
  return n;
}

bytes octets_of(std::uint64_t n) {
  bytes octets;
  for (int shift = 56; shift >= 0; shift -= 8) octets.push_back(static_cast<std::byte>(n >> shift));
  return octets;
}

/// Epochs of this life are above those of all earlier ones, whatever the clock says.
expected<std::uint64_t> begin_life(const node_core& core) {
  HANSE_TRY(const auto before, ask<std::vector<record>>(core, core.store, load_atom_v, std::string{topic_life_table}));
  auto life = core.services->now_us();
  if (!before.empty()) life = std::max(life, number_of(before.front().value) + topic_epochs_max);
  std::vector<record> now;
  now.push_back({std::string{topic_life_table}, to_bytes("life"), octets_of(life)});
  HANSE_CHECK(ask<unit>(core, core.store, write_atom_v, std::move(now)));
  return life;
}

} // namespace

std::vector<protocol_id> topic_node_protocols() {
  return {{std::string{topics_protocol_name}, 1, 0}};
}

expected<std::unique_ptr<node_topics>> node_topics::start(node& n, node_domains& domains, topic_options options) {
  const auto core = n.core();
  topic_memory memory;
  HANSE_TRY(memory.life, begin_life(*core));
  HANSE_TRY(auto adverts, ask<std::vector<record>>(*core, core->store, load_atom_v, std::string{topic_advert_table}));
  for (auto& r : adverts) memory.adverts.push_back(std::move(r.value));
  HANSE_TRY(const auto kept, ask<std::vector<record>>(*core, core->store, load_atom_v, std::string{topic_kept_table}));
  for (const auto& r : kept)
    if (const auto topic = identity::decode(r.key)) memory.kept.push_back(*topic);
  HANSE_TRY(memory.archives,
            ask<std::vector<record>>(*core, core->store, load_atom_v, std::string{topic_archive_table}));
  auto machine = std::make_shared<topic_machine>(n.id(), std::move(options.dissemination), options.machine);
  auto changes = std::make_shared<internal::change_signal>();
  machine->changes = changes;
  auto actor = caf::actor_cast<topic_actor>(n.system().spawn<topic_actor::stateful_impl<topic_engine>>(
      core, domains.handle(), options.blocks ? options.blocks->handle() : block_actor{}, std::move(machine),
      std::move(memory)));
  HANSE_CHECK(n.register_service(std::string{topics_protocol_name}, caf::actor_cast<service_actor>(actor)));
  domains.subscribe(caf::actor_cast<domain_listener_actor>(actor));
  return std::unique_ptr<node_topics>{new node_topics{core, std::move(actor), std::move(changes)}};
}

node_topics::~node_topics() {
  internal::end(*core_, actor_);
}

expected<unit> node_topics::add(const signed_topic_advert& advert) {
  return ask<unit>(*core_, actor_, learn_atom_v, std::vector<bytes>{advert.wire});
}

expected<unit> node_topics::publish(const identity& topic, shared_bytes body, const identity& source, event_mode mode) {
  return ask<unit>(*core_, actor_, publish_atom_v, topic_publication{topic, source, std::move(body), mode});
}

expected<topic_subscription> node_topics::watch(topic_wish wish) {
  return ask<std::uint64_t>(*core_, actor_, watch_atom_v, std::move(wish));
}

expected<topic_subscription> node_topics::listen(const identity& topic, const topic_listener_actor& listener,
                                                 std::uint32_t history) {
  return watch({topic, {}, {}, history, caf::actor_cast<caf::strong_actor_ptr>(listener)});
}

expected<topic_subscription> node_topics::listen_tag(const identity& domain, std::string tag,
                                                     const topic_listener_actor& listener, std::uint32_t history) {
  return watch({{}, domain, std::move(tag), history, caf::actor_cast<caf::strong_actor_ptr>(listener)});
}

expected<topic_subscription> node_topics::open(const identity& topic, std::uint32_t history) {
  return watch({topic, {}, {}, history, nullptr});
}

expected<topic_subscription> node_topics::open_tag(const identity& domain, std::string tag, std::uint32_t history) {
  return watch({{}, domain, std::move(tag), history, nullptr});
}

expected<topic_fetch> node_topics::fetch(topic_subscription s, std::uint32_t count, std::uint32_t wait_ms) {
  return ask<topic_fetch>(*core_, actor_, find_atom_v, s, count, std::min<std::uint32_t>(wait_ms, 20'000));
}

void node_topics::unsubscribe(topic_subscription s) {
  compat::anon_send(actor_, remove_atom_v, s);
}

expected<unit> node_topics::keep(const identity& topic, bool wanted) {
  return ask<unit>(*core_, actor_, keep_atom_v, topic, wanted);
}

expected<unit> node_topics::inject(const identity& topic, std::uint32_t count) {
  return ask<unit>(*core_, actor_, inject_atom_v, topic, count);
}

expected<topic_report> node_topics::await(const identity& topic, const std::function<bool(const topic_report&)>& done,
                                          std::uint32_t timeout_ms) {
  expected<topic_report> last = errc::not_found;
  if (changes_->wait(timeout_ms, [&] { return (last = report(topic)) && done(*last); }) || !last) return last;
  return error{errc::timed_out, "the topic has not become what was waited for"};
}

expected<unit> node_topics::await_joined(const identity& topic, std::uint32_t timeout_ms) {
  error missing;
  const auto joined = await(
      topic,
      [&](const topic_report& r) {
        if (r.why.code != errc::none)
          missing = r.why;
        else if (!r.in_domain)
          missing = {errc::timed_out, "this node is no member of the topic's domain"};
        else if (!r.info.here)
          missing = {errc::timed_out, "nobody here subscribes, and the topic is not kept"};
        else
          missing = {errc::timed_out, "no node of the topic has answered"};
        return r.info.joined && r.in_domain;
      },
      timeout_ms);
  if (joined) return ok();
  return joined.code() == errc::timed_out ? missing : joined.error();
}

expected<std::vector<topic_report>> node_topics::reports() {
  return ask<std::vector<topic_report>>(*core_, actor_, list_atom_v);
}

expected<topic_report> node_topics::report(const identity& topic) {
  HANSE_TRY(auto all, reports());
  for (auto& r : all)
    if (r.info.advert.value.topic == topic) return std::move(r);
  return error{errc::not_found, "no topic of that identity is known here"};
}

} // namespace hanse
