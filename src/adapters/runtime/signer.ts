import {
	createPrivateKey,
	createPublicKey,
	generateKeyPairSync,
	type KeyObject,
	randomBytes,
	sign,
	verify,
} from "node:crypto";
import { link, mkdir, open, readFile, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { Fault } from "../../kernel/outcome.ts";
import type { Signer } from "../../ports/signer.ts";

/** An Ed25519 signer. `key` is a private key as PKCS #8 PEM text, or its raw 32-byte seed. */
export function ed25519Signer(name: string, key: string | Uint8Array): Signer {
	if (!/^[^\s+]+$/.test(name)) {
		throw new Fault(
			"signer/bad-name",
			`"${name}" cannot name a signer: use a name without spaces and plus signs.`,
		);
	}
	const privateKey = readPrivateKey(key);
	const publicKey = rawPublicKey(privateKey);
	return {
		name,
		publicKey,
		sign: (message) => sign(null, message, privateKey),
		verify(message, signature, signedBy) {
			if (signedBy.length !== 32 || signature.length !== 64) return false;
			try {
				const key = createPublicKey({
					key: Buffer.concat([spkiFront, signedBy]),
					format: "der",
					type: "spki",
				});
				return verify(null, message, key, signature);
			} catch {
				return false;
			}
		},
	};
}

/** A new private key, as PKCS #8 PEM text. */
export function generateSignerKey(): string {
	return generateKeyPairSync("ed25519")
		.privateKey.export({ format: "pem", type: "pkcs8" })
		.toString();
}

/**
 * The signer whose key stands in the file, which is made when it is missing: readable by its owner
 * alone, whole or not at all, and the same for all processes that start at once.
 * Faults: `signer/bad-key` (the file holds no Ed25519 key), `signer/failed`.
 */
export async function loadOrCreateSigner(
	path: string,
	name: string,
): Promise<Signer> {
	const found = await readKey(path);
	if (found !== undefined) return ed25519Signer(name, found);
	await createKey(path);
	return ed25519Signer(name, (await readKey(path)) ?? "");
}

async function readKey(path: string): Promise<string | undefined> {
	try {
		return await readFile(path, "utf8");
	} catch (cause) {
		if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw new Fault(
			"signer/failed",
			`The signing key ${path} could not be read.`,
			{ cause },
		);
	}
}

/** Writes a whole file beside the path and links it there: whoever is second finds the first one's key. */
async function createKey(path: string): Promise<void> {
	const draft = `${path}.${randomBytes(6).toString("hex")}`;
	try {
		await mkdir(dirname(path), { recursive: true, mode: 0o700 });
		const file = await open(draft, "wx", 0o600);
		try {
			await file.writeFile(generateSignerKey());
			await file.sync();
		} finally {
			await file.close();
		}
		await link(draft, path);
	} catch (cause) {
		if ((cause as NodeJS.ErrnoException).code === "EEXIST") return;
		throw new Fault(
			"signer/failed",
			`The signing key ${path} could not be created.`,
			{ cause },
		);
	} finally {
		await rm(draft, { force: true });
	}
}

/** What stands before the raw 32 bytes in PKCS #8 and in SubjectPublicKeyInfo (RFC 8410). */
const pkcs8Front = Buffer.from("302e020100300506032b657004220420", "hex");
const spkiFront = Buffer.from("302a300506032b6570032100", "hex");

function readPrivateKey(key: string | Uint8Array): KeyObject {
	try {
		const read =
			typeof key === "string"
				? createPrivateKey(key)
				: createPrivateKey({
						key: Buffer.concat([pkcs8Front, key]),
						format: "der",
						type: "pkcs8",
					});
		if (read.asymmetricKeyType === "ed25519") return read;
	} catch {
		// The cause may quote the key: it goes no further.
	}
	throw new Fault(
		"signer/bad-key",
		"This is no Ed25519 private key. Give PKCS #8 PEM text or a seed of 32 bytes.",
	);
}

function rawPublicKey(privateKey: KeyObject): Uint8Array {
	const spki = createPublicKey(privateKey).export({
		format: "der",
		type: "spki",
	});
	return new Uint8Array(spki.subarray(spkiFront.length));
}
