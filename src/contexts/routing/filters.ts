import type {
	Capabilities,
	Fact,
	SubstrateFacts,
} from "../../ports/catalogue.ts";
import type { Asked, Capability, RouteRequest, Selector } from "./model.ts";
import type { InForce } from "./postures.ts";
import { describe, matches, touches } from "./selectors.ts";
import type { Reasons, World } from "./world.ts";

/** One request in one world, with all that its filters look at. */
export interface Question {
	readonly world: World;
	readonly request: RouteRequest;
	readonly inForce: InForce;
	/** By posture in force. */
	readonly barred: readonly Reasons[];
	/** By sovereignty class needed. */
	readonly outside: readonly Reasons[];
	/** What the aliased name stands for, else undefined. */
	readonly meant: readonly Uint8Array[] | undefined;
	/** Quality by the owner's grades, 0 where none fits; by substrate. */
	readonly quality: Uint16Array;
	/** Any instant of the epoch: filters cannot tell one from another. */
	readonly at: number;
}

/** A hard rule. Nothing that comes after may bring back what it drops. */
export interface Filter {
	readonly name: string;
	/** One character that stands for it in records: never given another meaning. */
	readonly code: string;
	/** Why it drops a substrate, in words; undefined where it does not. */
	drops(
		facts: SubstrateFacts,
		question: Question,
		at: number,
	): string | undefined;
}

const asked: Filter = {
	name: "asked",
	code: "A",
	drops(facts, { request, meant }, at) {
		const { asked } = request;
		const means =
			asked.kind === "substrate"
				? facts.id === asked.id
				: asked.kind === "model"
					? facts.name === asked.name || facts.model === asked.name
					: asked.kind === "alias"
						? meant?.some((each) => each[at] === 1) === true
						: true;
		return means ? undefined : "it is not what was asked for";
	},
};

const reach: Filter = {
	name: "reach",
	code: "B",
	drops({ vendor }, { world, request }) {
		const { off } = world.catalogue;
		if (Object.hasOwn(off, vendor)) return `its vendor is off: ${off[vendor]}`;
		return request.unreachable?.includes(vendor)
			? "it cannot be spoken to from the client's protocol"
			: undefined;
	},
};

const rights: Filter = {
	name: "rights",
	code: "C",
	drops: ({ id, model, name }, { request }) =>
		request.rights?.every((patterns) =>
			patterns.some(
				(pattern) =>
					matches(pattern, id) ||
					matches(pattern, model) ||
					matches(pattern, name),
			),
		) === false
			? "the key or its account may not use it"
			: undefined,
};

const sovereignty: Filter = {
	name: "sovereignty",
	code: "D",
	drops: (_, { outside }, at) => firstReason(outside, at),
};

const channel: Filter = {
	name: "channel",
	code: "E",
	drops({ channel }, { request }) {
		const { channels } = request.stated;
		if (channels === undefined) return undefined;
		const wanted = `only ${channels.join(" or ") || "none"} may be used`;
		if (channel === "unknown") return `its channel is not known, and ${wanted}`;
		return channels.includes(channel.value)
			? undefined
			: `its channel is ${channel.value}, and ${wanted}`;
	},
};

const posture: Filter = {
	name: "posture",
	code: "F",
	drops(_, { inForce, barred }, at) {
		const [stop] = inForce.stops;
		return stop
			? `the posture "${stop.id}" stops every call in its scope, as ${stop.problem}`
			: firstReason(barred, at);
	},
};

const capability: Filter = {
	name: "capability",
	code: "G",
	drops({ capabilities }, { request, quality }, at) {
		const { stated, inferred, asked } = request;
		const chosen = isChosen(asked);
		const cannot = lacks(capabilities.means, chosen, (means) =>
			means.includes(inferred.means),
		);
		if (cannot) return `it ${cannot} ${inferred.means}`;
		for (const need of stated.capabilities ?? []) {
			const why = abilities[need](capabilities, false);
			if (why) return `it ${why} ${need}`;
		}
		for (const need of inferred.capabilities) {
			const why = abilities[need](capabilities, chosen);
			if (why) return `it ${why} ${need}`;
		}
		const { qualityFloor } = stated;
		const graded = quality[at] as number;
		if (qualityFloor !== undefined && graded < qualityFloor)
			return `its grade is ${graded || "not known"}, and at least ${qualityFloor} is asked for`;
		return undefined;
	},
};

const context: Filter = {
	name: "context",
	code: "H",
	drops({ capabilities }, { request }) {
		const { input, output, means } = request.inferred;
		// Images and sound are bounded otherwise than by tokens.
		if (means !== "generate" && means !== "embed") return undefined;
		const chosen = isChosen(request.asked);
		const narrow = lacks(
			capabilities.context,
			chosen,
			(tokens) => input + output <= tokens,
		);
		if (narrow)
			return `some ${input} tokens in and ${output} out ${narrow === notKnown ? "may not fit: its context is not known" : `do not fit its context of ${shown(capabilities.context)}`}`;
		const short = lacks(
			capabilities.outputLimit,
			chosen,
			(tokens) => output <= tokens,
		);
		return short
			? `${output} tokens out ${short === notKnown ? "may be too many: its limit is not known" : `are more than its limit of ${shown(capabilities.outputLimit)}`}`
			: undefined;
	},
};

const lifecycle: Filter = {
	name: "lifecycle",
	code: "I",
	drops: ({ lifecycle }, { world, at: now }, at) =>
		(world.gone[at] as number) <= now
			? `it is gone since ${shown(lifecycle.goneOn)}`
			: undefined,
};

const killed: Filter = {
	name: "killed",
	code: "J",
	drops(facts, { world }) {
		const by = world.table.killed.find(
			(selector: Selector) => touches(selector, facts) !== "no",
		);
		return by && `the owner switched off ${describe(by)}`;
	},
};

/** In this order; the first that drops a substrate is the one that is told. The ceiling on cost comes after all of them. */
export const filters: readonly Filter[] = [
	asked,
	reach,
	rights,
	sovereignty,
	channel,
	posture,
	capability,
	context,
	lifecycle,
	killed,
];

/** The last filter: what has no price keeps no ceiling. */
export const cost = {
	name: "cost",
	code: "K",
	isOver: (expected: number | undefined, ceiling: number): boolean =>
		!((expected ?? Number.POSITIVE_INFINITY) <= ceiling),
	why: (expected: number | undefined, ceiling: number): string =>
		expected === undefined
			? `its price is not known, and ${ceiling} micro-credits are the most`
			: `some ${Math.ceil(expected)} micro-credits are expected, and ${ceiling} are the most`,
} as const;

const notKnown = "is not known for";

type Lack = "has no" | typeof notKnown | undefined;

/** Who names a substrate or a model has chosen it: of what merely follows from the request, only a clear no counts. */
function isChosen({ kind }: Asked): boolean {
	return kind === "substrate" || kind === "model";
}

function lacks<T>(
	fact: Fact<T>,
	chosen: boolean,
	good: (value: T) => boolean,
): Lack {
	if (fact === "unknown") return chosen ? undefined : notKnown;
	return good(fact.value) ? undefined : "has no";
}

const isTrue = (value: boolean): boolean => value;

/** A yes or no of the facts. */
const flag =
	(of: (capabilities: Capabilities) => Fact<boolean>) =>
	(capabilities: Capabilities, chosen: boolean): Lack =>
		lacks(of(capabilities), chosen, isTrue);

/** Something that it takes beside text. */
const takes =
	(kind: string) =>
	({ inputs }: Capabilities, chosen: boolean): Lack =>
		lacks(inputs, chosen, (kinds) => kinds.includes(kind));

const abilities: Readonly<
	Record<Capability, (capabilities: Capabilities, chosen: boolean) => Lack>
> = {
	tools: flag(({ tools }) => tools),
	"json-schema": flag(({ jsonSchema }) => jsonSchema),
	reasoning: flag(({ reasoning }) => reasoning),
	caching: flag(({ caching }) => caching),
	logprobs: flag(({ logprobs }) => logprobs),
	streaming: flag(({ streaming }) => streaming),
	image: takes("image"),
	document: takes("document"),
	audio: takes("audio"),
};

function firstReason(
	reasons: readonly Reasons[],
	at: number,
): string | undefined {
	for (const each of reasons) {
		const why = each[at];
		if (why !== undefined) return why;
	}
	return undefined;
}

function shown(fact: Fact<unknown>): string {
	return fact === "unknown" ? "unknown" : String(fact.value);
}
