"""Do clients, ledger and log agree? `accounts.py CLIENTS LEDGER LOG SERVICE ACTION SECONDS` compares what load.py wrote (CLIENTS), what
`reneguardctl status --json` printed (LEDGER) and the log lines after a load of SECONDS. It prints each disagreement on a line, or
`agreed`. `accounts.py CLIENTS total` prints the sums over all clients, `accounts.py CLIENTS lost` the errors of lost connections."""
import collections
import json
import re
import sys

FIELDS = ("full", "resumed", "missed", "refused", "renegotiated", "lost")


def expected(did, action):
    """Returns the counters that the ledger must have for a client that did this: (count, acted upon) for each event."""
    offers = did["resumed"] + did["missed"] + did["refused"]
    # If offers are declined, only the policy can make nginx miss one: its workers share a ticket key across reloads.
    acted = did["missed"] if action == "decline" else did["refused"]
    return {
        "handshake": (did["full"], 0),  # an offer that was not accepted is a resumption, and nothing else
        "resumption": (offers, acted),
        "renegotiation": (did["renegotiated"], did["renegotiated"]),
        "incomplete": (0, 0),
        "keyupdate": (0, 0),
        "accepted": did["resumed"],
        "not_accepted": did["missed"],
    }


def row(client):
    return {name: (event["count"], event["acted"]) for name, event in client["events"].items()} | client["outcomes"]


def lines(log, service):
    """Returns the number of log lines per client and event, and how many lines the rate limit held back."""
    count, held_back = collections.Counter(), 0
    with open(log, encoding="utf-8") as file:
        for line in file:
            pairs = dict(re.findall(r"(\w+)=(\S+)", line))
            if pairs.get("service") == service:
                count[pairs.get("client"), pairs.get("event")] += 1
                held_back += int(pairs.get("suppressed", 0))
    return count, held_back


def disagreements(clients, ledger, log, action, seconds):
    logged, held_back = log
    accounts = {client["client"]: client for client in ledger["clients"]}
    for address in sorted(clients.keys() | accounts.keys()):
        did, account = clients.get(address), accounts.get(address)
        if did is None or account is None:
            yield f"{address}: it is only in {'the ledger' if did is None else 'the list of clients'}"
            continue
        want, have = expected(did, action), row(account)
        for key in want:
            if want[key] != have[key]:
                yield f"{address} ({did['role']}): {key} is {have[key]} in the ledger, {want[key]} according to the client"
        if did["role"] != "storm" and want["resumption"][1]:
            yield f"{address} ({did['role']}): acted upon, although it was never over its limit"
        for event in ("resumption", "renegotiation"):
            acted, written = want[event][1], logged[address, event]
            if not min(1, acted - held_back) <= written <= (1 + seconds // 60) * bool(acted):
                yield f"{address} ({did['role']}): {written} lines about {event} in {seconds} s, acted upon {acted} times, {held_back} held back"
    for key in ("evictions", "unplaced", "lost"):
        if ledger[key]:
            yield f"the ledger's {key} is {ledger[key]}"


def main():
    with open(sys.argv[1], encoding="ascii") as file:
        clients = {address: collections.defaultdict(int, did) for address, did in json.load(file).items()}
    if sys.argv[2] == "total":
        print(*(f"{field}={sum(did[field] for did in clients.values())}" for field in FIELDS))
        return
    if sys.argv[2] == "lost":
        print(*(f"{address} {error}" for address, did in clients.items() for error in did["errors"]), sep="\n")
        return
    with open(sys.argv[2], encoding="ascii") as file:
        (ledger,) = json.load(file)["ledgers"]
    _, _, _, log, service, action, seconds = sys.argv
    print(*(list(disagreements(clients, ledger, lines(log, service), action, int(seconds))) or ["agreed"]), sep="\n")


main()
