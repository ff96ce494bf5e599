import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { Fault, refuse } from "../../kernel/outcome.ts";
import { explain, orRefused, Refused, usage } from "./errors.ts";

function thrownBy(work: () => unknown): unknown {
	try {
		work();
	} catch (thrown) {
		return thrown;
	}
	throw new Error("It did not throw.");
}

function fail(code: string): never {
	throw new Fault(code, "No.");
}

it.each([
	[
		"a refusal",
		() => orRefused(refuse("credits/insufficient", "No.", { needed: 1 })),
		"credits/insufficient",
		1,
	],
	[
		"a refusal of what was written",
		() => orRefused(refuse("credits/invalid", "No.")),
		"credits/invalid",
		2,
	],
	[
		"wrong usage",
		() => {
			throw usage("No.");
		},
		"cli/usage",
		2,
	],
	[
		"a wrong config.yaml",
		() => {
			throw new Fault("config/invalid", "No.");
		},
		"config/invalid",
		2,
	],
	[
		"an unsafe way to listen",
		() => fail("listen/insecure"),
		"listen/insecure",
		2,
	],
	["a home with nothing in it", () => fail("home/empty"), "home/empty", 1],
	[
		"a fault",
		() => {
			throw new Fault("log/busy", "No.");
		},
		"log/busy",
		3,
	],
	[
		"the system's refusal",
		() => readFileSync("/does/not/exist"),
		"system/failed",
		3,
	],
	[
		"a mistake of ours",
		() => {
			throw new TypeError("x");
		},
		"cli/internal",
		3,
	],
	[
		"something that is no error",
		() => {
			throw "x";
		},
		"cli/internal",
		3,
	],
])("%s has its code and exit code", (_, work, code, exitCode) => {
	const explained = explain(thrownBy(work));
	expect(explained.error.code).toBe(code);
	expect(explained.exitCode).toBe(exitCode);
});

it("keeps what a refusal says", () => {
	const refused = thrownBy(() =>
		orRefused(refuse("a/b", "Because.", { needed: 1 })),
	);
	expect(refused).toBeInstanceOf(Refused);
	expect(explain(refused).error).toEqual({
		code: "a/b",
		message: "Because.",
		details: { needed: 1 },
	});
	expect(orRefused({ ok: true, value: 7 })).toBe(7);
});
