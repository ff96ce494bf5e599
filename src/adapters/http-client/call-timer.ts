import type { Timeouts } from "../../ports/http-client.ts";

/** What a call waits for; `send` while a long request is still going out, bounded by the whole alone. */
export type Phase = "connect" | "send" | "firstByte" | "idle";

/** What hears once which limit was passed. */
export interface Timed {
	passed(code: string, message: string): void;
}

/**
 * The four limits of a call on one timer, which is set anew when it rings and not whenever
 * something arrives: most calls set it once.
 */
export class CallTimer {
	phase: Phase = "connect";
	readonly #timeouts: Timeouts;
	readonly #call: Timed;
	readonly #started = performance.now();
	#since = this.#started;
	#due = Number.POSITIVE_INFINITY;
	#paused = false;
	#stopped = false;
	#timer: NodeJS.Timeout | undefined;

	constructor(timeouts: Timeouts, call: Timed) {
		this.#timeouts = timeouts;
		this.#call = call;
		this.#arm(Math.min(timeouts.connect, timeouts.total));
	}

	enter(phase: Phase): void {
		this.phase = phase;
		this.#restart();
	}

	/** Something of the answer arrived. */
	touch(): void {
		this.#since = performance.now();
	}

	/** A slow client is not the vendor's silence. */
	pause(): void {
		this.#paused = true;
	}

	resume(): void {
		this.#paused = false;
		this.#restart();
	}

	stop(): void {
		this.#stopped = true;
		clearTimeout(this.#timer);
	}

	#restart(): void {
		this.#since = performance.now();
		const ends = this.#phaseEnds();
		if (ends >= this.#due) return;
		clearTimeout(this.#timer);
		this.#arm(ends - this.#since);
	}

	#phaseEnds(): number {
		if (this.phase === "send" || this.#paused) return Number.POSITIVE_INFINITY;
		return this.#since + this.#timeouts[this.phase];
	}

	#arm(milliseconds: number): void {
		if (this.#stopped) return;
		const wait = Math.min(Math.max(1, milliseconds), longestTimer);
		this.#due = performance.now() + wait;
		this.#timer = setTimeout(ring, wait, this);
	}

	rang(): void {
		const now = performance.now();
		const phaseEnds = this.#phaseEnds();
		const totalEnds = this.#started + this.#timeouts.total;
		const next = Math.min(phaseEnds, totalEnds);
		// A timer may ring a fraction of a millisecond early.
		if (next > now + 1) {
			this.#arm(next - now);
			return;
		}
		this.stop();
		const [code, message] =
			phaseEnds < totalEnds ? silences[this.phase] : silences.send;
		this.#call.passed(code, message);
	}
}

function ring(timer: CallTimer): void {
	timer.rang();
}

/** Node and Bun take a longer one for 1 ms. */
const longestTimer = 2_147_483_647;

const silences = {
	connect: [
		"upstream/connect-timeout",
		"The connection to the vendor did not stand in time.",
	],
	send: [
		"upstream/total-timeout",
		"The call took longer than it may take in all.",
	],
	firstByte: [
		"upstream/first-byte-timeout",
		"The vendor did not begin to answer in time.",
	],
	idle: [
		"upstream/idle-timeout",
		"The vendor fell silent in the middle of its answer.",
	],
} as const;
