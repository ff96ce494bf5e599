import { randomBytes } from "node:crypto";
import type { Chance } from "../../ports/chance.ts";

export const systemChance: Chance = {
	bytes: (length) => randomBytes(length),
	id: ulidMaker(() => Date.now(), randomBytes),
};

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const half = 2 ** 40;

/**
 * Makes ULIDs: 10 characters of time and 16 of chance, each id after the one before, also within a
 * millisecond and when the clock goes back. Within a millisecond an id is the one before plus 40 random
 * bits, not plus one: knowing an id does not tell its neighbours.
 */
export function ulidMaker(
	now: () => number,
	bytes: (length: number) => Uint8Array,
): () => string {
	let time = -1;
	let prefix = "";
	let high = 0;
	let low = 0;

	function begin(milliseconds: number): void {
		time = milliseconds;
		prefix = base32(Math.floor(time / half), 2) + base32(time % half, 8);
		// The top bit stays clear, so that a millisecond has room for 2^39 ids.
		high = random40() % (half / 2);
		low = random40();
	}

	let pool: Uint8Array = new Uint8Array(0);
	let used = 0;
	function random40(): number {
		if (used + 5 > pool.length) {
			pool = bytes(5 * 200);
			used = 0;
		}
		let value = 0;
		for (let index = 0; index < 5; index++)
			value = value * 256 + (pool[used++] as number);
		return value;
	}

	return () => {
		const milliseconds = now();
		if (milliseconds > time) {
			begin(milliseconds);
		} else {
			low += random40() + 1;
			if (low >= half) {
				low -= half;
				high += 1;
			}
			if (high >= half) begin(time + 1);
		}
		return prefix + base32(high, 8) + base32(low, 8);
	};
}

function base32(value: number, length: number): string {
	let text = "";
	for (let rest = value; text.length < length; rest = Math.floor(rest / 32))
		text = alphabet.charAt(rest % 32) + text;
	return text;
}
