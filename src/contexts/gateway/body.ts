/** Pieces of a body, gathered up to a bound. */
export class Body {
	overflowed = false;
	readonly #limit: number;
	readonly #pieces: Uint8Array[] = [];
	#size = 0;

	constructor(limit: number) {
		this.#limit = limit;
	}

	/** False when the bound is reached: the piece was not kept, and nothing after it is. */
	add(piece: Uint8Array): boolean {
		if (this.overflowed || this.#size + piece.byteLength > this.#limit) {
			this.overflowed = true;
			return false;
		}
		this.#pieces.push(piece);
		this.#size += piece.byteLength;
		return true;
	}

	get pieces(): readonly Uint8Array[] {
		return this.#pieces;
	}

	/** All of it in one. */
	whole(): Uint8Array {
		if (this.#pieces.length === 1) return this.#pieces[0] as Uint8Array;
		const whole = new Uint8Array(this.#size);
		let offset = 0;
		for (const piece of this.#pieces) {
			whole.set(piece, offset);
			offset += piece.byteLength;
		}
		return whole;
	}
}
