import { expect, it } from "vitest";
import { systemChance } from "../../adapters/runtime/chance.ts";
import { nodeDigest } from "../../adapters/runtime/digest.ts";
import { makeSecret } from "./secret.ts";

const made = (byte: number) =>
	makeSecret(
		{ ...systemChance, bytes: (length) => new Uint8Array(length).fill(byte) },
		nodeDigest,
	);

it("carries all 256 bits in 43 characters", () => {
	expect(made(0).text).toBe(`dos_sk_${"0".repeat(43)}`);
	expect(made(255).text).toMatch(/^dos_sk_[0-9A-Za-z]{43}$/);
	const number = [...made(255).text.slice(7)].reduce(
		(sum, digit) =>
			sum * 62n +
			BigInt(
				"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".indexOf(
					digit,
				),
			),
		0n,
	);
	expect(number).toBe(2n ** 256n - 1n);
});

it("is stored as the hash of its text, and told apart by a hint that gives little away", () => {
	const { text, hash, hint } = makeSecret(systemChance, nodeDigest);
	expect(hash).toBe(nodeDigest.text(text));
	expect(hint).toBe(`${text.slice(0, 9)}…${text.slice(-2)}`);
	expect(makeSecret(systemChance, nodeDigest).text).not.toBe(text);
});
