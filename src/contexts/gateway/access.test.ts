import { beforeEach, describe, expect, it } from "vitest";
import { memoryEventLog } from "../../adapters/event-log/memory.ts";
import { nodeDigest } from "../../adapters/runtime/digest.ts";
import {
	type ManualClock,
	manualClock,
} from "../../adapters/runtime/manual-clock.ts";
import type { EventLog } from "../../ports/event-log.ts";
import type { CreditsCommand } from "../credits/index.ts";
import { type Head, openHead } from "../log/index.ts";
import { type Access, openAccess } from "./access.ts";
import { ledgerDeciders } from "./deciders.ts";
import { keyCommand } from "./gateway.testing.ts";
import type { LedgerDeciders } from "./model.ts";

let clock: ManualClock;
let log: EventLog;
let head: Head<LedgerDeciders>;
let access: Access;
let tips: number;

const newHead = () =>
	openHead<LedgerDeciders>({
		log,
		deciders: ledgerDeciders,
		clock,
		digest: nodeDigest,
	});

async function run(command: CreditsCommand, by = head): Promise<void> {
	const outcome = await by.execute("credits", command, { actor: "operator" });
	if (!outcome.ok) throw new Error(outcome.error.code);
}

beforeEach(async () => {
	clock = manualClock();
	tips = 0;
	const memory = memoryEventLog();
	log = {
		...memory,
		tip: () => {
			tips++;
			return memory.tip();
		},
	};
	head = await newHead();
	await run({ type: "open-account", account: "main", name: "main" });
	await run(keyCommand("works"));
	access = openAccess({
		head,
		clock,
		digest: nodeDigest,
		requestsPerMinute: 3,
	});
});

async function code(
	secret: string | undefined,
	to: "call" | "read" = "read",
	remote = "10.0.0.1",
): Promise<string> {
	const outcome = await access.admit(secret, to, remote);
	return outcome.ok ? outcome.value.key.id : outcome.error.code;
}

describe("a key", () => {
	it("that works gives its caller", async () => {
		expect(await code("works")).toBe("works");
	});

	it.each([
		[undefined, "key/missing"],
		["", "key/missing"],
		["nobody's", "key/unknown"],
		["x".repeat(201), "key/unknown"],
	])("%s is refused with %s", async (secret, expected) => {
		expect(await code(secret)).toBe(expected);
	});

	it("that is revoked, past its time or for something else is refused", async () => {
		await run(keyCommand("revoked"));
		await run({ type: "revoke-key", key: "revoked" });
		await run(keyCommand("short", { expires: clock.now() + 10 }));
		await run(keyCommand("reads", { scopes: { can: ["read"] } }));
		await clock.advance(10);
		expect(await code("revoked")).toBe("key/revoked");
		expect(await code("short")).toBe("key/expired");
		expect(await code("reads", "read")).toBe("reads");
		expect(await code("reads", "call")).toBe("key/forbidden");
	});

	it("that another process made works at once, also right after a wrong one", async () => {
		expect(await code("nobody's")).toBe("key/unknown");
		await run(keyCommand("new"), await newHead());
		expect(await code("new")).toBe("new");
	});
});

describe("limits", () => {
	it("a key may make so many calls a minute, refilled evenly; reading is free", async () => {
		for (let n = 0; n < 3; n++)
			expect(await code("works", "call")).toBe("works");
		const outcome = await access.admit("works", "call", "10.0.0.1");
		expect(outcome).toMatchObject({
			error: { code: "rate/limited", details: { retryAfter: 20 } },
		});
		expect(await code("works", "read")).toBe("works");
		await clock.advance(20_000);
		expect(await code("works", "call")).toBe("works");
		expect(await code("works", "call")).toBe("rate/limited");
		await clock.advance(10 * 60_000);
		for (let n = 0; n < 3; n++)
			expect(await code("works", "call")).toBe("works");
		expect(await code("works", "call")).toBe("rate/limited");
	});

	it("a clock that is set back gives nothing and takes nothing", async () => {
		await code("works", "call");
		clock.jump(-3_600_000);
		expect(await code("works", "call")).toBe("works");
		expect(await code("works", "call")).toBe("works");
		expect(await code("works", "call")).toBe("rate/limited");
	});

	it("an address may try 60 wrong keys a minute, and locks out no right one", async () => {
		const outcomes = await Promise.all(
			Array.from({ length: 100 }, (_, n) => code(`wrong ${n}`)),
		);
		expect(outcomes.filter((one) => one === "key/unknown")).toHaveLength(60);
		expect(outcomes.filter((one) => one === "rate/limited")).toHaveLength(40);
		expect(tips).toBe(60);
		expect(await code("works")).toBe("works");
		expect(await code("wrong", "read", "10.0.0.2")).toBe("key/unknown");
		await clock.advance(1_000);
		expect(await code("wrong")).toBe("key/unknown");
		expect(await code("wrong")).toBe("rate/limited");
	});
});

it("divides a key's calls a minute among the replicas that live, and leaves each one at least", async () => {
	let replicas = 3;
	const shared = openAccess({
		head,
		clock,
		digest: nodeDigest,
		requestsPerMinute: 6,
		replicas: () => replicas,
	});
	const allowed = async () => {
		let count = 0;
		while ((await shared.admit("works", "call", "1.2.3.4")).ok) count++;
		await clock.advance(60_000);
		return count;
	};
	expect(await allowed()).toBe(2);
	replicas = 1;
	expect(await allowed()).toBe(6);
	replicas = 100;
	expect(await allowed()).toBe(1);
	for (let left = 1; left > 0; left--)
		await shared.admit("works", "call", "1.2.3.4");
	const refused = await shared.admit("works", "call", "1.2.3.4");
	expect(refused).toMatchObject({
		error: { code: "rate/limited", details: { perMinute: 6 } },
	});
});
