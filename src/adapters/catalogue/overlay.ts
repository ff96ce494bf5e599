import * as v from "valibot";
import { accept, type Outcome, refuse } from "../../kernel/outcome.ts";
import { type PartialFacts, shipped } from "./shipped.ts";

/** What the owner says of vendors and substrates: wins over everything else that is said of them. */
export interface CatalogueOverlay {
	/** Of every substrate of a vendor: where its calls are processed, under which contract. */
	readonly vendors: Readonly<Record<string, PartialFacts>>;
	/** Of one, by `vendor/model`; new ones are added. */
	readonly substrates: Readonly<Record<string, PartialFacts>>;
}

export const noOverlay: CatalogueOverlay = { vendors: {}, substrates: {} };

/** One thing wrong in the section. */
export interface OverlayProblem {
	/** From the section's head: `["substrates", "mistral/large", "countries"]`. */
	readonly path: readonly (string | number)[];
	readonly message: string;
}

/** The date of what the owner gave none for: it becomes the day on which it was first seen. */
export const undated = "";

/**
 * Reads the `catalogue:` section: plain values by fact, `unknown` to take one back, and optionally the `source` and
 * `date` that they all have. Refuses with `config/invalid`; the details name every problem and its path.
 */
export function readOverlay(raw: unknown): Outcome<CatalogueOverlay> {
	const given = (raw ?? {}) as Readonly<Record<string, unknown>>;
	// To valibot a list is a map with strange keys.
	for (const [path, each] of [
		[[], given],
		[["vendors"], given.vendors],
		[["substrates"], given.substrates],
	] as const) {
		if (Array.isArray(each))
			return invalid([{ path, message: "is a list, and should be a map" }]);
	}
	const read = v.safeParse(section, given);
	if (!read.success)
		return invalid(
			read.issues.map((issue) => ({
				path: (issue.path ?? []).map(({ key }) => key as string | number),
				message: say(issue),
			})),
		);
	const facts = (
		said: Readonly<Record<string, v.InferOutput<typeof row>>>,
	): Readonly<Record<string, PartialFacts>> =>
		Object.fromEntries(
			Object.entries(said).map(([id, each]) => [id, factsOf(each)]),
		);
	return accept({
		vendors: facts(read.output.vendors),
		substrates: facts(read.output.substrates),
	});
}

/** Never with the value: what stands at a wrong place may be a secret. */
function say({ type, expected, message }: v.BaseIssue<unknown>): string {
	if (type === "strict_object" && expected === "never") return "is no fact";
	return message.startsWith("Invalid ") ? `must be ${expected}` : message;
}

function invalid(problems: readonly OverlayProblem[]): Outcome<never> {
	const [first] = problems;
	return refuse(
		"config/invalid",
		`${["catalogue", ...(first?.path ?? [])].join(".")}: ${first?.message}`,
		{ problems },
	);
}

const text = v.pipe(v.string(), v.trim(), v.nonEmpty("is empty"));
const country = v.pipe(
	v.string(),
	v.regex(/^[A-Z]{2}$/, "is no country: two capital letters, as in DE"),
);
/** Countries by themselves, or by the name of an area that stands for all of its own. */
const countries = v.pipe(
	v.array(
		v.pipe(
			v.string(),
			v.check(
				(given) =>
					/^[A-Z]{2}$/.test(given) || Object.hasOwn(shipped.areas, given),
				`is no country: two capital letters, as in DE, or ${Object.keys(shipped.areas).join(" or ")} for all of theirs`,
			),
		),
	),
	v.minLength(1, "names none"),
	v.transform((given) => [
		...new Set(given.flatMap((each) => shipped.areas[each] ?? each)),
	]),
);
const day = v.pipe(
	v.string(),
	v.isoDate("is no day: write it as 2026-11-21"),
	v.check((given) => {
		const at = new Date(`${given}T00:00:00Z`);
		return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(given);
	}, "is no day of the calendar"),
);
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** A value, or `unknown`. Chosen by what is given, so that what is wrong with a value is told. */
function said<Schema extends v.GenericSchema>(
	schema: Schema,
): v.OptionalSchema<
	v.LazySchema<v.LiteralSchema<"unknown", undefined> | Schema>,
	undefined
> {
	return v.optional(
		v.lazy((given) => (given === "unknown" ? v.literal("unknown") : schema)),
	);
}

const row = v.strictObject({
	source: v.optional(text, "owner"),
	date: v.optional(day),
	name: v.optional(text),
	tier: said(v.picklist(["flagship", "balanced", "small"])),
	weights: said(v.picklist(["open", "closed"])),
	trainer: said(text),
	bases: said(v.array(v.strictObject({ model: text, trainer: text }))),
	channel: said(text),
	countries: said(countries),
	region: said(text),
	operator: said(text),
	seat: said(country),
	laws: said(countries),
	retentionDays: said(count),
	trains: said(v.boolean()),
	attestations: said(v.array(text)),
	capabilities: v.optional(
		v.strictObject({
			means: said(
				v.array(
					v.picklist([
						"generate",
						"embed",
						"count-tokens",
						"image",
						"speech",
						"transcription",
					]),
				),
			),
			context: said(count),
			outputLimit: said(count),
			inputs: said(
				v.array(v.picklist(["image", "audio", "document", "video"])),
			),
			tools: said(v.boolean()),
			jsonSchema: said(v.boolean()),
			reasoning: said(v.boolean()),
			caching: said(v.boolean()),
			logprobs: said(v.boolean()),
			streaming: said(v.boolean()),
		}),
		{},
	),
	lifecycle: v.optional(
		v.strictObject({
			stage: said(v.picklist(["preview", "stable", "deprecated"])),
			goneOn: said(day),
		}),
		{},
	),
});

const section = v.strictObject({
	vendors: v.optional(v.record(text, row), {}),
	substrates: v.optional(
		v.record(
			v.pipe(
				v.string(),
				v.regex(/^[^/]+\/.+$/, "is no substrate: write it as vendor/model"),
			),
			row,
		),
		{},
	),
});

function factsOf({
	source,
	date,
	name,
	capabilities,
	lifecycle,
	...plain
}: v.InferOutput<typeof row>): PartialFacts {
	const known = (values: object): object =>
		Object.fromEntries(
			Object.entries(values)
				.filter(([, value]) => value !== undefined)
				.map(([fact, value]) => [
					fact,
					value === "unknown"
						? value
						: { value, source, date: date ?? undated },
				]),
		);
	return {
		...known(plain),
		...(name === undefined ? {} : { name }),
		capabilities: known(capabilities),
		lifecycle: known(lifecycle),
	};
}
