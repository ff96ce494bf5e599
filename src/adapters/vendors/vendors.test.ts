import { describe, expect, it } from "vitest";
import { priceIds, vendors } from "./all.ts";
import { baseAddress } from "./base-address.ts";

describe.each(vendors.map((vendor) => [vendor.id, vendor] as const))(
	"the row of %s",
	(id, vendor) => {
		it("has a name, an id of its own and a source", () => {
			expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
			expect(vendors.filter((other) => other.id === id)).toHaveLength(1);
			expect(vendor.name).not.toBe("");
			expect(vendor.source).toMatch(/^(https:\/\/\S+\.\S+|docs\/)/);
		});

		it("has base addresses that may be called, by protocols we speak", () => {
			expect(Object.keys(vendor.bases).length).toBeGreaterThan(0);
			for (const [protocol, base] of Object.entries(vendor.bases)) {
				expect(["openai-chat", "anthropic-messages"]).toContain(protocol);
				if (id === "loopback") expect(base).toBe(`loopback://${protocol}`);
				else expect(baseAddress(base)).toEqual({ ok: true, value: base });
				// Only a server on the owner's machine is called without TLS.
				expect(base.startsWith("http:")).toBe(vendor.local === true);
			}
		});

		it("says how its key is found and sent", () => {
			for (const name of vendor.keyNames)
				expect(name).toMatch(/^[A-Z][A-Z0-9_]+$/);
			expect(vendor.auth === "none").toBe(vendor.keyNames.length === 0);
			expect(vendor.baseName !== undefined).toBe(vendor.local === true);
		});

		it("claims no quirk that it does not have", () => {
			for (const value of Object.values(vendor.quirks ?? {}))
				expect(value).toBe(true);
		});
	},
);

it("no two vendors look for their key in the same place", () => {
	const names = vendors.flatMap(({ keyNames, baseName }) => [
		...keyNames,
		...(baseName ? [baseName] : []),
	]);
	expect(new Set(names).size).toBe(names.length);
});

it("the price package's names are known where they differ", () => {
	expect(priceIds).toEqual({ xai: "x-ai", moonshot: "moonshotai" });
});
