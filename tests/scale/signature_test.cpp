#include "scale/signature.hpp"

#include <catch2/catch.hpp>

#include "base/random.hpp"
#include "scale/standard_webhooks.hpp"

namespace {

using namespace weir;
using scale::sign;

std::string random_text(base::random& rng, std::size_t longest) {
  std::string out(rng.below(static_cast<std::uint32_t>(longest + 1)), '\0');
  for (char& c : out) c = static_cast<char>(rng.next());
  return out;
}

}  // namespace

TEST_CASE("the receiver's arithmetic of these tests is right by published vectors") {
  // RFC 4231 §4.3 (test case 2) and §4.7 (test case 6, a key longer than a block); RFC 4648 §10.
  CHECK(test::base64(test::hmac("Jefe", "what do ya want for nothing?")) ==
        "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
  CHECK(test::base64(test::hmac(std::string(131, '\xaa'),
                                "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "YOQxWR7gtn8Niiaqy/W3f44LxiE3KMUUBUYEDw7jf1Q=");
  CHECK(test::base64("foobar") == "Zm9vYmFy");
  CHECK(test::base64("fooba") == "Zm9vYmE=");
  CHECK(test::base64("foob") == "Zm9vYg==");
  CHECK(test::from_base64("Zm9vYg==") == "foob");
}

TEST_CASE("the published example of Standard Webhooks gives the published signature") {
  const std::string secret = test::from_base64("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  CHECK(secret.size() == 24);
  CHECK(sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, R"({"test": 2432232314})") ==
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST_CASE("signatures agree with an independent computation for keys and bodies of every size") {
  const std::uint64_t seed = 20260131;
  INFO("seed " << seed);
  base::random rng(seed);
  for (int i = 0; i < 500; ++i) {
    const std::string secret = random_text(rng, 100), body = random_text(rng, 300);
    const auto at = static_cast<std::int64_t>(rng.below(2000000000));
    const std::string expected =
        test::base64(test::hmac(secret, "msg_1." + std::to_string(at) + "." + body));
    REQUIRE(sign(secret, "msg_1", at, body) == "v1," + expected);
  }
}

TEST_CASE("a signature depends on each of its parts") {
  const std::string whole = sign("secret", "id", 1, "body");
  CHECK(sign("secreT", "id", 1, "body") != whole);
  CHECK(sign("secret", "iD", 1, "body") != whole);
  CHECK(sign("secret", "id", 2, "body") != whole);
  CHECK(sign("secret", "id", 1, "bodY") != whole);
  CHECK(sign("secret", "id", 1, "body") == whole);
}
