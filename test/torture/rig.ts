import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { Agent, type IncomingHttpHeaders, request } from "node:http";
import { join } from "node:path";
import { type Dos, openDos, type Serving } from "../e2e/dos.ts";
import { type Books, readBooks } from "../support/books.ts";
import { must, mustEqual } from "./scenario.ts";

/** The real program on a home of its own, with a key and a client that forgives nothing and breaks nothing by itself. */
export interface Rig {
	readonly dos: Dos;
	readonly key: string;
	serve(): Promise<Serving>;
	call(url: string, asked: Asked): Promise<Answer>;
	books(): Promise<Books>;
	close(): Promise<void>;
}

export interface Asked {
	readonly path?: string;
	readonly body: object | string;
	readonly headers?: Readonly<Record<string, string>>;
	/** Milliseconds after which the client leaves. */
	readonly leaveAfter?: number;
}

export interface Answer {
	/** 0: no answer came. */
	readonly status: number;
	readonly headers: IncomingHttpHeaders;
	/** Its first 64 KiB. */
	readonly body: Buffer;
	/** Bytes that came in all. */
	readonly size: number;
	/** Whether it came to its end. */
	readonly whole: boolean;
	readonly milliseconds: number;
}

const keptBytes = 64 * 1024;

export async function openRig(options: {
	readonly config: string;
	readonly credits?: string;
	readonly within?: string;
	readonly environment?: Readonly<Record<string, string>>;
}): Promise<Rig> {
	const dos = openDos(options);
	try {
		mkdirSync(dos.home, { recursive: true });
		writeFileSync(join(dos.home, "config.yaml"), options.config, {
			mode: 0o600,
		});
		const { key } = await dos.json(
			"init",
			...(options.credits === undefined ? [] : ["--grant", options.credits]),
		);
		const agent = new Agent({ keepAlive: true, maxSockets: 1_024 });
		return {
			dos,
			key: key.secret,
			serve: () => dos.serve(),
			call: (url, asked) => call(agent, url, key.secret, asked),
			books: () => readBooks(dos.home),
			async close() {
				agent.destroy();
				await dos.close();
			},
		};
	} catch (fault) {
		await dos.close();
		throw fault;
	}
}

function call(
	agent: Agent,
	url: string,
	key: string,
	{ path = "/v1/chat/completions", body, headers, leaveAfter }: Asked,
): Promise<Answer> {
	const began = performance.now();
	const text = typeof body === "string" ? body : JSON.stringify(body);
	return new Promise((resolve) => {
		let status = 0;
		let head: IncomingHttpHeaders = {};
		let size = 0;
		const kept: Buffer[] = [];
		const end = (whole: boolean): void => {
			clearTimeout(leaving);
			resolve({
				status,
				headers: head,
				body: Buffer.concat(kept).subarray(0, keptBytes),
				size,
				whole,
				milliseconds: performance.now() - began,
			});
		};
		const sent = request(
			`${url}${path}`,
			{
				method: "POST",
				agent,
				headers: {
					authorization: `Bearer ${key}`,
					"content-type": "application/json",
					"content-length": Buffer.byteLength(text),
					...headers,
				},
			},
			(answer) => {
				status = answer.statusCode ?? 0;
				head = answer.headers;
				answer.on("data", (chunk: Buffer) => {
					if (size < keptBytes) kept.push(chunk);
					size += chunk.length;
				});
				answer.on("error", () => {});
				answer.on("close", () => end(answer.complete));
			},
		);
		sent.on("error", () => end(false));
		sent.end(text);
		const leaving =
			leaveAfter === undefined
				? undefined
				: setTimeout(() => sent.destroy(), leaveAfter);
	});
}

/** The stable code in a refusal, in the shape of the protocol that was spoken. */
export function codeOf({ body }: Pick<Answer, "body">): string | undefined {
	try {
		const { error } = JSON.parse(body.toString()) as {
			error?: { code?: unknown; message?: unknown; type?: unknown };
		};
		return typeof error?.message === "string" &&
			typeof error.type === "string" &&
			typeof error.code === "string"
			? error.code
			: undefined;
	} catch {
		return undefined;
	}
}

/** Megabytes of memory a process holds; undefined where the system does not say. */
export function memoryOf(pid: number | undefined): number | undefined {
	const file = `/proc/${pid}/status`;
	if (!existsSync(file)) return undefined;
	const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(file, "utf8"))?.[1];
	return kilobytes === undefined ? undefined : Number(kilobytes) / 1_024;
}

/** What must be true of every log at rest: it verifies, each hold was resolved once, and the sums agree. */
export function mustBalance(books: Books): void {
	mustEqual(books.findings, [], "The audit of the log");
	mustEqual(books.holds, 0, "Holds left open");
	mustEqual(books.account.held, 0, "Credits left held");
	let spent = 0;
	for (const call of books.held) {
		const all = books.resolved.get(call) ?? [];
		must(all.length === 1, `${call} was resolved ${all.length} times`);
		const [one] = all;
		if (one?.type === "credits-settled") {
			must(
				Number.isSafeInteger(one.data.amount) && one.data.amount >= 0,
				`${call} was charged ${one.data.amount}`,
			);
			spent += one.data.amount;
		}
	}
	mustEqual(books.resolved.size, books.held.length, "Calls that were resolved");
	mustEqual(books.account.spent, spent, "What the account spent");
	must(books.lowest >= 0, `The account stood at ${books.lowest} once`);
}
