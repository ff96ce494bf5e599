import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { memoryLeases } from "../../adapters/lease/memory.ts";
import { sealedSockets } from "../../adapters/peer-link/sealed-sockets.ts";
import { systemChance } from "../../adapters/runtime/chance.ts";
import type { Leases } from "../../ports/lease.ts";
import type {
	Peer,
	PeerLink,
	PeerListening,
	PeerPlace,
} from "../../ports/peer-link.ts";
import {
	findSequencer,
	openSequencing,
	type Sequencing,
} from "./sequencing.ts";

const lease = 60_000;
const link = sealedSockets();
/** What all see as the time, of leases and of their own. */
let now: number;
let leases: Leases;
const running: Sequencing[] = [];

beforeEach(() => {
	now = 1_000_000;
	vi.spyOn(performance, "now").mockImplementation(() => now);
	leases = memoryLeases({ now: () => now });
});

afterEach(async () => {
	for (const one of running.splice(0)) await one.end();
	vi.restoreAllMocks();
});

/** As far as this is about it: who is asked says its name. */
function fakeForwarding(name: string) {
	let followed: Peer | undefined;
	let answeredBy: string | undefined;
	function standAlone(): void {
		followed?.cut();
		followed = undefined;
		answeredBy = undefined;
	}
	return {
		follow(peer: Peer): void {
			standAlone();
			followed = peer;
			peer.hear({
				message: (text) => {
					answeredBy = text;
				},
				ended() {
					if (followed === peer) standAlone();
				},
			});
			peer.send("Who are you?");
		},
		standAlone,
		forwards: () => followed !== undefined,
		serve(peer: Peer): void {
			peer.hear({ message: () => peer.send(name), ended: () => {} });
		},
		answeredBy: () => answeredBy,
	};
}

interface Run extends Sequencing {
	answeredBy(): string | undefined;
	readonly said: readonly string[];
}

async function run(
	name: string,
	options: {
		readonly leases?: Leases;
		readonly place?: PeerPlace;
		readonly dialect?: string;
		readonly lease?: number;
		readonly link?: PeerLink;
		/** False: has yet to be told to. */
		readonly begin?: boolean;
	} = {},
): Promise<Run> {
	const said: string[] = [];
	const forwarding = fakeForwarding(name);
	const sequencing = openSequencing({
		forwarding,
		leases,
		link,
		chance: systemChance,
		place: { host: "127.0.0.1", port: 0 },
		dialect: "1 credits/1",
		lease,
		report: (line) => said.push(line),
		...options,
	});
	running.push(sequencing);
	if (options.begin !== false) {
		await sequencing.begin();
		await sequencing.look();
	}
	return { ...sequencing, answeredBy: forwarding.answeredBy, said };
}

const roles = (...all: readonly Sequencing[]) => all.map((one) => one.role());

async function noteOf(): Promise<Record<string, unknown>> {
	const [held] = await leases.list("duty/sequencer");
	return JSON.parse(held?.note ?? "");
}

/** Another version's, or nobody's: the lease says this from now on. */
async function say(note: string): Promise<void> {
	await leases.take("duty/sequencer", "another", lease, note);
}

it("has one decide, and the others ask it", async () => {
	const first = await run("first");
	const second = await run("second");
	const third = await run("third");
	expect(roles(first, second, third)).toEqual([
		"sequencer",
		"follower",
		"follower",
	]);
	await vi.waitFor(() => {
		expect(second.answeredBy()).toBe("first");
		expect(third.answeredBy()).toBe("first");
	});
	for (const one of [first, second, third]) await one.look();
	expect(roles(first, second, third)).toEqual([
		"sequencer",
		"follower",
		"follower",
	]);
	expect([first, second, third].flatMap(({ said }) => said)).toEqual([]);
});

it("lets go of those that asked when it ends, and another takes over at once", async () => {
	const first = await run("first");
	const second = await run("second");
	const third = await run("third");
	await first.end();
	await vi.waitFor(() =>
		expect(roles(first, second, third)).toEqual(["alone", "alone", "alone"]),
	);
	expect(await leases.list("duty/sequencer")).toEqual([]);
	await second.look();
	await third.look();
	expect(roles(first, second, third)).toEqual([
		"alone",
		"sequencer",
		"follower",
	]);
	await vi.waitFor(() => expect(third.answeredBy()).toBe("second"));
	for (const one of [second, third]) await one.end();
	// It is over: nobody takes the lease any more.
	for (const one of [first, second, third]) await one.look();
	expect(roles(first, second, third)).toEqual(["alone", "alone", "alone"]);
	expect(await leases.list("duty/sequencer")).toEqual([]);
});

it("follows nobody whom it reaches as it ends, and takes no lease for longer", async () => {
	const first = await run("first");
	let connected: Promise<Peer> | undefined;
	const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
	const slow: PeerLink = {
		...link,
		connect(...to) {
			connected = link.connect(...to);
			return reached.then(() => connected as Promise<Peer>);
		},
	};
	const late = await run("late", { link: slow, begin: false });
	const beginning = late.begin();
	await vi.waitFor(() => expect(connected).toBeDefined());
	const peer = await connected;
	const ending = late.end();
	reach();
	await Promise.all([beginning, ending]);
	expect(late.role()).toBe("alone");
	await new Promise<void>((ended) => peer?.hear({ message: () => {}, ended }));
	await first.end();

	const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
	const take = vi.fn<Leases["take"]>((...what) =>
		answered.then(() => leases.take(...what)),
	);
	const heir = await run("heir", {
		leases: { ...leases, take },
		begin: false,
	});
	const taking = heir.begin();
	await vi.waitFor(() => expect(take).toHaveBeenCalled());
	const letting = heir.end();
	// All else has ended by then.
	setTimeout(answer, 50);
	await Promise.all([taking, letting]);
	expect(await leases.list("duty/sequencer")).toEqual([]);
});

it("listens to nobody any more when it ended before it had begun to", async () => {
	let at: PeerListening | undefined;
	const noted: PeerLink = {
		...link,
		async listen(options) {
			at = await link.listen(options);
			return at;
		},
	};
	const one = await run("one", { link: noted, begin: false });
	const beginning = one.begin();
	await one.end();
	await beginning;
	expect(at).toBeDefined();
	await expect(
		link.connect(at as PeerListening, new Uint8Array(32)),
	).rejects.toThrow("ECONNREFUSED");
	expect(await leases.list("duty/sequencer")).toEqual([]);
});

it("keeps its connection as long as that stands", async () => {
	const connect = vi.fn(link.connect);
	await run("first");
	const second = await run("second", { link: { ...link, connect } });
	await second.look();
	await second.look();
	expect(second.role()).toBe("follower");
	expect(connect).toHaveBeenCalledOnce();
});

it("has another take over when one falls silent, which asks that one when it wakes", async () => {
	const sleeper = await run("sleeper");
	const heir = await run("heir");
	now += lease - 1;
	expect(roles(sleeper, heir)).toEqual(["sequencer", "follower"]);
	await heir.look();
	expect(heir.role()).toBe("follower");
	now += 1;
	// Nobody has told it yet: it takes itself for no sequencer any more.
	expect(sleeper.role()).toBe("alone");
	await heir.look();
	expect(heir.role()).toBe("sequencer");
	await sleeper.look();
	expect(roles(sleeper, heir)).toEqual(["follower", "sequencer"]);
	await vi.waitFor(() => expect(sleeper.answeredBy()).toBe("heir"));
});

it("counts its lease from before it was asked for", async () => {
	const slow: Leases = {
		...leases,
		async take(...what) {
			const token = await leases.take(...what);
			// A pause of the process, or an answer that takes so long.
			now += lease;
			return token;
		},
	};
	const first = await run("first", { leases: slow });
	expect(first.role()).toBe("alone");
});

it("asks nobody that understands other commands, in either direction", async () => {
	const old = await run("old");
	const recent = await run("recent", { dialect: "1 credits/2" });
	expect(roles(old, recent)).toEqual(["sequencer", "alone"]);
	await old.end();
	await recent.look();
	const late = await run("late");
	expect(roles(recent, late)).toEqual(["sequencer", "alone"]);
	expect([...recent.said, ...late.said]).toEqual([]);
});

it("asks nobody whose note says nothing that is understood", async () => {
	const first = await run("first");
	const good = await noteOf();
	await first.end();
	for (const note of [
		"",
		"garbage",
		"null",
		"[]",
		"7",
		JSON.stringify({ ...good, host: 7 }),
		JSON.stringify({ ...good, host: "localhost\n" }),
		JSON.stringify({ ...good, port: "1" }),
		JSON.stringify({ ...good, port: -1 }),
		JSON.stringify({ ...good, port: 65_536 }),
		JSON.stringify({ ...good, secret: undefined }),
		JSON.stringify({ ...good, secret: "" }),
		JSON.stringify({ ...good, secret: "zz".repeat(32) }),
		JSON.stringify({ ...good, dialect: ["1 credits/1"] }),
	]) {
		await say(note);
		const one = await run("one");
		expect([note, one.role(), one.said]).toEqual([note, "alone", []]);
		expect(await findSequencer(leases)).toBe(undefined);
		await one.end();
	}
});

it("says once whom it cannot reach, and decides for itself", async () => {
	const closed = await link.listen({
		host: "127.0.0.1",
		port: 0,
		secret: new Uint8Array(32),
		accept: () => {},
	});
	await closed.close();
	const first = await run("first");
	const good = await noteOf();
	await first.end();
	await say(JSON.stringify({ ...good, port: closed.port }));
	const one = await run("one");
	await one.look();
	await one.look();
	expect(one.role()).toBe("alone");
	expect(one.said).toEqual([
		expect.stringMatching(
			`The replica at 127.0.0.1:${closed.port} cannot be reached .+ calls are written to the log from here`,
		),
	]);
	// Once it was reached, it is said again.
	const at = await link.listen({
		host: "127.0.0.1",
		port: closed.port,
		secret: Buffer.from(String(good.secret), "hex"),
		accept: (peer) => peer.hear({ message: () => {}, ended: () => {} }),
	});
	await one.look();
	expect(one.role()).toBe("follower");
	await at.close();
	await vi.waitFor(() => expect(one.role()).toBe("alone"));
	await one.look();
	expect(one.said).toHaveLength(2);
});

it("decides for itself beside one that does not know the secret it was said to have", async () => {
	await run("first");
	const good = await noteOf();
	now += lease;
	await say(JSON.stringify({ ...good, secret: "00".repeat(32) }));
	const one = await run("one");
	expect(one.role()).toBe("alone");
	expect(one.said).toHaveLength(1);
});

it("follows also where it cannot be listened to, says so, and never decides for others", async () => {
	// An address of the documentation: no machine's own.
	const place = { host: "192.0.2.1", port: 0 };
	const deaf = await run("deaf", { place });
	expect(deaf.said).toEqual([expect.stringContaining("192.0.2.1:0")]);
	expect(deaf.role()).toBe("alone");
	expect(await leases.list("duty/sequencer")).toEqual([]);
	const first = await run("first");
	await deaf.look();
	expect(roles(first, deaf)).toEqual(["sequencer", "follower"]);
	await vi.waitFor(() => expect(deaf.answeredBy()).toBe("first"));
});

it("stays as it is while the store does not answer, until its lease is over", async () => {
	let away = false;
	const store: Leases = {
		...leases,
		take: (...what) =>
			away ? Promise.reject(new Error("away")) : leases.take(...what),
		list: (...what) =>
			away ? Promise.reject(new Error("away")) : leases.list(...what),
		release: (...what) =>
			away ? Promise.reject(new Error("away")) : leases.release(...what),
	};
	const first = await run("first", { leases: store });
	const second = await run("second", { leases: store });
	away = true;
	const third = await run("third", { leases: store });
	for (const one of [first, second, third]) await one.look();
	expect(roles(first, second, third)).toEqual([
		"sequencer",
		"follower",
		"alone",
	]);
	now += lease;
	expect(first.role()).toBe("alone");
	expect(second.role()).toBe("follower");
	await first.end();
	await vi.waitFor(() => expect(second.role()).toBe("alone"));
	expect([first, second, third].flatMap(({ said }) => said)).toEqual([]);
});

it("lets those that asked go at once, also where the store does not answer", async () => {
	const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
	const slow: Leases = {
		...leases,
		release: (...what) => answered.then(() => leases.release(...what)),
	};
	const first = await run("first", { leases: slow });
	const second = await run("second");
	const ending = first.end();
	await vi.waitFor(() => expect(second.role()).toBe("alone"));
	answer();
	await ending;
});

it("looks by itself, three times in a lease", async () => {
	vi.restoreAllMocks();
	leases = memoryLeases({ now: () => Date.now() });
	const first = await run("first", { lease: 150 });
	const second = await run("second", { lease: 150 });
	// Past the lease: it was extended.
	await new Promise((resolve) => setTimeout(resolve, 300));
	expect(roles(first, second)).toEqual(["sequencer", "follower"]);
	await first.end();
	await vi.waitFor(() => expect(second.role()).toBe("sequencer"));
});

it("tells where the sequencer is, and its secret to nobody", async () => {
	expect(await findSequencer(leases)).toBe(undefined);
	const first = await run("first");
	const { host, port } = await noteOf();
	expect(await findSequencer(leases)).toEqual({ host, port });
	now += lease;
	expect(await findSequencer(leases)).toBe(undefined);
	expect(first.said).toEqual([]);
});
