// Group chat over a topic, for people in several processes: each runs a node of its own, and a message reaches all,
// never before those that its author had read. The first one founds a domain and prints its ticket; others join with
// that:
//   group_chat --name alice
//   group_chat --name bob --ticket hdomain1…
// Lines from standard input are said; at its end (Ctrl-D) the node leaves. Who has the ticket may join; psk domains,
// and topics that list who may publish, are in docs/domains.md and docs/topics.md.
#include <hanse/actors/body.hpp>
#include <hanse/actors/member_node.hpp>

#include <CLI/CLI.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/init_global_meta_objects.hpp>

#include <algorithm>
#include <cctype>
#include <iostream>
#include <thread>

// [window]
/// Shows what is said. `room` is told the topic when the first event comes.
struct window {
  window(hanse::topic_listener_actor::pointer, std::shared_ptr<std::promise<hanse::identity>> room)
      : room(std::move(room)) {}

  hanse::topic_listener_actor::behavior_type make_behavior() {
    return {[this](const std::vector<hanse::topic_delivery>& events) {
      for (const auto& e : events) {
        const auto said = hanse::decode_body<std::string, std::string>(e.body.view());
        if (!said) continue; // not of this program
        // The name is what its author claims; the identity is who signed.
        auto line = std::get<0>(*said) + '/' + to_short_string(e.publisher) + ' ' + std::get<1>(*said);
        std::ranges::replace_if(
            line, [](unsigned char c) { return std::iscntrl(c); }, '?'); // for the terminal
        std::cout << line << std::endl;
        if (auto first = std::exchange(room, nullptr)) first->set_value(e.topic);
      }
    }};
  }

  std::shared_ptr<std::promise<hanse::identity>> room;
};
// [window]

/// A domain that this node introduces others to, with one topic. Errors: those of its steps.
// [found]
hanse::expected<hanse::signed_domain_advert> found(hanse::member_node& here, const std::string& name) {
  hanse::system_random random;
  const auto owner = hanse::key_pair::generate(random), room = hanse::key_pair::generate(random);
  hanse::domain_config config;
  config.domain = owner.identity();
  config.version = 1;
  config.name = "chat";
  config.introducers = {hanse::make_introducer(here.node->core()->advert)};
  auto domain = sign(config, owner);
  HANSE_CHECK(here.domains->enter({domain, {}, "", ""}));
  HANSE_CHECK(here.domains->await_members(config.domain, 1));
  HANSE_CHECK(here.topics->add(sign(hanse::topic_advert{room.identity(), 1, config.domain, name, {"chat"}, {}}, room)));
  HANSE_CHECK(here.topics->keep(room.identity(), true));
  HANSE_CHECK(here.topics->await_joined(room.identity()));
  HANSE_CHECK(here.topics->publish(room.identity(),
                                   hanse::shared_bytes{*hanse::encode_body(name, std::string{"opened the room"})}));
  return domain;
}
// [found]

/// Errors: those of its steps.
hanse::expected<hanse::unit> chat(caf::actor_system& system, const std::string& name, const std::string& address,
                                  const std::string& ticket) {
  HANSE_TRY(auto here, hanse::member_node::start(system, {.name = name, .listen = {address}}));
  // [chat]
  HANSE_TRY(const auto domain, ticket.empty() ? found(here, name) : hanse::parse_domain_ticket(ticket));
  if (ticket.empty())
    std::cout << "others join with: group_chat --ticket " << to_ticket(domain) << " --name NAME" << std::endl;
  else
    HANSE_CHECK(here.domains->enter({domain, {}, "", ""}));
  HANSE_CHECK(here.domains->await_members(domain.value.domain, ticket.empty() ? 1 : 2));

  // All topics with the tag, and what was said before.
  auto opened = std::make_shared<std::promise<hanse::identity>>();
  auto room = opened->get_future();
  auto screen = caf::actor_cast<hanse::topic_listener_actor>(
      system.spawn<hanse::topic_listener_actor::stateful_impl<window>>(std::move(opened)));
  HANSE_CHECK(here.topics->listen_tag(domain.value.domain, "chat", screen, 20));
  if (room.wait_for(std::chrono::seconds{20}) != std::future_status::ready)
    return hanse::error{hanse::errc::timed_out, "nobody in the domain has told of its room"};
  const auto topic = room.get();
  const auto say = [&](const std::string& text) {
    return here.topics->publish(topic, hanse::shared_bytes{*hanse::encode_body(name, text)});
  };
  if (!ticket.empty()) HANSE_CHECK(say("joined"));
  for (std::string line; std::getline(std::cin, line);)
    if (!line.empty()) HANSE_CHECK(say("says: " + line));
  HANSE_CHECK(say("left"));
  if (!ticket.empty()) std::this_thread::sleep_for(std::chrono::seconds{1}); // or word of the leave may overtake it
  here.topics.reset();
  if (!ticket.empty() && here.domains->leave(domain.value.domain)) // who lets others in stays a member
    (void)here.domains->await(                                     // an introducer confirms it, if one is there
        domain.value.domain, [](const auto& r) { return r.role == hanse::domain_role::outside; }, 2000);
  return hanse::ok();
  // [chat]
}

int main(int argc, char** argv) {
  std::string name, ticket, address = "tls://127.0.0.1:0";
  CLI::App options{"Group chat: lines from standard input go to everybody in the room. Ctrl-D leaves."};
  options.add_option("--name", name, "what others see")->required();
  options.add_option("--ticket", ticket, "the room to join, as who opened it was told; without: opens one");
  options.add_option("--listen", address, "between machines: an address of this one")->capture_default_str();
  CLI11_PARSE(options, argc, argv);

  hanse::init_global_meta_objects();
  caf::actor_system_config config;
  config.load<caf::io::middleman>();
  caf::actor_system system{config};
  const auto done = chat(system, name, address, ticket);
  if (!done) std::cerr << to_string(done.error()) << std::endl;
  return done ? 0 : 1;
}
