// See link_engine.hpp.
#include "hanse/actors/link_engine.hpp"

#include "hanse/actors/internal/reputation.hpp"
#include "hanse/protocols/message_batch.hpp"
#include "hanse/protocols/message_parts.hpp"

namespace hanse {

namespace {

constexpr std::uint64_t measure_every_ms = 1000;

caf::byte_buffer to_caf_buffer(const bytes& octets) {
  auto* first = reinterpret_cast<const compat::byte_type*>(octets.data());
  return {first, first + octets.size()};
}

byte_view view_of(const caf::byte_buffer& octets) {
  return {reinterpret_cast<const std::byte*>(octets.data()), octets.size()};
}

std::unique_ptr<secure_session> make_session(link_role role, const tls_context& tls, const link_config& config) {
  return role == link_role::dialer ? tls.dial(config.expected_peer) : tls.accept();
}

} // namespace

link_engine::link_engine(pointer self, services_ptr services, link_role role, std::shared_ptr<const tls_context> tls,
                         link_config config, link_wire wire, link_peers peers)
    : self_(self), services_(std::move(services)), wire_(std::move(wire)), peers_(std::move(peers)),
      link_(role, make_session(role, *tls, config), config, services_->random()) {
  compat::ignore_stray_errors(self_);
}

link_actor::behavior_type link_engine::make_behavior() {
  return {
      [this](std::vector<outbound>& messages) { take(std::move(messages)); },
      [this](const caf::byte_buffer& octets) {
        services_->counters.octets_received.inc(octets.size());
        run([&](auto& fx) { link_.received(view_of(octets), services_->now_ms(), fx); });
      },
      [this](written_atom, std::uint64_t octets) {
        link_.written(octets, services_->now_ms());
        if (!ended_ && !queue_.empty()) send_queued();
      },
      [this](credit_atom, std::uint64_t octets) { give_back(octets); },
      [this](connected_atom, const caf::strong_actor_ptr& far) {
        far_ = far;
        run([this](auto& fx) { link_.start(services_->now_ms(), fx); });
      },
      [this](adverts_atom, const std::vector<bytes>& wires) {
        run([&](auto& fx) {
          for (std::size_t i = 0; i < wires.size(); i += adverts_in_frame_max) {
            auto part = std::span{wires}.subspan(i, std::min(adverts_in_frame_max, wires.size() - i));
            if (auto sent = link_.send_adverts(encode_adverts(part), fx); !sent) services_->counters.drop(sent.code());
          }
        });
        advertised_ = true;
        if (!ended_) send_queued();
      },
      [this](inject_atom, const std::vector<bytes>& payloads) {
        run([&](auto& fx) {
          for (auto& p : payloads) (void)link_.send_data(p, fx);
        });
      },
      [this](closed_atom, const std::string& why) {
        wire_.socket = nullptr;
        run([&](auto& fx) { link_.disconnected({errc::link_closed, why}, fx); });
      },
      [this](stop_atom, const error& why, bool graceful) {
        if (graceful && link_.state() == link_state::up) {
          send_queued(); // last words
          run([&](auto& fx) { link_.finish(why, services_->now_ms(), fx); });
        } else {
          run([&](auto& fx) { link_.close(why, fx); });
        }
        if (!ended_) give_back_queue();
      },
      [this](flush_atom) {
        flush_sent_ = false;
        if (!ended_) send_queued();
      },
      [this](remove_atom) {
        give_back_queue();
        self_->quit();
      },
      [this](tick_atom) {
        timer_.reset();
        run([this](auto& fx) { link_.tick(services_->now_ms(), fx); });
        measure();
      },
  };
}

/// Gives the machine an input, sends what it has to send, and performs the rest.
template <class F>
void link_engine::run(F input) {
  link_effects effects;
  input(effects);
  link_.flush(services_->now_ms(), effects);
  perform(effects);
}

void link_engine::take(std::vector<outbound> messages) {
  std::vector<outbound> refused;
  for (auto& m : messages) {
    if (queue_octets_ > link_queue_octets_max) {
      refused.push_back(std::move(m));
      continue;
    }
    queue_octets_ += queue_cost(m);
    queue_.push_back(std::move(m));
  }
  if (!refused.empty())
    compat::send(self_, peers_.router, unsent_atom_v, std::move(refused),
                 error{errc::queue_full, "the link cannot keep up"});
  if (ended_) return; // given back at the very end
  if (link_.state() != link_state::up) return give_back_queue();
  active_ = true;
  if (flush_sent_ || queue_.empty()) return;
  flush_sent_ = true;
  compat::send(self_, self_, flush_atom_v); // behind everything that is in the mailbox by now: that is the batch
}

/// The link takes nothing any more: the router finds another way for what waits.
void link_engine::give_back_queue() {
  std::vector<outbound> unsent{std::make_move_iterator(queue_.begin()), std::make_move_iterator(queue_.end())};
  queue_.clear();
  queue_octets_ = 0;
  if (!unsent.empty())
    compat::send(self_, peers_.router, unsent_atom_v, std::move(unsent),
                 error{errc::link_closed, "the link has closed"});
}

void link_engine::send_queued() {
  if (!advertised_) return;
  link_effects effects;
  while (!queue_.empty() && send_group(effects)) {
    link_.flush(services_->now_ms(), effects);
    write(effects.output); // moves on while the next group is being signed
  }
  perform(effects);
}

/// Signs and sends the messages of one signer at the head of the queue, as many as fit one payload and the link's
/// budget. False if the link takes nothing now.
bool link_engine::send_group(link_effects& effects) {
  auto room = std::min(link_.writable_budget(), payload_size_max);
  if (room < queue_cost(queue_.front()) + payload_overhead_max) return false;
  if (queue_.front().message.body.size() >= parts_body_min) {
    const auto parts = seal_in_parts(*queue_.front().signer, queue_.front().message);
    const byte_view views[] = {parts.head, parts.body.view(), parts.tail};
    return sent(link_.send_data_parts(views, effects), 1);
  }
  bytes encoded;
  encoded.reserve(std::min(room, queue_octets_));
  std::vector<std::size_t> sizes;
  auto& source = queue_.front().message.source;
  std::size_t used = payload_overhead_max;
  for (auto& m : queue_) {
    used += queue_cost(m) + payload_overhead_per_message_max;
    if (sizes.size() == batch_size_max || m.message.source != source || (used > room && !sizes.empty())) break;
    if (m.message.body.size() >= parts_body_min) break; // alone
    sizes.push_back(encode_to(encoded, m.message));
  }
  std::vector<byte_view> messages;
  byte_view rest{encoded};
  for (auto size : sizes) {
    messages.push_back(rest.first(size));
    rest = rest.subspan(size);
  }
  auto payload = seal(*queue_.front().signer, messages, services_->random());
  return sent(link_.send_data(payload, effects), sizes.size());
}

/// Takes what was sent off the queue. False if it was not.
bool link_engine::sent(const expected<unit>& result, std::size_t count) {
  if (!result) {
    services_->counters.drop(result.code());
    return false;
  }
  services_->counters.batches_sent.inc();
  messages_out_ += count;
  for (std::size_t i = 0; i < count; ++i) {
    queue_octets_ -= queue_cost(queue_.front());
    queue_.pop_front();
  }
  return true;
}

void link_engine::perform(link_effects& effects) {
  if (effects.up) {
    up_ = true;
    peer_ = effects.up->peer;
    if (!effects.up->theirs.advert.empty())
      compat::anon_send(peers_.identities, learn_atom_v, peer_, std::vector<bytes>{effects.up->theirs.advert});
    link_event e;
    e.what = link_event::kind::up;
    e.link = wire_.id;
    e.peer = peer_;
    e.id_floor = effects.up->theirs.id_floor;
    e.life = effects.up->theirs.life;
    if (auto channel = channel_binding(link_.session())) e.channel = std::make_shared<const join_channel>(*channel);
    compat::send(self_, peers_.transport, e);
  }
  for (auto& payload : effects.adverts) {
    auto wires = decode_adverts(payload.view());
    if (wires)
      compat::anon_send(peers_.identities, learn_atom_v, peer_, std::move(*wires));
    else
      services_->counters.drop(wires.code());
  }
  for (auto& payload : effects.data) open_payload(std::move(payload));
  write(effects.output);
  if (effects.closed) end(*effects.closed);
  schedule_tick();
}

/// Verifies a payload and hands its messages to the router, with the credit for its octets.
void link_engine::open_payload(shared_bytes payload) {
  auto size = payload.size();
  auto read = read_payload(payload);
  if (!read) return services_->counters.drop(read.code());
  if (recent_.contains(read->root)) return services_->counters.drop(errc::replayed, read->messages.size());
  auto count = read->messages.size();
  auto opened = open(std::move(*read));
  if (!opened) {
    services_->log(log_level::warning, "payload_refused",
                   {{"peer", to_short_string(peer_)}, {"reason", to_string(opened.error())}});
    internal::note_reputation(self_, peers_.identities, peer_, reputation_event::misbehaved);
    return services_->counters.drop(opened.code(), count);
  }
  remember(opened->root);
  services_->counters.batches_received.inc();
  services_->counters.received.inc(opened->messages.size());
  messages_in_ += opened->messages.size();
  under_way_ += size;
  active_ = true;
  if (!paused_ && under_way_ > link_under_way_max && wire_.socket) {
    paused_ = true;
    compat::send(self_, wire_.socket, pause_atom_v, wire_.id);
  }
  auto shared = std::make_shared<const credit>(
      [me = link_actor{self_}, size] { compat::anon_send(me, credit_atom_v, static_cast<std::uint64_t>(size)); });
  std::vector<inbound> messages;
  messages.reserve(opened->messages.size());
  for (auto& m : opened->messages) messages.push_back({std::move(m), shared, std::nullopt});
  compat::send(self_, peers_.router, received_atom_v, peer_, std::move(messages));
}

void link_engine::remember(const digest& root) {
  if (!recent_.insert(root).second) return;
  recent_order_.push_back(root);
  if (recent_order_.size() <= recent_payloads_max) return;
  recent_.erase(recent_order_.front());
  recent_order_.pop_front();
}

void link_engine::write(bytes& octets) {
  if (octets.empty()) return;
  auto size = octets.size();
  services_->counters.octets_sent.inc(size);
  if (wire_.socket) {
    std::vector<bytes> parts;
    parts.push_back(std::exchange(octets, {}));
    compat::send(self_, wire_.socket, write_atom_v, wire_.id, std::move(parts));
    return;
  }
  if (far_) compat::send(self_, caf::actor_cast<link_actor>(far_), to_caf_buffer(octets));
  octets.clear();
  link_.written(size, services_->now_ms());
}

void link_engine::give_back(std::uint64_t octets) {
  under_way_ -= std::min<std::size_t>(under_way_, octets);
  if (!paused_ || under_way_ > link_under_way_max / 2 || !wire_.socket) return;
  paused_ = false;
  compat::send(self_, wire_.socket, resume_atom_v, wire_.id);
}

void link_engine::schedule_tick() {
  if (ended_) return;
  auto due = up_ ? std::min(link_.next_timer(), services_->now_ms() + measure_every_ms) : link_.next_timer();
  if (timer_ && *timer_ <= due) return;
  timer_ = due;
  auto now = services_->now_ms();
  compat::delayed_send_to_self(self_, std::chrono::milliseconds{due > now ? due - now : 1}, tick_atom_v);
}

void link_engine::measure() {
  auto now = services_->now_ms();
  if (!up_ || now - measured_ms_ < measure_every_ms) return;
  measured_ms_ = now;
  link_event e;
  e.what = link_event::kind::measured;
  e.link = wire_.id;
  e.peer = peer_;
  e.measured = link_.metrics();
  e.load = {messages_in_, messages_out_, e.measured.octets_in, e.measured.octets_out, queue_.size(), queue_octets_,
            now};
  compat::send(self_, peers_.identities, measure_atom_v, e);
  if (!active_) return;
  active_ = false;
  e.what = link_event::kind::active;
  compat::send(self_, peers_.transport, std::move(e));
}

void link_engine::end(const error& why) {
  if (ended_) return;
  ended_ = true;
  if (wire_.socket) compat::send(self_, wire_.socket, closed_atom_v, wire_.id);
  if (far_) compat::send(self_, caf::actor_cast<link_actor>(far_), closed_atom_v, std::string{});
  far_ = nullptr;
  link_event e;
  e.what = link_event::kind::closed;
  e.link = wire_.id;
  e.peer = peer_;
  e.reason = why;
  // Whoever may send here has to know before this actor goes, or what is in its mailbox by then would be lost. The
  // transport first: it tells the router of links.
  auto tell_router = [this] {
    auto last = [this] { compat::send(self_, self_, remove_atom_v); }; // behind all that has been sent here
    compat::request(self_, peers_.router, caf::infinite, link_down_atom_v, peer_, wire_.id)
        .then(last, [last](const caf::error&) { last(); });
  };
  compat::request(self_, peers_.transport, caf::infinite, std::move(e))
      .then(tell_router, [tell_router](const caf::error&) { tell_router(); });
}

} // namespace hanse
