import type {
	CatalogueSnapshot,
	Fact,
	SubstrateFacts,
} from "../../ports/catalogue.ts";
import { namedCountries } from "./countries.ts";

/** One fact of a substrate, in words. */
export interface ToldFact {
	/** Where it stands: `countries`, `capabilities.tools`. */
	readonly fact: string;
	/** What it is about: "where calls are processed". */
	readonly about: string;
	/** `unknown` where nobody says. */
	readonly value: string;
	readonly source?: string;
	readonly date?: string;
}

/** Every fact of a substrate, the unknown ones too, in one order for all. */
export function tellFacts(facts: SubstrateFacts): readonly ToldFact[] {
	return told.map(({ fact, about, of, say }) => {
		const known = of(facts);
		return known === "unknown"
			? { fact, about, value: "unknown" }
			: {
					fact,
					about,
					value: say(known.value as never),
					source: known.source,
					date: known.date,
				};
	});
}

/** What keeps a substrate from being chosen for anybody who does not name it, in words; none: it takes part. */
export function missingFacts({
	capabilities,
	prices,
}: SubstrateFacts): readonly string[] {
	const { means, context, outputLimit } = capabilities;
	const inTokens =
		means === "unknown" ||
		means.value.some((each) => each === "generate" || each === "embed");
	return [
		["what it can be asked for", means] as const,
		...(inTokens
			? ([
					["its context", context],
					["its output limit", outputLimit],
				] as const)
			: []),
		["its price", prices] as const,
	]
		.filter(([, fact]) => fact === "unknown")
		.map(([about]) => about);
}

/** What is different from one catalogue to another, a sentence each; none: the same. */
export function catalogueChanges(
	before: CatalogueSnapshot,
	after: CatalogueSnapshot,
): readonly string[] {
	const old = new Map(before.substrates.map((facts) => [facts.id, facts]));
	const left = new Set(old.keys());
	const changes: string[] = [];
	for (const facts of after.substrates) {
		const earlier = old.get(facts.id);
		left.delete(facts.id);
		if (!earlier) {
			changes.push(`${facts.id} is new.`);
			continue;
		}
		if (earlier.name !== facts.name)
			changes.push(
				`${facts.id}: its name was ${earlier.name}, and is ${facts.name}.`,
			);
		const now = tellFacts(facts);
		for (const [at, was] of tellFacts(earlier).entries()) {
			const is = now[at] as ToldFact;
			if (was.value !== is.value)
				changes.push(
					`${facts.id}: ${is.about} was ${was.value}, and is ${is.value}${is.source === undefined ? "" : ` (${is.source}, ${is.date})`}.`,
				);
			else if (was.source !== is.source || was.date !== is.date)
				changes.push(
					`${facts.id}: ${is.about} is still ${is.value}, by ${is.source} on ${is.date}, where it was ${was.source} on ${was.date}.`,
				);
		}
	}
	for (const id of left) changes.push(`${id} is not there any more.`);
	const vendors = new Set([
		...Object.keys(before.off),
		...Object.keys(after.off),
	]);
	for (const vendor of vendors) {
		const was = before.off[vendor];
		const is = after.off[vendor];
		if (was === undefined) changes.push(`The vendor ${vendor} is off: ${is}.`);
		else if (is === undefined)
			changes.push(`The vendor ${vendor} is on, and was off.`);
		else if (was !== is)
			changes.push(`The vendor ${vendor} is off for another reason: ${is}.`);
	}
	return changes;
}

/** Where a substrate processes calls and who runs it, as far as is known: for whoever reads of a call later. */
export function placeOf({ operator, countries, seat }: SubstrateFacts): {
	readonly operator: string;
	readonly countries: string;
	readonly seat: string;
	/** Who said so, and when. */
	readonly sources: readonly string[];
} {
	const sources = [operator, countries, seat].flatMap((fact) =>
		fact === "unknown" ? [] : [`${fact.source} (${fact.date})`],
	);
	return {
		operator: operator === "unknown" ? "unknown" : operator.value,
		countries:
			countries === "unknown" ? "unknown" : namedCountries(countries.value),
		seat: seat === "unknown" ? "unknown" : seat.value,
		sources: [...new Set(sources)],
	};
}

interface Telling {
	readonly fact: string;
	readonly about: string;
	of(facts: SubstrateFacts): Fact<unknown>;
	say(value: never): string;
}

function tell<T>(
	fact: string,
	about: string,
	of: (facts: SubstrateFacts) => Fact<T>,
	say: (value: T) => string = String,
): Telling {
	return { fact, about, of, say };
}

const list = (values: readonly string[]): string => values.join(", ") || "none";
const yes = (value: boolean): string => (value ? "yes" : "no");
const tokens = (count: number): string => `${count} tokens`;

const told: readonly Telling[] = [
	tell("tier", "its tier", ({ tier }) => tier),
	tell("weights", "its weights", ({ weights }) => weights),
	tell("trainer", "who trained it", ({ trainer }) => trainer),
	tell(
		"bases",
		"what it was made from",
		({ bases }) => bases,
		(bases) =>
			list(bases.map(({ model, trainer }) => `${model} by ${trainer}`)),
	),
	tell("channel", "its channel", ({ channel }) => channel),
	tell(
		"countries",
		"where calls are processed",
		({ countries }) => countries,
		namedCountries,
	),
	tell("region", "its region", ({ region }) => region),
	tell("operator", "who runs it", ({ operator }) => operator),
	tell("seat", "where its operator is seated", ({ seat }) => seat),
	tell(
		"laws",
		"whose law reaches its operator",
		({ laws }) => laws,
		namedCountries,
	),
	tell(
		"retentionDays",
		"how long calls are kept",
		({ retentionDays }) => retentionDays,
		(days) => (days === 0 ? "not at all" : `${days} days`),
	),
	tell("trains", "whether calls train it", ({ trains }) => trains, yes),
	tell(
		"attestations",
		"what attests it",
		({ attestations }) => attestations,
		list,
	),
	tell(
		"capabilities.means",
		"what it can be asked for",
		({ capabilities }) => capabilities.means,
		list,
	),
	tell(
		"capabilities.context",
		"its context",
		({ capabilities }) => capabilities.context,
		tokens,
	),
	tell(
		"capabilities.outputLimit",
		"its output limit",
		({ capabilities }) => capabilities.outputLimit,
		tokens,
	),
	tell(
		"capabilities.inputs",
		"what it takes beside text",
		({ capabilities }) => capabilities.inputs,
		list,
	),
	...(
		[
			["tools", "whether it calls tools"],
			["jsonSchema", "whether it answers to a schema"],
			["reasoning", "whether it reasons"],
			["caching", "whether it caches prompts"],
			["logprobs", "whether it gives log probabilities"],
			["streaming", "whether it streams"],
		] as const
	).map(([name, about]) =>
		tell(
			`capabilities.${name}`,
			about,
			({ capabilities }) => capabilities[name],
			yes,
		),
	),
	tell(
		"prices",
		"its price",
		({ prices }) => prices,
		(figures) =>
			Object.entries(figures)
				.map(
					([name, rates]) =>
						`${name} ${rates.map(({ from, price }) => `${price / 1_000_000}${from > 0 ? ` from ${from} tokens` : ""}`).join(", ")}`,
				)
				.join("; "),
	),
	tell("lifecycle.stage", "its stage", ({ lifecycle }) => lifecycle.stage),
	tell(
		"lifecycle.goneOn",
		"the day it is gone",
		({ lifecycle }) => lifecycle.goneOn,
	),
];
