/** Randomness that cannot be guessed. Tests and simulations seed it. */
export interface Chance {
	/** `length` random bytes. */
	bytes(length: number): Uint8Array;
	/** A new id: lower-case base32, 26 characters, later ones sort after earlier ones (ULID). */
	id(): string;
}
