/*
 * The guarded events, one row each in RG_EVENTS. Everything that names an event comes from this
 * table: its policy variable, its counter in the ledger, its name in log lines, its line in the
 * help text and its column in `reneguardctl status`. Pure data; every floor may include it.
 */
#ifndef RG_EVENT_H
#define RG_EVENT_H

/* What can be done about an event, weakest first. X(id, name in the policy) */
#define RG_ACTIONS(X)                                                                              \
	X(OFF, "off")                                                                              \
	X(COUNT, "count")                                                                          \
	X(WARN, "warn")                                                                            \
	X(DECLINE, "decline")                                                                      \
	X(CLOSE, "close")                                                                          \
	X(BLOCK, "block")

enum rg_action {
#define X(id, name) RG_##id,
	RG_ACTIONS(X)
#undef X
	    RG_ACTION_COUNT
};

/* Sets of actions, one bit for each action. */
#define RG_CAN(action)	(1U << (action))
#define RG_CAN_OBSERVE	(RG_CAN(RG_OFF) | RG_CAN(RG_COUNT) | RG_CAN(RG_WARN) | RG_CAN(RG_BLOCK))
#define RG_CAN_END	(RG_CAN_OBSERVE | RG_CAN(RG_CLOSE))
#define RG_CAN_ANYTHING (RG_CAN_END | RG_CAN(RG_DECLINE))

/* X(id, log name, variable, default rule, accepted actions, description for --help) */
#define RG_EVENTS(X)                                                                               \
	X(RENEGOTIATION, "renegotiation", "RENEGUARD_RENEGOTIATION", "close", RG_CAN_END,          \
	  "the peer starts a new handshake inside a TLS <= 1.2 connection")                        \
	X(RESUMPTION, "resumption", "RENEGUARD_RESUMPTION", "warn:120/60s", RG_CAN_ANYTHING,       \
	  "the client offers to resume a session, accepted or not")                                \
	X(HANDSHAKE, "handshake", "RENEGUARD_HANDSHAKE", "count", RG_CAN_END,                      \
	  "a full (not resumed) handshake begins")                                                 \
	X(INCOMPLETE, "incomplete", "RENEGUARD_INCOMPLETE", "count", RG_CAN_OBSERVE,               \
	  "a handshake ends before it is finished")                                                \
	X(KEYUPDATE, "keyupdate", "RENEGUARD_KEYUPDATE", "warn:64/60s", RG_CAN_END,                \
	  "the client asks for a TLS 1.3 key update")

enum rg_event {
#define X(id, name, variable, rule, actions, what) RG_##id,
	RG_EVENTS(X)
#undef X
	    RG_EVENT_COUNT
};

/* The event's name in log lines; the action's name in the policy. Static strings. */
const char *rg_event_name(enum rg_event event);
const char *rg_action_name(enum rg_action action);

#endif
