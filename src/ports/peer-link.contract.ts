import { afterEach, describe, expect, it } from "vitest";
import { Fault } from "../kernel/outcome.ts";
import type { Peer, PeerLink, PeerListening } from "./peer-link.ts";

const secret = new Uint8Array(32).fill(7);
const otherSecret = new Uint8Array(32).fill(8);
const host = "127.0.0.1";

/** For tests only: what a peer has told. */
export interface HeardPeer {
	readonly peer: Peer;
	readonly texts: string[];
	/** How often the end was told. */
	readonly ends: () => number;
	readonly ended: Promise<void>;
	/** Once so many texts are there; rejects when the connection ends before. */
	some(count: number): Promise<readonly string[]>;
}

/** For tests only. */
export function hearPeer(
	peer: Peer,
	message: (text: string) => void = () => {},
): HeardPeer {
	const texts: string[] = [];
	const ended = Promise.withResolvers<void>();
	let ends = 0;
	let wake = () => {};
	peer.hear({
		message(text) {
			texts.push(text);
			wake();
			message(text);
		},
		ended() {
			ends++;
			ended.resolve();
			wake();
		},
	});
	return {
		peer,
		texts,
		ends: () => ends,
		ended: ended.promise,
		async some(count) {
			while (texts.length < count) {
				if (ends > 0)
					throw new Error(`It ended after ${texts.length} of ${count} texts.`);
				await new Promise<void>((resolve) => {
					wake = resolve;
				});
			}
			return texts;
		},
	};
}

/** For tests only: long enough for what must not happen to happen. */
export function whatMayCome(milliseconds = 60): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** What every link between peers keeps to. `make` gives a new one; two of one making reach each other. */
export function peerLinkContract(name: string, make: () => PeerLink): void {
	describe(`peer link: ${name}`, () => {
		const open: PeerListening[] = [];

		afterEach(async () => {
			for (const listening of open.splice(0)) await listening.close();
		});

		/** One that listens; `next` is who is taken in next. */
		async function listen(
			options: { accept?: (peer: Peer) => void; port?: number } = {},
			link = make(),
		) {
			const came: Peer[] = [];
			const waiting: ((peer: Peer) => void)[] = [];
			const listening = await link.listen({
				host,
				port: options.port ?? 0,
				secret,
				accept(peer) {
					options.accept?.(peer);
					const next = waiting.shift();
					if (next) next(peer);
					else came.push(peer);
				},
			});
			open.push(listening);
			return {
				link,
				listening,
				came,
				async next(): Promise<Peer> {
					const peer = came.shift();
					return peer ?? new Promise((resolve) => waiting.push(resolve));
				},
			};
		}

		async function pair(): Promise<readonly [Peer, Peer]> {
			const { link, listening, next } = await listen();
			return [await link.connect(listening, secret), await next()];
		}

		async function faultOf(work: Promise<unknown>): Promise<Fault> {
			const fault = await work.then(
				() => undefined,
				(fault) => fault,
			);
			expect(fault).toBeInstanceOf(Fault);
			return fault;
		}

		it("says where it listens, on a port of its own where none is asked for", async () => {
			const { link, listening } = await listen();
			const second = await listen({}, link);
			expect(listening.host).toBe(host);
			expect(listening.port).toBeGreaterThan(0);
			expect(second.listening.port).not.toBe(listening.port);
		});

		it("carries texts both ways, whole and in order", async () => {
			const [one, other] = (await pair()).map((peer) => hearPeer(peer));
			if (!one || !other) throw new Error("no pair");
			const texts = ["first", "", "third", "\u0000", "[]"];
			for (const text of texts) {
				one.peer.send(`to ${text}`);
				other.peer.send(`fro ${text}`);
			}
			expect(await other.some(5)).toEqual(texts.map((text) => `to ${text}`));
			expect(await one.some(5)).toEqual(texts.map((text) => `fro ${text}`));
			other.peer.send("later");
			expect((await one.some(6)).at(-1)).toBe("later");
		});

		it("carries an empty text as one", async () => {
			const [near, far] = await pair();
			const heard = hearPeer(far);
			near.send("");
			near.send("");
			near.send("after");
			expect(await heard.some(3)).toEqual(["", "", "after"]);
		});

		it("carries texts of several megabytes, between small ones, both ways at once", async () => {
			const [one, other] = (await pair()).map((peer) => hearPeer(peer));
			if (!one || !other) throw new Error("no pair");
			const large = ["a", "€", "b"].map((letter) =>
				`${letter}0123456789abcde`.repeat(2 ** 18),
			);
			for (const side of [one, other])
				for (const text of large) {
					side.peer.send(text);
					side.peer.send("small");
				}
			for (const side of [one, other]) {
				const texts = await side.some(6);
				// Not by `toEqual`: it would print them.
				expect(large.every((text, index) => texts[2 * index] === text)).toBe(
					true,
				);
				expect(texts.filter((text) => text === "small")).toHaveLength(3);
			}
		});

		it("carries more in time than may wait at once", async () => {
			const [near, far] = await pair();
			const texts = 18;
			const heard = hearPeer(far, () => {
				if (heard.texts.length < texts) near.send(large);
			});
			const large = "x".repeat(4 * 2 ** 20);
			near.send(large);
			await heard.some(texts);
			expect(heard.texts.every((text) => text === large)).toBe(true);
		});

		it("cuts who lets too much pile up", async () => {
			const [near, far] = await pair();
			const heard = hearPeer(near);
			const large = "x".repeat(16 * 2 ** 20);
			// Whatever is under way elsewhere comes on top of what waits here.
			for (let count = 0; count < 8; count++) near.send(large);
			await heard.ended;
			await hearPeer(far).ended;
			expect(heard.ends()).toBe(1);
		});

		it("cuts what is sent a text that is too long", async () => {
			const [near, far] = (await pair()).map((peer) => hearPeer(peer));
			if (!near || !far) throw new Error("no pair");
			near.peer.send("€".repeat(22 * 2 ** 20));
			await Promise.all([near.ended, far.ended]);
			expect([near.texts, far.texts]).toEqual([[], []]);
		});

		it("carries many small texts that are sent in one turn", async () => {
			const [near, far] = await pair();
			const heard = hearPeer(far);
			const texts = Array.from({ length: 20_000 }, (_, index) => `${index}`);
			for (const text of texts) near.send(text);
			expect(await heard.some(texts.length)).toEqual(texts);
		});

		it("carries any Unicode, and half a pair as what stands for none", async () => {
			const [near, far] = await pair();
			const heard = hearPeer(far);
			const whole = [
				"\uFEFFmark first",
				"é e\u0301 ﷽ 👩‍👩‍👧 \u202E \uFFFF \u{10FFFF}",
				"line\r\nline\u2028line\u0085",
				Array.from({ length: 0xd800 }, (_, code) =>
					String.fromCharCode(code),
				).join(""),
			];
			for (const text of [...whole, "\uD83D", "a\uDE00b"]) near.send(text);
			expect(await heard.some(6)).toEqual([...whole, "\uFFFD", "a\uFFFDb"]);
		});

		it("loses nothing that is sent before the other side hears, nor that it ended then", async () => {
			const [near, far] = await pair();
			const large = "x".repeat(2 ** 20);
			near.send("one");
			near.send(large);
			near.end();
			await whatMayCome();
			const heard = hearPeer(far);
			await heard.ended;
			expect(heard.texts.map((text) => text.length)).toEqual([3, 2 ** 20]);
			expect(heard.ends()).toBe(1);
		});

		it("loses nothing that is sent while it is taken in", async () => {
			const { link, listening, next } = await listen({
				accept: (peer) => peer.send("welcome"),
			});
			const near = hearPeer(await link.connect(listening, secret));
			near.peer.send("thanks");
			expect(await near.some(1)).toEqual(["welcome"]);
			expect(await hearPeer(await next()).some(1)).toEqual(["thanks"]);
		});

		it("tells nothing before `hear` has returned", async () => {
			const [near, far] = await pair();
			near.send("early");
			await whatMayCome();
			let returned = false;
			const told: boolean[] = [];
			const over = Promise.withResolvers<void>();
			far.hear({
				message: () => told.push(returned),
				ended() {
					told.push(returned);
					over.resolve();
				},
			});
			returned = true;
			near.end();
			await over.promise;

			const [gone] = await pair();
			gone.cut();
			await whatMayCome();
			returned = false;
			const late = Promise.withResolvers<void>();
			gone.hear({
				message() {},
				ended() {
					told.push(returned);
					late.resolve();
				},
			});
			returned = true;
			await late.promise;
			expect(told).toEqual([true, true, true]);
		});

		it("delivers what was sent before `end`, and nothing after; both hear of the end once", async () => {
			const [one, other] = (await pair()).map((peer) => hearPeer(peer));
			if (!one || !other) throw new Error("no pair");
			const large = "x".repeat(4 * 2 ** 20);
			one.peer.send(large);
			one.peer.send("last");
			one.peer.end();
			one.peer.end();
			one.peer.send("too late");
			one.peer.send("too late and too long".repeat(2 ** 22));
			await Promise.all([one.ended, other.ended]);
			other.peer.send("to nobody");
			other.peer.end();
			other.peer.cut();
			one.peer.cut();
			await whatMayCome();
			expect(other.texts.map((text) => text.length)).toEqual([large.length, 4]);
			expect(one.texts).toEqual([]);
			expect([one.ends(), other.ends()]).toEqual([1, 1]);
		});

		it("delivers what the other side sent before it heard of the end", async () => {
			const [near, far] = await pair();
			const heard = hearPeer(near);
			hearPeer(far, () => far.send("answer"));
			near.send("question");
			near.end();
			await heard.ended;
			expect(heard.texts).toEqual(["answer"]);
		});

		it("ends at once when it is cut, for both, once", async () => {
			const [one, other] = (await pair()).map((peer) => hearPeer(peer));
			if (!one || !other) throw new Error("no pair");
			other.peer.send("x".repeat(2 ** 20));
			one.peer.cut();
			one.peer.cut();
			one.peer.send("too late");
			await Promise.all([one.ended, other.ended]);
			one.peer.end();
			other.peer.cut();
			await whatMayCome();
			expect([one.texts, other.texts]).toEqual([[], []]);
			expect([one.ends(), other.ends()]).toEqual([1, 1]);
		});

		it("hands over nothing more once `message` has cut it", async () => {
			const [near, far] = await pair();
			const heard = hearPeer(far, () => far.cut());
			for (const text of ["one", "two", "three"]) near.send(text);
			await heard.ended;
			await whatMayCome();
			expect(heard.texts).toEqual(["one"]);
			expect(heard.ends()).toBe(1);
		});

		it("cuts what `message` throws at, also at what came before it was heard", async () => {
			for (const wait of [0, 60]) {
				const [near, far] = await pair();
				const sender = hearPeer(near);
				for (const text of ["one", "two", "three"]) near.send(text);
				await whatMayCome(wait);
				const heard = hearPeer(far, (text) => {
					if (text === "two") throw new Error("not understood");
				});
				await Promise.all([heard.ended, sender.ended]);
				await whatMayCome();
				expect(heard.texts).toEqual(["one", "two"]);
				expect([heard.ends(), sender.ends()]).toEqual([1, 1]);
			}
		});

		it("tells who hears late that it is over, once", async () => {
			const [cutting, cut] = await pair();
			cutting.cut();
			await whatMayCome();
			for (const peer of [cutting, cut]) {
				const heard = hearPeer(peer);
				await heard.ended;
				peer.cut();
				await whatMayCome();
				expect(heard.texts).toEqual([]);
				expect(heard.ends()).toBe(1);
			}
		});

		it("does not reach one with another secret, which takes in nobody", async () => {
			const { link, listening, came, next } = await listen();
			const wrong = [
				otherSecret,
				secret.slice(0, 31),
				new Uint8Array([...secret, 0]),
				new Uint8Array(0),
			];
			for (const one of wrong) {
				const fault = await faultOf(link.connect(listening, one));
				expect(fault.code).toBe("peer/unreachable");
				expect(fault.retryable).toBe(true);
				expect(fault.message).toContain(`${listening.port}`);
			}
			await whatMayCome();
			expect(came).toEqual([]);
			// Who knows it still comes in.
			const near = await link.connect(listening, secret);
			near.send("known");
			expect(await hearPeer(await next()).some(1)).toEqual(["known"]);
		});

		it("does not reach where nobody listens", async () => {
			const { link, listening } = await listen();
			await listening.close();
			for (const port of [listening.port, 65_536, -1, 1.5, Number.NaN]) {
				const fault = await faultOf(link.connect({ host, port }, secret));
				expect(fault.code).toBe("peer/unreachable");
			}
		});

		it("does not listen where somebody does, or nobody can", async () => {
			const { link, listening, next } = await listen();
			for (const port of [listening.port, 65_536, -1, 1.5]) {
				const fault = await faultOf(listen({ port }, link));
				expect(fault.code).toBe("peer/cannot-listen");
				expect(fault.message).toContain(`${port}`);
			}
			const near = await link.connect(listening, secret);
			near.send("still there");
			expect(await hearPeer(await next()).some(1)).toEqual(["still there"]);
		});

		it("does not listen with a secret that can be guessed", async () => {
			const fault = await faultOf(
				make().listen({
					host,
					port: 0,
					secret: new Uint8Array(15).fill(7),
					accept() {},
				}),
			);
			expect(fault.code).toBe("peer/cannot-listen");
		});

		it("listens again where it did, once it has closed", async () => {
			const { link, listening } = await listen();
			const first = hearPeer(await link.connect(listening, secret));
			await listening.close();
			await first.ended;
			const again = await listen({ port: listening.port }, link);
			const near = await link.connect(again.listening, secret);
			near.send("again");
			expect(await hearPeer(await again.next()).some(1)).toEqual(["again"]);
		});

		it("ends all when it closes, and takes in nobody", async () => {
			const { link, listening, came, next } = await listen();
			const near: HeardPeer[] = [];
			const far: HeardPeer[] = [];
			for (let count = 0; count < 3; count++) {
				near.push(hearPeer(await link.connect(listening, secret)));
				far.push(hearPeer(await next()));
			}
			const atTheDoor = link.connect(listening, secret).then(
				(peer) => hearPeer(peer).ended,
				(fault) => expect(fault.code).toBe("peer/unreachable"),
			);
			await Promise.all([listening.close(), listening.close()]);
			await Promise.all([...near, ...far].map(({ ended }) => ended));
			await atTheDoor;
			expect((await faultOf(link.connect(listening, secret))).code).toBe(
				"peer/unreachable",
			);
			await whatMayCome();
			for (const one of [...near, ...far]) expect(one.ends()).toBe(1);
			expect(came).toEqual([]);
			await listening.close();
		});

		it("keeps peers apart", async () => {
			const { link, listening } = await listen({
				accept: (peer) => void hearPeer(peer, (text) => peer.send(text)),
			});
			const peers = await Promise.all(
				Array.from({ length: 8 }, async () =>
					hearPeer(await link.connect(listening, secret)),
				),
			);
			for (let round = 0; round < 50; round++)
				for (const [index, { peer }] of peers.entries())
					peer.send(`${index} ${round}`);
			peers[3]?.peer.cut();
			for (const [index, heard] of peers.entries()) {
				if (index === 3) continue;
				expect(await heard.some(50)).toEqual(
					Array.from({ length: 50 }, (_, round) => `${index} ${round}`),
				);
				expect(heard.ends()).toBe(0);
			}
			expect(peers[3]?.texts).toEqual([]);
		});

		it("goes on with the others when `accept` throws at one", async () => {
			let first = true;
			const { link, listening, next } = await listen({
				accept() {
					if (!first) return;
					first = false;
					throw new Error("not now");
				},
			});
			await hearPeer(await link.connect(listening, secret)).ended;
			const near = await link.connect(listening, secret);
			near.send("second");
			expect(await hearPeer(await next()).some(1)).toEqual(["second"]);
		});
	});
}
