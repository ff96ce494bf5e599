import { mkdirSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { Writable } from "node:stream";
import { runCli } from "../../src/apps/cli/program.ts";
import type { Dos } from "../e2e/dos.ts";
import {
	chatAnswer,
	chatFrames,
	messageFrames,
	type Received,
	sendFrames,
	sendJson,
	startUpstream,
} from "./upstream.ts";

/** What becomes of one request at a vendor: a status, or whatever the test does. */
export type Deed =
	| number
	| ((response: ServerResponse, received: Received) => void | Promise<void>);

/** Several vendors on ports of their own, whose answers say who they are. */
export interface RoutedVendors {
	/** Requests by `vendor/model`, in their order. */
	readonly asked: string[];
	/** What the next requests for a substrate meet, one each; then it answers. */
	readonly deeds: Map<string, Deed[]>;
	/** What each request for a substrate meets from now on. */
	readonly always: Map<string, Deed>;
	/** `vendors:` of the settings. */
	readonly settings: Readonly<Record<string, object>>;
	close(): Promise<void>;
}

type Protocol = "openai-chat" | "anthropic-messages";

export const usage = { prompt: 100, completion: 20 };

export async function startVendors(
	protocols: Readonly<Record<string, Protocol>>,
): Promise<RoutedVendors> {
	const asked: string[] = [];
	const deeds = new Map<string, Deed[]>();
	const always = new Map<string, Deed>();
	const settings: Record<string, object> = {};
	const closing: (() => Promise<void>)[] = [];
	for (const [vendor, protocol] of Object.entries(protocols)) {
		const upstream = await startUpstream(async (received, response) => {
			const { model, stream } = JSON.parse(received.body) as {
				model: string;
				stream?: boolean;
			};
			const substrate = `${vendor}/${model}`;
			asked.push(substrate);
			const deed = deeds.get(substrate)?.shift() ?? always.get(substrate);
			if (typeof deed === "function") return deed(response, received);
			if (typeof deed === "number")
				return sendJson(
					response,
					deed,
					JSON.stringify({ error: { message: `${deed} of ${substrate}` } }),
				);
			return goodAnswer(response, protocol, substrate, stream === true);
		});
		closing.push(upstream.close);
		settings[vendor] = {
			protocol,
			base: `${upstream.url}/v1`,
			key: `key-of-${vendor}-123456`,
		};
	}
	return {
		asked,
		deeds,
		always,
		settings,
		async close() {
			await Promise.all(closing.map((close) => close()));
		},
	};
}

export async function goodAnswer(
	response: ServerResponse,
	protocol: Protocol,
	text: string,
	stream: boolean,
): Promise<void> {
	if (protocol === "openai-chat") {
		if (stream) await sendFrames(response, chatFrames([text], usage));
		else sendJson(response, 200, chatAnswer(text, usage));
	} else if (stream)
		await sendFrames(
			response,
			messageFrames([text], { input: usage.prompt, output: usage.completion }),
		);
	else
		sendJson(
			response,
			200,
			JSON.stringify({
				id: "msg_1",
				type: "message",
				role: "assistant",
				model: "m",
				content: [{ type: "text", text }],
				stop_reason: "end_turn",
				stop_sequence: null,
				usage: { input_tokens: usage.prompt, output_tokens: usage.completion },
			}),
		);
}

/** A row of `catalogue.substrates`. */
export function row(
	country: string,
	more: Readonly<Record<string, unknown>> = {},
): object {
	return {
		weights: "open",
		trainer: "me",
		bases: [],
		tier: "small",
		channel: "direct",
		countries: [country],
		operator: "Somebody",
		seat: country,
		laws: [country],
		trains: false,
		attestations: [],
		retentionDays: 0,
		...more,
		capabilities: {
			means: ["generate"],
			context: 100_000,
			outputLimit: 50_000,
			tools: true,
			streaming: true,
			reasoning: true,
			jsonSchema: true,
			...(more.capabilities as object),
		},
	};
}

/** Writes `config.yaml`: JSON is YAML. */
export function writeSettings(
	{ home }: Pick<Dos, "home">,
	settings: object,
): void {
	mkdirSync(home, { recursive: true, mode: 0o700 });
	writeFileSync(join(home, "config.yaml"), JSON.stringify(settings), {
		mode: 0o600,
	});
}

export interface Commands {
	run(...words: readonly string[]): Promise<{
		readonly code: number;
		readonly out: string;
		readonly error: string;
	}>;
	/** Runs with `--json` and gives the document; throws when it did not end with 0. */
	// biome-ignore lint/suspicious/noExplicitAny: what a command prints is what the test looks at.
	json(...words: readonly string[]): Promise<any>;
}

/** Commands in this process, beside a server that is one of its own: a story has many. */
export function openCommands(
	dos: Pick<Dos, "home">,
	environment: Readonly<Record<string, string>> = {},
): Commands {
	async function run(...words: readonly string[]) {
		const written = { out: "", error: "" };
		const stream = (name: "out" | "error") =>
			new Writable({
				write(chunk, _, done) {
					written[name] += chunk;
					done();
				},
			}) as unknown as NodeJS.WriteStream;
		const code = await runCli(words, {
			version: "0.0.0",
			environment: { DOS_HOME: dos.home, ...environment },
			streams: {
				out: stream("out"),
				error: stream("error"),
				in: process.stdin as NodeJS.ReadStream,
			},
		});
		return { code, ...written };
	}
	return {
		run,
		async json(...words) {
			const { code, out, error } = await run(...words, "--json");
			if (code !== 0)
				throw new Error(`dos ${words.join(" ")} ended with ${code}: ${error}`);
			return JSON.parse(out);
		},
	};
}
