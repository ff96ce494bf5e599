import { connect, type Socket } from "node:net";

/** What to ask for, as JSON in the first argument when this file is run. */
export interface LoadSpec {
	readonly port: number;
	readonly path: string;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body: string;
	readonly connections: number;
	readonly seconds: number;
	/** Leave after the first bytes of every answer, and connect anew. */
	readonly leaveEarly?: boolean;
	/** One request on each connection, however long it takes. */
	readonly once?: boolean;
}

/** Milliseconds, from the request's last byte handed over. */
export interface LoadResult {
	readonly requests: number;
	readonly perSecond: number;
	readonly failed: number;
	readonly p50: number;
	readonly p90: number;
	readonly p99: number;
	/** To the first byte of the body. */
	readonly firstByteP50: number;
	readonly firstByteP99: number;
}

/** Milliseconds that answers are waited for when the time is up; what has not come then has failed. */
const grace = 20_000;

/**
 * Keeps connections busy, one request after the other on each, on plain sockets: a generator that
 * costs as little as can be, so that what is measured is the server.
 */
export function runLoad(spec: LoadSpec): Promise<LoadResult> {
	const headers = Object.entries({
		"content-type": "application/json",
		...spec.headers,
	});
	const request = Buffer.from(
		`POST ${spec.path} HTTP/1.1\r\nHost: 127.0.0.1:${spec.port}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}Content-Length: ${Buffer.byteLength(spec.body)}\r\n\r\n${spec.body}`,
	);
	const latencies: number[] = [];
	const firstBytes: number[] = [];
	let failed = 0;
	let open = spec.connections;
	const started = performance.now();
	const until = spec.once ? started : started + spec.seconds * 1_000;
	let giveUp: NodeJS.Timeout | undefined;

	return new Promise((resolve) => {
		const leave = () => {
			if (--open > 0) return;
			finish();
		};
		const finish = () => {
			clearTimeout(giveUp);
			const seconds = (performance.now() - started) / 1_000;
			resolve({
				requests: latencies.length,
				perSecond: latencies.length / seconds,
				failed,
				...percentiles(latencies, firstBytes),
			});
		};
		for (let index = 0; index < spec.connections; index++) keepBusy(leave);
		giveUp = setTimeout(
			() => {
				failed += open;
				finish();
			},
			spec.seconds * 1_000 + grace,
		);
	});

	function keepBusy(leave: () => void): void {
		const socket = connect({
			port: spec.port,
			host: "127.0.0.1",
			noDelay: true,
		});
		const reader = answerReader();
		let sent = 0;
		let first = 0;
		let over = false;
		const again = (broken: boolean) => {
			if (over) return;
			over = true;
			if (broken) failed++;
			socket.destroy();
			if (performance.now() < until) keepBusy(leave);
			else leave();
		};
		const ask = (on: Socket) => {
			sent = performance.now();
			first = 0;
			on.write(request);
		};
		socket.on("connect", () => ask(socket));
		socket.on("error", () => again(true));
		socket.on("close", () => again(true));
		socket.on("data", (chunk) => {
			const done = reader.read(chunk);
			if (first === 0 && reader.bodyBegun) {
				first = performance.now() - sent;
				firstBytes.push(first);
			}
			if (reader.status >= 300) failed++;
			if (!done && !(spec.leaveEarly && reader.bodyBegun)) return;
			const now = performance.now();
			latencies.push(now - sent);
			if (!done || reader.closes) again(false);
			else if (now < until) {
				reader.reset();
				ask(socket);
			} else {
				over = true;
				socket.destroy();
				leave();
			}
		});
	}
}

/** Reads answers with a length or in chunks, no more than it must to know where one ends. */
function answerReader() {
	let head = "";
	let inBody = false;
	let chunked = false;
	let left = 0;
	let tail = "";
	const reader = {
		status: 0,
		bodyBegun: false,
		closes: false,
		reset() {
			head = "";
			inBody = false;
			tail = "";
			reader.bodyBegun = false;
			reader.status = 0;
		},
		/** True when the answer is whole. */
		read(bytes: Buffer): boolean {
			let text = bytes.toString("latin1");
			if (!inBody) {
				head += text;
				const end = head.indexOf("\r\n\r\n");
				if (end < 0) return false;
				text = head.slice(end + 4);
				head = head.slice(0, end).toLowerCase();
				reader.status = Number(head.slice(9, 12));
				reader.closes = head.includes("\r\nconnection: close");
				chunked = head.includes("\r\ntransfer-encoding: chunked");
				left = Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
				inBody = true;
			}
			if (text.length > 0) reader.bodyBegun = true;
			if (!chunked) {
				left -= text.length;
				return left <= 0;
			}
			// One request at a time: the last chunk is the last thing that can arrive.
			tail = (tail + text).slice(-7);
			return tail.endsWith("\r\n0\r\n\r\n") || tail === "0\r\n\r\n";
		},
	};
	return reader;
}

function percentiles(latencies: number[], firstBytes: number[]) {
	latencies.sort((a, b) => a - b);
	firstBytes.sort((a, b) => a - b);
	return {
		p50: percentile(latencies, 0.5),
		p90: percentile(latencies, 0.9),
		p99: percentile(latencies, 0.99),
		firstByteP50: percentile(firstBytes, 0.5),
		firstByteP99: percentile(firstBytes, 0.99),
	};
}

/** The least value that no more than the share of all lie below; NaN of nothing. Takes them sorted. */
export function percentile(sorted: readonly number[], share: number): number {
	const index = Math.min(sorted.length - 1, Math.floor(sorted.length * share));
	return sorted[index] ?? Number.NaN;
}

if (import.meta.main) {
	const spec = JSON.parse(process.argv[2] ?? "{}") as LoadSpec;
	console.log(JSON.stringify(await runLoad(spec)));
	// What still waits for an answer waits for nobody.
	process.exit();
}
