import { beforeEach, describe, expect, it } from "vitest";
import type { Leases } from "./lease.ts";

/** What every store of leases keeps to. `make` gives a new, empty one, and a way to let its time pass. */
export function leaseContract(
	name: string,
	make: () => Promise<{
		readonly leases: Leases;
		readonly pass: (milliseconds: number) => Promise<void>;
	}>,
): void {
	describe(`leases: ${name}`, () => {
		let leases: Leases;
		let pass: (milliseconds: number) => Promise<void>;

		beforeEach(async () => {
			({ leases, pass } = await make());
		});

		const long = 60_000;
		const short = 40;
		async function taken(name: string, holder: string, lasts = long) {
			const token = await leases.take(name, holder, lasts);
			if (token === undefined) throw new Error(`${holder} did not get ${name}`);
			return token;
		}

		it("gives a lease to one holder at a time", async () => {
			await taken("duty", "a");
			expect(await leases.take("duty", "b", long)).toBeUndefined();
			expect(await leases.take("other", "b", long)).toBeTypeOf("number");
		});

		it("gives it to one of many that ask at once", async () => {
			const tokens = await Promise.all(
				Array.from({ length: 20 }, (_, index) =>
					leases.take("duty", `holder-${index}`, long),
				),
			);
			expect(tokens.filter((token) => token !== undefined)).toHaveLength(1);
		});

		it("extends one's own under the same token, also late while nobody took it", async () => {
			const token = await taken("duty", "a", short);
			expect(await leases.take("duty", "a", short)).toBe(token);
			await pass(2 * short);
			expect(await leases.take("duty", "a", long)).toBe(token);
			expect(await leases.take("duty", "b", long)).toBeUndefined();
		});

		it("passes on what is over, under a higher token", async () => {
			const first = await taken("duty", "a", short);
			await pass(2 * short);
			const second = await taken("duty", "b");
			expect(second).toBeGreaterThan(first);
			// Whoever wakes late finds that it is another's.
			expect(await leases.take("duty", "a", long)).toBeUndefined();
			await leases.release("duty", first);
			expect(await leases.take("duty", "a", long)).toBeUndefined();
			await leases.release("duty", second);
			expect(await taken("duty", "a")).toBeGreaterThan(second);
		});

		it("gives each tenure a token above all before, whatever was released or buried", async () => {
			let highest = -1;
			for (let round = 0; round < 3; round++) {
				const token = await taken("instance/a", "a", short);
				expect(token).toBeGreaterThan(highest);
				highest = token;
				if (round === 0) await leases.release("instance/a", token);
				else {
					await pass(2 * short);
					expect(await leases.bury("instance/", 0)).toEqual(["instance/a"]);
				}
			}
		});

		it("buries only what is over for longer than the grace, and under the name", async () => {
			await taken("instance/over", "over", short);
			await taken("instance/lives", "lives");
			await taken("duty", "over", short);
			await pass(2 * short);
			expect(await leases.bury("instance/", long)).toEqual([]);
			expect(await leases.bury("instance/", 0)).toEqual(["instance/over"]);
			expect((await leases.list("")).map(({ name }) => name)).toEqual([
				"duty",
				"instance/lives",
			]);
		});

		it("lists by name, with who, how long still, and the newest note", async () => {
			const token = await taken("b/2", "two");
			await leases.take("b/1", "one", short, "first");
			await leases.take("b/1", "one", short, "🙂 second");
			await taken("a", "x");
			// Not a pattern: the signs of one mean themselves.
			await taken("b%", "y");
			await pass(2 * short);
			const [one, two, ...more] = await leases.list("b/");
			expect(more).toEqual([]);
			expect(one).toMatchObject({
				name: "b/1",
				holder: "one",
				note: "🙂 second",
			});
			expect(one?.left).toBeLessThanOrEqual(0);
			expect(two).toMatchObject({
				name: "b/2",
				holder: "two",
				token,
				note: "",
			});
			expect(two?.left).toBeGreaterThan(0);
			expect(two?.left).toBeLessThanOrEqual(long);
		});
	});
}
