/**
 * Signed texts that other programs can check: the C2SP forms *signed-note* (a text and Ed25519
 * signatures over it) and *tlog-checkpoint* (the note by which a log commits to its size and root).
 * Only the forms stand here; signing and checking come in as arguments.
 *
 * Reading is strict: a text that this file would not write is no note.
 */
import { fromBase64, fromHex, toBase64, toHex, toUtf8 } from "./bytes.ts";
import type { Hash, Sha256 } from "./merkle.ts";

/** A text and who signed it. Trust nothing of it before a signature has been verified. */
export interface SignedNote {
	/** Ends with a newline; it is what the signatures are over, as UTF-8. */
	readonly text: string;
	readonly signatures: readonly NoteSignature[];
}

export interface NoteSignature {
	/** Of the key: not empty, no spaces, no plus sign. */
	readonly name: string;
	/** First four bytes of the key's hash, hex: tells keys of the same name apart. */
	readonly id: string;
	readonly signature: Uint8Array;
}

/** Whose signatures to believe. */
export interface VerifierKey {
	readonly name: string;
	readonly id: string;
	/** Ed25519, raw 32 bytes. */
	readonly publicKey: Uint8Array;
}

/** What a log commits to: its first `size` events, as one hash. */
export interface Checkpoint {
	/** The log's id. */
	readonly origin: string;
	readonly size: number;
	readonly root: Hash;
}

/** Whether a text can be the name of a key. */
export function isKeyName(name: string): boolean {
	return name.isWellFormed() && /^[^\s\p{Z}\p{Cc}+]+$/u.test(name);
}

export function formatNote(note: SignedNote): string {
	const lines = note.signatures.map(({ name, id, signature }) => {
		return `— ${name} ${toBase64(Uint8Array.of(...(fromHex(id) as Uint8Array), ...signature))}\n`;
	});
	return `${note.text}\n${lines.join("")}`;
}

/** Reads a note, or undefined when the text is none. Signatures are read, not verified. */
export function parseNote(note: string): SignedNote | undefined {
	if (
		!note.isWellFormed() ||
		controlCharacters.test(note) ||
		!note.endsWith("\n")
	)
		return undefined;
	const end = note.lastIndexOf("\n\n");
	if (end < 1) return undefined;
	const lines = note.slice(end + 2, -1).split("\n");
	if (lines.length > signatureLimit) return undefined;
	const signatures: NoteSignature[] = [];
	for (const line of lines) {
		const [, name = "", encoded = ""] = /^— ([^ ]+) ([^ ]+)$/u.exec(line) ?? [];
		const bytes = fromBase64(encoded);
		if (!isKeyName(name) || !bytes || bytes.length < 5) return undefined;
		signatures.push({
			name,
			id: toHex(bytes.subarray(0, 4)),
			signature: bytes.slice(4),
		});
	}
	return { text: note.slice(0, end + 1), signatures };
}

/** SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key), its first four bytes, hex: 0x01 says Ed25519. */
export function keyId(
	name: string,
	publicKey: Uint8Array,
	sha256: Sha256,
): string {
	return toHex(
		sha256(
			Uint8Array.of(...toUtf8(`${name}\n`), ed25519, ...publicKey),
		).subarray(0, 4),
	);
}

export function verifierKey(
	name: string,
	publicKey: Uint8Array,
	sha256: Sha256,
): VerifierKey {
	return { name, id: keyId(name, publicKey, sha256), publicKey };
}

/** `name+id+base64(0x01 ‖ public key)`: how a key is told to whoever shall verify. */
export function formatVerifierKey({
	name,
	id,
	publicKey,
}: VerifierKey): string {
	return `${name}+${id}+${toBase64(Uint8Array.of(ed25519, ...publicKey))}`;
}

/** Reads a verifier key, or undefined when the text is none, or its id does not belong to its key. */
export function parseVerifierKey(
	text: string,
	sha256: Sha256,
): VerifierKey | undefined {
	// The encoded key may hold plus signs, the name and the id cannot.
	const [, name = "", id = "", encoded = ""] =
		/^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text) ?? [];
	const bytes = fromBase64(encoded);
	if (!isKeyName(name) || bytes?.length !== 33 || bytes[0] !== ed25519)
		return undefined;
	const key = verifierKey(name, bytes.slice(1), sha256);
	return key.id === id ? key : undefined;
}

/** The text of a checkpoint's note. */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
	return `${origin}\n${size}\n${toBase64(root)}\n`;
}

/** Reads the text of a checkpoint's note. Extension lines are allowed, as the form asks, and mean nothing here. */
export function parseCheckpoint(text: string): Checkpoint | undefined {
	const [, origin = "", digits = "", encoded = ""] =
		/^([^\n]+)\n(0|[1-9][0-9]{0,15})\n([^\n]+)\n(?:[^\n]+\n)*$/.exec(text) ??
		[];
	const size = Number(digits);
	const root = fromBase64(encoded);
	if (origin === "" || !Number.isSafeInteger(size) || root?.length !== 32)
		return undefined;
	return { origin, size, root };
}

const ed25519 = 0x01;
const signatureLimit = 64;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the form forbids exactly these.
const controlCharacters = /[\u0000-\u0009\u000b-\u001f]/;
