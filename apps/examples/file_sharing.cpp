// File sharing among the members of a domain: alice puts a file, two others keep it, too, and get it from whoever has
// it, also when alice is gone. The file becomes encrypted blocks, each named by its hash, so nobody can give a wrong
// one. Who has the capability (urn:eris:…) can read; who only stores cannot. From a shell the same is `hanse put`,
// `hanse get`.
#include <hanse/actors/member_node.hpp>

#include <caf/actor_system_config.hpp>

#include <filesystem>
#include <fstream>
#include <iostream>

// [files]
/// Files of any size: they pass through in pieces.
hanse::content_source reads(const std::filesystem::path& path) {
  return [in = std::make_shared<std::ifstream>(path, std::ios::binary)](
             std::span<std::byte> into) -> hanse::expected<std::size_t> {
    in->read(reinterpret_cast<char*>(into.data()), static_cast<std::streamsize>(into.size()));
    if (in->bad() || !in->is_open()) return hanse::error{hanse::errc::io_error, "cannot read the file"};
    return static_cast<std::size_t>(in->gcount());
  };
}

hanse::content_sink writes(const std::filesystem::path& path) {
  return [out = std::make_shared<std::ofstream>(path, std::ios::binary)](
             hanse::byte_view part) -> hanse::expected<hanse::unit> {
    out->write(reinterpret_cast<const char*>(part.data()), static_cast<std::streamsize>(part.size())).flush();
    if (!*out) return hanse::error{hanse::errc::io_error, "cannot write the file"};
    return hanse::ok();
  };
}
// [files]

std::string text_of(const std::filesystem::path& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

hanse::expected<hanse::unit> share(caf::actor_system& system, const std::filesystem::path& folder) {
  std::vector<hanse::member_node> people; // alice, bob, carol
  for (const auto* name : {"alice", "bob", "carol"}) {
    HANSE_TRY(auto node, hanse::member_node::start(system, {.name = name, .listen = {"tls://127.0.0.1:0"}}));
    people.push_back(std::move(node));
  }
  hanse::system_random random;
  const auto owner = hanse::key_pair::generate(random);
  hanse::domain_config config;
  config.domain = owner.identity();
  config.version = 1;
  config.introducers = {hanse::make_introducer(people[0].node->core()->advert)};
  for (auto& p : people) HANSE_CHECK(p.domains->enter({sign(config, owner), {}, "", ""}));
  for (auto& p : people) HANSE_CHECK(p.blocks->await_members(config.domain, people.size()));

  { // a file of 3 MB
    std::ofstream film{folder / "film", std::ios::binary};
    for (int i = 0; i < 250'000; ++i) film << "line " << 1'000'000 + i;
  }
  // [share]
  HANSE_TRY(const auto kept, people[0].blocks->put({.domain = config.domain, .replicas = 2}, reads(folder / "film")));
  std::cout << "alice shares " << kept.octets << " octets, " << kept.replicas.size() << " others keep them"
            << std::endl;
  const auto get = [&](std::size_t who) {
    const auto file = folder / ("copy of " + std::to_string(who));
    return people[who].blocks->get({.domain = config.domain, .content = kept.content}, writes(file));
  };
  HANSE_CHECK(get(1));
  std::cout << "bob has the same: " << (text_of(folder / "copy of 1") == text_of(folder / "film")) << std::endl;
  people[0] = {}; // alice leaves; whom she shared it with keeps it
  HANSE_CHECK(get(2));
  std::cout << "carol, when alice is gone: " << (text_of(folder / "copy of 2") == text_of(folder / "film"))
            << std::endl;
  auto wrong = kept.content; // another key: not what is stored, and it does not pass for it
  wrong.root.key[0] ^= std::byte{1};
  const auto refused = people[2].blocks->get(config.domain, wrong, 10'000'000);
  std::cout << "with a wrong key: " << (refused ? "something" : to_string(refused.error().code)) << std::endl;
  // [share]
  return hanse::ok();
}

int main() {
  hanse::init_global_meta_objects();
  caf::actor_system_config config;
  config.load<caf::io::middleman>();
  caf::actor_system system{config};
  auto name = (std::filesystem::temp_directory_path() / "hanse-file-sharing-XXXXXX").string();
  if (!mkdtemp(name.data())) return std::perror(name.c_str()), 1;
  std::cout << std::boolalpha;
  const auto done = share(system, name);
  if (!done) std::cerr << to_string(done.error()) << std::endl;
  std::filesystem::remove_all(name);
  return done ? 0 : 1;
}
