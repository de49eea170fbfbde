// The store of adverts: see the header. Keys of its table: one letter for the kind, then the identity; the value of an
// advert is its origin and its signed octets, so that a restart verifies again what it takes back.

#include "hanse/protocols/advert_store.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::byte node_key{'n'};
constexpr std::byte engine_key{'e'};
constexpr std::byte trust_key{'t'};

bytes key_of(std::byte kind, const identity& id) {
  bytes key{kind};
  append(key, id.wire());
  return key;
}

bytes value_of(advert_origin origin, byte_view wire) {
  bytes value{static_cast<std::byte>(origin)};
  append(value, wire);
  return value;
}

void erase_key(std::byte kind, const identity& id, advert_effects* out) {
  if (out) out->push_back(advert_persist{{key_of(kind, id), std::nullopt}});
}

/// Whether `advert` may replace `known`.
template <class Advert>
expected<unit> check_version(const signed_advert<Advert>& advert, const signed_advert<Advert>& known) {
  if (advert.value.version < known.value.version) return errc::stale;
  if (advert.value.version > known.value.version) return ok();
  return error{errc::already_exists, equal(advert.wire, known.wire) ? "" : "differs"};
}

/// Halves once per half-life that has passed; the rest of the time is kept by moving `since` in whole half-lives only.
void decay(std::int32_t& value, time_ms& since, time_ms now) noexcept {
  if (now < since) return;
  const auto steps = (now - since) / reputation_half_life_ms;
  value = steps > 30 ? 0 : value / (std::int32_t{1} << steps);
  since += steps * reputation_half_life_ms;
}

/// Weighs a new observation by 1/8 (RFC 6298 section 2.3, alpha).
template <class T>
void smooth(std::optional<T>& value, const std::optional<T>& sample) noexcept {
  if (!sample) return;
  if (!value) {
    value = sample;
    return;
  }
  const auto old = *value;
  *value = *sample >= old ? old + (*sample - old) / 8 : old - (old - *sample) / 8;
}

template <class Map>
std::vector<identity> sorted_keys(const Map& map) {
  std::vector<identity> keys;
  keys.reserve(map.size());
  for (const auto& [id, entry] : map) keys.push_back(id);
  std::sort(keys.begin(), keys.end());
  return keys;
}

} // namespace

/// Moves an entry to the end of its order of eviction; entries that stay for ever are not in it.
template <class Entry>
void advert_store::rank(eviction_order& order, const identity& id, Entry& e, bool used) {
  order.erase({e.last, id});
  e.last = usage{e.last.used || used, ++clock_};
  if (e.origin == advert_origin::learned) order.emplace(e.last, id);
}

bool advert_store::make_room(bool nodes, advert_effects* out) {
  auto& order = nodes ? node_order_ : engine_order_;
  if (order.empty()) return false;
  const auto victim = order.begin()->second;
  if (nodes)
    erase_node(victim, out);
  else
    erase_engine(victim, out);
  if (out) out->push_back(advert_evicted{victim});
  return true;
}

advert_store::node_entry* advert_store::touch_node(const identity& id, advert_effects* out) {
  if (const auto it = nodes_.find(id); it != nodes_.end()) return &it->second;
  if (nodes_.size() >= advert_nodes_max && !make_room(true, out)) return nullptr;
  auto& e = nodes_[id];
  rank(node_order_, id, e, false);
  return &e;
}

expected<unit> advert_store::put(signed_node_advert advert, advert_origin origin, advert_effects& out) {
  const auto id = advert.value.node;
  if (const auto* known = node(id)) {
    auto& e = nodes_[id];
    const bool promoted = origin > e.origin;
    e.origin = std::max(e.origin, origin);
    if (promoted) {
      rank(node_order_, id, e, false);
      out.push_back(advert_persist{{key_of(node_key, id), value_of(e.origin, known->wire)}});
    }
    HANSE_CHECK(check_version(advert, *known));
  }
  auto* e = touch_node(id, &out);
  if (!e) return errc::table_full;
  const bool changed = !e->advert || e->advert->value.addresses != advert.value.addresses;
  e->origin = std::max(e->origin, origin);
  e->advert = std::move(advert);
  rank(node_order_, id, *e, false);
  ++generation_;
  out.push_back(advert_persist{{key_of(node_key, id), value_of(e->origin, e->advert->wire)}});
  if (changed) out.push_back(node_changed{id});
  return ok();
}

expected<unit> advert_store::put(signed_engine_advert advert, advert_origin origin, advert_effects& out) {
  const auto id = advert.value.engine;
  auto it = engines_.find(id);
  identity from;
  if (it != engines_.end()) {
    auto& e = it->second;
    if (origin > e.origin) {
      e.origin = origin;
      rank(engine_order_, id, e, false);
      out.push_back(advert_persist{{key_of(engine_key, id), value_of(origin, e.advert.wire)}});
    }
    HANSE_CHECK(check_version(advert, e.advert));
    from = e.advert.value.node;
    unhost(id, from);
  } else {
    if (engines_.size() >= advert_engines_max && !make_room(false, &out)) return errc::table_full;
    it = engines_.try_emplace(id).first;
  }
  auto& e = it->second;
  e.origin = std::max(e.origin, origin);
  e.advert = std::move(advert);
  rank(engine_order_, id, e, false);
  const auto to = e.advert.value.node;
  hosted_[to].insert(id);
  ++generation_;
  out.push_back(advert_persist{{key_of(engine_key, id), value_of(e.origin, e.advert.wire)}});
  if (from != to) out.push_back(engine_moved{id, from, to});
  return ok();
}

void advert_store::unhost(const identity& engine, const identity& node) {
  const auto it = hosted_.find(node);
  if (it == hosted_.end()) return;
  it->second.erase(engine);
  if (it->second.empty()) hosted_.erase(it);
}

void advert_store::erase_node(const identity& id, advert_effects* out) {
  const auto it = nodes_.find(id);
  if (it == nodes_.end()) return;
  node_order_.erase({it->second.last, id});
  if (it->second.advert) {
    ++generation_;
    erase_key(node_key, id, out);
  }
  nodes_.erase(it);
}

void advert_store::erase_engine(const identity& id, advert_effects* out) {
  const auto it = engines_.find(id);
  if (it == engines_.end()) return;
  engine_order_.erase({it->second.last, id});
  unhost(id, it->second.advert.value.node);
  ++generation_;
  erase_key(engine_key, id, out);
  engines_.erase(it);
}

bool advert_store::remove(const identity& subject, advert_effects& out) {
  const bool known = node(subject) || engine(subject);
  if (node(subject)) erase_node(subject, &out);
  erase_engine(subject, &out);
  return known;
}

const signed_node_advert* advert_store::node(const identity& id) const noexcept {
  const auto it = nodes_.find(id);
  return it != nodes_.end() && it->second.advert ? &*it->second.advert : nullptr;
}

const signed_engine_advert* advert_store::engine(const identity& id) const noexcept {
  const auto it = engines_.find(id);
  return it != engines_.end() ? &it->second.advert : nullptr;
}

identity advert_store::node_of(const identity& engine_id) const noexcept {
  const auto* e = engine(engine_id);
  return e ? e->value.node : identity{};
}

std::vector<weighted_address> advert_store::addresses_of(const identity& id) const {
  const auto* advert = node(id);
  if (!advert) return {};
  std::vector<weighted_address> list; // at most advert_addresses_max
  for (const auto& a : advert->value.addresses) {
    const auto lighter = std::find_if(list.begin(), list.end(), [&](const auto& b) { return b.weight < a.weight; });
    list.insert(lighter, a);
  }
  return list;
}

std::vector<identity> advert_store::engines_of(const identity& node_id) const {
  const auto it = hosted_.find(node_id);
  if (it == hosted_.end()) return {};
  return {it->second.begin(), it->second.end()};
}

std::uint8_t advert_store::trust(const identity& id) const noexcept {
  const auto it = trust_.find(id);
  return it != trust_.end() ? it->second : trust_default;
}

expected<unit> advert_store::set_trust(const identity& id, std::uint8_t value, advert_effects& out) {
  const auto it = trust_.find(id);
  if (value == trust_default) {
    if (it == trust_.end()) return ok();
    trust_.erase(it);
    erase_key(trust_key, id, &out);
  } else {
    if (it == trust_.end() && trust_.size() >= trust_entries_max) return errc::table_full;
    trust_[id] = value;
    out.push_back(advert_persist{{key_of(trust_key, id), bytes{std::byte{value}}}});
  }
  ++generation_;
  return ok();
}

void advert_store::note(const identity& id, reputation_event event, time_ms now, advert_effects& out) {
  auto* e = touch_node(id, &out);
  if (!e) return;
  if (e->reputation == 0) e->reputation_ms = now;
  decay(e->reputation, e->reputation_ms, now);
  e->reputation = std::clamp(e->reputation + static_cast<std::int32_t>(event), -reputation_max, reputation_max);
}

std::int32_t advert_store::reputation(const identity& id, time_ms now) const noexcept {
  const auto it = nodes_.find(id);
  if (it == nodes_.end()) return 0;
  auto value = it->second.reputation;
  auto since = it->second.reputation_ms;
  decay(value, since, now);
  return value;
}

void advert_store::measure(const identity& id, const link_sample& sample, time_ms now, advert_effects& out) {
  auto* e = touch_node(id, &out);
  if (!e) return;
  smooth(e->measured.rtt_us, sample.rtt_us);
  smooth(e->measured.loss_ppm, sample.loss_ppm);
  smooth(e->measured.octets_per_second, sample.octets_per_second);
  e->measured.updated_ms = now;
}

const measurements& advert_store::measured(const identity& id) const noexcept {
  static const measurements none;
  const auto it = nodes_.find(id);
  return it != nodes_.end() ? it->second.measured : none;
}

void advert_store::note_use(const identity& subject) {
  if (const auto it = nodes_.find(subject); it != nodes_.end()) rank(node_order_, subject, it->second, true);
  if (const auto it = engines_.find(subject); it != engines_.end()) rank(engine_order_, subject, it->second, true);
}

std::vector<node_listing> advert_store::nodes(time_ms now) const {
  std::vector<node_listing> list;
  list.reserve(nodes_.size());
  for (const auto& id : sorted_keys(nodes_)) {
    const auto& e = nodes_.at(id);
    list.push_back({id, e.advert ? &*e.advert : nullptr, e.origin, trust(id), reputation(id, now), e.measured});
  }
  return list;
}

std::vector<engine_listing> advert_store::engines() const {
  std::vector<engine_listing> list;
  list.reserve(engines_.size());
  for (const auto& id : sorted_keys(engines_)) {
    const auto& e = engines_.at(id);
    list.push_back({&e.advert, e.origin, trust(id)});
  }
  return list;
}

expected<unit> advert_store::restore(byte_view key, byte_view value) {
  if (key.size() != 1 + identity::size_bytes || value.empty()) return errc::bad_value;
  HANSE_TRY(const auto id, identity::decode(key.subspan(1)));
  advert_effects ignored; // what is restored is durable already
  if (key[0] == trust_key) {
    if (value.size() != 1) return errc::bad_value;
    return set_trust(id, std::to_integer<std::uint8_t>(value[0]), ignored);
  }
  if (value[0] > std::byte{static_cast<std::uint8_t>(advert_origin::own)}) return errc::bad_value;
  const auto origin = static_cast<advert_origin>(value[0]);
  if (key[0] == node_key) {
    HANSE_TRY(auto advert, decode_node_advert(value.subspan(1)));
    if (advert.value.node != id) return errc::bad_value;
    return put(std::move(advert), origin, ignored);
  }
  if (key[0] != engine_key) return errc::bad_value;
  HANSE_TRY(auto advert, decode_engine_advert(value.subspan(1)));
  if (advert.value.engine != id) return errc::bad_value;
  return put(std::move(advert), origin, ignored);
}

} // namespace hanse
