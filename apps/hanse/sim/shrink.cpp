// See shrink.hpp.
#include "hanse/sim/shrink.hpp"

#include <algorithm>

namespace hanse::sim {

namespace {

class minimizer {
public:
  minimizer(std::vector<action> schedule, std::uint32_t runs_max,
            const std::function<bool(const std::vector<action>&)>& fails)
      : best_(std::move(schedule)), left_(runs_max), fails_(fails) {}

  std::vector<action> run() {
    for (std::size_t kind = 0; kind < action_kind_count; ++kind)
      without([kind](const action& a) { return static_cast<std::size_t>(a.what) == kind; });
    std::uint32_t nodes = 0;
    for (const auto& a : best_)
      if (a.a != any_node) nodes = std::max(nodes, a.a + 1);
    for (std::uint32_t n = 0; n < nodes && left_ > 0; ++n) without([n](const action& a) { return a.a == n; });
    halve();
    return std::move(best_);
  }

private:
  bool attempt(std::vector<action> fewer) {
    if (left_ == 0 || fewer.size() == best_.size()) return false;
    --left_;
    if (!fails_(fewer)) return false;
    best_ = std::move(fewer);
    return true;
  }

  template <class F>
  void without(F unwanted) {
    auto fewer = best_;
    std::erase_if(fewer, unwanted);
    attempt(std::move(fewer));
  }

  /// ddmin, complements only: a subset alone fails rarely when what fails is a sequence.
  void halve() {
    std::size_t parts = 2;
    while (left_ > 0 && best_.size() >= 2) {
      const auto size = (best_.size() + parts - 1) / parts;
      bool smaller = false;
      for (std::size_t begin = 0; begin < best_.size() && left_ > 0;) {
        auto fewer = best_;
        const auto end = std::min(begin + size, fewer.size());
        fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(begin),
                    fewer.begin() + static_cast<std::ptrdiff_t>(end));
        if (attempt(std::move(fewer)))
          smaller = true; // what came after is at `begin` now
        else
          begin = end;
      }
      if (size == 1 && !smaller) return;
      parts = smaller ? std::max<std::size_t>(parts - 1, 2) : std::min(parts * 2, best_.size());
    }
  }

  std::vector<action> best_;
  std::uint32_t left_;
  const std::function<bool(const std::vector<action>&)>& fails_;
};

} // namespace

std::vector<action> minimize(std::vector<action> schedule, std::uint32_t runs_max,
                             const std::function<bool(const std::vector<action>&)>& fails) {
  return minimizer{std::move(schedule), runs_max, fails}.run();
}

shrunk shrink(const scenario& s, std::uint64_t seed, std::vector<action> schedule, const shrink_options& options) {
  shrunk out;
  out.result = run(s, seed, schedule);
  out.runs = 1;
  if (!out.result.violation) {
    out.schedule = std::move(schedule);
    return out;
  }
  const auto wanted = out.result.violation->what;
  out.schedule = minimize(std::move(schedule), options.runs_max, [&](const std::vector<action>& fewer) {
    if (options.stop && options.stop()) return false;
    ++out.runs;
    auto result = run(s, seed, fewer);
    if (!result.violation || result.violation->what != wanted) return false;
    out.result = std::move(result);
    return true;
  });
  return out;
}

} // namespace hanse::sim
