// Permissions: what levels allow, and their octets.
#include "hanse/domains/permissions.hpp"

#include <doctest/doctest.h>

using namespace hanse;

TEST_CASE("permissions: only introducers admit and expel unless the configuration says otherwise") {
  permissions p;
  for (const auto a : {domain_action::admit, domain_action::expel}) {
    CHECK(p.allows(a, level_owner));
    CHECK(p.allows(a, level_introducer));
    CHECK_FALSE(p.allows(a, level_introducer + 1));
  }
  CHECK(p.allows(domain_action::publish, level_lowest));
  CHECK_FALSE(p.allows(domain_action::publish, level_none));
}

TEST_CASE("permissions: octets are read back, and no level may be above the lowest") {
  permissions p;
  p.level_max = {0, 1, 2, 3, 254};
  msgpack_writer out;
  write(out, p);
  auto octets = std::move(out).take();
  msgpack_reader in{octets};
  CHECK(read_permissions(in) == p);
  CHECK(in.finish());
  octets.back() = std::byte{255};
  msgpack_reader bad{octets};
  read_permissions(bad);
  CHECK(bad.finish().code() == errc::bad_value);
}

TEST_CASE("permissions: every action has a name that is read back") {
  for (std::size_t i = 0; i < domain_actions; ++i) {
    const auto a = static_cast<domain_action>(i);
    CHECK(*parse_domain_action(to_string(a)) == a);
  }
  CHECK(parse_domain_action("fly").code() == errc::bad_value);
}
