import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	checked,
	formatCredits,
	formatUsd,
	microCreditsPerCredit,
	microCreditsPerUsd,
	parseCredits,
	parseUsd,
} from "./money.ts";
import { Fault } from "./outcome.ts";

describe("money", () => {
	it("has one size everywhere: 100 credits are a dollar", () => {
		expect(parseCredits("1")).toBe(microCreditsPerCredit);
		expect(parseUsd("1")).toBe(microCreditsPerUsd);
		expect(parseUsd("1")).toBe(parseCredits("100"));
	});

	it("reads what it wrote, to the last micro-credit", () => {
		fc.assert(
			fc.property(fc.maxSafeNat(), (amount) => {
				expect(parseCredits(formatCredits(amount))).toBe(amount);
				expect(parseUsd(formatUsd(amount))).toBe(amount);
			}),
		);
	});

	it("writes the exact value, without trailing zeros", () => {
		fc.assert(
			fc.property(fc.maxSafeInteger(), (amount) => {
				for (const [text, decimals] of [
					[formatCredits(amount), 6],
					[formatUsd(amount), 8],
				] as const) {
					expect(text).toMatch(/^-?(0|[1-9]\d*)(\.\d*[1-9])?$/);
					const [whole = "", fraction = ""] = text.split(".");
					expect(BigInt(whole + fraction.padEnd(decimals, "0"))).toBe(
						BigInt(amount),
					);
				}
			}),
		);
	});

	it.each([
		[0, "0", "0"],
		[-0, "0", "0"],
		[1, "0.000001", "0.00000001"],
		[-1, "-0.000001", "-0.00000001"],
		[1_234_500_000, "1234.5", "12.345"],
		[100_000_000, "100", "1"],
		[Number.MAX_SAFE_INTEGER, "9007199254.740991", "90071992.54740991"],
	])("writes %d as %s credits and %s dollars", (amount, credits, usd) => {
		expect(formatCredits(amount)).toBe(credits);
		expect(formatUsd(amount)).toBe(usd);
	});

	it.each([
		["12.5", 12_500_000],
		[" 1_000 ", 1_000_000_000],
		["007", 7_000_000],
		["0.000001", 1],
		["0.0000010", 1],
		["9007199254.740991", Number.MAX_SAFE_INTEGER],
	])("reads %j credits", (text, amount) => {
		expect(parseCredits(text)).toBe(amount);
	});

	it.each([
		"",
		" ",
		".5",
		"5.",
		"-1",
		"+1",
		"1e3",
		"1,5",
		"0x10",
		"_1",
		"1._5",
		"0.0000001",
		"9007199254.740992",
		"9".repeat(400),
		"NaN",
		"Infinity",
		"١",
	])("does not take %j for an amount of credits", (text) => {
		expect(parseCredits(text)).toBeUndefined();
	});

	it("takes two decimals more for dollars", () => {
		expect(parseUsd("0.00000001")).toBe(1);
		expect(parseUsd("0.000000001")).toBeUndefined();
	});

	it.each([0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -(2 ** 53)])(
		"is never %d",
		(amount) => {
			const refusal = expect.objectContaining({ code: "money/not-exact" });
			expect(() => checked(amount)).toThrow(refusal);
			expect(() => formatCredits(amount)).toThrow(refusal);
			expect(() => checked(amount)).toThrow(Fault);
		},
	);

	it("is the amount itself when that is exact", () => {
		expect(checked(-7)).toBe(-7);
		expect(checked(Number.MAX_SAFE_INTEGER)).toBe(Number.MAX_SAFE_INTEGER);
	});
});
