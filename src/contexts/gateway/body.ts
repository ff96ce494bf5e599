/** Pieces of a body, gathered up to a bound. */
export interface Body {
	/** False when the bound is reached: the piece was not kept, and nothing after it is. */
	add(piece: Uint8Array): boolean;
	readonly overflowed: boolean;
	pieces(): readonly Uint8Array[];
	/** All of it in one. */
	whole(): Uint8Array;
}

export function openBody(limit: number): Body {
	const pieces: Uint8Array[] = [];
	let size = 0;
	let overflowed = false;
	return {
		add(piece) {
			if (overflowed || size + piece.byteLength > limit) {
				overflowed = true;
				return false;
			}
			pieces.push(piece);
			size += piece.byteLength;
			return true;
		},
		get overflowed() {
			return overflowed;
		},
		pieces: () => pieces,
		whole() {
			if (pieces.length === 1) return pieces[0] as Uint8Array;
			const whole = new Uint8Array(size);
			let offset = 0;
			for (const piece of pieces) {
				whole.set(piece, offset);
				offset += piece.byteLength;
			}
			return whole;
		},
	};
}
