import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openMetrics } from "./metrics.ts";
import type { ActiveVendor, VendorKey } from "./substrates.ts";
import { openVendorKeys } from "./vendor-keys.ts";

type KeyRow = Partial<Omit<VendorKey, "authorize">>;

const secret = "sk-very-secret";

function vendorOf(
	rows: readonly [KeyRow, ...KeyRow[]],
	id = "acme",
): ActiveVendor {
	const [first, ...others] = rows.map((row, index) => ({
		id: String(index + 1),
		weight: 1,
		...row,
		authorize: () => ({ authorization: `Bearer ${secret}` }),
	}));
	return {
		id,
		bases: {},
		keys: [first as VendorKey, ...others],
		secrets: () => [secret],
		quirks: {},
	};
}

function open(
	rows: readonly [KeyRow, ...KeyRow[]],
	replicas: () => number = () => 1,
) {
	let now = 1_000_000;
	const vendor = vendorOf(rows);
	const metrics = openMetrics();
	const keys = openVendorKeys({ clock: { now: () => now }, replicas, metrics });
	return {
		...keys,
		metrics,
		vendor,
		pass: (milliseconds: number) => {
			now += milliseconds;
		},
		/** The key's id, or how long until there is one. */
		next(tokens = 0, model?: string): string | number {
			const taken = keys.take(vendor, tokens, model);
			return "retryAfter" in taken ? taken.retryAfter : taken.id;
		},
	};
}

describe("the keys of a vendor", () => {
	it("are the only one there is", () => {
		const { vendor, take } = open([{}]);
		expect(take(vendor, 1_000_000)).toBe(vendor.keys[0]);
	});

	it("take turns by weight, evenly", () => {
		const { next } = open([{ weight: 3 }, { weight: 1 }, { weight: 2 }]);
		const taken = Array.from({ length: 6 }, () => next());
		expect(taken).toEqual(["1", "3", "1", "2", "3", "1"]);
	});

	it("of different vendors have nothing to do with each other", () => {
		const { next, refused, take } = open([{}]);
		refused("acme", "1");
		expect(take(vendorOf([{}], "other"), 0)).toMatchObject({ id: "1" });
		expect(next()).toBe(60_000);
	});

	it("keep to requests a minute, and say when one has room", () => {
		const { next, pass } = open([{ requestsPerMinute: 3 }]);
		expect([next(), next(), next()]).toEqual(["1", "1", "1"]);
		expect(next()).toBe(20_000);
		pass(19_999);
		expect(next()).toBe(1);
		pass(1);
		expect(next()).toBe("1");
		expect(next()).toBe(20_000);
	});

	it("keep to tokens a minute; a call that no minute has room for goes when the whole minute is free", () => {
		const { next, pass } = open([{ tokensPerMinute: 6_000 }]);
		expect(next(4_000)).toBe("1");
		expect(next(4_000)).toBe(20_000);
		expect(next(2_000)).toBe("1");
		expect(next(9_000)).toBe(60_000);
		pass(60_000);
		expect(next(9_000)).toBe("1");
		expect(next(0)).toBe(30_000);
	});

	it("step in for one that is at its limit", () => {
		const { next } = open([{ requestsPerMinute: 1, weight: 10 }, {}]);
		expect([next(), next(), next()]).toEqual(["1", "2", "2"]);
	});

	it("divide a vendor's limits among replicas", () => {
		let replicas = 1;
		const { next } = open([{ requestsPerMinute: 4 }], () => replicas);
		replicas = 2;
		expect([next(), next(), next()]).toEqual(["1", "1", 30_000]);
		const tokens = open([{ tokensPerMinute: 6_000 }], () => replicas);
		expect([tokens.next(3_000), tokens.next(1_000)]).toEqual(["1", 20_000]);
	});

	it("rest when refused, longer each time, and the others go on", () => {
		const { next, refused, vendor } = open([{}, {}]);
		refused(vendor.id, "1");
		expect([next(), next()]).toEqual(["2", "2"]);
		refused(vendor.id, "2");
		expect(next()).toBe(60_000);
		// Calls that were under way say nothing new.
		refused(vendor.id, "1");
		expect(next()).toBe(60_000);
		const one = open([{}]);
		one.refused("acme", "1");
		one.refused("acme", "1");
		expect(one.next()).toBe(60_000);
		one.pass(1_000_000);
		const spans: (string | number)[] = [];
		for (let n = 0; n < 6; n++) {
			one.refused("acme", "1");
			const span = one.next();
			spans.push(span);
			one.pass(Number(span));
			expect(one.next()).toBe("1");
		}
		expect(spans).toEqual([
			60_000, 120_000, 240_000, 480_000, 900_000, 900_000,
		]);
		one.pass(2_000_000);
		one.refused("acme", "1");
		expect(one.next()).toBe(60_000);
	});

	it("that the vendor limited rest as long as it says, within bounds", () => {
		const { next, limited, pass } = open([{}]);
		limited("acme", "1", 7_000);
		expect(next()).toBe(7_000);
		// A shorter word does not shorten it.
		limited("acme", "1", 1_000);
		expect(next()).toBe(7_000);
		pass(7_000);
		limited("acme", "1", undefined);
		expect(next()).toBe(1_000);
		pass(1_000);
		limited("acme", "1", 0);
		expect(next()).toBe(100);
		limited("acme", "1", 86_400_000);
		expect(next()).toBe(600_000);
	});

	it("that may not call one model still call the others", () => {
		const { next, refused, limited } = open([{}]);
		refused("acme", "1", "large");
		limited("acme", "1", 3_000, "medium");
		expect(next(0, "large")).toBe(60_000);
		expect(next(0, "medium")).toBe(3_000);
		expect(next(0, "small")).toBe("1");
		refused("acme", "1");
		expect(next(0, "small")).toBe(60_000);
	});

	it("remember only so many models, as their names come from clients", () => {
		const { next, refused, limited } = open([{}]);
		limited("acme", "1", 1_000);
		refused("acme", "1", "first");
		for (let n = 0; n < 200; n++) refused("acme", "1", `m${n}`);
		expect(next(0, "first")).toBe(1_000);
		expect(next(0, "m199")).toBe(60_000);
	});

	it("do not rest longer because the clock was set back", () => {
		const { next, refused, pass } = open([{ requestsPerMinute: 1 }]);
		expect(next()).toBe("1");
		refused("acme", "1");
		pass(-3_600_000);
		expect(next()).toBe(60_000);
		pass(60_000);
		expect(next()).toBe("1");
		pass(60_000);
		expect(next()).toBe("1");
	});

	it("are counted while they rest, by the owner's names and by nothing secret", () => {
		const { refused, limited, pass, metrics } = open([{ id: "team-a" }, {}]);
		refused("acme", "team-a");
		limited("acme", "2", 5_000, "large");
		expect(metrics.render()).toContain(
			'dos_vendor_keys_resting{vendor="acme",key="team-a",for="all"} 1\n' +
				'dos_vendor_keys_resting{vendor="acme",key="2",for="some"} 1\n',
		);
		expect(metrics.render()).not.toContain(secret);
		pass(60_000);
		expect(metrics.render()).not.toContain("dos_vendor_keys_resting{");
	});

	it("never get more than their limits, whatever is asked when", () => {
		const row = fc.record({
			weight: fc.integer({ min: 1, max: 5 }),
			requestsPerMinute: fc.integer({ min: 1, max: 20 }),
			tokensPerMinute: fc.integer({ min: 100, max: 5_000 }),
		});
		const step = fc.record({
			tokens: fc.nat({ max: 6_000 }),
			pass: fc.nat({ max: 15_000 }),
			fault: fc.constantFrom("no", "no", "no", "refused", "limited"),
		});
		fc.assert(
			fc.property(
				fc.array(row, { minLength: 1, maxLength: 3 }),
				fc.array(step, { maxLength: 80 }),
				(rows, steps) => {
					const { vendor, take, pass, refused, limited } = open(
						rows as [KeyRow],
					);
					let now = 0;
					const rests = new Map<string, number>();
					const given: { id: string; at: number; tokens: number }[] = [];
					for (const { tokens, pass: milliseconds, fault } of steps) {
						const taken = take(vendor, tokens);
						if ("retryAfter" in taken) {
							expect(taken.retryAfter).toBeGreaterThan(0);
							// It says when: then there is one.
							pass(taken.retryAfter);
							now += taken.retryAfter;
							const again = take(vendor, tokens);
							expect(again).toHaveProperty("id");
							given.push({ id: (again as VendorKey).id, at: now, tokens });
							continue;
						}
						expect(rests.get(taken.id) ?? 0).toBeLessThanOrEqual(now);
						given.push({ id: taken.id, at: now, tokens });
						if (fault === "refused") refused(vendor.id, taken.id);
						if (fault === "limited") limited(vendor.id, taken.id, 9_000);
						if (fault !== "no") rests.set(taken.id, now + 9_000);
						pass(milliseconds);
						now += milliseconds;
					}
					for (const {
						id,
						requestsPerMinute,
						tokensPerMinute,
					} of vendor.keys) {
						const own = given.filter((each) => each.id === id);
						const minutes = now / 60_000 + 1;
						expect(own.length).toBeLessThanOrEqual(
							Math.ceil(minutes * (requestsPerMinute as number)),
						);
						const before = own.slice(0, -1);
						const used = before.reduce((sum, each) => sum + each.tokens, 0);
						// The last may be larger than what was left of its minute only if it is larger than any.
						expect(used).toBeLessThanOrEqual(
							minutes * (tokensPerMinute as number) + 6_000,
						);
					}
				},
			),
			{
				examples: [
					// What was waited for came short by a rounding.
					[
						[{ weight: 1, requestsPerMinute: 2, tokensPerMinute: 2_605 }],
						[1_917, 1_206, 0].map((tokens) => ({
							tokens,
							pass: 0,
							fault: "no" as const,
						})),
					],
				],
			},
		);
	});

	it("share calls exactly by weight, in whatever order their weights stand", () => {
		fc.assert(
			fc.property(
				fc.array(fc.integer({ min: 1, max: 9 }), {
					minLength: 1,
					maxLength: 5,
				}),
				(weights) => {
					const { next } = open(
						weights.map((weight) => ({ weight })) as [KeyRow],
					);
					const total = weights.reduce((sum, weight) => sum + weight, 0);
					const counts = weights.map(() => 0);
					for (let n = 0; n < total * 3; n++) {
						const at = Number(next()) - 1;
						counts[at] = (counts[at] as number) + 1;
					}
					expect(counts).toEqual(weights.map((weight) => weight * 3));
				},
			),
		);
	});
});
