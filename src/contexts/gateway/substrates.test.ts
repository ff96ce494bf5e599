import { describe, expect, it } from "vitest";
import type { PriceBook } from "../../ports/price-book.ts";
import { noCrossings, sheet } from "./gateway.testing.ts";
import { type ActiveVendor, openSubstrates } from "./substrates.ts";

const vendor = (
	id: string,
	protocols: readonly string[],
	more: Partial<ActiveVendor> = {},
): ActiveVendor => ({
	id,
	bases: Object.fromEntries(protocols.map((name) => [name, `https://${id}`])),
	keys: [{ id: "1", weight: 1, authorize: () => ({}) }],
	secrets: () => [],
	quirks: {},
	...more,
});

const known: Record<string, readonly string[]> = {
	one: ["m1", "shared"],
	two: ["m2", "shared", "maker/m3"],
};
const prices: PriceBook = {
	version: "test",
	find: (id, model) => (known[id]?.includes(model) ? sheet : undefined),
	models: (id) =>
		(known[id] ?? []).map((model) => ({ model, contextWindow: 8 })),
};
const standIn = vendor("stand-in", ["a", "b"], { standIn: true });

function open(
	vendors: readonly ActiveVendor[],
	aliases: Record<string, string> = {},
) {
	return openSubstrates({
		vendors,
		off: { three: "THREE_KEY is not set" },
		aliases,
		prices,
		crossings: noCrossings,
	});
}

function found(
	substrates: ReturnType<typeof open>,
	name: string,
	protocol = "a",
): string {
	const outcome = substrates.find(name, protocol, "generate");
	return outcome.ok ? outcome.value.id : outcome.error.code;
}

const both = [vendor("one", ["a"]), vendor("two", ["a", "b"]), standIn];

describe("finding what a client means", () => {
	it.each([
		["one/m1", "a", "one/m1"],
		["one/..", "a", "model/unknown"],
		["one/./m1", "a", "model/unknown"],
		["one/x/../../evil", "a", "model/unknown"],
		["one/x\\..\\evil", "a", "model/unknown"],
		["one/\ud800", "a", "model/unknown"],
		["one/..m1...", "a", "one/..m1..."],
		["one/anything at all", "a", "one/anything at all"],
		["m1", "a", "one/m1"],
		["m2", "a", "two/m2"],
		["maker/m3", "a", "two/maker/m3"],
		["shared", "a", "one/shared"],
		["shared", "b", "two/shared"],
		["one/m1", "b", "model/wrong-protocol"],
		["three/m", "a", "model/vendor-off"],
		["nothing", "a", "model/unknown"],
		["one/", "a", "model/unknown"],
		["/m1", "a", "model/unknown"],
		["constructor", "a", "model/unknown"],
		["toString/x", "a", "model/unknown"],
		["stand-in/x", "a", "stand-in/x"],
	])("%s over %s is %s", (name, protocol, expected) => {
		const substrates = open(both);
		expect(found(substrates, name, protocol)).toBe(expected);
		expect(found(substrates, name, protocol)).toBe(expected);
	});

	it("follows an alias of the owner's first", () => {
		const substrates = open(both, { m1: "two/m2", fast: "shared" });
		expect(found(substrates, "m1")).toBe("two/m2");
		expect(found(substrates, "fast")).toBe("one/shared");
	});

	it("takes the only vendor there is for a name that nobody knows", () => {
		expect(found(open([vendor("two", ["a"]), standIn]), "new")).toBe("two/new");
	});

	it("lets the stand-in answer only while no other vendor is on", () => {
		expect(found(open([standIn]), "new")).toBe("stand-in/new");
		expect(found(open([vendor("one", ["b"]), standIn]), "new", "a")).toBe(
			"model/unknown",
		);
	});

	it("repeats no endless name", () => {
		for (const name of ["x".repeat(5_000), `one/${"x".repeat(5_000)}`]) {
			const outcome = open(both).find(
				name,
				name.startsWith("one") ? "b" : "a",
				"generate",
			);
			expect(JSON.stringify(outcome).length).toBeLessThan(1_000);
		}
	});

	it("remembers no more names than it can", () => {
		const substrates = open(both);
		for (let n = 0; n < 10_050; n++) found(substrates, `one/x${n}`);
		expect(found(substrates, "one/x10049")).toBe("one/x10049");
		expect(found(substrates, "m2")).toBe("two/m2");
	});
});

it("lists aliases first, then what each vendor is known to have", () => {
	expect(open(both, { fast: "one/m1" }).list()).toEqual([
		{ id: "fast", owner: "alias" },
		{ id: "one/m1", owner: "one", contextWindow: 8 },
		{ id: "one/shared", owner: "one", contextWindow: 8 },
		{ id: "two/m2", owner: "two", contextWindow: 8 },
		{ id: "two/shared", owner: "two", contextWindow: 8 },
		{ id: "two/maker/m3", owner: "two", contextWindow: 8 },
	]);
});

it("has no price for what the book has none for", () => {
	const substrates = open(both);
	const outcome = substrates.find("one/unpriced", "a", "generate");
	if (!outcome.ok) throw new Error(outcome.error.code);
	expect(substrates.sheet(outcome.value, 0)).toBeUndefined();
});
