import {
	type Bond,
	type BoundCall,
	placeOf,
} from "../../contexts/routing/index.ts";
import { counted, timeText } from "./amounts.ts";
import { harmless } from "./style.ts";

/** What a report is about, and what proves it. */
export interface ReportHead {
	readonly bond: Bond;
	/** `2026-11`. */
	readonly month: string;
	/** Milliseconds since 1970 UTC. */
	readonly made: number;
	readonly origin: string;
	/** The signed note, and the key that it verifies with. */
	readonly checkpoint: string;
	readonly key: string;
	readonly size: number;
	/** Hex, as all hashes here; the note has it in Base64. */
	readonly root: string;
}

/** An event and its way up to the checkpoint's root. */
export interface Proof {
	readonly position: number;
	/** Hex: the leaf. */
	readonly hash: string;
	/** Its canonical line, the leaf's bytes. */
	readonly event: string;
	/** Hex, from the leaf's sibling up. */
	readonly path: readonly string[];
}

export interface ProvedCall {
	readonly call: BoundCall;
	readonly decision: Proof;
	readonly end?: Proof;
}

export const reportColumns: readonly string[] = [
	"call",
	"decided (UTC)",
	"account",
	"key",
	"asked for",
	"outcome",
	"ending",
	"refused before it, not recorded",
	"substrates",
	"operators",
	"countries",
	"seats",
	"facts said by",
	"rule",
	"kept from",
	"policy",
	"catalogue",
	"doubt",
	"tree size",
	"root",
	"decision position",
	"decision hash",
	"decision path",
	"decision event",
	"end position",
	"end hash",
	"end path",
	"end event",
];

export function reportRow(
	{ call, decision, end }: ProvedCall,
	{ size, root }: ReportHead,
): readonly (string | number)[] {
	const places = call.went.map(placeOf);
	const each = (texts: readonly string[]) => texts.join(" | ");
	return [
		call.call,
		timeText(call.at),
		call.account,
		call.key ?? "",
		call.asked,
		call.outcome,
		call.ending ?? "",
		call.unrecorded ?? "",
		each(call.went.map(({ id }) => id)),
		each(places.map(({ operator }) => operator)),
		each(places.map(({ countries }) => countries)),
		each(places.map(({ seat }) => seat)),
		each(places.map(({ sources }) => sources.join(", ") || "nobody")),
		each(call.rules),
		each(call.barred.map(sayBarred)),
		call.policy,
		call.catalogue,
		call.doubt ?? "",
		size,
		root,
		...proofCells(decision),
		...(end ? proofCells(end) : ["", "", "", ""]),
	];
}

/**
 * The report as a page that stands alone and can be printed: no script, nothing fetched, and whatever names callers
 * chose is text.
 */
export function* reportPage(
	calls: readonly ProvedCall[],
	head: ReportHead,
): Generator<string> {
	const about =
		head.bond.kind === "posture"
			? `the posture “${asText(head.bond.id)}”`
			: `the class “${asText(head.bond.name)}”`;
	const title = `Calls under ${about} in ${head.month}`;
	const rules = numbered(calls.map(({ call }) => call.rules.join("\n")));
	const barred = numbered(
		calls.map(({ call }) => call.barred.map(sayBarred).join("\n")),
	);
	const count = (outcome: BoundCall["outcome"]) =>
		calls.filter(({ call }) => call.outcome === outcome).length;
	const doubtful = calls.filter(({ call }) => call.doubt !== undefined).length;
	yield `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
<h1>${title}</h1>
<p>Made on ${timeText(head.made)} UTC out of the log <code>${asText(head.origin)}</code>, whose first ${head.size.toLocaleString("en")} events are covered by the checkpoint below. All times are UTC.</p>
<table class="sum">
<tr><th>Bound by the rule</th><td>${counted(calls.length, "call")}</td></tr>
<tr><th>Answered</th><td>${count("answered")}</td></tr>
<tr><th>Not answered</th><td>${count("not answered")}</td></tr>
<tr><th>Refused before anything was sent</th><td>${count("refused")}</td></tr>
<tr><th>Under way</th><td>${count("under way")}</td></tr>
<tr><th>Decisions that do not come to the same answer when run again</th><td>${doubtful}</td></tr>
</table>
`;
	yield* listOf("The rule", "Rule", rules);
	yield `<h2>The calls</h2>\n`;
	if (calls.length === 0) yield "<p>No call was bound by it.</p>\n";
	else {
		yield `<table class="calls">
<thead><tr><th>Decided</th><th>Call</th><th>For</th><th>Asked for</th><th>Outcome</th><th>Sent to</th><th>Rule</th><th>Kept from</th><th>Events</th></tr></thead>
<tbody>
`;
		for (const one of calls) yield callRow(one, rules, barred);
		yield "</tbody>\n</table>\n";
	}
	yield* listOf("What it kept calls from", "List", barred);
	yield `<h2>Proof</h2>
<p>Each event is a line of text. The SHA-256 of a zero byte and that line is its leaf in the tree of RFC 6962; the hashes after it lead from there to the root of this checkpoint. The whole lines stand in the same report as CSV, and <code>dos audit prove</code> gives them for one call.</p>
<pre>${asText(head.checkpoint.trimEnd())}</pre>
<p>The checkpoint verifies with the key <code>${asText(head.key)}</code>. Believe it only if you know it from elsewhere.</p>
<div class="proofs">
`;
	for (const { call, decision, end } of calls) {
		yield proofText(`${call.call}, decided`, decision);
		if (end) yield proofText(`${call.call}, ended`, end);
	}
	yield "</div>\n</body>\n</html>\n";
}

function callRow(
	{ call, decision, end }: ProvedCall,
	rules: ReadonlyMap<string, number>,
	barred: ReadonlyMap<string, number>,
): string {
	const sent = call.went.map((facts) => {
		const { operator, countries, seat, sources } = placeOf(facts);
		return `<strong>${asText(facts.id)}</strong><br>run by ${asText(operator)}, seated in ${asText(seat)}; processed in ${asText(countries)}<br><small>${asText(sources.join("; ") || "nobody says so")}</small>`;
	});
	const key = call.key === undefined ? "" : `<br>key ${asText(call.key)}`;
	const bar = barred.get(call.barred.map(sayBarred).join("\n"));
	const rule = rules.get(call.rules.join("\n"));
	return `<tr class="${call.outcome === "refused" ? "refused" : ""}"><td>${timeText(call.at).replace(" ", "<br>")}</td><td><code>${asText(call.call)}</code></td><td>${asText(call.account)}${key}</td><td>${asText(call.asked)}</td><td>${call.outcome}${call.unrecorded === undefined ? "" : ` (and ${call.unrecorded} of this key before it, which were not recorded)`}${call.ending ? ` (${asText(call.ending)})` : ""}${call.doubt === undefined ? "" : `<br><strong>${asText(call.doubt)}</strong>`}</td><td>${sent.join("<hr>") || "nothing was sent"}</td><td>${rule === undefined ? "?" : `Rule ${rule}`}<br><small>${asText(call.policy)}</small></td><td>${bar === undefined ? "nothing" : `List ${bar}`}<br><small>${asText(call.catalogue)}</small></td><td>${decision.position}${end ? `, ${end.position}` : ""}</td></tr>\n`;
}

function* listOf(
	title: string,
	name: string,
	texts: ReadonlyMap<string, number>,
): Generator<string> {
	yield `<h2>${title}</h2>\n`;
	if (texts.size === 0) yield "<p>Nothing.</p>\n";
	for (const [text, number] of texts)
		yield `<h3>${name} ${number}</h3>\n<ul>\n${text
			.split("\n")
			.map((line) => `<li>${asText(line)}</li>`)
			.join("\n")}\n</ul>\n`;
}

function proofText(name: string, { position, hash, path }: Proof): string {
	return `<p><strong>${asText(name)}</strong>: event ${position}, leaf ${position - 1}<br>${[hash, ...path].map((each) => `<code>${each}</code>`).join(" ")}</p>\n`;
}

function proofCells({
	position,
	hash,
	path,
	event,
}: Proof): readonly (string | number)[] {
	return [position, hash, path.join(" "), event];
}

function sayBarred({ why, substrates }: BoundCall["barred"][number]): string {
	return `${counted(substrates, "substrate")}: ${why}`;
}

/** Each text once, numbered from 1; empty ones are none. */
function numbered(texts: readonly string[]): ReadonlyMap<string, number> {
	const numbers = new Map<string, number>();
	for (const text of texts)
		if (text !== "" && !numbers.has(text)) numbers.set(text, numbers.size + 1);
	return numbers;
}

/** Text for a page, whatever it holds: no mark-up, no characters that hide or turn what follows. */
function asText(text: string): string {
	return text
		.split("\n")
		.map((line) =>
			harmless(line).replace(
				/[&<>"']/g,
				(character) => `&#${character.charCodeAt(0)};`,
			),
		)
		.join("\n");
}

const style = `
:root { color-scheme: light; }
body { font: 10pt/1.45 system-ui, sans-serif; color: #111; background: #fff; margin: 2em auto; padding: 0 1.5em; max-width: 75em; }
h1 { font-size: 17pt; margin: 0 0 .3em; } h2 { font-size: 13pt; margin: 1.8em 0 .5em; } h3 { font-size: 10pt; margin: 1em 0 .2em; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35em .6em .35em 0; border-bottom: 1px solid #ccc; overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid #111; overflow-wrap: normal; }
.sum { width: auto; } .sum th { font-weight: normal; padding-right: 2em; } .sum td { font-weight: 600; }
.calls { font-size: 8.5pt; } .calls td:nth-child(1) { white-space: nowrap; } .calls td:nth-child(n+7) small { font-size: 6.5pt; white-space: nowrap; } .calls td:nth-child(6) { width: 30%; } .refused td { background: #f4f1ea; }
code, pre { font: 8pt/1.4 ui-monospace, monospace; overflow-wrap: anywhere; } pre { white-space: pre-wrap; border: 1px solid #ccc; padding: .7em; }
small { color: #444; } ul { margin: .2em 0; padding-left: 1.4em; } li { overflow-wrap: anywhere; } hr { border: 0; border-top: 1px dotted #aaa; margin: .3em 0; }
.proofs code { font-size: 6pt; } .proofs p { margin: .6em 0; break-inside: avoid; }
@page { size: A4 landscape; margin: 14mm; }
@media print { body { margin: 0; padding: 0; max-width: none; } thead { display: table-header-group; } tr, pre { break-inside: avoid; } h2, h3 { break-after: avoid; } .refused td { print-color-adjust: exact; } }
`;
