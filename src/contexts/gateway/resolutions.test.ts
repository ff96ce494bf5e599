import { beforeEach, describe, expect, it } from "vitest";
import { memoryEventLog } from "../../adapters/event-log/memory.ts";
import { nodeDigest } from "../../adapters/runtime/digest.ts";
import {
	type ManualClock,
	manualClock,
} from "../../adapters/runtime/manual-clock.ts";
import type { CreditsCommand } from "../credits/index.ts";
import { type Head, openHead } from "../log/index.ts";
import { ledgerDeciders } from "./deciders.ts";
import { faultyLog, keyCommand } from "./gateway.testing.ts";
import type { LedgerDeciders } from "./model.ts";
import { mayBeHeld, openResolutions, type Resolutions } from "./resolutions.ts";

const expires = Date.UTC(2026, 0, 2);

let clock: ManualClock;
let log: ReturnType<typeof faultyLog>;
/** Ours, and that of a replica which carries out what we asked it long ago. */
let head: Head<LedgerDeciders>;
let other: Head<LedgerDeciders>;
let reports: string[];
/** What the head was asked for. */
let asked: string[];
let resolutions: Resolutions;

beforeEach(async () => {
	clock = manualClock();
	log = faultyLog(memoryEventLog());
	const open = () =>
		openHead<LedgerDeciders>({
			log,
			deciders: ledgerDeciders,
			clock,
			digest: nodeDigest,
		});
	head = await open();
	other = await open();
	reports = [];
	asked = [];
	resolutions = openResolutions({
		head: {
			...head,
			execute(name, command, intent) {
				const { type, call } = command as { type: string; call: string };
				asked.push(`${type} ${call}`);
				return head.execute(name, command, intent);
			},
		},
		clock,
		report: (line) => reports.push(line),
	});
	await run(other, { type: "open-account", account: "main", name: "main" });
	await run(other, { type: "grant", account: "main", amount: 100 });
	await run(other, keyCommand("key"));
});

async function run(
	on: Head<LedgerDeciders>,
	command: CreditsCommand,
): Promise<void> {
	const outcome = await on.execute("credits", command, { actor: "operator" });
	if (!outcome.ok) throw new Error(outcome.error.code);
}

const hold = (call: string, until = expires): CreditsCommand => ({
	type: "hold",
	call,
	account: "main",
	key: "key",
	amount: 40,
	expires: until,
	holder: "run",
	substrate: "mock/m",
	model: "mock/m",
	operation: "chat",
	sheet: "s",
});

async function held(): Promise<string[]> {
	await clock.settle();
	await other.refresh();
	return [...other.state("credits").holds.keys()];
}

describe("a hold that was not confirmed", () => {
	it("is given back at once where it is in the log", async () => {
		await run(other, hold("c"));
		resolutions.disown({ call: "c", expires });
		expect(await held()).toEqual([]);
		expect(reports).toEqual([]);
		expect(asked).toEqual(["release c"]);
		// From then on it is a call like any other.
		await resolutions.record({ type: "release", call: "c", ending: "stopped" });
		expect(reports.join()).toContain("hold/already-released");
	});

	it("is given back when it turns up later, and nothing is said where it never does", async () => {
		resolutions.disown({ call: "c", expires });
		resolutions.disown({ call: "never", expires });
		expect(await held()).toEqual([]);
		await run(other, hold("c"));
		await run(other, hold("d"));
		expect(await held()).toEqual(["c", "d"]);
		await head.refresh();
		expect(await held()).toEqual(["d"]);
		expect(reports).toEqual([]);
	});

	it("is given back once, also where it turns up while that is under way", async () => {
		await run(other, hold("c"));
		resolutions.disown({ call: "c", expires });
		await head.refresh();
		expect(await held()).toEqual([]);
		expect(reports).toEqual([]);
	});

	it("is given back when the log takes it, which may be late", async () => {
		await run(other, hold("c"));
		log.fault = "log/full";
		resolutions.disown({ call: "c", expires });
		await clock.settle();
		expect(reports.join()).toContain("c could not be released yet");
		delete log.fault;
		await clock.advance(1_000);
		expect(await held()).toEqual([]);
	});

	it("is forgotten once it cannot turn up any more", async () => {
		resolutions.disown({ call: "c", expires });
		await clock.settle();
		await clock.advance(expires - clock.now());
		await run(head, { type: "grant", account: "main", amount: 1 });
		resolutions.disown({ call: "next", expires: expires + 1_000 });
		await clock.settle();
		// No replica can do this, which is how it is seen that nobody waits for it.
		await run(other, hold("c", expires + 1_000));
		await head.refresh();
		expect(await held()).toEqual(["c"]);
	});
});

describe("whether a call has a hold", () => {
	it("is looked up in the log where we were told that it has one", async () => {
		await run(other, hold("c"));
		expect(await mayBeHeld(head, "c", false)).toBe(false);
		expect(await mayBeHeld(head, "c", true)).toBe(true);
		await run(other, { type: "release", call: "c", ending: "not-sent" });
		expect(await mayBeHeld(head, "c", true)).toBe(false);
	});

	it("is taken for true where we were told so and the log cannot be read", async () => {
		const blind = { ...head, refresh: () => Promise.reject(new Error("down")) };
		expect(await mayBeHeld(blind, "c", true)).toBe(true);
		expect(await mayBeHeld(blind, "c", false)).toBe(false);
	});
});
