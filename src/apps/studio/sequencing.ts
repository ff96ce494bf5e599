import { isIP } from "node:net";
import type { Forwarding } from "../../contexts/log/index.ts";
import type { Chance } from "../../ports/chance.ts";
import type { Leases } from "../../ports/lease.ts";
import type {
	PeerLink,
	PeerListening,
	PeerPlace,
} from "../../ports/peer-link.ts";

const duty = "duty/sequencer";

/** This run's part in who decides for the fleet. */
export interface Sequencing {
	/** `sequencer` decides for others that reach it, `follower` asks it, `alone` decides for itself. */
	role(): "sequencer" | "follower" | "alone";
	/** Looks now who it is, and asks them from then on. Never rejects. */
	look(): Promise<void>;
	/** Begins to listen, and to look: now, and three times in a lease. */
	begin(): Promise<void>;
	/** Decides alone from now on; those who asked us are let go. */
	end(): Promise<void>;
}

/**
 * Of the replicas on a log, one holds the lease `duty/sequencer` and says in its note where it is, and the secret of
 * those who may ask it: whoever may read the leases may write the log as well. All others ask it, as long as they reach it.
 * Two may hold themselves for it, and nobody may be reached at all: all of that costs time, and nothing else.
 */
export function openSequencing(options: {
	readonly forwarding: Pick<
		// biome-ignore lint/suspicious/noExplicitAny: of any deciders.
		Forwarding<any>,
		"follow" | "serve" | "standAlone" | "forwards"
	>;
	readonly leases: Leases;
	readonly link: PeerLink;
	readonly chance: Chance;
	/** Where others are listened for. */
	readonly place: PeerPlace;
	/** What must be the same for two to understand each other: of the program, and of its rules. */
	readonly dialect: string;
	/** How long it is held, in milliseconds. */
	readonly lease: number;
	readonly report: (line: string) => void;
}): Sequencing {
	const { forwarding, leases, link, place, dialect, lease, report } = options;
	const secret = options.chance.bytes(32);
	const name = options.chance.id();
	let listening: PeerListening | undefined;
	let token: number | undefined;
	/** Until when it is ours for sure: counted from before it was asked for. */
	let oursUntil = 0;
	/** Who could not be reached, so that it is said once. */
	let unreached: string | undefined;
	let looking: Promise<void> | undefined;
	let timer: NodeJS.Timeout | undefined;
	let ended = false;

	async function lookOnce(): Promise<void> {
		const asked = performance.now();
		try {
			if (listening) {
				const { host, port } = listening;
				const note = { host, port, secret: hex(secret), dialect };
				token = await leases.take(duty, name, lease, JSON.stringify(note));
				oursUntil = token === undefined ? 0 : asked + lease;
			}
			if (ended) return;
			if (token !== undefined) return forwarding.standAlone();
			if (forwarding.forwards()) return;
			const found = await readHeld(leases);
			if (found?.dialect === dialect) await ask(found);
		} catch {
			// The store does not answer: whoever writes to it says so.
		}
	}

	async function ask(found: Note): Promise<void> {
		const where = `${found.host}:${found.port}`;
		try {
			const peer = await link.connect(found, found.secret);
			if (ended) return peer.cut();
			forwarding.follow(peer);
			unreached = undefined;
		} catch (fault) {
			if (unreached !== where)
				report(
					`${(fault as Error).message} Until it can be, calls are written to the log from here, which is slower with many replicas.`,
				);
			unreached = where;
		}
	}

	async function look(): Promise<void> {
		if (ended) return;
		looking ??= lookOnce().finally(() => {
			looking = undefined;
		});
		await looking;
	}

	function plan(): void {
		timer = setTimeout(
			() => void look().then(() => ended || plan()),
			lease / 3,
		);
		timer.unref();
	}

	return {
		role: () =>
			forwarding.forwards()
				? "follower"
				: performance.now() < oursUntil
					? "sequencer"
					: "alone",
		look,
		async begin() {
			try {
				listening = await link.listen({
					...place,
					secret,
					accept: (peer) => forwarding.serve(peer),
				});
			} catch (fault) {
				report((fault as Error).message);
			}
			if (ended) return listening?.close();
			// Not waited for: one that drops what it is sent would hold up the start.
			void look().then(() => ended || plan());
		},
		async end() {
			ended = true;
			clearTimeout(timer);
			// Before the store is waited for: who asks us decides for itself from now on.
			forwarding.standAlone();
			await listening?.close();
			await looking;
			oursUntil = 0;
			if (token !== undefined)
				await leases.release(duty, token).catch(() => {
					// It runs out by itself.
				});
		},
	};
}

/** Where the one is that decides for all, as far as the leases tell. Never its secret. */
export async function findSequencer(
	leases: Pick<Leases, "list">,
): Promise<PeerPlace | undefined> {
	const note = await readHeld(leases);
	return note && { host: note.host, port: note.port };
}

interface Note extends PeerPlace {
	readonly secret: Uint8Array;
	readonly dialect: string;
}

async function readHeld(
	leases: Pick<Leases, "list">,
): Promise<Note | undefined> {
	const [held] = await leases.list(duty);
	return held && held.left > 0 ? readNote(held.note) : undefined;
}

/** Undefined where another version of the program wrote something else. */
function readNote(text: string): Note | undefined {
	try {
		const { host, port, secret, dialect } = JSON.parse(text);
		return typeof host === "string" &&
			isIP(host) !== 0 &&
			Number.isInteger(port) &&
			port > 0 &&
			port <= 65_535 &&
			typeof secret === "string" &&
			/^[0-9a-f]{64}$/.test(secret) &&
			typeof dialect === "string"
			? { host, port, secret: Buffer.from(secret, "hex"), dialect }
			: undefined;
	} catch {
		return undefined;
	}
}

function hex(bytes: Uint8Array): string {
	return Buffer.from(bytes).toString("hex");
}
