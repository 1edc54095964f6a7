#include "guard/accounting.h"

#include "guard/enforce.h"
#include "guard/peer.h"
#include "guard/report.h"
#include "os/clock.h"
#include "os/process.h"
#include "os/socket.h"
#include "rg_ledger.h"
#include "rg_policy.h"
#include "rg_verdict.h"

void rg_identify_client(struct rg_connection *connection, struct ssl_st *ssl)
{
	const struct rg_policy *policy = rg_process_policy();
	const struct rg_client_hello *hello = &connection->handshake.hello;
	struct rg_client client;

	connection->peer = rg_peer(connection->lib, ssl, hello->has_random ? hello->random : NULL,
				   &connection->port);
	if (connection->peer.family == RG_UNKNOWN && rg_socket_peers_are_hidden())
		rg_report_hidden_clients(connection->lib);
	client = rg_policy_client(policy, &connection->peer);
	connection->key = rg_ledger_key(rg_process_ledger(), &client);
	connection->exempt = client.exempt;
	connection->identified = true;
}

/*
 * The TLS version for the log line: the negotiated one, or else the version of the session that the
 * client offers. "" if neither is known.
 */
static const char *tls_name(const struct rg_connection *connection, struct ssl_st *ssl)
{
	const struct rg_handshake *handshake = &connection->handshake;

	if (ssl != NULL && handshake->established)
		return connection->lib->SSL_get_version(ssl);
	if (handshake->negotiated != 0)
		return rg_version_name(handshake->negotiated);
	if (handshake->hello.offer == RG_OFFER_PSK)
		return rg_version_name(RG_TLS13);
	return handshake->hello.offer == RG_OFFER_TICKET ||
		       handshake->hello.offer == RG_OFFER_SESSION_ID
		   ? rg_version_name(handshake->hello.legacy_version)
		   : "";
}

/* The limit that EVENT of this client is recorded under; NULL if it is only counted. */
static const struct rg_limit *limit_of(const struct rg_connection *connection, enum rg_event event)
{
	const struct rg_rule *rule = &rg_process_policy()->rules[event];
	bool holds = connection->peer.family != RG_UNKNOWN || rule->limit.period_s == 0;

	return rule->action > RG_COUNT && holds ? &rule->limit : NULL;
}

void rg_record(struct rg_connection *connection, struct ssl_st *ssl, enum rg_event event)
{
	const struct rg_rule *rule = &rg_process_policy()->rules[event];
	struct rg_ledger *ledger = rg_process_ledger();
	bool known = connection->peer.family != RG_UNKNOWN;
	struct rg_result result;
	enum rg_action action;
	uint32_t suppressed;
	uint64_t now_ns;

	if (rule->action == RG_OFF)
		return;
	now_ns = rg_clock_ns();
	result = rg_ledger_record(ledger, &connection->key, event, limit_of(connection, event),
				  rule->action == RG_BLOCK, now_ns);
	connection->recorded_over = result.over;
	action = rg_verdict(rule, result.over, known, connection->exempt);
	connection->recorded_acted = action != RG_COUNT;
	if (!connection->recorded_acted)
		return;
	rg_ledger_acted(ledger, &connection->key, event);
	if (ssl != NULL)
		rg_enforce(connection, ssl, event, action);
	if (rg_report_is_due(&connection->key, event, now_ns, &suppressed))
		rg_report_event(connection->lib, event, action, &connection->peer, connection->port,
				result.count, suppressed, tls_name(connection, ssl));
}

bool rg_is_recorded(const struct rg_connection *connection, enum rg_event event)
{
	return connection->recorded == event + 1;
}

/* An event over its limit leaves nothing on the limit's state, unless the rule blocks. */
static void take_back(struct rg_connection *connection, enum rg_event event)
{
	enum rg_action action = rg_process_policy()->rules[event].action;
	bool left_nothing = connection->recorded_over && action != RG_BLOCK;

	if (action == RG_OFF)
		return;
	rg_ledger_take_back(rg_process_ledger(), &connection->key, event,
			    left_nothing ? NULL : limit_of(connection, event), rg_clock_ns());
	if (connection->recorded_acted)
		rg_ledger_not_acted(rg_process_ledger(), &connection->key, event);
}

void rg_record_once(struct rg_connection *connection, struct ssl_st *ssl, enum rg_event event)
{
	if (rg_is_recorded(connection, event))
		return;
	if (connection->recorded != 0)
		take_back(connection, (enum rg_event)(connection->recorded - 1));
	connection->recorded = (uint8_t)(event + 1);
	rg_record(connection, ssl, event);
}

bool rg_is_full(struct rg_connection *connection, enum rg_event event)
{
	return connection->peer.family != RG_UNKNOWN && !connection->exempt &&
	       rg_ledger_is_full(rg_process_ledger(), &connection->key, event,
				 &rg_process_policy()->rules[event].limit, rg_clock_ns());
}

enum rg_event rg_blocked_by(struct rg_connection *connection)
{
	const struct rg_policy *policy = rg_process_policy();
	uint64_t now_ns = rg_clock_ns();
	int event = 0;

	if (!policy->blocks || connection->exempt || connection->peer.family == RG_UNKNOWN)
		return RG_EVENT_COUNT;
	while (event < RG_EVENT_COUNT &&
	       (policy->rules[event].action != RG_BLOCK ||
		!rg_ledger_is_over(rg_process_ledger(), &connection->key, (enum rg_event)event,
				   &policy->rules[event].limit, now_ns)))
		event++;
	return (enum rg_event)event;
}

bool rg_refuse_blocked(struct rg_connection *connection, struct ssl_st *ssl)
{
	enum rg_event event = rg_blocked_by(connection);

	/* One whose client is unknown is asked about again at its ClientHello. */
	connection->block_checked = connection->peer.family != RG_UNKNOWN;
	if (event == RG_EVENT_COUNT)
		return false;
	rg_ledger_acted(rg_process_ledger(), &connection->key, event);
	rg_enforce(connection, ssl, event, RG_CLOSE);
	return true;
}
