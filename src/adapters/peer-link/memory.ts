import { Fault } from "../../kernel/outcome.ts";
import type { Clock } from "../../ports/clock.ts";
import type {
	Peer,
	PeerLink,
	PeerListening,
	PeerPlace,
} from "../../ports/peer-link.ts";

/** What comes after the last text. */
const end = Symbol("end");
const leastSecret = 16;
const longest = 64 * 2 ** 20;
const mostUnread = 64 * 2 ** 20;

/** Links the parts of one process, or of a simulation: what is sent arrives `soon`. */
export function memoryPeerLink(clock: Pick<Clock, "soon">): PeerLink {
	const listening = new Map<string, (secret: Uint8Array) => Peer | undefined>();
	let highest = 0;
	return {
		async listen({ host, port, secret, accept }) {
			const own = { host, port: port === 0 ? ++highest : port };
			const why = !(Number.isInteger(port) && port >= 0 && port < 2 ** 16)
				? "there is no such port"
				: listening.has(name(own))
					? "somebody does already"
					: secret.length < leastSecret
						? "its secret is too short"
						: undefined;
			if (why)
				throw new Fault(
					"peer/cannot-listen",
					`Nobody can listen at ${name(own)}: ${why}.`,
				);
			const open = new Set<Peer>();
			listening.set(name(own), (theirs) => {
				if (!equal(secret, theirs)) return undefined;
				const [far, near] = memoryPeers(clock, () => open.delete(near));
				open.add(near);
				clock.soon(() => {
					try {
						if (open.has(near)) accept(near);
					} catch {
						near.cut();
					}
				});
				return far;
			});
			return {
				...own,
				async close() {
					listening.delete(name(own));
					for (const peer of open) peer.cut();
				},
			} satisfies PeerListening;
		},
		async connect(place, secret) {
			const peer = listening.get(name(place))?.(secret);
			if (peer) return peer;
			throw new Fault(
				"peer/unreachable",
				`Nobody who knows the secret listens at ${name(place)}.`,
				{ retryable: true },
			);
		},
	};
}

/**
 * Both ends of one connection. When either cuts it, all that is under way is lost. `over` is called once it is of no
 * use any more.
 */
export function memoryPeers(
	clock: Pick<Clock, "soon">,
	over: () => void = () => {},
): readonly [Peer, Peer] {
	const one = openSide(clock);
	const other = openSide(clock);
	return [peerOf(one, other, over), peerOf(other, one, over)];
}

interface Side {
	/** Hands over what has arrived, from now on. */
	open(take: (arrived: string | typeof end) => void): void;
	arrive(what: string | typeof end): void;
	/** Forgets what has arrived and was not handed over. */
	clear(): void;
	/** Bytes that have arrived and were not handed over. */
	unread(): number;
	/** Nothing is sent from here any more. */
	silent: boolean;
}

function openSide({ soon }: Pick<Clock, "soon">): Side {
	const inbox: (string | typeof end)[] = [];
	let take: ((arrived: string | typeof end) => void) | undefined;
	let planned = false;
	let unread = 0;
	function plan(): void {
		if (planned || !take || inbox.length === 0) return;
		planned = true;
		soon(() => {
			planned = false;
			for (let next = inbox.shift(); next !== undefined; next = inbox.shift()) {
				unread -= sizeOf(next);
				take?.(next);
			}
		});
	}
	return {
		open(given) {
			take = given;
			plan();
		},
		arrive(what) {
			inbox.push(what);
			unread += sizeOf(what);
			plan();
		},
		clear() {
			inbox.length = 0;
			unread = 0;
		},
		unread: () => unread,
		silent: false,
	};
}

function peerOf(own: Side, other: Side, over: () => void): Peer {
	let ended = false;
	function leave(): void {
		if (own.silent) return;
		own.silent = true;
		other.arrive(end);
	}
	function cut(): void {
		if (ended) return;
		for (const side of [own, other]) {
			side.clear();
			side.arrive(end);
		}
		over();
	}
	return {
		send(text) {
			if (own.silent) return;
			if (other.unread() > mostUnread || sizeOf(text) > longest) cut();
			else other.arrive(text.toWellFormed());
		},
		hear(listener) {
			own.open((arrived) => {
				if (ended) return;
				if (arrived === end) {
					ended = true;
					leave();
					over();
					listener.ended();
					return;
				}
				try {
					listener.message(arrived);
				} catch {
					cut();
				}
			});
		},
		end: leave,
		cut,
	};
}

function sizeOf(what: string | typeof end): number {
	return what === end ? 0 : Buffer.byteLength(what);
}

function name({ host, port }: PeerPlace): string {
	return `${host}:${port}`;
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
	return (
		one.length === other.length &&
		one.every((byte, index) => byte === other[index])
	);
}
