import type { Mutant } from "./mutants.ts";

/** A mutant that no test can notice, because it means the same. */
export interface Equivalent extends Pick<Mutant, "file" | "from" | "to"> {
	readonly why: string;
}

type Entry = readonly [from: string, to: string, why: string];

/** By file; each a mutant's text as it is printed. */
const entries: Readonly<Record<string, readonly Entry[]>> = {
	"src/contexts/routing/filters.ts": [
		[
			"if (qualityFloor !== undefined && graded < qualityFloor)",
			"if (graded < qualityFloor)",
			"No number is less than undefined: the first half is for the compiler.",
		],
		[
			"if (request.unreachable === undefined) return silent;",
			"if (false) return silent;",
			"The quick way to what follows too.",
		],
		[
			'channel === "unknown" || !channels.includes(channel.value),',
			"!channels.includes(channel.value),",
			"What is not known has no value, and no list holds that: the first half is for the compiler.",
		],
		[
			'channel === "unknown" || !channels.includes(channel.value),',
			'channel === "" || !channels.includes(channel.value),',
			"What is not known has no value, and no list holds that: the first half is for the compiler.",
		],
		[
			"if (made && !hasPlace(made, place)) continue;",
			"if (false) continue;",
			"What was made without words only saves looking for them.",
		],
		[
			"if (made && !hasPlace(made, place)) continue;",
			"if (made && !hasPlace(made, place)) ;",
			"What was made without words only saves looking for them.",
		],
	],
	"src/contexts/routing/places.ts": [
		[
			"for (let place = 0; place < size; place++)",
			"for (let place = 0; place <= size; place++) #2",
			"Nothing can be put beyond the end of such an array.",
		],
	],
	"src/contexts/routing/postures.ts": [
		[
			"const lead = rivals?.[0]?.from ?? Number.NEGATIVE_INFINITY;",
			"const lead = rivals?.[0].from ?? Number.NEGATIVE_INFINITY;",
			"Rivals are never an empty list.",
		],
		[
			"else if (posture.from === lead) rivals?.push(posture);",
			"else if (posture.from === lead) rivals.push(posture);",
			"Without rivals the lead is no moment that a posture can have.",
		],
		[
			"else if (posture.from === lead) rivals?.push(posture);",
			"else if (posture.from === lead) rivals?.unshift(posture);",
			"Of several rivals only their number counts.",
		],
		[
			"else if (first) postures.push(first);",
			"else if (true) postures.push(first);",
			"Rivals are never an empty list.",
		],
		[
			'const [, day = ""] = match;',
			'const [, day = "mutant"] = match;',
			"What matched has a day.",
		],
		[
			'if (until !== undefined && until <= from) return "it ends before it begins";',
			'if (until <= from) return "it ends before it begins";',
			"Undefined is no less than any number: the first half is for the compiler.",
		],
		[
			"const { allow = [], deny = [], require: required = [], prefer = [] } = rules;",
			'const { allow = ["mutant"], deny = [], require: required = [], prefer = [] } = rules;',
			"Each of the four was read before, absent ones as empty lists.",
		],
		[
			"const { allow = [], deny = [], require: required = [], prefer = [] } = rules;",
			'const { allow = [], deny = ["mutant"], require: required = [], prefer = [] } = rules;',
			"Each of the four was read before, absent ones as empty lists.",
		],
		[
			"const { allow = [], deny = [], require: required = [], prefer = [] } = rules;",
			'const { allow = [], deny = [], require: required = ["mutant"], prefer = [] } = rules;',
			"Each of the four was read before, absent ones as empty lists.",
		],
		[
			"const { allow = [], deny = [], require: required = [], prefer = [] } = rules;",
			'const { allow = [], deny = [], require: required = [], prefer = ["mutant"] } = rules;',
			"Each of the four was read before, absent ones as empty lists.",
		],
		[
			"if (raw === undefined) return [];",
			"if (raw === undefined) return;",
			"What is undefined becomes the empty list where it is taken apart.",
		],
		[
			'const bound = isRecord(raw) ? readScope(scope) : "";',
			'const bound = true ? readScope(scope) : "";',
			"What is no map has no scope, and no scope is as good as one that cannot be read.",
		],
		[
			'const bound = isRecord(raw) ? readScope(scope) : "";',
			'const bound = isRecord(raw) ? readScope(scope) : "mutant";',
			"Any text says that the scope cannot be read.",
		],
		[
			"(keys === undefined || (who.key !== undefined && keys.includes(who.key))) &&",
			"(keys === undefined || (keys.includes(who.key))) &&",
			"No list of keys holds undefined: the first half is for the compiler.",
		],
		[
			".sort(([one], [other]) => (String(one) < String(other) ? -1 : 1)),",
			".sort(([one], [other]) => (String(one) <= String(other) ? -1 : 1)),",
			"No field stands twice.",
		],
		[
			".sort(([one], [other]) => (String(one) < String(other) ? -1 : 1)),",
			".sort(([one], [other]) => (String(one) >= String(other) ? -1 : 1)),",
			"Any one order makes like selectors alike.",
		],
		[
			".sort(([one], [other]) => (String(one) < String(other) ? -1 : 1)),",
			".sort(([one], [other]) => (String(one) < String(other) ? -2 : 1)),",
			"Only the sign counts.",
		],
		[
			".sort(([one], [other]) => (String(one) < String(other) ? -1 : 1)),",
			".sort(([one], [other]) => (String(one) < String(other) ? -1 : 2)),",
			"Only the sign counts.",
		],
		[
			".sort(([one], [other]) => (String(one) < String(other) ? -1 : 1)),",
			".sort(([one], [other]) => (String(one) < String(other) ? -1 : 0)),",
			"The runtimes sort by what is less alone.",
		],
	],
	"src/contexts/routing/selectors.ts": [
		[
			'const [head = "", ...rest] = pattern.toLowerCase().split("*");',
			'const [head = "mutant", ...rest] = pattern.toLowerCase().split("*");',
			"A text that is split has a first part.",
		],
		["if (!column) {", "if (true) {", "What is remembered only saves time."],
		["columns.set(name, column);", ";", "What is remembered only saves time."],
		[
			"const names = (Object.keys(selector) as FieldName[]).sort( (one, other) => Number(wide.has(one)) - Number(wide.has(other)), );",
			"const names = Object.keys(selector) as FieldName[];",
			"In whatever order: what is asked first only saves time.",
		],
		[
			"(one, other) => Number(wide.has(one)) - Number(wide.has(other)),",
			"(one, other) => undefined,",
			"In whatever order: what is asked first only saves time.",
		],
		[
			"(one, other) => Number(wide.has(one)) - Number(wide.has(other)),",
			"(one, other) => Number(wide.has(one)) + Number(wide.has(other)),",
			"In whatever order: what is asked first only saves time.",
		],
		[
			"if (places?.every((bits) => bits === 0)) break;",
			"if (false) break;",
			"Where nobody is left, what follows leaves nobody either.",
		],
		[
			"if (places?.every((bits) => bits === 0)) break;",
			"if (places?.every((bits) => undefined)) break;",
			"Where nobody is left, what follows leaves nobody either.",
		],
		[
			"if (places?.every((bits) => bits === 0)) break;",
			"if (places?.every((bits) => bits === 1)) break;",
			"Where nobody is left, what follows leaves nobody either.",
		],
		[
			"if (places?.every((bits) => bits === 0)) break;",
			"if (places?.every((bits) => bits === 0)) ;",
			"Where nobody is left, what follows leaves nobody either.",
		],
		["if (!places) {", "if (true) {", "What is remembered only saves time."],
		["written.set(name, places);", ";", "What is remembered only saves time."],
		[
			"places.push(place);",
			"places.unshift(place);",
			"They are put into a set.",
		],
		[
			'if (fact !== undefined && fact !== "unknown") {',
			"if (false) {",
			"The quick way to what follows too.",
		],
		["continue;", ";", "Who is noted twice is in the set once."],
		[
			"if (things.length > 1) several.push({ place, things });",
			"if (true) several.push({ place, things });",
			"One thing alone fits, or was not found.",
		],
		[
			"if (things.length > 1) several.push({ place, things });",
			"if (things.length >= 1) several.push({ place, things });",
			"One thing alone fits, or was not found.",
		],
		[
			"if (things.length > 1) several.push({ place, things });",
			"if (things.length > 0) several.push({ place, things });",
			"One thing alone fits, or was not found.",
		],
		[
			"if (things.length > 1) several.push({ place, things });",
			"if (things.length > 1) several.unshift({ place, things });",
			"They are put into a set.",
		],
		[
			"wanted.names ?? [...having.keys()].filter((name) => wanted.fits(name));",
			"[...having.keys()].filter((name) => wanted.fits(name));",
			"The quick way to what follows too.",
		],
		[
			"if (conditions === undefined) {",
			"if (true) {",
			"What is remembered only saves time.",
		],
		[
			"ready.set(selector, conditions);",
			";",
			"What is remembered only saves time.",
		],
		[
			"return { names, fits: (name) => names.includes(name) };",
			"return { fits: (name) => names.includes(name) };",
			"The names are the quick way to what fits.",
		],
		[
			// biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a template.
			': `cannot be "${stray}": there are ${among?.join(", ")}`;',
			// biome-ignore lint/suspicious/noTemplateCurlyInString: and so is this.
			': `cannot be "${stray}": there are ${among.join(", ")}`;',
			"Nothing is astray where anything may stand.",
		],
		[
			"const notKnown: Known = { things: [], complete: false };",
			"const notKnown: Known = { things: [], };",
			"Undefined is as good as false.",
		],
		[
			'const wide: ReadonlySet<FieldName> = new Set(["substrate", "model", "lineage"]);',
			"const wide: ReadonlySet<FieldName> = new Set([]);",
			"In whatever order: what is asked first only saves time.",
		],
		[
			'const wide: ReadonlySet<FieldName> = new Set(["substrate", "model", "lineage"]);',
			'const wide: ReadonlySet<FieldName> = new Set([ "model", "lineage"]);',
			"In whatever order: what is asked first only saves time.",
		],
		[
			'const wide: ReadonlySet<FieldName> = new Set(["substrate", "model", "lineage"]);',
			'const wide: ReadonlySet<FieldName> = new Set(["substrate", "lineage"]);',
			"In whatever order: what is asked first only saves time.",
		],
		[
			'const wide: ReadonlySet<FieldName> = new Set(["substrate", "model", "lineage"]);',
			'const wide: ReadonlySet<FieldName> = new Set(["substrate", "model", ]);',
			"In whatever order: what is asked first only saves time.",
		],
		[
			'const wide: ReadonlySet<FieldName> = new Set(["substrate", "model", "lineage"]);',
			'const wide: ReadonlySet<FieldName> = new Set(["", "model", "lineage"]);',
			"In whatever order: what is asked first only saves time.",
		],
		[
			'const wide: ReadonlySet<FieldName> = new Set(["substrate", "model", "lineage"]);',
			'const wide: ReadonlySet<FieldName> = new Set(["substrate", "", "lineage"]);',
			"In whatever order: what is asked first only saves time.",
		],
		[
			'const wide: ReadonlySet<FieldName> = new Set(["substrate", "model", "lineage"]);',
			'const wide: ReadonlySet<FieldName> = new Set(["substrate", "model", ""]);',
			"In whatever order: what is asked first only saves time.",
		],
		[
			'if (bases === "unknown") return { things: itself, complete: false };',
			'if (bases === "unknown") return { things: itself, };',
			"Undefined is as good as false.",
		],
		["single: of,", "", "The quick way to what follows too."],
	],
	"src/contexts/routing/sovereignty.ts": [
		[
			"const parents = classes.find((each) => each.id === id)?.extends ?? [];",
			"const parents = classes.find((each) => each.id === id).extends ?? [];",
			"A class whose requirements can be told is there.",
		],
	],
	"src/contexts/gateway/plan.ts": [
		[
			"this.#isCurrent(now, this.decision) || this.#decide(now).order.some(({ facts }) => facts.id === substrate.id)",
			"this.#decide(now).order.some(({ facts }) => facts.id === substrate.id)",
			"The quick way to what deciding again finds too.",
		],
		[
			"if (asked.dos === undefined && needs === undefined && profiles.length === 0)",
			"if (false)",
			"The quick way to what follows too.",
		],
		["cache: undefined,", "", "Absent is as good as undefined."],
		[
			"if (profiles.length === 0) return {};",
			"if (false) return {};",
			"The quick way to what follows too.",
		],
		[
			"if (profiles.length === 0) return {};",
			"if (profiles.length === 0) return;",
			"Spread, nothing is as good as an empty object.",
		],
		[
			"...profiles.flatMap((profile) => profile.needs ?? []),",
			'...profiles.flatMap((profile) => profile.needs ?? ["mutant"]),',
			"A text has no needs to join.",
		],
	],
};

export const equivalents: readonly Equivalent[] = Object.entries(
	entries,
).flatMap(([file, each]) =>
	each.map(([from, to, why]) => ({ file, from, to, why })),
);
