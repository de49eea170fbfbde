// See multicast_world.hpp.
#include "sim/multicast_world.hpp"

#include <algorithm>
#include <cstdlib>

namespace hanse::test {

namespace {

template <class T>
void require_ok(const expected<T>& e) {
  if (!e) std::abort(); // the test's own mistake
}

} // namespace

void multicast_judge::started(std::uint32_t node) {
  auto& v = views_[node];
  const bool is_late = !v.count.empty() || !totals_.empty();
  v = {};
  v.life = static_cast<std::uint32_t>(totals_.size());
  v.is_late = is_late && node < totals_.size(); // all first lives begin together
  totals_.push_back(0);
}

void multicast_judge::joined(std::uint32_t node) {
  views_.at(node).due = totals_;
  views_.at(node).has_joined = true;
}

std::uint64_t multicast_judge::published(std::uint32_t node) {
  auto& v = views_.at(node);
  fact f{v.life, ++totals_[v.life], v.count};
  at(f.past, v.life) = f.index - 1;
  facts_.push_back(std::move(f));
  return facts_.size() - 1;
}

void multicast_judge::delivered(std::uint32_t node, std::uint64_t number) {
  ++deliveries;
  if (number >= facts_.size()) return complain("an event that nobody published");
  const auto& f = facts_[number];
  auto& v = views_.at(node);
  const auto name =
      "node " + std::to_string(node) + ", event " + std::to_string(f.index) + " of life " + std::to_string(f.life);
  auto& count = at(v.count, f.life);
  if (v.begun.size() <= f.life) v.begun.resize(f.life + 1);
  const bool begins = v.is_late && !v.begun[f.life];
  if (!begins && f.index != count + 1) complain(name + ": after " + std::to_string(count));
  if (begins && v.has_joined && f.index > at(v.due, f.life) + 1) complain(name + ": begins too late");
  if (begins && f.index <= at(v.floor, f.life)) complain(name + ": after what depends on it");
  v.begun[f.life] = true;
  at(v.count, f.life) = f.index;
  for (std::uint32_t life = 0; life < f.past.size(); ++life) {
    if (f.past[life] == 0) continue;
    auto& floor = at(v.floor, life);
    floor = std::max(floor, f.past[life]);
    const bool begun = life < v.begun.size() && v.begun[life];
    if ((!v.is_late || begun) && life != f.life && at(v.count, life) < f.past[life])
      complain(name + ": before " + std::to_string(f.past[life]) + " of life " + std::to_string(life));
  }
}

std::uint64_t multicast_judge::lacking(std::uint32_t node) const {
  const auto& v = views_.at(node);
  std::uint64_t lacking = 0;
  for (const auto& [other, theirs] : views_) {
    const auto life = theirs.life;
    auto have = life < v.count.size() ? v.count[life] : 0;
    if (have == 0 && v.is_late) {
      if (!v.has_joined) return 1;
      have = life < v.due.size() ? v.due[life] : 0;
    }
    if (totals_[life] > have) lacking += totals_[life] - have;
  }
  return lacking;
}

void topic_node::start(sim::port& p) {
  judge_.started(self_);
  multicast_.emplace(fake_identity(1), node_id(self_), verifier_, p.random(), options_.multicast);
  epoch_ = p.now() + 1; // of this life
  require_ok(multicast_->add_publisher(std::make_shared<cheap_signer>(node_id(self_), epoch_ * 4096 + self_), epoch_));
  auto made =
      dissemination_registry::builtin().make(options_.protocol, {node_id(self_), *this, p.random()}, options_.params);
  require_ok(made);
  spread_ = *std::move(made);
  std::vector<identity> members;
  for (std::uint32_t n = 0; n < nodes_; ++n)
    if (n != self_) members.push_back(node_id(n));
  std::sort(members.begin(), members.end());
  multicast_->start(options_.history, p.now());
  members_are(p, std::move(members));
}

void topic_node::members_are(sim::port& p, std::vector<identity> members) {
  members_ = std::move(members);
  spread_->members_changed(members_, p.now(), spread_effects_);
  near_ = spread_->neighbours();
  multicast_->peers_changed(members_, near_, p.now());
  perform(p);
}

void topic_node::neighbours_may_have_changed(time_ms now) {
  auto near = spread_->neighbours();
  if (near == near_) return;
  near_ = std::move(near);
  multicast_->peers_changed(members_, near_, now);
}

payload_verdict topic_node::offer(const identity& from, const shared_bytes& payload, time_ms now) {
  return multicast_->offer(from, payload, now, effects_);
}

void topic_node::received(sim::port& p, std::uint32_t from, byte_view octets) {
  const auto sender = node_id(from);
  const auto body = octets.subspan(1);
  const auto result = octets[0] == std::byte{0} ? spread_->receive(sender, body, p.now(), spread_effects_)
                                                : multicast_->receive(sender, body, p.now(), effects_);
  if (!result && result.code() != errc::untrusted) faults_.push_back(result.error());
  perform(p);
}

void topic_node::timer(sim::port& p, std::uint64_t) {
  if (!armed_ || *armed_ > p.now()) return; // of an earlier plan
  armed_.reset();
  spread_->tick(p.now(), spread_effects_);
  neighbours_may_have_changed(p.now());
  multicast_->tick(p.now(), effects_);
  perform(p);
}

void topic_node::publish(sim::port& p, std::size_t events, event_mode mode) {
  for (std::size_t i = 0; i < events; ++i) {
    const auto number = mode == event_mode::causal ? judge_.published(self_) : UINT64_MAX;
    if (mode == event_mode::causal) judge_.delivered(self_, number); // at once; what comes in meanwhile waits
    msgpack_writer body;
    body.unsigned_integer(number);
    require_ok(multicast_->publish(node_id(self_), shared_bytes{std::move(body).take()}, mode, p.now()));
  }
  multicast_->flush(p.now(), effects_);
  perform(p);
}

void topic_node::peer_down(sim::port& p, std::uint32_t node) {
  spread_->peer_down(node_id(node), p.now(), spread_effects_);
  neighbours_may_have_changed(p.now());
  perform(p);
}

void topic_node::perform(sim::port& p) {
  const auto send = [&](const peer_message& m, std::byte channel) {
    std::uint64_t hash = 0;
    std::memcpy(&hash, m.to.octets().data(), sizeof hash);
    bytes octets{channel};
    append(octets, m.body);
    p.send(indices_.at(hash), std::move(octets));
  };
  for (auto& effect : effects_) {
    if (const auto* d = std::get_if<multicast_deliver>(&effect)) {
      if (d->event.mode == event_mode::unreliable) {
        ++unreliable;
        continue;
      }
      if (d->event.chain == chain_key{node_id(self_), epoch_}) continue;
      msgpack_reader in{d->event.body.view()};
      judge_.delivered(self_, in.unsigned_integer());
    } else if (const auto* b = std::get_if<multicast_broadcast>(&effect)) {
      spread_->broadcast(b->parcel, p.now(), spread_effects_);
    } else if (const auto* m = std::get_if<peer_message>(&effect)) {
      send(*m, std::byte{1});
    } else if (const auto* f = std::get_if<peer_faulted>(&effect)) {
      blamed.push_back(*f);
    } else if (std::holds_alternative<multicast_joined>(effect)) {
      judge_.joined(self_);
    } else if (std::holds_alternative<multicast_gap>(effect)) {
      ++gaps;
    } else if (std::holds_alternative<multicast_forked>(effect)) {
      ++forks;
    }
  }
  effects_.clear();
  spread_->flush(p.now(), spread_effects_);
  for (const auto& effect : spread_effects_) {
    if (const auto* m = std::get_if<peer_message>(&effect)) {
      if (drops_payloads && m->body.size() > 2 && m->body[1] == std::byte{0}) continue; // kind: payloads
      send(*m, std::byte{0});
    } else {
      blamed.push_back(std::get<peer_faulted>(effect));
    }
  }
  spread_effects_.clear();
  arm(p);
}

void topic_node::arm(sim::port& p) {
  auto next = spread_->next_timer();
  if (const auto other = multicast_->next_timer()) next = next ? std::min(*next, *other) : *other;
  if (!next) return;
  const auto when = std::max(*next, p.now() + 1);
  if (armed_ && *armed_ <= when) return;
  armed_ = when;
  p.after(when - p.now(), 0);
}

multicast_world::multicast_world(std::uint64_t seed, std::uint32_t nodes, const sim_path& path, world_options o)
    : options(std::move(o)), net(seed, nodes, path, [this, nodes](std::uint32_t n) {
        auto made = std::make_unique<topic_node>(n, nodes, options, judge, indices);
        made->drops_payloads = options.liar == n;
        return made;
      }) {
  for (std::uint32_t n = 0; n < nodes; ++n) {
    std::uint64_t hash = 0;
    std::memcpy(&hash, node_id(n).octets().data(), sizeof hash);
    indices[hash] = n;
  }
}

void multicast_world::publish_at(time_ms when, std::uint32_t n, std::size_t events) {
  net.at(when, [this, n, events] {
    if (!net.machine(n)) return;
    sim::port p{net, n};
    node(n)->publish(p, events);
  });
}

std::uint64_t multicast_world::lacking() {
  std::uint64_t sum = 0;
  for (std::uint32_t n = 0; n < net.nodes(); ++n)
    if (net.machine(n)) sum += judge.lacking(n);
  return sum;
}

bool multicast_world::run_until_complete(time_ms until) {
  while (net.now() < until) {
    net.run(std::min(until, net.now() + 500));
    if (lacking() == 0) return true;
  }
  return false;
}

} // namespace hanse::test
