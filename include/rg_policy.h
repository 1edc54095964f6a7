/*
 * The policy: what the environment says, parsed once at load into one struct that never changes
 * after. One table (RG_SETTINGS and RG_EVENTS) is behind the parsing, the error texts, `--help` and
 * `reneguardctl policy`. Pure: the environment is passed in, nothing is kept but copies.
 */
#ifndef RG_POLICY_H
#define RG_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rg_client.h"
#include "rg_event.h"
#include "rg_limit.h"

#define RG_EXEMPT_MAX	   128
#define RG_NAME_BYTES	   64
#define RG_PATH_BYTES	   1024
#define RG_SOCKET_BYTES	   108 /* sun_path */
#define RG_CLIENTS_MIN	   64
#define RG_CLIENTS_MAX	   4194304
#define RG_RULE_TEXT_BYTES 40

struct rg_rule {
	enum rg_action action;
	struct rg_limit limit;
};

enum rg_role { RG_ROLE_SERVER = 1, RG_ROLE_CLIENT = 2, RG_ROLE_BOTH = 3 };
enum rg_log_target { RG_LOG_TO_SYSLOG = 1, RG_LOG_TO_STDERR = 2 };
enum rg_log_format { RG_FORMAT_TEXT, RG_FORMAT_JSON };

/* Settings beside the event rules. X(field, variable, default as text, parser, accepted form, what
 * it is) */
#define RG_SETTINGS(X)                                                                             \
	X(on, "RENEGUARD", "on", on_off, "on or off", "off: loaded, but inert")                    \
	X(role, "RENEGUARD_ROLE", "server", role, "server, client or both",                        \
	  "which side's connections are guarded")                                                  \
	X(exempt, "RENEGUARD_EXEMPT", "", networks, "a comma list of addresses and CIDR networks", \
	  "counted but never acted upon")                                                          \
	X(ipv4_prefix, "RENEGUARD_IPV4_PREFIX", "32", bits32, "a number from 0 to 32",             \
	  "what is one IPv4 client")                                                               \
	X(ipv6_prefix, "RENEGUARD_IPV6_PREFIX", "64", bits128, "a number from 0 to 128",           \
	  "what is one IPv6 client")                                                               \
	X(clients, "RENEGUARD_CLIENTS", "65536", clients, "a number from 64 to 4194304",           \
	  "clients the ledger holds")                                                              \
	X(state, "RENEGUARD_STATE", "", path, "an absolute path of at most 1023 characters",       \
	  "file that backs the ledger, shared by all processes that name it")                      \
	X(name, "RENEGUARD_NAME", "", name, "1 to 63 printable characters",                        \
	  "the service's label in logs (default: the program's name)")                             \
	X(log_targets, "RENEGUARD_LOG", "syslog", targets, "a comma list of syslog, stderr, off",  \
	  "where warnings go")                                                                     \
	X(log_format, "RENEGUARD_LOG_FORMAT", "text", format, "text or json", "logfmt or JSON")    \
	X(log_rate, "RENEGUARD_LOG_RATE", "20/1s", rate,                                           \
	  "COUNT/PERIOD, COUNT from 1 to 1000000, PERIOD a number with s, m or h, up to 24h",      \
	  "log lines in a period, all clients together")                                           \
	X(facility, "RENEGUARD_SYSLOG_FACILITY", "authpriv", facility,                             \
	  "a syslog facility: auth, authpriv, daemon, user, local0 to local7", "syslog facility")  \
	X(socket, "RENEGUARD_SYSLOG_SOCKET", "/dev/log", socket,                                   \
	  "an absolute path of at most 107 characters", "the syslog socket")                       \
	X(strict, "RENEGUARD_STRICT", "0", zero_one, "0 or 1",                                     \
	  "1: a bad policy ends the process at start with status 78")

struct rg_policy {
	struct rg_rule rules[RG_EVENT_COUNT];
	struct rg_network exempt[RG_EXEMPT_MAX];
	size_t exempt_count;
	bool on;
	bool strict;
	bool blocks; /* some rule does */
	enum rg_role role;
	unsigned log_targets; /* of enum rg_log_target */
	enum rg_log_format log_format;
	struct rg_limit log_rate;
	unsigned facility; /* syslog number, not shifted */
	unsigned ipv4_prefix, ipv6_prefix;
	uint32_t clients;
	char name[RG_NAME_BYTES];
	char state[RG_PATH_BYTES];
	char socket[RG_SOCKET_BYTES];
};

/* Called once for each bad variable: VARIABLE and VALUE as they stand in the environment, and what
 * would be ACCEPTED. */
typedef void rg_complain(void *arg, const char *variable, const char *value, const char *accepted);

/*
 * Read the policy from ENVIRONMENT ("NAME=value" strings, NULL at the end). A bad value leaves its
 * variable at the default; an unknown name that begins with RENEGUARD_ is bad as well. PROGRAM (may
 * be NULL) names the service where RENEGUARD_NAME does not. Returns how many variables were bad.
 */
size_t rg_policy_read(struct rg_policy *policy, char *const environment[], const char *program,
		      rg_complain *complain, void *arg);

/* "close:3/600s", as in the grammar, into TEXT. */
void rg_rule_text(const struct rg_rule *rule, char text[RG_RULE_TEXT_BYTES]);

/* The accepted form of an event's variable, as in error texts. */
const char *rg_rule_accepted(enum rg_event event);

/* The value of the INDEXth setting as text, in the table's order; NULL past the end. VARIABLE and
 * WHAT are set too. */
const char *rg_policy_setting(const struct rg_policy *policy, size_t index, char *text, size_t size,
			      const char **variable, const char **what);

/* Is what comes from ADDRESS never acted upon? */
bool rg_policy_exempts(const struct rg_policy *policy, const struct rg_address *address);

/* The client that a peer at ADDRESS is: the address, cut to the prefix of its family. */
struct rg_client rg_policy_client(const struct rg_policy *policy, const struct rg_address *address);

#endif
