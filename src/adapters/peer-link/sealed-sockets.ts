import {
	createCipheriv,
	createDecipheriv,
	createSecretKey,
	hkdfSync,
	randomBytes,
} from "node:crypto";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Fault } from "../../kernel/outcome.ts";
import type {
	Peer,
	PeerLink,
	PeerListening,
	PeerPlace,
} from "../../ports/peer-link.ts";

export interface SealedSocketsLimits {
	/** Bytes of a text at most: some ten thousand commands. */
	readonly longest: number;
	/** A peer is cut that has more bytes than this unread, waiting in this process, when it is sent the next text. */
	readonly mostUnread: number;
	/** Milliseconds that a stranger has to show that it knows the secret. */
	readonly patience: number;
	/** Milliseconds that a peer has to read what is left, and hang up, once one side has ended. */
	readonly farewell: number;
	/** Connections that are taken in at once, strangers among them: more than any fleet has. */
	readonly mostConnections: number;
}

const usual: SealedSocketsLimits = {
	longest: 64 * 2 ** 20,
	mostUnread: 64 * 2 ** 20,
	patience: 3_000,
	farewell: 10_000,
	mostConnections: 1_024,
};
const nonceBytes = 32;
const tagBytes = 16;
const leastSecret = 16;

/**
 * Plain TCP, every text sealed with AES-256-GCM. Both sides send 32 random bytes; these and the secret give a key for
 * each direction (HKDF-SHA-256), and each text its number in that direction as nonce. The first text is empty, and
 * shows that its sender knows the secret. So nothing can be read, changed, repeated, left out or put in, and what was
 * said on one connection is worth nothing on another; whoever learns the secret later can read what was recorded before.
 *
 * A stranger costs one read of memory, and is gone after `patience`. When strangers take all the room there is, those
 * who are in stay, and who knocks meanwhile is turned away.
 */
export function sealedSockets(
	limits: Partial<SealedSocketsLimits> = {},
): PeerLink {
	const all = { ...usual, ...limits };
	return {
		async listen({ host, port, secret, accept }) {
			const open = new Set<Socket>();
			const server = createServer((socket) => {
				open.add(socket);
				socket.on("close", () => open.delete(socket));
				shakeHands(socket, secret, "server", all)
					.then(accept)
					.catch(() => socket.destroy());
			});
			server.maxConnections = all.mostConnections;
			try {
				checkSecret(secret);
				await new Promise<void>((resolve, reject) => {
					// Stays: a connection that cannot be taken in for want of something is an error as well, and no reason to end.
					server.on("error", reject);
					server.listen({ host, port }, resolve);
				});
			} catch (cause) {
				throw new Fault(
					"peer/cannot-listen",
					`Other replicas cannot be listened for at ${name({ host, port })} (${why(cause)}). Set replica.peer to an address of this machine.`,
					{ cause },
				);
			}
			const bound = server.address() as AddressInfo;
			return {
				host: bound.address,
				port: bound.port,
				close: () =>
					new Promise((closed) => {
						server.close(() => closed());
						for (const socket of open) socket.destroy();
					}),
			} satisfies PeerListening;
		},
		async connect({ host, port }, secret) {
			try {
				checkSecret(secret);
				return await shakeHands(connect({ host, port }), secret, "client", all);
			} catch (cause) {
				throw new Fault(
					"peer/unreachable",
					`The replica at ${name({ host, port })} cannot be reached (${why(cause)}).`,
					{ cause, retryable: true },
				);
			}
		},
	};
}

function name({ host, port }: PeerPlace): string {
	return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function why(cause: unknown): string {
	const { code, message } = cause as NodeJS.ErrnoException;
	return code ?? message;
}

function checkSecret(secret: Uint8Array): void {
	if (secret.length < leastSecret) throw new Error("its secret is too short");
}

/** Resolves once the other side has shown that it knows the secret. */
function shakeHands(
	socket: Socket,
	secret: Uint8Array,
	side: "client" | "server",
	{ longest, mostUnread, patience, farewell }: SealedSocketsLimits,
): Promise<Peer> {
	return new Promise((resolve, reject) => {
		const own = randomBytes(nonceBytes);
		const reader = openReader();
		let channel: Channel | undefined;
		let leaving = false;
		let closed = false;
		let listener: Parameters<Peer["hear"]>[0] | undefined;
		/** Whoever does not greet, or later does not hang up, is not waited for. */
		let timer = setTimeout(
			() => socket.destroy(new Error("it does not answer")),
			patience,
		);
		/** What happens with what has arrived. */
		let read = greet;
		socket.setNoDelay();
		socket.setKeepAlive(true, 10_000);
		socket.on("error", reject);
		socket.on("close", () => {
			clearTimeout(timer);
			reject(new Error("it hung up"));
			closed = true;
			listener?.ended();
		});
		socket.on("end", leave);
		socket.on("data", (bytes) => {
			reader.add(bytes);
			readOn();
		});
		socket.write(own);

		function readOn(): void {
			try {
				read();
			} catch (fault) {
				socket.destroy(fault as Error);
			}
		}

		function greet(): void {
			const theirs = reader.take(nonceBytes);
			if (!theirs) return;
			channel = openChannel(secret, side, own, theirs);
			socket.write(channel.seal(""));
			read = prove;
			read();
		}

		function prove(): void {
			const proof = reader.frame(tagBytes);
			if (!proof) return;
			channel?.open(proof);
			clearTimeout(timer);
			// What comes before anybody listens waits on the other side, but for what was read along.
			socket.pause();
			read = handOver;
			resolve(peer);
		}

		function handOver(): void {
			while (listener && !socket.destroyed) {
				const sealed = reader.frame(longest + tagBytes);
				if (!sealed || !channel) return;
				listener.message(channel.open(sealed));
			}
		}

		function leave(): void {
			if (leaving) return;
			leaving = true;
			socket.end();
			clearTimeout(timer);
			if (!closed) timer = setTimeout(() => socket.destroy(), farewell);
		}

		const peer: Peer = {
			send(text) {
				if (!channel || leaving || socket.destroyed) return;
				if (socket.writableLength > mostUnread)
					socket.destroy(new Error("it does not read"));
				else if (Buffer.byteLength(text) > longest)
					socket.destroy(new Error("a text that is too long"));
				else socket.write(channel.seal(text));
			},
			hear(given) {
				queueMicrotask(() => {
					listener = given;
					readOn();
					if (closed) given.ended();
					else socket.resume();
				});
			},
			end: leave,
			cut: () => void socket.destroy(),
		};
	});
}

interface Channel {
	/** A text as it goes over the wire, its length before it. */
	seal(text: string): Buffer;
	/** Throws at what the other side did not seal, or not as the next. */
	open(sealed: Buffer): string;
}

function openChannel(
	secret: Uint8Array,
	side: "client" | "server",
	own: Buffer,
	theirs: Buffer,
): Channel {
	const salt = Buffer.concat(side === "client" ? [own, theirs] : [theirs, own]);
	const keys = Buffer.from(
		hkdfSync("sha256", secret, salt, "duranteos peer link 1", 64),
	);
	const fromClient = createSecretKey(keys.subarray(0, 32));
	const fromServer = createSecretKey(keys.subarray(32));
	const [sending, receiving] =
		side === "client" ? [fromClient, fromServer] : [fromServer, fromClient];
	const nextOut = counter();
	const nextIn = counter();
	return {
		seal(text) {
			const cipher = createCipheriv("aes-256-gcm", sending, nextOut());
			const body = cipher.update(text, "utf8");
			cipher.final();
			const frame = Buffer.allocUnsafe(4 + body.length + tagBytes);
			frame.writeUInt32BE(body.length + tagBytes);
			body.copy(frame, 4);
			cipher.getAuthTag().copy(frame, 4 + body.length);
			return frame;
		},
		open(sealed) {
			if (sealed.length < tagBytes) throw new Error("a text without a seal");
			const decipher = createDecipheriv("aes-256-gcm", receiving, nextIn(), {
				authTagLength: tagBytes,
			});
			decipher.setAuthTag(sealed.subarray(-tagBytes));
			const body = decipher.update(sealed.subarray(0, -tagBytes));
			try {
				decipher.final();
			} catch {
				throw new Error("it does not know the secret");
			}
			return body.toString("utf8");
		},
	};
}

function counter(): () => Buffer {
	let next = 0n;
	return () => {
		const nonce = Buffer.alloc(12);
		nonce.writeBigUInt64BE(next++, 4);
		return nonce;
	};
}

interface Reader {
	add(bytes: Buffer): void;
	/** So many bytes, once they are there. */
	take(length: number): Buffer | undefined;
	/** What a length is before, once it is there. Throws when that is longer than `most`. */
	frame(most: number): Buffer | undefined;
}

const nothing = Buffer.alloc(0);

/** Holds what has not been taken in one piece, at most twice as large as it: however small the pieces are that come. */
function openReader(): Reader {
	let held: Buffer = nothing;
	let start = 0;
	let end = 0;
	/** Of the frame that is under way. */
	let length: number | undefined;
	function take(wanted: number): Buffer | undefined {
		if (end - start < wanted) return undefined;
		const taken = held.subarray(start, start + wanted);
		start += wanted;
		if (start === end) {
			held = nothing;
			start = end = 0;
		}
		return taken;
	}
	return {
		add(bytes) {
			if (start === end) {
				held = bytes;
				start = end = 0;
			} else if (held.length - end < bytes.length) {
				const size = end - start;
				const larger = Buffer.allocUnsafe(2 * (size + bytes.length));
				held.copy(larger, 0, start, end);
				held = larger;
				start = 0;
				end = size;
			}
			if (held !== bytes) bytes.copy(held, end);
			end += bytes.length;
		},
		take,
		frame(most) {
			length ??= take(4)?.readUInt32BE();
			if (length === undefined) return undefined;
			if (length > most) throw new Error("a text that is too long");
			const found = take(length);
			if (found) length = undefined;
			return found;
		},
	};
}
