// A replicated key-value engine: one at each node, written and read anywhere. Writes travel as events of a topic, in
// causal order; the last writer wins, by (counter, publisher): the counter is above all that its writer had seen
// (Lamport, "Time, clocks, and the ordering of events", 1978), and of concurrent writes the larger pair wins
// everywhere. A late replica takes over the state of another one. Who may write is trusted not to name absurdly high
// counters.
#include <hanse/actors/body.hpp>
#include <hanse/actors/errors.hpp>
#include <hanse/actors/member_node.hpp>

#include <caf/actor_system_config.hpp>
#include <caf/function_view.hpp>
#include <caf/init_global_meta_objects.hpp>
#include <caf/typed_response_promise.hpp>

#include <iostream>

// [interface]
struct entry {
  std::string key, value;
  std::uint64_t counter = 0;
  hanse::identity writer;
  friend bool operator==(const entry&, const entry&) = default;
};
template <class Inspector>
bool inspect(Inspector& f, entry& e) {
  return f.object(e).fields(f.field("key", e.key), f.field("value", e.value), f.field("counter", e.counter),
                            f.field("writer", e.writer));
}

// clang-format off
CAF_BEGIN_TYPE_ID_BLOCK(replicated_map, caf::first_custom_type_id)
  CAF_ADD_TYPE_ID(replicated_map, (entry))
  CAF_ADD_TYPE_ID(replicated_map, (std::vector<entry>))
  CAF_ADD_ATOM(replicated_map, kv, put_atom)
  CAF_ADD_ATOM(replicated_map, kv, get_atom)
  CAF_ADD_ATOM(replicated_map, kv, all_atom)
CAF_END_TYPE_ID_BLOCK(replicated_map)
// clang-format on

/// For clients. `get` waits until the key is known here.
using map_actor = caf::typed_actor<caf::result<void>(kv::put_atom, std::string, std::string),
                                   caf::result<std::string>(kv::get_atom, std::string),
                                   caf::result<std::vector<entry>>(kv::all_atom)>;
HANSE_PROTOCOL(map_actor, "map/1.0")

/// What is published: key, value, counter. The publisher is in the event, signed.
using map_topic_actor = caf::typed_actor<caf::result<void>(kv::put_atom, std::string, std::string, std::uint64_t)>;
HANSE_PROTOCOL(map_topic_actor, "map-event/1.0")

/// One actor for all: clients and other nodes see it as map_actor, the topic as its listener.
using replica_actor = map_actor::extend<caf::result<void>(std::vector<hanse::topic_delivery>),
                                        caf::result<void>(std::vector<entry>)>; // the state of another replica
// [interface]

// [engine]
struct replica_engine {
  replica_engine(replica_actor::pointer self, hanse::identity node, map_topic_actor topic)
      : self(self), node(node), topic(std::move(topic)) {}

  replica_actor::behavior_type make_behavior() {
    return {
        [this](kv::put_atom, const std::string& key, const std::string& value) -> caf::result<void> {
          const entry mine{key, value, ++counter, node};
          auto done = self->make_response_promise<void>();
          hanse::compat::request(self, topic, std::chrono::seconds{10}, kv::put_atom_v, key, value, mine.counter)
              .then(
                  [this, mine, done]() mutable { // published: who asks next reads it here
                    merge(mine);
                    done.deliver();
                  },
                  [done](const caf::error& why) mutable { done.deliver(why); });
          return done;
        },
        [this](kv::get_atom, const std::string& key) -> caf::result<std::string> {
          if (const auto i = map.find(key); i != map.end()) return i->second.value;
          if (waiting.size() >= waiting_max) return caf::make_error(hanse::errc::queue_full, "others wait for keys");
          return waiting.emplace(key, self->make_response_promise<std::string>())->second;
        },
        [this](kv::all_atom) {
          std::vector<entry> all;
          for (const auto& [key, e] : map) all.push_back(e);
          return all;
        },
        [this](const std::vector<hanse::topic_delivery>& events) {
          for (const auto& e : events)
            if (auto put = hanse::decode_body<kv::put_atom, std::string, std::string, std::uint64_t>(e.body.view()))
              merge({std::get<1>(*put), std::get<2>(*put), std::get<3>(*put), e.publisher});
        },
        [this](const std::vector<entry>& state) {
          for (const auto& e : state) merge(e);
        },
    };
  }

  void merge(const entry& e) {
    counter = std::max(counter, e.counter);
    auto& mine = map[e.key];
    if (std::tie(mine.counter, mine.writer) < std::tie(e.counter, e.writer)) mine = e;
    const auto [first, last] = waiting.equal_range(e.key);
    for (auto i = first; i != last; ++i) i->second.deliver(mine.value);
    waiting.erase(first, last);
  }

  replica_actor::pointer self;
  hanse::identity node;
  map_topic_actor topic;
  static constexpr std::size_t waiting_max = 1024;
  std::map<std::string, entry> map;
  std::uint64_t counter = 0;
  std::multimap<std::string, caf::typed_response_promise<std::string>> waiting;
};
// [engine]

/// A replica at `here`, reachable from other nodes. Errors: those of its steps.
// [replicate]
hanse::expected<map_actor> replicate(hanse::member_node& here, const hanse::signed_domain_advert& domain,
                                     const hanse::signed_topic_advert& topic, bool is_first) {
  HANSE_CHECK(here.domains->enter({domain, {}, "", ""}));
  HANSE_CHECK(here.domains->await_members(domain.value.domain, is_first ? 1 : 2));
  HANSE_CHECK(here.topics->add(topic));
  const auto events = here.node->remote<map_topic_actor>(topic.value.topic);
  const auto replica = caf::actor_cast<replica_actor>(
      here.node->system().spawn<replica_actor::stateful_impl<replica_engine>>(here.node->id(), events));
  // From here on it misses nothing; the latest events come as well, as another replica may not have them yet.
  HANSE_CHECK(here.topics->listen(topic.value.topic, caf::actor_cast<hanse::topic_listener_actor>(replica), 1024));
  HANSE_CHECK(here.topics->await_joined(topic.value.topic));
  if (!is_first) { // what was before, any member of the domain that has a replica knows
    auto others = caf::make_function_view(here.node->remote<map_actor>(domain.value.domain), std::chrono::seconds{10});
    auto state = others(kv::all_atom_v);
    if (!state) return hanse::to_hanse(state.error());
    caf::make_function_view(replica)(*state);
  }
  HANSE_TRY(auto hosted,
            here.node->host(caf::actor_cast<map_actor>(replica), {.name = "map", .serves = {domain.value.domain}}));
  return hosted.handle;
}
// [replicate]

hanse::expected<hanse::unit> run(caf::actor_system& system) {
  const auto start = [&](std::string name) {
    return hanse::member_node::start(system, {.name = std::move(name), .listen = {"tls://127.0.0.1:0"}});
  };
  HANSE_TRY(auto one, start("one"));
  HANSE_TRY(auto two, start("two"));
  hanse::system_random random;
  const auto owner = hanse::key_pair::generate(random), topic = hanse::key_pair::generate(random);
  hanse::domain_config config;
  config.domain = owner.identity();
  config.version = 1;
  config.introducers = {hanse::make_introducer(one.node->core()->advert)};
  const auto domain = sign(config, owner);
  const auto events = sign(hanse::topic_advert{topic.identity(), 1, config.domain, "map", {}, {}}, topic);

  // [use]
  HANSE_TRY(const auto first, replicate(one, domain, events, true));
  HANSE_TRY(const auto second, replicate(two, domain, events, false));
  auto at_one = caf::make_function_view(first), at_two = caf::make_function_view(second);
  at_one(kv::put_atom_v, "colour", "red");
  std::cout << "put at one, read at two: " << *at_two(kv::get_atom_v, "colour") << std::endl;

  caf::scoped_actor self{system}; // two at once
  auto square = self->request(first, caf::infinite, kv::put_atom_v, "shape", "square");
  auto circle = self->request(second, caf::infinite, kv::put_atom_v, "shape", "circle");
  for (auto* put : {&square, &circle}) put->receive([] {}, [](const caf::error& e) { std::cerr << to_string(e); });
  at_one(kv::put_atom_v, "one has", "written"); // who sees this has seen all that node one wrote before
  at_two(kv::put_atom_v, "two has", "written");
  at_one(kv::get_atom_v, "two has");
  at_two(kv::get_atom_v, "one has");
  const auto shape = at_one(kv::get_atom_v, "shape");
  std::cout << "of two writes at once one wins, everywhere: " << std::boolalpha
            << (*shape == *at_two(kv::get_atom_v, "shape")) << std::endl;

  HANSE_TRY(auto late, start("three"));
  HANSE_TRY(const auto third, replicate(late, domain, events, false));
  auto at_three = caf::make_function_view(third);
  std::cout << "a late replica has all of it: " << (*at_one(kv::all_atom_v) == *at_three(kv::all_atom_v)) << std::endl;
  at_three(kv::put_atom_v, "colour", "blue");
  at_three(kv::put_atom_v, "three has", "written");
  for (auto* other : {&at_one, &at_two}) {
    (*other)(kv::get_atom_v, "three has");
    std::cout << "and its write replaces the older one: " << *(*other)(kv::get_atom_v, "colour") << std::endl;
  }
  // [use]
  return hanse::ok();
}

int main() {
  hanse::init_global_meta_objects();
  caf::init_global_meta_objects<caf::id_block::replicated_map>();
  caf::actor_system_config config;
  config.load<caf::io::middleman>();
  caf::actor_system system{config};
  const auto done = run(system);
  if (!done) std::cerr << to_string(done.error()) << std::endl;
  return done ? 0 : 1;
}
