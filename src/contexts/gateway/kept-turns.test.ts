import { describe, expect, it } from "vitest";
import { memoryEventLog } from "../../adapters/event-log/memory.ts";
import { nodeDigest } from "../../adapters/runtime/digest.ts";
import { manualClock } from "../../adapters/runtime/manual-clock.ts";
import { openHead } from "../log/index.ts";
import { ledgerDeciders } from "./deciders.ts";
import { openTurns } from "./kept-turns.ts";

async function open(bodyBytes = 1_000_000) {
	const log = memoryEventLog();
	const head = await openHead({
		log,
		deciders: ledgerDeciders,
		clock: manualClock(),
		digest: nodeDigest,
	});
	const turns = openTurns({ head, log, bodyBytes });
	const by = (account: string) => ({ account, key: "k", call: "call_1" });
	const keep = (id: string, previous?: string, account = "main") =>
		turns.keep(
			{
				id,
				record: `{"id":"${id}"}`,
				...(previous !== undefined && { previous }),
			},
			by(account),
		);
	return { log, turns, keep };
}

const code = (outcome: { ok: boolean; error?: { code: string } }) =>
	outcome.ok ? "ok" : outcome.error?.code;

describe("kept answers", () => {
	it("are found by their account alone", async () => {
		const { turns, keep } = await open();
		await keep("r1");
		expect(await turns.find("main", "r1")).toEqual({
			ok: true,
			value: {
				id: "r1",
				record: '{"id":"r1"}',
				call: "call_1",
				time: expect.any(Number),
			},
		});
		expect(code(await turns.find("other", "r1"))).toBe("response/unknown");
		expect(code(await turns.forget("other", "k", "r1"))).toBe(
			"response/unknown",
		);
		expect(code(await turns.find("main", "r1"))).toBe("ok");
	});

	it("are given with all that they went on from, the oldest first", async () => {
		const { turns, keep } = await open();
		await keep("r1");
		await keep("r2", "r1");
		await keep("r3", "r2");
		const chain = await turns.chain("main", "r3");
		expect(chain.ok && chain.value.map(({ id }) => id)).toEqual([
			"r1",
			"r2",
			"r3",
		]);
	});

	it("cannot be gone on from when one of them is gone", async () => {
		const { turns, keep } = await open();
		await keep("r1");
		await keep("r2", "r1");
		expect(code(await turns.forget("main", "k", "r1"))).toBe("ok");
		expect(code(await turns.forget("main", "k", "r1"))).toBe(
			"response/unknown",
		);
		expect(code(await turns.find("main", "r1"))).toBe("response/unknown");
		expect(code(await turns.find("main", "r2"))).toBe("ok");
		expect(code(await turns.chain("main", "r2"))).toBe("response/unknown");
	});

	it("are never replaced, not even once forgotten", async () => {
		const { turns, keep } = await open();
		await keep("r1");
		expect(code(await keep("r1", "r0"))).toBe("response/exists");
		await turns.forget("main", "k", "r1");
		expect(code(await keep("r1"))).toBe("response/exists");
		expect(code(await keep("r1", undefined, "other"))).toBe("ok");
	});

	it("end a chain that leads back to itself, or too far", async () => {
		const { turns, keep } = await open();
		await keep("a", "b");
		await keep("b", "a");
		expect(code(await turns.chain("main", "a"))).toBe("response/too-long");
		for (let n = 0; n <= 1_000; n++)
			await keep(`n${n}`, n === 0 ? undefined : `n${n - 1}`);
		expect(code(await turns.chain("main", "n1000"))).toBe("response/too-long");
		expect(code(await turns.chain("main", "n999"))).toBe("ok");
	});

	it("end a chain of few but large ones, which would fill memory for a request of a few bytes", async () => {
		const { turns, keep } = await open(50);
		for (let n = 0; n < 10; n++)
			await keep(`r${n}`, n === 0 ? undefined : `r${n - 1}`);
		// Each record has 11 characters; an answer stands in its record twice.
		expect(code(await turns.chain("main", "r8"))).toBe("ok");
		expect(code(await turns.chain("main", "r9"))).toBe("response/too-long");
	});

	it("repeats no endless name", async () => {
		const { turns } = await open();
		const outcome = await turns.find("main", "x".repeat(100_000));
		expect(JSON.stringify(outcome).length).toBeLessThan(1_000);
	});
});
