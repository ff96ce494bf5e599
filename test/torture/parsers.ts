import fc from "fast-check";
import { memoryEventLog } from "../../src/adapters/event-log/memory.ts";
import {
	ownerCeiling,
	ownerPriceBook,
} from "../../src/adapters/price-book/owner-rows.ts";
import { nodeDigest } from "../../src/adapters/runtime/digest.ts";
import {
	ed25519Signer,
	generateSignerKey,
} from "../../src/adapters/runtime/signer.ts";
import { anthropicMessages } from "../../src/adapters/wire/anthropic-messages/protocol.ts";
import { openaiChat } from "../../src/adapters/wire/openai-chat/protocol.ts";
import { parseAmount } from "../../src/apps/cli/amounts.ts";
import {
	parseConfig,
	parseDuration,
	starterConfig,
} from "../../src/apps/config.ts";
import {
	checkProof,
	exportLog,
	importLog,
	openCheckpoint,
	openTree,
	proveEvent,
	signerKey,
} from "../../src/contexts/log/index.ts";
import { genesisHash, parseLine, sealEvent } from "../../src/kernel/event.ts";
import { formatCredits } from "../../src/kernel/money.ts";
import { Fault, type Outcome } from "../../src/kernel/outcome.ts";
import {
	parseCheckpoint,
	parseNote,
	parseVerifierKey,
} from "../../src/kernel/signed-note.ts";
import type { WireProtocol } from "../../src/ports/wire-protocol.ts";
import { chatAnswer, chatFrames, messageFrames } from "../support/upstream.ts";
import { type Case, must, mustEqual, type Scenario } from "./scenario.ts";

/** Milliseconds that one input may take, and megabytes that one case may leave behind. */
const longest = 2_000;
const memoryLimit = 300;

/** A scenario that feeds a parser from a generator; fast-check shrinks what breaks it. */
function parser<T>(
	name: string,
	inputs: () => fc.Arbitrary<T>,
	runs: number,
	check: (input: T) => void | Promise<void>,
): Scenario {
	return {
		name: `parse-${name}`,
		promise:
			"The parser ends in one of its declared outcomes, in time and in bounded memory, whatever it is given.",
		rounds: { long: 5, short: 1 },
		async play({ seed, short }: Case) {
			const before = process.memoryUsage().rss;
			const count = short ? Math.ceil(runs / 20) : runs;
			let slowest = 0;
			await fc.assert(
				fc.asyncProperty(inputs(), async (input) => {
					const began = performance.now();
					await check(input);
					const took = performance.now() - began;
					slowest = Math.max(slowest, took);
					must(took < longest, `An input took ${Math.round(took)} ms`);
				}),
				{ seed, numRuns: count },
			);
			const grown = (process.memoryUsage().rss - before) / 1_048_576;
			must(grown < memoryLimit, `Memory grew by ${Math.round(grown)} MB`);
			return `${count} inputs, the slowest ${slowest.toFixed(1)} ms`;
		},
	};
}

/** A good text with pieces cut out, doubled, moved or replaced by bytes that mean something to parsers. */
function mutated(
	texts: readonly string[],
	tokens: readonly string[],
): fc.Arbitrary<string> {
	const change = fc.record({
		at: fc.double({ min: 0, max: 1, noNaN: true }),
		length: fc.nat(40),
		kind: fc.constantFrom("cut", "double", "put", "flip"),
		token: fc.oneof(fc.constantFrom(...tokens), fc.string({ maxLength: 12 })),
	});
	return fc
		.tuple(fc.constantFrom(...texts), fc.array(change, { maxLength: 6 }))
		.map(([text, changes]) => {
			let result = text;
			for (const { at, length, kind, token } of changes) {
				const start = Math.floor(at * result.length);
				const head = result.slice(0, start);
				const piece = result.slice(start, start + length);
				const tail = result.slice(start + length);
				if (kind === "cut") result = head + tail;
				else if (kind === "double") result = head + piece + piece + tail;
				else if (kind === "put") result = head + token + piece + tail;
				else result = head + token + piece.slice(token.length) + tail;
			}
			return result;
		});
}

function bytesOf(texts: fc.Arbitrary<string>): fc.Arbitrary<Uint8Array> {
	return fc.oneof(
		{ weight: 4, arbitrary: texts.map((text) => Buffer.from(text)) },
		{
			weight: 1,
			arbitrary: texts.map((text) => Buffer.from(text, "latin1")),
		},
		{ weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
	);
}

const jsonTokens = [
	"{",
	"}",
	"[",
	"]",
	":",
	",",
	'"',
	"\\",
	"\\u0000",
	"\\ud800",
	"null",
	"true",
	"-0",
	"1e999",
	"-1",
	"9007199254740993",
	'"model":',
	'"usage":',
	'"__proto__":',
	'"constructor":',
	"\n",
	"\r\n",
	"\n\n",
	"data:",
	"data: [DONE]\n\n",
	"event: error\n",
	"\u2028",
	"\ufeff",
	"[".repeat(200),
	'{"a":'.repeat(200),
];

const request = {
	model: "mock/m",
	max_tokens: 50,
	n: 2,
	stream: true,
	stream_options: { include_usage: false },
	temperature: 0.5,
	system: [{ type: "text", text: "Be brief" }],
	tools: [
		{ type: "function", function: { name: "f", parameters: {} } },
		{ type: "web_search_20250305", name: "web_search" },
	],
	messages: [
		{ role: "user", content: "héllo ✓ 😀" },
		{
			role: "user",
			content: [
				{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
				{ type: "image", source: { type: "base64", data: "AAAA" } },
				{ type: "text", text: "x" },
			],
		},
	],
};
const requests = [
	JSON.stringify(request),
	JSON.stringify(
		{ ...request, stream: false, n: undefined, max_completion_tokens: 50 },
		null,
		2,
	),
	JSON.stringify({ model: "m", input: ["a", "b"] }),
];
const readCodes = [
	"request/malformed-json",
	"request/invalid-utf8",
	"request/too-deep",
	"request/duplicate-member",
	"request/invalid",
];

function mustRefuseWith(
	outcome: Outcome<unknown>,
	codes: readonly string[],
): void {
	if (outcome.ok) return;
	must(
		codes.includes(outcome.error.code),
		`Refused with ${outcome.error.code}`,
	);
	must(
		outcome.error.message.length < 50_000,
		"The refusal is longer than anyone reads",
	);
}

function checkRequest(wire: WireProtocol, body: Uint8Array): void {
	for (const { id, means } of wire.operations) {
		const read = wire.read(id, body);
		mustRefuseWith(read, readCodes);
		if (!read.ok) continue;
		const { value } = read;
		must(value.model.length > 0, "A request without a model was accepted");
		for (const count of [
			value.choices,
			value.inputBytes,
			value.mediaParts,
			value.outputLimit ?? 0,
		])
			must(Number.isSafeInteger(count) && count >= 0, `A count is ${count}`);
		// What goes out is JSON that says the model we price and the limit we hold for.
		const { body: sent } = wire.forward(value, {
			model: "priced-model",
			outputLimit: 7,
			quirks: {},
		});
		const said = JSON.parse(Buffer.from(sent).toString()) as Record<
			string,
			unknown
		>;
		mustEqual(said.model, "priced-model", "The model that goes out");
		if (means === "generate")
			mustEqual(
				said.max_tokens ?? said.max_completion_tokens,
				7,
				"The limit that goes out",
			);
	}
}

const answers = [
	chatAnswer("Hello there", { prompt: 20, completion: 30 }),
	chatFrames(["Hello ", "there ✓😀"], { prompt: 20, completion: 30 }).join(""),
	messageFrames(["Hello ", "there ✓😀"], { input: 20, output: 30 }).join(""),
	'{"id":"msg_1","content":[{"type":"text","text":"Hello"}],"usage":{"input_tokens":1,"output_tokens":2}}',
	'data: {"error":{"message":"overloaded","code":529}}\n\n',
];

const asked = Object.fromEntries(
	[openaiChat, anthropicMessages].map((wire) => {
		const operation = wire.operations[0]?.id as string;
		const read = wire.read(
			operation,
			Buffer.from(
				JSON.stringify({
					model: "m",
					max_tokens: 50,
					stream: true,
					messages: [],
				}),
			),
		);
		if (!read.ok) throw new Error(read.error.message);
		return [wire.id, read.value];
	}),
);

function checkMeter(
	wire: WireProtocol,
	bytes: Uint8Array,
	cuts: readonly number[],
	stream: boolean,
): void {
	const from = asked[wire.id];
	must(from, "There is no request");
	for (const usageAsked of [false, true]) {
		const meter = wire.meter(
			from,
			{ body: from.body, usageAsked, outputLimit: 50 },
			200,
			stream ? "text/event-stream" : "application/json",
		);
		const passed: Uint8Array[] = [];
		let start = 0;
		for (const cut of [
			...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b),
			bytes.length,
		]) {
			const out = meter.pass(bytes.slice(start, cut));
			if (out) passed.push(out);
			start = cut;
		}
		const { rest, usage, partialUsage, reportedCost, deliveredBytes } =
			meter.finish();
		if (rest) passed.push(rest);
		const whole = Buffer.concat(passed);
		if (usageAsked && stream)
			must(whole.length <= bytes.length, "More came out than went in");
		else must(whole.equals(bytes), "Bytes were changed on their way");
		for (const count of [
			...Object.values(usage ?? {}),
			...Object.values(partialUsage ?? {}),
			deliveredBytes,
			reportedCost ?? 0,
		])
			must(Number.isSafeInteger(count) && count >= 0, `A count is ${count}`);
		must(
			deliveredBytes <= Math.max(bytes.length, 1) * 2,
			`${deliveredBytes} bytes of text in an answer of ${bytes.length}`,
		);
	}
}

const fullConfig = `${starterConfig.replace(/^# ?(?=[ a-z])/gm, "")}`;
const sampleConfig = `
account: main
listen: { host: 127.0.0.1, port: 4141, hosts: [studio.local] }
limits: { bodyBytes: 32 MiB, requestsPerMinute: 60 }
timeouts: { connect: 10s, total: 30m }
vendors:
  own: { protocol: openai-chat, base: "http://127.0.0.1:1/v1", key: "\${OWN_KEY}", quirks: { reportsCost: true } }
models: { fast: own/m }
prices: [{ vendor: own, model: "*", prices: { input: 1, output: 2 } }]
ceiling: { input: 1, output: 2 }
`;
const yamlTokens = [
	"&a ",
	"*a ",
	"<<: ",
	"!!js/function ",
	"!!binary ",
	"---\n",
	"...\n",
	"? ",
	"- ",
	": ",
	"{",
	"[",
	"|\n",
	">\n",
	"\t",
	"%YAML 1.1\n",
	"!!set ",
	"__proto__: ",
	"constructor: ",
	"9".repeat(400),
	"-1",
	".inf",
	".nan",
	"0x",
	"1e999",
	"\u0000",
	"'",
	'"',
	"[".repeat(500),
	"a: {".repeat(100),
];
const secret = "PLANTED-SECRET-41ac";

function checkConfig(text: string): void {
	try {
		const { config } = parseConfig(text, {
			environment: {},
			file: "config.yaml",
			folder: "/home",
		});
		mustRefuseWith(ownerPriceBook(config.prices), ["config/price-invalid"]);
		if (config.ceiling !== undefined)
			mustRefuseWith(ownerCeiling(config.ceiling), ["config/price-invalid"]);
		must(
			Number.isSafeInteger(config.limits.bodyBytes) &&
				Number.isFinite(config.timeouts.total),
			"A limit is no number",
		);
	} catch (fault) {
		must(
			fault instanceof Fault && fault.code === "config/invalid",
			`Threw ${(fault as Error).stack}`,
		);
		must(
			!fault.message.includes(secret),
			"A mistake's message repeats a value",
		);
	}
}

const prices: fc.Arbitrary<unknown> = fc.array(
	fc.record(
		{
			vendor: fc.oneof(
				fc.constantFrom("own", "*", "*".repeat(50), "a*".repeat(30)),
				fc.anything(),
			),
			model: fc.oneof(fc.constantFrom("*", "*a*a*a*a*a*a*a*b"), fc.anything()),
			from: fc.oneof(
				fc.constantFrom("2026-01-31", "2026-02-30"),
				fc.anything(),
			),
			until: fc.anything(),
			prices: fc.oneof(
				fc.dictionary(
					fc.constantFrom("input", "output", "cache-read", "__proto__"),
					fc.oneof(
						fc.double(),
						fc.integer(),
						fc.string(),
						fc.constantFrom("0.25", "1e3", "1e-400", "9".repeat(300)),
					),
				),
				fc.anything(),
			),
			tiers: fc.oneof(
				fc.array(
					fc.record({
						from: fc.anything(),
						prices: fc.dictionary(fc.string(), fc.double()),
					}),
				),
				fc.anything(),
			),
			perRequest: fc.oneof(fc.double(), fc.string(), fc.anything()),
			batchDiscount: fc.oneof(fc.double(), fc.anything()),
		},
		{ requiredKeys: [] },
	),
	{ maxLength: 5 },
);

function checkPrices(rows: unknown): void {
	for (const input of [rows, Array.isArray(rows) ? rows[0] : rows]) {
		const book = ownerPriceBook(input);
		mustRefuseWith(book, ["config/price-invalid"]);
		mustRefuseWith(ownerCeiling(input), ["config/price-invalid"]);
		if (!book.ok) continue;
		const sheet = book.value.find("own", "a".repeat(500), 0);
		for (const rate of Object.values(sheet?.rates ?? {}))
			must(rate !== undefined, "A rate is nothing");
	}
}

const signer = ed25519Signer("torture", generateSignerKey());
const digest = nodeDigest;
const trust = {
	keys: [signerKey(signer, digest)],
	verify: signer.verify,
	digest,
};

/** A small log, its export, and a proof from it: what outsiders hand in. */
async function papers() {
	const log = memoryEventLog();
	await log.write(async (head) => {
		let previous = genesisHash;
		const events = Array.from({ length: 12 }, (_, index) => {
			const event = sealEvent(
				{
					position: index + 1,
					previous,
					time: 1_760_000_000_000 + index,
					stream: `account/${index % 3}`,
					version: Math.floor(index / 3) + 1,
					type: "credits-granted",
					actor: "operator",
					cause: undefined,
					correlation: undefined,
					key: index === 4 ? "once" : undefined,
					input: index === 4 ? "hash" : undefined,
					data: JSON.stringify({ amount: index, note: "ü✓" }),
				},
				(text) => digest.text(text),
			);
			previous = event.hash;
			return event;
		});
		await head.append(events);
	});
	let exported = "";
	for await (const piece of exportLog({
		log,
		origin: "torture",
		signer,
		digest,
	}))
		exported += piece;
	const tree = await openTree({ log, digest });
	const proof = await proveEvent(5, {
		log,
		tree,
		origin: "torture",
		signer,
		digest,
	});
	if (!proof.ok) throw new Error(proof.error.message);
	return { exported, proof: proof.value, note: proof.value.checkpoint };
}

const { exported, note, proof } = await papers();

function eventsOf(text: string): readonly string[] {
	return text.split(/\r?\n/).slice(1, 13);
}

async function checkImport(text: string): Promise<void> {
	const log = memoryEventLog();
	try {
		const { size } = await importLog({
			log,
			text: [text],
			digest,
			verify: signer.verify,
			keys: trust.keys,
			lineLimit: 10_000,
		});
		// Of the header only what is known counts; the events are those that were exported, to the byte.
		mustEqual(eventsOf(text), eventsOf(exported), "What was imported");
		mustEqual(size, 12, "Events imported");
	} catch (fault) {
		if (!(fault instanceof Fault)) throw fault;
		must(/^(import|log)\//.test(fault.code), `Refused with ${fault.code}`);
		for await (const batch of log.read(0))
			must(batch.length === 0, "A refused import left events");
	}
}

function checkProofText(text: string): void {
	let bundle: unknown;
	try {
		bundle = JSON.parse(text);
	} catch {
		bundle = text;
	}
	const outcome = checkProof(bundle, trust);
	mustRefuseWith(outcome, [
		"proof/malformed",
		"proof/not-included",
		"checkpoint/malformed",
		"checkpoint/not-trusted",
		"checkpoint/bad-signature",
		"checkpoint/other-log",
	]);
	if (outcome.ok) {
		mustEqual(
			outcome.value.event,
			parseLine(proof.event, (all) => digest.text(all)),
			"The event that was proved",
		);
	}
}

function checkNote(text: string): void {
	const parsed = parseNote(text);
	if (parsed) parseCheckpoint(parsed.text);
	parseCheckpoint(text);
	parseVerifierKey(text, digest.bytes);
	parseLine(text, (all) => digest.text(all));
	const opened = openCheckpoint(text, trust);
	mustRefuseWith(opened, [
		"checkpoint/malformed",
		"checkpoint/not-trusted",
		"checkpoint/bad-signature",
	]);
	// Other signatures may stand beside ours; the text that was signed may not change.
	if (opened.ok)
		mustEqual(parsed?.text, parseNote(note)?.text, "The text that verified");
}

function checkAmount(text: string): void {
	const amount = parseAmount(text);
	if (amount !== undefined) {
		must(Number.isSafeInteger(amount), `${text} became ${amount}`);
		mustEqual(
			parseAmount(formatCredits(amount)),
			amount,
			"An amount that was written and read again",
		);
	}
	const duration = parseDuration(text);
	must(
		duration === undefined || (Number.isSafeInteger(duration) && duration >= 0),
		`${text} became ${duration} ms`,
	);
}

const wires = fc.constantFrom<WireProtocol>(openaiChat, anthropicMessages);
const cuts = fc.array(fc.nat(5_000), { maxLength: 12 });

export const parserScenarios: readonly Scenario[] = [
	parser(
		"request",
		() => fc.tuple(wires, bytesOf(mutated(requests, jsonTokens))),
		20_000,
		([wire, body]) => checkRequest(wire, body),
	),
	parser(
		"answer",
		() =>
			fc.tuple(
				wires,
				bytesOf(mutated(answers, jsonTokens)),
				cuts,
				fc.boolean(),
			),
		20_000,
		([wire, bytes, at, stream]) => checkMeter(wire, bytes, at, stream),
	),
	parser(
		"config",
		() =>
			fc.oneof(
				mutated(
					[sampleConfig, fullConfig, sampleConfig.replace("main", secret)],
					yamlTokens,
				),
				fc.string({ maxLength: 200 }),
				bombs(),
			),
		4_000,
		checkConfig,
	),
	parser("prices", () => fc.oneof(prices, fc.anything()), 1_500, checkPrices),
	parser(
		"import",
		() =>
			mutated(
				[exported, exported.replaceAll("\n", "\r\n")],
				[...jsonTokens, '{"checkpoint":"x"}\n', "0".repeat(64)],
			),
		4_000,
		checkImport,
	),
	parser(
		"proof",
		() => fc.oneof(mutated([JSON.stringify(proof)], jsonTokens), fc.json()),
		8_000,
		checkProofText,
	),
	parser(
		"note",
		() =>
			mutated(
				[note, trust.keys[0] as string, exported.split("\n")[3] as string],
				[
					"\n",
					"\n\n",
					"— ",
					"+",
					"/",
					"=",
					" ",
					"torture",
					"0",
					"99999999999999999999",
					"\u2014 x AAAA\n",
				],
			),
		10_000,
		checkNote,
	),
	parser(
		"amount",
		() =>
			fc.oneof(
				fc.string({ maxLength: 40 }),
				fc.stringMatching(
					/^ ?[-+]?[0-9]{0,20}[.,]?[0-9]{0,12} ?(usd|USD|e5|ms|s|m|h|d|credits)?$/,
				),
			),
		20_000,
		checkAmount,
	),
];

/** A few lines that stand for very many. */
function bombs(): fc.Arbitrary<string> {
	return fc
		.tuple(fc.integer({ min: 2, max: 12 }), fc.integer({ min: 2, max: 12 }))
		.map(([levels, width]) => {
			let text = "x0: &x0 [lol]\n";
			for (let level = 1; level < levels; level++)
				text += `x${level}: &x${level} [${Array.from({ length: width }, () => `*x${level - 1}`).join(", ")}]\n`;
			return `${text}prices: *x${levels - 1}\n`;
		});
}
