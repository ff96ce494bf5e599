import { beforeEach, describe, expect, it } from "vitest";
import type { DerivedStore, Saved } from "./derived-store.ts";

const saved = (body: unknown, position = 7): Saved => ({
	format: 3,
	position,
	hash: "ab".repeat(32),
	body: JSON.stringify(body),
});

/** What every derived store keeps to. `make` gives a new, empty one. */
export function derivedStoreContract(
	name: string,
	make: () => DerivedStore | Promise<DerivedStore>,
): void {
	describe(`derived store: ${name}`, () => {
		let store: DerivedStore;

		beforeEach(async () => {
			store = await make();
		});

		it("knows nothing at first", async () => {
			expect(await store.load("head")).toBeUndefined();
			expect(await store.names()).toEqual([]);
		});

		it("gives back what was saved", async () => {
			await store.save("head", saved({ a: [1, "🙂", "\ud800", "\0"] }));
			expect(await store.load("head")).toEqual(
				saved({ a: [1, "🙂", "\ud800", "\0"] }),
			);
			expect(await store.load("Head")).toBeUndefined();
		});

		it("keeps positions near 2^53 and long bodies", async () => {
			const long = saved(
				{ text: "x🙂".repeat(500_000) },
				Number.MAX_SAFE_INTEGER,
			);
			await store.save("head", long);
			expect(await store.load("head")).toEqual(long);
		});

		it("replaces a save whole", async () => {
			await store.save("head", saved({ old: true, long: "x".repeat(10_000) }));
			await store.save("head", {
				format: 4,
				position: 8,
				hash: "cd".repeat(32),
				body: "{}",
			});
			expect(await store.load("head")).toEqual({
				format: 4,
				position: 8,
				hash: "cd".repeat(32),
				body: "{}",
			});
			expect(await store.names()).toEqual(["head"]);
		});

		it("leaves the last of saves made at once", async () => {
			await Promise.all(
				[1, 2, 3, 4, 5].map((position) =>
					store.save("head", saved({}, position)),
				),
			);
			expect((await store.load("head"))?.position).toBe(5);
		});

		it("names all that is saved, sorted", async () => {
			for (const name of ["b", "a/2", "Z", "a/1", "é"])
				await store.save(name, saved({}));
			expect(await store.names()).toEqual(["Z", "a/1", "a/2", "b", "é"]);
		});

		it("forgets one name, or everything", async () => {
			for (const name of ["a", "b", "c"]) await store.save(name, saved({}));
			await store.clear("b");
			await store.clear("never saved");
			expect(await store.names()).toEqual(["a", "c"]);
			expect(await store.load("b")).toBeUndefined();
			await store.clear();
			expect(await store.names()).toEqual([]);
			await store.save("a", saved({}));
			expect(await store.names()).toEqual(["a"]);
		});
	});
}
