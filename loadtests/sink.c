/* Swallows the log datagrams of a proxy: HAProxy logs to a socket, and something must read it.
 * Usage: sink PATH; prints "ready" once it is bound. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int count, char **words) {
  static char space[64][2048];
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  struct iovec parts[64];
  struct mmsghdr messages[64] = {0};
  int in = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (count != 2 || strlen(words[1]) >= sizeof at.sun_path) return 2;
  strcpy(at.sun_path, words[1]);
  if (in < 0 || bind(in, (struct sockaddr *)&at, sizeof at) != 0) return 2;
  for (int i = 0; i < 64; i++) {
    parts[i] = (struct iovec){space[i], sizeof space[i]};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
  }
  puts("ready"), fflush(stdout);
  while (recvmmsg(in, messages, 64, MSG_WAITFORONE, NULL) >= 0) continue;
  return 1;
}
