// See world.hpp.
#include "hanse/sim/world.hpp"

#include "hanse/sim/sim_node.hpp"

namespace hanse::sim {

namespace {

// Random streams of one seed. Planning uses others (plan.cpp).
constexpr std::uint64_t network_stream = 1, signing_stream = 2, chaos_stream = 3;

std::uint64_t stream(std::uint64_t seed, std::uint64_t purpose) {
  return (seed << 20) ^ (purpose + 0x5349'4d00'0000'0000); // "SIM": far from the numbers that plans use
}

sim_path usual_path(const scenario& s) {
  for (const auto& l : s.links)
    if (l.from == "*" && l.to == "*") return l.path;
  return {};
}

bool is_real(const scenario& s, std::uint64_t seed) {
  return s.signatures == signing_share::real || (s.signatures == signing_share::some && seed % 8 == 0);
}

} // namespace

world::world(const scenario& s, std::uint64_t seed_of_run, trace_log* log_of_run)
    : what(s), seed(seed_of_run), net(stream(seed, network_stream), usual_path(s)),
      signing(is_real(s, seed), stream(seed, signing_stream)), chaos(stream(seed, chaos_stream)), judge(s.node_count()),
      log(log_of_run) {
  judge.expect(s.expect);
  if (s.domain) domain = std::make_unique<domain_setup>(s, seed, judge);
}

world::~world() = default;

std::uint64_t world::number(const message_info& m) {
  messages.push_back(m);
  return messages.size() - 1;
}

std::uint32_t world::owner(const identity& id) const {
  const auto it = owners.find(id);
  return it == owners.end() ? any_node : it->second;
}

expected<parsed_advert> world::parse(const bytes& wire) {
  std::string name{reinterpret_cast<const char*>(wire.data()), wire.size()};
  if (const auto it = adverts_.find(name); it != adverts_.end()) return it->second;
  auto node = decode_node_advert(wire);
  if (node) return adverts_.emplace(std::move(name), std::move(*node)).first->second;
  if (node.code() != errc::bad_type) return node.error();
  HANSE_TRY(auto engine, decode_engine_advert(wire));
  return adverts_.emplace(std::move(name), std::move(engine)).first->second;
}

void message_chaos::delays(std::uint32_t from, std::uint32_t to, time_ms now, std::vector<time_ms>& out) {
  out.assign(1, 0);
  if (rules_.empty()) return;
  std::erase_if(rules_, [now](const action& r) { return r.y <= now; });
  for (const auto& r : rules_) {
    if ((r.a != any_node && r.a != from) || (r.b != any_node && r.b != to)) continue;
    if (random_.below(1000) >= r.x) continue;
    switch (r.what) {
    case action_kind::loss:
      out.clear();
      return;
    case action_kind::duplicate:
      out.push_back(random_.below(50)); // soon after: as a network doubles packets
      break;
    case action_kind::replay:
      out.push_back(random_.below(r.z + 1));
      break;
    default:
      out.front() += random_.below(r.z + 1);
      break;
    }
  }
}

std::string network_host(std::uint32_t index) {
  std::string out{"n"};
  return out += std::to_string(index);
}

} // namespace hanse::sim
