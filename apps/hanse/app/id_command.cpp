// hanse id: keys and groups as files.
// Opens no sockets and needs no running node.
#include "hanse/app/command.hpp"
#include "hanse/app/group_file.hpp"
#include "hanse/app/json_document.hpp"
#include "hanse/app/passphrase.hpp"
#include "hanse/app/text_file.hpp"
#include "hanse/crypto/key_file.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace hanse::app {
namespace {

using nlohmann::json;

struct new_options {
  std::string out;
  std::string passphrase_file;
  bool no_passphrase = false;
};

expected<identity> make_key(const new_options& options) {
  system_random random;
  auto key = key_pair::generate(random);
  std::optional<secret_bytes> passphrase;
  if (!options.no_passphrase) {
    HANSE_TRY(passphrase, get_passphrase({options.passphrase_file, true, "Passphrase for the new key: "}));
  }
  auto view = passphrase ? std::optional<byte_view>{*passphrase} : std::nullopt;
  HANSE_CHECK(write_key_file(options.out, key, view, random));
  return key.identity();
}

void id_new(command_context& c, const new_options& options) {
  auto id = make_key(options);
  if (!id) return c.fail("make a key in " + options.out, id.error());
  c.print({{"identity", to_string(*id)}, {"file", options.out}, {"encrypted", !options.no_passphrase}}, [&] {
    c.out << to_string(*id) << '\n';
    c.out << "The key is in " << options.out << (options.no_passphrase ? ", not encrypted" : ", encrypted")
          << ". Keep a copy: it cannot be made again.\n";
  });
}

struct show_options {
  std::string file;
  bool check = false;
  std::string passphrase_file;
};

constexpr std::string_view delivery_name(delivery d) {
  switch (d) {
  case delivery::unicast:
    return "unicast: to the one member";
  case delivery::anycast:
    return "anycast: to any one member";
  case delivery::multicast:
    return "multicast: to every member";
  case delivery::quorumcast:
    return "quorumcast: to members that reach the threshold";
  }
  return "";
}

void show_group(command_context& c, const group_file& group) {
  auto members = json::array();
  for (const auto& m : group.descriptor.members)
    members.push_back({{"identity", to_string(m.member)}, {"weight", m.weight}});
  c.print({{"kind", "group"},
           {"identity", to_string(group.group)},
           {"threshold", group.descriptor.threshold},
           {"members", members}},
          [&] {
            c.out << to_string(group.group) << '\n' << "threshold  " << group.descriptor.threshold << '\n';
            c.out << "delivery   " << delivery_name(delivery_of(group.descriptor)) << '\n';
            for (const auto& m : group.descriptor.members)
              c.out << "member     " << to_string(m.member) << "  weight " << m.weight << '\n';
          });
}

/// The identity on top of a key file, without opening the key.
expected<identity> stated_identity(std::string_view text) {
  constexpr std::string_view label = "Hanse-Identity: ";
  if (!text.starts_with(label))
    return error{errc::bad_type,
                 "this is neither a key file nor a group file; see `hanse id new` and `hanse id group`"};
  text.remove_prefix(label.size());
  return identity::parse(text.substr(0, text.find('\n')));
}

void show_key(command_context& c, const show_options& options, std::string_view text) {
  auto encrypted = text.find("BEGIN ENCRYPTED PRIVATE KEY") != std::string_view::npos;
  auto checked = options.check || !encrypted; // what is not encrypted costs nothing to check
  auto id = stated_identity(text);
  if (id && checked) {
    auto key = load_key_file(options.file, [&] { return get_passphrase({options.passphrase_file}); });
    id = key ? expected<identity>{key->identity()} : expected<identity>{key.error()};
  }
  if (!id) return c.fail("show " + options.file, id.error());
  c.print({{"kind", "key"}, {"identity", to_string(*id)}, {"encrypted", encrypted}, {"checked", checked}}, [&] {
    c.out << to_string(*id) << '\n' << "key        " << (encrypted ? "encrypted" : "not encrypted");
    c.out << (checked ? ", opened and right" : ", not opened (--check does)") << '\n';
  });
}

void id_show(command_context& c, const show_options& options) {
  auto text = read_text_file(options.file, json_file_size_max);
  if (!text) return c.fail("show " + options.file, text.error());
  if (auto first = text->find_first_not_of(" \t\r\n"); first == std::string::npos || (*text)[first] != '{')
    return show_key(c, options, *text);
  auto group = parse_group_file(*text, options.file);
  if (!group) return c.fail("show " + options.file, group.error());
  show_group(c, *group);
}

struct group_options {
  std::uint32_t threshold = 0;
  std::vector<std::string> members;
  std::string out;
};

expected<group_file> make_group(const group_options& options) {
  std::vector<composite_member> members;
  for (const auto& text : options.members) {
    HANSE_TRY(auto member, parse_member(text));
    members.push_back(member);
  }
  HANSE_TRY(auto descriptor, make_composite(options.threshold, std::move(members)));
  HANSE_CHECK(write_new_file(options.out, encode_group_file(descriptor), 0644));
  return group_file{identity_of(descriptor), std::move(descriptor)};
}

void id_group(command_context& c, const group_options& options) {
  auto group = make_group(options);
  if (!group) return c.fail("make the group", group.error());
  show_group(c, *group);
}

} // namespace

void add_id_commands(CLI::App& program, command_context& context) {
  auto* id = program.add_subcommand("id", "Make and show keys and groups");
  id->require_subcommand(1);
  id->footer("Example:\n  hanse id new --out alice.key");

  auto* make = id->add_subcommand("new", "Make a key, encrypted with a passphrase, and print its identity");
  auto n = std::make_shared<new_options>();
  make->add_option("--out", n->out, "The file to write; never overwritten")->required();
  make->add_flag("--no-passphrase", n->no_passphrase, "Do not encrypt it");
  make->add_option("--passphrase-file", n->passphrase_file, "Take the first line of this file as the passphrase");
  make->footer("Without --passphrase-file and HANSE_PASSPHRASE the passphrase is asked for, twice.\n\n"
               "Example:\n  hanse id new --out alice.key");
  make->callback([&context, n] {
    if (n->no_passphrase && !n->passphrase_file.empty())
      return context.misuse("--no-passphrase and --passphrase-file exclude each other");
    id_new(context, *n);
  });

  auto* show = id->add_subcommand("show", "Print the identity of a key file or a group file");
  auto s = std::make_shared<show_options>();
  show->add_option("FILE", s->file, "A key file or a group file")->required();
  show->add_flag("--check", s->check, "Open an encrypted key, to see that the passphrase is right");
  show->add_option("--passphrase-file", s->passphrase_file, "Take the first line of this file as the passphrase");
  show->footer("Example:\n  hanse id show alice.key");
  show->callback([&context, s] { id_show(context, *s); });

  auto* group = id->add_subcommand("group", "Make a composite identity of members with weights");
  auto g = std::make_shared<group_options>();
  group->add_option("--threshold", g->threshold, "Weights that act for the group together")->required();
  group->add_option("ID[:WEIGHT]", g->members, "Members: hk1… or hg1…, weight 1 if none is given")->required();
  group->add_option("--out", g->out, "The file to write; never overwritten")->required();
  group->footer("Example: two of three\n  hanse id group --threshold 2 hk1aaa… hk1bbb… hk1ccc… --out board.json");
  group->callback([&context, g] { id_group(context, *g); });
}

} // namespace hanse::app
