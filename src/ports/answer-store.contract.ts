import { beforeEach, describe, expect, it } from "vitest";
import type { AnswerStore, KeptAnswer } from "./answer-store.ts";

const answer = (bytes: readonly number[], status = 200): KeptAnswer => ({
	status,
	headers: { "content-type": "application/json", "x-dos-call-id": "c1" },
	body: Uint8Array.from(bytes),
});

/** What every answer store keeps to. `make` gives a new, empty one. */
export function answerStoreContract(
	name: string,
	make: () => AnswerStore | Promise<AnswerStore>,
): void {
	describe(`answer store: ${name}`, () => {
		let store: AnswerStore;

		beforeEach(async () => {
			store = await make();
		});

		/** The answer with its body as plain numbers, so that the kind of byte array does not matter. */
		async function find(call: string, now: number): Promise<unknown> {
			const found = await store.find(call, now);
			return found && { ...found, body: [...found.body] };
		}

		it("knows nothing at first", async () => {
			expect(await find("c1", 0)).toBeUndefined();
			expect(await store.sweep(Number.MAX_SAFE_INTEGER)).toBe(0);
		});

		it("gives back status, headers and every byte", async () => {
			const bytes = Array.from({ length: 256 }, (_, byte) => byte);
			await store.keep("c1", answer(bytes, 429), 1_000);
			expect(await find("c1", 0)).toEqual({ ...answer([], 429), body: bytes });
			expect(await find("C1", 0)).toBeUndefined();
		});

		it("keeps an empty answer and a long one", async () => {
			await store.keep(
				"empty",
				{ status: 204, headers: {}, body: new Uint8Array() },
				1_000,
			);
			await store.keep(
				"long",
				{ status: 200, headers: {}, body: new Uint8Array(3_000_000).fill(7) },
				1_000,
			);
			expect(await find("empty", 0)).toEqual({
				status: 204,
				headers: {},
				body: [],
			});
			const long = (await store.find("long", 0))?.body;
			expect(long?.length).toBe(3_000_000);
			expect(long?.every((byte) => byte === 7)).toBe(true);
		});

		it("keeps a copy: bytes changed later are not changed here", async () => {
			const body = Uint8Array.from([1, 2, 3]);
			await store.keep("c1", { status: 200, headers: {}, body }, 1_000);
			body.fill(9);
			const found = await store.find("c1", 0);
			expect([...(found?.body ?? [])]).toEqual([1, 2, 3]);
			found?.body.fill(8);
			expect(await find("c1", 0)).toMatchObject({ body: [1, 2, 3] });
		});

		it("keeps a part of a larger buffer as that part", async () => {
			const whole = Uint8Array.from([0, 1, 2, 3, 4]);
			await store.keep(
				"c1",
				{ status: 200, headers: {}, body: whole.subarray(1, 3) },
				1_000,
			);
			expect(await find("c1", 0)).toMatchObject({ body: [1, 2] });
		});

		it("replaces an answer and its expiry", async () => {
			await store.keep("c1", answer([1]), 1_000);
			await store.keep("c1", answer([2]), 2_000);
			expect(await find("c1", 1_500)).toMatchObject({ body: [2] });
		});

		it("forgets an answer when its time comes", async () => {
			await store.keep("c1", answer([1]), 1_000);
			expect(await find("c1", 999)).toMatchObject({ body: [1] });
			expect(await find("c1", 1_000)).toBeUndefined();
		});

		it("sweeps what has expired and nothing else", async () => {
			for (let index = 1; index <= 500; index++)
				await store.keep(`c${index}`, answer([1]), index);
			expect(await store.sweep(450)).toBe(450);
			expect(await find("c450", 0)).toBeUndefined();
			expect(await find("c451", 0)).toMatchObject({ body: [1] });
			expect(await store.sweep(450)).toBe(0);
			expect(await store.sweep(1_000_000)).toBe(50);
		});
	});
}
