// Mistakes at the top level and in listeners: every mistake with its exact message and place. A row
// replaces one line of the smallest
// whole configuration (support.hpp).
#include <catch2/catch.hpp>

#include "config/support.hpp"

using weir::config::test::bad_part;
using weir::config::test::check_mistakes;
using weir::config::test::parts;

TEST_CASE("mistakes at the top level, in limits, admin and registration") {
  check_mistakes(
      &parts::top,
      {
          {"threads: 0",
           {"1:10: threads: `0` is out of range, expected auto or a whole number from 1 to 1024"}},
          {"threads: 1025",
           {"1:10: threads: `1025` is out of range, expected auto or a whole number from 1 to "
            "1024"}},
          {"threads: -1", {"1:10: threads: `-1`, expected auto or a whole number from 1 to 1024"}},
          {"threads: many",
           {"1:10: threads: `many`, expected auto or a whole number from 1 to 1024"}},
          {"threads: 1.5",
           {"1:10: threads: `1.5`, expected auto or a whole number from 1 to 1024"}},
          {R"(threads: "4")",
           {"1:10: threads: `4` in quotes, expected auto or a whole number from 1 to 1024, did "
            "you mean 4"}},
          {"threads: [4]",
           {"1:10: threads: a list, expected auto or a whole number from 1 to 1024"}},
          {"threads:", {"1:1: threads: nothing, expected auto or a whole number from 1 to 1024"}},
          {"threads: {a: 1}",
           {"1:10: threads: keys and values, expected auto or a whole number from 1 to 1024"}},
          {"thread: 4",
           {"1:1: unknown key `thread`, expected one of threads, state_dir, retention, backup, "
            "replay_dir, drain_timeout, drain_delay, reload, access_log, limits, listeners, "
            "admin, registration, routes, pools, did you mean threads"}},
          {"Threads: 4",
           {"1:1: unknown key `Threads`, expected one of threads, state_dir, retention, backup, "
            "replay_dir, drain_timeout, drain_delay, reload, access_log, limits, listeners, "
            "admin, registration, routes, pools, did you mean threads"}},
          {"drain: 60s",
           {"1:1: unknown key `drain`, expected one of threads, state_dir, retention, backup, "
            "replay_dir, drain_timeout, drain_delay, reload, access_log, limits, listeners, "
            "admin, registration, routes, pools, did you mean drain_timeout"}},
          {"drain_timeout: 5",
           {"1:16: drain_timeout: `5`, expected a duration from 0s to 1d, such as 250ms, 5s, 2m "
            "or 1h, did you mean 5s"}},
          {"drain_timeout: 5 seconds",
           {"1:16: drain_timeout: `5 seconds`, expected a duration from 0s to 1d, such as 250ms, "
            "5s, 2m or 1h, did you mean 5s"}},
          {"drain_timeout: 1h1h",
           {"1:16: drain_timeout: `1h1h`, expected a duration from 0s to 1d, such as 250ms, 5s, "
            "2m or 1h"}},
          {"drain_timeout: 25h",
           {"1:16: drain_timeout: `25h` is out of range, expected a duration from 0s to 1d, such "
            "as 250ms, 5s, 2m or 1h"}},
          {"drain_timeout: -5s",
           {"1:16: drain_timeout: `-5s`, expected a duration from 0s to 1d, such as 250ms, 5s, "
            "2m or 1h"}},
          {"drain_timeout: 1m2h",
           {"1:16: drain_timeout: `1m2h`, expected a duration from 0s to 1d, such as 250ms, 5s, "
            "2m or 1h"}},
          {"drain_delay: 0",
           {"1:14: drain_delay: `0`, expected a duration from 0s to 1h, such as 250ms, 5s, 2m or "
            "1h, did you mean 0s"}},
          {"reload: wach",
           {"1:9: reload: `wach`, expected one of manual, watch, did you mean watch"}},
          {"reload: on", {"1:9: reload: `on`, expected one of manual, watch"}},
          {R"(access_log: "-")", {"1:13: access_log: `-`, expected keys and values"}},
          {"access_log: {file: [x]}", {"1:20: access_log.file: a list, expected a path"}},
          {"access_log: {buffer_record: 5}",
           {"1:14: unknown key `buffer_record` in access_log, expected one of file, "
            "buffer_records, did you mean buffer_records"}},
          {"access_log: {fall: 3}",
           {"1:14: unknown key `fall` in access_log (it belongs in pools.NAME.health_check), "
            "expected one of file, buffer_records"}},
          {"access_log: {buffer_records: 15}",
           {"1:30: access_log.buffer_records: `15` is out of range, expected a whole number from "
            "16 to 1048576"}},
          {"state_dir: [x]", {"1:12: state_dir: a list, expected a path"}},
          {"queue: {}",
           {"1:1: unknown key `queue` (it belongs in routes[].timeout or pools.NAME), expected "
            "one of threads, state_dir, retention, backup, replay_dir, drain_timeout, drain_delay, "
            "reload, access_log, limits, listeners, admin, registration, routes, pools"}},
          {"interval: 5s",
           {"1:1: unknown key `interval` (it belongs in backup or pools.NAME.health_check), "
            "expected one "
            "of threads, state_dir, retention, backup, replay_dir, drain_timeout, drain_delay, "
            "reload, access_log, limits, listeners, admin, registration, routes, pools"}},
          {"<<: {threads: 4}",
           {"1:1: unknown key `<<`, expected one of threads, state_dir, retention, backup, "
            "replay_dir, drain_timeout, drain_delay, reload, access_log, limits, listeners, "
            "admin, registration, routes, pools"}},
          {"threads: 4, drain_delay: 1s",
           {"1:24: not YAML: a colon where no value can begin, expected other indentation, or "
            "quotes around a text"}},
          {"limits: {head_bytes_max: 64K}",
           {"1:26: limits.head_bytes_max: `64K`, expected a size from 1KiB to 1MiB, such as "
            "64KiB or 1GiB, did you mean 64KiB"}},
          {"limits: {head_bytes_max: 64 kib}",
           {"1:26: limits.head_bytes_max: `64 kib`, expected a size from 1KiB to 1MiB, such as "
            "64KiB or 1GiB, did you mean 64KiB"}},
          {"limits: {head_bytes_max: 1MiBs}",
           {"1:26: limits.head_bytes_max: `1MiBs`, expected a size from 1KiB to 1MiB, such as "
            "64KiB or 1GiB"}},
          {"limits: {head_bytes_max: 512}",
           {"1:26: limits.head_bytes_max: `512` is out of range, expected a size from 1KiB to "
            "1MiB, such as 64KiB or 1GiB"}},
          {"limits: {fields_max: 9}",
           {"1:22: limits.fields_max: `9` is out of range, expected a whole number from 10 to "
            "10000"}},
          {R"(limits: {fields_max: "100"})",
           {"1:22: limits.fields_max: `100` in quotes, expected a whole number from 10 to 10000, "
            "did you mean 100"}},
          {"limits: {target_bytes_max: 64KiB}",
           {"1:28: limits.target_bytes_max: 64KiB is more than head_bytes_max (16KiB, the "
            "default), expected at most that"}},
          {"limits: {head_bytes_max: 4KiB}",
           {"1:26: limits.head_bytes_max: 4KiB is less than target_bytes_max (8KiB, the "
            "default), expected at least that"}},
          {"limits: {head_bytes_max: 4KiB, target_bytes_max: 5KiB}",
           {"1:26: limits.head_bytes_max: 4KiB is less than target_bytes_max (5KiB), expected at "
            "least that"}},
          {"limits: {replay_batch_bytes_max: 1GiB}",
           {"1:34: limits.replay_batch_bytes_max: 1GiB is more than replay_total_bytes_max "
            "(256MiB, the default), expected at most that"}},
          {"limits: {inline_bytes_max: 17MiB}",
           {"1:28: limits.inline_bytes_max: `17MiB` is out of range, expected a size from 0B to "
            "16MiB, such as 64KiB or 1GiB"}},
          {"limits: {result_bytes_max: none}",
           {"1:28: limits.result_bytes_max: `none`, expected a size from 0B to 1TiB, such as "
            "64KiB or 1GiB"}},
          {"limits: {linger_timeout: 2 sec}",
           {"1:26: limits.linger_timeout: `2 sec`, expected a duration from 0s to 1m, such as "
            "250ms, 5s, 2m or 1h, did you mean 2s"}},
          {R"(admin: {bind: "0.0.0.0:9900"})",
           {"1:15: admin.bind: 0.0.0.0:9900 can be reached from other machines, expected a "
            "loopback address or token_file beside this"}},
          {R"(admin: {bind: "[::]:9900"})",
           {"1:15: admin.bind: [::]:9900 can be reached from other machines, expected a loopback "
            "address or token_file beside this"}},
          {R"(admin: {bind: ":9900"})",
           {"1:15: admin.bind: `:9900`, expected ADDRESS:PORT, [IPV6]:PORT (in quotes) or "
            "unix:/PATH"}},
          {R"(admin: {bind: "127.0.0.1"})",
           {"1:15: admin.bind: `127.0.0.1`, expected ADDRESS:PORT, [IPV6]:PORT (in quotes) or "
            "unix:/PATH"}},
          {"admin: {bind: 127.0.0.1:99999}",
           {"1:15: admin.bind: `127.0.0.1:99999`, expected ADDRESS:PORT, [IPV6]:PORT (in quotes) "
            "or unix:/PATH"}},
          {R"(admin: {bind: "127.0.0.1:8080"})",
           {"1:15: admin.bind: `127.0.0.1:8080` is taken (line 2), expected one of its own"}},
          {"admin: {token: abc}",
           {"1:9: unknown key `token` in admin, expected one of bind, token_file, did you mean "
            "token_file"}},
          {"admin: {token_file: nowhere}",
           {"1:21: admin.token_file: `nowhere` cannot be read (No such file or directory), "
            "expected the path of a file with a token"}},
          {"admin: {token_file: empty}",
           {"1:21: admin.token_file: `empty` is an empty file, expected the path of a file with "
            "a token"}},
          {"admin: {token_file: two-lines}",
           {"1:21: admin.token_file: `two-lines` does not hold one line of visible ASCII, "
            "expected the path of a file with a token"}},
          {R"(admin: {token_file: ""})",
           {"1:21: admin.token_file: `` cannot be read (No such file or directory), expected the "
            "path of a file with a token"}},
          {"admin: []", {"1:8: admin: a list, expected keys and values"}},
          {R"(registration: {bind: "127.0.0.1:9901", allow: [127.0.0.0/8]})",
           {"1:15: missing key `token_file` in registration, expected the path of a file with a "
            "token"}},
          {R"(registration: {bind: "127.0.0.1:9901", token_file: token})",
           {"1:15: missing key `allow` in registration, expected a list, each an address range "
            "such as 10.0.0.0/8"}},
          {R"(registration: {bind: "127.0.0.1:9901", token_file: token, allow: []})",
           {"1:66: registration.allow: 0 entries, expected 1 to 256"}},
          {R"(registration: {bind: "127.0.0.1:9900", token_file: token, allow: [127.0.0.0/8]})",
           {"1:22: registration.bind: `127.0.0.1:9900` is taken by admin (its default), expected "
            "one of its "
            "own"}},
          {R"(registration: {bind: "127.0.0.1:9901", token_file: token, allow: [127.0.0.1/8], )"
           "ttl_max: 0s}",
           {"1:67: registration.allow[0]: `127.0.0.1/8` has bits beyond its prefix, expected an "
            "address range such as 10.0.0.0/8, did you mean 127.0.0.0/8",
            "1:90: registration.ttl_max: `0s` is out of range, expected a duration from 1s to "
            "1d, such as 250ms, 5s, 2m or 1h"}},
      });
}

TEST_CASE("mistakes in what is kept, for how long, and in its copies") {
  check_mistakes(
      &parts::top,
      {
          {"retention: 7d", {"1:12: retention: `7d`, expected keys and values"}},
          {"retention: {results: 0s}",
           {"1:22: retention.results: `0s` is out of range, expected a duration from 1s to 3650d, "
            "such as 250ms, 5s, 2m or 1h"}},
          {"retention: {results_bytes: 10 GiB}",
           {"1:28: retention.results_bytes: `10 GiB`, expected a size from 0B to 1024TiB, such as "
            "64KiB or 1GiB, did you mean 10GiB"}},
          {"retention: {dead_letters: forever}",
           {"1:27: retention.dead_letters: `forever`, expected a duration from 1s to 3650d, such "
            "as 250ms, 5s, 2m or 1h"}},
          {"retention: {keys: 24}",
           {"1:19: retention.keys: `24`, expected a duration from 1s to 3650d, such as 250ms, 5s, "
            "2m or 1h, did you mean 24s"}},
          {"retention: {key: 24h}",
           {"1:13: unknown key `key` in retention, expected one of results, results_bytes, "
            "dead_letters, keys, keys_bytes, did you mean keys"}},
          {"backup:", {"1:1: backup: nothing, expected keys and values"}},
          {"backup: {}", {"1:9: missing key `dir` in backup, expected a path"}},
          {"backup: {interval: 1h}", {"1:9: missing key `dir` in backup, expected a path"}},
          {"backup: /var/backups/weir",
           {"1:9: backup: `/var/backups/weir`, expected keys and values"}},
          {R"(backup: {dir: ""})", {"1:15: backup.dir: an empty text, expected a directory"}},
          {"backup: {dir: [a]}", {"1:15: backup.dir: a list, expected a path"}},
          {"backup: {dir: b, interval: 0s}",
           {"1:28: backup.interval: `0s` is out of range, expected a duration from 1s to 365d, "
            "such as 250ms, 5s, 2m or 1h"}},
          {"backup: {dir: b, interval: 366d}",
           {"1:28: backup.interval: `366d` is out of range, expected a duration from 1s to 365d, "
            "such as 250ms, 5s, 2m or 1h"}},
          {"backup: {dir: b, keep: 0}",
           {"1:24: backup.keep: `0` is out of range, expected a whole number from 1 to 10000"}},
      });
}

TEST_CASE("mistakes in listeners") {
  check_mistakes(
      &parts::listeners,
      {
          {"listeners: []", {"2:12: listeners: 0 entries, expected 1 to 64"}},
          {"listeners: {name: front}", {"2:12: listeners: keys and values, expected a list"}},
          {"listeners: [5]", {"2:13: listeners[0]: `5`, expected keys and values"}},
          {"listeners: [{name: front}]",
           {"2:13: missing key `bind` in listeners[0], expected ADDRESS:PORT, [IPV6]:PORT (in "
            "quotes) or unix:/PATH"}},
          {R"(listeners: [{bind: "127.0.0.1:80"}])",
           {"2:13: missing key `name` in listeners[0], expected a name of letters, digits, '-', "
            "'_' and '.', at most 64"}},
          {R"(listeners: [{name: fr ont, bind: "127.0.0.1:80"}])",
           {"2:20: listeners[0].name: `fr ont`, expected a name of letters, digits, '-', '_' and "
            "'.', at most 64"}},
          {"listeners: [{name: front, bind: localhost:80}]",
           {"2:33: listeners[0].bind: `localhost:80`, expected ADDRESS:PORT, [IPV6]:PORT (in "
            "quotes) or unix:/PATH, did you mean 127.0.0.1:80"}},
          {R"(listeners: [{name: front, bind: "unix:weir.sock"}])",
           {"2:33: listeners[0].bind: `unix:weir.sock`, expected ADDRESS:PORT, [IPV6]:PORT (in "
            "quotes) or unix:/PATH"}},
          {"listeners: [{name: front, bind: [1]}]",
           {"2:33: listeners[0].bind: a list, expected ADDRESS:PORT, [IPV6]:PORT (in quotes) or "
            "unix:/PATH"}},
          {R"(listeners: [{name: a, bind: "127.0.0.1:1"}, {name: a, bind: "127.0.0.1:2"}])",
           {"2:52: listeners[1].name: `a` is taken (line 2), expected one of its own"}},
          {R"(listeners: [{name: a, bind: "127.0.0.1:1"}, {name: b, bind: "127.0.0.1:1"}])",
           {"2:61: listeners[1].bind: `127.0.0.1:1` is taken (line 2), expected one of its own"}},
          {R"(listeners: [{name: a, bind: "127.0.0.1:1", trusted: [10.0.0.1/8, any, )"
           "10.0.0.0/33]}]",
           {"2:54: listeners[0].trusted[0]: `10.0.0.1/8` has bits beyond its prefix, expected an "
            "address range such as 10.0.0.0/8, did you mean 10.0.0.0/8",
            "2:66: listeners[0].trusted[1]: `any`, expected an address range such as 10.0.0.0/8",
            "2:71: listeners[0].trusted[2]: `10.0.0.0/33`, expected an address range such as "
            "10.0.0.0/8"}},
          {R"(listeners: [{name: a, bind: "127.0.0.1:1", trusted: 10.0.0.0/8}])",
           {"2:53: listeners[0].trusted: `10.0.0.0/8`, expected a list, each an address range "
            "such as 10.0.0.0/8"}},
          {R"(listeners: [{name: a, bind: "127.0.0.1:1", idle_timeout: 1ms}])",
           {"2:58: listeners[0].idle_timeout: `1ms` is out of range, expected a duration from "
            "100ms to 1d, such as 250ms, 5s, 2m or 1h"}},
          {R"(listeners: [{name: a, bind: "127.0.0.1:1", tls: {}}])",
           {"2:49: missing key `certificate` in listeners[0].tls, expected the path of a PEM file",
            "2:49: missing key `private_key` in listeners[0].tls, expected the path of a PEM "
            "file"}},
          {R"(listeners: [{name: a, bind: "127.0.0.1:1", tls: {certificate: nowhere, )"
           "private_key: not.pem}}]",
           {"2:63: listeners[0].tls.certificate: `nowhere` cannot be read (No such file or "
            "directory), expected the path of a PEM file",
            "2:85: listeners[0].tls.private_key: `not.pem` is not a PEM file, expected the path "
            "of a PEM file"}},
          {R"(listeners: [{name: a, bind: "127.0.0.1:1", tls: {certificate: s.pem, )"
           "private_key: s.key, client_auth: require}}]",
           {"2:103: listeners[0].tls.client_auth: needs client_ca, expected it beside this"}},
          {R"(listeners: [{name: a, bind: "127.0.0.1:1", tls: {certificate: s.pem, )"
           "private_key: s.key, client_auth: yes}}]",
           {"2:103: listeners[0].tls.client_auth: `yes`, expected one of none, request, require"}},
          {R"(listeners: [{name: a, bind: "127.0.0.1:1", tls: true}])",
           {"2:49: listeners[0].tls: `true`, expected keys and values"}},
      });
}
