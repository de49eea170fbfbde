// TLS 1.3 sessions over a BIO that reads the caller's view and appends to the caller's buffer: no copy but OpenSSL's.
// Not sockets, not certificates (tls_certificate.cpp). Sources: RFC 8446, RFC 7301 (ALPN), OpenSSL 3.0 manual pages.
#include "hanse/transport/tls_session.hpp"

#include "hanse/transport/internal/record_tracker.hpp"
#include "hanse/transport/internal/tls_alpn.hpp"
#include "hanse/transport/internal/tls_certificate.hpp"

#include <algorithm>

namespace hanse {

using internal::take_openssl_error;

struct tls_context::impl {
  internal::ssl_ctx_ptr ctx;
  internal::bio_method_ptr bio;
  identity self;
  std::uint64_t rekey_records = tls_rekey_records;
};

namespace {

// Post-handshake messages in a row without data: a peer that sends more only wants us to work. As OpenSSL's own limit
// for empty records.
constexpr unsigned idle_messages_max = 32;
// Octets of the far side's certificate list: one of ours has about 240.
constexpr long certificate_list_max = 4096;
constexpr std::size_t record_overhead = 5 + 1 + 16; // header, content type, tag (RFC 8446 section 5.2)

const std::string alpn_wire{"\x07hanse/1"};

// AES without hardware leaks its key through timing and is slower than ChaCha20.
bool has_hardware_aes() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_cpu_supports("aes");
#elif defined(__ARM_FEATURE_AES) || defined(__ARM_FEATURE_CRYPTO)
  return true;
#else
  return false;
#endif
}

class tls_session final : public secure_session {
public:
  tls_session(std::shared_ptr<const tls_context::impl> shared, link_role role, const std::optional<identity>& expected)
      : shared_(std::move(shared)), role_(role), expected_(expected) {}

  expected<unit> start(bytes& output) override;
  expected<std::size_t> receive(byte_view& input, std::span<std::byte> plaintext, bytes& output) override;
  expected<unit> send(byte_view plaintext, bytes& output) override;
  void shutdown(bytes& output) override;
  session_state state() const noexcept override { return state_; }
  const identity& peer() const noexcept override { return peer_; }
  bool partial() const noexcept override { return tracker_.partial(); }
  expected<unit> export_secret(std::string_view label, byte_view context, std::span<std::byte> out) const override;
  std::string_view cipher() const noexcept override {
    return state_ == session_state::established ? SSL_get_cipher_name(ssl_.get()) : std::string_view{};
  }

  // What OpenSSL calls back.
  int read_input(std::span<std::byte> room) noexcept;
  void write_output(byte_view octets) {
    if (output_) output_->insert(output_->end(), octets.begin(), octets.end()); // append() clears them first
  }
  bool judge(X509_STORE_CTX* ctx);
  void saw_handshake_message() noexcept { ++idle_messages_; }

private:
  expected<unit> handshake();
  expected<std::size_t> read(std::span<std::byte> plaintext);
  error fail(error e);
  error openssl_failure();
  void maybe_rekey(std::size_t plaintext_size);

  std::shared_ptr<const tls_context::impl> shared_;
  link_role role_;
  std::optional<identity> expected_;
  internal::ssl_ptr ssl_;
  session_state state_ = session_state::handshaking;
  identity peer_;
  identity judged_;              // of a certificate whose key the far side has not proven yet
  std::optional<error> verdict_; // of our certificate check
  error failed_{errc::link_closed};
  byte_view input_;         // valid during a call
  bytes* output_ = nullptr; // likewise
  std::size_t handshake_octets_ = 0;
  std::uint64_t records_ = 0; // sent under the present key
  unsigned idle_messages_ = 0;
  internal::record_tracker tracker_;
};

int bio_read(BIO* bio, char* room, std::size_t size, std::size_t* count) {
  BIO_clear_retry_flags(bio);
  auto* session = static_cast<tls_session*>(BIO_get_data(bio));
  const int n = session->read_input(std::as_writable_bytes(std::span{room, size}));
  *count = static_cast<std::size_t>(n);
  if (n == 0) BIO_set_retry_read(bio);
  return n > 0 ? 1 : 0;
}

int bio_write(BIO* bio, const char* octets, std::size_t size, std::size_t* count) {
  BIO_clear_retry_flags(bio);
  static_cast<tls_session*>(BIO_get_data(bio))->write_output(std::as_bytes(std::span{octets, size}));
  *count = size;
  return 1;
}

long bio_ctrl(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int verify_certificate(X509_STORE_CTX* ctx, void*) {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx()));
  return static_cast<tls_session*>(SSL_get_app_data(ssl))->judge(ctx) ? 1 : 0;
}

void on_message(int sent, int, int content, const void*, std::size_t, SSL* ssl, void*) {
  if (!sent && content == SSL3_RT_HANDSHAKE) static_cast<tls_session*>(SSL_get_app_data(ssl))->saw_handshake_message();
}

int tls_session::read_input(std::span<std::byte> room) noexcept {
  const auto n = std::min(room.size(), input_.size());
  std::copy_n(input_.begin(), n, room.begin());
  tracker_.pass(input_.first(n));
  input_ = input_.subspan(n);
  return static_cast<int>(n);
}

bool tls_session::judge(X509_STORE_CTX* ctx) {
  auto who = internal::judge_certificate(ctx, expected_, internal::certificate_form::own_key);
  if (who)
    judged_ = *who;
  else
    verdict_ = who.error();
  return who.has_value();
}

error tls_session::fail(error e) {
  state_ = session_state::closed;
  failed_ = std::move(e);
  ERR_clear_error();
  return failed_;
}

// What OpenSSL's error queue means here.
error tls_session::openssl_failure() {
  if (verdict_) return fail(*verdict_);
  const auto code = ERR_peek_error();
  const bool alert = ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) > SSL_AD_REASON_OFFSET;
  const int number = alert ? ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET : 0;
  const std::string reason = take_openssl_error();
  if (state_ == session_state::established) {
    if (alert) return fail({errc::link_closed, "the far side refused: " + reason});
    return fail({errc::decryption_failed, reason});
  }
  if (alert && role_ == link_role::acceptor && number == SSL_AD_CERTIFICATE_UNKNOWN)
    return fail({errc::wrong_peer, "the far side expected another identity here"});
  return fail({errc::handshake_failed, (alert ? "the far side refused: " : "") + reason});
}

expected<unit> tls_session::start(bytes& output) {
  ERR_clear_error();
  ssl_.reset(SSL_new(shared_->ctx.get()));
  BIO* bio = ssl_ ? BIO_new(shared_->bio.get()) : nullptr;
  if (!bio) return fail({errc::internal, take_openssl_error()});
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
  if (role_ == link_role::acceptor) {
    SSL_set_accept_state(ssl_.get());
    return ok();
  }
  SSL_set_connect_state(ssl_.get());
  output_ = &output;
  auto result = handshake();
  output_ = nullptr;
  return result;
}

expected<unit> tls_session::handshake() {
  const int r = SSL_do_handshake(ssl_.get());
  if (r != 1) {
    if (SSL_get_error(ssl_.get(), r) == SSL_ERROR_WANT_READ) return ok();
    return openssl_failure();
  }
  if (internal::chosen_alpn(ssl_.get()) != tls_alpn)
    return fail({errc::handshake_failed, "the far side did not choose ALPN hanse/1"});
  // Cannot be while SSL_VERIFY_FAIL_IF_NO_PEER_CERT is set; should that ever change, nobody gets in unnamed.
  if (judged_.is_none()) return fail({errc::handshake_failed, "the far side showed no certificate"});
  peer_ = judged_;
  state_ = session_state::established;
  idle_messages_ = 0;
  return ok();
}

expected<std::size_t> tls_session::read(std::span<std::byte> plaintext) {
  std::size_t n = 0;
  const int r = SSL_read_ex(ssl_.get(), plaintext.data(), plaintext.size(), &n);
  if (r == 1) {
    idle_messages_ = 0;
    return n;
  }
  switch (SSL_get_error(ssl_.get(), r)) {
  case SSL_ERROR_WANT_READ:
    break;
  case SSL_ERROR_ZERO_RETURN:
    return fail({errc::link_closed, "closed by the far side"});
  default:
    return openssl_failure();
  }
  if (idle_messages_ > idle_messages_max) return fail({errc::bad_value, "too many handshake messages without data"});
  return std::size_t{0};
}

expected<std::size_t> tls_session::receive(byte_view& input, std::span<std::byte> plaintext, bytes& output) {
  if (state_ == session_state::closed) return failed_;
  if (!ssl_) return error{errc::internal, "not started"};
  ERR_clear_error();
  output_ = &output;
  expected<std::size_t> result{std::size_t{0}};
  if (state_ == session_state::handshaking) {
    // The handshake stops at its last record, so what is counted here is the handshake's own.
    const auto room = std::min(input.size(), tls_handshake_input_max - handshake_octets_);
    input_ = input.first(room);
    if (auto done = handshake(); !done) result = done.error();
    const auto taken = room - input_.size();
    handshake_octets_ += taken;
    input = input.subspan(taken);
    if (result && state_ == session_state::handshaking && handshake_octets_ == tls_handshake_input_max)
      result = fail({errc::too_long, "handshake over " + std::to_string(tls_handshake_input_max) + " octets"});
  } else {
    input_ = input;
    result = read(plaintext);
    input = input_;
  }
  input_ = {};
  output_ = nullptr;
  return result;
}

// RFC 8446 section 5.5 bounds how much one key may encrypt; OpenSSL does not watch it.
void tls_session::maybe_rekey(std::size_t plaintext_size) {
  records_ += (plaintext_size + tls_record_size - 1) / tls_record_size;
  if (records_ < shared_->rekey_records) return;
  records_ = 0;
  SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED); // goes out before the next record
}

expected<unit> tls_session::send(byte_view plaintext, bytes& output) {
  if (state_ == session_state::handshaking) return errc::unauthenticated;
  if (state_ == session_state::closed) return errc::link_closed;
  if (plaintext.empty()) return ok();
  ERR_clear_error();
  const auto need = output.size() + plaintext.size() + (plaintext.size() / tls_record_size + 2) * record_overhead;
  if (output.capacity() < need) output.reserve(std::max(need, 2 * output.size()));
  output_ = &output;
  std::size_t sent = 0;
  const int r = SSL_write_ex(ssl_.get(), plaintext.data(), plaintext.size(), &sent);
  output_ = nullptr;
  if (r != 1 || sent != plaintext.size()) return fail({errc::internal, take_openssl_error()});
  maybe_rekey(plaintext.size());
  return ok();
}

void tls_session::shutdown(bytes& output) {
  if (state_ == session_state::established) {
    ERR_clear_error();
    output_ = &output;
    SSL_shutdown(ssl_.get());
    output_ = nullptr;
    ERR_clear_error();
  }
  state_ = session_state::closed;
}

expected<unit> tls_session::export_secret(std::string_view label, byte_view context, std::span<std::byte> out) const {
  if (state_ != session_state::established) return errc::unauthenticated;
  ERR_clear_error();
  if (SSL_export_keying_material(ssl_.get(), as_octets(out), out.size(), label.data(), label.size(), as_octets(context),
                                 context.size(), 1) != 1)
    return error{errc::internal, take_openssl_error()};
  return ok();
}

bool configure_protocol(SSL_CTX* ctx) {
  const char* suites = has_hardware_aes() ? "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
                                          : "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";
  SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(ctx, certificate_list_max);
  SSL_CTX_set_quiet_shutdown(ctx, 0);
  return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 && SSL_CTX_set_ciphersuites(ctx, suites) == 1 &&
         SSL_CTX_set1_groups_list(ctx, "X25519") == 1 && SSL_CTX_set1_sigalgs_list(ctx, "ed25519") == 1 &&
         SSL_CTX_set1_client_sigalgs_list(ctx, "ed25519") == 1 && SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
         SSL_CTX_set_max_early_data(ctx, 0) == 1 && internal::install_alpn(ctx, alpn_wire);
}

bool configure_callbacks(SSL_CTX* ctx) {
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(ctx, verify_certificate, nullptr);
  SSL_CTX_set_msg_callback(ctx, on_message);
  return true;
}

internal::bio_method_ptr make_bio_method() {
  internal::bio_method_ptr method{BIO_meth_new(BIO_TYPE_SOURCE_SINK, "hanse session")};
  if (!method || BIO_meth_set_read_ex(method.get(), bio_read) != 1 ||
      BIO_meth_set_write_ex(method.get(), bio_write) != 1 || BIO_meth_set_ctrl(method.get(), bio_ctrl) != 1)
    return nullptr;
  return method;
}

} // namespace

expected<tls_context> tls_context::make(const key_pair& node, std::uint64_t rekey_records) {
  ERR_clear_error();
  HANSE_TRY(auto key, internal::make_private_key(node));
  HANSE_TRY(auto certificate, internal::make_certificate(key.get()));
  auto shared = std::make_shared<impl>();
  shared->ctx.reset(SSL_CTX_new(TLS_method()));
  shared->bio = make_bio_method();
  shared->self = node.identity();
  shared->rekey_records = rekey_records;
  SSL_CTX* ctx = shared->ctx.get();
  if (!ctx || !shared->bio || !configure_protocol(ctx) || !configure_callbacks(ctx) ||
      SSL_CTX_use_certificate(ctx, certificate.get()) != 1 || SSL_CTX_use_PrivateKey(ctx, key.get()) != 1 ||
      SSL_CTX_check_private_key(ctx) != 1)
    return error{errc::internal, "TLS: " + take_openssl_error()};
  return tls_context{std::move(shared)};
}

std::unique_ptr<secure_session> tls_context::dial(const std::optional<identity>& expected_peer) const {
  return std::make_unique<tls_session>(shared_, link_role::dialer, expected_peer);
}

std::unique_ptr<secure_session> tls_context::accept() const {
  return std::make_unique<tls_session>(shared_, link_role::acceptor, std::nullopt);
}

const identity& tls_context::self() const noexcept {
  return shared_->self;
}

} // namespace hanse
