/**
 * Reads the answers of one connection: HTTP/1.0 and 1.1, as strictly as RFC 9112 lets a client be.
 * Whatever could mean two things is refused, because the next answer on the connection would then
 * begin where the vendor, or someone between, wants it to.
 */
export interface AnswerSink {
	/** The head of the final answer; interim ones (1xx) are passed over. */
	head(status: number, header: (name: string) => string | undefined): void;
	/** Lies in the memory that was fed: to be kept, it must be copied. */
	data(piece: Buffer): void;
	/** True while nothing more may be told, but for a head. */
	readonly held: boolean;
}

/** What an answer is not: sound HTTP. */
export class AnswerFault extends Error {}

const inHead = 0;
const inLength = 1;
const inSize = 2;
const inExtension = 3;
const afterSize = 4;
const inChunk = 5;
const afterChunk = 6;
const afterChunkReturn = 7;
const inTrailers = 8;
const untilClose = 9;
const whole = 10;
const beforeExtension = 11;

const cr = 0x0d;
const lf = 0x0a;
const nothing: Buffer = Buffer.alloc(0);
const statusLine =
	/^HTTP\/1\.([01]) ([1-9][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const headerLines =
	/^(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*$/;
const begin = "HTTP/1.";
/** Far beyond any chunk; its digits fit a safe integer. */
const sizeDigits = 12;

export class AnswerReader {
	readonly #sink: AnswerSink;
	readonly #headerBytes: number;
	#state = inHead;
	#bodiless = false;
	/** Of a head that has not come whole. */
	#begun: Buffer = nothing;
	#names: string[] = [];
	#values: string[] = [];
	/** Bytes to come of a body or a chunk. */
	#left = 0;
	#digits = 0;
	/** Of chunk extensions and trailers, which share the bound of the head. */
	#extra = 0;
	#trailer = "";
	/** The connection may carry another request once this answer is whole. */
	reusable = false;

	constructor(sink: AnswerSink, headerBytes: number) {
		this.#sink = sink;
		this.#headerBytes = headerBytes;
	}

	/** Makes ready for the answer to the next request. */
	expect(method: string): void {
		this.#state = inHead;
		this.#bodiless = method === "HEAD";
		this.#begun = nothing;
		this.reusable = false;
	}

	get whole(): boolean {
		return this.#state === whole;
	}

	/** The head has been told. */
	get begun(): boolean {
		return this.#state !== inHead;
	}

	/** The vendor closed the connection in order. Whether that ends the answer as it should. */
	closed(): boolean {
		if (this.#state === untilClose) this.#state = whole;
		return this.#state === whole;
	}

	/** Reads on, and says how many bytes were used: all, unless the sink is held or the answer is whole. Throws `AnswerFault`. */
	feed(bytes: Buffer): number {
		const end = bytes.length;
		let at = 0;
		while (at < end && this.#state !== whole) {
			if (this.#sink.held && this.#state !== inHead) break;
			switch (this.#state) {
				case inHead:
					at = this.#readHead(bytes, at);
					break;
				case inLength: {
					const piece = Math.min(this.#left, end - at);
					this.#left -= piece;
					if (this.#left === 0) this.#state = whole;
					this.#sink.data(bytes.subarray(at, at + piece));
					at += piece;
					break;
				}
				case inChunk: {
					const piece = Math.min(this.#left, end - at);
					this.#left -= piece;
					if (this.#left === 0) this.#state = afterChunk;
					this.#sink.data(bytes.subarray(at, at + piece));
					at += piece;
					break;
				}
				case untilClose:
					this.#sink.data(bytes.subarray(at));
					at = end;
					break;
				default:
					this.#readFraming(bytes[at++] as number);
			}
		}
		return at;
	}

	/** One byte of what stands between chunks. */
	#readFraming(byte: number): void {
		switch (this.#state) {
			case inSize: {
				const digit = hexDigit(byte);
				if (digit >= 0) {
					if (++this.#digits > sizeDigits)
						throw new AnswerFault("a chunk too large");
					this.#left = this.#left * 16 + digit;
					return;
				}
				if (this.#digits === 0) throw new AnswerFault("a chunk without a size");
				this.#afterDigits(byte);
				return;
			}
			case beforeExtension:
				this.#count();
				this.#afterDigits(byte);
				return;
			case inExtension:
				if (byte === cr) this.#state = afterSize;
				else if ((byte < 0x20 && byte !== 0x09) || byte === 0x7f)
					throw new AnswerFault("a broken chunk extension");
				else this.#count();
				return;
			case afterSize:
				if (byte !== lf) throw new AnswerFault("a broken line end");
				this.#digits = 0;
				this.#trailer = "";
				this.#state = this.#left === 0 ? inTrailers : inChunk;
				return;
			case afterChunk:
				if (byte !== cr) throw new AnswerFault("a chunk of another size");
				this.#state = afterChunkReturn;
				return;
			case afterChunkReturn:
				if (byte !== lf) throw new AnswerFault("a chunk of another size");
				this.#state = inSize;
				return;
			default:
				this.#readTrailer(byte);
		}
	}

	/** White space may stand before an extension, and nothing else: `1 0` is no size. */
	#afterDigits(byte: number): void {
		if (byte === cr) this.#state = afterSize;
		else if (byte === 0x3b) this.#state = inExtension;
		else if (byte === 0x20 || byte === 0x09) this.#state = beforeExtension;
		else throw new AnswerFault("a chunk size that is no number");
	}

	/** Trailers are checked as headers are, and then nobody wants them. */
	#readTrailer(byte: number): void {
		this.#count();
		this.#trailer += String.fromCharCode(byte);
		if (byte !== lf) return;
		if (this.#trailer === "\r\n") this.#state = whole;
		else if (!headerLines.test(this.#trailer))
			throw new AnswerFault("a broken trailer");
		this.#trailer = "";
	}

	#count(): void {
		if (++this.#extra > this.#headerBytes)
			throw new AnswerFault("more between the chunks than is allowed");
	}

	#readHead(bytes: Buffer, from: number): number {
		const carried = this.#begun.length;
		const all =
			carried === 0
				? bytes
				: Buffer.concat([this.#begun, bytes.subarray(from)]);
		const start = carried === 0 ? from : 0;
		const end = all.indexOf("\r\n\r\n", Math.max(start, carried - 3), "latin1");
		if ((end < 0 ? all.length : end) - start > this.#headerBytes)
			throw new AnswerFault("a head larger than is allowed");
		if (end < 0) {
			const known = Math.min(begin.length, all.length - start);
			if (
				all.toString("latin1", start, start + known) !== begin.slice(0, known)
			)
				throw new AnswerFault("no HTTP");
			this.#begun = Buffer.from(all.subarray(start));
			return bytes.length;
		}
		this.#begun = nothing;
		this.#take(all.toString("latin1", start, end + 2));
		return carried === 0 ? end + 4 : bytes.length - (all.length - end - 4);
	}

	/** A whole head, each line with its end. */
	#take(head: string): void {
		const lineEnd = head.indexOf("\r\n");
		const line = statusLine.exec(head.slice(0, lineEnd));
		const lines = head.slice(lineEnd + 2);
		if (!line || !headerLines.test(lines))
			throw new AnswerFault("a broken head");
		const status = Number(line[2]);
		if (status === 101) throw new AnswerFault("a switch of protocols");
		if (status < 200) return;
		this.#readHeaders(lines);
		this.#frame(status, line[1] === "1");
		const names = this.#names;
		const values = this.#values;
		this.#sink.head(status, (name) => lookUp(names, values, name));
	}

	#readHeaders(lines: string): void {
		this.#names = [];
		this.#values = [];
		for (let at = 0; at < lines.length; ) {
			const colon = lines.indexOf(":", at);
			const end = lines.indexOf("\r\n", colon);
			this.#names.push(lines.slice(at, colon).toLowerCase());
			this.#values.push(trimmed(lines, colon + 1, end));
			at = end + 2;
		}
	}

	/** How the body is framed, and whether the connection outlives it. */
	#frame(status: number, isNew: boolean): void {
		const header = (name: string) => lookUp(this.#names, this.#values, name);
		const length = header("content-length");
		const encoding = header("transfer-encoding");
		if (length !== undefined && !/^[0-9]{1,15}$/.test(length))
			throw new AnswerFault("a length that is no number");
		if (encoding !== undefined && length !== undefined)
			throw new AnswerFault("two framings");
		if (encoding !== undefined && encoding.toLowerCase() !== "chunked")
			throw new AnswerFault("a transfer encoding that nobody asked for");
		const connection = header("connection");
		this.reusable = isNew
			? connection === undefined || !/\bclose\b/i.test(connection)
			: /\bkeep-alive\b/i.test(connection ?? "") && encoding === undefined;
		this.#left = 0;
		this.#digits = 0;
		this.#extra = 0;
		if (this.#bodiless || status === 204 || status === 304) {
			this.#state = whole;
			// Forbidden, and should that body come all the same, it would be read as the next answer.
			if (status === 204 && (encoding ?? length ?? "0") !== "0")
				this.reusable = false;
		} else if (encoding !== undefined) this.#state = inSize;
		else if (length !== undefined) {
			this.#left = Number(length);
			this.#state = this.#left === 0 ? whole : inLength;
		} else {
			this.reusable = false;
			this.#state = untilClose;
		}
	}
}

/** Without spaces and tabs around it. Not `trim`, which takes a no-break space for one: others read `chunked\xa0` as another encoding. */
function trimmed(text: string, from: number, to: number): string {
	let start = from;
	let end = to;
	while (start < end && isBlank(text.charCodeAt(start))) start++;
	while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
	return text.slice(start, end);
}

function isBlank(code: number): boolean {
	return code === 0x20 || code === 0x09;
}

/** Repeated headers are joined. */
function lookUp(
	names: readonly string[],
	values: readonly string[],
	name: string,
): string | undefined {
	let found: string | undefined;
	for (let index = 0; index < names.length; index++) {
		if (names[index] !== name) continue;
		const value = values[index] as string;
		found = found === undefined ? value : `${found}, ${value}`;
	}
	return found;
}

function hexDigit(byte: number): number {
	if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
	const letter = byte | 0x20;
	return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
