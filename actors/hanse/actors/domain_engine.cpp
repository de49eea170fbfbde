// See the header.
#include "hanse/actors/domain_engine.hpp"

#include "hanse/actors/errors.hpp"
#include "hanse/actors/internal/change_signal.hpp"
#include "hanse/actors/internal/reputation.hpp"
#include "hanse/actors/service.hpp"
#include "hanse/domains/domain_channels.hpp"

namespace hanse {

domain_engine::domain_engine(pointer self, std::shared_ptr<node_core> core, std::shared_ptr<domain_machine> machine)
    : self_(self), core_(std::move(core)), machine_(std::move(machine)) {
  compat::ignore_stray_errors(self_);
}

template <class Act>
caf::result<void> domain_engine::act(Act&& act) {
  domain_effects out;
  auto done = act(out);
  perform(std::move(out));
  if (!done) return to_caf(done.error());
  return caf::unit;
}

domain_engine_actor::behavior_type domain_engine::make_behavior() {
  compat::send(self_, domain_engine_actor{self_}, tick_atom_v);
  return {
      [this](std::vector<inbound>& messages) {
        domain_effects out;
        for (auto& in : messages) receive(in, out);
        perform(std::move(out));
      },
      [this](link_up_atom, const identity& peer) { link_up(peer); },
      [this](link_down_atom, const identity& peer) { node().link_down(peer, now()); },
      [this](stop_atom) { self_->quit(); },
      [this](enter_atom, enrolment& e) {
        return act([&](auto& out) { return node().enter(std::move(e), now(), out); });
      },
      [this](leave_atom, const identity& domain) {
        return act([&](auto& out) { return node().leave(domain, now(), out); });
      },
      [this](publish_atom, const std::vector<bytes>& adverts) {
        return act([&](auto& out) -> expected<unit> {
          for (auto& wire : adverts) {
            HANSE_TRY(auto advert, decode_domain_advert(wire));
            HANSE_CHECK(node().publish(std::move(advert), now(), out));
          }
          return ok();
        });
      },
      [this](expel_atom, const identity& domain, const identity& member) {
        return act([&](auto& out) { return node().expel(domain, member, now(), out); });
      },
      [this](promote_atom, const identity& domain, const identity& member, std::uint8_t level) {
        return act([&](auto& out) { return node().promote(domain, member, level, now(), out); });
      },
      [this](put_atom, const identity& domain, std::string& key, std::vector<bytes>& values) {
        return act([&](auto& out) -> expected<unit> {
          if (values.size() != 1) return error{errc::bad_value, "one value"};
          return node().put(domain, std::move(key), std::move(values.front()), now(), out);
        });
      },
      [this](assume_atom, const identity& domain) {
        return act([&](auto& out) { return node().assume_current(domain, now(), out); });
      },
      [this](secret_atom, const identity& domain) -> caf::result<std::vector<bytes>> {
        const auto secret = node().convergence(domain);
        if (!secret) return to_caf(secret.error());
        return std::vector<bytes>{to_bytes(byte_view{*secret})};
      },
      [this](find_atom, const identity& domain) { return find(domain); },
      [this](list_atom) { return node().reports(); },
      [this](list_atom, const identity& domain) { return node().members(domain); },
      [this](draw_atom, const identity& domain, std::uint64_t blocks) -> caf::result<lace_drawing> {
        const auto* membership = node().membership(domain);
        if (!membership) return to_caf(error{errc::not_found, "this node is not in that domain"});
        return membership->drawing(blocks);
      },
      [this](watch_atom, const caf::strong_actor_ptr& listener) {
        std::erase_if(listeners_, [](auto& l) { return !l.lock(); });
        if (listener && listeners_.size() < domain_listeners_max)
          listeners_.push_back(caf::actor_cast<caf::weak_actor_ptr>(listener));
      },
      [this](retry_atom, const identity& domain) { // the time of a find is over
        auto i = finds_.find(domain);
        if (i == finds_.end()) return;
        auto waiting = std::move(i->second);
        finds_.erase(i);
        for (auto& p : waiting) p.deliver(to_caf(error{errc::not_found, "no node that was asked knows the domain"}));
      },
      [this](draw_atom, const identity& domain) { return propose(domain); },
      [this](keep_atom, const identity& domain, const std::vector<bytes>& signed_request, std::uint32_t replicas) {
        return checkpoint(domain, signed_request, replicas);
      },
      [this](register_atom, const caf::strong_actor_ptr& blocks) {
        blocks_ = caf::actor_cast<caf::weak_actor_ptr>(blocks);
        node().take_archives(blocks != nullptr);
      },
      [this](retry_atom, const identity& domain, bool) { fetch_archive(domain); },
      [this](tick_atom) {
        if (!timer_.came(now())) return;
        domain_effects out;
        if (!std::exchange(started_, true)) node().start(now(), out);
        node().tick(now(), out);
        perform(std::move(out));
      },
  };
}

void domain_engine::receive(const inbound& in, domain_effects& out) {
  const auto which = channel_of(in.message.protocol);
  if (!which || !in.peer || in.message.source != in.peer) return core_->services->counters.drop(errc::bad_type);
  static const join_channel none{};
  const auto& channel = in.channel ? *in.channel : none;
  if (*which == domain_channel::join && !in.channel) return core_->services->counters.drop(errc::link_closed);
  const auto done = node().receive(in.peer, *which, channel, in.message.body.view(), now(), out);
  if (done) return;
  core_->services->counters.drop(done.code());
  core_->services->log(log_level::debug, "domain_body_refused",
                       {{"peer", to_short_string(in.peer)}, {"reason", to_string(done.error())}});
}

/// The peer's advert first, since it may join at once; then the link.
void domain_engine::link_up(const identity& peer) {
  domain_effects out;
  node().link_up(peer, now(), out);
  perform(std::move(out));
  compat::request(self_, core_->identities, caf::infinite, adverts_atom_v, peer)
      .then(
          [this, peer](std::vector<bytes>& adverts) {
            if (!adverts.empty()) node().node_advert(peer, std::move(adverts.front()));
          },
          [](const caf::error&) {});
}

caf::result<std::vector<bytes>> domain_engine::find(const identity& domain) {
  domain_effects out;
  auto promise = self_->make_response_promise<std::vector<bytes>>();
  finds_[domain].push_back(promise);
  auto asked = node().find(domain, now(), out);
  perform(std::move(out)); // may find it at once
  if (!asked && finds_.erase(domain) != 0) promise.deliver(to_caf(asked.error()));
  compat::delayed_send_to_self(self_, std::chrono::milliseconds{domain_find_ms}, retry_atom_v, domain);
  return promise;
}

void domain_engine::found(const identity& domain) {
  auto i = finds_.find(domain);
  const auto* advert = node().advert(domain);
  if (i == finds_.end() || !advert) return;
  auto waiting = std::move(i->second);
  finds_.erase(i);
  for (auto& p : waiting) p.deliver(std::vector<bytes>{advert->wire});
}

void domain_engine::write(domain_write w) {
  std::vector<record> records;
  for (auto& kv : w.writes)
    records.push_back({std::string{w.table}, std::move(kv.key), kv.value ? std::move(*kv.value) : bytes{}});
  compat::request(self_, core_->store, caf::infinite, write_atom_v, std::move(records))
      .then(
          [this, domain = w.domain, token = w.token] {
            if (token == 0) return;
            domain_effects out;
            node().persisted(domain, token, now(), out);
            perform(std::move(out));
          },
          [](const caf::error&) {}); // the store stops the node
}

void domain_engine::perform(domain_effects effects) {
  std::vector<post> posts;
  for (auto& effect : effects) {
    if (auto* m = std::get_if<domain_message>(&effect)) {
      posts.push_back(note_to(core_->services->self, m->to, protocol_of_channel(m->which),
                              shared_bytes{std::move(m->body)}, domain_ttl_ms));
    } else if (auto* w = std::get_if<domain_write>(&effect)) {
      write(std::move(*w));
    } else if (auto* r = std::get_if<domain_reach>(&effect)) {
      // As told by that node: the domain's owner, or a member, vouches for no address.
      compat::anon_send(core_->identities, learn_atom_v, r->node, std::vector<bytes>{std::move(r->advert)});
    } else if (auto* v = std::get_if<domain_view>(&effect)) {
      compat::anon_send(core_->identities, domain_atom_v, std::move(v->members));
    } else if (auto* c = std::get_if<domain_change>(&effect)) {
      tell(c->domain, [&](const auto& l) { compat::send(self_, l, *c); });
    } else if (auto* role = std::get_if<domain_role_changed>(&effect)) {
      core_->services->log(log_level::info, "domain_role",
                           {{"domain", to_short_string(role->domain)},
                            {"role", std::string{to_string(role->role)}},
                            {"why", role->why.code == errc::none ? "" : to_string(role->why)}});
      tell(role->domain, [&](const auto& l) { compat::send(self_, l, *role); });
    } else if (auto* f = std::get_if<domain_found>(&effect)) {
      found(f->domain);
    } else if (auto* a = std::get_if<domain_archive>(&effect)) {
      want_archive(*a);
    } else {
      log(std::get<domain_event>(effect));
    }
  }
  if (!posts.empty()) compat::send(self_, core_->router, std::move(posts));
  schedule();
}

void domain_engine::tell(const identity&, const std::function<void(const domain_listener_actor&)>& say) {
  for (auto& weak : listeners_)
    if (auto strong = weak.lock()) say(caf::actor_cast<domain_listener_actor>(strong));
  machine_->changes->raise();
}

void domain_engine::log(const domain_event& e) {
  if (e.name == "equivocator")
    internal::note_reputation(self_, core_->identities, e.node, reputation_event::proven_bad);
  if (e.why.code != errc::none) core_->services->counters.drop(e.why.code);
  core_->services->log(e.name == "equivocator" ? log_level::warning : log_level::info, e.name,
                       {{"domain", to_short_string(e.domain)},
                        {"node", to_short_string(e.node)},
                        {"reason", e.why.code == errc::none ? "" : to_string(e.why)}});
}

void domain_engine::schedule() {
  const auto next = node().next_timer();
  if (const auto in_ms = timer_.set(next, now()))
    compat::delayed_send_to_self(self_, std::chrono::milliseconds{*in_ms}, tick_atom_v);
}

} // namespace hanse
