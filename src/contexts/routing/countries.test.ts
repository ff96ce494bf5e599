import { expect, test } from "vitest";
import { memberCountries, namedCountries } from "./countries.ts";

test("an area stands for its countries, and a country for itself", () => {
	expect(memberCountries("eu")).toHaveLength(27);
	expect(memberCountries("EEA")).toHaveLength(30);
	expect(memberCountries("DE")).toEqual([]);
});

test("all countries of an area are named by it, and fewer by themselves", () => {
	const union = memberCountries("EU");
	expect(namedCountries([])).toBe("");
	expect(namedCountries(["US", "DE"])).toBe("US, DE");
	expect(namedCountries(union)).toBe("EU");
	expect(namedCountries(["GB", ...union, "NO"])).toBe("EU, GB, NO");
	expect(namedCountries([...memberCountries("EEA"), "CH"])).toBe("EEA, CH");
	expect(namedCountries(union.slice(1))).toBe(union.slice(1).join(", "));
});
