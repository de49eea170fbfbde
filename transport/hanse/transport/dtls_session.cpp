// DTLS sessions over a BIO that hands OpenSSL one datagram a call and takes each write for one datagram. See the header
// for who keeps the time. Not cookies (dtls_listener.cpp). Sources: RFC 6347, RFC 7627, OpenSSL 3.0 manual pages.
#include "hanse/transport/internal/dtls_endpoint.hpp"

#include <algorithm>
#include <climits>

namespace hanse {

using internal::dtls_endpoint;
using internal::take_openssl_error;

namespace {

const std::string alpn_wire{"\x10hanse-datagram/1"};
constexpr long certificate_list_max = 4096;    // octets: ours have about 550
constexpr std::size_t record_header_size = 13; // type, version, epoch, sequence number, length (RFC 6347 section 4.1)
constexpr std::size_t tag_size = 16;
constexpr const char* signatures = "ECDSA+SHA256:ed25519";

int bio_read(BIO* bio, char* room, std::size_t size, std::size_t* count) {
  BIO_clear_retry_flags(bio);
  auto& in = static_cast<dtls_endpoint*>(BIO_get_data(bio))->input;
  if (in.empty()) {
    BIO_set_retry_read(bio);
    return 0;
  }
  *count = std::min(size, in.size());
  std::copy_n(in.begin(), *count, std::as_writable_bytes(std::span{room, size}).begin());
  in = {}; // as with a socket: what does not fit is lost
  return 1;
}

int bio_write(BIO* bio, const char* octets, std::size_t size, std::size_t* count) {
  BIO_clear_retry_flags(bio);
  auto* output = static_cast<dtls_endpoint*>(BIO_get_data(bio))->output;
  if (output) output->push_back(to_bytes(std::as_bytes(std::span{octets, size})));
  *count = size;
  return 1;
}

long bio_ctrl(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int verify_certificate(X509_STORE_CTX* ctx, void*) {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& endpoint = *static_cast<dtls_endpoint*>(SSL_get_app_data(ssl));
  endpoint.judged = internal::judge_certificate(ctx, endpoint.expected_peer, internal::certificate_form::delegated);
  return endpoint.judged->has_value() ? 1 : 0;
}

// OpenSSL's own timer, in microseconds: 71 minutes, far beyond any handshake.
unsigned never(SSL*, unsigned) {
  return UINT_MAX;
}

bool configure(SSL_CTX* ctx) {
  SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_QUERY_MTU);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(ctx, certificate_list_max);
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(ctx, verify_certificate, nullptr);
  SSL_CTX_set_read_ahead(ctx, 1);
  return SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(ctx, DTLS1_2_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-CHACHA20-POLY1305") == 1 &&
         SSL_CTX_set1_groups_list(ctx, "X25519:P-256") == 1 && // P-256 for certificates, X25519 first for ECDHE
         SSL_CTX_set1_sigalgs_list(ctx, signatures) == 1 && SSL_CTX_set1_client_sigalgs_list(ctx, signatures) == 1 &&
         internal::install_alpn(ctx, alpn_wire);
}

internal::bio_method_ptr make_bio_method() {
  internal::bio_method_ptr method{BIO_meth_new(BIO_TYPE_SOURCE_SINK, "hanse datagrams")};
  if (!method || BIO_meth_set_read_ex(method.get(), bio_read) != 1 ||
      BIO_meth_set_write_ex(method.get(), bio_write) != 1 || BIO_meth_set_ctrl(method.get(), bio_ctrl) != 1)
    return nullptr;
  return method;
}

/// Whether a datagram consists of whole records that OpenSSL may see. Its AEAD code takes an encrypted record that is
/// shorter than its tag for an error of the program, and ends the session: anyone could end it.
bool is_plausible(byte_view d) noexcept {
  const auto at = [&](std::size_t i) { return std::to_integer<std::size_t>(d[i]); };
  while (!d.empty()) {
    if (d.size() < record_header_size || d[1] != std::byte{0xfe}) return false;
    const bool encrypted = d[3] != std::byte{0} || d[4] != std::byte{0};
    const std::size_t length = at(11) << 8 | at(12);
    if (length > d.size() - record_header_size || length <= (encrypted ? tag_size : 0)) return false;
    d = d.subspan(record_header_size + length);
  }
  return true;
}

/// A record of the handshake's first, unencrypted epoch (RFC 6347 section 4.1).
bool is_plain_handshake(byte_view d) noexcept {
  return d.size() > record_header_size && d[0] == std::byte{22} && d[3] == std::byte{0} && d[4] == std::byte{0};
}

} // namespace

bool is_dtls_hello(byte_view d) noexcept {
  return is_plain_handshake(d) && d[record_header_size] == std::byte{1} && is_plausible(d);
}

void dtls_effects::clear() {
  datagrams.clear();
  messages.clear();
}

std::unique_ptr<dtls_endpoint> internal::make_dtls_endpoint(const dtls_context::impl& shared) {
  auto e = std::make_unique<dtls_endpoint>();
  e->ssl.reset(SSL_new(shared.ctx.get()));
  BIO* bio = e->ssl ? BIO_new(shared.bio.get()) : nullptr;
  if (!bio) return nullptr;
  BIO_set_data(bio, e.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(e->ssl.get(), bio, bio);
  SSL_set_app_data(e->ssl.get(), e.get());
  SSL_set_mtu(e->ssl.get(), dtls_datagram_max);
  DTLS_set_timer_cb(e->ssl.get(), never);
  return e;
}

namespace {

class openssl_dtls_session final : public dtls_session {
public:
  openssl_dtls_session(std::shared_ptr<const dtls_context::impl> shared, link_role role,
                       std::unique_ptr<dtls_endpoint> endpoint)
      : shared_(std::move(shared)), role_(role), endpoint_(std::move(endpoint)) {}

  expected<unit> start(time_ms now, dtls_effects& fx) override {
    if (!endpoint_) return fail({errc::internal, take_openssl_error()});
    started_ = now;
    // An acceptor's is what DTLSv1_listen made of it, with the hello inside.
    if (role_ == link_role::dialer) SSL_set_connect_state(ssl());
    return handshake({}, now, fx);
  }

  expected<unit> receive(byte_view datagram, time_ms now, dtls_effects& fx) override {
    if (state_ == session_state::closed) return failed_;
    if (datagram.empty() || !is_plausible(datagram)) return ok();
    if (state_ == session_state::handshaking) {
      handshake_octets_ += datagram.size();
      if (handshake_octets_ > dtls_handshake_input_max)
        return fail({errc::too_long, "handshake over " + std::to_string(dtls_handshake_input_max) + " octets"});
      return handshake(datagram, now, fx);
    }
    // The far side has not seen our last flight and repeats its own. Bounded, and no more octets than it sent.
    if (is_plain_handshake(datagram) && !flight_.empty() && answers_ < dtls_answers_max &&
        flight_.front().size() <= datagram.size()) {
      ++answers_;
      fx.datagrams.insert(fx.datagrams.end(), flight_.begin(), flight_.end());
    }
    return read(datagram, fx);
  }

  expected<unit> send(byte_view message, dtls_effects& fx) override {
    if (state_ == session_state::handshaking) return errc::unauthenticated;
    if (state_ == session_state::closed) return errc::link_closed;
    if (message.empty()) return errc::bad_value;
    if (message.size() > dtls_message_max) return errc::too_long;
    entered in{*this, {}, fx};
    std::size_t sent = 0;
    if (SSL_write_ex(ssl(), message.data(), message.size(), &sent) != 1)
      return fail({errc::internal, take_openssl_error()});
    return ok();
  }

  void shutdown(dtls_effects& fx) override {
    if (state_ == session_state::established) {
      entered in{*this, {}, fx};
      SSL_shutdown(ssl());
    }
    fail(errc::link_closed);
  }

  expected<unit> tick(time_ms now, dtls_effects& fx) override {
    if (state_ != session_state::handshaking || !endpoint_) return ok();
    if (now >= started_ + dtls_handshake_ms) return fail({errc::timed_out, "DTLS handshake"});
    if (now < resend_at_) return ok();
    fx.datagrams.insert(fx.datagrams.end(), flight_.begin(), flight_.end());
    wait_ms_ = std::min(2 * wait_ms_, dtls_retransmit_max_ms);
    resend_at_ = now + wait_ms_;
    return ok();
  }

  std::optional<time_ms> next_timer() const override {
    if (state_ != session_state::handshaking || !endpoint_) return std::nullopt;
    return std::min(resend_at_, started_ + dtls_handshake_ms);
  }

  session_state state() const noexcept override { return state_; }
  const identity& peer() const noexcept override { return peer_; }
  std::string_view cipher() const noexcept override {
    return state_ == session_state::established ? SSL_get_cipher_name(ssl()) : std::string_view{};
  }

  expected<unit> export_secret(std::string_view label, byte_view context, std::span<std::byte> out) const override {
    if (state_ != session_state::established) return errc::unauthenticated;
    ERR_clear_error();
    if (SSL_export_keying_material(ssl(), as_octets(out), out.size(), label.data(), label.size(), as_octets(context),
                                   context.size(), 1) != 1)
      return error{errc::internal, take_openssl_error()};
    return ok();
  }

private:
  /// Connects the BIO for the length of one call.
  struct entered {
    entered(openssl_dtls_session& s, byte_view datagram, dtls_effects& fx) : endpoint(*s.endpoint_) {
      ERR_clear_error();
      endpoint.input = datagram;
      endpoint.output = &fx.datagrams;
    }
    ~entered() {
      endpoint.input = {};
      endpoint.output = nullptr;
      ERR_clear_error();
    }
    entered(const entered&) = delete;
    entered& operator=(const entered&) = delete;
    dtls_endpoint& endpoint;
  };

  SSL* ssl() const noexcept { return endpoint_->ssl.get(); }

  error fail(error e) {
    if (state_ != session_state::closed) failed_ = std::move(e);
    state_ = session_state::closed;
    return failed_;
  }

  error openssl_failure() {
    if (endpoint_->judged && !*endpoint_->judged) return fail(endpoint_->judged->error());
    const auto code = ERR_peek_error();
    const int number = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET : 0;
    const std::string reason = take_openssl_error();
    if (state_ == session_state::established) return fail({errc::link_closed, reason});
    if (number == SSL_AD_CERTIFICATE_UNKNOWN && role_ == link_role::acceptor)
      return fail({errc::wrong_peer, "the far side expected another identity here"});
    return fail({errc::handshake_failed, (number > 0 ? "the far side refused: " : "") + reason});
  }

  expected<unit> handshake(byte_view datagram, time_ms now, dtls_effects& fx) {
    const auto before = fx.datagrams.size();
    {
      entered in{*this, datagram, fx};
      const int r = SSL_do_handshake(ssl());
      if (r != 1 && SSL_get_error(ssl(), r) != SSL_ERROR_WANT_READ) return openssl_failure();
      if (r == 1) HANSE_CHECK(established());
    }
    if (fx.datagrams.size() > before) { // a new flight
      flight_.assign(fx.datagrams.begin() + static_cast<std::ptrdiff_t>(before), fx.datagrams.end());
      wait_ms_ = dtls_retransmit_min_ms;
      resend_at_ = now + wait_ms_;
    } else if (state_ == session_state::established) {
      flight_.clear(); // the far side spoke last
    }
    if (state_ == session_state::established) return read({}, fx); // what came before its time
    return ok();
  }

  expected<unit> established() {
    if (internal::chosen_alpn(ssl()) != dtls_alpn)
      return fail({errc::handshake_failed, "the far side did not choose our protocol"});
    if (SSL_get_extms_support(ssl()) != 1)
      return fail({errc::handshake_failed, "the far side has no extended master secret"});
    // Cannot be while SSL_VERIFY_FAIL_IF_NO_PEER_CERT is set; should that ever change, nobody gets in unnamed.
    if (!endpoint_->judged || !*endpoint_->judged)
      return fail({errc::handshake_failed, "the far side showed no certificate"});
    peer_ = **endpoint_->judged;
    state_ = session_state::established;
    return ok();
  }

  expected<unit> read(byte_view datagram, dtls_effects& fx) {
    entered in{*this, datagram, fx};
    std::array<std::byte, dtls_datagram_max> room;
    for (;;) {
      std::size_t n = 0;
      const int r = SSL_read_ex(ssl(), room.data(), room.size(), &n);
      if (r == 1) {
        fx.messages.push_back(to_bytes(byte_view{room}.first(n)));
        continue;
      }
      switch (SSL_get_error(ssl(), r)) {
      case SSL_ERROR_WANT_READ:
        return ok();
      case SSL_ERROR_ZERO_RETURN:
        return fail({errc::link_closed, "closed by the far side"});
      default:
        return openssl_failure();
      }
    }
  }

  std::shared_ptr<const dtls_context::impl> shared_;
  link_role role_;
  std::unique_ptr<dtls_endpoint> endpoint_;
  session_state state_ = session_state::handshaking;
  identity peer_;
  error failed_{errc::link_closed};
  std::vector<bytes> flight_; // our last datagrams of the handshake
  time_ms started_ = 0, resend_at_ = 0, wait_ms_ = dtls_retransmit_min_ms;
  std::size_t handshake_octets_ = 0;
  unsigned answers_ = 0;
};

} // namespace

std::unique_ptr<dtls_session> internal::make_dtls_session(std::shared_ptr<const dtls_context::impl> shared,
                                                          link_role role, std::unique_ptr<dtls_endpoint> endpoint) {
  return std::make_unique<openssl_dtls_session>(std::move(shared), role, std::move(endpoint));
}

expected<dtls_context> dtls_context::make(const key_pair& node) {
  ERR_clear_error();
  HANSE_TRY(auto key, internal::make_private_key(node));
  HANSE_TRY(auto certificate, internal::make_certificate(key.get()));
  HANSE_TRY(auto delegated, internal::make_delegated_key(key.get()));
  auto shared = std::make_shared<impl>();
  shared->ctx.reset(SSL_CTX_new(DTLS_method()));
  shared->bio = make_bio_method();
  shared->self = node.identity();
  SSL_CTX* ctx = shared->ctx.get();
  if (!ctx || !shared->bio || !configure(ctx) || SSL_CTX_use_certificate(ctx, delegated.certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(ctx, delegated.key.get()) != 1 || SSL_CTX_check_private_key(ctx) != 1 ||
      SSL_CTX_add1_chain_cert(ctx, certificate.get()) != 1)
    return error{errc::internal, "DTLS: " + take_openssl_error()};
  internal::install_cookies(ctx);
  return dtls_context{std::move(shared)};
}

std::unique_ptr<dtls_session> dtls_context::dial(const std::optional<identity>& expected_peer) const {
  auto endpoint = internal::make_dtls_endpoint(*shared_);
  if (endpoint) endpoint->expected_peer = expected_peer;
  return internal::make_dtls_session(shared_, link_role::dialer, std::move(endpoint));
}

const identity& dtls_context::self() const noexcept {
  return shared_->self;
}

} // namespace hanse
