import {
	createHash,
	createPublicKey,
	generateKeyPairSync,
	sign,
	verify,
} from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromBase64, toBase64, toUtf8 } from "./bytes.ts";
import {
	type Checkpoint,
	formatCheckpoint,
	formatNote,
	formatVerifierKey,
	isKeyName,
	keyId,
	parseCheckpoint,
	parseNote,
	parseVerifierKey,
	verifierKey,
} from "./signed-note.ts";

const sha256 = (bytes: Uint8Array) =>
	new Uint8Array(createHash("sha256").update(bytes).digest());

function verifies(
	message: string,
	signature: Uint8Array,
	publicKey: Uint8Array,
): boolean {
	const der = Buffer.concat([
		Buffer.from("302a300506032b6570032100", "hex"),
		publicKey,
	]);
	return verify(
		null,
		toUtf8(message),
		createPublicKey({ key: der, format: "der", type: "spki" }),
		signature,
	);
}

/** A note and its key that other implementations publish in their own tests. */
const published = {
	key: "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	note: "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n",
};

/** The examples in the specifications themselves, whose keys are not published. */
const specified = {
	note: "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n",
	checkpoint:
		"example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n",
};

describe("notes of others", () => {
	it("verifies a published note with its published key", () => {
		const key = parseVerifierKey(published.key, sha256);
		const note = parseNote(published.note);
		expect(note).toMatchObject({
			text: "This is an example message.\n",
			signatures: [{ name: key?.name, id: key?.id }],
		});
		expect(
			verifies(
				note?.text as string,
				note?.signatures[0]?.signature as Uint8Array,
				key?.publicKey as Uint8Array,
			),
		).toBe(true);
		expect(note && formatNote(note)).toBe(published.note);
		expect(key && formatVerifierKey(key)).toBe(published.key);
	});

	it("reads the specification's note: the text may hold empty lines, the last one ends it", () => {
		const note = parseNote(specified.note);
		expect(note?.text).toBe(
			specified.note.slice(0, specified.note.indexOf("\n—")),
		);
		expect(note?.signatures).toMatchObject([
			{ name: "quasimodo.example/salvatore", id: "367ba04b" },
		]);
		expect(note?.signatures[0]?.signature).toHaveLength(64);
	});

	it("reads the specification's checkpoint, and writes it alike", () => {
		const text = parseNote(specified.checkpoint)?.text as string;
		const checkpoint = parseCheckpoint(text);
		expect(checkpoint).toEqual({
			origin: "example.com/behind-the-sofa",
			size: 20_852_163,
			root: fromBase64("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="),
		});
		expect(checkpoint && formatCheckpoint(checkpoint)).toBe(text);
	});
});

const names = fc.string({ unit: "grapheme", minLength: 1 }).filter(isKeyName);
const texts = fc
	.array(
		fc
			.string({ unit: "grapheme" })
			.map((line) => line.replaceAll(/\p{Cc}/gu, "")),
	)
	.map((lines) => `A text:\n${lines.map((line) => `${line}\n`).join("")}`);
const signatures = fc.array(
	fc.record({
		name: names,
		id: fc
			.uint8Array({ minLength: 4, maxLength: 4 })
			.map((id) => Buffer.from(id).toString("hex")),
		signature: fc.uint8Array({ minLength: 1, maxLength: 80 }),
	}),
	{ minLength: 1, maxLength: 16 },
);

describe("a note", () => {
	it("is read as it was written", () => {
		fc.assert(
			fc.property(texts, signatures, (text, signatures) => {
				expect(parseNote(formatNote({ text, signatures }))).toEqual({
					text,
					signatures,
				});
			}),
		);
	});

	it("is written as it was read, whatever was read", () => {
		fc.assert(
			fc.property(
				fc.nat(),
				fc.string({ unit: "binary", maxLength: 2 }),
				(place, other) => {
					const at = place % published.note.length;
					const changed =
						published.note.slice(0, at) + other + published.note.slice(at + 1);
					const note = parseNote(changed);
					if (note) expect(formatNote(note)).toBe(changed);
				},
			),
			{ numRuns: 500 },
		);
	});

	const line = "— example.com/foo Uw2QOkn8\n";
	it.each([
		["without an empty line", `A text.\n${line}`],
		["without a text", `\n\n${line}`.slice(1)],
		["without signatures", "A text.\n\n"],
		["that breaks off", `A text.\n\n${line.trim()}`],
		["with carriage returns", `A text.\r\n\r\n${line}`],
		["with a tab", `A\ttext.\n\n${line}`],
		["with half a character", `A \ud800 text.\n\n${line}`],
		["with a hyphen for the dash", `A text.\n\n- example.com/foo Uw2QOkn8\n`],
		["with two spaces", "A text.\n\n— example.com/foo  Uw2QOkn8\n"],
		["with a plus sign in a name", "A text.\n\n— example.com+foo Uw2QOkn8\n"],
		[
			"with an odd space in a name",
			"A text.\n\n— example.com\u2003foo Uw2QOkn8\n",
		],
		["with a signature of no bytes", "A text.\n\n— example.com/foo Uw2QOg==\n"],
		[
			"with a signature that is no base64",
			"A text.\n\n— example.com/foo Uw2QOkn\n",
		],
		["with something behind", `A text.\n\n${line}and more\n`],
		["with too many signatures", `A text.\n\n${line.repeat(65)}`],
	])("is none %s", (_, text) => {
		expect(parseNote(text)).toBeUndefined();
	});

	it("takes as many signatures as witnesses may add", () => {
		expect(parseNote(`A text.\n\n${line.repeat(64)}`)?.signatures).toHaveLength(
			64,
		);
	});
});

describe("a verifier key", () => {
	it("is told as text, and signs what it verifies", () => {
		const pair = generateKeyPairSync("ed25519");
		const publicKey = new Uint8Array(
			pair.publicKey.export({ format: "der", type: "spki" }).subarray(12),
		);
		const key = verifierKey("log.example/ours", publicKey, sha256);
		expect(parseVerifierKey(formatVerifierKey(key), sha256)).toEqual(key);
		const text = "A text.\n";
		const signature = new Uint8Array(sign(null, toUtf8(text), pair.privateKey));
		const note = parseNote(
			formatNote({
				text,
				signatures: [{ name: key.name, id: key.id, signature }],
			}),
		);
		expect(
			verifies(
				note?.text as string,
				note?.signatures[0]?.signature as Uint8Array,
				publicKey,
			),
		).toBe(true);
	});

	it("has another id under another name", () => {
		const publicKey = new Uint8Array(32).fill(7);
		expect(keyId("a", publicKey, sha256)).not.toBe(
			keyId("b", publicKey, sha256),
		);
	});

	it.each([
		["no key at all", "example.com/foo"],
		["an id of another key", published.key.replace("530d903a", "530d903b")],
		["another name for the id", published.key.replace("foo", "bar")],
		[
			"another algorithm",
			`example.com/foo+530d903a+${toBase64(new Uint8Array(33).fill(2))}`,
		],
		[
			"a key too short",
			`example.com/foo+530d903a+${toBase64(new Uint8Array(32).fill(1))}`,
		],
		["a key that is no base64", "example.com/foo+530d903a+?"],
		["a name with a space", published.key.replace("/", " ")],
		["a key in upper-case hex", published.key.replace("530d903a", "530D903A")],
	])("is none with %s", (_, text) => {
		expect(parseVerifierKey(text, sha256)).toBeUndefined();
	});
});

describe("a checkpoint's text", () => {
	const root = new Uint8Array(32).fill(3);

	it("is read as it was written", () => {
		fc.assert(
			fc.property(
				names,
				fc.maxSafeNat(),
				fc.uint8Array({ minLength: 32, maxLength: 32 }),
				(origin, size, root) => {
					const checkpoint: Checkpoint = { origin, size, root };
					expect(parseCheckpoint(formatCheckpoint(checkpoint))).toEqual(
						checkpoint,
					);
				},
			),
		);
	});

	it("may have extension lines, which mean nothing", () => {
		expect(
			parseCheckpoint(`log\n4\n${toBase64(root)}\nmore\nand more\n`),
		).toEqual({ origin: "log", size: 4, root });
	});

	it.each([
		["no origin", `\n4\n${toBase64(root)}\n`],
		["a leading zero", `log\n04\n${toBase64(root)}\n`],
		["a sign", `log\n-4\n${toBase64(root)}\n`],
		[
			"a size beyond what is exact",
			`log\n9007199254740993\n${toBase64(root)}\n`,
		],
		[
			"a size of seventeen digits",
			`log\n10000000000000000\n${toBase64(root)}\n`,
		],
		["a root too short", `log\n4\n${toBase64(root.subarray(1))}\n`],
		[
			"a root that is no base64",
			`log\n4\n${toBase64(root).replace("=", "")}\n`,
		],
		["an empty line behind", `log\n4\n${toBase64(root)}\n\n`],
		["no end", `log\n4\n${toBase64(root)}`],
	])("is none with %s", (_, text) => {
		expect(parseCheckpoint(text)).toBeUndefined();
	});
});
