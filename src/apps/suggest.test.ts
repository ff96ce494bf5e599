import { expect, it } from "vitest";
import { closest } from "./suggest.ts";

it.each([
	["prot", ["host", "port", "tls"], "port"],
	["lsten", ["limits", "listen"], "listen"],
	["LISTEN", ["limits", "listen"], "listen"],
	["xyz", ["limits", "listen"], undefined],
	["a", [], undefined],
	["", ["listen"], undefined],
	["x".repeat(100_000), ["listen"], undefined],
])("finds what was meant by a word (case %#)", (word, known, meant) =>
	expect(closest(word, known)).toBe(meant),
);
