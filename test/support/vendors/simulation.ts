import type { ServerResponse } from "node:http";
import { z } from "zod";
import {
	type Answering,
	type Received,
	sendJson,
	startUpstream,
	type Upstream,
} from "../upstream.ts";
import { type Seen, type Thought, think } from "./mind.ts";

// biome-ignore lint/suspicious/noExplicitAny: checked against a schema before it is read
export type Body = any;

/** One vendor's documented wire, in front of the mind. */
export interface Wire {
	/** What it takes at an address, or undefined where nothing is. */
	at(path: string, headers: Received["headers"]): Endpoint | undefined;
	/** The body of an error. */
	error(status: number, message: string): object;
}

export interface Endpoint {
	readonly schema: z.ZodType;
	/** Throws `Invalid` where the vendor would refuse what its schema allows. */
	answer(body: Body): Answer;
}

export type Answer =
	| { readonly whole: object }
	| {
			readonly seen: Seen;
			readonly whole: (thought: Thought) => object;
			/** Absent: the answer is not to be streamed. */
			readonly frames?:
				| ((thought: Thought) => (string | Uint8Array)[])
				| undefined;
			readonly contentType?: string;
	  };

export class Invalid extends Error {}

export function must(condition: unknown, message: string): asserts condition {
	if (!condition) throw new Invalid(message);
}

/** A vendor that takes what its documents say and nothing else. */
export interface Simulation extends Upstream {
	/** What it refused though nobody had asked it to, since `refused` was last emptied. */
	readonly refused: string[];
}

export async function startSimulation(wire: Wire): Promise<Simulation> {
	const refused: string[] = [];
	const answer: Answering = (received, response) => {
		const refuse = (status: number, message: string) => {
			refused.push(
				`${received.path}: ${message}\n${received.body.slice(0, 2_000)}`,
			);
			sendJson(response, status, JSON.stringify(wire.error(status, message)));
		};
		const endpoint = wire.at(received.path, received.headers);
		if (!endpoint) return refuse(404, `Nothing at ${received.path}`);
		const parsed = endpoint.schema.safeParse(JSON.parse(received.body));
		if (!parsed.success) return refuse(400, z.prettifyError(parsed.error));
		try {
			return deliver(
				wire,
				endpoint.answer(JSON.parse(received.body)),
				response,
			);
		} catch (fault) {
			return refuse(fault instanceof Invalid ? 400 : 500, String(fault));
		}
	};
	return Object.assign(await startUpstream(answer), { refused });
}

/** `status 429` in what the user said is answered so, and `break off` breaks the connection half-way. */
function deliver(wire: Wire, answer: Answer, response: ServerResponse): void {
	if (!("seen" in answer)) {
		sendJson(response, 200, JSON.stringify(answer.whole));
		return;
	}
	const { seen, whole, frames, contentType } = answer;
	const asked = /status (\d{3})/.exec(seen.said)?.[1];
	if (asked !== undefined) {
		const status = Number(asked);
		const body = JSON.stringify(wire.error(status, "As you wish."));
		sendJson(response, status, body, { "retry-after": "0" });
		return;
	}
	const thought = think(seen);
	if (!frames) {
		sendJson(response, 200, JSON.stringify(whole(thought)));
		return;
	}
	const all = frames(thought);
	response.writeHead(200, {
		"content-type": contentType ?? "text/event-stream; charset=utf-8",
	});
	if (!seen.said.includes("break off")) {
		for (const frame of all) response.write(frame);
		response.end();
		return;
	}
	for (const frame of all.slice(0, Math.ceil(all.length / 2)))
		response.write(frame);
	// What was written goes out before the connection ends, without the answer's own end.
	response.write(": cut\n\n", () => response.destroy());
}
