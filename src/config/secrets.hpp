// Files that the configuration names: tokens, signing keys and PEM files, checked when they are
// read. Faults name what is wrong with the file, never a byte of what it held.
#pragma once

#include <string>

#include "config/files.hpp"

namespace weir::config {

struct secret_text {
  std::string text;
  std::string fault;  // empty: fine; else such as "cannot be read (No such file or directory)"
};

// One line of visible ASCII, blanks and newlines around it taken off.
secret_text read_token(const std::string& path, const file_loader& files);
// "whsec_" and base64 of 24 to 64 bytes (Standard Webhooks, "Signature scheme"); the decoded key.
secret_text read_signing_key(const std::string& path, const file_loader& files);
// True for a text that is more likely a secret than the path of one: it must not be shown.
bool looks_secret(const std::string& path);
// Something in PEM armour; only that it can be read and looks like it. The text is dropped.
secret_text read_pem(const std::string& path, const file_loader& files);

}  // namespace weir::config
