import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isSealed, seal, sealLimit, unseal } from "./seal.ts";

const wrap = (json: string) =>
	`dos1.${Buffer.from(json).toString("base64url")}`;

describe("a seal", () => {
	it("gives back what was sealed, whatever it is", () => {
		const protocol = fc.constantFrom(
			"anthropic-messages",
			"openai-responses",
			"google-generate",
		);
		fc.assert(
			fc.property(protocol, fc.jsonValue(), (protocol, data) => {
				// As JSON keeps it: no negative zero.
				const kept = JSON.parse(JSON.stringify(data));
				const text = seal({ protocol, data });
				expect(text).toMatch(/^dos1\.[A-Za-z0-9_-]+$/);
				expect(unseal(text ?? "")).toEqual({ protocol, data: kept });
			}),
		);
	});

	it("keeps broken and rare characters", () => {
		const data = { text: "\ud800 \u0000 𝕏 é" };
		const text = seal({ protocol: "x", data });
		expect(unseal(text ?? "")).toEqual({ protocol: "x", data });
	});

	it("is none when it is too large, or nests too deep, to come back", () => {
		const large = "a".repeat(sealLimit);
		expect(seal({ protocol: "x", data: large })).toBeUndefined();
		const fits = "a".repeat(sealLimit * 0.75 - 64);
		const text = seal({ protocol: "x", data: fits });
		expect(text?.length).toBeLessThanOrEqual(sealLimit);
		expect(unseal(text ?? "")).toEqual({ protocol: "x", data: fits });
		let deep: unknown = 1;
		for (let level = 0; level < 64; level++) deep = [deep];
		expect(seal({ protocol: "x", data: deep })).toBeUndefined();
	});

	it.each([
		["no seal", "EqQBCgIYAhIM1gbcDa9GJwZA2b3h"],
		["nothing", ""],
		["the mark alone", "dos1."],
		["another version", "dos2.eyJ9"],
		["other characters", "dos1.eyJ wIjoi"],
		["padding", "dos1.eyJwIjoieCJ9=="],
		["no JSON", wrap("{protocol:1}")],
		["bytes that are no UTF-8", "dos1._____w"],
		["something after it", wrap('{"protocol":"x","data":1} 2')],
		["no protocol", wrap('{"data":1}')],
		["no data", wrap('{"protocol":"x"}')],
		["one member more", wrap('{"protocol":"x","data":1,"more":2}')],
		["a protocol twice", wrap('{"protocol":"x","protocol":"y"}')],
		["a protocol that is no name", wrap('{"protocol":"__proto__","data":1}')],
		["a protocol of another type", wrap('{"protocol":["x"],"data":1}')],
		["a list", wrap('["x",1]')],
		[
			"deep nesting",
			wrap(
				`{"protocol":"x","data":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
			),
		],
		["too much", `dos1.${"A".repeat(sealLimit)}`],
	])("opens to nothing when it is %s", (_, text) => {
		expect(unseal(text)).toBeUndefined();
	});

	it("opens to nothing or to an opaque when bytes of it were changed, and never throws", () => {
		const text = seal({ protocol: "x", data: { a: ["b", 1] } }) ?? "";
		fc.assert(
			fc.property(
				fc.nat(text.length - 1),
				fc.string({ maxLength: 3 }),
				(at, other) => {
					const opened = unseal(text.slice(0, at) + other + text.slice(at + 1));
					if (opened) expect(opened.protocol).toMatch(/^[a-z][a-z0-9-]*$/);
				},
			),
		);
		fc.assert(
			fc.property(fc.string(), (other) => {
				expect(unseal(other)).toBeUndefined();
				expect(unseal(`dos1.${other}`)).toBeUndefined();
			}),
		);
	});

	it("knows its own from a vendor's", () => {
		expect(isSealed(seal({ protocol: "x", data: 1 }) ?? "")).toBe(true);
		expect(isSealed("ErUBCkYIBBgCIkDsignature")).toBe(false);
	});
});
