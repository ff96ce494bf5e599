import { createHash } from "node:crypto";
import * as v from "valibot";
import { accept, type Outcome, refuse } from "../../kernel/outcome.ts";
import type {
	PriceBook,
	PriceSheet,
	Rate,
	UsageClass,
} from "../../ports/price-book.ts";
import { microPrice } from "./micro-price.ts";

/** What a row prices in US dollars per million: tokens, and characters. */
type MillionClass = Exclude<
	UsageClass,
	"search" | "request" | "image" | "audio-second"
>;

const millionClasses: readonly MillionClass[] = [
	"input",
	"output",
	"reasoning",
	"cache-read",
	"cache-write-5m",
	"cache-write-1h",
	"input-audio",
	"cache-read-audio",
	"output-audio",
	"input-image",
	"cache-read-image",
	"output-image",
	"character",
];

/** Micro-credits per million units. */
type OwnerPrices = { readonly [Name in MillionClass]?: number | undefined };

/** A price row of the owner's, read: amounts are micro-credits per million units, times milliseconds since 1970 UTC. */
export interface OwnerRow {
	/** Patterns where `*` stands for anything. */
	readonly vendor: string;
	readonly model: string;
	readonly from?: number | undefined;
	readonly until?: number | undefined;
	readonly prices: OwnerPrices;
	readonly tiers: readonly {
		readonly from: number;
		readonly prices: OwnerPrices;
	}[];
	readonly perRequest?: number | undefined;
	readonly perSearch?: number | undefined;
	readonly perImage?: number | undefined;
	/** For a million seconds, as all amounts. */
	readonly perAudioMinute?: number | undefined;
	readonly batchDiscount?: number | undefined;
}

/** What the owner allows for models of unknown price, in micro-credits per million units. */
export interface OwnerCeiling {
	readonly input: number;
	readonly output: number;
	readonly request?: number;
	readonly search?: number;
}

/**
 * The owner's price rows. The first row in the file that fits vendor, model and moment is the price,
 * whole: nothing is added from another row. Refuses with `config/price-invalid`, naming each row and
 * field that is wrong (`prices[2].tiers[0].from …`).
 */
export function ownerPriceBook(rows: unknown): Outcome<PriceBook> {
	const parsed = v.safeParse(
		v.array(row, "must be a list of rows"),
		rows ?? [],
	);
	if (!parsed.success) return invalid("prices", parsed.issues);
	const priced = parsed.output.map((row) => ({
		row,
		vendor: matcher(row.vendor),
		model: matcher(row.model),
		sheet: sheetOf(row),
	}));
	const known = new Map<string, typeof priced>();
	return accept({
		version: `config.yaml:${digest(parsed.output)}`,
		find(vendor, model, at) {
			const name = `${vendor}/${model}`;
			let candidates = known.get(name);
			if (!candidates) {
				candidates = priced.filter(
					(entry) => entry.vendor(vendor) && entry.model(model),
				);
				if (known.size >= 10_000) known.clear();
				known.set(name, candidates);
			}
			return candidates.find(
				({ row: { from, until } }) =>
					(from === undefined || at >= from) &&
					(until === undefined || at < until),
			)?.sheet;
		},
		models: (vendor) =>
			[
				...new Set(
					priced
						.filter(
							(entry) => entry.vendor(vendor) && !entry.row.model.includes("*"),
						)
						.map(({ row }) => row.model),
				),
			].map((model) => ({ model })),
	});
}

/** The owner's `ceiling`: `{ input, output, perRequest?, perSearch? }`. Refuses with `config/price-invalid`. */
export function ownerCeiling(written: unknown): Outcome<OwnerCeiling> {
	const parsed = v.safeParse(ceiling, written);
	if (!parsed.success) return invalid("ceiling", parsed.issues);
	const { input, output, perRequest, perSearch } = parsed.output;
	return accept({
		input,
		output,
		...(perRequest === undefined ? {} : { request: perRequest }),
		...(perSearch === undefined ? {} : { search: perSearch }),
	});
}

const amount = (perUnits: 1 | 1_000_000) =>
	v.pipe(
		v.union(
			[v.string(), v.number()],
			"must be an amount of US dollars, such as 0.25",
		),
		v.rawTransform(({ dataset, addIssue, NEVER }) => {
			const converted = microPrice(dataset.value, perUnits);
			if (converted?.exact) return converted.price;
			addIssue({
				message: converted
					? `has too many decimals: at most ${perUnits === 1 ? 14 : 8} can be kept exactly`
					: "must be an amount of US dollars, such as 0.25",
			});
			return NEVER;
		}),
	);
const perMillion = amount(1_000_000);
const each = amount(1);
/** Seconds are what is counted: the sixtieth part, up to the next micro-credit per million of them. */
const eachMinute = v.pipe(
	each,
	v.transform((price) => Math.ceil(price / 60)),
);

const notANumber = "must be a whole number of tokens";
const millionPrices = Object.fromEntries(
	millionClasses.map((name) => [name, v.optional(perMillion)]),
) as {
	readonly [Name in MillionClass]: v.OptionalSchema<
		typeof perMillion,
		undefined
	>;
};
const pattern = v.pipe(
	v.string("must be text; * stands for anything"),
	v.nonEmpty("must not be empty"),
);
const moment = v.pipe(
	v.string("must be a date, such as 2026-01-31 (midnight UTC)"),
	v.rawTransform(({ dataset, addIssue, NEVER }) => {
		const form =
			/^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.exec(
				dataset.value.trim(),
			);
		const time = form ? Date.parse(form[0]) : Number.NaN;
		// Date.parse takes February 30th for March 2nd in some runtimes.
		const day = form ? new Date(`${form[1]}T00:00:00Z`) : undefined;
		if (!Number.isNaN(time) && day?.toISOString().startsWith(form?.[1] ?? "?"))
			return time;
		addIssue({ message: "must be a date, such as 2026-01-31 (midnight UTC)" });
		return NEVER;
	}),
);
const mapping = "must be settings, each with a name";

const row = v.pipe(
	v.strictObject(
		{
			vendor: pattern,
			model: pattern,
			from: v.optional(moment),
			until: v.optional(moment),
			prices: v.optional(v.strictObject(millionPrices, mapping), {}),
			tiers: v.optional(
				v.array(
					v.strictObject(
						{
							from: v.pipe(v.number(notANumber), v.safeInteger(notANumber)),
							prices: v.strictObject(millionPrices, mapping),
						},
						mapping,
					),
					"must be a list of tiers",
				),
				[],
			),
			perRequest: v.optional(each),
			perSearch: v.optional(each),
			perImage: v.optional(each),
			perAudioMinute: v.optional(eachMinute),
			batchDiscount: v.optional(
				v.pipe(
					v.number("must be a number of percent"),
					v.minValue(0, "must be at least 0"),
					v.maxValue(100, "must be at most 100"),
					v.multipleOf(0.5, "must be in halves of a percent"),
				),
			),
		},
		mapping,
	),
	v.rawCheck(({ dataset, addIssue }) => {
		if (!dataset.typed) return;
		const { from, until, prices, tiers, perImage, perAudioMinute } =
			dataset.value;
		const issue = (message: string): void => addIssue({ message });
		if (from !== undefined && until !== undefined && until <= from)
			issue("until must be after from");
		if (
			millionClasses.every((name) => prices[name] === undefined) &&
			perImage === undefined &&
			perAudioMinute === undefined
		)
			issue(
				"prices must name at least one class, or perImage or perAudioMinute an amount",
			);
		for (const [index, tier] of tiers.entries()) {
			const before = tiers[index - 1]?.from ?? 0;
			if (tier.from <= before)
				issue(`tiers[${index}].from must be above ${before}`);
			for (const name of millionClasses) {
				if (tier.prices[name] !== undefined && prices[name] === undefined) {
					issue(
						`tiers[${index}].prices.${name} needs a price below the tier as well: prices.${name}`,
					);
				}
			}
		}
	}),
);

const ceiling = v.strictObject(
	{
		input: perMillion,
		output: perMillion,
		perRequest: v.optional(each),
		perSearch: v.optional(each),
	},
	mapping,
);

function sheetOf(row: OwnerRow): PriceSheet {
	const rates: Partial<Record<UsageClass, readonly Rate[]>> = {};
	for (const name of millionClasses) {
		const base = row.prices[name];
		if (base === undefined) continue;
		const steps: Rate[] = [{ from: 0, price: base }];
		for (const { from, prices } of row.tiers) {
			const price = prices[name];
			if (price !== undefined) steps.push({ from, price });
		}
		rates[name] = steps;
	}
	if (row.perRequest !== undefined)
		rates.request = [{ from: 0, price: row.perRequest }];
	if (row.perSearch !== undefined)
		rates.search = [{ from: 0, price: row.perSearch }];
	if (row.perImage !== undefined)
		rates.image = [{ from: 0, price: row.perImage }];
	if (row.perAudioMinute !== undefined)
		rates["audio-second"] = [{ from: 0, price: row.perAudioMinute }];
	const since =
		row.from === undefined
			? ""
			: `@${new Date(row.from).toISOString().replace("T00:00:00.000Z", "")}`;
	return {
		// The digest tells this row from what stood in its place before the owner changed it.
		id: `config.yaml:${digest(row)}/${row.vendor}/${row.model}${since}`,
		rates,
		...(row.batchDiscount === undefined
			? {}
			: { batchBasisPoints: 10_000 - row.batchDiscount * 100 }),
	};
}

/** Whether a name fits a pattern, where `*` stands for anything, letter case aside. In time linear in the name. */
function matcher(pattern: string): (name: string) => boolean {
	const [first = "", ...rest] = pattern.toLowerCase().split("*");
	const last = rest.pop();
	return (given) => {
		const name = given.toLowerCase();
		if (last === undefined) return name === first;
		if (!name.startsWith(first)) return false;
		let position = first.length;
		for (const part of rest) {
			const found = name.indexOf(part, position);
			if (found < 0) return false;
			position = found + part.length;
		}
		return name.length - last.length >= position && name.endsWith(last);
	};
}

function digest(value: unknown): string {
	return createHash("sha256")
		.update(JSON.stringify(value))
		.digest("hex")
		.slice(0, 8);
}

function invalid(
	root: string,
	issues: readonly v.BaseIssue<unknown>[],
): ReturnType<typeof refuse> {
	const problems = issues.map((issue) => {
		const path = (issue.path ?? []).reduce(
			(text, { key }) =>
				typeof key === "number" ? `${text}[${key}]` : `${text}.${key}`,
			root,
		);
		return { path, message: describe(issue) };
	});
	return refuse(
		"config/price-invalid",
		problems.map(({ path, message }) => `${path} ${message}.`).join("\n"),
		{ problems },
	);
}

function describe(issue: v.BaseIssue<unknown>): string {
	if (issue.type !== "strict_object") return issue.message;
	if (issue.expected === "never") return "is no setting";
	return issue.input === undefined ? "is missing" : issue.message;
}
