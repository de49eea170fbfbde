// The session of the simulated network: a greeting with the identity, then the octets as they are.
// NOT secure, see the header. Design section 13.
#include "hanse/transport/plain_session.hpp"

#include "hanse/crypto/hash.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::string_view magic = "HPL1";
constexpr std::size_t greeting_size = magic.size() + identity::size_bytes;

class plain_session final : public secure_session {
public:
  plain_session(link_role role, const identity& self, const std::optional<identity>& expected_peer)
      : role_(role), self_(self), expected_(expected_peer) {}

  expected<unit> start(bytes& output) override {
    append(output, as_byte_view(magic));
    append(output, self_.wire());
    return ok();
  }

  expected<std::size_t> receive(byte_view& input, std::span<std::byte> plaintext, bytes&) override {
    if (state_ == session_state::closed) return failed_;
    if (state_ == session_state::handshaking) {
      const auto n = std::min(input.size(), greeting_size - greeting_.size());
      append(greeting_, input.first(n));
      input = input.subspan(n);
      if (greeting_.size() == greeting_size) HANSE_CHECK(read_greeting());
      return std::size_t{0};
    }
    const auto n = std::min(input.size(), plaintext.size());
    std::copy_n(input.begin(), n, plaintext.begin());
    input = input.subspan(n);
    return n;
  }

  expected<unit> send(byte_view plaintext, bytes& output) override {
    if (state_ == session_state::handshaking) return errc::unauthenticated;
    if (state_ == session_state::closed) return errc::link_closed;
    append(output, plaintext);
    return ok();
  }

  void shutdown(bytes&) override { state_ = session_state::closed; }
  session_state state() const noexcept override { return state_; }
  const identity& peer() const noexcept override { return peer_; }
  bool partial() const noexcept override { return state_ == session_state::handshaking && !greeting_.empty(); }
  std::string_view cipher() const noexcept override { return "plain"; }

  expected<unit> export_secret(std::string_view label, byte_view context, std::span<std::byte> out) const override {
    if (state_ != session_state::established) return errc::unauthenticated;
    const auto& dialer = role_ == link_role::dialer ? self_ : peer_;
    const auto& acceptor = role_ == link_role::dialer ? peer_ : self_;
    for (std::size_t at = 0; at < out.size(); at += digest::size_bytes) {
      const std::byte block{static_cast<unsigned char>(at / digest::size_bytes)};
      const auto d = blake2b_256({dialer.wire(), acceptor.wire(), as_byte_view(label), context, {&block, 1}});
      std::copy_n(d.octets.begin(), std::min(digest::size_bytes, out.size() - at), out.begin() + at);
    }
    return ok();
  }

private:
  expected<unit> fail(error e) {
    state_ = session_state::closed;
    failed_ = e;
    return e;
  }

  expected<unit> read_greeting() {
    const byte_view all = greeting_;
    if (as_text(all.first(magic.size())) != magic) return fail(error{errc::handshake_failed, "no greeting"});
    auto who = identity::decode(all.subspan(magic.size()));
    if (!who) return fail(who.error());
    if (who->kind() != identity_kind::individual) return fail(error{errc::bad_type, "not a node"});
    if (expected_ && *expected_ != *who) return fail(error{errc::wrong_peer, "found " + to_string(*who)});
    peer_ = *who;
    state_ = session_state::established;
    return ok();
  }

  link_role role_;
  identity self_;
  std::optional<identity> expected_;
  identity peer_;
  bytes greeting_;
  session_state state_ = session_state::handshaking;
  error failed_{errc::link_closed};
};

} // namespace

std::unique_ptr<secure_session> make_plain_session(link_role role, const identity& self,
                                                   const std::optional<identity>& expected_peer) {
  return std::make_unique<plain_session>(role, self, expected_peer);
}

} // namespace hanse
