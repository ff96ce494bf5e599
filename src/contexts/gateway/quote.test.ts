import { describe, expect, it } from "vitest";
import {
	askedFor,
	chat,
	heldInput,
	openTestGateway,
	testWire,
} from "./gateway.testing.ts";

type Bench = Awaited<ReturnType<typeof openTestGateway>>;

async function ask(
	{ gateway }: Bench,
	asked: Parameters<typeof askedFor>[0],
	wire = testWire,
) {
	const caller = await gateway.access.admit("key", "read", "");
	if (!caller.ok) throw new Error(caller.error.code);
	return gateway.quote({
		wire,
		operation: chat,
		asked: askedFor(asked),
		caller: caller.value,
		needs: undefined,
		session: undefined,
	});
}

async function quoted(
	asked: Parameters<typeof askedFor>[0],
	options: Parameters<typeof openTestGateway>[0] = {},
) {
	const outcome = await ask(await openTestGateway(options), asked);
	return outcome.ok ? outcome.value : outcome.error;
}

describe("a quote", () => {
	it("says what would be held, the sum behind it, and whether it is there", async () => {
		const quote = await quoted({ outputLimit: 50 });
		expect(quote).toMatchObject({
			substrate: "mock/m",
			sheet: "test sheet",
			hold: heldInput + 100,
			atMost: {
				cost: heldInput + 100,
				lines: [
					{ class: "input", units: heldInput },
					{ class: "output", units: 50 },
				],
			},
			outputTokens: 50,
			limitFrom: "request",
			available: 1_000_000,
			affordable: true,
			usually: { samples: 0 },
		});
	});

	it("usually costs no more than at most", async () => {
		const quote = await quoted({ outputLimit: 3 });
		if (!("usually" in quote)) throw new Error(quote.code);
		expect(quote.usually.cost).toBeLessThanOrEqual(quote.atMost.cost);
	});

	it("names whose limit it stands on", async () => {
		expect(await quoted({}, { outputCeiling: 7 })).toMatchObject({
			limitFrom: "ceiling",
			outputTokens: 7,
		});
		expect(await quoted({})).toMatchObject({ limitFrom: "learned" });
	});

	it("is what the call then holds", async () => {
		const bench = await openTestGateway();
		const quote = await ask(bench, { outputLimit: 50 });
		await bench.called({ max: 50 });
		expect(quote).toMatchObject({ value: { hold: bench.account().held } });
	});

	it("says when the balance is too small", async () => {
		expect(await quoted({ outputLimit: 50 }, { grant: 1_099 })).toMatchObject({
			affordable: false,
			available: 1_099,
		});
		expect(await quoted({ outputLimit: 50 }, { grant: 1_100 })).toMatchObject({
			affordable: true,
		});
	});

	it("of what cannot be called, or has no price, is refused", async () => {
		const bench = await openTestGateway();
		expect(await ask(bench, {}, { ...testWire, id: "another" })).toMatchObject({
			error: { code: "model/wrong-protocol" },
		});
		expect(await quoted({ model: "mock/unpriced" })).toMatchObject({
			code: "price/unknown",
		});
	});
});
