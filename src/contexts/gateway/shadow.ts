import type { Outcome } from "../../kernel/outcome.ts";
import type { Conversations } from "../../ports/conversations.ts";
import type { HttpRequest, HttpResponse } from "../../ports/http-server.ts";
import type { WireOperation } from "../../ports/wire-protocol.ts";
import { whyUnusable } from "../credits/index.ts";
import {
	judgeMessages,
	type LearningCommand,
	readVerdict,
	signalsOf,
} from "../learning/index.ts";
import { type Difficulty, recordOf } from "../routing/index.ts";
import type { Caller } from "./access.ts";
import { agreementOf } from "./agreement.ts";
import { Body } from "./body.ts";
import { describeFault } from "./faults.ts";
import { Flight } from "./flight.ts";
import { expiryOf } from "./hold-expiry.ts";
import { isUnknown } from "./hold-queue.ts";
import { recordedData } from "./model.ts";
import type { Instead, Question } from "./plan.ts";
import { mayBeHeld } from "./resolutions.ts";
import type { ShadowCommand } from "./shadow-log.ts";
import { type Followable, noShadows, type Shadows } from "./shadow-watch.ts";
import type { CallTools } from "./tools.ts";

/** Which calls are sent a second time, to whom, and who pays it. */
export interface ShadowRule {
	/** The candidate: a substrate, a model or one of the owner's own names. */
	readonly to: string;
	/** Of the calls that it is about, 0 to 1. */
	readonly share: number;
	/** Absent: of any. */
	readonly callTypes?: readonly string[];
	readonly difficulties?: readonly Difficulty[];
	/** The account that pays: what it has, and its caps, are the budget. */
	readonly account: string;
	/** The model that compares the two answers. Absent: only rules do. */
	readonly judge?: string;
}

export interface ShadowOptions {
	readonly rules: readonly ShadowRule[];
	readonly conversations: Conversations;
}

/** Shadows at once: more are not sent. */
const most = 8;
/** Bytes of an answer that are looked at. */
const answerBytes = 1024 * 1024;
/** Characters of a conversation that a judge is shown: its end. */
const judgedText = 60_000;
const judgeTokens = 1_000;

/** How one went, as it is counted. */
type Result =
	| "scored"
	/** The candidate answered, and the answer could not be looked at. */
	| "unread"
	| "failed"
	/** A filter, or the key's or account's end, stands before it. */
	| "barred"
	/** What answered is the candidate. */
	| "same"
	| "no-credits"
	| "busy"
	| "stopped";

interface Gathered {
	readonly contentType: string;
	readonly body: Uint8Array;
}

interface Answered extends Gathered {
	readonly call: string;
	readonly substrate: string;
}

export function openShadows(
	calls: Omit<CallTools, "shadows">,
	{ rules, conversations }: ShadowOptions,
): Shadows {
	const { clock, chance, head, metrics, report, gate, readings } = calls;
	const flights = new Map<string, Flight | undefined>();
	const under = new Set<Promise<void>>();
	/** Chosen, and not begun yet. */
	const waiting = new Set<() => void>();
	let stopped = false;

	/** A shadow is tried once, and its vendors' doings are counted with nobody's calls. */
	const tools: CallTools = {
		...calls,
		shadows: noShadows,
		routing: { attempts: 1, fallbacks: 0 },
		metrics: {
			...metrics,
			count(name, labels, by) {
				if (name !== "dos_calls_total") metrics.count(name, labels, by);
			},
			observe() {},
		},
	};

	function ruleFor({ plan, asked }: Followable): ShadowRule | undefined {
		const { stated, inferred } = plan.decision.request;
		if (!plan.shadow || inferred.means !== "generate" || asked.order)
			return undefined;
		const callType = stated.callType ?? inferred.callType;
		const difficulty = stated.difficulty ?? inferred.difficulty;
		return rules.find(
			({ share, callTypes, difficulties }) =>
				(callTypes?.includes(callType) ?? true) &&
				(difficulties?.includes(difficulty) ?? true) &&
				drawn() < share,
		);
	}

	/** From 0 to under 1. */
	function drawn(): number {
		let number = 0;
		for (const byte of chance.bytes(4)) number = (number + byte) / 256;
		return number;
	}

	function count(result: Result): void {
		metrics.count("dos_shadow_total", { result });
	}

	/** The caller as things stand now. */
	function callerOf({ account, key }: Question["caller"]): Caller | undefined {
		const { accounts, keys } = head.state("credits");
		const now = { account: accounts.get(account.id), key: keys.get(key.id) };
		return now.account && now.key && !whyUnusable(now.key, clock.now())
			? { account: now.account, key: now.key }
			: undefined;
	}

	/** Sends a request in the name of nobody but the account that pays, and within what its question allows. */
	async function send(
		call: string,
		rule: ShadowRule,
		question: Question,
		instead: Instead,
		request: HttpRequest,
		besides: string | undefined,
	): Promise<Answered | Exclude<Result, "scored">> {
		if (stopped) return "stopped";
		const { wire, operation, asked } = question;
		const planned = calls.plans.plan(question, instead);
		if (!planned.ok) return "barred";
		const plan = planned.value;
		const leg = plan.next();
		if (!leg) return "barred";
		if (leg.substrate.id === besides) return "same";
		const command = {
			type: "hold" as const,
			call,
			account: rule.account,
			amount: leg.amount,
			expires: expiryOf(calls),
			holder: calls.holder(),
			substrate: leg.substrate.id,
			model: instead.name,
			operation: operation.id,
			sheet: leg.sheet.id,
			route: recordOf(plan.decision),
		};
		flights.set(call, undefined);
		let told = false;
		try {
			const first = question.call;
			const held = await head.execute("credits", command, {
				actor: "system",
				cause: first,
				correlation: first,
			});
			if (!held.ok) return "no-credits";
			told = true;
			if (stopped) {
				await release(call, "stopped");
				return "stopped";
			}
			const tap = new Tap();
			const flight = new Flight(
				tools,
				wire,
				operation,
				request,
				tap,
				{
					asked,
					plan,
					leg,
					command,
					retry: undefined,
					turn: undefined,
					place: undefined,
					held: recordedData<"credits-held">(held.value).amount,
				},
				clock.now(),
			);
			flights.set(call, flight);
			await flight.done;
			if (stopped) return "stopped";
			if (flight.answeredBy === undefined) return "failed";
			const answer = tap.whole();
			return answer
				? { ...answer, call, substrate: flight.answeredBy }
				: "unread";
		} catch (fault) {
			// Ours, and before anything was sent.
			if (isUnknown(fault)) calls.resolutions.disown(command);
			else if (await mayBeHeld(head, call, told))
				await release(call, "not-sent");
			throw fault;
		} finally {
			flights.delete(call);
		}
	}

	async function release(
		call: string,
		ending: "stopped" | "not-sent",
	): Promise<void> {
		const notes = ["Nothing was sent."];
		await calls.resolutions.record({ type: "release", call, ending, notes });
	}

	async function run(
		rule: ShadowRule,
		first: Answered,
		question: Question,
		request: HttpRequest,
	): Promise<Result> {
		const caller = callerOf(question.caller);
		if (!caller) return "barred";
		const call = `${question.call}_shadow`;
		const second = await send(
			call,
			rule,
			{ ...question, caller, now: clock.now() },
			{ name: rule.to },
			request,
			first.substrate,
		);
		if (typeof second === "string") return second;
		const { wire, asked } = question;
		const [one, other] = [first, second].map(({ contentType, body }) =>
			readings.read(wire, asked, contentType, body),
		);
		const judged =
			rule.judge === undefined
				? undefined
				: await judge(rule, rule.judge, first, second, question);
		const outcome = await record("shadows", {
			type: "score-shadow",
			call: question.call,
			account: caller.account.id,
			substrate: first.substrate,
			shadow: { call, account: rule.account, substrate: second.substrate },
			signals: other ? signalsOf(other.asked, other.answer) : {},
			agreement: agreementOf(one, other),
			...(judged && { judged }),
		});
		return outcome.ok ? "scored" : "unread";
	}

	/** The answers go to the judge as well, so what the caller's own call might not reach, this does not reach either. */
	async function judge(
		rule: ShadowRule,
		model: string,
		first: Answered,
		second: Answered,
		question: Question,
	): Promise<{ readonly call: string; readonly score: number } | undefined> {
		const { wire, asked } = question;
		const said = conversations.asked(wire, asked);
		const [one, other] = [first, second].map(({ contentType, body }) =>
			conversations.answered(wire, asked, contentType, body),
		);
		const caller = callerOf(question.caller);
		if (!said || one === undefined || other === undefined || !caller)
			return undefined;
		const conversation = said
			.map(({ role, text }) => `${role}: ${text}`)
			.join("\n\n")
			.slice(-judgedText);
		const asking = conversations.ask(
			model,
			judgeMessages(conversation, { text: other, toolCalls: [] }, rubric(one)),
			judgeTokens,
		);
		const call = `${question.call}_judge`;
		const verdict = await send(
			call,
			rule,
			{
				...question,
				wire: asking.wire,
				operation: asking.operation,
				asked:
					asked.dos === undefined
						? asking.request
						: { ...asking.request, dos: asked.dos },
				previous: undefined,
				caller,
				now: clock.now(),
			},
			{ name: model, callType: "judge" },
			asRequest(asking.operation, {}, asking.request.body),
			undefined,
		);
		if (typeof verdict === "string") return undefined;
		const words = conversations.answered(
			asking.wire,
			asking.request,
			verdict.contentType,
			verdict.body,
		);
		const score = words === undefined ? undefined : readVerdict(words);
		if (score === undefined) return undefined;
		const thousandths = Math.round(score * 1_000);
		await record("learning", {
			type: "record-outcome",
			call: second.call,
			account: rule.account,
			by: `judge/${model}`.slice(0, 64),
			score: thousandths,
		});
		return { call, score: thousandths };
	}

	function record<Decider extends "learning" | "shadows">(
		decider: Decider,
		command: Extract<
			LearningCommand | ShadowCommand,
			Decider extends "shadows" ? ShadowCommand : LearningCommand
		> & { readonly call: string },
	): Promise<Outcome<unknown>> {
		return head.execute(decider, command as never, {
			actor: "system",
			cause: command.call,
			correlation: command.call,
		});
	}

	/** Begins when the call is over for its client and for the gate. */
	function follow(
		rule: ShadowRule,
		first: Omit<Answered, "call">,
		question: Question,
		request: HttpRequest,
	): void {
		if (stopped || waiting.size + under.size >= most) {
			count(stopped ? "stopped" : "busy");
			return;
		}
		const callOff = clock.later(0, () => {
			waiting.delete(callOff);
			const leave = gate.tryEnter(question.asked.body.byteLength);
			if (!leave) {
				count("busy");
				return;
			}
			const done = run(
				rule,
				{ ...first, call: question.call },
				question,
				request,
			)
				.then(count, (fault: unknown) => {
					count(stopped ? "stopped" : "unread");
					if (!stopped)
						report(
							`The shadow of ${question.call} came to nothing: ${describeFault(fault)}`,
						);
				})
				.finally(() => {
					leave();
					under.delete(done);
				});
			under.add(done);
		});
		waiting.add(callOff);
	}

	return {
		watch(request, response, call) {
			if (stopped || waiting.size + under.size >= most) return undefined;
			const rule = ruleFor(call);
			if (!rule) return undefined;
			const tap = new Tap(response);
			const { question } = call.plan;
			const { operation, asked } = question;
			// The client's own request ends with its answer.
			const kept = asRequest(
				operation,
				Object.fromEntries(
					operation.passHeaders.map((name) => [name, request.header(name)]),
				),
				asked.body,
			);
			return {
				response: tap,
				follow(substrate) {
					const answer = tap.whole();
					if (answer) follow(rule, { ...answer, substrate }, question, kept);
					else count("unread");
				},
			};
		},
		carries: (call) => flights.has(call),
		async stop() {
			stopped = true;
			for (const callOff of waiting) {
				callOff();
				count("stopped");
			}
			waiting.clear();
			for (const flight of flights.values()) flight?.stop();
			await Promise.all(under);
		},
	};
}

/** Keeps what is said through it, and passes it on where there is somebody to pass it to. */
class Tap implements HttpResponse {
	readonly #to: HttpResponse | undefined;
	readonly #body = new Body(answerBytes);
	#status = 0;
	#contentType = "";

	constructor(to?: HttpResponse) {
		this.#to = to;
	}

	get started(): boolean {
		return this.#to ? this.#to.started : this.#status !== 0;
	}

	head(status: number, headers: Readonly<Record<string, string>>): void {
		this.#to?.head(status, headers);
		this.#status = status;
		this.#contentType = headers["content-type"] ?? "";
	}

	write(chunk: Uint8Array): boolean {
		this.#body.add(chunk);
		return this.#to?.write(chunk) ?? true;
	}

	end(chunk?: Uint8Array): void {
		if (chunk) this.#body.add(chunk);
		this.#to?.end(chunk);
	}

	abort(): void {
		this.#to?.abort();
	}

	onGone(listener: () => void): void {
		this.#to?.onGone(listener);
	}

	onDrain(listener: () => void): void {
		this.#to?.onDrain(listener);
	}

	/** Undefined: it was no good answer, or more than is looked at. */
	whole(): Gathered | undefined {
		return this.#status === 200 && !this.#body.overflowed
			? { contentType: this.#contentType, body: this.#body.whole() }
			: undefined;
	}
}

function asRequest(
	{ method, path = "/" }: WireOperation,
	headers: Readonly<Record<string, string | undefined>>,
	body: Uint8Array,
): HttpRequest {
	return {
		method,
		path,
		query: "",
		remote: "",
		header: (name) => headers[name],
		body: () => Promise.resolve(body),
	};
}

function rubric(reference: string): string {
	return `Compare the answer with this one, which somebody else gave to the same question:\n<reference>\n${reference.slice(0, judgedText)}\n</reference>\nScore 1 where the answer serves who asked at least as well as the reference, 0 where it is of no use, and between them by how much worse it is.`;
}
