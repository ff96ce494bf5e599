import type { Clock } from "../../ports/clock.ts";
import type { Readings } from "../../ports/reading.ts";
import type {
	WireOperation,
	WireProtocol,
	WireRequest,
} from "../../ports/wire-protocol.ts";
import {
	type LearningCommand,
	openRepeats,
	signalsOf,
} from "../learning/index.ts";
import type { Head } from "../log/index.ts";
import type { Decision } from "../routing/index.ts";
import { Body } from "./body.ts";
import { describeFault } from "./faults.ts";
import type { Metrics } from "./metrics.ts";
import type { LedgerDeciders, Report } from "./model.ts";

/** Of a call whose hold is durable, what is looked back at. */
export interface Begun {
	readonly asked: WireRequest;
	readonly command: {
		readonly call: string;
		readonly account: string;
		readonly key?: string | undefined;
	};
	readonly plan: { readonly decision: Pick<Decision, "request"> };
}

type Observed = Extract<LearningCommand, { type: "observe-answer" }>;

/**
 * Looks back at calls for what shows that an answer was not good enough: a schema that it breaks, a tool call that
 * does not fit, a client that asks the same again. Beside calls and never in their way: what fails here is reported,
 * and changes nothing. Only what is wrong is recorded; what was asked for stands with each call's decision.
 */
export interface Hindsight {
	/** A call whose hold is durable and that a vendor is to answer. */
	began(operation: WireOperation, begun: Begun): void;
	/** Of an answer that can be judged: what gathers it. Undefined: it cannot, or too many are being gathered. */
	watch(
		wire: WireProtocol,
		begun: Begun,
		contentType: string,
	): Watched | undefined;
	/** A call was answered in full. */
	answered(call: string): void;
	/** Looks at what still waits, and records it. */
	close(): Promise<void>;
}

/** An answer on its way to the client, gathered. */
export interface Watched {
	add(chunk: Uint8Array): void;
	/** The client has the whole of it: it is looked at when there is time. */
	judge(): void;
	/** It did not become whole. */
	drop(): void;
}

/** Larger answers are not looked at, and so many at a time. */
const mostBytes = 256 * 1024;
const mostWatched = 256;
/** Milliseconds that observations are gathered, to be one commit. */
const restful = 100;

export function openHindsight(tools: {
	readonly head: Head<LedgerDeciders>;
	readonly clock: Clock;
	readonly readings: Readings;
	readonly metrics: Metrics;
	readonly report: Report;
}): Hindsight {
	const { head, clock, readings, metrics, report } = tools;
	const repeats = openRepeats();
	let watched = 0;
	const waiting: Gathering[] = [];
	let observed: Observed[] = [];
	let recording: Promise<void> = Promise.resolve();
	/** Undefined: nothing waits. */
	let callOff: (() => void) | undefined;

	class Gathering implements Watched {
		/** Undefined once it is over. */
		#body: Body | undefined = new Body(mostBytes);
		readonly #wire: WireProtocol;
		readonly #begun: Begun;
		readonly #contentType: string;

		constructor(wire: WireProtocol, begun: Begun, contentType: string) {
			this.#wire = wire;
			this.#begun = begun;
			this.#contentType = contentType;
			watched++;
		}

		add(chunk: Uint8Array): void {
			if (this.#body?.add(chunk) === false) this.drop();
		}

		judge(): void {
			if (!this.#body) return;
			waiting.push(this);
			lookLater();
		}

		drop(): void {
			if (!this.#body) return;
			this.#body = undefined;
			watched--;
		}

		look(): void {
			const { asked, command } = this.#begun;
			const body = this.#body?.whole();
			this.drop();
			const reading =
				body && readings.read(this.#wire, asked, this.#contentType, body);
			if (!reading) return;
			const { schema, tools } = signalsOf(reading.asked, reading.answer);
			count("schema", schema);
			count("tools", tools);
			if (schema !== false && tools !== false) return;
			const { call, account } = command;
			observed.push({
				type: "observe-answer",
				call,
				account,
				...(schema === false && { schema }),
				...(tools === false && { tools }),
			});
		}
	}

	function count(of: string, fits: boolean | undefined): void {
		if (fits !== undefined)
			metrics.count("dos_answers_judged_total", { of, fits: String(fits) });
	}

	function lookLater(): void {
		callOff ??= clock.later(restful, lookOn);
	}

	/** One answer at a time: calls go on in between. */
	function lookOn(): void {
		lookAtNext();
		if (waiting.length > 0) clock.soon(lookOn);
		else {
			callOff = undefined;
			recording = record();
		}
	}

	function lookAtNext(): void {
		const next = waiting.shift();
		try {
			next?.look();
		} catch (fault) {
			report(`An answer could not be judged: ${describeFault(fault)}`);
		}
	}

	async function record(): Promise<void> {
		const commands = observed;
		observed = [];
		const outcomes = await Promise.allSettled(
			commands.map((command) =>
				head.execute("learning", command, {
					actor: "system",
					cause: command.call,
				}),
			),
		);
		const lost = outcomes.find(({ status }) => status === "rejected");
		if (lost?.status === "rejected")
			report(
				`What was seen of answers could not be recorded: ${describeFault(lost.reason)}`,
			);
	}

	return {
		began({ means }, { asked, command }) {
			if (means !== "generate") return;
			const { call, account, key } = command;
			const earlier = repeats.saw(
				key ?? account,
				nameOf(asked),
				call,
				clock.now(),
			);
			if (earlier === undefined) return;
			observed.push({
				type: "observe-answer",
				call: earlier,
				account,
				repeatedBy: call,
			});
			lookLater();
		},
		watch(wire, begun, contentType) {
			const { means, capabilities } = begun.plan.decision.request.inferred;
			const judged =
				means === "generate" &&
				(capabilities.includes("tools") ||
					capabilities.includes("json-schema"));
			return judged && watched < mostWatched
				? new Gathering(wire, begun, contentType)
				: undefined;
		},
		answered(call) {
			repeats.answered(call, clock.now());
		},
		async close() {
			callOff?.();
			while (waiting.length > 0) lookAtNext();
			await Promise.all([recording, record()]);
		},
	};
}

/** What is asked, and of whom, in few characters. */
function nameOf({ body, model, operation }: WireRequest): string {
	return `${quickHash(body)} ${operation} ${model.slice(0, 200)}`;
}

/** Bytes up to which all are looked at; of more their beginning, their end, and as many words in between. */
const wholeBytes = 16 * 1024;
const beginBytes = 2 * 1024;
const endBytes = 4 * 1024;
const betweenWords = 512;

/** 53 bits by which bytes can be told from others that nobody made to be like them: no hash for anything that counts. */
export function quickHash(bytes: Uint8Array): number {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const { byteLength: size } = view;
	const words = size - 3;
	const between = size <= wholeBytes ? words : beginBytes;
	const end = size <= wholeBytes ? words : size - endBytes;
	const stride = Math.max(4, Math.floor((end - between) / betweenWords));
	let one = 0xdeadbeef ^ size;
	let other = 0x41c6ce57 ^ size;
	let at = 0;
	while (at < words) {
		const word = view.getUint32(at, true);
		one = Math.imul(one ^ word, 0x9e3779b1);
		one ^= one >>> 15;
		other = Math.imul(other ^ word, 0x5f356495);
		other ^= other >>> 13;
		at += at >= between && at < end ? stride : 4;
	}
	for (at = Math.max(0, size - 4); at < size; at++) {
		one = Math.imul(one ^ view.getUint8(at), 0x9e3779b1);
		other = Math.imul(other ^ view.getUint8(at), 0x5f356495);
	}
	one = Math.imul(one ^ (one >>> 16), 0x85ebca6b) ^ (other >>> 13);
	other = Math.imul(other ^ (other >>> 16), 0xc2b2ae35) ^ (one >>> 16);
	return (other >>> 0) + 0x1_0000_0000 * (one & 0x1f_ffff);
}
