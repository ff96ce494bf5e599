import * as v from "valibot";
import type { Caller } from "../../contexts/gateway/index.ts";
import type { LearningCommand } from "../../contexts/learning/index.ts";
import type { Intent, Recorded } from "../../contexts/log/index.ts";
import { accept, type Outcome, refuse } from "../../kernel/outcome.ts";

/** Records what learning is told, durably. */
export type Learn = (
	command: LearningCommand,
	intent: Intent,
) => Promise<Outcome<Recorded>>;

/** What was recorded of a call, as it is answered: `score` from 0 to 1. */
export interface OutcomeShown {
	readonly call: string;
	readonly by: string;
	readonly score?: number;
	readonly verdict?: string;
	readonly label?: string;
	readonly note?: string;
	/** The same was said before: nothing was recorded now. */
	readonly replayed: boolean;
}

const mostBytes = 16_384;

const text = (limit: number) =>
	v.pipe(
		v.string("must be text"),
		v.minLength(1, "must not be empty"),
		v.maxLength(limit, `must have at most ${limit} characters`),
	);

const schema = v.strictObject(
	{
		score: v.exactOptional(
			v.pipe(
				v.number("must be a number from 0 to 1"),
				v.minValue(0, "must be a number from 0 to 1"),
				v.maxValue(1, "must be a number from 0 to 1"),
			),
		),
		verdict: v.exactOptional(
			v.picklist(
				["accepted", "edited", "rejected"],
				"must be accepted, edited or rejected",
			),
		),
		label: v.exactOptional(text(64)),
		by: v.exactOptional(text(64)),
		note: v.exactOptional(text(500)),
	},
	"must be a JSON object",
);

/**
 * Records what the body of `POST /v1/outcomes/{call}` says of a call of the caller's account. Said again, it is
 * recorded once; said otherwise by the same `by` (the key, where nobody is named), the later counts. Refuses with
 * `request/invalid`, `http/body-too-large`, `receipt/unknown` and `outcome/too-many`.
 */
export async function recordOutcome(
	call: string,
	body: Uint8Array,
	{ account, key }: Caller,
	from: {
		readonly receipt: (
			call: string,
			account: string,
		) => Promise<Outcome<unknown>>;
		readonly learn: Learn;
	},
): Promise<Outcome<OutcomeShown>> {
	const read = readBody(body);
	if (!read.ok) return read;
	const receipt = await from.receipt(call, account.id);
	if (!receipt.ok) return receipt;
	const { score, by = `key/${key.id}`, ...said } = read.value;
	const recorded = await from.learn(
		{
			type: "record-outcome",
			call,
			account: account.id,
			key: key.id,
			by,
			...(score !== undefined && { score: Math.round(score * 1000) }),
			...said,
		},
		{ actor: `key/${key.id}`, correlation: call },
	);
	if (!recorded.ok) return recorded;
	return accept({
		call,
		by,
		...(score !== undefined && { score: Math.round(score * 1000) / 1000 }),
		...said,
		replayed: recorded.value.events.length === 0,
	});
}

function readBody(body: Uint8Array): Outcome<v.InferOutput<typeof schema>> {
	if (body.byteLength > mostBytes)
		return refuse(
			"http/body-too-large",
			`An outcome has at most ${mostBytes} bytes.`,
		);
	let document: unknown;
	try {
		document = JSON.parse(
			new TextDecoder("utf-8", { fatal: true }).decode(body),
		);
	} catch {
		return refuse("request/invalid", "The body is no JSON.");
	}
	const parsed = v.safeParse(schema, document, { abortEarly: true });
	if (!parsed.success) {
		const [issue] = parsed.issues;
		const field = v.getDotPath(issue) ?? undefined;
		const message =
			issue.type === "strict_object" && field !== undefined
				? "is no member of an outcome: there are score, verdict, label, by and note"
				: issue.message;
		return refuse(
			"request/invalid",
			`${field === undefined ? "The body" : field.slice(0, 64)} ${message}.`,
			field === undefined ? undefined : { field: field.slice(0, 64) },
		);
	}
	const { score, verdict, label } = parsed.output;
	if (score === undefined && verdict === undefined && label === undefined)
		return refuse(
			"request/invalid",
			"An outcome holds a score (0 to 1), a verdict (accepted, edited or rejected) or a label.",
		);
	return accept(parsed.output);
}
