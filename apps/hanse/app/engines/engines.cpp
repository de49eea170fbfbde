// The small engines, and the registration of all; the two for files are file_engines.cpp.
#include "hanse/app/engines/engines.hpp"

#include "hanse/app/engines/file_engines.hpp"

#include <caf/init_global_meta_objects.hpp>
#include <caf/typed_response_promise.hpp>

namespace hanse::engines {

namespace {

struct echo_engine {
  explicit echo_engine(echo_actor::pointer) {}
  echo_actor::behavior_type make_behavior() {
    return {[](const std::string& text) { return text; }};
  }
};

struct calculator_engine {
  explicit calculator_engine(calculator_actor::pointer) {}
  calculator_actor::behavior_type make_behavior() {
    return {
        [](add_atom, int64_t a, int64_t b) {
          int64_t result = 0;
          const bool overflows = __builtin_add_overflow(a, b, &result);
          return checked(overflows, result);
        },
        [](subtract_atom, int64_t a, int64_t b) {
          int64_t result = 0;
          const bool overflows = __builtin_sub_overflow(a, b, &result);
          return checked(overflows, result);
        },
        [](multiply_atom, int64_t a, int64_t b) {
          int64_t result = 0;
          const bool overflows = __builtin_mul_overflow(a, b, &result);
          return checked(overflows, result);
        },
    };
  }

  static caf::result<int64_t> checked(bool overflows, int64_t result) {
    if (overflows) return caf::make_error(caf::sec::invalid_argument, "the result does not fit 64 bits");
    return result;
  }
};

struct caller_engine {
  caller_engine(caller_actor::pointer self, engine_context context) : self(self), context(std::move(context)) {}
  caller_actor::behavior_type make_behavior() {
    return {[this](call_atom, const identity& who, int64_t a, int64_t b) -> caf::result<int64_t> {
      auto promise = self->make_response_promise<int64_t>();
      auto calculator = context.remote<calculator_actor>(who);
      compat::request(self, calculator, std::chrono::seconds{10}, add_atom_v, a, b)
          .then([promise](int64_t sum) mutable { promise.deliver(sum); },
                [promise](const caf::error& why) mutable { promise.deliver(why); });
      return promise;
    }};
  }
  caller_actor::pointer self;
  engine_context context;
};

struct counter_engine {
  explicit counter_engine(counter_actor::pointer) {}
  counter_actor::behavior_type make_behavior() {
    return {[this](count_atom, int64_t more) { return sum += more; }};
  }
  int64_t sum = 0;
};

} // namespace

void init_global_meta_objects() {
  caf::init_global_meta_objects<caf::id_block::hanse_engines>();
}

engine_registry builtin() {
  engine_registry r;
  (void)r.add<echo_actor, echo_engine>("echo");
  (void)r.add<calculator_actor, calculator_engine>("calculator");
  (void)r.add<caller_actor, caller_engine>("caller");
  (void)r.add<counter_actor, counter_engine>("counter");
  (void)r.add<file_sender_actor, file_sender_engine>("file_sender");
  (void)r.add<file_receiver_actor, file_receiver_engine>("file_receiver");
  (void)r.add<journal_actor, journal_engine>("journal");
  return r;
}

} // namespace hanse::engines
