import { spawn } from "node:child_process";
import { createPublicKey, verify } from "node:crypto";
import { once } from "node:events";
import {
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it, vi } from "vitest";
import { systemChance, ulidMaker } from "./chance.ts";
import { systemClock } from "./clock.ts";
import { nodeDigest } from "./digest.ts";
import {
	ed25519Signer,
	generateSignerKey,
	loadOrCreateSigner,
} from "./signer.ts";

describe("digest", () => {
	// FIPS 180-4 examples.
	const abc =
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	const nothing =
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

	it("is SHA-256, of text in hex and of bytes in bytes", () => {
		expect(nodeDigest.text("abc")).toBe(abc);
		expect(nodeDigest.text("")).toBe(nothing);
		const digest = nodeDigest.bytes(new TextEncoder().encode("abc"));
		expect(digest).toBeInstanceOf(Uint8Array);
		expect([...digest]).toEqual([...Buffer.from(abc, "hex")]);
	});

	it("hashes the UTF-8 bytes of a text", () => {
		fc.assert(
			fc.property(fc.string({ unit: "binary" }), (text) => {
				const bytes = nodeDigest.bytes(new TextEncoder().encode(text));
				expect(nodeDigest.text(text)).toBe(Buffer.from(bytes).toString("hex"));
			}),
		);
	});
});

describe("chance", () => {
	it("gives as many bytes as asked, other ones each time", () => {
		expect(systemChance.bytes(0)).toHaveLength(0);
		const [one, two] = [systemChance.bytes(32), systemChance.bytes(32)];
		expect(one).toHaveLength(32);
		expect([...one]).not.toEqual([...two]);
	});

	it("gives ULIDs that sort in the order of making", () => {
		const ids = Array.from({ length: 20_000 }, () => systemChance.id());
		for (const id of ids) expect(id).toMatch(/^[0-7][0-9a-hjkmnp-tv-z]{25}$/);
		expect(ids.toSorted()).toEqual(ids);
		expect(new Set(ids).size).toBe(ids.length);
	});

	it("writes the time as ULIDs do", () => {
		const zeros = (length: number) => new Uint8Array(length);
		expect(ulidMaker(() => 1_469_918_176_385, zeros)()).toBe(
			`01aryz6s41${"0".repeat(16)}`,
		);
		expect(ulidMaker(() => 0, zeros)()).toBe("0".repeat(26));
		expect(ulidMaker(() => 2 ** 48 - 1, zeros)().slice(0, 10)).toBe(
			"7zzzzzzzzz",
		);
	});

	it("goes on upwards when the clock stands still, goes back, or chance is at its end", () => {
		fc.assert(
			fc.property(
				fc.array(fc.nat(5), { minLength: 2, maxLength: 50 }),
				fc.integer({ min: 0, max: 255 }),
				(times, byte) => {
					const left = [...times];
					const next = ulidMaker(
						() => 1_000 + (left.shift() ?? 0),
						(length) => new Uint8Array(length).fill(byte),
					);
					const ids = times.map(() => next());
					expect(ids.toSorted()).toEqual(ids);
					expect(new Set(ids).size).toBe(ids.length);
				},
			),
		);
	});

	it("does not count up by one within a millisecond: an id does not tell the next", () => {
		const next = ulidMaker(() => 1_000, systemChance.bytes);
		const tails = Array.from({ length: 50 }, () => next().slice(-8));
		const firsts = new Set(tails.map((tail) => tail.slice(0, 3)));
		expect(firsts.size).toBeGreaterThan(20);
	});
});

describe("clock", () => {
	it("hands over what has arrived before it does soon's work", async () => {
		const order: string[] = [];
		await new Promise<void>((resolve) => {
			systemClock.soon(() => {
				order.push("soon");
				resolve();
			});
			void Promise.resolve()
				.then(() => {})
				.then(() => order.push("promise"));
			process.nextTick(() => order.push("tick"));
		});
		expect(order.toSorted()).toEqual(["promise", "soon", "tick"]);
		expect(order.at(-1)).toBe("soon");
	});

	it("does later what was not called off, also beyond what a timer holds", async () => {
		vi.useFakeTimers();
		try {
			const done: string[] = [];
			const month = 31 * 86_400_000;
			systemClock.later(50, () => done.push("short"));
			const callOff = systemClock.later(60, () => done.push("called off"));
			systemClock.later(month, () => done.push("month"));
			const callOffLate = systemClock.later(month, () =>
				done.push("called off in its second leg"),
			);
			callOff();
			await vi.advanceTimersByTimeAsync(month - 1);
			expect(done).toEqual(["short"]);
			callOffLate();
			await vi.advanceTimersByTimeAsync(1);
			expect(done).toEqual(["short", "month"]);
		} finally {
			vi.useRealTimers();
		}
	});

	it("keeps no process alive", async () => {
		const url = new URL("./clock.ts", import.meta.url).href;
		const program = `import { systemClock } from ${JSON.stringify(url)}; systemClock.later(60_000, () => {});`;
		const child = spawn(
			process.execPath,
			["--input-type=module", "-e", program],
			{ stdio: "inherit" },
		);
		const [code] = await once(child, "exit");
		expect(code).toBe(0);
	});
});

describe("signer", () => {
	const folder = mkdtempSync(join(tmpdir(), "dos-signer-"));
	afterAll(() => rmSync(folder, { recursive: true }));
	const message = new TextEncoder().encode("example.org/log\n42\n");
	const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));
	const fault = (code: string) =>
		expect.objectContaining({ name: "Fault", code });

	// RFC 8032, section 7.1, test 2.
	const seed = hex(
		"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	);

	it("signs as RFC 8032 says", () => {
		const signer = ed25519Signer("example.org", seed);
		expect(Buffer.from(signer.publicKey).toString("hex")).toBe(
			"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
		);
		const signature = signer.sign(hex("72"));
		expect(Buffer.from(signature).toString("hex")).toBe(
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
		);
		expect(signer.verify(hex("72"), signature, signer.publicKey)).toBe(true);
	});

	it("signs what any other program can check", () => {
		const pem = generateSignerKey();
		const signer = ed25519Signer("example.org", pem);
		expect(
			verify(null, message, createPublicKey(pem), signer.sign(message)),
		).toBe(true);
		expect(signer.name).toBe("example.org");
		expect(signer.publicKey).toHaveLength(32);
	});

	it("says no to whatever is not signed, and never throws", () => {
		const signer = ed25519Signer("a", seed);
		const other = ed25519Signer("a", generateSignerKey());
		const signature = signer.sign(message);
		expect(other.verify(message, signature, signer.publicKey)).toBe(true);
		expect(signer.verify(message, signature, other.publicKey)).toBe(false);
		expect(
			signer.verify(message.subarray(1), signature, signer.publicKey),
		).toBe(false);
		expect(
			signer.verify(
				message,
				signature.with(0, (signature[0] ?? 0) ^ 1),
				signer.publicKey,
			),
		).toBe(false);
		expect(
			signer.verify(message, signature.subarray(1), signer.publicKey),
		).toBe(false);
		expect(signer.verify(message, new Uint8Array(), signer.publicKey)).toBe(
			false,
		);
		expect(signer.verify(message, signature, new Uint8Array())).toBe(false);
		expect(
			signer.verify(message, signature, new Uint8Array(32).fill(255)),
		).toBe(false);
	});

	it.each(["", "two words", "a+b", "line\nbreak"])(
		"refuses the name %j",
		(name) => {
			expect(() => ed25519Signer(name, seed)).toThrow(fault("signer/bad-name"));
		},
	);

	it("refuses what is no Ed25519 key, and repeats none of it", () => {
		const secret = "c2VjcmV0IGtleSBtYXRlcmlhbA==";
		const broken = `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`;
		for (const key of ["", broken, seed.subarray(1), new Uint8Array()]) {
			expect(() => ed25519Signer("a", key)).toThrow(fault("signer/bad-key"));
		}
		try {
			ed25519Signer("a", broken);
		} catch (error) {
			expect((error as Error).cause).toBeUndefined();
			expect(String((error as Error).stack)).not.toContain(secret);
		}
	});

	it("is made once, in a file that its owner alone can read", async () => {
		const path = join(folder, "new", "signing-key.pem");
		const made = await loadOrCreateSigner(path, "a");
		const loaded = await loadOrCreateSigner(path, "b");
		expect([...loaded.publicKey]).toEqual([...made.publicKey]);
		if (process.platform !== "win32")
			expect(statSync(path).mode & 0o777).toBe(0o600);
		expect(readdirSync(join(folder, "new"))).toEqual(["signing-key.pem"]);
		expect([
			...ed25519Signer("a", readFileSync(path, "utf8")).publicKey,
		]).toEqual([...made.publicKey]);
	});

	it("is the same for all who start at once, also in other processes", async () => {
		const path = join(folder, "race.pem");
		const url = new URL("./signer.ts", import.meta.url).href;
		const program = `
			import { loadOrCreateSigner } from ${JSON.stringify(url)};
			const signers = await Promise.all([1, 2, 3].map(() => loadOrCreateSigner(${JSON.stringify(path)}, "a")));
			process.stdout.write(signers.map(({ publicKey }) => Buffer.from(publicKey).toString("hex") + "\\n").join(""));
		`;
		const children = [1, 2].map(async () => {
			const child = spawn(
				process.execPath,
				["--input-type=module", "-e", program],
				{
					stdio: ["ignore", "pipe", "inherit"],
				},
			);
			let text = "";
			child.stdout.on("data", (chunk: Buffer) => {
				text += chunk;
			});
			await once(child, "close");
			return text.trim().split("\n");
		});
		const here = Array.from({ length: 10 }, async () => {
			const { publicKey } = await loadOrCreateSigner(path, "a");
			return Buffer.from(publicKey).toString("hex");
		});
		const seen = (await Promise.all([...children, ...here])).flat();
		expect(seen).toHaveLength(16);
		expect(new Set(seen).size).toBe(1);
	});

	it("never replaces a file that holds something else", async () => {
		const path = join(folder, "other.pem");
		writeFileSync(path, "not a key");
		await expect(loadOrCreateSigner(path, "a")).rejects.toThrow(
			fault("signer/bad-key"),
		);
		expect(readFileSync(path, "utf8")).toBe("not a key");
		await expect(loadOrCreateSigner(folder, "a")).rejects.toThrow(
			fault("signer/failed"),
		);
	});
});
