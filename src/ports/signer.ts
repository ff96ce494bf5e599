/** Signs checkpoints with the owner's Ed25519 key, and checks what others signed. */
export interface Signer {
	/** Name in the signed note, as C2SP signed-note asks: no spaces, no plus sign. */
	readonly name: string;
	/** Raw 32 bytes. */
	readonly publicKey: Uint8Array;
	/** 64 bytes over `message`. */
	sign(message: Uint8Array): Uint8Array;
	/** Whether `signature` over `message` was made by the holder of `publicKey`. False for anything malformed. */
	verify(
		message: Uint8Array,
		signature: Uint8Array,
		publicKey: Uint8Array,
	): boolean;
}
