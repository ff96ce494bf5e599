import { expect, it } from "vitest";
import { unlisted } from "../../ports/catalogue.ts";
import {
	type ProvedCall,
	type ReportHead,
	reportColumns,
	reportPage,
	reportRow,
} from "./report-text.ts";

const hostile = `<script>alert("1")</script>'&\u202e\u0007`;
const proof = {
	position: 2,
	hash: "ab",
	event: '{"position":2}',
	path: ["cd", "ef"],
};
const head: ReportHead = {
	bond: { kind: "posture", id: hostile },
	month: "2026-11",
	made: 0,
	origin: "o",
	checkpoint: "note",
	key: "key",
	size: 3,
	root: "ff",
};
const calls: readonly ProvedCall[] = [
	{
		call: {
			call: hostile,
			account: hostile,
			key: hostile,
			at: 0,
			asked: hostile,
			rules: [hostile],
			policy: hostile,
			catalogue: hostile,
			went: [{ ...unlisted(hostile, hostile) }],
			barred: [{ why: hostile, substrates: 2 }],
			outcome: "answered",
			ending: hostile,
			doubt: hostile,
			position: 2,
			end: 3,
		},
		decision: proof,
		end: { ...proof, position: 3 },
	},
	{
		call: {
			call: "c2",
			account: "a",
			at: 0,
			asked: "auto",
			rules: [],
			policy: "p",
			catalogue: "c",
			went: [],
			barred: [],
			outcome: "refused",
			position: 2,
		},
		decision: proof,
	},
];

it("is a page in which no name is mark-up", () => {
	const page = [...reportPage(calls, head)].join("");
	for (const hidden of ["<script", "\u202e", "\u0007"])
		expect(page).not.toContain(hidden);
	expect(page).toContain("&#60;script&#62;");
	expect(page).toMatch(/default-src 'none'/);
	expect(page).not.toMatch(/https?:\/\/|src=|href=/);
	// Every opened table and list is closed.
	for (const tag of ["table", "ul", "tbody", "body", "html", "div", "tr", "td"])
		expect(
			page.split(`<${tag}>`).length + page.split(`<${tag} `).length - 1,
		).toBe(page.split(`</${tag}>`).length);
	expect(page).toMatch(/Refused before anything was sent<\/th><td>1</);
	expect(page).toContain("nothing was sent");
	expect(page).toMatch(/event 3, leaf 2<br><code>ab<\/code> <code>cd<\/code>/);
});

it("says so when nothing was bound", () => {
	expect([...reportPage([], head)].join("")).toContain(
		"No call was bound by it.",
	);
});

it("has a cell for every column", () => {
	for (const call of calls)
		expect(reportRow(call, head)).toHaveLength(reportColumns.length);
	const [first] = calls.map((call) => reportRow(call, head));
	expect(first?.[reportColumns.indexOf("end position")]).toBe(3);
	expect(first?.[reportColumns.indexOf("decision path")]).toBe("cd ef");
	expect(first?.[reportColumns.indexOf("countries")]).toBe("unknown");
});
