import { expect, it } from "vitest";
import { harmless, openStyle, wantsColor } from "./style.ts";

it.each([
	["a terminal", true, {}, undefined, true],
	["no terminal", false, {}, undefined, false],
	["a dumb terminal", true, { TERM: "dumb" }, undefined, false],
	["NO_COLOR", true, { NO_COLOR: "1" }, undefined, false],
	["an empty NO_COLOR", true, { NO_COLOR: "" }, undefined, true],
	["FORCE_COLOR", false, { FORCE_COLOR: "1" }, undefined, true],
	["FORCE_COLOR=0", true, { FORCE_COLOR: "0" }, undefined, false],
	[
		"NO_COLOR before FORCE_COLOR",
		true,
		{ NO_COLOR: "1", FORCE_COLOR: "1" },
		undefined,
		false,
	],
	["--color before NO_COLOR", false, { NO_COLOR: "1" }, true, true],
	["--no-color", true, { FORCE_COLOR: "1" }, false, false],
])("with %s", (_, terminal, environment, wanted, painted) => {
	expect(wantsColor(terminal, environment, wanted)).toBe(painted);
});

it("paints only when told to, and never nothing", () => {
	expect(openStyle(true).red("x")).toBe("\u001b[31mx\u001b[39m");
	expect(openStyle(true).bold("")).toBe("");
	expect(openStyle(false).red("x")).toBe("x");
});

it("makes what could deceive visible", () => {
	expect(harmless("a\u001b]0;title\u0007\u202eb\r\n日本 é")).toBe(
		"a\\u001b]0;title\\u0007\\u202eb\\u000d\\u000a日本 é",
	);
});
