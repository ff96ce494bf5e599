import { connect, type Socket } from "node:net";
import { type ConnectionOptions, connect as secureConnect } from "node:tls";
import {
	type BunSocket,
	type BunSocketHandlers,
	bun,
	bunRuntime,
} from "../http-server/bun-api.ts";

/** The bytes of one connection, both ways, whatever the runtime makes sockets of. */
export interface Line {
	/** What is read lies in memory that is read to again: to be kept, it must be copied. */
	readonly lent: boolean;
	/** Sends a head, which is Latin-1, and a body of so many bytes. `sent` is told once the system has them all. */
	send(
		head: string,
		body: readonly Uint8Array[],
		size: number,
		sent: () => void,
	): void;
	/** Nothing more is read until `resume`. */
	pause(): void;
	resume(): void;
	/** Whether it keeps the process alive. */
	ref(): void;
	unref(): void;
	/** Closes it at once. Its user hears `closed`, and nothing else. */
	destroy(): void;
}

export interface LineUser {
	/** Connected, and where it is secure, to whom we wanted. */
	stands(): void;
	/** False to read no more for now. */
	read(bytes: Buffer): boolean;
	/** The other side will send nothing more. */
	ended(): void;
	broke(error: Error): void;
	/** The last it hears, once. */
	closed(): void;
}

export interface Destination {
	readonly host: string;
	readonly port: number;
	/** For TLS; else the line is plain. */
	readonly secure?: ConnectionOptions;
	/** What the vendor gave to take the TLS session up again. */
	readonly onSession?: (session: Buffer) => void;
}

/** Messages up to this size travel in one piece with their head: one write instead of several. */
const joinBytes = 16_384;

/**
 * Begins to make a line. On Bun, plain ones are Bun's own sockets: its `node:net` costs a call an eighth
 * more (docs/decisions/0009-hot-path.md). TLS is its `node:tls`, which verifies as Node's does.
 */
export function openLine(destination: Destination, user: LineUser): Line {
	return bun && !destination.secure
		? new BunLine(destination, user)
		: new NodeLine(destination, user);
}

/** Where the bytes of every connection are read to. Nothing in it outlives the turn that it was read in. */
let shared: Buffer | undefined;

class NodeLine implements Line {
	readonly lent = true;
	readonly #socket: Socket;

	constructor({ host, port, secure, onSession }: Destination, user: LineUser) {
		shared ??= Buffer.allocUnsafeSlow(65_536);
		const options = {
			host,
			port,
			noDelay: true,
			onread: {
				buffer: shared,
				callback: (count: number, bytes: Uint8Array) =>
					user.read(Buffer.from(bytes.buffer, bytes.byteOffset, count)),
			},
		};
		if (secure) {
			const socket = secureConnect({ ...options, ...secure });
			socket.once("secureConnect", () => user.stands());
			if (onSession) socket.on("session", onSession);
			this.#socket = socket;
		} else {
			this.#socket = connect(options);
			this.#socket.once("connect", () => user.stands());
		}
		this.#socket.on("end", () => user.ended());
		this.#socket.on("error", (error) => user.broke(error));
		this.#socket.on("close", () => user.closed());
	}

	send(
		head: string,
		body: readonly Uint8Array[],
		size: number,
		sent: () => void,
	): void {
		const socket = this.#socket;
		if (size <= joinBytes) {
			let text = head;
			for (const piece of body) text += latin1(piece);
			socket.write(text, "latin1");
			sent();
			return;
		}
		socket.cork();
		socket.write(head, "latin1");
		for (const piece of body.slice(0, -1)) socket.write(piece);
		socket.write(body.at(-1) as Uint8Array, sent);
		socket.uncork();
	}

	pause(): void {
		this.#socket.pause();
	}

	resume(): void {
		this.#socket.resume();
	}

	ref(): void {
		this.#socket.ref();
	}

	unref(): void {
		this.#socket.unref();
	}

	destroy(): void {
		this.#socket.destroy();
	}
}

class BunLine implements Line {
	readonly lent = false;
	readonly user: LineUser;
	#socket: BunSocket<BunLine> | undefined;
	/** What the system has not taken yet. */
	#waiting: Uint8Array[] = [];
	#sent: (() => void) | undefined;
	#gone = false;

	constructor({ host, port }: Destination, user: LineUser) {
		this.user = user;
		bunRuntime()
			.connect({ hostname: host, port, data: this, socket: bunHandlers })
			// Told to `connectError` too, but for what cannot even be tried.
			.catch((error) => this.failed(error));
	}

	stands(socket: BunSocket<BunLine>): void {
		this.#socket = socket;
		if (this.#gone) {
			// Bun knows no way to give up a connection that is being made.
			socket.terminate();
			this.user.closed();
		} else this.user.stands();
	}

	failed(error: Error): void {
		if (this.#socket) return;
		if (!this.#gone) {
			this.#gone = true;
			this.user.broke(error);
		}
		this.user.closed();
	}

	read(bytes: Buffer): void {
		if (!this.#gone && !this.user.read(bytes)) this.pause();
	}

	ended(): void {
		if (!this.#gone) this.user.ended();
	}

	closed(): void {
		if (this.#gone) return;
		this.#gone = true;
		this.user.closed();
	}

	send(
		head: string,
		body: readonly Uint8Array[],
		size: number,
		sent: () => void,
	): void {
		const last = size > joinBytes ? body.at(-1) : undefined;
		const joined = last ? body.slice(0, -1) : body;
		const first = Buffer.allocUnsafe(head.length + size - (last?.length ?? 0));
		let at = first.write(head, 0, "latin1");
		for (const piece of joined) {
			first.set(piece, at);
			at += piece.length;
		}
		this.#waiting = last ? [first, last] : [first];
		this.#sent = sent;
		this.drain();
	}

	drain(): void {
		while (!this.#gone && this.#waiting.length > 0) {
			const next = this.#waiting[0] as Uint8Array;
			const written = this.#socket?.write(next) ?? 0;
			if (written < next.length) {
				if (written > 0) this.#waiting[0] = next.subarray(written);
				return;
			}
			this.#waiting.shift();
		}
		const sent = this.#sent;
		this.#sent = undefined;
		sent?.();
	}

	pause(): void {
		this.#socket?.pause();
	}

	resume(): void {
		this.#socket?.resume();
	}

	ref(): void {
		this.#socket?.ref();
	}

	unref(): void {
		this.#socket?.unref();
	}

	destroy(): void {
		if (this.#gone) return;
		this.#gone = true;
		this.#waiting = [];
		if (!this.#socket) return;
		this.#socket.terminate();
		this.user.closed();
	}
}

/** One set for all lines: Bun keeps what it needs of it once. */
const bunHandlers: BunSocketHandlers<BunLine> = {
	binaryType: "buffer",
	open: (socket) => socket.data.stands(socket),
	data: (socket, bytes) => socket.data.read(bytes),
	drain: (socket) => socket.data.drain(),
	end: (socket) => socket.data.ended(),
	close: (socket) => socket.data.closed(),
	// What one of these threw: a fault of ours, which must not pass for one of the vendor's.
	error: (_socket, error) =>
		queueMicrotask(() => {
			throw error;
		}),
	connectError: (socket, error) => socket.data.failed(error),
};

function latin1(chunk: Uint8Array): string {
	const bytes =
		chunk instanceof Buffer
			? chunk
			: Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
	return bytes.toString("latin1");
}
