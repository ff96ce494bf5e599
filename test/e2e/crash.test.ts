import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readBooks } from "../support/books.ts";
import { mockVendor } from "../support/studio.ts";
import {
	chatAnswer,
	chatFrames,
	sendJson,
	startUpstream,
	type Upstream,
} from "../support/upstream.ts";
import { type Dos, openDos, type Serving } from "./dos.ts";

const usage = { prompt: 1_000, completion: 500 };
const frames = chatFrames(
	Array.from({ length: 20 }, () => "word "),
	usage,
);

let upstream: Upstream;
let dos: Dos;
let key: string;

beforeEach(async () => {
	upstream = await startUpstream(async ({ body }, response) => {
		const { stream, user } = JSON.parse(body) as {
			stream?: boolean;
			user?: string;
		};
		if (!stream) {
			await sleep(Math.random() * 30);
			return sendJson(response, 200, chatAnswer("Hello there", usage));
		}
		response.writeHead(200, { "content-type": "text/event-stream" });
		for (const frame of frames) {
			if (response.destroyed) return;
			response.write(frame);
			await sleep(25);
			// A vendor that hangs: the stream never comes to its end.
			if (user === "hangs") await new Promise(() => {});
		}
		response.end();
	});
	dos = openDos();
	mkdirSync(dos.home, { recursive: true });
	writeFileSync(join(dos.home, "config.yaml"), mockVendor(upstream.url));
	({
		key: { secret: key },
	} = await dos.json("init"));
});

afterEach(async () => {
	await dos.close();
	await upstream.close();
});

function sleep(milliseconds: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function call(url: string, body: object = {}): Promise<Response> {
	return fetch(`${url}/v1/chat/completions`, {
		method: "POST",
		headers: {
			authorization: `Bearer ${key}`,
			"content-type": "application/json",
		},
		body: JSON.stringify({
			model: "mock/m",
			messages: [{ role: "user", content: "hi" }],
			max_tokens: 500,
			...body,
		}),
	});
}

interface Settled {
	readonly call: string;
	readonly credits: number;
}

/** Calls again and again until the server is gone; what was answered whole is remembered. */
async function keepCalling(url: string, answered: Settled[]): Promise<void> {
	try {
		for (;;) {
			const response = await call(url);
			await response.text();
			if (response.status !== 200) continue;
			answered.push({
				call: response.headers.get("x-dos-call-id") as string,
				credits: Number(response.headers.get("x-dos-credits")),
			});
		}
	} catch {
		// Killed: what this call came to, the log says.
	}
}

/** Starts a stream and gives it back once its first bytes have come. */
async function beginStream(
	url: string,
	body: object = {},
): Promise<{ call: string; rest: Promise<string> }> {
	const response = await call(url, { stream: true, ...body });
	const reader = (response.body as ReadableStream<Uint8Array>).getReader();
	const first = await reader.read();
	async function rest(): Promise<string> {
		let text = Buffer.from(first.value ?? []).toString();
		try {
			for (;;) {
				const { done, value } = await reader.read();
				if (done) return text;
				text += Buffer.from(value).toString();
			}
		} catch {
			return `${text} (cut off)`;
		}
	}
	return {
		call: response.headers.get("x-dos-call-id") as string,
		rest: rest(),
	};
}

describe("a crash", () => {
	it("loses no settled credit and leaks no hold, whenever it comes", async () => {
		const answered: Settled[] = [];
		for (const moment of [150, 400, 700]) {
			const server = await dos.serve();
			const clients = Array.from({ length: 24 }, () =>
				keepCalling(server.url, answered),
			);
			const streams = await Promise.all(
				[1, 2, 3].map(() => beginStream(server.url, { user: "hangs" })),
			);
			await sleep(moment);
			server.process.kill("SIGKILL");
			await Promise.all([...clients, ...streams.map(({ rest }) => rest)]);
		}
		const before = await readBooks(dos.home);
		// Without calls in flight at the moment of the kill nothing would have been tried.
		expect(before.holds).toBeGreaterThanOrEqual(3);
		const last = await dos.serve();
		const { resolved, held, findings, account, holds } = await readBooks(
			dos.home,
		);
		await expect.poll(() => last.said()).toContain("whose holds were released");
		expect(findings).toEqual([]);
		expect(holds).toBe(0);
		expect(account.held).toBe(0);
		expect(answered.length).toBeGreaterThan(50);
		for (const { call: id, credits } of answered) {
			expect(resolved.get(id)).toMatchObject([
				{ type: "credits-settled", data: { amount: credits } },
			]);
		}
		for (const id of held) expect(resolved.get(id)).toHaveLength(1);
		let sum = 0;
		for (const [one] of resolved.values())
			if (one?.type === "credits-settled") sum += one.data.amount;
		expect(account.spent).toBe(sum);
	}, 30_000);
});

describe("a signal", () => {
	async function signalled(server: Serving): Promise<void> {
		server.process.kill("SIGTERM");
		for (let tries = 0; !server.said().includes("in flight"); tries++) {
			if (tries > 200) throw new Error(server.said());
			await sleep(10);
		}
	}

	it("lets a running stream come to its end, and takes no new call", async () => {
		const server = await dos.serve();
		const stream = await beginStream(server.url);
		await signalled(server);
		await expect(call(server.url)).rejects.toThrow();
		expect(await stream.rest).toContain("data: [DONE]");
		expect((await server.ended).code).toBe(0);
		const { resolved, holds } = await readBooks(dos.home);
		expect(holds).toBe(0);
		expect(resolved.get(stream.call)).toMatchObject([
			{
				type: "credits-settled",
				data: { ending: "finished", basis: "priced", amount: 200_000 },
			},
		]);
	});

	it("given twice stops at once, and what was delivered is settled", async () => {
		const server = await dos.serve();
		const finished = await call(server.url);
		await finished.text();
		const stream = await beginStream(server.url, { user: "hangs" });
		await signalled(server);
		server.process.kill("SIGTERM");
		expect((await server.ended).code).toBe(0);
		expect(await stream.rest).not.toContain("[DONE]");
		const { resolved, holds } = await readBooks(dos.home);
		expect(holds).toBe(0);
		expect(resolved.get(stream.call)).toMatchObject([
			{ type: "credits-settled", data: { ending: "stopped" } },
		]);
		expect(
			resolved.get(finished.headers.get("x-dos-call-id") as string),
		).toMatchObject([{ type: "credits-settled", data: { amount: 200_000 } }]);
	});
});
