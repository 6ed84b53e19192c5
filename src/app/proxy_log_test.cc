#include "app/proxy_log.h"

#include <gtest/gtest.h>

namespace holdfast::app {
namespace {

// What haproxy 2.6.12 prints while it is in the foreground.
TEST(ProxyLog, StandardErrorShowsServerEventsAndAlertsOnly) {
  proxy::LogChannel events;
  events.standard_error = true;
  EXPECT_EQ(shown_level(&events, LogLevel::kProxyNotice), LogLevel::kProxyWarning);  // a server is UP
  EXPECT_EQ(shown_level(&events, LogLevel::kProxyAlert), LogLevel::kProxyWarning);   // a server is DOWN
  EXPECT_EQ(shown_level(&events, LogLevel::kProxyEmergency), LogLevel::kProxyAlert);
  const proxy::LogChannel sessions;
  EXPECT_EQ(shown_level(&sessions, LogLevel::kProxyInfo), std::nullopt);
  EXPECT_EQ(shown_level(&sessions, LogLevel::kProxyError), std::nullopt);           // log-separate-errors
  EXPECT_EQ(shown_level(&sessions, LogLevel::kProxyAlert), LogLevel::kProxyAlert);  // a port that cannot be bound
}

}  // namespace
}  // namespace holdfast::app
