#include "guard/report.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "os/clock.h"
#include "os/log.h"
#include "os/process.h"
#include "rg_line.h"
#include "rg_verdict.h"

#define LIMIT_TEXT_BYTES  24
#define ACTIVE_TEXT_BYTES 256

/* Write a line that the rate has allowed. */
static void write_line(int severity, struct rg_report *report)
{
	const struct rg_policy *policy = rg_process_policy();
	char line[RG_LINE_BYTES];

	report->service = policy->name;
	rg_line(line, sizeof line, policy->log_format, report);
	if (!rg_log_deliver(policy, severity, line))
		rg_ledger_log_lost(rg_process_ledger(), &policy->log_rate, report->suppressed + 1);
}

/* Write a line that is about no client, if the rate allows it. */
static void deliver(int severity, struct rg_report *report)
{
	const struct rg_policy *policy = rg_process_policy();

	if (policy->log_targets != 0 &&
	    rg_ledger_log_allowed(rg_process_ledger(), &policy->log_rate, rg_clock_ns(),
				  &report->suppressed))
		write_line(severity, report);
}

bool rg_report_is_due(struct rg_key *key, enum rg_event event, uint64_t now_ns,
		      uint32_t *suppressed)
{
	const struct rg_policy *policy = rg_process_policy();

	return policy->log_targets != 0 &&
	       rg_ledger_line_allowed(rg_process_ledger(), key, event, &policy->log_rate, now_ns,
				      suppressed);
}

void rg_report_event(const struct rg_libssl *lib, enum rg_event event, enum rg_action action,
		     const struct rg_address *peer, uint16_t port, uint32_t count,
		     uint32_t suppressed, const char *tls)
{
	const struct rg_rule *rule = &rg_process_policy()->rules[event];
	char address[RG_ADDRESS_TEXT_BYTES], limit[LIMIT_TEXT_BYTES] = "";
	struct rg_report report = {.code = rg_verdict_code(event, rule),
				   .event = rg_event_name(event),
				   .action = rg_action_name(action),
				   .client = address,
				   .port = port,
				   .count = count,
				   .suppressed = suppressed,
				   .limit = limit,
				   .tls = tls,
				   .libssl = lib->version,
				   .tell_suppressed = rule->limit.period_s != 0};

	rg_address_text(peer, address);
	if (rule->limit.period_s != 0)
		snprintf(limit, sizeof limit, "%u/%us", rule->limit.count, rule->limit.period_s);
	write_line(RG_SEVERITY_WARNING, &report);
}

/* Post the policy in the ledger for `reneguardctl status`. True if this tree has not posted it
 * before. */
static bool announce(const struct rg_libssl *lib)
{
	const struct rg_policy *policy = rg_process_policy();
	struct rg_about about = {0};

	memcpy(about.rules, policy->rules, sizeof about.rules);
	snprintf(about.service, sizeof about.service, "%s", policy->name);
	snprintf(about.libssl, sizeof about.libssl, "%s", lib->version);
	return rg_ledger_announce(rg_process_ledger(), &about, rg_process_tree());
}

void rg_report_active(const struct rg_libssl *lib)
{
	const struct rg_policy *policy = rg_process_policy();
	char text[ACTIVE_TEXT_BYTES];
	struct rg_report report = {
	    .code = "RENEGUARD_ACTIVE", .libssl = lib->version, .text = text};
	size_t used;

	if (!announce(lib))
		return;
	used = (size_t)snprintf(
	    text, sizeof text, "%sguarding %s",
	    rg_process_is_secure() ? "secure mode, so no RENEGUARD_ variable is read; " : "",
	    policy->role == RG_ROLE_SERVER   ? "server connections"
	    : policy->role == RG_ROLE_CLIENT ? "client connections"
					     : "server and client connections");
	for (size_t event = 0; event < RG_EVENT_COUNT && used < sizeof text; event++) {
		char rule[RG_RULE_TEXT_BYTES];

		rg_rule_text(&policy->rules[event], rule);
		used += (size_t)snprintf(text + used, sizeof text - used, "%s %s=%s",
					 event == 0 ? ":" : ",",
					 rg_event_name((enum rg_event)event), rule);
	}
	deliver(RG_SEVERITY_INFO, &report);
}

/* Deliver REPORT about LIB once for each process tree. */
static void deliver_once(const struct rg_libssl *lib, struct rg_report *report)
{
	struct rg_about about = {0};

	report->libssl = lib->version;
	snprintf(about.libssl, sizeof about.libssl, "%s", lib->version);
	snprintf(about.service, sizeof about.service, "%s", report->code);
	if (rg_ledger_is_news(rg_process_ledger(), &about, rg_process_tree()))
		deliver(RG_SEVERITY_ERR, report);
}

void rg_report_unguarded(const struct rg_libssl *lib)
{
	struct rg_report report = {
	    .code = "ERR_RENEGUARD_LIBSSL",
	    .text = lib->slot < RG_LIBSSL_MAX
			? "this libssl lacks functions that the guard needs: its "
			  "connections are not guarded"
			: "there are too many libssl in this process: the "
			  "connections of further ones are not guarded"};

	deliver_once(lib, &report);
}

void rg_report_no_memory(const struct rg_libssl *lib)
{
	struct rg_report report = {.code = "ERR_RENEGUARD_MEMORY",
				   .text = "there is no memory for the state of a connection, "
					   "which is not guarded"};

	rg_ledger_count_unguarded(rg_process_ledger());
	deliver_once(lib, &report);
}

void rg_report_hidden_clients(const struct rg_libssl *lib)
{
	static _Atomic bool said;
	struct rg_report report = {.code = "ERR_RENEGUARD_CLIENT",
				   .text = "getpeername(2) is not allowed in this process: clients "
					   "are unknown, and no limit holds for them"};

	if (!atomic_exchange(&said, true))
		deliver_once(lib, &report);
}

void rg_report_deepbind(const char *module)
{
	char text[RG_PATH_BYTES + ACTIVE_TEXT_BYTES];
	struct rg_report report = {.code = "ERR_RENEGUARD_LIBSSL", .text = text};

	snprintf(text, sizeof text,
		 "%s was opened with RTLD_DEEPBIND: its calls into libssl are not guarded", module);
	deliver(RG_SEVERITY_ERR, &report);
}

void rg_report_bad_variable(const struct rg_bad_variable *bad)
{
	const struct rg_policy *policy = rg_process_policy();
	struct rg_report report = {.code = "ERR_RENEGUARD_POLICY",
				   .variable = bad->variable,
				   .value = bad->value,
				   .accepted = bad->accepted,
				   .service = policy->name};
	char line[RG_LINE_BYTES];

	rg_line(line, sizeof line, policy->log_format, &report);
	(void)rg_log_deliver(policy, RG_SEVERITY_ERR, line);
}
