import { describe, expect, it } from "vitest";
import { formatNote, parseNote } from "../../kernel/signed-note.ts";
import { openCheckpoint, signCheckpoint, signerKey } from "./checkpoint.ts";
import { digest, origin, signer, stranger, trust } from "./log.testing.ts";

const root = new Uint8Array(32).fill(9);
const checkpoint = { origin, size: 4, root };
const note = signCheckpoint(checkpoint, signer, digest);
const refusal = (code: string) => ({ ok: false, error: { code } });

describe("a signed checkpoint", () => {
	it("is believed when a trusted key signed it, and says which", () => {
		expect(openCheckpoint(note, trust, origin)).toEqual({
			ok: true,
			value: { ...checkpoint, signedBy: trust.keys[0] },
		});
	});

	it("is believed among signatures of keys that nobody knows", () => {
		const theirs = parseNote(signCheckpoint(checkpoint, stranger, digest));
		const ours = parseNote(note);
		if (!theirs || !ours) throw new Error("These are notes.");
		const both = formatNote({
			text: ours.text,
			signatures: [...theirs.signatures, ...ours.signatures],
		});
		expect(openCheckpoint(both, trust).ok).toBe(true);
	});

	it("is not believed for its words alone", () => {
		expect(
			openCheckpoint(signCheckpoint(checkpoint, stranger, digest), trust),
		).toMatchObject(refusal("checkpoint/not-trusted"));
		expect(openCheckpoint(note, { ...trust, keys: [] })).toMatchObject(
			refusal("checkpoint/not-trusted"),
		);
		expect(openCheckpoint(note.replace("\n4\n", "\n5\n"), trust)).toMatchObject(
			refusal("checkpoint/bad-signature"),
		);
	});

	it("counts for its own log only", () => {
		expect(openCheckpoint(note, trust, "another.example/log")).toMatchObject(
			refusal("checkpoint/other-log"),
		);
	});

	it.each([
		"",
		"no note",
		"text\n\n— a b\n",
		note.replace("\n4\n", "\nfour\n"),
		note.trim(),
	])("is none: %j", (text) => {
		expect(openCheckpoint(text, trust)).toMatchObject(
			refusal("checkpoint/malformed"),
		);
	});

	it("needs keys that are keys", () => {
		expect(
			openCheckpoint(note, { ...trust, keys: ["somebody"] }),
		).toMatchObject(refusal("checkpoint/bad-key"));
	});

	it.each([
		["two words", 4, root],
		["", 4, root],
		["a\nb", 4, root],
		[origin, -1, root],
		[origin, 0.5, root],
		[origin, 4, root.subarray(1)],
	])("is not signed for the log %j at %d", (id, size, root) => {
		expect(() =>
			signCheckpoint({ origin: id, size, root }, signer, digest),
		).toThrow(expect.objectContaining({ code: "checkpoint/malformed" }));
	});

	it("tells its key as other programs read it", () => {
		expect(signerKey(signer, digest)).toMatch(
			/^test\.example\/log\+[0-9a-f]{8}\+AQ?[\w+/]+=*$/,
		);
	});
});
