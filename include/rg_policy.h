/*
 * The policy: what the environment says, parsed once at load into a struct that never changes
 * afterwards. So every thread may read it without a lock. Parsing, error texts, `--help` and
 * `reneguardctl policy` all use the same tables, RG_EVENTS and RG_SETTINGS. Pure: the environment
 * is passed in, and only copies of it are kept.
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

/* The accepted form of a limit, as in error texts. */
#define RG_LIMIT_FORM                                                                              \
	"COUNT is a number from 1 to 1000000, PERIOD a number followed by s, m or h, at most 24h"

enum rg_role { RG_ROLE_SERVER = 1, RG_ROLE_CLIENT = 2, RG_ROLE_BOTH = 3 };
enum rg_log_target { RG_LOG_TO_SYSLOG = 1, RG_LOG_TO_STDERR = 2 };
enum rg_log_format { RG_FORMAT_TEXT, RG_FORMAT_JSON };

/* The settings besides the event rules.
 * X(field, variable, default as text, parser, accepted form, description for --help) */
#define RG_SETTINGS(X)                                                                             \
	X(on, "RENEGUARD", "on", on_off, "on or off",                                              \
	  "off: the library is loaded but does nothing")                                           \
	X(role, "RENEGUARD_ROLE", "server", role, "server, client or both",                        \
	  "guard connections in which the program has this role")                                  \
	X(exempt, "RENEGUARD_EXEMPT", "", networks,                                                \
	  "a comma-separated list of at most 128 addresses and CIDR networks",                     \
	  "addresses that are counted but never acted upon")                                       \
	X(ipv4_prefix, "RENEGUARD_IPV4_PREFIX", "32", bits32, "a number from 0 to 32",             \
	  "IPv4 addresses with this many leading bits in common are one client")                   \
	X(ipv6_prefix, "RENEGUARD_IPV6_PREFIX", "64", bits128, "a number from 0 to 128",           \
	  "IPv6 addresses with this many leading bits in common are one client")                   \
	X(clients, "RENEGUARD_CLIENTS", "65536", clients, "a number from 64 to 4194304",           \
	  "how many clients the ledger holds")                                                     \
	X(state, "RENEGUARD_STATE", "", path, "an absolute path of at most 1023 characters",       \
	  "file that holds the ledger; all processes that name it share it")                       \
	X(name, "RENEGUARD_NAME", "", name, "1 to 63 printable characters",                        \
	  "the service's name in logs and status (default: the program's name)")                   \
	X(log_targets, "RENEGUARD_LOG", "syslog", targets,                                         \
	  "off, or a comma-separated list of syslog and stderr", "where log lines go")             \
	X(log_format, "RENEGUARD_LOG_FORMAT", "text", format, "text or json",                      \
	  "format of log lines; text is logfmt")                                                   \
	X(log_rate, "RENEGUARD_LOG_RATE", "20/1s", rate, "COUNT/PERIOD; " RG_LIMIT_FORM,           \
	  "most log lines in a period, for all clients together")                                  \
	X(facility, "RENEGUARD_SYSLOG_FACILITY", "authpriv", facility,                             \
	  "a syslog facility: auth, authpriv, daemon, user, local0 to local7",                     \
	  "syslog facility of log lines")                                                          \
	X(socket, "RENEGUARD_SYSLOG_SOCKET", "/dev/log", socket,                                   \
	  "an absolute path of at most 107 characters", "path of the syslog socket")               \
	X(strict, "RENEGUARD_STRICT", "0", zero_one, "0 or 1",                                     \
	  "1: a bad policy ends the process at start, with exit status 78")

struct rg_policy {
	struct rg_rule rules[RG_EVENT_COUNT];
	struct rg_network exempt[RG_EXEMPT_MAX];
	size_t exempt_count;
	bool on;
	bool strict;
	bool blocks; /* the action of some rule is block */
	enum rg_role role;
	unsigned log_targets; /* bits of enum rg_log_target; 0: no log */
	enum rg_log_format log_format;
	struct rg_limit log_rate;
	unsigned facility; /* the syslog number, not shifted */
	unsigned ipv4_prefix, ipv6_prefix;
	uint32_t clients;
	char name[RG_NAME_BYTES];
	char state[RG_PATH_BYTES];
	char socket[RG_SOCKET_BYTES];
};

/*
 * Called once for each bad variable. VARIABLE and VALUE are those of the environment; the name is
 * cut to RG_NAME_BYTES - 1 characters. ACCEPTED says what values are accepted. ARG is the caller's.
 */
typedef void rg_complain(void *arg, const char *variable, const char *value, const char *accepted);

/*
 * Read the policy from ENVIRONMENT, an array of "NAME=value" strings that ends with NULL. A
 * variable with a bad value keeps its default. An unknown name that begins with RENEGUARD_ is bad
 * as well. PROGRAM, which may be NULL, names the service if RENEGUARD_NAME does not. Returns the
 * number of bad variables.
 */
size_t rg_policy_read(struct rg_policy *policy, char *const environment[], const char *program,
		      rg_complain *complain, void *arg);

/* Write RULE to TEXT in the policy's grammar, such as "close:3/600s". */
void rg_rule_text(const struct rg_rule *rule, char text[RG_RULE_TEXT_BYTES]);

/* What values EVENT's variable accepts, as a static string for error texts. */
const char *rg_rule_accepted(enum rg_event event);

/*
 * The variable at INDEX: first the event rules, then the settings, in the order of the tables.
 * Writes its value to TEXT, which has SIZE bytes, and sets *VARIABLE to its name and *WHAT to its
 * description. Returns TEXT, or NULL if INDEX is past the last one.
 */
const char *rg_policy_setting(const struct rg_policy *policy, size_t index, char *text, size_t size,
			      const char **variable, const char **what);

/* Is ADDRESS on the exempt list, so that its events are counted but never acted upon? */
bool rg_policy_exempts(const struct rg_policy *policy, const struct rg_address *address);

/*
 * The client to which a peer at ADDRESS belongs: the address cut to its family's prefix. An exempt
 * address is a client of its own, so that its events are not charged to its neighbours. So are
 * link-local addresses, one on each interface, and Teredo addresses (RFC 4380): their prefixes are
 * the same for everybody.
 */
struct rg_client rg_policy_client(const struct rg_policy *policy, const struct rg_address *address);

#endif
