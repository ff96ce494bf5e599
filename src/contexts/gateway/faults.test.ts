import { expect, it } from "vitest";
import { Fault } from "../../kernel/outcome.ts";
import { toldToClient } from "./faults.ts";

it.each(["log/full", "log/failed", "store/read-only"])(
	"of %s a client learns that it may come again, and no place on this machine",
	(code) => {
		const told = toldToClient(
			new Fault(code, "/home/ada/.dos/dos.db cannot be written.", {
				details: { path: "/home/ada/.dos" },
			}),
		);
		expect(told).toMatchObject({ code, details: { retryAfter: 5 } });
		expect(JSON.stringify(told)).not.toContain("ada");
	},
);

it("a fault of the request is told as it is", () => {
	const fault = new Fault("http/body-too-large", "Too large.", {
		details: { limit: 9 },
	});
	expect(toldToClient(fault)).toEqual({
		code: "http/body-too-large",
		message: "Too large.",
		details: { limit: 9 },
	});
});

it("of anything else nothing is told, as its words may be a prompt", () => {
	const told = toldToClient(new TypeError("a prompt"));
	expect(told.code).toBe("gateway/internal");
	expect(JSON.stringify(told)).not.toContain("prompt");
});
