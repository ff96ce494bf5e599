/**
 * Whether a write-ahead log of SQLite holds its first `frames` frames as they were written: each carries
 * the salt of the header and the checksum of everything up to it
 * (https://www.sqlite.org/fileformat2.html#the_write_ahead_log).
 */
export function isWhole(file: Uint8Array, frames: number): boolean {
	if (frames === 0) return true;
	if (!(frames > 0) || file.length < headerSize) return false;
	const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
	const magic = view.getUint32(0);
	if (magic !== littleEndian && magic !== littleEndian + 1) return false;
	const little = magic === littleEndian;
	const frameSize = frameHeaderSize + view.getUint32(8);
	if (file.length < headerSize + frames * frameSize) return false;
	let first = 0;
	let second = 0;
	function add(from: number, to: number): void {
		for (let at = from; at < to; at += 8) {
			first = (first + view.getUint32(at, little) + second) >>> 0;
			second = (second + view.getUint32(at + 4, little) + first) >>> 0;
		}
	}
	const agrees = (at: number) =>
		view.getUint32(at) === first && view.getUint32(at + 4) === second;
	add(0, 24);
	if (!agrees(24)) return false;
	for (let frame = 0; frame < frames; frame++) {
		const at = headerSize + frame * frameSize;
		if (
			view.getUint32(at + 8) !== view.getUint32(16) ||
			view.getUint32(at + 12) !== view.getUint32(20)
		)
			return false;
		add(at, at + 8);
		add(at + frameHeaderSize, at + frameSize);
		if (!agrees(at + 16)) return false;
	}
	return true;
}

const headerSize = 32;
const frameHeaderSize = 24;
/** The magic number where checksums read words in this order; one more where they read them in the other. */
const littleEndian = 0x377f0682;
