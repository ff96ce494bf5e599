import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { microPrice } from "./micro-price.ts";

describe("an amount of dollars as micro-credits per million", () => {
	it.each([
		[3, 1_000_000, 300_000_000, true],
		["0.075", 1_000_000, 7_500_000, true],
		[0.0028, 1_000_000, 280_000, true],
		["0.00000001", 1_000_000, 1, true],
		[1e-8, 1_000_000, 1, true],
		[0.18000000000000002, 1_000_000, 18_000_000, true],
		[0.08333333333333334, 1_000_000, 8_333_334, false],
		["0.000000001", 1_000_000, 1, false],
		[10, 1000, 1_000_000_000_000, true],
		["0.01", 1, 1_000_000_000_000, true],
		[0.36, 3600, 10_000_000_000, true],
		["0.111", 3600, 3_083_333_334, false],
		[0, 1_000_000, 0, true],
	] as const)("%s for %s units is %s", (usd, perUnits, price, exact) => {
		expect(microPrice(usd, perUnits)).toEqual({ price, exact });
	});

	it.each([
		-1,
		Number.NaN,
		Number.POSITIVE_INFINITY,
		1e21,
		"",
		"1,5",
		"0x10",
		"-0.5",
		"1e",
		"١",
		"1".repeat(31),
	])("refuses %s", (usd) => {
		expect(microPrice(usd)).toBeUndefined();
	});

	it("reads every whole number of micro-credits back, from text and from a float", () => {
		fc.assert(
			fc.property(fc.nat({ max: 999_999_999_999 }), (price) => {
				const text = `${Math.floor(price / 1e8)}.${String(price % 1e8).padStart(8, "0")}`;
				expect(microPrice(text)).toEqual({ price, exact: true });
				expect(microPrice(Number(text))).toEqual({ price, exact: true });
			}),
		);
	});
});
