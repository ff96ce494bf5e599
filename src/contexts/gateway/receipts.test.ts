import { describe, expect, it } from "vitest";
import { heldInput, openTestGateway } from "./gateway.testing.ts";

async function receiptOf(
	bench: Awaited<ReturnType<typeof openTestGateway>>,
	call = "call_c1",
	account?: string,
) {
	const outcome = await bench.gateway.receipt(call, account);
	return outcome.ok ? outcome.value : outcome.error;
}

describe("a receipt", () => {
	it("shows a call in flight as what it holds", async () => {
		const bench = await openTestGateway();
		await bench.called();
		expect(await receiptOf(bench)).toMatchObject({
			status: "held",
			account: "main",
			key: "key",
			substrate: "mock/m",
			model: "mock/m",
			operation: "chat",
			held: { amount: heldInput + 100 },
		});
		expect(await receiptOf(bench)).not.toHaveProperty("charged");
	});

	it("shows every line of the sum exactly, what was given back, and the event that proves it", async () => {
		const bench = await openTestGateway();
		const { call, upstream } = await bench.called();
		upstream.head();
		upstream.data("u:10,5");
		upstream.data("d");
		await bench.clock.advance(40);
		upstream.end();
		await call.done;
		await bench.run({
			type: "refund",
			call: "call_c1",
			amount: 7,
			reason: "r",
		});
		const [settled] = await bench.events("credits-settled");
		expect(await receiptOf(bench)).toMatchObject({
			status: "settled",
			charged: 20,
			basis: "priced",
			sheet: "test sheet",
			lines: [
				{ class: "input", units: 10, price: 1_000_000, exact: "10" },
				{ class: "output", units: 5, price: 2_000_000, exact: "10" },
			],
			sum: { exact: "20", rounded: 20 },
			usage: { input: 10, output: 5 },
			ending: "finished",
			timing: { firstByte: 0, total: 40 },
			refunded: 7,
			proof: { position: settled?.position },
		});
	});

	it("shows fractions of a micro-credit to the last digit", async () => {
		const bench = await openTestGateway();
		await bench.called();
		await bench.run({
			type: "settle",
			call: "call_c1",
			cost: 13,
			basis: "priced",
			ending: "finished",
			usage: { input: 3 },
			lines: [
				{ class: "input", units: 3, price: 4_000_025, basisPoints: 10_000 },
				{ class: "output", units: 1, price: 1, basisPoints: 5_000 },
			],
		});
		expect(await receiptOf(bench)).toMatchObject({
			lines: [{ exact: "12.000075" }, { exact: "0.0000005" }],
			sum: { exact: "12.0000755", rounded: 13 },
		});
	});

	it.each([
		["release", "released"],
		["expire", "expired"],
	] as const)(
		"shows a call whose hold came to a %s as %s, for nothing",
		async (how, status) => {
			const bench = await openTestGateway();
			await bench.called();
			bench.clock.jump(10 * 60_000);
			await bench.run(
				how === "release"
					? { type: "release", call: "call_c1", ending: "crashed" }
					: { type: "expire", call: "call_c1" },
			);
			expect(await receiptOf(bench)).toMatchObject({ status, charged: 0 });
		},
	);

	it("shows what its route named first, where it went in the end, and what was tried", async () => {
		const bench = await openTestGateway();
		const versions = { catalogue: "c-1", policy: "p-1", table: "t-1" };
		await bench.run({
			type: "hold",
			call: "call_r",
			account: "main",
			amount: 10,
			expires: bench.clock.now() + 60_000,
			holder: "here",
			substrate: "mock/m",
			model: "auto",
			operation: "chat",
			sheet: "s",
			route: { winner: "mock/m", order: [0, 1], ...versions },
		});
		const route = { winner: "mock/m", ...versions };
		expect(await receiptOf(bench, "call_r")).toMatchObject({
			status: "held",
			substrate: "mock/m",
			route,
		});
		await bench.run({
			type: "move-hold",
			call: "call_r",
			amount: 20,
			substrate: "mock/n",
			model: "auto",
			sheet: "s",
		});
		const attempts = [
			["mock/m", "overload", 30],
			["mock/n", "ok", 900],
		] as const;
		await bench.run({
			type: "settle",
			call: "call_r",
			cost: 13,
			basis: "fixed",
			ending: "finished",
			usage: {},
			lines: [],
			attempts,
		});
		const [held] = await bench.events("credits-held");
		expect(await receiptOf(bench, "call_r")).toMatchObject({
			status: "settled",
			substrate: "mock/n",
			held: { amount: 20, position: held?.position },
			route,
			attempts,
			charged: 13,
		});
	});

	it("shows what nobody paid", async () => {
		const bench = await openTestGateway({ grant: heldInput + 100 });
		const { call, upstream } = await bench.called();
		upstream.head();
		upstream.data("u:1000,200");
		upstream.data("d");
		upstream.end();
		await call.done;
		expect(await receiptOf(bench)).toMatchObject({
			charged: 1_100,
			uncollected: 300,
		});
	});

	it("of another account, or of no call, is unknown", async () => {
		const bench = await openTestGateway();
		await bench.called();
		expect(await receiptOf(bench, "call_c1", "main")).toHaveProperty("status");
		for (const [call, account] of [
			["call_c1", "other"],
			["call_c2", "main"],
			["../x".repeat(100), "main"],
		])
			expect(await receiptOf(bench, call, account)).toMatchObject({
				code: "receipt/unknown",
			});
	});
});
