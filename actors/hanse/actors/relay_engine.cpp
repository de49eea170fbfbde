// See relay_engine.hpp.
#include "hanse/actors/relay_engine.hpp"

#include "hanse/actors/errors.hpp"
#include "hanse/actors/internal/carried.hpp"
#include "hanse/actors/service.hpp"
#include "hanse/protocols/codec.hpp"

namespace hanse {

namespace {

/// Nothing is to be said beside that it was taken.
bytes taken_body() {
  msgpack_writer out;
  out.array(0);
  return std::move(out).take();
}

digest digest_of(const std::vector<bytes>& adverts) {
  return blake2b_256(encode_adverts(adverts));
}

std::uint32_t left_of(time_ms expires, time_ms now) {
  return expires > now ? static_cast<std::uint32_t>(std::min<time_ms>(expires - now, ttl_max_ms)) : 1;
}

} // namespace

const protocol_id& relay_protocol() {
  static const protocol_id id{std::string{relay_protocol_name}, 1, 0};
  return id;
}

relay_engine::relay_engine(pointer self, std::shared_ptr<node_core> core, relay_config config, message_id floor)
    : self_(self), core_(std::move(core)), machine_(*core_->key, config, core_->services->random()), floor_(floor) {
  compat::ignore_stray_errors(self_);
}

relay_actor::behavior_type relay_engine::make_behavior() {
  return {
      [this](std::vector<inbound>& messages) {
        for (auto& in : messages) receive(in);
        flush();
      },
      [](link_up_atom, const identity&) {},
      [](link_down_atom, const identity&) {},
      [this](stop_atom) { self_->quit(); },
      [this](const identity& to, const way& by, std::vector<outbound>& messages) { send(to, by, std::move(messages)); },
      [this](std::vector<answer>& answers) {
        for (auto& a : answers) answered(a);
        flush();
      },
      [](flush_atom) {},
      [](stop_atom, const caf::error&) {},
  };
}

/// The recipient may never have heard of us: our adverts go along, until it has acknowledged them.
void relay_engine::send(const identity& to, const way& by, std::vector<outbound> messages) {
  auto shared = std::make_shared<std::vector<outbound>>(std::move(messages));
  compat::request(self_, core_->identities, caf::infinite, adverts_atom_v, true)
      .then(
          [this, to, by, shared](std::vector<bytes>& adverts) {
            send_with(to, by, std::move(*shared), std::move(adverts));
            flush();
          },
          [](const caf::error&) { /* the node stops */ });
}

void relay_engine::send_with(const identity& to, const way& by, std::vector<outbound> messages,
                             std::vector<bytes> adverts) {
  const auto fingerprint = digest_of(adverts);
  if (const auto told = told_.find(to);
      told != told_.end() && told->second.first == fingerprint && now() < told->second.second + relay_tell_again_ms)
    adverts.clear();
  const auto refuse = [this](outbound m, error why) {
    std::vector<outbound> one;
    one.push_back(std::move(m));
    give_back(std::move(one), why);
  };
  for (auto& p : internal::seal_all(std::move(messages), relay_payload_max, now(), core_->services->random(), refuse)) {
    if (open_.size() >= relay_open_max) {
      give_back(std::move(p.messages), {errc::queue_full, "relayed messages under way"});
      continue;
    }
    const auto life = left_of(p.expires_ms, now());
    auto wrapped = machine_.send(to, by.relays, p.octets, now(), life, adverts);
    if (!wrapped) {
      give_back(std::move(p.messages), wrapped.error());
      continue;
    }
    core_->services->counters.bundles_sent.inc();
    post_to(wrapped->to, shared_bytes{std::move(wrapped->body)}, life,
            {wrapped->to, std::nullopt, std::move(p.messages), to, fingerprint, !adverts.empty()});
  }
}

void relay_engine::give_back(std::vector<outbound> messages, const error& why) {
  compat::send(self_, core_->router, unsent_atom_v, std::move(messages), why);
}

void relay_engine::receive(inbound& in) {
  const auto& m = in.message;
  if (!in.peer || m.source != in.peer) return core_->services->counters.drop(errc::wrong_signer);
  if (m.protocol.major != relay_protocol().major)
    return reply(m, {errc::unsupported_version, "this node speaks " + to_string(relay_protocol())});
  std::vector<relay_effect> effects;
  machine_.receive(in.peer, m.body.view(), now(), effects);
  for (auto& effect : effects) {
    if (auto* next = std::get_if<peer_message>(&effect)) {
      forward(m, std::move(*next));
    } else if (auto* here = std::get_if<relay_deliver>(&effect)) {
      deliver(m, here->content);
    } else {
      const auto& why = std::get<relay_refused>(effect).why;
      core_->services->counters.drop(why.code);
      core_->services->log(log_level::info, "relay_refused",
                           {{"from", to_short_string(in.peer)}, {"reason", to_string(why)}});
      reply(m, why);
    }
  }
}

void relay_engine::forward(const envelope& request, peer_message m) {
  if (open_.size() >= relay_open_max) {
    core_->services->counters.drop(errc::queue_full);
    return reply(request, {errc::queue_full, "relayed messages under way"});
  }
  auto without_body = request;
  without_body.body = {};
  const auto ttl = std::min(left_of(request.expires_ms(), now()), relay_patience_ms);
  core_->services->counters.relayed.inc();
  post_to(m.to, shared_bytes{std::move(m.body)}, ttl, {m.to, std::move(without_body), {}, {}, {}, false});
}

/// An ordinary message of its sender from now on: the router checks host, time and replay.
void relay_engine::deliver(const envelope& request, const bundle& content) {
  auto about = std::make_shared<envelope>(request);
  about->body = {};
  auto here = std::make_shared<bundle>(content);
  const auto refuse = [this, about, here](const error& why) {
    core_->services->log(log_level::warning, "payload_refused",
                         {{"peer", to_short_string(here->sender)}, {"reason", to_string(why)}});
    core_->services->counters.drop(why.code);
    reply(*about, why);
    flush();
  };
  const auto take = [this, about, here, refuse] {
    auto messages = internal::open_carried(*core_->services, core_->identities, *here);
    if (!messages) return refuse(messages.error());
    for (const auto& in : *messages) // the router would drop it without a word
      if (in.message.id <= floor_) return refuse({errc::replayed, "this node has just started: send it again"});
    compat::send(self_, core_->router, received_atom_v, here->sender, std::move(*messages));
    reply(*about, {});
    flush();
  };
  internal::unless_banned(self_, core_->identities, here->sender, take, refuse);
}

void relay_engine::answered(answer& a) {
  auto entry = open_.extract(a.token);
  if (entry.empty()) return;
  auto& u = entry.mapped();
  error why;
  if (a.fault) {
    // What a link of ours met would be tried again for ever; here it is the end of this way.
    const auto code = a.fault->code == errc::link_closed ? errc::unreachable : a.fault->code;
    const bool said_further = a.fault->detail.starts_with("relay ");
    why = {code, said_further ? a.fault->detail : "relay " + to_short_string(u.to) + ": " + a.fault->detail};
  }
  if (u.request) return reply(*u.request, why);
  if (!a.fault) {
    if (told_.size() >= relay_told_max) told_.clear();
    if (u.told) told_[u.recipient] = {u.adverts, now()};
    return;
  }
  told_.erase(u.recipient);
  give_back(std::move(u.messages), why);
}

void relay_engine::post_to(const identity& to, shared_bytes body, std::uint32_t ttl_ms, under_way entry) {
  auto p = note_to(core_->services->self, to, relay_protocol(), std::move(body), ttl_ms);
  p.message.kind = message_kind::ask;
  p.token = ++last_token_;
  p.reply_to = caf::actor_cast<caf::strong_actor_ptr>(self_);
  open_.emplace(p.token, std::move(entry));
  posts_.push_back(std::move(p));
}

void relay_engine::reply(const envelope& request, const error& why) {
  if (request.kind != message_kind::ask) return;
  posts_.push_back(why.code == errc::none ? reply_to(core_->services->self, request, shared_bytes{taken_body()})
                                          : refusal_of(core_->services->self, request, why));
}

void relay_engine::flush() {
  if (!posts_.empty()) compat::send(self_, core_->router, std::exchange(posts_, {}));
}

} // namespace hanse
