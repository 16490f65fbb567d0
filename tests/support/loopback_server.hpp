// SPDX-License-Identifier: Apache-2.0
/// loopback_server.hpp: a web server on 127.0.0.1 that answers as a test wants, well or badly.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace support {

/// What a client asked, and when.
struct Received {
  std::string target;  // path and query
  std::string head;    // all lines
  std::chrono::steady_clock::time_point time;

  bool has(std::string_view line) const { return head.find(line) != std::string::npos; }
};

/// The open connection to one client. It is closed when the handler returns.
class Connection {
 public:
  Connection(int fd, const std::atomic<bool>& ending) : fd_(fd), ending_(ending) {}

  /// Sends raw bytes; false once the client is gone.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  /// Does nothing for a while, but not longer than the server lives.
  void pause(double seconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (!ending_ && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

 private:
  int fd_;
  const std::atomic<bool>& ending_;
};

/// A whole answer: "200 OK", more head lines each ended by \r\n, body.
inline std::string answer(std::string_view status, std::string_view body,
                          std::string_view lines = {}) {
  std::string text = "HTTP/1.1 ";
  text.append(status)
      .append("\r\nConnection: close\r\nContent-Length: ")
      .append(std::to_string(body.size()));
  return text.append("\r\n").append(lines).append("\r\n").append(body);
}

/// Each connection is one request, handled in a thread of its own.
class LoopbackServer {
 public:
  using Handler = std::function<void(const Received&, Connection&)>;

  explicit LoopbackServer(Handler handler) : handler_(std::move(handler)) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* place = reinterpret_cast<sockaddr*>(&address);
    if (fd_ < 0 || ::bind(fd_, place, length) != 0 || ::listen(fd_, 64) != 0 ||
        ::getsockname(fd_, place, &length) != 0) {
      throw std::system_error(errno, std::generic_category(), "loopback server");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { accept(); });
  }
  /// Sends the same bytes to everybody.
  explicit LoopbackServer(std::string bytes)
      : LoopbackServer([bytes = std::move(bytes)](const Received&, Connection& client) {
          client.send(bytes);
        }) {}
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;
  ~LoopbackServer() {
    ending_ = true;
    thread_.join();
    for (std::thread& each : clients_) each.join();
    ::close(fd_);
  }

  /// "http://127.0.0.1:PORT", then `path`.
  std::string url(std::string_view path = {}, std::string_view host = "127.0.0.1") const {
    return std::string("http://")
        .append(host)
        .append(":")
        .append(std::to_string(port_))
        .append(path);
  }

  /// All requests so far, in the order of their coming.
  std::vector<Received> received() const {
    const std::lock_guard lock(mutex_);
    return received_;
  }

 private:
  void accept() {
    while (!ending_) {
      pollfd waiting{fd_, POLLIN, 0};
      if (::poll(&waiting, 1, 10) <= 0) continue;
      const int client = ::accept(fd_, nullptr, nullptr);
      if (client >= 0) clients_.emplace_back([this, client] { serve(client); });
    }
  }

  void serve(int client) {
    std::string head;
    char buffer[4096];
    while (!ending_ && head.find("\r\n\r\n") == std::string::npos) {
      pollfd waiting{client, POLLIN, 0};
      if (::poll(&waiting, 1, 10) <= 0) continue;
      const ssize_t n = ::recv(client, buffer, sizeof buffer, 0);
      if (n <= 0) break;
      head.append(buffer, static_cast<std::size_t>(n));
    }
    const std::size_t begin = head.find(' ') + 1;
    const Received request{head.substr(begin, head.find(' ', begin) - begin), head,
                           std::chrono::steady_clock::now()};
    {
      const std::lock_guard lock(mutex_);
      received_.push_back(request);
    }
    Connection connection(client, ending_);
    handler_(request, connection);
    ::shutdown(client, SHUT_WR);
    ::close(client);
  }

  Handler handler_;
  int fd_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> ending_ = false;
  mutable std::mutex mutex_;
  std::vector<Received> received_;
  std::vector<std::thread> clients_;
  std::thread thread_;
};

}  // namespace support
