import { connect, type Socket } from "node:net";

/** For tests only: a client that sends any bytes and reads what comes, with no rules of its own. */
export interface RawClient {
	readonly socket: Socket;
	send(bytes: string): void;
	/** Everything up to and with this text. */
	until(text: string): Promise<string>;
	/** One answer: to the end of its announced length or of its chunks, or of the connection. */
	answer(): Promise<string>;
	/** The rest of an answer in chunks, unwrapped; what was taken by `until` from its body comes first. */
	chunkedBody(): Promise<Buffer>;
	/** Everything until the connection ends, however it ends. */
	rest(): Promise<string>;
	restBytes(): Promise<Buffer>;
}

export async function rawClient(port: number): Promise<RawClient> {
	const socket = connect({ port, host: "127.0.0.1", noDelay: true });
	await new Promise<void>((resolve, reject) => {
		socket.once("connect", resolve);
		socket.once("error", reject);
	});
	let closed = false;
	let wake = () => {};
	const parts: Buffer[] = [];
	let bodySoFar = Buffer.alloc(0);
	socket.on("data", (chunk) => {
		parts.push(chunk);
		wake();
	});
	socket.on("error", () => {});
	socket.on("close", () => {
		closed = true;
		wake();
	});

	/** Takes the first `length` bytes; `find` says how many, or -1 to wait for more. */
	async function take(find: (bytes: Buffer) => number): Promise<Buffer> {
		for (;;) {
			const bytes = Buffer.concat(parts);
			const length = find(bytes);
			if (length >= 0 || closed) {
				const end = length >= 0 ? length : bytes.length;
				parts.splice(0, parts.length, bytes.subarray(end));
				return bytes.subarray(0, end);
			}
			await new Promise<void>((resolve) => {
				wake = resolve;
			});
		}
	}

	async function rest(): Promise<Buffer> {
		while (!closed) {
			await new Promise<void>((resolve) => {
				wake = resolve;
			});
		}
		return Buffer.concat(parts.splice(0));
	}

	return {
		socket,
		send(bytes) {
			socket.write(bytes, "latin1");
		},
		async until(text) {
			const bytes = await take((all) => {
				const at = all.indexOf(text, 0, "latin1");
				return at < 0 ? -1 : at + text.length;
			});
			const seen = bytes.toString("latin1");
			if (!seen.startsWith("HTTP/"))
				bodySoFar = Buffer.concat([bodySoFar, bytes]);
			return seen;
		},
		async answer() {
			const bytes = await take((all) => {
				const head = all.indexOf("\r\n\r\n");
				if (head < 0) return -1;
				const lines = all.subarray(0, head).toString("latin1").toLowerCase();
				if (lines.includes("transfer-encoding: chunked")) {
					const end = all.indexOf("\r\n0\r\n\r\n", head);
					return end < 0 ? -1 : end + 7;
				}
				const length = Number(/content-length: (\d+)/.exec(lines)?.[1] ?? 0);
				return all.length >= head + 4 + length ? head + 4 + length : -1;
			});
			return bytes.toString("latin1");
		},
		async chunkedBody() {
			const rest = await take((all) => {
				const end = all.indexOf("\r\n0\r\n\r\n");
				return end < 0 ? -1 : end + 7;
			});
			return unchunk(Buffer.concat([bodySoFar, rest]));
		},
		async rest() {
			return (await rest()).toString("latin1");
		},
		restBytes: rest,
	};
}

function unchunk(bytes: Buffer): Buffer {
	const chunks: Buffer[] = [];
	let at = 0;
	for (;;) {
		const line = bytes.indexOf("\r\n", at);
		const size = Number.parseInt(
			bytes.subarray(at, line).toString("latin1"),
			16,
		);
		if (line < 0 || !(size > 0)) return Buffer.concat(chunks);
		chunks.push(bytes.subarray(line + 2, line + 2 + size));
		at = line + 2 + size + 2;
	}
}
