import type { Outcome, Refusal } from "../../kernel/outcome.ts";
import type { Passage } from "../../ports/crossing.ts";
import type {
	Timeouts,
	UpstreamCall,
	UpstreamRequest,
	UpstreamSink,
} from "../../ports/http-client.ts";
import type { HttpRequest, HttpResponse } from "../../ports/http-server.ts";
import type { Warning } from "../../ports/translator.ts";
import type {
	Forwarded,
	Meter,
	Metered,
	TurnWatch,
	WireOperation,
	WireProtocol,
} from "../../ports/wire-protocol.ts";
import type { DataOf, Ending } from "../credits/index.ts";
import type { Recorded } from "../log/index.ts";
import type { Admitted } from "./admission.ts";
import { Body } from "./body.ts";
import { describeFault } from "./faults.ts";
import { recordedData } from "./model.ts";
import type { Resolution } from "./resolutions.ts";
import { respond } from "./respond.ts";
import { costOfCall } from "./settlement.ts";
import type { OutgoingRequest } from "./substrates.ts";
import type { CallTools } from "./tools.ts";
import {
	brokeOff,
	keyMissing,
	mentions,
	refusalOfVendor,
	stopping,
	vendorFailed,
} from "./vendor-refusals.ts";

/** A call under way: from its durable hold to its one resolution. */
export interface Flight {
	/** Resolves when the call is resolved and its answer has ended. Never rejects. */
	readonly done: Promise<void>;
	clientGone(): void;
	/** Breaks the call off; what was delivered is paid. */
	stop(): void;
}

/** A day: how long the first answer to an idempotency key is kept. */
const answerKept = 24 * 3_600_000;
/** Bytes of an answer that are kept for a retry, and that are gathered before a plain answer starts to flow. */
const answerBytes = 4 * 1024 * 1024;
const plainBytes = 1024 * 1024;
/** Bytes of a vendor's error that are passed on. */
const errorBytes = 64 * 1024;

/** Warnings named in a header; all of them stand on the receipt. */
const mostShown = 20;

const passedBack = ["request-id", "x-request-id", "retry-after"];

/** Sends a call whose hold is durable. Whatever happens then, it is resolved once, the vendor is let go and the answer ends. */
export function fly(
	tools: CallTools,
	wire: WireProtocol,
	operation: WireOperation,
	request: HttpRequest,
	response: HttpResponse,
	admitted: Admitted,
	started: number,
): Flight {
	const { clock, metrics } = tools;
	const { asked, substrate, passage, sheet, size, outputLimit, command } =
		admitted;
	const { call } = command;
	const { vendor } = substrate;
	const forwarded: Forwarded = passage.forward(outputLimit);
	const warned = passage.warnings.map(({ message }) => message);
	const sentLimit = outputLimit ?? asked.outputLimit;
	const kept: Body | undefined = admitted.retry
		? new Body(answerBytes)
		: undefined;
	/** Sees the answer that later requests may go on from. */
	let turn: TurnWatch | undefined;
	let upstream: UpstreamCall | undefined;
	let attempts = 0;
	let status = 0;
	let headers: Record<string, string> = {};
	let firstByte: number | undefined;
	let meter: Meter | undefined;
	/** The answer is a stream of events, whatever was asked for. */
	let streaming = false;
	/** A plain answer is gathered up to a bound, so that its head can say what it cost. */
	let gathered: Body | undefined;
	let vendorError: Body | undefined;
	let passedBytes = 0;
	let concluded = false;
	let finish = (): void => {};
	const done = new Promise<void>((resolved) => {
		finish = resolved;
	});

	const sink: UpstreamSink = {
		head(code, header) {
			status = code;
			firstByte = elapsed();
			const contentType = fitting(header("content-type")) ?? "application/json";
			headers = {
				"content-type": contentType,
				...warningsHeader(passage.warnings),
				"x-dos-call-id": call,
				"x-dos-substrate": inHeader(substrate.id),
			};
			if (sentLimit !== asked.outputLimit)
				headers["x-dos-output-limit"] = String(sentLimit);
			for (const name of passedBack) {
				const value = fitting(header(name));
				if (value !== undefined) headers[name] = value;
			}
			if (code < 200 || code >= 300) {
				vendorError = new Body(errorBytes);
				return;
			}
			const answer = passage.answer(forwarded, code, contentType);
			({ meter, streaming } = answer);
			headers["content-type"] = answer.contentType;
			turn =
				admitted.turn && wire.state?.watch(admitted.turn, answer.contentType);
			if (streaming || meter.flows) {
				if (streaming) headers["cache-control"] = "no-cache";
				headers["x-dos-held"] = String(admitted.held);
				start();
			} else {
				gathered = new Body(plainBytes);
			}
		},
		data(chunk) {
			if (vendorError) {
				if (vendorError.add(chunk)) return;
				upstream?.abort();
				concludeVendorError(vendorError);
				return;
			}
			const passed = (meter as Meter).pass(chunk);
			if (passed) deliver(passed);
		},
		end() {
			if (vendorError) return concludeVendorError(vendorError);
			const metered = (meter as Meter).finish();
			if (metered.rest) deliver(metered.rest);
			if (metered.vendorError !== undefined)
				concludeBroken("vendor-error", metered, brokeOff(substrate));
			else if (!metered.complete)
				concludeBroken("vendor-broke-off", metered, brokeOff(substrate));
			else settle("finished", metered, endWhole);
		},
		fail(fault) {
			// Once more, at once: but what has waited in vain for a connection has waited enough.
			if (fault.unsent && attempts < 2 && !fault.code.endsWith("timeout"))
				return send();
			const refusal: Refusal = {
				code: fault.code,
				message: `${substrate.id}: ${fault.message}`,
			};
			const ending: Ending = fault.code.endsWith("timeout")
				? "timeout"
				: fault.unsent
					? "not-sent"
					: "vendor-broke-off";
			if (!meter)
				return release(ending, [fault.message], (charged) =>
					endBroken(refusal, charged),
				);
			const metered = meter.finish();
			if (metered.rest) deliver(metered.rest);
			concludeBroken(ending, metered, refusal);
		},
	};

	/** Milliseconds since the request; the wall clock may be set back in between. */
	function elapsed(): number {
		return Math.max(0, clock.now() - started);
	}

	function send(): void {
		attempts++;
		const { protocol } = substrate;
		const { method } = operation;
		const url = vendor.bases[protocol] + (forwarded.path ?? passage.path);
		const headers = upstreamHeaders(passage, forwarded, request);
		const transmit = (key: Readonly<Record<string, string>>): void => {
			upstream = tools.client.send(
				new Sent(
					protocol,
					method,
					url,
					{ ...headers, ...key },
					forwarded,
					tools.timeouts,
				),
				guardedSink(sink, failInside),
			);
		};
		const key = vendor.authorize(
			new Sent(protocol, method, url, headers, forwarded, tools.timeouts),
		);
		if (!(key instanceof Promise)) {
			transmit(key);
			return;
		}
		key.then(
			(fetched) => {
				if (!concluded) guarded(() => transmit(fetched), failInside);
			},
			(fault: unknown) => guarded(() => notAuthorized(fault), failInside),
		);
	}

	/** The vendor's key could not be had: nothing was sent. */
	function notAuthorized(fault: unknown): void {
		tools.report(`${substrate.id}: ${describeFault(fault)}`);
		release("not-sent", ["No key for the vendor could be had."], (charged) =>
			endBroken(keyMissing(substrate), charged),
		);
	}

	function start(): void {
		response.head(status, headers);
		response.onDrain(() => upstream?.resume());
	}

	function deliver(chunk: Uint8Array): void {
		passedBytes += chunk.byteLength;
		kept?.add(chunk);
		turn?.push(chunk);
		if (gathered) {
			if (gathered.add(chunk)) return;
			// Too large to wait for: it flows from here on, and its cost is on the receipt.
			start();
			for (const piece of gathered.pieces) response.write(piece);
			gathered = undefined;
		}
		if (!response.write(chunk)) upstream?.pause();
	}

	/** The vendor refused: nothing is owed. Its own words go on to the client, unless they are about the owner's key. */
	function concludeVendorError(body: Body): void {
		const about = refusalOfVendor(status, substrate);
		if (about) tools.report(`${substrate.id}: ${about.code} (HTTP ${status}).`);
		const bytes = body.whole();
		const passable =
			status >= 400 &&
			status < 600 &&
			!body.overflowed &&
			headers["content-type"]?.includes("json") &&
			!mentions(bytes, vendor.secrets());
		const own =
			about ?? (passable ? undefined : vendorFailed(status, substrate));
		release("vendor-error", [`The vendor answered ${status}.`], (charged) => {
			if (own) endBroken(own, charged);
			else endPlain(passage.vendorError(status, bytes), charged);
		});
	}

	/** The vendor's fault: what was delivered is paid, and nothing where nothing was. */
	function concludeBroken(
		ending: Ending,
		metered: Metered,
		refusal: Refusal,
	): void {
		const owed = metered.usage !== undefined || metered.deliveredBytes > 0;
		const said = metered.vendorError !== undefined;
		const answer = (charged: number | undefined): void => {
			// The client has the vendor's own error frame already, or gets it with what was delivered.
			if (said && (owed || response.started)) endWhole(charged);
			else endBroken(refusal, charged);
		};
		// What a vendor says of its error may quote the prompt, so the log does not repeat it.
		const note = said
			? "The vendor sent an error in place of an answer."
			: "The vendor delivered nothing.";
		if (owed) settle(ending, metered, answer);
		else release(ending, [note], answer);
	}

	/** The client or the owner ended it: the vendor is told, and what was delivered is paid. */
	function breakOff(ending: "client-gone" | "stopped"): void {
		if (concluded) return;
		const unsent = upstream === undefined || upstream.unsent === true;
		upstream?.abort();
		const answer = (charged: number | undefined): void =>
			ending === "stopped" ? endBroken(stopping, charged) : response.abort();
		if (unsent) release(ending, ["Nothing was sent."], answer);
		else if (vendorError)
			release(ending, [`The vendor answered ${status}.`], answer);
		else {
			// A vendor that already has the request may charge for reading it, so its input is paid even before the first byte.
			const metered = meteredSoFar();
			settle(sawItsEnd(metered) ? "finished" : ending, metered, answer);
		}
	}

	/** Some clients close as soon as they have seen the end that a stream of events names itself. */
	function sawItsEnd(metered: Metered | undefined): boolean {
		return (
			metered?.complete === true &&
			metered.vendorError === undefined &&
			headers["content-type"]?.startsWith("text/event-stream") === true
		);
	}

	/** Something of ours threw: the call ends here, and what was delivered is paid. */
	function failInside(fault: unknown): void {
		tools.report(`${call} failed inside: ${describeFault(fault)}`);
		upstream?.abort();
		const answer = (charged: number | undefined): void =>
			endBroken(failedInside, charged);
		const note = "The gateway failed in the middle of this call.";
		try {
			settle("stopped", meteredSoFar(), answer, [note]);
		} catch (again) {
			tools.report(`${call} has no cost: ${describeFault(again)}`);
			release("stopped", [note], answer);
		}
	}

	function meteredSoFar(): Metered | undefined {
		try {
			return meter?.finish();
		} catch {
			return { ...unread, deliveredBytes: passedBytes };
		}
	}

	function settle(
		ending: Ending,
		metered: Metered | undefined,
		answer: (charged: number | undefined) => void,
		notes: readonly string[] = [],
	): void {
		const settlement = costOfCall(
			sheet,
			asked,
			metered,
			size.inputUsual,
			sentLimit,
			vendor.quirks.reportsCost === true,
		);
		void conclude(
			{
				type: "settle",
				call,
				...settlement,
				notes: [
					...settlement.notes,
					...notes,
					...warned,
					...(metered?.warnings ?? []),
				],
				ending,
				sheet: sheet.id,
				inputBytes: asked.inputBytes,
				finishReason: metered?.finishReason,
				timing: {
					...(firstByte === undefined ? {} : { firstByte }),
					total: elapsed(),
				},
				...(status ? { status } : {}),
			},
			answer,
		);
	}

	function release(
		ending: Ending,
		notes: readonly string[],
		answer: (charged: number | undefined) => void,
	): void {
		void conclude(
			{ type: "release", call, ending, notes, ...(status ? { status } : {}) },
			answer,
		);
	}

	/** The one way out, and the first ending counts. The resolution is recorded before the answer ends: no answer is whole before it is paid. */
	async function conclude(
		resolution: Resolution,
		answer: (charged: number | undefined) => void,
	): Promise<void> {
		if (concluded) return;
		concluded = true;
		if (resolution.ending === "finished") {
			await keep();
			if (turn) await keepTurn(turn);
		}
		const outcome = await tools.resolutions.record(resolution);
		try {
			measure(resolution.ending, outcome);
			answer(chargedBy(resolution, outcome));
		} catch (fault) {
			tools.report(`${call} failed inside: ${describeFault(fault)}`);
			response.abort();
		}
		finish();
	}

	async function keep(): Promise<void> {
		if (!kept || kept.overflowed) return;
		try {
			await tools.answers.keep(
				call,
				{ status, headers: { ...headers }, body: kept.whole() },
				clock.now() + answerKept,
			);
		} catch (fault) {
			tools.report(
				`The answer to ${call} could not be kept for retries: ${describeFault(fault)}`,
			);
		}
	}

	async function keepTurn(watch: TurnWatch): Promise<void> {
		try {
			const kept = watch.finish();
			if (!kept) return;
			const { account, key } = command;
			const outcome = await tools.turns.keep(kept, { account, key, call });
			if (!outcome.ok) tools.report(`${call}: ${outcome.error.message}`);
		} catch (fault) {
			tools.report(
				`The answer to ${call} could not be stored: ${describeFault(fault)}`,
			);
		}
	}

	/** Ends an answer that became all that it was to be. */
	function endWhole(charged: number | undefined): void {
		if (gathered) endPlain(gathered.whole(), charged);
		else response.end();
	}

	function endPlain(body: Uint8Array, charged: number | undefined): void {
		response.head(status, {
			...headers,
			"content-length": String(body.byteLength),
			...creditsHeader(charged),
		});
		response.end(body);
	}

	/** Ends an answer that did not become whole: says why where that can still be said, else lets it be seen. */
	function endBroken(refusal: Refusal, charged: number | undefined): void {
		if (response.started && streaming)
			response.end(meter?.refuse?.(refusal) ?? wire.streamRefusal(refusal));
		else
			respond(wire, response, refusal, {
				"x-dos-call-id": call,
				...creditsHeader(charged),
			});
	}

	function measure(
		ending: Ending,
		outcome: Outcome<Recorded> | undefined,
	): void {
		metrics.count("dos_calls_total", {
			operation: operation.id,
			vendor: vendor.id,
			ending,
		});
		metrics.observe("dos_call_seconds", { operation: operation.id }, elapsed());
		if (firstByte !== undefined)
			metrics.observe(
				"dos_first_byte_seconds",
				{ operation: operation.id },
				firstByte,
			);
		if (!outcome?.ok) return;
		const data = outcome.value.events[0]?.data as Partial<
			DataOf<"credits-settled">
		>;
		if (data.amount !== undefined)
			metrics.count(
				"dos_micro_credits_total",
				{ vendor: vendor.id },
				data.amount,
			);
		if (data.uncollected)
			metrics.count(
				"dos_uncollected_micro_credits_total",
				{ vendor: vendor.id },
				data.uncollected,
			);
		for (const [name, units] of Object.entries(data.usage ?? {}))
			metrics.count(
				"dos_units_total",
				{ vendor: vendor.id, class: name },
				units,
			);
	}

	send();
	return {
		done,
		clientGone: () => guarded(() => breakOff("client-gone"), failInside),
		stop: () => guarded(() => breakOff("stopped"), failInside),
	};
}

/**
 * A request on its way to a vendor, before and after it has its key. A class for its getter: an object
 * literal that has one is given a hidden class of its own each time it is made, which lives until
 * the next full collection, and through the getter's closure a whole ended call lives with it
 * (docs/decisions/0009-hot-path.md, third round).
 */
class Sent implements UpstreamRequest, OutgoingRequest {
	readonly protocol: string;
	readonly method: string;
	readonly url: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly timeouts: Timeouts;
	readonly #forwarded: Forwarded;

	constructor(
		protocol: string,
		method: string,
		url: string,
		headers: Readonly<Record<string, string>>,
		forwarded: Forwarded,
		timeouts: Timeouts,
	) {
		this.protocol = protocol;
		this.method = method;
		this.url = url;
		this.headers = headers;
		this.timeouts = timeouts;
		this.#forwarded = forwarded;
	}

	get body(): Uint8Array {
		return this.#forwarded.body;
	}

	get pieces(): readonly Uint8Array[] | undefined {
		return this.#forwarded.pieces;
	}
}

function guarded(work: () => void, onFault: (fault: unknown) => void): void {
	try {
		work();
	} catch (fault) {
		onFault(fault);
	}
}

/** A sink that lets nothing thrown escape to the HTTP edge, where it would take the process down. */
function guardedSink(
	sink: UpstreamSink,
	onFault: (fault: unknown) => void,
): UpstreamSink {
	return {
		head: (status, header) => guarded(() => sink.head(status, header), onFault),
		data: (chunk) => guarded(() => sink.data(chunk), onFault),
		end: () => guarded(() => sink.end(), onFault),
		fail: (fault) => guarded(() => sink.fail(fault), onFault),
	};
}

/** What was charged: nothing by a release; undefined when the log has not said yet. */
function chargedBy(
	{ type }: Resolution,
	outcome: Outcome<Recorded> | undefined,
): number | undefined {
	if (type === "release") return 0;
	return outcome?.ok
		? recordedData<"credits-settled">(outcome.value).amount
		: undefined;
}

function creditsHeader(charged: number | undefined): Record<string, string> {
	return charged === undefined ? {} : { "x-dos-credits": String(charged) };
}

function upstreamHeaders(
	passage: Passage,
	forwarded: Forwarded,
	request: HttpRequest,
): Record<string, string> {
	const headers: Record<string, string> = {
		"content-type": "application/json",
		...forwarded.headers,
	};
	for (const name of passage.passHeaders) {
		const value = request.header(name);
		if (value !== undefined) headers[name] = value;
	}
	return headers;
}

/** `dropped seed, changed tools.0.parameters`: what of the request could not be carried as it was. */
function warningsHeader(warnings: readonly Warning[]): Record<string, string> {
	if (warnings.length === 0) return {};
	const shown = warnings.slice(0, mostShown);
	const rest = warnings.length - shown.length;
	const text = shown
		.map(({ kind, field }) => `${kind} ${field.slice(0, 100)}`)
		.join(", ");
	return {
		"x-dos-warnings": inHeader(rest > 0 ? `${text}, and ${rest} more` : text),
	};
}

/** A vendor's header value, where an answer of ours can carry it. */
function fitting(value: string | undefined): string | undefined {
	return value !== undefined && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)
		? value
		: undefined;
}

/** A model may have any name: what a header cannot carry is percent-encoded. */
export function inHeader(name: string): string {
	return name.replace(/[^ -~]+/g, (odd) =>
		encodeURIComponent(odd.toWellFormed()),
	);
}

const failedInside: Refusal = {
	code: "gateway/internal",
	message:
		"The gateway failed in the middle of this call. What was delivered is charged; the owner finds the place in its output.",
};

const unread: Metered = {
	rest: undefined,
	usage: undefined,
	absurd: undefined,
	reportedCost: undefined,
	deliveredBytes: 0,
	partialUsage: undefined,
	complete: false,
	finishReason: undefined,
	vendorError: undefined,
};
