import { describe, expect, it } from "vitest";
import { accept, Fault, refuse } from "./outcome.ts";

describe("an outcome", () => {
	it("is a value, or a refusal with its reason", () => {
		expect(accept(7)).toEqual({ ok: true, value: 7 });
		expect(refuse("area/what", "What happened.")).toStrictEqual({
			ok: false,
			error: { code: "area/what", message: "What happened." },
		});
		expect(refuse("area/what", "What happened.", { needed: 3 })).toStrictEqual({
			ok: false,
			error: {
				code: "area/what",
				message: "What happened.",
				details: { needed: 3 },
			},
		});
	});
});

describe("a fault", () => {
	it("is an error with a code, and says whether trying again makes sense", () => {
		const cause = new Error("disk");
		const fault = new Fault("log/busy", "Busy.", {
			cause,
			retryable: true,
			details: { waited: 5 },
		});
		expect(fault).toBeInstanceOf(Error);
		expect(fault).toMatchObject({
			name: "Fault",
			code: "log/busy",
			message: "Busy.",
			retryable: true,
			details: { waited: 5 },
			cause,
		});
	});

	it("promises nothing that it was not told", () => {
		const fault = new Fault("log/failed", "Failed.");
		expect(fault.retryable).toBe(false);
		expect(fault.details).toBeUndefined();
		expect("cause" in fault).toBe(false);
	});
});
