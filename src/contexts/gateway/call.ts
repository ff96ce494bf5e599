import { Fault, type Refusal } from "../../kernel/outcome.ts";
import type { AnswerStore } from "../../ports/answer-store.ts";
import type { Chance } from "../../ports/chance.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Digest } from "../../ports/digest.ts";
import type { EventLog } from "../../ports/event-log.ts";
import type { HttpClient, Timeouts } from "../../ports/http-client.ts";
import type { HttpRequest, HttpResponse } from "../../ports/http-server.ts";
import type { WireOperation, WireProtocol } from "../../ports/wire-protocol.ts";
import type { Head } from "../log/index.ts";
import type { Access } from "./access.ts";
import { admit } from "./admission.ts";
import { type Flight, fly, resolve } from "./flight.ts";
import type { HoldQueue } from "./hold-queue.ts";
import type { Metrics } from "./metrics.ts";
import type { HoldRules, LedgerDeciders, Report } from "./model.ts";
import { respond } from "./respond.ts";
import type { Substrates } from "./substrates.ts";

/** What carrying out a call needs. */
export interface CallTools {
	readonly head: Head<LedgerDeciders>;
	readonly log: EventLog;
	readonly clock: Clock;
	readonly chance: Chance;
	readonly digest: Digest;
	readonly client: HttpClient;
	readonly answers: AnswerStore;
	readonly access: Access;
	readonly substrates: Substrates;
	readonly queue: HoldQueue;
	readonly metrics: Metrics;
	readonly holds: HoldRules;
	readonly timeouts: Timeouts;
	/** Names this process on its holds. */
	readonly holder: string;
	readonly report: Report;
}

/** Calls under way in this process. */
export interface Flights {
	readonly size: number;
	/** Aborts them all; what was delivered is paid. Resolves when each is resolved in the log. */
	stop(): Promise<void>;
}

export interface Calls {
	readonly flights: Flights;
	/** Answers one request of a client to a model. Never rejects. */
	serve(
		wire: WireProtocol,
		operation: WireOperation,
		request: HttpRequest,
		response: HttpResponse,
	): Promise<void>;
}

export function openCalls(tools: CallTools): Calls {
	const { clock, metrics } = tools;
	const flights = new Set<Flight>();

	async function serve(
		wire: WireProtocol,
		operation: WireOperation,
		request: HttpRequest,
		response: HttpResponse,
	): Promise<void> {
		const started = clock.now();
		const call = `call_${tools.chance.id()}`;
		let gone = false;
		let flight: Flight | undefined;
		response.onGone(() => {
			gone = true;
			flight?.clientGone();
		});
		let held = false;
		try {
			const admitted = await admit(
				tools,
				wire,
				operation,
				request,
				call,
				() => gone,
			);
			if (!admitted.ok)
				return answerRefusal(wire, response, call, admitted.error);
			if ("kept" in admitted.value) {
				const { status, headers, body } = admitted.value.kept;
				response.head(status, {
					...headers,
					"content-length": String(body.byteLength),
					"x-dos-replayed": "true",
				});
				response.end(body);
				return;
			}
			held = true;
			flight = fly(
				tools,
				wire,
				operation,
				request,
				response,
				admitted.value,
				started,
			);
			flights.add(flight);
			if (gone) flight.clientGone();
			await flight.done;
			flights.delete(flight);
		} catch (fault) {
			// A fault of ours between hold and sending: nothing has left, so nothing is owed.
			if (held && !flight)
				void resolve(
					tools,
					{
						type: "release",
						call,
						ending: "not-sent",
						notes: ["The gateway failed before it sent the call."],
					},
					"system",
				);
			answerFault(wire, response, call, fault);
		}
	}

	function answerRefusal(
		wire: WireProtocol,
		response: HttpResponse,
		call: string,
		refusal: Refusal,
	): void {
		metrics.count("dos_refusals_total", { code: refusal.code });
		respond(wire, response, refusal, { "x-dos-call-id": call });
	}

	function answerFault(
		wire: WireProtocol,
		response: HttpResponse,
		call: string,
		fault: unknown,
	): void {
		const known = fault instanceof Fault ? fault : undefined;
		if (!known)
			tools.report(
				`A request failed inside: ${fault instanceof Error ? fault.message : String(fault)}`,
			);
		else if (known.code.startsWith("log/"))
			tools.report(`${known.code}: ${known.message}`);
		answerRefusal(wire, response, call, {
			code: known?.code ?? "gateway/internal",
			message:
				known?.message ??
				"The gateway failed on this request; nothing was charged. The owner finds the reason in its output.",
			...(known?.details ? { details: known.details } : {}),
		});
	}

	return {
		serve,
		flights: {
			get size() {
				return flights.size;
			},
			async stop() {
				await Promise.all([...flights].map((one) => one.stop()));
			},
		},
	};
}
