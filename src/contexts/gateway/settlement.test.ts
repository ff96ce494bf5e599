import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { askedFor, nothingMetered, sheet } from "./gateway.testing.ts";
import { costOfCall } from "./settlement.ts";

const asked = askedFor({ outputLimit: 50 });
const metered = (more: Partial<typeof nothingMetered>) => ({
	...nothingMetered,
	...more,
});

describe("what a call is charged", () => {
	it("is priced from the usage that the vendor reported", () => {
		expect(
			costOfCall(
				sheet,
				asked,
				metered({ usage: { input: 10, output: 5 } }),
				250,
				50,
				false,
			),
		).toMatchObject({
			cost: 20,
			basis: "priced",
			notes: [],
			lines: [
				{ class: "input", units: 10 },
				{ class: "output", units: 5 },
			],
		});
	});

	it("is what the vendor says where its word is taken, and notes where the sum differs", () => {
		const usage = { input: 10, output: 5 };
		const said = metered({ usage, reportedCost: 17 });
		expect(costOfCall(sheet, asked, said, 250, 50, true)).toMatchObject({
			cost: 17,
			basis: "reported",
			lines: [],
			notes: ["Priced from usage it would have been 20 micro-credits."],
		});
		expect(costOfCall(sheet, asked, said, 250, 50, false).cost).toBe(20);
		expect(
			costOfCall(
				sheet,
				asked,
				metered({ usage, reportedCost: 20 }),
				250,
				50,
				true,
			).notes,
		).toEqual([]);
	});

	it.each([-1, 0.5, Number.NaN, 2 ** 60])(
		"is never a reported %d",
		(reportedCost) => {
			const said = metered({ usage: { input: 10, output: 5 }, reportedCost });
			expect(costOfCall(sheet, asked, said, 250, 50, true)).toMatchObject({
				cost: 20,
				basis: "priced",
			});
		},
	);

	it("is fixed where only requests are priced", () => {
		const fee = {
			id: "fee",
			rates: { request: [{ from: 0, price: 7_000_000 }] },
		};
		expect(
			costOfCall(fee, asked, metered({ usage: { request: 1 } }), 0, 50, false),
		).toMatchObject({ cost: 7, basis: "fixed" });
	});

	it("leaves out what the sheet has no price for, and says so", () => {
		const { cost, basis, notes } = costOfCall(
			sheet,
			asked,
			metered({ usage: { input: 10, search: 3 } }),
			250,
			50,
			false,
		);
		expect({ cost, basis }).toEqual({ cost: 10, basis: "priced" });
		expect(notes.join()).toContain("search");
	});

	it("is estimated and marked where usage is missing or absurd", () => {
		const { cost, basis, usage, notes } = costOfCall(
			sheet,
			asked,
			metered({ absurd: "negative", deliveredBytes: 40 }),
			250,
			50,
			false,
		);
		expect({ cost, basis, usage }).toEqual({
			cost: 270,
			basis: "estimated",
			usage: { input: 250, output: 10 },
		});
		expect(notes.join()).toContain("thrown away: negative");
	});

	it("takes from a broken answer what the vendor had said of its input", () => {
		expect(
			costOfCall(
				sheet,
				asked,
				metered({ partialUsage: { input: 7, output: 1 }, deliveredBytes: 40 }),
				250,
				50,
				false,
			).usage,
		).toEqual({ input: 7, output: 10 });
		// What it had counted of its output is more than the bytes show, never more than they could be.
		expect(
			costOfCall(
				sheet,
				asked,
				metered({ partialUsage: { output: 30 }, deliveredBytes: 40 }),
				250,
				50,
				false,
			).usage,
		).toEqual({ input: 250, output: 30 });
	});

	it("is the input alone where nothing came", () => {
		expect(costOfCall(sheet, asked, undefined, 250, 50, false)).toMatchObject({
			cost: 250,
			usage: { input: 250 },
		});
	});

	it("reckons with every answer that was asked for", () => {
		expect(
			costOfCall(
				sheet,
				askedFor({ outputLimit: 50, choices: 2 }),
				metered({ deliveredBytes: 1_000 }),
				250,
				50,
				false,
			).usage.output,
		).toBe(100);
	});

	it("is never an estimate above what could have been produced", () => {
		fc.assert(
			fc.property(
				fc.nat({ max: 1e6 }),
				fc.option(fc.nat({ max: 1e5 }), { nil: undefined }),
				fc.integer({ min: 1, max: 8 }),
				fc.nat({ max: 1e6 }),
				fc.option(fc.record({ output: fc.nat({ max: 1e7 }) }), {
					nil: undefined,
				}),
				(delivered, limit, choices, expected, partialUsage) => {
					const request = askedFor({ choices, outputLimit: limit });
					const { usage, basis } = costOfCall(
						sheet,
						request,
						metered({ deliveredBytes: delivered, partialUsage }),
						expected,
						limit,
						false,
					);
					expect(basis).toBe("estimated");
					expect(usage.input ?? 0).toBeLessThanOrEqual(request.inputBytes);
					expect(usage.output ?? 0).toBeLessThanOrEqual(delivered);
					if (limit !== undefined)
						expect(usage.output ?? 0).toBeLessThanOrEqual(limit * choices);
				},
			),
		);
	});
});
