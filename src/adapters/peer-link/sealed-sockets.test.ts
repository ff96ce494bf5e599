import { randomBytes } from "node:crypto";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { inspect } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import {
	hearPeer,
	peerLinkContract,
	whatMayCome,
} from "../../ports/peer-link.contract.ts";
import type { Peer, PeerPlace } from "../../ports/peer-link.ts";
import { type SealedSocketsLimits, sealedSockets } from "./sealed-sockets.ts";

peerLinkContract("sealed sockets", () => sealedSockets());

const host = "127.0.0.1";
const secret = randomBytes(32);
const undo: (() => unknown)[] = [];

afterEach(async () => {
	for (const one of undo.splice(0).reverse()) await one();
});

async function listen(limits: Partial<SealedSocketsLimits> = {}) {
	const link = sealedSockets(limits);
	const came: Peer[] = [];
	let wake = () => {};
	const listening = await link.listen({
		host,
		port: 0,
		secret,
		accept(peer) {
			came.push(peer);
			wake();
		},
	});
	undo.push(() => listening.close());
	return {
		link,
		listening,
		came,
		async next(): Promise<Peer> {
			for (;;) {
				const peer = came.shift();
				if (peer) return peer;
				await new Promise<void>((resolve) => {
					wake = resolve;
				});
			}
		},
	};
}

/** Who connects with no rules of its own. */
async function stranger({ host, port }: PeerPlace) {
	const socket = connect({ host, port, noDelay: true });
	undo.push(() => socket.destroy());
	const got: Buffer[] = [];
	const gone = new Promise<void>((resolve) =>
		socket.on("close", () => resolve()),
	);
	socket.on("error", () => {});
	socket.on("data", (bytes) => got.push(bytes));
	await new Promise<void>((resolve) => {
		socket.on("connect", resolve);
		socket.on("close", () => resolve());
	});
	return {
		socket,
		gone,
		async bytes(length: number): Promise<Buffer> {
			while (Buffer.concat(got).length < length) await whatMayCome(2);
			return Buffer.concat(got).subarray(0, length);
		},
	};
}

/** Who listens with no rules of its own. */
async function impostor(meet: (socket: Socket) => void): Promise<PeerPlace> {
	const sockets = new Set<Socket>();
	const server = createServer((socket) => {
		sockets.add(socket);
		socket.on("error", () => {});
		meet(socket);
	});
	undo.push(() => {
		server.close();
		for (const socket of sockets) socket.destroy();
	});
	await new Promise<void>((resolve) => server.listen(0, host, resolve));
	return { host, port: (server.address() as AddressInfo).port };
}

/** What a man in the middle does with the frame of that number (0 shows the secret) on its way. */
type Change = (
	frame: Buffer,
	number: number,
	back: (frame: Buffer) => void,
) => readonly Buffer[];

/** A man in the middle, who sees everything that is said. */
async function middle(
	target: PeerPlace,
	change: { readonly up?: Change; readonly down?: Change } = {},
) {
	const up: Buffer[] = [];
	const down: Buffer[] = [];
	const place = await impostor((near) => {
		const far = connect({ host: target.host, port: target.port });
		undo.push(() => far.destroy());
		far.on("error", () => {});
		near.on("close", () => far.destroy());
		far.on("close", () => near.destroy());
		pass(near, far, change.up, up);
		pass(far, near, change.down, down);
	});
	return { place, up, down };
}

function pass(
	from: Socket,
	to: Socket,
	change: Change = (frame) => [frame],
	seen: Buffer[],
): void {
	let held = Buffer.alloc(0);
	let number = -1;
	from.on("data", (bytes) => {
		held = Buffer.concat([held, bytes]);
		for (;;) {
			if (number >= 0 && held.length < 4) return;
			const size = number < 0 ? 32 : 4 + held.readUInt32BE();
			if (held.length < size) return;
			const frame = held.subarray(0, size);
			held = held.subarray(size);
			seen.push(frame);
			const passed =
				number < 0
					? [frame]
					: change(frame, number, (bytes) => void from.write(bytes));
			number++;
			for (const one of passed) to.write(one);
		}
	});
}

function flipped(frame: Buffer, at: number): Buffer {
	const changed = Buffer.from(frame);
	changed[at] = (changed[at] ?? 0) ^ 1;
	return changed;
}

describe("a stranger", () => {
	it.each([
		["zeros", Buffer.alloc(200)],
		["ones", Buffer.alloc(200, 255)],
		["anything", randomBytes(100_000)],
		[
			"a request of another protocol",
			Buffer.from(`GET / HTTP/1.1\r\nhost: a\r\n\r\n${" ".repeat(99)}`),
		],
		[
			"a proof that is too long",
			Buffer.from(`${"00".repeat(32)}00000011`, "hex"),
		],
		[
			"a proof that is much too long",
			Buffer.from(`${"00".repeat(32)}ffffffff`, "hex"),
		],
		[
			"a proof that is too short",
			Buffer.from(`${"00".repeat(32)}0000000f${"00".repeat(15)}`, "hex"),
		],
		["an empty proof", Buffer.from(`${"00".repeat(32)}00000000`, "hex")],
		[
			"a proof that is none",
			Buffer.from(`${"00".repeat(32)}00000010${"00".repeat(16)}`, "hex"),
		],
	])("who sends %s is sent away at once", async (_, bytes) => {
		const { link, listening, came, next } = await listen({ patience: 15_000 });
		const one = await stranger(listening);
		one.socket.write(bytes);
		await one.gone;
		expect(came).toEqual([]);
		const near = await link.connect(listening, secret);
		near.send("known");
		expect(await hearPeer(await next()).some(1)).toEqual(["known"]);
	});

	it("who hangs up at any point of the greeting harms nobody", async () => {
		const { link, listening, came, next } = await listen();
		for (const size of [0, 1, 31, 32, 33, 51])
			for (const leave of ["end", "destroy", "resetAndDestroy"] as const) {
				const one = await stranger(listening);
				one.socket.write(Buffer.alloc(size));
				one.socket[leave]();
				await one.gone;
			}
		expect(came).toEqual([]);
		const near = await link.connect(listening, secret);
		near.send("known");
		expect(await hearPeer(await next()).some(1)).toEqual(["known"]);
	});

	it("who takes its time is sent away, however busy it seems", async () => {
		const { listening, came } = await listen({ patience: 150 });
		const silent = await stranger(listening);
		const slow = await stranger(listening);
		const timer = setInterval(() => slow.socket.write("a"), 20);
		undo.push(() => clearInterval(timer));
		await Promise.all([silent.gone, slow.gone]);
		expect(came).toEqual([]);
	});

	it("who is connected to and does not answer is left", async () => {
		const place = await impostor(() => {});
		const fault = await sealedSockets({ patience: 100 })
			.connect(place, secret)
			.catch((fault) => fault);
		expect(fault.code).toBe("peer/unreachable");
		expect(fault.message).toContain("it does not answer");
	});

	it("in numbers does not harm those who are in", async () => {
		const limits = { mostConnections: 8, patience: 15_000 };
		const { link, listening, came, next } = await listen(limits);
		const near = hearPeer(await link.connect(listening, secret));
		const far = hearPeer(await next());
		const strangers = await Promise.all(
			Array.from({ length: 40 }, () => stranger(listening)),
		);
		let turnedAway = 0;
		for (const { gone } of strangers) void gone.then(() => turnedAway++);
		while (turnedAway < 40 - 7) await whatMayCome(5);
		near.peer.send("still here");
		far.peer.send("so am I");
		expect(await far.some(1)).toEqual(["still here"]);
		expect(await near.some(1)).toEqual(["so am I"]);
		await whatMayCome();
		expect([turnedAway, came.length]).toEqual([40 - 7, 0]);
		// And there is room again once they are gone.
		for (const { socket } of strangers) socket.destroy();
		while (came.length === 0)
			await link.connect(listening, secret).catch(() => whatMayCome(5));
		expect([near.ends(), far.ends()]).toEqual([0, 0]);
	});

	it("gains nothing from a recording of those who know the secret", async () => {
		const { listening, came, link, next } = await listen();
		const { place, up, down } = await middle(listening);
		const near = await link.connect(place, secret);
		near.send("pay");
		const far = hearPeer(await next());
		await far.some(1);
		far.peer.send("paid");
		await hearPeer(near).some(1);

		const again = await stranger(listening);
		again.socket.write(Buffer.concat(up));
		await again.gone;
		const player = await impostor((socket) => {
			socket.write(Buffer.concat(down));
		});
		await expect(link.connect(player, secret)).rejects.toMatchObject({
			code: "peer/unreachable",
		});
		expect(came).toEqual([]);
	});

	it("gains nothing from sending back what it is sent", async () => {
		const { listening, came, link } = await listen();
		const echo = await stranger(listening);
		echo.socket.on("data", (bytes) => echo.socket.write(bytes));
		await echo.gone;
		const place = await impostor((socket) => socket.pipe(socket));
		await expect(link.connect(place, secret)).rejects.toMatchObject({
			code: "peer/unreachable",
		});
		expect(came).toEqual([]);
	});

	it("gains nothing from letting two who listen talk to each other", async () => {
		const first = await listen();
		const second = await listen();
		const one = await stranger(first.listening);
		const other = await stranger(second.listening);
		one.socket.on("data", (bytes) => other.socket.write(bytes));
		other.socket.on("data", (bytes) => one.socket.write(bytes));
		one.socket.write(await other.bytes(32));
		other.socket.write(await one.bytes(32));
		await Promise.race([one.gone, other.gone]);
		expect([...first.came, ...second.came]).toEqual([]);
	});
});

describe("a man in the middle", () => {
	/** What is heard of three texts, when the second is changed on its way up. */
	async function heardThrough(up: Change, patience = 3_000) {
		const { link, listening, next } = await listen({ patience });
		const { place } = await middle(listening, { up });
		const near = hearPeer(await link.connect(place, secret));
		const far = hearPeer(await next());
		for (const text of ["first", "other", "third"]) near.peer.send(text);
		return { near, far };
	}

	it("reads nothing, and does not even see that the same is said twice", async () => {
		const { link, listening, next } = await listen();
		const { place, up, down } = await middle(listening);
		const near = await link.connect(place, secret);
		const far = hearPeer(await next(), (text) => far.peer.send(text));
		for (let count = 0; count < 3; count++) near.send("a plain word");
		await hearPeer(near).some(3);
		const seen = Buffer.concat([...up, ...down]).toString("latin1");
		expect(seen).not.toContain("plain");
		expect(seen).not.toContain(secret.toString("latin1"));
		const frames = [...up, ...down].map((frame) => frame.toString("hex"));
		expect(frames).toHaveLength(2 * (1 + 1 + 3));
		expect(new Set(frames).size).toBe(frames.length);
	});

	it("changes no byte of a text or of its seal", async () => {
		const size = 4 + "other".length + 16;
		for (let at = 4; at < size; at++) {
			const { near, far } = await heardThrough((frame, number) => [
				number === 2 ? flipped(frame, at) : frame,
			]);
			await Promise.all([near.ended, far.ended]);
			expect(far.texts, `byte ${at}`).toEqual(["first"]);
		}
	});

	it("changes no length", async () => {
		for (let at = 0; at < 4; at++) {
			const { far } = await heardThrough((frame, number) => [
				number === 2 ? flipped(frame, at) : frame,
			]);
			// A text that is awaited and does not come holds it up, as if nothing were passed on at all.
			await whatMayCome();
			expect(far.texts, `byte ${at}`).toEqual(["first"]);
		}
	});

	let kept: Buffer;
	it.each<[string, string[], Change]>([
		["leaves none out", ["first"], (frame, n) => (n === 2 ? [] : [frame])],
		[
			"repeats none",
			["first", "other"],
			(frame, n) => (n === 2 ? [frame, frame] : [frame]),
		],
		[
			"changes no order",
			["first"],
			(frame, n) => {
				if (n !== 2) return n === 3 ? [frame, kept] : [frame];
				kept = frame;
				return [];
			},
		],
		[
			"puts in none",
			["first"],
			(frame, n) =>
				n === 2
					? [Buffer.concat([frame.subarray(0, 4), randomBytes(21)]), frame]
					: [frame],
		],
		[
			"puts in no empty one",
			["first"],
			(frame, n) => (n === 2 ? [Buffer.alloc(4), frame] : [frame]),
		],
		[
			"announces none that is too long",
			["first"],
			(frame, n) =>
				n === 2 ? [Buffer.from("04000011", "hex"), frame] : [frame],
		],
		[
			"shortens none",
			["first"],
			(frame, n) =>
				n === 2 ? [frame.subarray(0, 4), frame.subarray(5)] : [frame],
		],
	])("%s", async (_, texts, up) => {
		const { near, far } = await heardThrough(up);
		await Promise.all([near.ended, far.ended]);
		expect(far.texts).toEqual(texts);
		expect(near.texts).toEqual([]);
	});

	it("passes nobody off as one who knows the secret", async () => {
		for (let at = 0; at < 20; at++) {
			const { link, listening, came } = await listen({ patience: 100 });
			const change: Change = (frame, number) => [
				number === 0 ? flipped(frame, at) : frame,
			];
			const upwards = await middle(listening, { up: change });
			await link.connect(upwards.place, secret).then(
				(peer) => hearPeer(peer).ended,
				() => {},
			);
			expect(came, `byte ${at}`).toEqual([]);
			const downwards = await middle(listening, { down: change });
			await expect(
				link.connect(downwards.place, secret),
				`byte ${at}`,
			).rejects.toMatchObject({ code: "peer/unreachable" });
		}
	});

	it("passes nobody's own text off as the other side's", async () => {
		const { near, far } = await heardThrough((frame, number, back) => {
			if (number > 0) back(frame);
			return [frame];
		});
		await Promise.all([near.ended, far.ended]);
		expect(near.texts).toEqual([]);
	});

	it("carries no text from one connection to another", async () => {
		const { link, listening, next } = await listen();
		const first = await middle(listening);
		const near = await link.connect(first.place, secret);
		near.send("other");
		await hearPeer(await next()).some(1);
		const stolen = first.up.at(-1);
		if (!stolen) throw new Error("nothing was said");
		const { far } = await heardThrough((frame, number) => [
			number === 1 ? stolen : frame,
		]);
		await far.ended;
		expect(far.texts).toEqual([]);
	});

	it("may pass on one byte at a time", async () => {
		const { link, listening, next } = await listen();
		const place = await impostor((near) => {
			const far = connect(listening.port, listening.host);
			undo.push(() => far.destroy());
			for (const [from, to] of [
				[near, far],
				[far, near],
			] as const) {
				from.on("error", () => {});
				to.setNoDelay();
				let last = Promise.resolve();
				from.on("data", (bytes) => {
					for (const byte of bytes)
						last = last.then(
							() =>
								new Promise((resolve) => {
									to.write(Buffer.of(byte));
									setImmediate(resolve);
								}),
						);
				});
			}
		});
		const near = hearPeer(await link.connect(place, secret));
		const far = hearPeer(await next(), (text) => far.peer.send(text));
		const texts = ["one", "", "€uro".repeat(100), "last"];
		for (const text of texts) near.peer.send(text);
		expect(await near.some(4)).toEqual(texts);
		expect(far.texts).toEqual(texts);
	});
});

describe("a peer", () => {
	it("that does not read is cut before more than the bound and one text wait", async () => {
		const mostUnread = 2 ** 20;
		const { link, listening, next } = await listen({ mostUnread });
		// Never hears: what it is sent waits in its socket, and then in ours.
		await link.connect(listening, secret);
		const far = hearPeer(await next());
		const text = "x".repeat(2 ** 16);
		let sent = 0;
		while (far.ends() === 0 && sent < 64 * mostUnread) {
			far.peer.send(text);
			sent += text.length;
			await new Promise(setImmediate);
		}
		await far.ended;
		// What the system keeps for both sockets comes on top.
		expect(sent).toBeLessThan(32 * mostUnread);
		expect(sent).toBeGreaterThan(mostUnread);
	});

	it("that has shown that it knows the secret may be silent", async () => {
		const { link, listening, next } = await listen({ patience: 200 });
		const near = await link.connect(listening, secret);
		const far = hearPeer(await next());
		await whatMayCome(300);
		near.send("at last");
		expect(await far.some(1)).toEqual(["at last"]);
	});

	it("that reads is not cut, whatever it is sent in time", async () => {
		const { link, listening, next } = await listen({ mostUnread: 2 ** 18 });
		const near = hearPeer(await link.connect(listening, secret));
		const far = hearPeer(await next(), () => far.peer.send("read"));
		for (let count = 1; count <= 40; count++) {
			near.peer.send("x".repeat(2 ** 16));
			await near.some(count);
		}
		expect(far.texts).toHaveLength(40);
	});

	it("that sends a longer text than is taken is cut, and so is who would send it", async () => {
		const { listening, next } = await listen({ longest: 1_000 });
		const near = hearPeer(await sealedSockets().connect(listening, secret));
		const far = hearPeer(await next());
		near.peer.send("x".repeat(1_000));
		near.peer.send("x".repeat(1_001));
		await Promise.all([near.ended, far.ended]);
		expect(far.texts).toEqual(["x".repeat(1_000)]);

		const other = hearPeer(await sealedSockets().connect(listening, secret));
		const sending = hearPeer(await next());
		sending.peer.send("€".repeat(334));
		await Promise.all([sending.ended, other.ended]);
		expect(other.texts).toEqual([]);
	});

	it("that neither reads nor hangs up is not waited for", async () => {
		const { link, listening, next } = await listen({ farewell: 150 });
		await link.connect(listening, secret);
		const far = hearPeer(await next());
		far.peer.send("x".repeat(8 * 2 ** 20));
		far.peer.end();
		await far.ended;
		expect(far.ends()).toBe(1);
	});

	it("of any kind does not keep it from closing", async () => {
		const { link, listening, next } = await listen();
		await stranger(listening);
		const half = await stranger(listening);
		half.socket.write(Buffer.alloc(40));
		await link.connect(listening, secret);
		const stuck = await next();
		stuck.send("x".repeat(8 * 2 ** 20));
		const ending = await link.connect(listening, secret);
		ending.end();
		await listening.close();
		await half.gone;
	});

	const onIpv6 = Object.values(networkInterfaces()).some((addresses) =>
		addresses?.some(({ address }) => address === "::1"),
	);
	it.skipIf(!onIpv6)("is reached by an address of IPv6", async () => {
		const link = sealedSockets();
		const came = Promise.withResolvers<Peer>();
		const options = { host: "::1", port: 0, secret, accept: came.resolve };
		const listening = await link.listen(options);
		undo.push(() => listening.close());
		expect(listening.host).toBe("::1");
		const near = await link.connect(listening, secret);
		near.send("over six");
		expect(await hearPeer(await came.promise).some(1)).toEqual(["over six"]);
		await listening.close();
		await expect(link.connect(listening, secret)).rejects.toThrow(
			`[::1]:${listening.port}`,
		);
	});

	it("is not told of by more than its place", async () => {
		const { link, listening } = await listen();
		const wrong = Buffer.from("a secret that nobody may see anywhere");
		const faults = await Promise.all(
			[
				link.connect(listening, wrong),
				link.connect({ host, port: 0 }, wrong),
				link.connect({ host: "", port: 1 }, wrong),
				link.listen({ ...listening, secret: wrong, accept() {} }),
				link.listen({ host, port: -1, secret: wrong, accept() {} }),
			].map((work) => work.catch((fault: unknown) => fault)),
		);
		for (const fault of faults) {
			expect(fault).toMatchObject({ code: expect.stringMatching(/^peer\//) });
			const told = inspect(fault, { depth: 9, showHidden: true });
			for (const form of ["utf8", "hex", "base64"] as const)
				for (const one of [wrong, secret])
					expect(told).not.toContain(one.toString(form));
			expect(told).not.toContain("Buffer");
		}
	});
});
