// Reads and writes group files.
// Checked when read: whoever edits one by hand is told that the identity no longer fits.
#include "hanse/app/group_file.hpp"

#include "hanse/app/object_reader.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

namespace hanse::app {

std::string encode_group_file(const composite_descriptor& descriptor) {
  nlohmann::ordered_json file;
  file["group"] = to_string(identity_of(descriptor));
  file["threshold"] = descriptor.threshold;
  file["members"] = nlohmann::ordered_json::array();
  for (const auto& m : descriptor.members) {
    nlohmann::ordered_json member;
    member["identity"] = to_string(m.member);
    member["weight"] = m.weight;
    file["members"].push_back(std::move(member));
  }
  return file.dump(2) + "\n";
}

expected<group_file> parse_group_file(std::string_view text, const std::filesystem::path& file) {
  HANSE_TRY(auto document, json_document::parse(text, file));
  problem_list problems{document};
  object_reader in{problems, document.root(), ""};
  auto stated = in.required_text("group");
  in.require("threshold", "a whole number");
  auto threshold = in.number("threshold", 1, composite_leaves_max * std::uint64_t{composite_weight_max}, 1);
  in.require("members", "a list of objects");
  std::vector<composite_member> members;
  in.each("members", [&](object_reader& m) {
    auto who = m.required_text("identity");
    auto weight = m.number("weight", 1, composite_weight_max, 1);
    if (auto id = identity::parse(who))
      members.push_back({*id, static_cast<std::uint32_t>(weight)});
    else if (!who.empty())
      m.problem("identity", "expected hk1… or hg1…: " + to_string(id.error()));
  });
  in.finish();
  if (!problems.empty()) return problems.to_error();
  HANSE_TRY(auto descriptor, make_composite(static_cast<std::uint32_t>(threshold), std::move(members)));
  auto group = identity_of(descriptor);
  if (to_string(group) != stated)
    return error{errc::wrong_signer, file.string() + ": the members and threshold make " + to_string(group) +
                                         ", but the file says " + stated};
  return group_file{group, std::move(descriptor)};
}

expected<composite_member> parse_member(std::string_view text) {
  auto colon = text.find(':');
  auto who = identity::parse(text.substr(0, colon));
  if (!who) return error{who.error().code, std::string{text.substr(0, colon)} + ": " + to_string(who.error())};
  composite_member member{*who, 1};
  if (colon == std::string_view::npos) return member;
  auto digits = text.substr(colon + 1);
  auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), member.weight);
  if (ec != std::errc{} || end != digits.data() + digits.size() || member.weight < 1 ||
      member.weight > composite_weight_max)
    return error{errc::bad_value,
                 std::string{text} + ": a weight is a whole number from 1 to " + std::to_string(composite_weight_max)};
  return member;
}

} // namespace hanse::app
