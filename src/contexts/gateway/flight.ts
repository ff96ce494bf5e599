import { Fault, type Outcome, type Refusal } from "../../kernel/outcome.ts";
import type {
	UpstreamCall,
	UpstreamFault,
	UpstreamSink,
} from "../../ports/http-client.ts";
import type { HttpRequest, HttpResponse } from "../../ports/http-server.ts";
import type {
	Forwarded,
	Meter,
	Metered,
	WireOperation,
	WireProtocol,
} from "../../ports/wire-protocol.ts";
import type { CreditsCommand, DataOf, Ending } from "../credits/index.ts";
import type { Recorded } from "../log/index.ts";
import type { Admitted } from "./admission.ts";
import { type Body, openBody } from "./body.ts";
import type { CallTools } from "./call.ts";
import { recordedData } from "./model.ts";
import { respond } from "./respond.ts";
import { costOfCall } from "./settlement.ts";
import {
	brokeOff,
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
	stop(): Promise<void>;
}

/** A day: how long the first answer to an idempotency key is kept. */
const answerKept = 24 * 3_600_000;
/** Bytes of an answer that are kept for a retry, and that are gathered before a plain answer starts to flow. */
const answerBytes = 4 * 1024 * 1024;
const plainBytes = 1024 * 1024;
/** Bytes of a vendor's error that are looked at. */
const errorBytes = 64 * 1024;
/** Milliseconds between tries to record a settlement that the log refused. */
const settleAgain = 1_000;

const passedBack = ["request-id", "x-request-id", "retry-after"];

/** Records a resolution until the log takes it: a settlement is never dropped because a disk was full for a while. */
export async function resolve(
	tools: CallTools,
	command: CreditsCommand & { readonly call: string },
	actor: string,
): Promise<Outcome<Recorded> | undefined> {
	try {
		return await tools.head.execute("credits", command, {
			actor,
			cause: command.call,
		});
	} catch (fault) {
		const code = fault instanceof Fault ? fault.code : "log/failed";
		tools.report(
			`${command.call} could not be ${command.type === "settle" ? "settled" : "released"} yet (${code}); it is tried again until the log takes it.`,
		);
		if (code !== "log/closed")
			tools.clock.later(settleAgain, () => void resolve(tools, command, actor));
		return undefined;
	}
}

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
	const { call, asked, substrate, sheet, size, outputLimit } = admitted;
	const { vendor } = substrate;
	const forwarded: Forwarded = wire.forward(asked, {
		model: substrate.model,
		outputLimit,
		quirks: vendor.quirks,
	});
	const sentLimit = outputLimit ?? asked.outputLimit;
	const kept: Body | undefined = admitted.keepAnswer
		? openBody(answerBytes)
		: undefined;
	let upstream: UpstreamCall | undefined;
	let attempts = 0;
	let status = 0;
	let headers: Record<string, string> = {};
	let firstByte: number | undefined;
	let meter: Meter | undefined;
	/** A plain answer is gathered up to a bound, so that its head can say what it cost. */
	let gathered: Body | undefined;
	let vendorError: Body | undefined;
	let reached = false;
	let concluded = false;
	let finish = (): void => {};
	const done = new Promise<void>((resolved) => {
		finish = resolved;
	});

	const sink: UpstreamSink = {
		head(code, header) {
			status = code;
			reached = true;
			firstByte = clock.now() - started;
			const contentType = header("content-type") ?? "application/json";
			headers = {
				"content-type": contentType,
				"x-dos-call-id": call,
				"x-dos-substrate": substrate.id,
			};
			if (sentLimit !== asked.outputLimit)
				headers["x-dos-output-limit"] = String(sentLimit);
			for (const name of passedBack) {
				const value = header(name);
				if (value !== undefined) headers[name] = value;
			}
			if (code < 200 || code >= 300) {
				vendorError = openBody(errorBytes);
				return;
			}
			meter = wire.meter(asked, forwarded, code, contentType);
			if (contentType.startsWith("text/event-stream")) {
				headers["cache-control"] = "no-cache";
				headers["x-dos-held"] = String(admitted.held);
				start();
			} else {
				gathered = openBody(plainBytes);
			}
		},
		data(chunk) {
			if (vendorError) return void vendorError.add(chunk);
			const passed = (meter as Meter).pass(chunk);
			if (passed) deliver(passed);
		},
		end() {
			if (vendorError) return void concludeVendorError(vendorError);
			const metered = (meter as Meter).finish();
			if (metered.rest) deliver(metered.rest);
			if (metered.vendorError !== undefined)
				void concludeBroken("vendor-error", metered, undefined);
			else if (metered.complete) void conclude("finished", metered);
			else void concludeBroken("vendor-broke-off", metered, undefined);
		},
		fail(fault) {
			if (fault.unsent && attempts < 2) return send();
			void concludeFault(fault);
		},
	};

	function send(): void {
		attempts++;
		upstream = tools.client.send(
			{
				method: operation.method,
				url: vendor.bases[wire.id] + operation.upstreamPath,
				headers: upstreamHeaders(operation, request, vendor.headers),
				body: forwarded.body,
				timeouts: tools.timeouts,
			},
			sink,
		);
	}

	function start(): void {
		response.head(status, headers);
		response.onDrain(() => upstream?.resume());
	}

	function deliver(chunk: Uint8Array): void {
		kept?.add(chunk);
		if (gathered) {
			if (gathered.add(chunk)) return;
			// Too large to wait for: it flows from here on, and its cost is on the receipt.
			start();
			for (const piece of gathered.pieces()) response.write(piece);
			gathered = undefined;
		}
		if (!response.write(chunk)) upstream?.pause();
	}

	/** Settles with what is known, then lets the answer end: it is never whole before it is paid. */
	async function conclude(
		ending: Ending,
		metered: Metered | undefined,
		refusal?: Refusal,
	): Promise<void> {
		if (concluded) return;
		concluded = true;
		const settlement = costOfCall(
			sheet,
			asked,
			metered,
			size.inputTokens,
			sentLimit,
			vendor.quirks.reportsCost === true,
		);
		const total = clock.now() - started;
		if (ending === "finished" && kept && !kept.overflowed) {
			await tools.answers
				.keep(
					call,
					{ status, headers: { ...headers }, body: kept.whole() },
					clock.now() + answerKept,
				)
				.catch((fault: unknown) =>
					tools.report(
						`The answer to ${call} could not be kept for retries: ${String(fault)}`,
					),
				);
		}
		const outcome = await resolve(
			tools,
			{
				type: "settle",
				call,
				...settlement,
				ending,
				sheet: sheet.id,
				inputBytes: asked.inputBytes,
				finishReason: metered?.finishReason,
				timing: { ...(firstByte === undefined ? {} : { firstByte }), total },
				status,
			},
			"system",
		);
		measure(ending, total, outcome);
		const charged = outcome?.ok
			? recordedData<"credits-settled">(outcome.value).amount
			: undefined;
		if (refusal && !response.started)
			respond(wire, response, refusal, {
				"x-dos-call-id": call,
				"x-dos-credits": String(charged ?? 0),
			});
		else endAnswer(ending, metered, charged, refusal);
		finish();
	}

	function endAnswer(
		ending: Ending,
		metered: Metered | undefined,
		charged: number | undefined,
		refusal: Refusal | undefined,
	): void {
		const cost =
			charged === undefined ? {} : { "x-dos-credits": String(charged) };
		if (gathered) {
			if (ending !== "finished" && ending !== "vendor-error") {
				respond(wire, response, refusal ?? brokeOff(substrate), {
					"x-dos-call-id": call,
					...cost,
				});
				return;
			}
			const body = gathered.whole();
			const length = { "content-length": String(body.byteLength) };
			response.head(status, { ...headers, ...length, ...cost });
			response.end(body);
		} else if (ending === "finished" || metered?.vendorError !== undefined) {
			// The vendor's own error frame has passed already.
			response.end();
		} else if (asked.stream && ending !== "client-gone") {
			response.end(wire.streamRefusal(refusal ?? brokeOff(substrate)));
		} else {
			response.abort();
		}
	}

	async function release(
		ending: Ending,
		refusal: Refusal | undefined,
		notes: readonly string[],
	): Promise<void> {
		if (concluded) return;
		concluded = true;
		const outcome = await resolve(
			tools,
			{ type: "release", call, ending, notes, ...(status ? { status } : {}) },
			"system",
		);
		measure(ending, clock.now() - started, outcome);
		if (refusal)
			respond(wire, response, refusal, {
				"x-dos-call-id": call,
				"x-dos-credits": "0",
			});
		finish();
	}

	/** The vendor refused: nothing is owed. Its own words go on to the client, unless they are about the owner's key. */
	async function concludeVendorError(body: Body): Promise<void> {
		const about = refusalOfVendor(status, substrate);
		if (about) tools.report(`${substrate.id}: ${about.code} (HTTP ${status}).`);
		const bytes = body.whole();
		const own =
			about ??
			(isJson(headers["content-type"]) &&
			!mentions(bytes, Object.values(vendor.headers))
				? undefined
				: vendorFailed(status, substrate));
		if (own)
			return release("vendor-error", own, [`The vendor answered ${status}.`]);
		if (concluded) return;
		await release("vendor-error", undefined, [
			`The vendor answered ${status}.`,
		]);
		response.head(status, {
			...headers,
			"x-dos-credits": "0",
			"content-length": String(bytes.byteLength),
		});
		response.end(bytes);
	}

	async function concludeFault(fault: UpstreamFault): Promise<void> {
		const refusal: Refusal = {
			code: fault.code,
			message: `${substrate.id}: ${fault.message}`,
		};
		const ending: Ending = fault.code.endsWith("timeout")
			? "timeout"
			: fault.unsent
				? "not-sent"
				: "vendor-broke-off";
		if (!meter) return release(ending, refusal, [fault.message]);
		const metered = meter.finish();
		if (metered.rest) deliver(metered.rest);
		return concludeBroken(ending, metered, refusal);
	}

	/** The vendor's fault: what was delivered is paid, and nothing where nothing was. */
	function concludeBroken(
		ending: Ending,
		metered: Metered,
		refusal: Refusal | undefined,
	): Promise<void> {
		const nothing = !metered.usage && metered.deliveredBytes === 0;
		if (!nothing || response.started) return conclude(ending, metered, refusal);
		return release(ending, refusal ?? brokeOff(substrate), [
			metered.vendorError ?? "The vendor delivered nothing.",
		]);
	}

	function measure(
		ending: Ending,
		total: number,
		outcome: Outcome<Recorded> | undefined,
	): void {
		metrics.count("dos_calls_total", {
			operation: operation.id,
			vendor: vendor.id,
			ending,
		});
		metrics.observe("dos_call_seconds", { operation: operation.id }, total);
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

	/** The client or the owner ended it: the vendor is told, and what was delivered is paid. */
	function breakOff(ending: Ending): Promise<void> {
		if (concluded) return done;
		upstream?.abort();
		// A vendor that already has the request may charge for reading it, so its input is paid even before the first byte.
		if (attempts === 0)
			return release("not-sent", undefined, ["Nothing was sent."]);
		if (vendorError)
			return release("vendor-error", undefined, [
				`The vendor answered ${status}.`,
			]);
		const metered = reached ? meter?.finish() : undefined;
		return conclude(
			ending,
			metered,
			ending === "stopped" ? stopping : undefined,
		);
	}

	send();
	return {
		done,
		clientGone: () => void breakOff("client-gone"),
		stop: () => breakOff("stopped"),
	};
}

function upstreamHeaders(
	operation: WireOperation,
	request: HttpRequest,
	vendorHeaders: Readonly<Record<string, string>>,
): Record<string, string> {
	const headers: Record<string, string> = {
		"content-type": "application/json",
		...vendorHeaders,
	};
	for (const name of operation.passHeaders) {
		const value = request.header(name);
		if (value !== undefined) headers[name] = value;
	}
	return headers;
}

function isJson(contentType: string | undefined): boolean {
	return contentType?.includes("json") === true;
}
