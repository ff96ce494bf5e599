import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { microCreditsOfUsd } from "./usd.ts";

describe("US dollars as a vendor writes them", () => {
	it.each([
		["0", 0],
		["0.0", 0],
		["1", 100_000_000],
		["0.95", 95_000_000],
		["0.00000001", 1],
		["0.000000001", 1],
		["0.000000010000000000000000000000000000000000000000001", 2],
		["1.2e-05", 1200],
		["1E2", 10_000_000_000],
		["37756000e-10", 377_560],
		["1e-300", 1],
		["0.1234567890123456789", 12_345_679],
	])("%s", (text, expected) => {
		expect(microCreditsOfUsd(text)).toBe(expected);
	});

	it.each([
		"",
		"-1",
		"+1",
		".5",
		"1.",
		"NaN",
		"Infinity",
		"1e99999",
		"1e300",
		"0x1",
		" 1",
		"90071993",
		"1,5",
	])("no amount: %j", (text) => {
		expect(microCreditsOfUsd(text)).toBeUndefined();
	});

	it("are rounded once, after they are added", () => {
		expect(microCreditsOfUsd("0.000000004", "0.000000004")).toBe(1);
		expect(microCreditsOfUsd("0.1", "x")).toBeUndefined();
	});

	it("are exact to eight decimals", () => {
		fc.assert(
			fc.property(fc.nat({ max: 2 ** 52 }), (amount) => {
				const digits = String(amount).padStart(9, "0");
				expect(
					microCreditsOfUsd(`${digits.slice(0, -8)}.${digits.slice(-8)}`),
				).toBe(amount);
			}),
		);
	});
});
