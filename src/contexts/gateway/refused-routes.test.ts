import { expect, it } from "vitest";
import { substrate } from "../routing/fixtures/substrates.ts";
import { openTestGateway } from "./gateway.testing.ts";

const catalogue = {
	version: "c-one",
	substrates: [substrate("one/m")],
	off: {},
};

it("are recorded for each key only so often, and the next that is says how many were not", async () => {
	const bench = await openTestGateway({ vendors: ["one"], catalogue });
	const refused = async (times: number) => {
		for (let n = 0; n < times; n++) {
			const call = bench.call(
				{ model: "m" },
				{ headers: { "x-dos-needs": "sovereignty=own-machine" } },
			);
			await bench.clock.settle();
			await call.done;
			expect(call.status).toBe(403);
			expect(call.body).toContain("route/no-eligible-substrate");
		}
	};
	await refused(50);
	const recorded = () => bench.events("route-refused");
	expect(await recorded()).toHaveLength(30);
	await bench.clock.advance(2_000);
	await refused(3);
	const all = await recorded();
	expect(all).toHaveLength(31);
	expect(all.map(({ data }) => data.unrecorded)).toEqual([
		...Array.from({ length: 30 }, () => undefined),
		20,
	]);
	await bench.clock.advance(60_000);
	await refused(1);
	expect((await recorded()).at(-1)?.data.unrecorded).toBe(2);
});
