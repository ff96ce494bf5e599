import { spoken } from "../src/adapters/wire/all.ts";
import { openCrossings } from "../src/adapters/wire/crossing.ts";
import { plainAnswer, requestBody, streamFrames } from "./lib/answers.ts";
import {
	duranteOs,
	type Running,
	startGateway,
	startUpstreamProgram,
} from "./lib/gateways.ts";
import type { LoadResult, LoadSpec } from "./lib/load.ts";
import { startProgram } from "./lib/process.ts";

/**
 * What translation adds over passing through: `node benchmarks/translation.ts [seconds] [rounds]`.
 * First the whole gateway under load, clients of each protocol before the same vendor of Chat
 * Completions, which Chat's own clients reach untranslated; then the steps in this process.
 */
const seconds = Number(process.argv[2] ?? 3);
const rounds = Number(process.argv[3] ?? 3);

const prompt = JSON.parse(requestBody(false)).messages[1].content as string;
const model = "gpt-4o-mini";

interface Client {
	readonly protocol: string;
	path(stream: boolean): string;
	body(stream: boolean): object;
}

const clients: readonly Client[] = [
	{
		protocol: "openai-chat",
		path: () => "/v1/chat/completions",
		body: (stream) => JSON.parse(requestBody(stream)),
	},
	{
		protocol: "openai-responses",
		path: () => "/v1/responses",
		body: (stream) => ({
			model,
			instructions: "You are brief.",
			input: [{ role: "user", content: prompt }],
			max_output_tokens: 256,
			store: false,
			stream,
		}),
	},
	{
		protocol: "anthropic-messages",
		path: () => "/v1/messages",
		body: (stream) => ({
			model,
			system: "You are brief.",
			messages: [{ role: "user", content: prompt }],
			max_tokens: 256,
			stream,
		}),
	},
	{
		protocol: "google-generate",
		path: (stream) =>
			`/v1beta/models/${model}:${stream ? "streamGenerateContent?alt=sse" : "generateContent"}`,
		body: () => ({
			systemInstruction: { parts: [{ text: "You are brief." }] },
			contents: [{ role: "user", parts: [{ text: prompt }] }],
			generationConfig: { maxOutputTokens: 256 },
		}),
	},
];

await throughGateway();
inProcess();

async function throughGateway(): Promise<void> {
	const best = new Map<string, number>();
	const upstream = await startUpstreamProgram(false);
	const gateway = await startGateway(
		duranteOs("DuranteOS"),
		Number(upstream.ready.port),
	);
	try {
		for (let round = 0; round < rounds; round++) {
			for (const client of clients) {
				for (const stream of [false, true]) {
					await load(gateway, client, stream, 1);
					const before = gateway.cpu();
					const { requests, failed } = await load(
						gateway,
						client,
						stream,
						seconds,
					);
					if (failed > 0)
						throw new Error(`${failed} calls of ${client.protocol} failed.`);
					const key = `${client.protocol} ${stream}`;
					const cost = (gateway.cpu() - before) / requests;
					best.set(
						key,
						Math.min(cost, best.get(key) ?? Number.POSITIVE_INFINITY),
					);
				}
			}
		}
	} finally {
		await gateway.stop();
		await upstream.stop();
	}
	const cost = ({ protocol }: Client, stream: boolean) =>
		best.get(`${protocol} ${stream}`) ?? Number.NaN;
	const [passing] = clients as [Client];
	console.log(
		"Through the gateway, 16 connections: CPU of the least of the rounds",
	);
	for (const client of clients) {
		const [plain, stream] = [cost(client, false), cost(client, true)];
		const call = plain - cost(passing, false);
		// What a stream costs more than a plain call does is its frames.
		const chunk = (stream - cost(passing, true)) / streamFrames.length;
		const added =
			client === passing
				? "passed through"
				: `+ ${call.toFixed(1)} µs a call (target 60), + ${chunk.toFixed(2)} µs a chunk (target 15)`;
		console.log(
			`  ${client.protocol.padEnd(20)} plain ${plain.toFixed(1)} µs  stream ${stream.toFixed(1)} µs  ${added}`,
		);
	}
}

async function load(
	gateway: Running,
	client: Client,
	stream: boolean,
	seconds: number,
): Promise<LoadResult> {
	const spec: LoadSpec = {
		port: gateway.port,
		path: client.path(stream),
		headers: { ...gateway.headers, "user-agent": "benchmark" },
		body: JSON.stringify(client.body(stream)),
		connections: 16,
		seconds,
	};
	const run = await startProgram({
		name: "load",
		file: "load.ts",
		args: [JSON.stringify(spec)],
		cpu: 1,
		patience: seconds * 1_000 + 60_000,
	});
	await run.stop();
	return run.ready as unknown as LoadResult;
}

/** The steps of a crossing, without network: the best of several rounds. */
function inProcess(): void {
	const crossings = openCrossings(spoken);
	const change = { model: "vendor-model", outputLimit: undefined, quirks: {} };
	const naming = { call: "call_1", model, time: 1_764_000_000_000 };
	const answer = Buffer.from(plainAnswer);
	const frames = streamFrames.map((frame) => Buffer.from(frame));
	console.log("\nIn process, to a vendor of Chat Completions");
	for (const { protocol, path, body } of clients.slice(1)) {
		const side = spoken.find(({ wire }) => wire.id === protocol);
		if (!side) continue;
		const { wire } = side;
		const asked = (stream: boolean) => {
			const [place = "", query = ""] = path(stream).split("?");
			const operation = wire.operations.find(
				(each) => each.path?.replace("{model}", model) === place,
			);
			if (!operation) throw new Error(place);
			const bytes = Buffer.from(JSON.stringify(body(stream)));
			const target = { parameters: { model }, query, header: () => undefined };
			return () => {
				const read = wire.read(operation.id, bytes, target);
				if (!read.ok) throw new Error(read.error.message);
				return { operation, request: read.value };
			};
		};
		const open = (sent: ReturnType<ReturnType<typeof asked>>) => {
			const passage = crossings.open({
				wire,
				...sent,
				vendor: "openai-chat",
				change,
				naming,
			});
			if (!passage.ok) throw new Error(passage.error.message);
			return passage.value;
		};
		const [plain, streamed] = [asked(false), asked(true)];
		const [sent, sentStreamed] = [plain(), streamed()];
		const [whole, flowing] = [open(sent), open(sentStreamed)];
		const forwarded = whole.forward(undefined);
		const steps: readonly [name: string, microseconds: number][] = [
			["read", time(5_000, plain)],
			["request", time(5_000, () => open(sent).forward(undefined))],
			[
				"answer",
				time(5_000, () => {
					const { meter } = whole.answer(forwarded, 200, "application/json");
					meter.pass(answer);
					return meter.finish();
				}),
			],
			[
				"a chunk",
				time(500, () => {
					const { meter } = flowing.answer(forwarded, 200, "text/event-stream");
					for (const frame of frames) meter.pass(frame);
					return meter.finish();
				}) / frames.length,
			],
		];
		console.log(
			`  ${protocol.padEnd(20)} ${steps.map(([name, each]) => `${name} ${each.toFixed(2)} µs`).join("  ")}`,
		);
	}
}

function time(times: number, run: () => unknown): number {
	let best = Number.POSITIVE_INFINITY;
	for (let round = 0; round < 8; round++) {
		const start = process.hrtime.bigint();
		for (let count = 0; count < times; count++) run();
		best = Math.min(
			best,
			Number(process.hrtime.bigint() - start) / 1_000 / times,
		);
	}
	return best;
}
