// Actions: everything a machine can ask of its host. The other half of the machine's face is machine.h.
//
// A machine never performs I/O; it queues actions and the host (net+app, or the simulator) carries them out in order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/time.h"
#include "base/tls.h"

namespace holdfast::action {

/// Opens a listening socket; answered by Machine::listening.
struct Listen {
  ListenerId listener{};
  Address address;  // host "*" = every IPv4 and "::*" every IPv6 address
  int backlog = 511;
  uint32_t unix_mode = 0;                // permissions of a UNIX socket, 0 = leave
  std::optional<int> inherited_fd = {};  // an already bound and listening descriptor (`fd@N`)
  bool v6only = true;
  bool share_port = false;  // another process of the same user may listen there, too (SO_REUSEPORT)
};
struct CloseListener {
  ListenerId listener{};
};
/// Hands the listening sockets over to the peer of `conn`, a UNIX connection: a process that will replace this one.
struct SendListeners {
  ConnId conn;
};

/// Starts a connection; answered by Machine::connected or Machine::closed. Host names are the machine's business
/// (Resolve first): `to.host` is numeric. A machine that gives up sends Close.
struct Connect {
  ConnId conn;
  Address to;
  std::optional<Address> source = {};  // local address to bind, port 0 = any
  bool tcp_keepalive = true;
  bool datagram = false;  // UDP: what is queued at once is one message, each `receive` is one message
};

enum class CloseMode : uint8_t {
  kFlush,  // send what is in the output queue (bounded by the host's linger limit), then close
  kNow,    // close with FIN, drop unsent output
  kReset,  // close with RST (SO_LINGER 0)
};
/// Ends a connection. The machine forgets the id at once: no further input names it.
struct Close {
  ConnId conn;
  CloseMode mode = CloseMode::kNow;
};

/// The connection's output queue (Machine::output) went from empty to non-empty.
struct Flush {
  ConnId conn;
};
/// Half-close: FIN after the queued output.
struct ShutdownWrite {
  ConnId conn;
};
/// From here on the connection speaks TLS; the machine goes on in plain bytes, which wait for the handshake.
/// Answered by Machine::secured, or Machine::closed with CloseReason::kTls. Asked for before anything queued is on its
/// way: in the turn of accepted() or connected(), or after a header was received.
struct StartTls {
  ConnId conn;
  TlsContextId context{};
  bool client = false;
  std::string preface = {};         // leaves as it is, before the handshake
  std::string received = {};        // bytes that were received already and belong to the handshake
  std::string server_name = {};     // clients: SNI
  std::string verify_name = {};     // clients: a name the peer's certificate must be for
  std::optional<Duration> limit{};  // of the handshake; none: the machine watches over it
};
/// Stops or restarts reading: back-pressure.
struct PauseReading {
  ConnId conn;
  bool paused = false;
};

struct Log {
  LogLevel level = LogLevel::kNotice;
  std::string text;
};

/// Replaces a whole file durably: temporary file beside it, fsync, rename, fsync of the directory.
/// Answered by Machine::job_done.
struct WriteFile {
  JobId job{};
  std::string path;
  std::string bytes;
  uint32_t mode = 0644;
};
/// Opens `path` + a temporary suffix for writing in pieces. Errors surface at CommitFile.
struct BeginFile {
  JobId job{};
  std::string path;
  uint32_t mode = 0644;
};
struct AppendFile {
  JobId job{};  // of BeginFile
  std::string bytes;
};
/// fsync, rename to its path, fsync of the directory. Answered by Machine::job_done.
struct CommitFile {
  JobId job{};
};
struct AbandonFile {
  JobId job{};
};
/// Reads a whole file in pieces through Machine::file_data; a missing file answers job_done with ENOENT.
struct ReadFile {
  JobId job{};
  std::string path;
};
struct RemoveFile {
  std::string path;
};
/// Asks for the size of a file: answered by file_data with the decimal digits, then job_done (ENOENT: none).
struct StatFile {
  JobId job{};
  std::string path;
};
/// Cuts a file to `size` bytes, durably. Answered by Machine::job_done.
struct TruncateFile {
  JobId job{};
  std::string path;
  uint64_t size = 0;
};
/// Gives a file another name, durably. Answered by Machine::job_done.
struct RenameFile {
  JobId job{};
  std::string from;
  std::string to;
};
/// Creates a directory, durably; one that is there already is success. Answered by Machine::job_done.
struct MakeDirectory {
  JobId job{};
  std::string path;
};

/// Opens a file for appending, creating it (its name is durable then). `job` names the log from now on.
/// Answered by Machine::job_done.
struct OpenLog {
  JobId job{};
  std::string path;
  bool truncate = false;  // what an earlier run left there is of no use
  uint32_t mode = 0644;
};
/// Appends at the end; `sync`: and makes it durable before the answer (job_done of `job`). A failed append leaves the
/// file as it was where it can; its bytes are kept and go before those of the next append.
struct AppendLog {
  JobId log{};
  JobId job{};
  std::string bytes;
  bool sync = false;  // a failed one answers with the negative errno: the bytes are there, but not durable
};
/// Makes durable what was appended before, beside later appends. Answered by job_done of `job`.
struct SyncLog {
  JobId log{};
  JobId job{};
};
/// Makes durable and closes, after the appends before it and before the appends of any log after it. Answered by
/// job_done of `job`.
struct CloseLog {
  JobId log{};
  JobId job{};
};

/// Starts a child process, its output discarded. Answered by Machine::job_done with the raw wait status.
struct Spawn {
  JobId job{};
  std::vector<std::string> argv;
};
struct KillChild {
  JobId job{};
  int signal = 9;
};

/// Looks a host name up off the machine's thread. Answered by Machine::resolved.
struct Resolve {
  JobId job{};
  std::string host;
};

/// Blocks the whole process (DEBUG SLEEP).
struct Stall {
  Duration duration{};
};
/// Dies by a signal at once (DEBUG SEGFAULT), after the crash report.
struct Crash {
  int signal = 11;
};
/// Ends the process after the actions before it. Nothing is flushed by itself.
struct Exit {
  int code = 0;
};

}  // namespace holdfast::action

namespace holdfast {

using Action =
    std::variant<action::Flush, action::Close, action::Connect, action::PauseReading, action::ShutdownWrite,
                 action::Log, action::StartTls, action::Listen, action::CloseListener, action::WriteFile,
                 action::BeginFile, action::AppendFile, action::CommitFile, action::AbandonFile, action::ReadFile,
                 action::RemoveFile, action::StatFile, action::TruncateFile, action::RenameFile, action::MakeDirectory,
                 action::OpenLog, action::AppendLog, action::SyncLog, action::CloseLog, action::Spawn,
                 action::KillChild, action::Resolve, action::Stall, action::Crash, action::SendListeners, action::Exit>;

}  // namespace holdfast
