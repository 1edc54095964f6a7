"""compare.py POLICY EXPECTED [LEDGER]: does the ledger say what happened? Speaks TAP, a point for each dimension.
EXPECTED: what tests/model/main.c wrote, a JSON object a line for each client. LEDGER: `reneguardctl status --json`; without it
(no shim) only the conversations themselves are judged. A failing client's script is shown with the words that replay it."""
import collections
import json
import sys

EVENTS = ["renegotiation", "resumption", "handshake", "incomplete", "keyupdate"]
COUNTERS = EVENTS + ["accepted", "not_accepted"]
SHOWN = 3  # failing clients of a point that are shown whole

policy, expected_file = sys.argv[1:3]
ledger_file = sys.argv[3] if len(sys.argv) > 3 else None


def numbers(client):
    counts = [client["events"][e]["count"] for e in EVENTS]
    return counts + [client["outcomes"]["accepted"], client["outcomes"]["not_accepted"]], [
        client["events"][e]["acted"] for e in EVENTS]


def bounds(low, high):
    return str(low) if low == high else f"{low} to {high}"


def wrong(want, counts, acted):
    """What is not as it must be, one text each."""
    found = []
    for name, low, high, got in zip(COUNTERS, want["low"], want["high"], counts):
        if not low <= got <= high:
            found.append(f"{name} is {got}, must be {bounds(low, high)}")
    low, high = want["first"]
    first = counts[1] + counts[2]
    if not low <= first <= high:
        found.append(f"handshakes and resumptions together are {first}, must be {bounds(low, high)}")
    if counts[5] + counts[6] > counts[1]:
        found.append(f"more outcomes ({counts[5] + counts[6]}) than offers ({counts[1]})")
    for name, low, high, got in zip(EVENTS, want["acted_low"], want["acted_high"], acted):
        if not low <= got <= high:
            found.append(f"acted upon for {name} {got} times, must be {bounds(low, high)}")
    return found


wanted = [json.loads(line) for line in open(expected_file)]
ledger = None
if ledger_file:
    ledgers = json.load(open(ledger_file))["ledgers"]
    ledger = {c["client"]: numbers(c) for l in ledgers for c in l["clients"]}

points = collections.OrderedDict()
for want in wanted:
    found = [want["fault"]] if want["fault"] else []
    if ledger is not None:
        found += wrong(want, *ledger.get(want["address"], ([0] * 7, [0] * 5)))
    points.setdefault(want["group"], []).append((want, found))

number = 0
failed = False


def point(good, text):
    global number, failed
    number += 1
    failed |= not good
    print(f"{'ok' if good else 'not ok'} {number} - {policy}: {text}")


for group, clients in points.items():
    bad = [(want, found) for want, found in clients if found]
    point(not bad, f"{group} ({len(clients)} clients)")
    if bad:
        print(f"# {len(bad)} of {len(clients)} clients:")
    for want, found in bad[:SHOWN]:
        print(f"# {want['address']}, replay with MODEL_ONLY={want['crowd']}: " + "; ".join(found))
        for line in want["script"]:
            print(f"#     {line}")

if ledger is not None:
    # Half a hello through memory may stand under `unknown`: that many unfinished handshakes, and nothing else.
    counts, acted = ledger.get("unknown", ([0] * 7, [0] * 5))
    nameless = sum(w["nameless"] for w in wanted)
    named = sum(ledger.get(w["address"], ([0] * 7, 0))[0][3] - w["low"][3] for w in wanted if w["nameless"])
    others = [n for i, n in enumerate(counts) if i != 3]
    good = not any(others) and not any(acted) and counts[3] + named == nameless
    point(good, f"nothing without a name but half hellos through memory ({nameless})")
    if not good:
        print(f"# unknown: {dict(zip(COUNTERS, counts))}, acted upon {acted}; of {nameless} half hellos {named} have a name")
    strangers = sorted(set(ledger) - {w["address"] for w in wanted} - {"unknown"})
    point(not strangers, "nobody else has an account")
    if strangers:
        print(f"# {', '.join(f'{s}: {dict(zip(COUNTERS, ledger[s][0]))}' for s in strangers[:5])}")

print(f"# {len(wanted)} conversations, {sum(len(w['script']) - 1 for w in wanted)} connections")
print(f"# points {number}")
sys.exit(failed)
