import { spawnSync } from "node:child_process";
import {
	type RawClient,
	rawClient,
} from "../../src/ports/raw-client.fixture.ts";
import type { Random } from "../simulation/random.ts";
import { mockVendor } from "../support/studio.ts";
import {
	chatAnswer,
	chatFrames,
	sendJson,
	startUpstream,
	type Upstream,
} from "../support/upstream.ts";
import { codeOf, memoryOf, mustBalance, openRig, type Rig } from "./rig.ts";
import {
	must,
	mustEqual,
	type Scenario,
	Skipped,
	sleep,
	until,
} from "./scenario.ts";

const chat = "/v1/chat/completions";
const bodyLimit = 65_536;
const connectionLimit = 200;

const config = `
limits: { bodyBytes: 64 KiB, headerBytes: 16 KiB, connections: ${connectionLimit}, headersTimeout: 1s, requestTimeout: 2s, keepAliveTimeout: 2s }
timeouts: { connect: 1s, firstByte: 2s, idle: 2s, total: 4s }
`;

/** A server under attack, and what its vendor gets to see of it. */
interface Target {
	readonly rig: Rig;
	readonly upstream: Upstream;
	readonly url: string;
	readonly port: number;
	readonly pid: number | undefined;
}

async function withTarget(
	play: (target: Target) => Promise<string>,
): Promise<string> {
	const upstream = await startUpstream(async ({ body }, response) => {
		const { user } = JSON.parse(body) as { user?: string };
		if (user !== "endless")
			return sendJson(
				response,
				200,
				chatAnswer("Hello", { prompt: 10, completion: 5 }),
			);
		response.writeHead(200, { "content-type": "text/event-stream" });
		const [, frame = ""] = chatFrames(["x".repeat(60_000)]);
		const pour = (): void => {
			while (!response.destroyed && response.write(frame));
		};
		response.on("drain", pour);
		pour();
	});
	const rig = await openRig({
		config: mockVendor(upstream.url, "openai-chat", config),
	});
	try {
		const server = await rig.serve();
		const target = {
			rig,
			upstream,
			url: server.url,
			port: Number(new URL(server.url).port),
			pid: server.process.pid,
		};
		const seen = await play(target);
		await mustServe(target);
		server.process.kill("SIGTERM");
		const { code, error } = await server.ended;
		mustEqual(code, 0, "Exit code");
		must(!error.includes("failed inside"), error);
		mustBalance(await rig.books());
		return seen;
	} finally {
		await rig.close();
		await upstream.close();
	}
}

function body(user = "good"): object {
	return {
		model: "mock/m",
		messages: [{ role: "user", content: "hi" }],
		max_tokens: 10,
		user,
	};
}

async function mustServe({ rig, url }: Target): Promise<void> {
	const answer = await rig.call(url, { body: body() });
	mustEqual(answer.status, 200, "Status of a good call among bad ones");
	must(
		answer.milliseconds < 3_000,
		`A good call took ${Math.round(answer.milliseconds)} ms among bad ones`,
	);
}

/** Everything that comes until the connection ends or the time is up. */
async function exchange(
	port: number,
	bytes: string,
	milliseconds = 4_000,
): Promise<string> {
	const client = await rawClient(port);
	client.send(bytes);
	const giveUp = setTimeout(() => client.socket.destroy(), milliseconds);
	const text = await client.rest();
	clearTimeout(giveUp);
	return text;
}

function requestOf(
	{ rig, port }: Target,
	headers: string,
	content: string,
	target = chat,
): string {
	return `POST ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${rig.key}\r\nContent-Type: application/json\r\n${headers}\r\n${content}`;
}

function framed(text: string): string {
	return `Content-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n`;
}

/** Ways to say where a message ends that two readers could understand differently. */
const ambiguities: readonly ((size: number) => string)[] = [
	(size) => `Content-Length: ${size}\r\nTransfer-Encoding: chunked\r\n`,
	(size) => `Transfer-Encoding: chunked\r\nContent-Length: ${size}\r\n`,
	(size) => `Content-Length: 5\r\nContent-Length: ${size}\r\n`,
	(size) => `Content-Length: 5, ${size}\r\n`,
	(size) => `Content-Length: +${size}\r\n`,
	(size) => `Content-Length: 0x${size.toString(16)}\r\n`,
	(size) => `Content-Length: ${size}\r\n Transfer-Encoding: chunked\r\n`,
	(size) => `Content-Length : ${size}\r\n`,
	() => "Transfer-Encoding : chunked\r\n",
	() => "Transfer-Encoding: xchunked\r\n",
	() => "Transfer-Encoding: chunked, identity\r\n",
	() => "Transfer-Encoding: identity, chunked, gzip\r\n",
	() => "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
	() => "Transfer-Encoding: \x0bchunked\r\n",
	() => 'Transfer-Encoding: "chunked"\r\n',
	() => "X: y\nTransfer-Encoding: chunked\r\n",
	() => "X: y\rTransfer-Encoding: chunked\r\n",
	() => "Content-Length: 5\x00\r\n",
];

async function smuggle(target: Target, random: Random): Promise<void> {
	const hidden = JSON.stringify(body("smuggled"));
	const inner = requestOf(target, framed(hidden), hidden);
	const ends = [
		"0\r\n\r\n",
		"5\r\nhello\r\n0\r\n\r\n",
		"0x0\r\n\r\n",
		"0;\n\r\n\r\n",
	];
	for (const ambiguity of ambiguities) {
		const content = `${random.pick(ends)}${inner}`;
		const noise = random.chance(0.5)
			? `X-Pad: ${"p".repeat(random.below(900))}\r\n`
			: "";
		let framing = ambiguity(Buffer.byteLength(content));
		if (random.chance(0.3)) framing = framing.toLowerCase();
		const headers = random.chance(0.5) ? noise + framing : framing + noise;
		const answer = await exchange(
			target.port,
			requestOf(target, headers, content),
		);
		must(
			/^(HTTP\/1\.1 (400|501) |$)/.test(answer) &&
				(answer.match(/^HTTP\/1\.1 /gm) ?? []).length <= 1,
			`${JSON.stringify(headers)} was answered ${JSON.stringify(answer.slice(0, 300))}`,
		);
	}
	must(
		target.upstream.received.every(({ body }) => !body.includes("smuggled")),
		"A smuggled request reached the vendor",
	);
}

/** Bun's server has limits of its own, and refuses what it does not do by closing (SECURITY.md). */
const onBun = process.versions.bun !== undefined;

/** Other ways to write a path, and other hosts: none is a call. */
async function confusePaths(target: Target): Promise<void> {
	const { port, upstream } = target;
	const before = upstream.received.length;
	const content = JSON.stringify(body("confused"));
	for (const path of [
		`/${chat}`,
		`${chat}/`,
		"/V1/Chat/Completions",
		"/v1/chat%2fcompletions",
		"/v1/chat/completions%00",
		"/v1/chat/completions%0d%0ax-evil:1",
		// Bun resolves dots and backslashes, and takes the host from its header, before anyone sees the
		// target (SECURITY.md): there these are the plain path.
		...(onBun
			? []
			: [
					"/v1/./chat/completions",
					"/x/../v1/chat/completions",
					`http://attacker.example${chat}`,
					`http://127.0.0.1:${port}@attacker.example${chat}`,
				]),
		"/%76%31/chat/completions",
		`${chat};x=1`,
		`${chat}#x`,
		"\\v1\\chat\\completions",
		"v1/chat/completions",
		"*",
		`ftp://127.0.0.1:${port}${chat}`,
		"/__proto__",
		"/constructor",
		"/v1/receipts/__proto__",
		"/v1/receipts/..%2f..%2fetc%2fpasswd",
	]) {
		const answer = await exchange(
			port,
			requestOf(target, framed(content), content, path),
		);
		must(
			/^HTTP\/1\.1 (400|404|405|421) /.test(answer),
			`${path} was answered ${answer.slice(0, 200)}`,
		);
	}
	mustEqual(upstream.received.length, before, "Calls under confused paths");
	const absolute = await exchange(
		port,
		requestOf(
			target,
			framed(content),
			content,
			`http://127.0.0.1:${port}${chat}?x=/v1/messages`,
		),
	);
	must(
		absolute.startsWith("HTTP/1.1 200 "),
		"The absolute form of our own address is refused",
	);
}

/** What a client says must not come back as a header, nor go to the vendor as one. */
async function injectHeaders({ rig, url, upstream }: Target): Promise<void> {
	for (const evil of [
		"m\r\nx-evil: 1",
		"m\nx-evil: 1",
		"m\u0000",
		"m\u2028x",
		"м",
	]) {
		const answer = await rig.call(url, {
			body: { ...body(), model: `mock/${evil}` },
		});
		must(
			answer.status < 500 || answer.status === 502,
			`${JSON.stringify(evil)}: ${answer.status}`,
		);
		must(!("x-evil" in answer.headers), "A model's name became a header");
	}
	must(
		upstream.received.every(({ headers }) => !("x-evil" in headers)),
		"A header reached the vendor that nobody sent",
	);
}

async function tooMuch(target: Target): Promise<void> {
	const { rig, url, port } = target;
	const cases: readonly (readonly [string, number, string])[] = [
		[
			JSON.stringify({ ...body(), user: "x".repeat(bodyLimit) }),
			413,
			"http/body-too-large",
		],
		[
			`{"model":"mock/m","messages":${"[".repeat(30_000)}${"]".repeat(30_000)}}`,
			400,
			"request/too-deep",
		],
		[
			`{"model":"mock/m","messages":${'{"a":'.repeat(9_000)}1${"}".repeat(9_000)}}`,
			400,
			"request/too-deep",
		],
		[`${"[".repeat(60_000)}`, 400, "request/too-deep"],
		[`{"messages":"${"\\".repeat(60_000)}`, 400, "request/malformed-json"],
	];
	for (const [text, status, code] of cases) {
		const answer = await rig.call(url, { body: text });
		mustEqual(
			[answer.status, codeOf(answer)],
			[status, code],
			text.slice(0, 60),
		);
	}
	for (const [what, bytes] of [
		[
			"an announced ten gigabytes",
			requestOf(target, "Content-Length: 10737418240\r\n", "{"),
		],
		[
			"chunks without end",
			requestOf(
				target,
				"Transfer-Encoding: chunked\r\n",
				"ffff\r\n".padEnd(65_541, "x").concat("\r\n").repeat(3),
			),
		],
	] as const)
		must(
			(await exchange(port, bytes)).startsWith("HTTP/1.1 413 "),
			`${what} was not refused`,
		);
	const long = await exchange(
		port,
		requestOf(target, `X-Long: ${"x".repeat(20_000)}\r\n`, ""),
	);
	must(long.startsWith("HTTP/1.1 431 "), "Long headers were not refused");
}

/** Sends bytes one at a time on many connections, until the server has had enough of each. */
async function drip(
	{ port }: Target,
	count: number,
	start: string,
	more: string,
): Promise<{ answers: string[]; milliseconds: number }> {
	const began = performance.now();
	const clients: RawClient[] = [];
	for (let index = 0; index < count; index++)
		clients.push(await rawClient(port));
	for (const client of clients) client.send(start);
	const dripping = setInterval(() => {
		for (const client of clients)
			if (!client.socket.destroyed) client.send(more);
	}, 150);
	const giveUp = setTimeout(() => {
		for (const client of clients) client.socket.destroy();
	}, 9_000);
	const answers = await Promise.all(clients.map((client) => client.rest()));
	clearInterval(dripping);
	clearTimeout(giveUp);
	return { answers, milliseconds: performance.now() - began };
}

async function slowClients(target: Target): Promise<void> {
	const slow = [
		drip(
			target,
			40,
			`POST ${chat} HTTP/1.1\r\nHost: 127.0.0.1\r\n`,
			"X-A: b\r\n",
		),
		drip(target, 40, requestOf(target, "Content-Length: 9999\r\n", ""), " "),
	];
	await sleep(300);
	await mustServe(target);
	for (const { answers, milliseconds } of await Promise.all(slow)) {
		must(
			// Bun's own time for headers is ten seconds.
			milliseconds < (onBun ? 16_000 : 8_000),
			`Slow clients were kept ${Math.round(milliseconds)} ms`,
		);
		for (const answer of answers)
			must(
				/^(HTTP\/1\.1 408 |$)/.test(answer),
				`A slow client was answered ${answer.slice(0, 100)}`,
			);
	}
}

/** A client that asks for a stream and never reads it costs a bounded amount of memory and of time. */
async function deafClients(target: Target): Promise<void> {
	const before = memoryOf(target.pid) ?? 0;
	const content = JSON.stringify({ ...body("endless"), stream: true });
	const deaf = await Promise.all(
		Array.from({ length: 8 }, async () => {
			const client = await rawClient(target.port);
			client.socket.pause();
			client.send(requestOf(target, framed(content), content));
			return client;
		}),
	);
	await sleep(1_500);
	await mustServe(target);
	const grown = (memoryOf(target.pid) ?? 0) - before;
	must(
		grown < 150,
		`Eight clients that do not read cost ${Math.round(grown)} MB`,
	);
	for (const { socket } of deaf) socket.destroy();
	await until(
		async () => (await target.rig.books()).holds === 0,
		"The calls of clients that do not read were not resolved",
	);
}

async function pipeline(target: Target, random: Random): Promise<void> {
	const count = random.between(5, 30);
	const client = await rawClient(target.port);
	let bytes = "";
	for (let index = 0; index < count; index++) {
		const content = JSON.stringify(body(`piped-${index}`));
		bytes += requestOf(
			target,
			`Content-Length: ${content.length}\r\n${index === count - 1 ? "Connection: close\r\n" : ""}`,
			content,
		);
	}
	client.send(bytes);
	const giveUp = setTimeout(() => client.socket.destroy(), 5_000);
	const text = await client.rest();
	clearTimeout(giveUp);
	mustEqual(
		(text.match(/HTTP\/1\.1 200 /g) ?? []).length,
		count,
		"Answers to pipelined calls",
	);
	mustEqual(
		new Set(text.match(/call_\w+/g)).size,
		count,
		"Calls that were made of them",
	);
}

async function crowd(target: Target): Promise<void> {
	const clients = await Promise.all(
		Array.from({ length: connectionLimit + 100 }, () =>
			rawClient(target.port).catch(() => undefined),
		),
	);
	await sleep(500);
	const open = clients.filter(
		(client) => client && !client.socket.closed,
	).length;
	must(
		onBun || open <= connectionLimit,
		`${open} connections stand where ${connectionLimit} may`,
	);
	// They say nothing, so their time is up after a second.
	await until(
		async () =>
			(await target.rig.call(target.url, { body: body() })).status === 200,
		"No place was given back after the crowd's time was up",
		8_000,
	);
	for (const client of clients) client?.socket.destroy();
}

async function noise(
	{ port }: Target,
	random: Random,
	count: number,
): Promise<void> {
	for (let round = 0; round < count; round++) {
		const bytes = Array.from({ length: random.between(1, 400) }, () =>
			String.fromCharCode(
				random.chance(0.3)
					? random.pick([13, 10, 58, 32, 0])
					: random.below(256),
			),
		).join("");
		const answer = await exchange(
			port,
			random.chance(0.5) ? bytes : `GET / HTTP/1.1\r\n${bytes}\r\n\r\n`,
			300,
		);
		must(
			/^(HTTP\/1\.1 [1-4]\d\d |$)/.test(answer),
			`Noise was answered ${answer.slice(0, 100)}`,
		);
	}
}

export const clients: Scenario = {
	name: "clients",
	promise:
		"No client, however slow, silent, greedy, ambiguous or many, reaches a vendor unmetered, keeps others from being served, or brings the process down.",
	rounds: { long: 3, short: 1 },
	play: ({ random, short }) =>
		withTarget(async (target) => {
			await smuggle(target, random);
			await confusePaths(target);
			await injectHeaders(target);
			await tooMuch(target);
			if (!onBun) await pipeline(target, random);
			await noise(target, random, short ? 10 : 60);
			await slowClients(target);
			await deafClients(target);
			await crowd(target);
			return `${ambiguities.length} ambiguous framings, 21 confused paths, 80 slow, 8 deaf and ${connectionLimit + 100} silent clients`;
		}),
};

/** Host headers of every kind: only our own names are answered, the rest is 421 or no request at all. */
export const hosts: Scenario = {
	name: "hosts",
	promise:
		"Only the gateway's own names are answered, however a Host header is written.",
	rounds: { long: 3, short: 1 },
	play: ({ random, short }) =>
		withTarget(async ({ port }) => {
			const pieces = [
				"localhost",
				"127.0.0.1",
				"[::1]",
				"::1",
				"attacker.example",
				".",
				"@",
				":",
				":80",
				":4141",
				":99999999",
				"%00",
				"\t",
				" ",
				",",
				"/",
				"\\",
				"#",
				"LOCALHOST",
				"0x7f.1",
				"2130706433",
				"127.1",
				"localhost.",
				"xn--lcalhost",
				"[",
				"]",
				"\xe9",
			];
			const own = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i;
			let answered = 0;
			for (let round = 0; round < (short ? 60 : 300); round++) {
				const rest = Array.from({ length: random.between(0, 3) }, () =>
					random.pick(pieces),
				).join("");
				const host = random.chance(0.3)
					? random.pick(["localhost", "127.0.0.1:80", "[::1]", "LocalHost:1"])
					: rest;
				const answer = await exchange(
					port,
					`GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
				);
				const status = Number(/^HTTP\/1\.1 (\d+) /.exec(answer)?.[1]);
				const named = own.test(host.trim());
				if (named) answered++;
				must(
					named ? status === 200 : status === 421 || status === 400,
					`Host ${JSON.stringify(host)} was answered ${status}`,
				);
			}
			return `${answered} of our own answered, all others refused`;
		}),
};

/** More connections than the process has file handles. */
export const handles: Scenario = {
	name: "handles",
	promise:
		"A process that runs out of file handles neither dies nor loses its books, and serves again when it has some.",
	rounds: { long: 2, short: 1 },
	play: () =>
		withTarget(async (target) => {
			const { pid, port, rig, url } = target;
			await mustServe(target);
			const limited = spawnSync("prlimit", [
				"--pid",
				String(pid),
				"--nofile=64:64",
			]);
			if (limited.error || limited.status !== 0)
				throw new Skipped(
					"Limits of another process cannot be set here (prlimit).",
				);
			const clients = await Promise.all(
				Array.from({ length: 150 }, () =>
					rawClient(port).catch(() => undefined),
				),
			);
			// None left for a call to the vendor, nor for the database: refused or not answered, never unpaid.
			const before = target.upstream.received.length;
			const without = await rig.call(url, { body: body(), leaveAfter: 500 });
			must(
				[0, 200, 502, 503].includes(without.status),
				`Without handles: ${without.status}`,
			);
			for (const client of clients) client?.socket.destroy();
			await until(
				async () => (await rig.call(url, { body: body() })).status === 200,
				"Service did not resume when there were file handles again",
			);
			return `answered ${without.status} without handles, ${target.upstream.received.length - before} calls since`;
		}),
};
