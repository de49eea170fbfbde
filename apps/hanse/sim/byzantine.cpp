// What byzantine nodes do. Their node runs as usual beside it; `withhold` is in the ways out (sim_node_links.cpp).
// Not an attack on the layers below messages: links are authenticated, so that a liar is known by its own key.
#include "hanse/sim/sim_node.hpp"

namespace hanse::sim {

namespace {

constexpr time_ms misdeed_every_ms = 50;       // a guess: often enough to matter in runs of seconds
constexpr std::size_t remembered_max = 256;    // payloads
constexpr std::uint32_t flood_messages = 20;   // every time
constexpr std::uint32_t flood_adverts = 4;     // likewise
constexpr std::uint64_t relapse_permille = 20; // of misdeeds: every 2.5 seconds

} // namespace

void sim_node::turn(byzantine_behaviour b) {
  behaviour_ = b;
  world_.judge.exempt(index_);
  if (world_.domain) {
    world_.domain->members.exempt(index_);
    world_.domain->events.exempt(index_);
  }
  world_.record(trace_kind::fault, index_, static_cast<std::uint64_t>(b), 0, "byzantine: " + std::string{to_string(b)});
  if (life_) later(misdeed_every_ms, [this] { misbehave(); });
}

void sim_node::misbehave() {
  if (world_.healed) return;
  ++world_.counters.misdeeds;
  switch (*behaviour_) {
  case byzantine_behaviour::equivocate:
    equivocate();
    if (life_->shared && random_.below(1000) < relapse_permille) relapse();
    break;
  case byzantine_behaviour::withhold:
    break;
  case byzantine_behaviour::replay:
    replay_old();
    break;
  case byzantine_behaviour::forge:
    forge();
    break;
  case byzantine_behaviour::flood:
    flood();
    break;
  }
  later(misdeed_every_ms, [this] { misbehave(); });
}

void sim_node::remember(const shared_bytes& payload) {
  remembered_.push_back(payload);
  if (remembered_.size() > remembered_max) remembered_.pop_front();
}

/// A node that it has a link to; itself if none.
std::uint32_t sim_node::victim() {
  if (life_->announced.empty()) return index_;
  auto it = life_->announced.begin();
  std::advance(it, random_.below(life_->announced.size()));
  return world_.owner(it->first);
}

/// A message that says to be from `source`, valid in all but what its signature will say.
envelope sim_node::lie(const identity& source, std::uint32_t to) {
  envelope e;
  e.source = source;
  e.destination = world_.nodes[to]->engine_id();
  e.id = life_->clock.next(local() * 1000).value_or(1);
  e.protocol = {"hanse.unicast.test", 1, 0};
  e.sent_ms = local();
  bytes body(16);
  random_.fill(body);
  e.body = shared_bytes{std::move(body)};
  return e;
}

/// Two bodies for one place in a stream, and two adverts of one version.
void sim_node::equivocate() {
  const auto to = victim();
  if (to == index_) return;
  const auto& peer = world_.nodes[to]->node_id();
  auto e = lie(engine_id(), to);
  e.stream = stream_position{e.id, 1, {}};
  for (int i = 0; i < 2; ++i) {
    const auto wire = encode(e);
    const byte_view one{wire};
    put_on_link(peer, world_.signing.seal(engine_key_, {&one, 1}, random_));
    bytes other(24);
    random_.fill(other);
    e.body = shared_bytes{std::move(other)};
  }
  if (random_.below(10) != 0) return;
  node_advert a = life_->adverts.node(node_id())->value;
  a.version = local();
  bool first = true;
  std::vector<link_id> links;
  for (const auto& [id, link] : life_->announced) links.push_back(link);
  for (const auto link : links) {
    a.name = first ? "janus" : "sunaj";
    first = !first;
    send_adverts(link, {sign(a, key_).wire});
  }
}

/// Goes on from an old copy of its disk: it writes other blocks in the place of those that it has shown to others, and
/// begins the chains of its topics anew.
void sim_node::relapse() {
  const auto is_shared = [](const auto& entry) { return entry.first.first >= table::domain; };
  auto old = std::exchange(backup_, disk_);
  std::erase_if(backup_, [&](const auto& entry) { return !is_shared(entry); });
  if (old.empty()) return; // next time
  std::erase_if(disk_, is_shared);
  disk_.insert(old.begin(), old.end());
  const auto forgotten = [](const write_request& r) { return r.where >= table::domain; };
  std::erase_if(life_->waiting, forgotten);
  std::erase_if(life_->committing, forgotten);
  start_domain();
  domain_effects out;
  (void)life_->shared->domain.assume_current(world_.domain->domain(), local(), out);
  for (const auto& [peer, link] : life_->announced) life_->shared->domain.link_up(peer, local(), out);
  perform(std::move(out));
  put(random_.below(registers_max));
}

/// What it received or sent before, again, to whomever.
void sim_node::replay_old() {
  const auto to = victim();
  if (to == index_ || remembered_.empty()) return;
  const auto& payload = remembered_[random_.below(remembered_.size())];
  put_on_link(world_.nodes[to]->node_id(), to_bytes(payload.view()));
}

/// Messages and adverts in the name of others, signed by itself, and with broken signatures.
void sim_node::forge() {
  const auto to = victim();
  if (to == index_) return;
  const auto& peer = world_.nodes[to]->node_id();
  const auto& other = *world_.nodes[random_.below(world_.nodes.size())];
  const auto wire = encode(lie(random_.below(2) == 0 ? other.engine_id() : other.node_id(), to));
  const byte_view one{wire};
  // Sealed by its own key under another's name; the signature of its own message with a bit turned.
  put_on_link(peer, wrap(one, message_signature{sign_single(key_, blake2b_256(one))}));
  const auto own = encode(lie(engine_id(), to));
  const byte_view mine{own};
  auto broken = world_.signing.seal(engine_key_, {&mine, 1}, random_);
  broken.back() ^= std::byte{1};
  put_on_link(peer, broken);
  if (random_.below(10) != 0) return;
  engine_advert a;
  a.engine = other.engine_id();
  a.node = node_id();
  a.version = local() + 1000;
  a.protocols = {unicast_protocol()};
  // `sign` wants the right key: sign as oneself, then put the other's name in. What is signed does not fit any more.
  a.engine = engine_id();
  auto advert = sign(a, engine_key_).wire;
  const auto from = engine_id().wire(), to_name = other.engine_id().wire();
  const auto at = std::search(advert.begin(), advert.end(), from.begin(), from.end());
  if (at != advert.end()) std::copy(to_name.begin(), to_name.end(), at);
  if (const auto told = life_->announced.find(peer); told != life_->announced.end())
    send_adverts(told->second, {advert});
}

/// Messages as fast as it can, streams without end, and adverts of nodes that do not exist.
void sim_node::flood() {
  const auto to = victim();
  if (to == index_) return;
  const auto& peer = world_.nodes[to]->node_id();
  for (std::uint32_t i = 0; i < flood_messages; ++i) {
    auto e = lie(engine_id(), to);
    if (i % 2 == 0) e.stream = stream_position{e.id, 1 + random_.below(300), {}};
    const auto wire = encode(e);
    const byte_view one{wire};
    put_on_link(peer, world_.signing.seal(engine_key_, {&one, 1}, random_));
  }
  std::vector<bytes> adverts;
  for (std::uint32_t i = 0; i < flood_adverts; ++i) {
    const auto key = key_pair::generate(random_);
    node_advert a;
    a.node = key.identity();
    a.version = local();
    a.addresses = {{"mem://nowhere", 1}};
    adverts.push_back(sign(a, key).wire);
  }
  if (const auto told = life_->announced.find(peer); told != life_->announced.end())
    send_adverts(told->second, adverts);
}

} // namespace hanse::sim
