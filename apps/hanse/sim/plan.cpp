// See plan.hpp. Each rule draws from a random stream of its own, so that adding a rule leaves the others' draws alone.
#include "hanse/sim/plan.hpp"

#include "hanse/sim/domain_invariants.hpp"

#include <algorithm>

namespace hanse::sim {

namespace {

constexpr std::uint64_t enter_stream = 3000;
constexpr std::uint64_t level_first = 2, level_count = 18; ///< of those that are promoted: below introducers
constexpr std::uint64_t contacts_stream = 4000; ///< of random numbers; rules have those from 1 and from 1000 on
constexpr time_ms flap_ms = 500;                ///< a flapping partition is on, then off, for about so long; a guess
constexpr time_ms replay_late_ms = 120'000; ///< a replayed message comes again up to so much later (issue: 0–2 min)
constexpr std::uint64_t commits_before_crash = 4; ///< a crash comes before, at or after one of the next so many commits

std::uint64_t in_range(random_source& random, range r) {
  return r.min + random.below(r.max - r.min + 1);
}

class planner {
public:
  planner(const scenario& s, std::uint64_t seed) : scenario_(s), seed_(seed), nodes_(s.node_count()) {
    std::uint32_t first = 0;
    for (const auto& g : s.groups) {
      first_.push_back(first);
      first += g.count;
    }
  }

  std::vector<action> make() {
    for (std::size_t i = 0; i < scenario_.faults.size(); ++i) {
      seeded_random random{stream(1 + i)};
      add(scenario_.faults[i], random);
    }
    for (std::size_t i = 0; i < scenario_.workload.size(); ++i) {
      seeded_random random{stream(1000 + i)};
      add(scenario_.workload[i], random);
    }
    if (scenario_.domain) add_entries();
    std::erase_if(out_, [this](const action& a) { return a.at >= scenario_.duration_ms; });
    std::stable_sort(out_.begin(), out_.end(), [](const action& a, const action& b) { return a.at < b.at; });
    return std::move(out_);
  }

private:
  std::uint64_t stream(std::uint64_t purpose) const { return seed_ * 4096 + purpose; }

  std::vector<std::uint32_t> members(const std::string& group) const {
    std::vector<std::uint32_t> out;
    for (std::size_t g = 0; g < scenario_.groups.size(); ++g)
      if (group == "*" || group == scenario_.groups[g].name)
        for (std::uint32_t i = 0; i < scenario_.groups[g].count; ++i) out.push_back(first_[g] + i);
    return out;
  }

  std::pair<time_ms, time_ms> span(const period& p) const {
    const auto to = p.to_ms == 0 ? scenario_.duration_ms : std::min(p.to_ms, scenario_.duration_ms);
    return {std::min(p.from_ms, to), to};
  }

  static std::uint32_t pick(const std::vector<std::uint32_t>& from, random_source& random) {
    return from[random.below(from.size())];
  }

  /// `per_minute` occurrences on average: the whole part always, the rest by chance.
  static std::uint64_t occurrences(std::uint64_t per_minute, time_ms length, random_source& random) {
    const auto total = per_minute * length;
    return total / 60'000 + (random.below(60'000) < total % 60'000 ? 1 : 0);
  }

  void add_entries() {
    seeded_random random{stream(enter_stream)};
    for (const auto node : domain_nodes(scenario_)) {
      action a;
      a.at = std::min(in_range(random, scenario_.domain->enter_ms), scenario_.duration_ms - 1);
      a.what = action_kind::enter;
      a.a = node;
      out_.push_back(a);
    }
  }

  /// Work in the domain, by members of it; what needs a rank, by introducers.
  void add_domain_work(const workload_rule& w, random_source& random) {
    const auto [from, to] = span(w.when);
    if (from >= to || !scenario_.domain) return;
    const auto inside = domain_nodes(scenario_);
    const auto last_introducer = inside[scenario_.domain->introducers - 1];
    const bool by_rank = w.what == work_kind::promote || w.what == work_kind::expel;
    auto doers = members(w.from), targets = members(w.to);
    std::erase_if(doers, [&](auto n) {
      return !std::binary_search(inside.begin(), inside.end(), n) || (by_rank && n > last_introducer);
    });
    std::erase_if(targets,
                  [&](auto n) { return !std::binary_search(inside.begin(), inside.end(), n) || n <= last_introducer; });
    if (w.what == work_kind::leave) std::erase_if(doers, [&](auto n) { return n <= last_introducer; });
    if (by_rank && targets.empty()) return;
    for (const auto doer : doers)
      for (auto n = occurrences(w.per_minute, to - from, random); n > 0; --n) {
        action a;
        a.at = from + random.below(to - from);
        a.a = doer;
        add_one(w, a, targets, random);
      }
  }

  void add_one(const workload_rule& w, action a, const std::vector<std::uint32_t>& targets, random_source& random) {
    switch (w.what) {
    case work_kind::put:
      a.what = action_kind::put;
      a.x = random.below(registers_max);
      break;
    case work_kind::promote:
      a.what = action_kind::promote;
      a.b = pick(targets, random);
      a.x = level_first + random.below(level_count);
      break;
    case work_kind::expel:
      a.what = action_kind::expel;
      a.b = pick(targets, random);
      break;
    case work_kind::leave:
      a.what = action_kind::leave;
      a.y = in_range(random, w.away_ms);
      break;
    default: {
      a.what = action_kind::publish;
      const auto topic = std::find_if(scenario_.topics.begin(), scenario_.topics.end(),
                                      [&](const topic_rule& t) { return t.name == w.topic; });
      a.x = static_cast<std::uint64_t>(topic - scenario_.topics.begin());
      a.y = in_range(random, w.body_octets);
      a.flag = random.below(1000) < w.reliable_permille;
      break;
    }
    }
    out_.push_back(a);
  }

  void add(const workload_rule& w, random_source& random) {
    if (w.what != work_kind::unicast) return add_domain_work(w, random);
    const auto senders = members(w.from), all = members(w.to);
    const auto [from, to] = span(w.when);
    if (from >= to) return;
    for (const auto sender : senders) {
      auto receivers = all;
      std::erase(receivers, sender);
      if (!scenario_.gossip && scenario_.contacts > 0) { // it will never hear of others
        const auto known = contacts_of(scenario_, seed_, sender);
        std::erase_if(receivers, [&](auto r) { return !std::binary_search(known.begin(), known.end(), r); });
      }
      if (receivers.empty()) continue;
      if (w.destinations > 0 && w.destinations < receivers.size()) {
        for (std::size_t i = 0; i < w.destinations; ++i)
          std::swap(receivers[i], receivers[i + random.below(receivers.size() - i)]);
        receivers.resize(w.destinations);
      }
      for (auto n = occurrences(w.per_minute, to - from, random); n > 0; --n) {
        action a;
        a.at = from + random.below(to - from);
        a.a = sender;
        a.b = pick(receivers, random);
        a.x = in_range(random, w.body_octets);
        a.y = w.ttl_ms;
        a.z = w.reply_permille;
        a.flag = random.below(1000) < w.reliable_permille;
        out_.push_back(a);
      }
    }
  }

  void add(const fault_rule& f, random_source& random) {
    const auto victims = members(f.from);
    const auto [from, to] = span(f.when);
    if (victims.empty()) return;
    if (f.what == fault_kind::byzantine) return add_byzantine(f, victims, random);
    if (f.what <= fault_kind::reorder) return add_condition(f, from, to);
    auto times = f.at_ms;
    for (auto n = from < to ? occurrences(f.per_minute, to - from, random) : 0; n > 0; --n)
      times.push_back(from + random.below(to - from));
    std::sort(times.begin(), times.end());
    for (const auto at : times) occur(f, at, victims, random);
  }

  /// Loss and the like hold for a period, between groups; nodes are named by the first of their group, any_node: all.
  void add_condition(const fault_rule& f, time_ms from, time_ms to) {
    if (from >= to) return;
    static constexpr std::array kinds{action_kind::loss, action_kind::duplicate, action_kind::replay,
                                      action_kind::reorder};
    action a;
    a.at = from;
    a.what = kinds[static_cast<std::size_t>(f.what)];
    a.x = f.permille;
    a.y = to;
    a.z = f.what == fault_kind::replay ? std::min(f.length_ms.max, replay_late_ms) : f.length_ms.max;
    const auto one = [](const std::string& group, const std::vector<std::uint32_t>& nodes) {
      return group == "*" ? std::vector<std::uint32_t>{any_node} : nodes;
    };
    for (const auto sender : one(f.from, members(f.from)))
      for (const auto receiver : one(f.to, members(f.to))) {
        a.a = sender;
        a.b = receiver;
        out_.push_back(a);
      }
  }

  void add_byzantine(const fault_rule& f, std::vector<std::uint32_t> victims, random_source& random) {
    if (scenario_.domain) std::erase(victims, domain_nodes(scenario_).front()); // somebody has to let the others in
    for (std::uint32_t i = 0; i < f.count && !victims.empty(); ++i) {
      const auto at = random.below(victims.size());
      action a;
      a.what = action_kind::byzantine;
      a.a = victims[at];
      a.x = static_cast<std::uint64_t>(f.behaviour);
      victims.erase(victims.begin() + static_cast<std::ptrdiff_t>(at));
      out_.push_back(a);
    }
  }

  void occur(const fault_rule& f, time_ms at, const std::vector<std::uint32_t>& victims, random_source& random) {
    action a;
    a.at = at;
    a.a = pick(victims, random);
    const auto length = in_range(random, f.length_ms);
    switch (f.what) {
    case fault_kind::clog: {
      auto others = members(f.to);
      std::erase(others, a.a);
      if (others.empty()) return;
      a.what = action_kind::clog;
      a.b = pick(others, random);
      a.y = at + length;
      break;
    }
    case fault_kind::partition:
      return part(f, at, length, victims, random);
    case fault_kind::pause:
      a.what = action_kind::pause;
      a.y = at + length;
      break;
    case fault_kind::clock_jump:
      a.what = action_kind::clock_jump;
      a.x = clock_jump_max_ms - std::min<time_ms>(length, clock_jump_max_ms);
      if (random.below(2) == 0) a.x = 2 * clock_jump_max_ms - a.x;
      break;
    case fault_kind::crash:
      a.what = action_kind::crash;
      a.x = random.below(commits_before_crash);
      a.y = length;
      a.flag = random.below(2) == 0;
      break;
    default:
      a.what = action_kind::disk_error;
      a.y = length;
      break;
    }
    out_.push_back(a);
  }

  /// A seeded part of the victims, at most half of all nodes, is cut off from the rest.
  void part(const fault_rule& f, time_ms at, time_ms length, std::vector<std::uint32_t> victims,
            random_source& random) {
    const auto count =
        1 + random.below(std::max<std::uint64_t>(1, std::min<std::uint64_t>(victims.size(), nodes_ / 2)));
    for (std::size_t i = 0; i < count; ++i) std::swap(victims[i], victims[i + random.below(victims.size() - i)]);
    victims.resize(count);
    std::sort(victims.begin(), victims.end());
    const bool one_way = f.mode == partition_mode::asymmetric, inward = random.below(2) == 0;
    std::vector<std::pair<time_ms, time_ms>> spans{{at, at + length}};
    if (f.mode == partition_mode::flapping) {
      spans.clear();
      for (auto t = at; t < at + length; t += 2 * flap_ms) {
        const auto begin =
            t + random.below(flap_ms / 2); // one draw a statement: compilers order arguments as they like
        spans.emplace_back(begin, t + flap_ms + random.below(flap_ms / 2));
      }
    }
    for (const auto& [begin, end] : spans)
      for (const auto victim : victims)
        for (std::uint32_t other = 0; other < nodes_; ++other) {
          if (std::binary_search(victims.begin(), victims.end(), other)) continue;
          action a;
          a.at = begin;
          a.what = action_kind::block;
          a.a = inward ? other : victim;
          a.b = inward ? victim : other;
          a.y = end;
          a.flag = one_way;
          out_.push_back(a);
        }
  }

  const scenario& scenario_;
  std::uint64_t seed_;
  std::uint32_t nodes_;
  std::vector<std::uint32_t> first_; // node of each group
  std::vector<action> out_;
};

} // namespace

std::vector<std::uint32_t> domain_nodes(const scenario& s) {
  std::vector<std::uint32_t> out;
  for (std::uint32_t i = 0; s.domain && i < s.node_count(); ++i)
    if (in_group(s, i, s.domain->members)) out.push_back(i);
  return out;
}

std::vector<std::uint32_t> contacts_of(const scenario& s, std::uint64_t seed, std::uint32_t index) {
  const auto n = s.node_count();
  std::vector<std::uint32_t> out;
  if (s.contacts == 0 || s.contacts >= n - 1) {
    for (std::uint32_t i = 0; i < n; ++i)
      if (i != index) out.push_back(i);
    return out;
  }
  seeded_random random{seed * 4096 + contacts_stream + (std::uint64_t{index} << 40)};
  out.push_back((index + 1) % n); // a ring through all
  while (out.size() < s.contacts) {
    const auto c = static_cast<std::uint32_t>(random.below(n));
    if (c != index && std::find(out.begin(), out.end(), c) == out.end()) out.push_back(c);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<action> plan(const scenario& s, std::uint64_t seed) {
  return planner{s, seed}.make();
}

} // namespace hanse::sim
