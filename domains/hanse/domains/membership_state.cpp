// The membership map's state: how it follows the acknowledged part of the blocklace, and what it tells of changes.
// Not the rules (membership_map.cpp).
#include "hanse/domains/membership_map.hpp"

#include "hanse/domains/internal/map_scope.hpp"

#include <algorithm>

namespace hanse {

namespace {

const domain_terms default_terms{};

} // namespace

bytes membership_map::value_at(const lace_graph& g, block_index b) const {
  return b == no_block ? bytes{} : to_bytes(value_in(g.payload(b)));
}

void membership_map::mark(key_index k) {
  if (std::exchange(keys_[k].is_dirty, true)) return;
  dirty_.push_back(k);
}

/// Keeps the Puts that nothing replaced or removed: those that matter for the register.
void membership_map::fold_text(const scope& s, std::vector<block_index>& live, block_index b) const {
  if (!stands(s, b)) return;
  std::erase_if(live, [&](block_index old) { return s.g.in_past(old, b); });
  if (records_[b].kind == map_op_kind::put) live.push_back(b);
}

block_index membership_map::winner(const lace_graph& g, const std::vector<block_index>& live) const {
  if (live.empty()) return no_block;
  return *std::ranges::max_element(live, {}, [&](block_index b) { return std::pair{g[b].height, g[b].id}; });
}

void membership_map::apply_one(const scope& s, block_index b) {
  const auto& r = records_[b];
  if (r.kind == map_op_kind::configure) {
    for (const auto& c : configs_) // all of them: an old one may have been the newest until now
      for (const auto& i : c.terms.introducers) mark(find_key(i));
  }
  if (r.key == no_key) return;
  mark(r.key);
  if (std::holds_alternative<std::string>(keys_[r.key].key)) fold_text(s, keys_[r.key].live, b);
}

void membership_map::apply(const lace_graph& lace, std::span<const block_index> blocks, map_effects& out) {
  lace_ = &lace;
  for (const auto b : blocks) {
    if (records_[b].applied) continue;
    records_[b].applied = true;
    applied_.push_back(b);
  }
  scope s{lace, records_, no_block, false, {}};
  find_standing(s);
  // What stood may be void now, and the other way round: rare, so everything is folded anew.
  const bool is_upset = !potent_.empty() && std::ranges::any_of(blocks, [&](block_index b) {
    const auto& r = records_[b];
    return r.kind == map_op_kind::checkpoint ||
           (r.potent && voids_one(lace, b, [&](block_index o) { return records_[o].applied; }));
  });
  if (is_upset) {
    refold(s);
  } else {
    for (const auto b : blocks) apply_one(s, b);
  }
  report(s, out);
}

void membership_map::refold(const scope& s) {
  for (key_index k = 0; k < keys_.size(); ++k) {
    keys_[k].live.clear();
    mark(k);
  }
  for (const auto b : applied_) apply_one(s, b);
}

void membership_map::rebuild(const lace_graph& lace, std::span<const block_index> acknowledged, map_effects& out) {
  lace_ = &lace;
  for (const auto b : applied_) records_[b].applied = false;
  applied_.assign(acknowledged.begin(), acknowledged.end());
  for (const auto b : applied_) records_[b].applied = true;
  scope s{lace, records_, no_block, false, {}};
  find_standing(s);
  refold(s);
  report(s, out);
}

// --- changes ---

void membership_map::report(const scope& s, map_effects& out) {
  show_config(s, out);
  std::ranges::sort(dirty_, {}, [&](key_index k) -> const map_key& { return keys_[k].key; });
  for (const auto k : std::exchange(dirty_, {})) {
    keys_[k].is_dirty = false;
    if (std::holds_alternative<identity>(keys_[k].key)) {
      report_member(s, keys_[k], k, out);
    } else {
      report_text(s.g, keys_[k], out);
    }
  }
}

void membership_map::show_config(const scope& s, map_effects& out) {
  const auto* newest = config_in(s);
  if (!newest) {
    shown_config_.reset();
    return;
  }
  if (shown_config_ && shown_config_->hash == newest->hash) {
    shown_config_->b = newest->b;
    return;
  }
  shown_config_ = *newest;
  out.emplace_back(config_changed{newest->terms.version, value_at(s.g, newest->b)});
}

void membership_map::report_member(const scope& s, key_entry& k, key_index index, map_effects& out) {
  const auto& who = std::get<identity>(k.key);
  if (who == owner_) return;
  const auto before = std::exchange(k.shown, level_in(s, index));
  const auto& now = k.shown;
  if (before.level == now.level && before.value == now.value) return;
  if (now.level == level_none) {
    --member_count_;
    out.emplace_back(member_removed{who});
    return;
  }
  if (before.level == level_none) {
    ++member_count_;
    out.emplace_back(member_added{who, now.level});
  } else if (before.level != now.level) {
    out.emplace_back(level_changed{who, before.level, now.level});
  }
  if (before.value == now.value) return;
  if (auto value = value_at(s.g, now.value); value != value_at(s.g, before.value))
    out.emplace_back(value_changed{k.key, std::move(value)});
}

void membership_map::report_text(const lace_graph& g, key_entry& k, map_effects& out) {
  const auto before = std::exchange(k.shown_text, winner(g, k.live));
  if (before == k.shown_text) return;
  if (k.shown_text == no_block) {
    out.emplace_back(value_changed{k.key, std::nullopt});
  } else if (auto value = value_at(g, k.shown_text); before == no_block || value != value_at(g, before)) {
    out.emplace_back(value_changed{k.key, std::move(value)});
  }
}

// --- the state ---

member_level membership_map::level_of(const identity& who) const noexcept {
  if (who == owner_) return level_owner;
  const auto k = find_key(who);
  return k == no_key ? level_none : keys_[k].shown.level;
}

std::vector<member_view> membership_map::members() const {
  std::vector<member_view> out;
  for (const auto& [name, k] : key_by_name_) {
    const auto* who = std::get_if<identity>(&name);
    const auto& shown = keys_[k].shown;
    if (!who || shown.level == level_none) continue;
    const auto since = shown.value != no_block ? shown.value : shown.source;
    out.push_back({*who, shown.level, records_[since].at_ms, value_at(*lace_, shown.value)});
  }
  return out;
}

std::vector<identity> membership_map::member_ids() const {
  std::vector<identity> out;
  for (const auto& [name, k] : key_by_name_)
    if (const auto* who = std::get_if<identity>(&name); who && keys_[k].shown.level != level_none) out.push_back(*who);
  return out;
}

std::optional<bytes> membership_map::value_of(std::string_view key) const {
  const auto k = find_key(std::string{key});
  if (k == no_key || keys_[k].shown_text == no_block) return std::nullopt;
  return value_at(*lace_, keys_[k].shown_text);
}

std::vector<std::pair<std::string, bytes>> membership_map::registers() const {
  std::vector<std::pair<std::string, bytes>> out;
  for (const auto& [name, k] : key_by_name_)
    if (const auto* text = std::get_if<std::string>(&name); text && keys_[k].shown_text != no_block)
      out.emplace_back(*text, value_at(*lace_, keys_[k].shown_text));
  return out;
}

const domain_terms& membership_map::terms() const noexcept {
  return shown_config_ ? shown_config_->terms : default_terms;
}

std::optional<bytes> membership_map::signed_advert() const {
  if (!shown_config_) return std::nullopt;
  return value_at(*lace_, shown_config_->b);
}

digest membership_map::state_hash() const {
  msgpack_writer out;
  out.array(4);
  out.text("hanse-map-v1");
  if (shown_config_) {
    out.blob(shown_config_->hash.view());
  } else {
    out.nil();
  }
  const auto all = members();
  out.array(3 * all.size());
  for (const auto& m : all) {
    out.blob(m.member.wire());
    out.unsigned_integer(m.level);
    out.blob(m.value);
  }
  const auto values = registers();
  out.array(2 * values.size());
  for (const auto& [key, value] : values) {
    out.text(key);
    out.blob(value);
  }
  return blake2b_256(out.view());
}

// --- checkpoints ---

block_index membership_map::newest_checkpoint(bool archived) const noexcept {
  block_index newest = no_block;
  const auto order = [&](block_index c) { return std::tuple{records_[c].version, (*lace_)[c].height, (*lace_)[c].id}; };
  for (const auto c : checkpoints_)
    if (records_[c].applied && (records_[c].archived || !archived) && (newest == no_block || order(newest) < order(c)))
      newest = c;
  return newest;
}

block_index membership_map::checkpoint() const noexcept {
  return newest_checkpoint(false);
}

block_index membership_map::archived_checkpoint() const noexcept {
  return newest_checkpoint(true);
}

bool membership_map::is_by_owner(const map_op& op) const {
  const auto signature = decode_message_signature(op.signature);
  return signature && verify(owner_, checkpoint_statement(owner_, op.version, op.state, op.archive), *signature);
}

std::uint64_t membership_map::checkpoint_version() const noexcept {
  const auto c = checkpoint();
  return c == no_block ? 0 : records_[c].version;
}

/// Nothing voids what the checkpoint covers, so what is replaced or removed below it stays so.
std::vector<block_index> membership_map::strippable(const lace_graph& lace) const {
  const auto c = checkpoint();
  if (c == no_block) return {};
  return strippable_below(lace, c);
}

std::vector<block_index> membership_map::strippable_below(const lace_graph& lace, block_index c) const {
  scope s{lace, records_, c, c != no_block, {}};
  find_standing(s);
  std::map<key_index, std::vector<block_index>> live;
  std::vector<block_index> covered;
  for (const auto b : applied_) {
    const auto& r = records_[b];
    if (b == c || lace[b].bare || r.kind == map_op_kind::none || !s.has(b)) continue;
    const bool is_text = r.key != no_key && std::holds_alternative<std::string>(keys_[r.key].key);
    if (is_text) fold_text(s, live[r.key], b);
    if (is_text || r.kind == map_op_kind::ack) covered.push_back(b);
  }
  std::erase_if(covered, [&](block_index b) {
    const auto& r = records_[b];
    if (r.key == no_key) return false;
    return keys_[r.key].shown_text == b || std::ranges::find(live[r.key], b) != live[r.key].end();
  });
  return covered;
}

std::size_t membership_map::memory() const noexcept {
  std::size_t octets = records_.capacity() * sizeof(record) + applied_.capacity() * sizeof(block_index);
  for (const auto& k : keys_) octets += 2 * sizeof(key_entry) + (k.ops.capacity() + k.live.capacity()) * 4;
  return octets;
}

bool membership_map::was_member(const identity& who) const noexcept {
  const auto k = find_key(who);
  if (k == no_key || keys_[k].shown.level != level_none) return false;
  return std::ranges::any_of(keys_[k].ops, [&](block_index b) { return records_[b].applied; });
}

bool membership_map::is_expelled(const identity& who) const noexcept {
  const auto k = find_key(who);
  if (k == no_key || keys_[k].shown.level != level_none || !lace_) return false;
  return std::ranges::any_of(keys_[k].revokes, [&](block_index r) {
    return records_[r].applied && std::ranges::none_of(keys_[k].ops, [&](block_index a) {
             return records_[a].kind == map_op_kind::add && records_[a].applied && lace_->in_past(r, a);
           });
  });
}

} // namespace hanse
