// The seeded world: see the header. What the machine is told of a message is its envelope; what the oracle is told is
// its number, which travels as the body.

#include "reliable_unicast_world.hpp"

#include "hanse/crypto/hash.hpp"

namespace hanse::test {

namespace {

identity name_of(int engine) {
  const auto text = "engine " + std::to_string(engine);
  const auto d = blake2b_256(as_byte_view(text));
  return identity::trusted(identity_kind::individual, std::span<const std::byte, 32>{d.octets});
}

bytes number_body(std::uint64_t n) {
  return to_bytes(std::to_string(n));
}

} // namespace

world::world(const world_options& options) : options_(options), rng_(options.seed), nodes_(options.nodes) {
  for (int e = 0; e < options_.engines; ++e) {
    engines_.push_back(name_of(e));
    engine_numbers_[engines_.back()] = e;
  }
  for (int n = 0; n < options_.nodes; ++n) {
    nodes_[n].skew_ms = static_cast<std::int64_t>(below(2 * options_.skew_max_ms + 1)) - options_.skew_max_ms;
    start(n);
  }
}

void world::in_life(int n, time_ms when, std::function<void()> action) {
  at(when, [this, n, life = nodes_[n].life, action = std::move(action)] {
    if (nodes_[n].machine && nodes_[n].life == life) action();
  });
}

void world::start(int n) {
  auto& node = nodes_[n];
  node.random = std::make_unique<seeded_random>(rng_());
  node.machine = std::make_unique<reliable_unicast>(*node.random, options_.config);
  for (const auto& [key, value] : node.disk)
    if (!node.machine->restore(key, value)) oracle_.violate("a record did not restore", 0);
  plan_timer(n);
}

/// Stops a node between two steps. Commits under way: any prefix of them made it to the disk.
void world::crash(int n) {
  auto& node = nodes_[n];
  if (!node.machine) return;
  ++crashes;
  const auto durable = below(node.commits.size() + 1);
  for (std::size_t i = 0; i < durable; ++i) apply(node, node.commits[i]);
  node.commits.clear();
  retransmissions += node.machine->stats().retransmitted;
  node.machine.reset();
  ++node.life;
  node.timer_at = 0;
  node.flush_planned = false;
  for (int e = 0; e < options_.engines; ++e)
    if (node_of(e) == n) oracle_.crashed(e);
  at(now_ + 1 + below(3000), [this, n] {
    if (!nodes_[n].machine) start(n);
  });
}

void world::partition() {
  const int a = static_cast<int>(below(options_.nodes)), b = static_cast<int>(below(options_.nodes));
  if (a == b) return;
  const bool noticed = chance(500);
  const auto tell = [this, noticed](int n, int other, bool up) {
    if (!noticed || !nodes_[n].machine) return;
    unicast_effects out;
    for (int e = 0; e < options_.engines; ++e) {
      if (node_of(e) != other) continue;
      if (up)
        nodes_[n].machine->destination_reachable(engines_[e], local(n), out);
      else
        nodes_[n].machine->destination_unreachable(engines_[e], local(n));
    }
    after_input(n, std::move(out));
  };
  parted_.insert({a, b});
  parted_.insert({b, a});
  tell(a, b, false);
  tell(b, a, false);
  at(now_ + 100 + below(5000), [=, this] {
    parted_.erase({a, b});
    parted_.erase({b, a});
    tell(a, b, true);
    tell(b, a, true);
  });
}

void world::apply(node& n, const unicast_persist& p) {
  for (const auto& w : p.writes) {
    if (w.value)
      n.disk[w.key] = *w.value;
    else
      n.disk.erase(w.key);
  }
}

void world::commit(int n) {
  auto& node = nodes_[n];
  const auto p = std::move(node.commits.front());
  node.commits.pop_front();
  apply(node, p);
  if (!node.commits.empty()) in_life(n, now_ + below(options_.commit_max_ms + 1), [this, n] { commit(n); });
  unicast_effects out;
  node.machine->persisted(p.token, local(n), out);
  after_input(n, std::move(out));
}

void world::carry(int from, int to, std::function<void(int)> arrive) {
  const bool lossy = !healed_ && from != to;
  if (lossy && (chance(options_.loss_permille) || parted_.contains({from, to}))) return;
  const int copies = lossy && chance(options_.duplicate_permille) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    const auto delay = 1 + below(options_.delay_max_ms) +
                       (lossy && chance(options_.late_permille) ? below(4000) : 0); // some come very late
    at(now_ + delay, [this, to, arrive] {
      if (nodes_[to].machine) arrive(to);
    });
  }
}

void world::deliver(int n, const envelope& m) {
  ++deliveries;
  const auto number = std::stoull(std::string{as_text(m.body.view())});
  oracle_.delivered(number);
  const int self = engine_of(m.destination);
  if (!healed_ && chance(options_.replies_permille)) send(self, static_cast<int>(below(options_.engines)), 0);
  const stream_ref ref{m.source, m.destination, m.stream->epoch, m.stream->seq};
  const bool fails = chance(options_.handler_error_permille);
  in_life(n, now_ + below(options_.handling_max_ms + 1), [=, this] {
    oracle_.handled(number, fails ? static_cast<int>(errc::schema_mismatch) : 0);
    unicast_effects out;
    nodes_[n].machine->handled(ref, fails ? errc::schema_mismatch : errc::none, local(n), out);
    after_input(n, std::move(out));
  });
}

void world::finished(const identity&, message_id id, const error& why) {
  const auto number = numbers_.at(id);
  if (why.code == errc::none) {
    ++confirmations;
    return oracle_.confirmed(number);
  }
  ++failures;
  in_doubts += why.code == errc::in_doubt;
  if (options_.converges && healed_ && why.code != errc::schema_mismatch && senders_.at(number).second < 0)
    oracle_.violate("sent after healing and failed with " + to_string(why), number);
  oracle_.failed(number, static_cast<int>(why.code), why.code == errc::schema_mismatch,
                 why.code == errc::in_doubt || why.code == errc::expired);
}

void world::perform(int n, unicast_effects effects) {
  auto& node = nodes_[n];
  for (auto& effect : effects) {
    if (auto* t = std::get_if<unicast_transmit>(&effect)) {
      const auto m = t->message;
      carry(n, node_of(engine_of(m->destination)), [this, m](int to) {
        unicast_effects out;
        (void)nodes_[to].machine->receive(*m, local(to), out);
        after_input(to, std::move(out));
      });
    } else if (auto* c = std::get_if<unicast_transmit_control>(&effect)) {
      carry(n, node_of(engine_of(c->destination)), [this, c = *c](int to) {
        unicast_effects out;
        if (!nodes_[to].machine->receive_control(c.source, c.destination, c.body, local(to), out))
          oracle_.violate("a control message did not decode", 0);
        after_input(to, std::move(out));
      });
    } else if (auto* p = std::get_if<unicast_persist>(&effect)) {
      node.commits.push_back(std::move(*p));
      if (node.commits.size() == 1) in_life(n, now_ + below(options_.commit_max_ms + 1), [this, n] { commit(n); });
    } else if (auto* d = std::get_if<unicast_deliver>(&effect)) {
      deliver(n, d->message);
    } else if (auto* k = std::get_if<unicast_confirmed>(&effect)) {
      finished(k->source, k->id, {});
    } else if (auto* f = std::get_if<unicast_failed>(&effect)) {
      finished(f->source, f->id, f->why);
    }
  }
}

void world::check_bounds(int n) {
  const auto s = nodes_[n].machine->stats();
  const auto& c = options_.config;
  if (s.pending > c.pending_max || s.open > c.open_max || s.streams_in > c.streams_max || s.streams_out > c.streams_max)
    oracle_.violate("a bound was passed", 0);
}

void world::after_input(int n, unicast_effects effects) {
  perform(n, std::move(effects));
  auto& node = nodes_[n];
  check_bounds(n);
  if (!node.flush_planned) { // the end of a burst comes a little later
    node.flush_planned = true;
    in_life(n, now_ + below(3), [this, n] {
      nodes_[n].flush_planned = false;
      unicast_effects out;
      nodes_[n].machine->flush(local(n), out);
      perform(n, std::move(out));
      plan_timer(n);
    });
  }
  plan_timer(n);
}

void world::plan_timer(int n) {
  auto& node = nodes_[n];
  const auto due = node.machine->next_timer();
  if (!due) return;
  const auto ahead = *due > local(n) ? *due - local(n) : 0;
  const auto when = now_ + ahead;
  if (node.timer_at != 0 && node.timer_at <= when && node.timer_at >= now_) return;
  node.timer_at = when;
  in_life(n, when, [this, n, when] {
    if (nodes_[n].timer_at != when) return;
    nodes_[n].timer_at = 0;
    unicast_effects out;
    nodes_[n].machine->tick(local(n), out);
    perform(n, std::move(out));
    plan_timer(n);
  });
}

std::uint64_t world::send(int engine, int to, std::uint32_t ttl) {
  const int n = node_of(engine);
  if (!nodes_[n].machine || engine == to) return 0;
  envelope m;
  m.source = engines_[engine];
  m.destination = engines_[to];
  m.id = last_id_ = std::max(last_id_ + 1, local(n) * 1000);
  m.protocol = {"test", 1, 0};
  m.sent_ms = local(n);
  m.ttl_ms =
      ttl != 0 ? ttl
               : options_.ttl_min_ms + static_cast<std::uint32_t>(below(options_.ttl_max_ms - options_.ttl_min_ms + 1));
  const auto number = ++messages_;
  m.body = shared_bytes{number_body(number)};
  numbers_[m.id] = number;
  oracle_.sent(number, engine, to);
  senders_[number] = {n, healed_ ? -1 : nodes_[n].life};
  unicast_effects out;
  if (!nodes_[n].machine->send(std::move(m), local(n), out)) {
    senders_.erase(number); // refused: a bound was reached; no outcome is owed
    oracle_.refused(number);
    if (healed_) in_life(n, now_ + 200, [=, this] { send(engine, to, ttl); });
  }
  after_input(n, std::move(out));
  return number;
}

bool world::step(time_ms until) {
  if (events_.empty() || events_.top().when > until || !oracle_.verdict().empty()) return false;
  auto e = std::move(const_cast<event&>(events_.top())); // popped at once: the order of the heap is not disturbed
  events_.pop();
  now_ = e.when;
  e.action();
  return true;
}

/// Every sender that still lives was told how each of its messages ended; what was sent after healing was handled.
void world::settle_down() {
  for (const auto& [number, sender] : senders_) {
    const auto [n, life] = sender;
    if (life >= 0 && nodes_[n].life != life) continue; // nobody is left to be told
    if (oracle_.outcomes(number) != 1) oracle_.violate("no outcome", number);
    if (options_.converges && life < 0 && !oracle_.was_handled(number))
      oracle_.violate("sent after healing and not handled", number);
  }
  for (auto& n : nodes_) {
    const auto s = n.machine->stats();
    if (s.queued != 0 || s.pending != 0 || s.open != 0) oracle_.violate("something is left over", 0);
    retransmissions += s.retransmitted;
  }
}

std::string world::run() {
  const auto begin = now_;
  for (int e = 0; e < options_.engines; ++e)
    for (int i = 0; i < options_.sends_per_engine; ++i)
      at(begin + below(options_.faults_ms), [this, e] { send(e, static_cast<int>(below(options_.engines)), 0); });
  for (int i = 0; i < options_.crashes; ++i)
    at(begin + below(options_.faults_ms), [this] { crash(static_cast<int>(below(options_.nodes))); });
  for (int i = 0; i < options_.partitions; ++i) at(begin + below(options_.faults_ms), [this] { partition(); });
  while (step(begin + options_.faults_ms + 6000)) {
  } // longer than any partition or downtime lasts
  healed_ = true;
  parted_.clear();
  for (int round = 0; round < 2; ++round) {
    for (int a = 0; a < options_.engines; ++a)
      for (int b = 0; b < options_.engines; ++b) send(a, b, 120'000);
    now_ += round == 0 ? 50 : 0;
  }
  while (step(now_ + 300'000) && now_ < begin + options_.faults_ms + 600'000) {
  }
  if (oracle_.verdict().empty()) settle_down();
  return oracle_.verdict();
}

} // namespace hanse::test
