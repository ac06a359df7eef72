#include "failing_vfs.hpp"

#include <cstdlib>

namespace weir::store::test {
namespace {

struct shim_file {
  sqlite3_file base;   // first: SQLite sees only this
  sqlite3_file* real;  // behind it in the same piece of memory
};

std::atomic<unsigned> countdown{0};
std::atomic<bool> has_struck{false};
int failing_code = SQLITE_IOERR;
bool goes_on = false;

sqlite3_vfs* own() { return sqlite3_vfs_find(nullptr); }
sqlite3_file* real(sqlite3_file* f) { return reinterpret_cast<shim_file*>(f)->real; }

bool strikes() {
  if (has_struck.load()) return goes_on;
  if (countdown.load() == 0 || countdown.fetch_sub(1) != 1) return false;
  has_struck = true;
  return true;
}

int close(sqlite3_file* f) { return real(f)->pMethods->xClose(real(f)); }
int read(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
  return real(f)->pMethods->xRead(real(f), to, n, at);
}
int write(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  return strikes() ? failing_code : real(f)->pMethods->xWrite(real(f), from, n, at);
}
int truncate(sqlite3_file* f, sqlite3_int64 size) {
  return strikes() ? failing_code : real(f)->pMethods->xTruncate(real(f), size);
}
int sync(sqlite3_file* f, int flags) {
  return strikes() ? failing_code : real(f)->pMethods->xSync(real(f), flags);
}
int size(sqlite3_file* f, sqlite3_int64* n) { return real(f)->pMethods->xFileSize(real(f), n); }
int lock(sqlite3_file* f, int how) { return real(f)->pMethods->xLock(real(f), how); }
int unlock(sqlite3_file* f, int how) { return real(f)->pMethods->xUnlock(real(f), how); }
int reserved(sqlite3_file* f, int* is) {
  return real(f)->pMethods->xCheckReservedLock(real(f), is);
}
int control(sqlite3_file* f, int what, void* with) {
  return real(f)->pMethods->xFileControl(real(f), what, with);
}
int sector(sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); }
int traits(sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); }

// The log's index is memory that two connections share: no disk.
int shm_map(sqlite3_file* f, int page, int size_of, int grow, void volatile** at) {
  return real(f)->pMethods->xShmMap(real(f), page, size_of, grow, at);
}
int shm_lock(sqlite3_file* f, int offset, int n, int flags) {
  return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}
void shm_barrier(sqlite3_file* f) { real(f)->pMethods->xShmBarrier(real(f)); }
int shm_unmap(sqlite3_file* f, int remove) {
  return real(f)->pMethods->xShmUnmap(real(f), remove);
}

constexpr sqlite3_io_methods methods{2,       close,   read,     write,       truncate, sync,
                                     size,    lock,    unlock,   reserved,    control,  sector,
                                     traits,  shm_map, shm_lock, shm_barrier, shm_unmap, {},
                                     {}};

int open(sqlite3_vfs*, const char* path, sqlite3_file* f, int flags, int* got) {
  auto* const shim = reinterpret_cast<shim_file*>(f);
  shim->real = reinterpret_cast<sqlite3_file*>(shim + 1);
  const int code = own()->xOpen(own(), path, shim->real, flags, got);
  shim->base.pMethods = shim->real->pMethods ? &methods : nullptr;
  return code;
}

sqlite3_vfs* registered() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs v = *own();
    v.zName = failing_vfs::name;
    v.szOsFile = static_cast<int>(sizeof(shim_file)) + own()->szOsFile;
    v.xOpen = open;
    v.pNext = nullptr;
    return v;
  }();
  return &vfs;
}

}  // namespace

failing_vfs::failing_vfs(unsigned nth, int code, bool ever_after) {
  has_struck = false;
  failing_code = code;
  goes_on = ever_after;
  countdown = nth;
  sqlite3_vfs_register(registered(), 0);
}

failing_vfs::~failing_vfs() {
  sqlite3_vfs_unregister(registered());
}

bool failing_vfs::struck() const noexcept { return has_struck; }

}  // namespace weir::store::test
