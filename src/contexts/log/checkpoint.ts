import { toUtf8 } from "../../kernel/bytes.ts";
import { accept, Fault, type Outcome, refuse } from "../../kernel/outcome.ts";
import {
	type Checkpoint,
	formatCheckpoint,
	formatNote,
	formatVerifierKey,
	isKeyName,
	parseCheckpoint,
	parseNote,
	parseVerifierKey,
	type VerifierKey,
	verifierKey,
} from "../../kernel/signed-note.ts";
import type { Digest } from "../../ports/digest.ts";
import type { Signer } from "../../ports/signer.ts";

/** Whom to believe, and how to check what they signed. */
export interface Trust {
	/** Verifier keys as text (`name+id+key`): a signature by one of them is enough. */
	readonly keys: readonly string[];
	readonly verify: Signer["verify"];
	readonly digest: Digest;
}

/** A checkpoint that was verified. */
export interface SignedCheckpoint extends Checkpoint {
	/** The trusted key that signed it, as text. */
	readonly signedBy: string;
}

/** The log's commitment to its first `size` events, signed: a C2SP tlog-checkpoint. */
export function signCheckpoint(
	checkpoint: Checkpoint,
	signer: Signer,
	digest: Digest,
): string {
	const { origin, size, root } = checkpoint;
	const text = formatCheckpoint(checkpoint);
	if (!isKeyName(origin) || !parseCheckpoint(text)) {
		throw new Fault(
			"checkpoint/malformed",
			`"${origin}" at ${size} with a root of ${root.length} bytes cannot be signed: the log's id must have no spaces and no plus sign.`,
		);
	}
	const { name, id } = verifierKey(signer.name, signer.publicKey, digest.bytes);
	const signature = signer.sign(toUtf8(text));
	return formatNote({ text, signatures: [{ name, id, signature }] });
}

/** The text by which others are told whose checkpoints to believe. */
export function signerKey(signer: Signer, digest: Digest): string {
	return formatVerifierKey(
		verifierKey(signer.name, signer.publicKey, digest.bytes),
	);
}

/**
 * Reads a signed checkpoint and verifies it; with `origin`, it must be that log's. Signatures by keys that are
 * not trusted mean nothing; one by a trusted key that does not verify spoils the note.
 *
 * Refusals: `checkpoint/bad-key`, `checkpoint/malformed`, `checkpoint/not-trusted`,
 * `checkpoint/bad-signature`, `checkpoint/other-log`.
 */
export function openCheckpoint(
	note: string,
	trust: Trust,
	origin?: string,
): Outcome<SignedCheckpoint> {
	const keys: VerifierKey[] = [];
	for (const text of trust.keys) {
		const key = parseVerifierKey(text, trust.digest.bytes);
		if (!key)
			return refuse(
				"checkpoint/bad-key",
				`"${text}" is no verifier key (name+id+key).`,
			);
		keys.push(key);
	}
	const parsed = parseNote(note);
	const checkpoint = parsed && parseCheckpoint(parsed.text);
	if (!checkpoint)
		return refuse("checkpoint/malformed", "This is no signed checkpoint.");
	const message = toUtf8(parsed.text);
	let signedBy: string | undefined;
	for (const { name, id, signature } of parsed.signatures) {
		const key = keys.find((key) => key.name === name && key.id === id);
		if (!key) continue;
		if (!trust.verify(message, signature, key.publicKey)) {
			return refuse(
				"checkpoint/bad-signature",
				`The checkpoint at ${checkpoint.size} was not signed by ${name}.`,
			);
		}
		signedBy ??= formatVerifierKey(key);
	}
	if (signedBy === undefined) {
		return refuse(
			"checkpoint/not-trusted",
			`The checkpoint at ${checkpoint.size} bears no signature by a trusted key.`,
		);
	}
	if (origin !== undefined && checkpoint.origin !== origin) {
		return refuse(
			"checkpoint/other-log",
			`The checkpoint is of the log ${checkpoint.origin}, not of ${origin}.`,
		);
	}
	return accept({ ...checkpoint, signedBy });
}
