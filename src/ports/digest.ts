/** SHA-256, from outside because the core has no library of its own. */
export interface Digest {
	/** Of a text's UTF-8 bytes, in lower-case hex. */
	text(text: string): string;
	/** Of bytes, as 32 bytes. */
	bytes(bytes: Uint8Array): Uint8Array;
}
