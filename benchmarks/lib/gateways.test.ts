import { expect, it } from "vitest";
import { direct, plateau } from "./gateways.ts";

it("memory's plateau is the middle of the second half: neither the climb nor a spike counts", () => {
	expect(plateau([10, 20, 30, 90, 91, 500])).toBe(91);
	expect(plateau([40])).toBe(40);
	expect(plateau([])).toBeNaN();
});

it("without a gateway there is no CPU to count", () => {
	expect(direct(80).cpu()).toBeNaN();
	expect(direct(80).port).toBe(80);
});
