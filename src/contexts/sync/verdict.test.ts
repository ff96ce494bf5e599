import { describe, expect, it } from "vitest";
import { type Fact, judge, type Question, type Status } from "./verdict.ts";

const file = (hash: string, permissions = 0o644): Fact => ({
	kind: "file",
	hash,
	permissions,
	size: 1,
});
const none: Fact = { kind: "none" };
const link = (target: string): Fact => ({ kind: "link", target });

function status(
	source: Fact,
	copy: Fact,
	more: Partial<Question> = {},
): Status {
	return judge({
		source,
		copy,
		same: false,
		base: undefined,
		declared: undefined,
		alone: false,
		linked: false,
		modes: "exact",
		today: "2026-06-01",
		...more,
	}).status;
}

describe("a row is", () => {
	it.each<[string, Status, Fact, Fact, Partial<Question>?]>([
		["equal", "SYNCED", file("1"), file("1")],
		["equal, whatever was", "SYNCED", file("1"), file("1"), { base: "0" }],
		["different, unremembered", "DRIFT", file("1"), file("2")],
		["moved at the source", "STALE", file("2"), file("1"), { base: "1" }],
		["moved at the copy", "EDITED", file("1"), file("2"), { base: "1" }],
		["moved at both", "CONFLICT", file("2"), file("3"), { base: "1" }],
		["gone at the copy", "MISSING", file("1"), none],
		["gone at the source", "EXTRA", none, file("1")],
		["nowhere", "MISSING", none, none],
		["allowed alone", "DECLARED", file("1"), none, { alone: true }],
		["run or not", "MODE", file("1", 0o755), file("1", 0o644)],
		["one file", "LINKED", file("1"), file("1"), { same: true }],
		["a link to it", "LINKED", file("1"), link("x"), { same: true }],
		["of two kinds", "TYPE", file("1"), link("x")],
		["a folder", "TYPE", file("1"), { kind: "folder" }],
		["a pipe twice", "TYPE", { kind: "other" }, { kind: "other" }],
		["equal links", "SYNCED", link("x"), link("x")],
		["links that differ", "DRIFT", link("x"), link("y")],
		["no link yet", "TYPE", file("1"), file("1"), { linked: true }],
		[
			"not to be read",
			"UNREADABLE",
			file("1"),
			{ kind: "unreadable", reason: "no" },
		],
	])("%s: %s", (_, wanted, source, copy, more) => {
		expect(status(source, copy, more)).toBe(wanted);
	});

	it("MODE only in the bits that count", () => {
		const modes = (
			left: number,
			right: number,
			wanted: "executable" | "ignore" | "exact",
		) => status(file("1", left), file("1", right), { modes: wanted });
		expect(modes(0o644, 0o664, "exact")).toBe("MODE");
		expect(modes(0o644, 0o664, "executable")).toBe("SYNCED");
		expect(modes(0o744, 0o664, "executable")).toBe("MODE");
		expect(modes(0o700, 0o444, "ignore")).toBe("SYNCED");
	});

	describe("declared", () => {
		const declared = {
			reason: "another default",
			owner: "me",
			expires: "2026-06-01",
			sourceHash: "1",
			copyHash: "2",
		};
		it.each<[Status, string, string, string]>([
			["DECLARED", "1", "2", "2026-06-01"],
			["DECLARED-CHANGED", "1", "2", "2026-06-02"],
			["DECLARED-CHANGED", "3", "2", "2026-06-01"],
			["DECLARED-CHANGED", "1", "3", "2026-06-01"],
			["SYNCED", "3", "3", "2026-06-01"],
		])("%s for %s and %s on %s", (wanted, source, copy, today) => {
			expect(status(file(source), file(copy), { declared, today })).toBe(
				wanted,
			);
		});
	});
});
