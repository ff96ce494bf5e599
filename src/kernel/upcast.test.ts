import { describe, expect, it } from "vitest";
import type { DomainEvent } from "./event.ts";
import { upcaster } from "./upcast.ts";

const event: DomainEvent = {
	type: "first",
	data: { amount: 5 },
	stream: "a/1",
	time: 9,
	position: 3,
};

describe("an old event", () => {
	const upcast = upcaster({
		first: ({ amount }) => ({
			type: "second",
			data: { amount, unit: "credit" },
		}),
		second: ({ amount, unit }) => ({
			type: "third",
			data: { quantity: { amount, unit } },
		}),
	});

	it("is read as today's, through all steps between, in its old place", () => {
		expect(upcast(event)).toEqual({
			...event,
			type: "third",
			data: { quantity: { amount: 5, unit: "credit" } },
		});
		expect(
			upcast({ ...event, type: "second", data: { amount: 1, unit: "x" } }).data,
		).toEqual({
			quantity: { amount: 1, unit: "x" },
		});
	});

	it("stays what it is when nothing newer exists, and is never changed itself", () => {
		const today = { ...event, type: "third" };
		expect(upcast(today)).toBe(today);
		const frozen = Object.freeze({
			...event,
			data: Object.freeze({ amount: 5 }),
		});
		expect(upcast(frozen).type).toBe("third");
	});

	it("is not confused by names that every object has", () => {
		const odd = { ...event, type: "constructor" };
		expect(upcast(odd)).toBe(odd);
	});

	it("has a type by which it can be asked for", () => {
		expect(upcast.types).toEqual(["first", "second"]);
	});
});
