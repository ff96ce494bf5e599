import type { Transform } from "node:stream";
import {
	createBrotliDecompress,
	createGunzip,
	createInflate,
	createInflateRaw,
	createZstdDecompress,
} from "node:zlib";

/** How many times its size a compressed answer may have, once past its first mebibyte. */
const ratioLimit = 200;
const ratioFreeBytes = 1 << 20;

export interface UnpackingSink {
	data(chunk: Uint8Array): void;
	end(): void;
	/** The last it hears: broken, cut off, of an unknown kind, or too much. */
	broken(message: string): void;
	/** The packed side may go on. */
	drain(): void;
}

/** The encoding to unpack by, from a `content-encoding` header; undefined when there is nothing to unpack. */
export function packedAs(header: string | undefined): string | undefined {
	const encoding = header?.trim().toLowerCase();
	return encoding && encoding !== "identity" ? encoding : undefined;
}

/**
 * Unpacks an answer that a vendor compressed although nobody asked for it. Made with the answer's
 * first bytes, as one without a body has nothing to unpack. Undefined for an encoding that we do not know.
 */
export function unpack(
	encoding: string,
	first: Uint8Array,
	byteLimit: number,
	sink: UnpackingSink,
): Transform | undefined {
	const stream = unpackers[encoding]?.(first) as
		| (Transform & { readonly bytesWritten: number })
		| undefined;
	if (!stream) return undefined;
	let size = 0;
	stream.on("data", (chunk: Uint8Array) => {
		size += chunk.length;
		const bomb =
			size > byteLimit ||
			(size > ratioFreeBytes && size > ratioLimit * stream.bytesWritten);
		if (!bomb) sink.data(chunk);
		else {
			stream.destroy();
			sink.broken("The vendor's compressed answer unpacks to too much.");
		}
	});
	stream.on("drain", () => sink.drain());
	stream.on("end", () => sink.end());
	stream.on("error", () => {
		sink.broken("The vendor's compressed answer cannot be unpacked.");
	});
	return stream;
}

const unpackers: Readonly<Record<string, (first: Uint8Array) => Transform>> = {
	gzip: () => createGunzip(),
	"x-gzip": () => createGunzip(),
	// Said of both, with the wrapping of zlib and without; the first byte tells.
	deflate: (first) =>
		((first[0] ?? 8) & 15) === 8 ? createInflate() : createInflateRaw(),
	br: () => createBrotliDecompress(),
	zstd: () => createZstdDecompress(),
};
