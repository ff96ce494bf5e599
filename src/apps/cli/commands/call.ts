import type { IncomingMessage } from "node:http";
import { formatCredits } from "../../../kernel/money.ts";
import { Fault, type Refusal } from "../../../kernel/outcome.ts";
import { withLedger } from "../../ledger.ts";
import { amountText, counted } from "../amounts.ts";
import { readStream, textOf } from "../answer-text.ts";
import { exitCodes, Refused, usage } from "../errors.ts";
import { findServer, readAll, type ServerPlace, send } from "../server.ts";
import type { Session } from "../session.ts";
import { harmless } from "../style.ts";
import { pairs, table } from "../table.ts";
import { terminalKey } from "../terminal-key.ts";

interface Asked {
	readonly model: string;
	readonly system?: string;
	readonly maxTokens?: number;
	readonly key?: string;
}

interface CallOptions extends Asked {
	readonly stream: boolean;
	readonly idempotencyKey?: string;
}

/** The parts of a receipt and of a quote that are shown. */
interface ReceiptShown {
	readonly call: string;
	readonly status: string;
	readonly substrate: string;
	readonly charged?: number;
	readonly uncollected?: number;
	readonly basis?: string;
	readonly usage?: Readonly<Record<string, number>>;
	readonly timing?: { readonly total: number };
}
interface QuoteShown {
	readonly substrate: string;
	readonly sheet: string;
	readonly atMost: {
		readonly cost: number;
		readonly lines: readonly { class: string; units: number; price: number }[];
	};
	readonly usually: { readonly cost: number; readonly samples: number };
	readonly outputTokens: number;
	readonly limitFrom: string;
	readonly available: number;
	readonly affordable: boolean;
}

/** Where calls go, and with which key. */
interface Endpoint {
	readonly place: Pick<ServerPlace, "url" | "certificate">;
	readonly key: string;
	readonly signal: AbortSignal;
}

const chatPath = "/v1/chat/completions";
const messagesPath = "/v1/messages";

export async function call(
	session: Session,
	words: readonly string[],
	options: CallOptions,
): Promise<number> {
	const prompt = await readPrompt(session, words);
	return withEndpoint(session, options.key, async (endpoint) => {
		const headers =
			options.idempotencyKey === undefined
				? {}
				: { "idempotency-key": options.idempotencyKey };
		const answer = await askEither((path) =>
			post(
				endpoint,
				path,
				bodyFor(path, prompt, options, options.stream && !session.json),
				headers,
			),
		);
		const id = String(answer.headers["x-dos-call-id"] ?? "");
		const replayed = answer.headers["x-dos-replayed"] === "true";
		let text = "";
		let failed: Refusal | undefined;
		try {
			if (session.json || !options.stream) {
				text = textOf(JSON.parse((await readAll(answer)).toString("utf8")));
				if (!session.json)
					await session.write(shown(session, `${text.trimEnd()}\n`));
			} else {
				for await (const part of readStream(answer)) {
					if ("error" in part) failed = refusalIn({ error: part.error });
					else {
						text += part.text;
						await session.write(shown(session, part.text));
					}
				}
				if (!text.endsWith("\n")) await session.write("\n");
			}
		} catch (cause) {
			if (!endpoint.signal.aborted) {
				failed = {
					code: "server/broke-off",
					message: "The answer broke off before its end.",
				};
				session.note(cause instanceof Error ? cause.message : String(cause));
			}
		}
		const receipt = id === "" ? undefined : await receiptOf(endpoint, id);
		if (failed)
			throw new Refused({
				...failed,
				details: { ...failed.details, ...(receipt && { receipt }) },
			});
		if (session.json)
			session.result(
				{ call: id, text, receipt: receipt ?? null, replayed },
				() => "",
			);
		if (replayed)
			session.note(
				"Answered before under the same idempotency key, and charged only then:",
			);
		if (receipt) session.note(session.errorStyle.dim(costLine(receipt)));
		return endpoint.signal.aborted ? exitCodes.interrupted : exitCodes.ok;
	});
}

export async function quote(
	session: Session,
	words: readonly string[],
	options: Asked,
): Promise<void> {
	const prompt = await readPrompt(session, words);
	await withEndpoint(session, options.key, async (endpoint) => {
		const answer = await askEither((path) =>
			post(
				endpoint,
				`/v1/quote?for=${path}`,
				bodyFor(path, prompt, options, false),
			),
		);
		const quoted = JSON.parse(
			(await readAll(answer)).toString("utf8"),
		) as QuoteShown;
		session.result(quoted, () => quoteText(quoted));
		return exitCodes.ok;
	});
}

/** The running server of this home, or one of our own for this one call. */
async function withEndpoint(
	session: Session,
	stated: string | undefined,
	work: (endpoint: Endpoint) => Promise<number>,
): Promise<number> {
	const { home, environment, version } = session;
	const { config } = session.config();
	const interrupted = new AbortController();
	const interrupt = () => interrupted.abort();
	process.once("SIGINT", interrupt);
	process.once("SIGTERM", interrupt);
	try {
		const running = await findServer(home);
		const given = stated ?? (environment.DOS_KEY || undefined);
		if (running && given !== undefined)
			return await work({
				place: running,
				key: given,
				signal: interrupted.signal,
			});
		return await withLedger(home, async (ledger) => {
			const key = given ?? (await terminalKey(ledger, config.account));
			if (running)
				return work({ place: running, key, signal: interrupted.signal });
			const { openStudio } = await import("../../compose.ts");
			const studio = await openStudio({
				ledger,
				config: {
					...config,
					listen: { host: "127.0.0.1", port: 0, insecure: false, hosts: [] },
				},
				environment,
				version,
				report: session.note,
			});
			try {
				return await work({
					place: { url: await studio.listen() },
					key,
					signal: interrupted.signal,
				});
			} finally {
				await studio.stop();
			}
		});
	} finally {
		process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
	}
}

function post(
	endpoint: Endpoint,
	path: string,
	body: object,
	headers: Readonly<Record<string, string>> = {},
): Promise<IncomingMessage> {
	return send(endpoint.place, {
		method: "POST",
		path,
		headers: {
			"content-type": "application/json",
			authorization: `Bearer ${endpoint.key}`,
			...(path.includes(messagesPath) && { "anthropic-version": "2023-06-01" }),
			...headers,
		},
		body: new TextEncoder().encode(JSON.stringify(body)),
		signal: endpoint.signal,
	});
}

/** Asks in the one protocol and, where the model is not to be had in it, in the other. Throws what is refused. */
async function askEither(
	ask: (path: string) => Promise<IncomingMessage>,
): Promise<IncomingMessage> {
	const first = await ask(chatPath);
	if (first.statusCode === 200) return first;
	const refusal = refusalIn(parse(await readAll(first)));
	if (
		refusal.code !== "model/wrong-protocol" &&
		refusal.code !== "model/unknown"
	)
		throw new Refused(refusal);
	const second = await ask(messagesPath);
	if (second.statusCode === 200) return second;
	const other = refusalIn(parse(await readAll(second)));
	throw new Refused(
		other.code === "model/unknown" || other.code === "model/wrong-protocol"
			? refusal
			: other,
	);
}

function bodyFor(
	path: string,
	prompt: string,
	{ model, system, maxTokens }: Asked,
	stream: boolean,
): object {
	const user = { role: "user", content: prompt };
	if (path === messagesPath) {
		// This protocol asks for a limit in every request.
		return {
			model,
			max_tokens: maxTokens ?? 4096,
			...(system !== undefined && { system }),
			messages: [user],
			stream,
		};
	}
	return {
		model,
		messages:
			system === undefined
				? [user]
				: [{ role: "system", content: system }, user],
		...(maxTokens !== undefined && { max_completion_tokens: maxTokens }),
		stream,
	};
}

/** The receipt once the call is settled, which it is a moment after its last byte. */
async function receiptOf(
	endpoint: Endpoint,
	id: string,
): Promise<ReceiptShown | undefined> {
	let receipt: ReceiptShown | undefined;
	for (let tries = 0; tries < 40; tries++) {
		if (tries > 0) await new Promise((resolve) => setTimeout(resolve, 50));
		try {
			const answer = await send(endpoint.place, {
				method: "GET",
				path: `/v1/receipts/${encodeURIComponent(id)}`,
				headers: { authorization: `Bearer ${endpoint.key}` },
				timeout: 5_000,
			});
			const body = await readAll(answer);
			if (answer.statusCode === 200)
				receipt = JSON.parse(body.toString("utf8")) as ReceiptShown;
		} catch {
			return receipt;
		}
		if (receipt && receipt.status !== "held") return receipt;
	}
	return receipt;
}

function costLine(receipt: ReceiptShown): string {
	const {
		charged,
		usage: used = {},
		substrate,
		timing,
		basis,
		uncollected,
	} = receipt;
	const tokens = Object.entries(used).map(
		([name, count]) => `${count.toLocaleString("en")} ${name}`,
	);
	return [
		charged === undefined ? "not settled yet" : amountText(charged),
		...(basis === "estimated" ? ["estimated"] : []),
		...(uncollected ? [`${formatCredits(uncollected)} uncollected`] : []),
		...(tokens.length > 0 ? [tokens.join(", ")] : []),
		harmless(substrate),
		...(timing
			? [
					timing.total < 1000
						? `${timing.total} ms`
						: `${(timing.total / 1000).toFixed(1)} s`,
				]
			: []),
		`call ${receipt.call}`,
	].join(" · ");
}

function quoteText(quoted: QuoteShown): string {
	const {
		substrate,
		sheet,
		atMost,
		usually,
		outputTokens,
		limitFrom,
		available,
		affordable,
	} = quoted;
	const origin = {
		request: "as you asked",
		ceiling: "holds.outputCeiling",
		learned: "as such calls were seen to need",
	}[limitFrom];
	return [
		pairs([
			["model", harmless(substrate)],
			["at most", amountText(atMost.cost)],
			[
				"usually",
				`${amountText(usually.cost)}${usually.samples === 0 ? ", a rule of thumb" : `, from ${counted(usually.samples, "call")}`}`,
			],
			[
				"output",
				`up to ${outputTokens.toLocaleString("en")} tokens${origin ? ` (${origin})` : ""}`,
			],
			[
				"available",
				`${amountText(available)}${affordable ? "" : ": not enough for this call"}`,
			],
			["prices", harmless(sheet)],
		]),
		table(
			[
				{ title: "what" },
				{ title: "units", align: "right" },
				{ title: "credits per million", align: "right" },
			],
			atMost.lines.map((line) => [
				line.class,
				line.units.toLocaleString("en"),
				formatCredits(line.price),
			]),
		),
	].join("\n\n");
}

async function readPrompt(
	{ streams }: Session,
	words: readonly string[],
): Promise<string> {
	if (words.length > 0) return words.join(" ");
	if (streams.in.isTTY)
		throw usage(
			"There is no text to send. Write it behind the command, or pipe it in.",
		);
	let text = "";
	for await (const part of streams.in.setEncoding("utf8")) text += part;
	if (text.trim() === "")
		throw usage("There is no text to send: standard input is empty.");
	return text;
}

/** On a terminal, an answer must not be able to move the cursor, retitle the window or hide text; in a pipe it stays as it is. */
function shown({ streams }: Session, text: string): string {
	return streams.out.isTTY
		? text.split("\n").map(harmless).join("\n").replaceAll("\\u0009", "\t")
		: text;
}

/** The refusal in an error body of either protocol. */
function refusalIn(body: unknown): Refusal {
	const error = (
		body as
			| {
					error?: {
						code?: unknown;
						type?: unknown;
						message?: unknown;
						dos?: unknown;
					};
			  }
			| undefined
	)?.error;
	if (typeof error !== "object" || error === null)
		return {
			code: "server/not-understood",
			message: "The server's answer is not understood.",
		};
	const { code, type, message, dos } = error;
	return {
		code:
			typeof code === "string" && code.includes("/")
				? code
				: `vendor/${String(code ?? type ?? "error")}`,
		message:
			typeof message === "string"
				? harmless(message)
				: "The call was refused without a reason.",
		...(typeof dos === "object" &&
			dos !== null && { details: dos as Record<string, unknown> }),
	};
}

function parse(body: Buffer): unknown {
	try {
		return JSON.parse(body.toString("utf8"));
	} catch (cause) {
		throw new Fault(
			"server/not-understood",
			"The server's answer is not understood.",
			{ cause },
		);
	}
}
