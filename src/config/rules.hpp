// Rules over several keys: what no single key can show to be wrong. Each runs once its section was
// read, and reports at the key to change; it trusts only keys that were read without a mistake.
// Called by the reader through section::check.
#pragma once

namespace weir::config {

class reading;
struct node;

void check_root(void* settings, const node& at, reading& r);
void check_listener(void* listener, const node& at, reading& r);
void check_admin(void* admin, const node& at, reading& r);
void check_limits(void* limits, const node& at, reading& r);
void check_backup(void* backup, const node& at, reading& r);
void check_route(void* route, const node& at, reading& r);
void check_retry(void* route, const node& at, reading& r);
void check_async_retry(void* retry_settings, const node& at, reading& r);
void check_callback(void* callback, const node& at, reading& r);
void check_edits(void* header_edits, const node& at, reading& r);
void check_pool(void* pool, const node& at, reading& r);
void check_health(void* pool, const node& at, reading& r);
void check_ejection(void* pool, const node& at, reading& r);
void check_queue(void* pool, const node& at, reading& r);
void check_autoscale(void* pool, const node& at, reading& r);
void check_exec(void* exec_hook, const node& at, reading& r);
void check_worker_tls(void* tls_client, const node& at, reading& r);

}  // namespace weir::config
