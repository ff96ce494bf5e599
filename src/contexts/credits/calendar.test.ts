import fc from "fast-check";
import { expect, it } from "vitest";
import {
	dayOf,
	endOfDay,
	endOfMonth,
	latestTime,
	monthOf,
} from "./calendar.ts";

it("agrees with the calendar at any time it can name", () => {
	const someTime = fc.oneof(
		fc.integer({ min: -latestTime / 2, max: latestTime - 32 * 86_400_000 }),
		fc.integer({ min: 0, max: 4_102_444_800_000 }),
		// The first and last millisecond of months.
		fc
			.tuple(fc.integer({ min: 0, max: 5_000 }), fc.constantFrom(-1, 0, 1))
			.map(([month, off]) => Date.UTC(1970, month, 1) + off),
	);
	fc.assert(
		fc.property(someTime, (time) => {
			const date = new Date(time);
			expect(monthOf(time)).toBe(
				(date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth(),
			);
			expect(dayOf(time)).toBe(Math.floor(time / 86_400_000));
			expect(endOfMonth(time)).toBe(
				Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1),
			);
			expect(endOfDay(time)).toBe(new Date(time).setUTCHours(24, 0, 0, 0));
		}),
	);
});
