import { expect, it } from "vitest";
import { amountText, counted, parseAmount, timeText } from "./amounts.ts";

it.each([
	["1", 1_000_000],
	["0.000001", 1],
	["1_000", 1_000_000_000],
	["1usd", 100_000_000],
	["0.00000001 USD", 1],
	["0", 0],
	["", undefined],
	["usd", undefined],
	["-1", undefined],
	["1e3", undefined],
	["0x10", undefined],
	["0.0000001", undefined],
	["$1", undefined],
	["１", undefined],
	["99999999999999999999", undefined],
])("the amount %j is %s micro-credits", (text, amount) =>
	expect(parseAmount(text)).toBe(amount),
);

it("writes amounts, times and counts for people", () => {
	expect(amountText(1_000_000)).toBe("1 credit (0.01 USD)");
	expect(amountText(990_500_000)).toBe("990.5 credits (9.905 USD)");
	expect(timeText(Date.UTC(2026, 10, 21, 9, 13, 18, 999))).toBe(
		"2026-11-21 09:13:18",
	);
	expect([counted(1, "call"), counted(1_234, "call")]).toEqual([
		"1 call",
		"1,234 calls",
	]);
});
