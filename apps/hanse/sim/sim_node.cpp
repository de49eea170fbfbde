// See sim_node.hpp. Here: life and death, the disk, the clock.
#include "hanse/sim/sim_node.hpp"

namespace hanse::sim {

namespace {

constexpr std::size_t commit_group_max = 64;   // as store_group_max in actors/
constexpr time_ms commit_max_ms = 8;           // 1..8 ms, about an SSD's; a guess
constexpr time_ms crash_anyway_ms = 5000;      // a node that writes nothing crashes then
constexpr time_ms sweep_every_ms = 10'000;     // as the router
constexpr time_ms restart_after_jump_ms = 100; // a clock jumps while the node is down
constexpr std::int64_t skew_max_ms = 100;      // clocks that nobody has touched; NTP's order of magnitude
constexpr std::string_view lease_key = "lease", mark_key = "mark";

bytes number_record(std::uint64_t value) {
  msgpack_writer out;
  out.unsigned_integer(value);
  return std::move(out).take();
}

std::uint64_t stream(std::uint64_t seed, std::uint32_t node) {
  return (seed << 20) ^ (0x4e4f'4445'0000'0000 + node); // "NODE"
}

pool_config pool_config_of(const identity& self) {
  pool_config c;
  c.self = self;
  c.addresses.schemes = {"mem"};
  return c;
}

} // namespace

sim_node::life_state::life_state(sim_node& n)
    : clock(lease_at_start(n.stored(lease_key), n.local() * 1000)),
      replay(floor_at_start(n.stored(mark_key), n.local())), unicast(n.random_),
      pool(pool_config_of(n.node_id()), n.random_), nonce(n.random_.next_u64()) {}

sim_node::sim_node(world& w, std::uint32_t index)
    : world_(w), index_(index), random_(stream(w.seed, index)), key_(key_pair::generate(random_)),
      engine_key_(key_pair::generate(random_)),
      skew_ms_(static_cast<std::int64_t>(random_.below(2 * skew_max_ms + 1)) - skew_max_ms) {}

sim_node::~sim_node() = default;

void sim_node::set_contacts(std::vector<std::uint32_t> contacts, bool keep) {
  contacts_ = std::move(contacts);
  keep_contacts_ = keep;
}

time_ms sim_node::local() const {
  return static_cast<time_ms>(static_cast<std::int64_t>(wall_base_ms + world_.now) + skew_ms_ + jump_ms_);
}

void sim_node::later(time_ms delay, std::function<void()> action) {
  world_.events.at(world_.now + delay, [this, life = lives_, action = std::move(action)]() mutable {
    if (!life_ || life != lives_) return;
    if (paused_until_ > world_.now) return later(paused_until_ - world_.now, std::move(action));
    action();
    if (life_ && life == lives_) finish();
  });
}

// --- life ---

void sim_node::start() {
  ++lives_;
  ++world_.counters.starts;
  world_.record(trace_kind::start, index_, lives_, static_cast<std::uint64_t>(jump_ms_));
  life_ = std::make_unique<life_state>(*this);
  restore_disk();
  world_.net.listen(network_host(index_));
  advertise();
  persist_ids();
  if (world_.domain) start_domain();
  if (lives_ > 1) keep_links();
  if (behaviour_) later(0, [this] { misbehave(); });
  finish();
}

void sim_node::meet() {
  std::vector<bytes> tickets;
  for (const auto c : contacts_) {
    const auto& other = *world_.nodes[c];
    tickets.push_back(other.adverts().node(other.node_id())->wire);
    // Who has a link to it learns of its engine there.
    if (!keep_contacts_) tickets.push_back(other.adverts().engine(other.engine_id())->wire);
  }
  learn(tickets, advert_origin::pinned, identity{});
  keep_links();
  finish();
}

void sim_node::keep_links() {
  if (!keep_contacts_) return;
  pool_effects fx;
  for (const auto c : contacts_) {
    const auto& id = world_.nodes[c]->node_id();
    with_addresses(id);
    life_->pool.set_permanent(id, true, local(), fx);
  }
  perform(std::move(fx));
}

message_id sim_node::stored(std::string_view key) const {
  const auto it = disk_.find({table::clock, to_bytes(key)});
  return it == disk_.end() ? 0 : msgpack_reader{it->second}.unsigned_integer();
}

/// Takes back what was durable, as the actors do at the start of a node.
void sim_node::restore_disk() {
  for (const auto& [where, value] : disk_) {
    expected<unit> done = ok();
    if (where.first == table::unicast) done = life_->unicast.restore(where.second, value);
    if (where.first == table::adverts) done = life_->adverts.restore(where.second, value);
    if (!done) world_.drop(index_, 0, done.error().code);
  }
}

/// Versions as node.cpp and router_engine.cpp choose them.
void sim_node::advertise() {
  const auto now = local();
  const auto* old_node = life_->adverts.node(node_id());
  const auto* old_engine = life_->adverts.engine(engine_id());
  node_advert n;
  n.node = node_id();
  n.version = std::max<std::uint64_t>(now, old_node ? old_node->value.version + 1 : 1);
  n.addresses = {{"mem://" + network_host(index_), 1}};
  n.protocols = {unicast_protocol()};
  engine_advert e;
  e.engine = engine_id();
  e.node = node_id();
  e.version = std::max<std::uint64_t>(now, old_engine ? old_engine->value.version + 1 : 1);
  e.protocols = {unicast_protocol()};
  world_.judge.signed_version(index_, false, n.version);
  world_.judge.signed_version(index_, true, e.version);
  learn({sign(n, key_).wire, sign(e, engine_key_).wire}, advert_origin::own, identity{});
}

void sim_node::crash() {
  if (!life_) return;
  world_.record(trace_kind::crash, index_, lives_);
  // What was being written may or may not be on the disk.
  if (life_->commit_under_way && random_.below(2) == 0) apply(life_->committing);
  life_.reset();
  ++down_;
  crash_in_.reset();
  disk_error_down_.reset();
  paused_until_ = 0;
  world_.net.crash(network_host(index_), world_.now);
  world_.judge.crashed(index_);
  if (world_.domain) world_.domain->events.ended(index_);
}

void sim_node::restart(time_ms down_ms) {
  crash();
  world_.events.at(world_.now + down_ms, [this, down = down_] {
    if (!life_ && down == down_) start();
  });
}

void sim_node::crash_after(std::uint64_t commits, bool last_one_done, time_ms down_ms) {
  if (!life_) return;
  ++world_.counters.crashes;
  crash_in_ = commits;
  crash_applies_ = last_one_done;
  crash_down_ms_ = down_ms;
  world_.events.at(world_.now + crash_anyway_ms, [this, life = lives_, down_ms] {
    if (life_ && life == lives_ && crash_in_) restart(down_ms);
  });
}

void sim_node::fail_disk(time_ms down_ms) {
  if (life_) disk_error_down_ = down_ms;
}

void sim_node::pause(time_ms until) {
  if (!life_) return;
  ++world_.counters.pauses;
  world_.record(trace_kind::pause, index_, until);
  paused_until_ = std::max(paused_until_, until);
}

void sim_node::jump_clock(std::int64_t offset_ms) {
  ++world_.counters.clock_jumps;
  jump_ms_ = offset_ms;
  if (life_) restart(restart_after_jump_ms);
}

void sim_node::heal() {
  crash_in_.reset();
  disk_error_down_.reset();
  paused_until_ = std::min(paused_until_, world_.now);
  if (jump_ms_ != 0) {
    jump_ms_ = 0;
    crash();
  }
  if (!life_) start();
}

// --- what the judge asks ---

std::string sim_node::unsettled() const {
  if (!life_) return "it is down";
  const auto s = life_->unicast.stats();
  if (!life_->without_id.empty() || !life_->without_mark.empty()) return "messages wait for the disk";
  if (s.queued > 0) return std::to_string(s.queued) + " messages are not acknowledged";
  if (s.pending > 0) return std::to_string(s.pending) + " messages are held back";
  if (s.open > 0) return std::to_string(s.open) + " messages are being handled";
  if (!life_->numbers.empty()) return std::to_string(life_->numbers.size()) + " messages have no outcome";
  return {};
}

void sim_node::check_bounds() const {
  if (!life_) return;
  const reliable_config limits;
  const auto s = life_->unicast.stats();
  world_.judge.size("outgoing streams", s.streams_out, limits.streams_max);
  world_.judge.size("queued octets", s.queued_octets, limits.node_octets_max);
  world_.judge.size("incoming streams", s.streams_in, limits.streams_max);
  world_.judge.size("messages held back", s.pending, limits.pending_max);
  world_.judge.size("octets held back", s.pending_octets, limits.pending_octets_max);
  world_.judge.size("messages in hand", s.open, limits.open_max);
  world_.judge.size("nodes known", life_->adverts.node_count(), advert_nodes_max);
  world_.judge.size("engines known", life_->adverts.engine_count(), advert_engines_max);
  world_.judge.size("replay pairs", life_->replay.size(), replay_pairs_max);
  world_.judge.size("replay ids", life_->replay.remembered_ids(), replay_ids_max);
  if (life_->shared && life_->shared->topics)
    for (const auto& topic : life_->shared->topics->all_topics()) {
      const auto is = life_->shared->topics->info(topic)->multicast;
      const multicast_config at_most;
      world_.judge.size("events held back", is.pending, at_most.pending_max);
      world_.judge.size("events kept", is.stored, at_most.store_events_max);
      world_.judge.size("chains of publishers", is.chains, at_most.chains_max);
    }
  const pool_config pool_limits;
  world_.judge.size("links", life_->pool.links(), pool_limits.links_max);
  world_.judge.size("handshakes", life_->pool.handshakes(), pool_limits.handshakes_max);
}

std::vector<std::uint32_t> sim_node::neighbours() const {
  std::vector<std::uint32_t> out;
  if (!life_) return out;
  for (const auto& [peer, link] : life_->announced) {
    const auto other = world_.owner(peer);
    if (other != any_node && world_.nodes[other]->honest() && world_.nodes[other]->alive()) out.push_back(other);
  }
  return out;
}

// --- disk ---

void sim_node::save(table where, std::vector<key_value_write> writes, std::function<void()> then) {
  life_->waiting.push_back({where, std::move(writes), std::move(then)});
  begin_commit();
}

void sim_node::begin_commit() {
  auto& l = *life_;
  if (l.commit_under_way || l.waiting.empty()) return;
  l.commit_under_way = true;
  while (!l.waiting.empty() && l.committing.size() < commit_group_max) {
    l.committing.push_back(std::move(l.waiting.front()));
    l.waiting.pop_front();
  }
  later(1 + random_.below(commit_max_ms), [this] { end_commit(); });
}

void sim_node::apply(const std::deque<write_request>& group) {
  for (const auto& request : group)
    for (const auto& w : request.writes) {
      if (w.value)
        disk_[{request.where, w.key}] = *w.value;
      else
        disk_.erase({request.where, w.key});
    }
}

void sim_node::end_commit() {
  auto& l = *life_;
  if (disk_error_down_) {
    ++world_.counters.disk_errors;
    world_.record(trace_kind::disk_error, index_, l.committing.size());
    l.commit_under_way = false; // nothing of it is on the disk
    return restart(*disk_error_down_);
  }
  if (crash_in_ && *crash_in_ == 0) {
    if (crash_applies_) apply(l.committing);
    l.commit_under_way = false;
    return restart(crash_down_ms_);
  }
  if (crash_in_) --*crash_in_;
  ++world_.counters.commits;
  world_.record(trace_kind::commit, index_, l.committing.size());
  apply(l.committing);
  const auto done = std::exchange(l.committing, {});
  l.commit_under_way = false;
  for (const auto& request : done)
    if (request.then) request.then();
  begin_commit();
}

// --- the end of every input ---

/// Keeps the lease of ids and the mark of replays ahead, as the router does.
void sim_node::persist_ids() {
  auto& l = *life_;
  if (const auto lease = l.clock.lease_to_persist(local() * 1000))
    save(table::clock, {{to_bytes(lease_key), number_record(std::max(*lease, stored(lease_key)))}}, [this, lease] {
      life_->clock.persisted(*lease);
      for (auto& p : std::exchange(life_->without_id, {})) accept(std::move(p));
    });
  if (const auto mark = l.replay.mark_to_persist(local()))
    save(table::clock, {{to_bytes(mark_key), number_record(std::max(*mark, stored(mark_key)))}}, [this, mark] {
      life_->replay.persisted(*mark);
      for (auto& m : std::exchange(life_->without_mark, {})) screen(std::move(m));
    });
}

void sim_node::finish() {
  flush_services();
  unicast_effects effects;
  life_->unicast.flush(local(), effects);
  perform(std::move(effects));
  persist_ids();
  flush_links();
  arm_unicast();
  arm_pool();
  if (life_->swept) return;
  life_->swept = true;
  later(sweep_every_ms, [this] {
    life_->replay.sweep(local());
    life_->swept = false;
  });
}

} // namespace hanse::sim
