// k-of-n approval: a request to a group's identity is granted when two of its three members have approved it. Who
// refuses, or is away, is replaced by another member. Four nodes in this process talk over TLS on loopback.
// The group decides whether something happens; a proof for others is a composite signature (crypto/signature.hpp).
#include <hanse/actors/node.hpp>

#include <caf/actor_system_config.hpp>
#include <caf/init_global_meta_objects.hpp>

#include <iostream>

// clang-format off
CAF_BEGIN_TYPE_ID_BLOCK(approval, caf::first_custom_type_id)
  CAF_ADD_ATOM(approval, board, approve_atom)
  CAF_ADD_ATOM(approval, board, approved_atom)
CAF_END_TYPE_ID_BLOCK(approval)

using approver_actor = caf::typed_actor<
    caf::result<void>(board::approve_atom, std::string, std::string), // whose expense, what for
    caf::result<bool>(board::approved_atom, std::string)>;            // did you approve that?
HANSE_PROTOCOL(approver_actor, "approver/1.0")

// [engine]
struct approver_engine {
  approver_engine(approver_actor::pointer, std::string name) : name(std::move(name)) {}
  approver_actor::behavior_type make_behavior() {
    return {
        [this](board::approve_atom, const std::string& whose, const std::string& what) -> caf::result<void> {
          if (whose == name) return caf::make_error(caf::sec::invalid_argument, "nobody approves an own expense");
          approved.insert(what);
          return caf::unit;
        },
        [this](board::approved_atom, const std::string& what) { return approved.contains(what); },
    };
  }
  std::string name;
  std::set<std::string> approved;
};
// [engine]
// clang-format on

const std::vector<std::string> names{"alice", "bob", "carol"};

int main() {
  hanse::init_global_meta_objects();
  caf::init_global_meta_objects<caf::id_block::approval>();
  caf::actor_system_config config;
  config.load<caf::io::middleman>();
  caf::actor_system system{config};
  caf::scoped_actor self{system};

  // [group]
  hanse::system_random random;
  std::vector<hanse::key_pair> keys; // of the members' engines
  for (std::size_t i = 0; i < names.size(); ++i) keys.push_back(hanse::key_pair::generate(random));
  auto group = hanse::make_composite(
      2, {{keys[0].identity(), 1}, {keys[1].identity(), 1}, {keys[2].identity(), 1}}); // threshold, member and weight
  if (!group) return 1;
  const auto board = hanse::identity_of(*group);
  // The identity is the hash of the group's description: whoever sends to it has to know that.
  auto clerk =
      hanse::node::start(system, {.name = "clerk", .listen = {"tls://127.0.0.1:0"}, .groups = {{board, *group}}});
  if (!clerk) return std::cerr << to_string(clerk.error()) << std::endl, 1;
  // [group]

  std::vector<std::unique_ptr<hanse::node>> nodes;
  std::vector<approver_actor> members;
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto node = hanse::node::start(system, {.name = names[i], .listen = {"tls://127.0.0.1:0"}});
    if (!node) return std::cerr << to_string(node.error()) << std::endl, 1;
    auto engine = (*node)->spawn_engine<approver_actor, approver_engine>({.name = names[i], .key = keys[i]}, names[i]);
    if (!engine || !(*clerk)->add((*node)->ticket())) return 1;
    // Adverts come with links, and a group is asked as far as its members are known: so we wait until this one is.
    self->request((*clerk)->remote<approver_actor>(engine->id), std::chrono::seconds{20}, board::approved_atom_v, "")
        .receive([](bool) {}, [](const caf::error& why) { std::cerr << to_string(why) << std::endl; });
    members.push_back(engine->handle);
    nodes.push_back(std::move(*node));
  }

  // [ask]
  // A group is used as one engine is. So many milliseconds may pass until it has agreed.
  auto approver = (*clerk)->remote<approver_actor>(board, {.ttl_ms = 5000});
  auto ask = [&](const std::string& whose, const std::string& what) {
    self->request(approver, std::chrono::seconds{20}, board::approve_atom_v, whose, what)
        .receive([&] { std::cout << what << ": approved by"; },
                 [&](const caf::error& why) {
                   if (why != hanse::errc::threshold_not_met) std::cerr << to_string(why) << std::endl;
                   std::cout << what << ": not approved, only by";
                 });
    for (std::size_t i = 0; i < names.size(); ++i)
      self->request(members[i], std::chrono::seconds{10}, board::approved_atom_v, what)
          .receive([&](bool yes) { std::cout << (yes ? " " + names[i] : ""); }, [](const caf::error&) {});
    std::cout << std::endl;
  };
  ask("alice", "a train to Lisbon"); // alice refuses, if she is asked: the other two are needed
  ask("bob", "a better chair");
  ask("carol", "a book on sailing");
  nodes[1]->stop(); // bob is away
  ask("bob", "a whiteboard");
  ask("alice", "a plane to Lisbon"); // carol alone is not enough
  // [ask]
}
