// A small typed actor for the tests of the actors layer: what a researcher's engine looks like.
#pragma once

#include "hanse/actors/node.hpp"

struct calculator_stats {
  std::int32_t additions = 0;
  std::string last;
};

template <class Inspector>
bool inspect(Inspector& f, calculator_stats& x) {
  return f.object(x).fields(f.field("additions", x.additions), f.field("last", x.last));
}

CAF_BEGIN_TYPE_ID_BLOCK(calculator, caf::first_custom_type_id)
CAF_ADD_TYPE_ID(calculator, (calculator_stats))
CAF_ADD_ATOM(calculator, calc, add_atom)
CAF_ADD_ATOM(calculator, calc, stats_atom)
CAF_ADD_ATOM(calculator, calc, note_atom)
CAF_ADD_ATOM(calculator, calc, fail_atom)
CAF_ADD_ATOM(calculator, calc, never_atom)
CAF_ADD_ATOM(calculator, calc, quit_atom)
CAF_END_TYPE_ID_BLOCK(calculator)

using calculator_actor =
    caf::typed_actor<caf::result<std::int32_t>(calc::add_atom, std::int32_t, std::int32_t),
                     caf::result<calculator_stats>(calc::stats_atom), caf::result<void>(calc::note_atom, std::string),
                     caf::result<void>(calc::fail_atom), caf::result<void>(calc::never_atom),
                     caf::result<void>(calc::quit_atom)>;

HANSE_PROTOCOL(calculator_actor, "calculator/1.0")

struct calculator_engine {
  explicit calculator_engine(calculator_actor::pointer self) : self(self) {}

  calculator_actor::behavior_type make_behavior() {
    return {
        [this](calc::add_atom, std::int32_t a, std::int32_t b) {
          ++stats.additions;
          return a + b;
        },
        [this](calc::stats_atom) { return stats; },
        [this](calc::note_atom, const std::string& text) { stats.last = text; },
        [](calc::fail_atom) -> caf::result<void> { return caf::make_error(caf::sec::invalid_argument, "as asked"); },
        [this](calc::never_atom) -> caf::result<void> {
          kept.push_back(self->make_response_promise());
          return kept.back();
        },
        [this](calc::quit_atom) { self->quit(); },
    };
  }

  calculator_actor::pointer self;
  calculator_stats stats;
  std::vector<caf::response_promise> kept;
};
