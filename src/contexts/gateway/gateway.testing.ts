import { memoryAnswerStore } from "../../adapters/answer-store/memory.ts";
import { memoryEventLog } from "../../adapters/event-log/memory.ts";
import { memoryPeers } from "../../adapters/peer-link/memory.ts";
import { canonicalJson } from "../../adapters/runtime/canonical-json.ts";
import { nodeDigest } from "../../adapters/runtime/digest.ts";
import {
	type ManualClock,
	manualClock,
} from "../../adapters/runtime/manual-clock.ts";
import type { DomainEvent } from "../../kernel/event.ts";
import { accept, Fault, refuse } from "../../kernel/outcome.ts";
import type { AnswerStore } from "../../ports/answer-store.ts";
import type { CatalogueSnapshot } from "../../ports/catalogue.ts";
import type { Continuations } from "../../ports/continuation.ts";
import type { Crossings } from "../../ports/crossing.ts";
import type { EventLog } from "../../ports/event-log.ts";
import type {
	HttpClient,
	UpstreamFault,
	UpstreamRequest,
	UpstreamSink,
} from "../../ports/http-client.ts";
import type { HttpRequest, HttpResponse } from "../../ports/http-server.ts";
import type { PriceBook, PriceSheet } from "../../ports/price-book.ts";
import type { Readings } from "../../ports/reading.ts";
import type {
	Metered,
	WireOperation,
	WireProtocol,
	WireRequest,
} from "../../ports/wire-protocol.ts";
import type { CreditsCommand, credits } from "../credits/index.ts";
import { type Head, openForwarding, openHead } from "../log/index.ts";
import { openDesk, type RoutingCommand } from "../routing/index.ts";
import { forwardable, ledgerDeciders } from "./deciders.ts";
import { type Gateway, openGateway } from "./gateway.ts";
import type { AttemptRules, LedgerDeciders } from "./model.ts";
import type { ShadowOptions } from "./shadow.ts";
import {
	type ActiveVendor,
	openSubstrates,
	type VendorKey,
} from "./substrates.ts";

/** What the tests of this folder share: a gateway on a manual clock, between a client and a vendor that the test plays. */

/** 1 micro-credit an input token, 2 an output token. */
export const sheet: PriceSheet = {
	id: "test sheet",
	rates: {
		input: [{ from: 0, price: 1_000_000 }],
		output: [{ from: 0, price: 2_000_000 }],
	},
};

export const prices: PriceBook = {
	version: "test",
	find: (_, model) => (model === "unpriced" ? undefined : sheet),
	models: () => [],
};

/** A log that refuses to write with `fault.code` while that is set. */
export function faultyLog(log: EventLog): EventLog & { fault?: string } {
	const faulty: EventLog & { fault?: string } = {
		...log,
		write: (work) =>
			faulty.fault === undefined
				? log.write(work)
				: Promise.reject(
						new Fault(faulty.fault, "The disk refuses.", { retryable: true }),
					),
	};
	return faulty;
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (words: string) => new TextEncoder().encode(words);

/** Nothing is listed: what is called is called by its name. */
export const noCatalogue: CatalogueSnapshot = {
	version: "c-none",
	substrates: [],
	off: {},
};

/** Everybody speaks the one protocol. */
export const noCrossings: Crossings = {
	reaches: () => false,
	open: () => {
		throw new Error("Nothing crosses here.");
	},
};

export const chat: WireOperation & { readonly path: string } = {
	id: "chat",
	means: "generate",
	method: "POST",
	path: "/v1/chat",
	upstreamPath: "/chat",
	passHeaders: ["x-passed"],
};

/**
 * A protocol in which each chunk is a word: `t:…` text, `u:<in>,<out>` usage, `e:…` an error of the
 * vendor's, `d` the proper end, `h:…` is held back until the end; `!` makes the meter throw, `!!` for good.
 * A model named `unforwardable` makes `forward` throw.
 */
export const testWire: WireProtocol = {
	id: "test",
	operations: [chat],
	read(operation, body) {
		let asked: { model?: string; stream?: boolean; max?: number; n?: number };
		try {
			asked = JSON.parse(text(body));
		} catch {
			return refuse("request/malformed-json", "No JSON.");
		}
		return accept(askedFor({ operation, body, ...asked }));
	},
	traits: (request) => ({
		means: "generate",
		inputBytes: request.inputBytes,
		messages: 1,
		last: "user",
		tools: askedShape(request).tools ?? 0,
		step: 0,
		images: 0,
		documents: 0,
		audio: 0,
		schema: askedShape(request).schema ?? false,
		reasoning: "none",
		logprobs: false,
		stream: request.stream,
		outputLimit: request.outputLimit,
	}),
	forward(request, { model, outputLimit }) {
		if (model === "unforwardable") throw new TypeError("my secret prompt");
		return {
			body: bytes(JSON.stringify({ model, limit: outputLimit })),
			usageAsked: false,
			outputLimit: outputLimit ?? request.outputLimit,
		};
	},
	meter() {
		let delivered = 0;
		let broken = false;
		const seen: { -readonly [Name in keyof Metered]: Metered[Name] } = {
			...nothingMetered,
		};
		return {
			pass(chunk) {
				const word = text(chunk);
				broken ||= word === "!!";
				if (word.startsWith("!"))
					throw new SyntaxError("Unexpected token in my secret prompt");
				if (word.startsWith("t:")) delivered += word.length - 2;
				if (word.startsWith("u:")) {
					const [input, output] = word.slice(2).split(",").map(Number);
					seen.usage = { input: input as number, output: output as number };
				}
				if (word.startsWith("e:")) seen.vendorError = word.slice(2);
				if (word === "d") seen.complete = true;
				if (!word.startsWith("h:")) return chunk;
				seen.rest = chunk;
				return undefined;
			},
			finish() {
				if (broken) throw new SyntaxError("My secret prompt again");
				return { ...seen, deliveredBytes: seen.usage ? 0 : delivered };
			},
		};
	},
	refusal: (status, refusal) => ({
		headers: { "content-type": "application/json" },
		body: bytes(JSON.stringify({ status, ...refusal })),
	}),
	streamRefusal: (refusal) => bytes(`\nrefused ${refusal.code}`),
	model: () => bytes("one"),
	models: () => bytes("[]"),
	speaks: () => true,
	clientKey: (header) => header("x-key"),
};

/** Words are text wherever they stand; errors of the vendor's stay out, and `x:…` is what nobody can go on with. */
const testContinuations: Continuations = {
	tell(wire, operation, request) {
		let said = "";
		let stuck = false;
		let mark = "";
		return {
			push(chunk) {
				const word = text(chunk);
				if (word.startsWith("e:")) return undefined;
				if (word.startsWith("t:")) said += word.slice(2);
				stuck ||= word.startsWith("x:");
				const marked = bytes(mark + word);
				mark = "";
				return marked;
			},
			end: () => undefined,
			refuse: wire.streamRefusal,
			get characters() {
				return said.length;
			},
			rest(used) {
				if (stuck) return refuse("resume/impossible", "it is stuck.");
				const { max, ...asked } = JSON.parse(text(request.body));
				if (max && max - used < 1)
					return refuse("resume/used-up", "it is used up.");
				const left = { ...asked, said, ...(max && { max: max - used }) };
				return wire.read(operation.id, bytes(JSON.stringify(left)));
			},
			goOn(speaker) {
				mark = `[${speaker} after ${said.length}]`;
			},
		};
	},
};

/** What a test asks for beside what requests have. */
function askedShape(request: WireRequest): {
	readonly tools?: number;
	readonly schema?: boolean;
} {
	return request as WireRequest & { tools?: number; schema?: boolean };
}

export const nothingMetered: Metered = {
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

export const heldInput = 1_000;
export const usualInput = 250;

/** What a client asked for: 1,000 input bytes, for which a first call holds 1,000 tokens and is estimated at `usualInput`. */
export function askedFor(
	asked: Partial<WireRequest> & { max?: number; n?: number } = {},
): WireRequest {
	return {
		operation: "chat",
		body: bytes("{}"),
		model: "mock/m",
		stream: false,
		outputLimit: asked.max,
		choices: asked.n ?? 1,
		inputBytes: 1_000,
		mediaParts: 0,
		serverTools: [],
		opaque: undefined,
		...asked,
	};
}

/** The client of one request, as the HTTP edge would show it, and strict about how it is answered. */
export interface TestClient {
	readonly response: HttpResponse;
	/** Status as answered; 0 before. */
	status: number;
	headers: Readonly<Record<string, string>>;
	/** What arrived. */
	body: string;
	over: "open" | "ended" | "aborted" | "left";
	/** Everything that an answer must not do. */
	readonly violations: string[];
	/** While true, writes say that the client cannot follow. */
	slow: boolean;
	leave(): void;
	drain(): void;
	json(): { code?: string; message?: string; details?: object };
}

function testClient(): TestClient {
	const gone: (() => void)[] = [];
	const drains: (() => void)[] = [];
	const late = (verb: string) => {
		if (client.over === "ended" || client.over === "aborted")
			client.violations.push(`${verb} after the answer was ${client.over}`);
	};
	const client: TestClient = {
		status: 0,
		headers: {},
		body: "",
		over: "open",
		violations: [],
		slow: false,
		leave() {
			if (client.over !== "open") return;
			client.over = "left";
			for (const listener of gone) listener();
		},
		drain() {
			client.slow = false;
			for (const listener of drains) listener();
		},
		json: () => JSON.parse(client.body),
		response: {
			head(status, headers) {
				late("head");
				if (client.status !== 0) client.violations.push("a second head");
				for (const value of Object.values(headers)) {
					if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
						throw new Fault("http/bad-head", "No header can carry this.");
				}
				if (status < 200 || status > 599)
					throw new Fault("http/bad-head", "No status.");
				client.status = status;
				client.headers = headers;
			},
			write(chunk) {
				late("write");
				if (client.status === 0) client.violations.push("write before head");
				if (client.over === "open") client.body += text(chunk);
				return !client.slow;
			},
			end(chunk) {
				late("end");
				if (client.status === 0) client.violations.push("end before head");
				if (client.over !== "open") return;
				if (chunk) client.body += text(chunk);
				client.over = "ended";
			},
			abort() {
				late("abort");
				if (client.over === "open") client.over = "aborted";
			},
			onGone: (listener) => gone.push(listener),
			onDrain: (listener) => drains.push(listener),
			get started() {
				return client.status !== 0;
			},
		},
	};
	return client;
}

/** The vendor's side of one request: what the test makes it do is ignored once it cannot happen any more. */
export interface TestUpstream {
	readonly request: UpstreamRequest;
	/** To break the rules of the port with. */
	readonly sink: UpstreamSink;
	/** When it was sent. */
	readonly at: number;
	state: "connecting" | "sent" | "answering" | "over" | "aborted";
	paused: boolean;
	connect(): void;
	head(status?: number, headers?: Readonly<Record<string, string>>): void;
	data(word: string): void;
	end(): void;
	fail(code?: string): void;
}

export const streamHead = { "content-type": "text/event-stream" };

function testUpstream(
	request: UpstreamRequest,
	sink: UpstreamSink,
	at: number,
): TestUpstream & { abort(): void } {
	const upstream: TestUpstream & { abort(): void } = {
		request,
		sink,
		at,
		state: "connecting",
		paused: false,
		connect() {
			if (upstream.state === "connecting") upstream.state = "sent";
		},
		head(status = 200, headers = { "content-type": "application/json" }) {
			upstream.connect();
			if (upstream.state !== "sent") return;
			upstream.state = "answering";
			sink.head(status, (name) => headers[name]);
		},
		data(word) {
			if (upstream.state === "answering" && !upstream.paused)
				sink.data(bytes(word));
		},
		end() {
			if (upstream.state !== "answering" || upstream.paused) return;
			upstream.state = "over";
			sink.end();
		},
		fail(code = "upstream/reset") {
			if (upstream.state === "over" || upstream.state === "aborted") return;
			const fault: UpstreamFault = {
				code,
				message: "The vendor is lost.",
				unsent: upstream.state === "connecting",
			};
			upstream.state = "over";
			sink.fail(fault);
		},
		abort() {
			if (upstream.state !== "over") upstream.state = "aborted";
		},
	};
	return upstream;
}

/** A call as a test sees it. */
export interface TestCall extends TestClient {
	/** Resolves when the gateway has done with it. */
	readonly done: Promise<void>;
}

export interface TestGateway {
	readonly clock: ManualClock;
	readonly log: EventLog & { fault?: string };
	readonly head: Head<LedgerDeciders>;
	readonly gateway: Gateway;
	readonly reports: string[];
	/** Requests that reached the vendor's edge, in order. */
	readonly upstreams: TestUpstream[];
	/** What must never happen: a request that leaves without a durable hold, say. */
	readonly violations: string[];
	run(command: CreditsCommand): Promise<void>;
	route(command: RoutingCommand): Promise<void>;
	call(
		asked?: object,
		options?: {
			retry?: string;
			key?: string;
			body?: Promise<Uint8Array>;
			headers?: Readonly<Record<string, string>>;
		},
	): TestCall;
	/** A call that has got as far as it can, and its upstream. */
	called(
		asked?: object,
		options?: Parameters<TestGateway["call"]>[1],
	): Promise<{ call: TestCall; upstream: TestUpstream }>;
	account(): { granted: number; spent: number; held: number; holds: number };
	/** Events of these types, oldest first, with their data. */
	// biome-ignore lint/suspicious/noExplicitAny: what was recorded is what the test looks at.
	events(...types: string[]): Promise<DomainEvent<string, any>[]>;
}

function forwardTo(
	other: Head<LedgerDeciders>,
	own: Head<LedgerDeciders>,
	log: EventLog,
	clock: ManualClock,
): Head<LedgerDeciders> {
	const [far, near] = memoryPeers(clock);
	openForwarding({ head: other, log, clock, forwardable }).serve(near);
	const forwarding = openForwarding({ head: own, log, clock, forwardable });
	forwarding.follow(far);
	return forwarding.head;
}

export async function openTestGateway(
	options: {
		grant?: number;
		wait?: number;
		outputCeiling?: number;
		requestsPerMinute?: number;
		catalogue?: CatalogueSnapshot;
		attempts?: AttemptRules;
		cachePrice?: number;
		/** Nothing can be kept or found. */
		failingAnswers?: boolean;
		vendors?: readonly string[];
		prices?: PriceBook;
		/** Of answers to requests with `tools` or `schema`. */
		readings?: Readings;
		shadow?: ShadowOptions;
		/** Another process decides holds and their resolutions, and what it records is not seen here by itself. */
		forwards?: boolean;
		/** Milliseconds since 1970 UTC. */
		start?: number;
		/** By vendor, where it has more than one. */
		keys?: Readonly<Record<string, ActiveVendor["keys"]>>;
	} = {},
): Promise<TestGateway> {
	const clock = manualClock(
		options.start === undefined ? {} : { start: options.start },
	);
	const log = faultyLog(memoryEventLog());
	const openOne = () =>
		openHead<LedgerDeciders>({
			log,
			deciders: ledgerDeciders,
			clock,
			digest: nodeDigest,
		});
	const own = await openOne();
	const newest = options.forwards ? await openOne() : own;
	const head = options.forwards ? forwardTo(newest, own, log, clock) : own;
	let ids = 0;
	const reports: string[] = [];
	const upstreams: TestUpstream[] = [];
	const violations: string[] = [];
	const client: HttpClient = {
		send(request, sink) {
			// A call that asks two at once has held for both.
			const each = options.attempts?.hedge ? 2 : 1;
			if (newest.state("credits").holds.size * each < open() + 1)
				violations.push("a request left without a hold of its own");
			const upstream = testUpstream(request, sink, clock.now());
			upstreams.push(upstream);
			return {
				abort: upstream.abort,
				pause: () => {
					upstream.paused = true;
				},
				resume: () => {
					upstream.paused = false;
				},
				get unsent() {
					return upstream.state === "connecting";
				},
			};
		},
		close() {},
	};
	const open = () =>
		upstreams.filter(({ state }) => state !== "over" && state !== "aborted")
			.length;
	const gateway = openGateway({
		head,
		log,
		clock,
		chance: {
			bytes: (length) => new Uint8Array(length),
			id: () => `c${++ids}`,
		},
		digest: nodeDigest,
		client,
		answers: options.failingAnswers ? failingAnswers : memoryAnswerStore(),
		substrates: openSubstrates({
			vendors: (options.vendors ?? ["mock"]).map((id) => ({
				id,
				bases: { test: `https://${id}.test` },
				keys: options.keys?.[id] ?? [testKey("1")],
				secrets: () => ["Bearer vendor-secret"],
				quirks: {},
			})),
			off: {},
			aliases: {},
			prices: options.prices ?? prices,
			crossings: noCrossings,
		}),
		crossings: noCrossings,
		continuations: testContinuations,
		readings: options.readings ?? { read: () => undefined },
		...(options.shadow && { shadow: options.shadow }),
		desk: openDesk({
			state: () => head.state("routing"),
			catalogue: options.catalogue ?? noCatalogue,
			digest: nodeDigest,
		}),
		holds: { wait: options.wait ?? 0, outputCeiling: options.outputCeiling },
		attempts: options.attempts ?? { attempts: 1, fallbacks: 0 },
		cachePrice: options.cachePrice ?? 0,
		canonicalJson,
		crowd: { calls: 1_000, queue: 1_000, wait: 1_000 },
		bodyBytes: 32 * 1024 * 1024,
		timeouts: {
			connect: 1_000,
			firstByte: 5_000,
			idle: 5_000,
			total: 60_000,
		},
		requestsPerMinute: options.requestsPerMinute,
		holder: () => "here",
		gone: async (holders) =>
			new Set(holders.filter((one) => one !== "here" && one !== "another")),
		report: (line) => reports.push(line),
	});
	async function run(command: CreditsCommand): Promise<void> {
		const outcome = await head.execute("credits", command, {
			actor: "operator",
		});
		if (!outcome.ok) throw new Error(outcome.error.code);
	}
	async function route(command: RoutingCommand): Promise<void> {
		const outcome = await head.execute("routing", command, {
			actor: "operator",
		});
		if (!outcome.ok) throw new Error(outcome.error.code);
	}
	await run({ type: "open-account", account: "main", name: "main" });
	await run({
		type: "grant",
		account: "main",
		amount: options.grant ?? 1_000_000,
	});
	await run(keyCommand("key"));

	const bench: TestGateway = {
		clock,
		log,
		head,
		gateway,
		reports,
		upstreams,
		violations,
		run,
		route,
		call(asked = {}, { retry, key = "key", body, headers: more } = {}) {
			const made = testClient();
			const headers: Record<string, string | undefined> = {
				...more,
				"x-key": key,
				"idempotency-key": retry,
			};
			const request: HttpRequest = {
				method: "POST",
				path: chat.path,
				query: "",
				remote: "127.0.0.1",
				header: (name) => headers[name],
				body: () =>
					body ??
					Promise.resolve(
						bytes(JSON.stringify({ model: "mock/m", max: 50, ...asked })),
					),
			};
			const done = gateway.serve(testWire, chat, request, made.response);
			return Object.assign(made, { done });
		},
		async called(asked, callOptions) {
			const call = bench.call(asked, callOptions);
			await clock.settle();
			const upstream = upstreams.at(-1) as TestUpstream;
			return { call, upstream };
		},
		account() {
			const { granted, spent, held, holds } = head
				.state("credits")
				.accounts.get("main") as NonNullable<
				ReturnType<ReturnType<typeof credits.initial>["accounts"]["get"]>
			>;
			return { granted, spent, held, holds: holds.size };
		},
		async events(...types) {
			const found: DomainEvent[] = [];
			for await (const batch of log.read(0)) {
				for (const { type, data, stream, time, position } of batch) {
					if (types.includes(type))
						found.push({
							type,
							data: JSON.parse(data),
							stream,
							time,
							position,
						});
				}
			}
			return found;
		},
	};
	return bench;
}

const failingAnswers: AnswerStore = {
	keep: () => Promise.reject(new Fault("store/failed", "No disk.")),
	find: () => Promise.reject(new Fault("store/failed", "No disk.")),
	sweep: async () => 0,
};

/** A vendor's key that authorizes as itself. */
export function testKey(id: string): VendorKey {
	return {
		id,
		weight: 1,
		authorize: () => ({
			authorization: id === "1" ? "Bearer vendor-secret" : `Bearer ${id}`,
		}),
	};
}

/** A vendor's key that cannot be chosen: a fault of our own. */
export const brokenKey: VendorKey = {
	...testKey("1"),
	get weight(): number {
		throw new TypeError("my secret prompt");
	},
};

/** Makes a key whose text is its id. */
export function keyCommand(
	key: string,
	more: Partial<Extract<CreditsCommand, { type: "create-key" }>> = {},
): CreditsCommand {
	return {
		type: "create-key",
		account: "main",
		key,
		name: key,
		hash: nodeDigest.text(key),
		hint: "…",
		scopes: { can: ["call", "read"] },
		...more,
	};
}
