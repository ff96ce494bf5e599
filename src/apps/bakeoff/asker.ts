import type { MicroCredits } from "../../kernel/money.ts";
import { Fault, type Refusal } from "../../kernel/outcome.ts";
import type { Answered, Asker } from "./run.ts";
import { NotMade } from "./run.ts";
import type { Case } from "./suite.ts";

/** One request to the gateway, and its whole answer. Rejects when it cannot be reached. */
export type Exchange = (asked: {
	readonly method: "GET" | "POST";
	readonly path: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly body?: object;
}) => Promise<{
	readonly status: number;
	header(name: string): string | undefined;
	readonly body: unknown;
}>;

const path = "/v1/chat/completions";
/** A call is settled a moment after its last byte. */
const looks = 200;

/** Makes calls at a gateway, with one key. */
export function openAsker(
	exchange: Exchange,
	key: string,
	wait: (milliseconds: number) => Promise<void>,
): Asker {
	const authorization = `Bearer ${key}`;

	async function receiptOf(call: string): Promise<Receipt | undefined> {
		for (let look = 0; look < looks; look++) {
			if (look > 0) await wait(Math.min(250, 10 * look));
			const { status, body } = await exchange({
				method: "GET",
				path: `/v1/receipts/${encodeURIComponent(call)}`,
				headers: { authorization },
			});
			if (status !== 200) return undefined;
			if ((body as Receipt).status !== "held") return body as Receipt;
		}
		return undefined;
	}

	return {
		async atMost(body) {
			const { status, body: said } = await exchange({
				method: "POST",
				path: `/v1/quote?for=${path}`,
				headers: { authorization, "content-type": "application/json" },
				body,
			});
			if (status === 200)
				return (said as { atMost: { cost: MicroCredits } }).atMost.cost;
			const error = refusalIn(said, status);
			// What this request cannot have of this model is found out by asking it: it is recorded, and costs nothing.
			if (/^(translate|request|route|vendor)\//.test(error.code)) return 0;
			throw new NotMade(error);
		},
		async ask(body, idempotencyKey, about) {
			const answer = await exchange({
				method: "POST",
				path,
				headers: {
					authorization,
					"content-type": "application/json",
					"idempotency-key": idempotencyKey,
				},
				body: { ...body, ...wishes(about) },
			});
			const named = answer.header("x-dos-call-id");
			if (answer.status === 200)
				return answered(answer, named ?? "", await receiptOf(named ?? ""));
			const error = refusalIn(answer.body, answer.status);
			// A key that was used, and whose answer is gone, names the call that it was used for.
			const earlier = (error.details as { call?: unknown } | undefined)?.call;
			const call = typeof earlier === "string" ? earlier : named;
			const receipt =
				call === undefined || error.code === "idempotency/in-flight"
					? undefined
					: await receiptOf(call);
			return {
				ok: false,
				error,
				again: againIn(answer.status, error, answer.header("retry-after")),
				call: receipt && call,
				cost: receipt?.charged ?? 0,
			};
		},
	};
}

interface Receipt {
	readonly status: string;
	readonly substrate: string;
	readonly charged?: MicroCredits;
	readonly timing?: { readonly total: number };
}

interface Completion {
	readonly choices?: readonly {
		readonly message?: {
			readonly content?: unknown;
			readonly tool_calls?:
				| readonly {
						readonly function?: {
							readonly name?: unknown;
							readonly arguments?: unknown;
						};
				  }[]
				| null;
		};
		readonly finish_reason?: unknown;
	}[];
	readonly usage?: { readonly completion_tokens?: unknown };
}

function answered(
	{ body, header }: Awaited<ReturnType<Exchange>>,
	call: string,
	receipt: Receipt | undefined,
): Answered {
	const { choices, usage } = body as Completion;
	const { message, finish_reason: finish } = choices?.[0] ?? {};
	const content = message?.content;
	return {
		ok: true,
		call,
		substrate: receipt?.substrate ?? header("x-dos-substrate") ?? "",
		answer: {
			text: typeof content === "string" ? content : "",
			toolCalls: (message?.tool_calls ?? []).map(({ function: called }) => ({
				name: String(called?.name ?? ""),
				arguments: String(called?.arguments ?? ""),
			})),
		},
		finish: typeof finish === "string" ? finish : undefined,
		outputTokens:
			typeof usage?.completion_tokens === "number"
				? usage.completion_tokens
				: undefined,
		cost: receipt?.charged ?? 0,
		latency: receipt?.timing?.total,
	};
}

/** What kind of call it is, so that the log knows; and that each sample is an answer of its own. */
function wishes({ callType, difficulty }: Case): object {
	return { dos: { needs: { callType, difficulty }, cache: false } };
}

/** Milliseconds after which the same may be asked again; undefined where that would come to the same. */
function againIn(
	status: number,
	{ code }: Refusal,
	retryAfter: string | undefined,
): number | undefined {
	const passing =
		[408, 429, 500, 502, 503, 504, 529].includes(status) ||
		code === "idempotency/in-flight";
	if (!passing) return undefined;
	const seconds = Number(retryAfter);
	return seconds > 0 && seconds <= 60 ? seconds * 1_000 : 250;
}

function refusalIn(body: unknown, status: number): Refusal {
	const error = (body as { error?: Record<string, unknown> } | undefined)
		?.error;
	if (typeof error !== "object" || error === null)
		throw new Fault(
			"server/not-understood",
			`The answer, of status ${status}, is not understood: is a gateway there?`,
		);
	const { code, type, message, dos } = error;
	return {
		code:
			typeof code === "string" && code.includes("/")
				? code
				: `vendor/${String(code ?? type ?? "error")}`,
		message: String(message ?? "It was refused without a reason."),
		...(typeof dos === "object" &&
			dos !== null && { details: dos as Record<string, unknown> }),
	};
}
