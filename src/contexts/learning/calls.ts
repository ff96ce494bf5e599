import { type DomainEvent, readEvent } from "../../kernel/event.ts";
import type { MicroCredits } from "../../kernel/money.ts";
import type { EventLog } from "../../ports/event-log.ts";
import type { DataOf } from "../credits/index.ts";
import {
	type DecisionRecord,
	type Difficulty,
	expand,
} from "../routing/index.ts";
import type { LearningEvent, Outcome, Signals, Verdict } from "./model.ts";

/** A settled call, as far as routing can learn from it. */
export interface CallSeen {
	readonly call: string;
	readonly account: string;
	readonly key?: string;
	readonly time: number;
	/** As stated, else as inferred; absent where no decision was recorded with it. */
	readonly callType?: string;
	readonly difficulty?: Difficulty;
	/** Who answered in the end. */
	readonly substrate: string;
	readonly charged: MicroCredits;
	/** Milliseconds that its answer took, without those that others failed in before. */
	readonly latency?: number;
	/** Who was asked before it and failed; of no fault of their own, nobody is here. */
	readonly failed?: readonly string[];
	readonly ending: string;
	readonly finish?: string;
	/** 0 to 1: the mean of what was said last by each who said something. */
	readonly quality?: number;
	/** What was seen without anybody saying so. */
	readonly signals: Signals;
}

/** How good an answer was that somebody took, changed or threw away, where they gave no score. */
const worth: Readonly<Record<Verdict, number>> = {
	accepted: 1,
	edited: 0.5,
	rejected: 0,
};

/** 0 to 1; undefined where an outcome says nothing of it. */
export function qualityOf({ score, verdict }: Outcome): number | undefined {
	if (score !== undefined) return score / 1000;
	return verdict && worth[verdict];
}

/**
 * The settled calls of the log, oldest first, shadows among them; without those that runs of a bakeoff made, that a
 * judge of shadows answered, that two substrates answered together, and that the cache answered, as then nobody was asked. The log is read twice, as what is said of a call comes after it: memory grows
 * with what was said and with holds that are open, not with calls.
 */
export async function* readCalls(
	log: Pick<EventLog, "scan" | "tip">,
	options: {
		/** Milliseconds since 1970 UTC, of the settlement. */
		readonly since?: number;
		readonly until?: number;
		readonly account?: string;
		/** Told now and then how far it is in the log. */
		readonly onPosition?: (position: number) => void;
	} = {},
): AsyncGenerator<CallSeen, void, undefined> {
	const { since = 0, until = Number.POSITIVE_INFINITY, account } = options;
	const { position: to } = await log.tip();
	const said = new Map<string, Said>();
	/** Keys of bakeoffs, and calls of judges. */
	const notOurs = new Set<string>();
	for await (const batch of log.scan(0, { types: saying, to })) {
		for (const event of batch) note(said, notOurs, readEvent(event));
	}
	const routes = new Map<string, Kind>();
	for await (const batch of log.scan(0, { types: spending, to })) {
		options.onPosition?.(batch.at(-1)?.position ?? 0);
		for (const stored of batch) {
			const event = readEvent(stored);
			const { call } = event.data as { call: string };
			if (event.type === "credits-held") {
				const kind = kindOf(event);
				if (kind) routes.set(call, kind);
				continue;
			}
			const kind = routes.get(call);
			routes.delete(call);
			if (event.type !== "credits-settled") continue;
			const data = event.data as unknown as DataOf<"credits-settled">;
			const wanted =
				event.time >= since &&
				event.time < until &&
				(account === undefined || account === data.account) &&
				(data.key === undefined || !notOurs.has(data.key)) &&
				!notOurs.has(data.call) &&
				data.sheet !== "cache" &&
				// An answer of two substrates says nothing of either.
				data.parts === undefined;
			if (wanted) yield seen(event.time, data, kind, said.get(call));
		}
	}
}

const saying = [
	"outcome-recorded",
	"answer-observed",
	"bakeoff-started",
	"shadow-scored",
];
const spending = [
	"credits-held",
	"credits-settled",
	"credits-released",
	"hold-expired",
];

interface Kind {
	readonly callType: string;
	readonly difficulty: Difficulty;
}

interface Said {
	/** By who said it: the last. */
	readonly outcomes: Map<string, Outcome>;
	signals: Signals;
}

function note(
	said: Map<string, Said>,
	notOurs: Set<string>,
	stored: DomainEvent,
): void {
	if (stored.type === "shadow-scored") {
		const { judged } = stored.data as { judged?: { call: string } };
		if (judged) notOurs.add(judged.call);
		return;
	}
	const event = stored as unknown as LearningEvent;
	if (event.type === "bakeoff-started") {
		notOurs.add(event.data.key);
		return;
	}
	if (event.type !== "outcome-recorded" && event.type !== "answer-observed")
		return;
	const { call } = event.data;
	const known = said.get(call) ?? { outcomes: new Map(), signals: {} };
	said.set(call, known);
	if (event.type === "outcome-recorded")
		known.outcomes.set(event.data.by, event.data);
	else {
		const { call: _, account: __, ...signals } = event.data;
		known.signals = { ...known.signals, ...signals };
	}
}

function kindOf({ data }: DomainEvent): Kind | undefined {
	const route = data.route as DecisionRecord | undefined;
	if (!route) return undefined;
	const { stated, inferred } = expand(route.request);
	return {
		callType: stated.callType ?? inferred.callType,
		difficulty: stated.difficulty ?? inferred.difficulty,
	};
}

function seen(
	time: number,
	data: DataOf<"credits-settled">,
	kind: Kind | undefined,
	said: Said | undefined,
): CallSeen {
	const {
		call,
		account,
		key,
		substrate,
		amount,
		timing,
		attempts,
		ending,
		finishReason,
	} = data;
	// Where there are attempts, the last is the one that answered; where it waited for none, they are not told.
	const latency = attempts?.at(-1)?.[2] || timing?.total;
	const failed = (attempts ?? [])
		.slice(0, -1)
		.flatMap(([asked, became]) =>
			/^(?:passed|key) /.test(became) ? [] : asked,
		);
	const judged = [...(said?.outcomes.values() ?? [])].flatMap(
		(outcome) => qualityOf(outcome) ?? [],
	);
	return {
		call,
		account,
		...(key !== undefined && { key }),
		time,
		...kind,
		substrate,
		charged: amount,
		...(latency !== undefined && { latency }),
		...(failed.length > 0 && { failed }),
		ending,
		...(finishReason !== undefined && { finish: finishReason }),
		...(judged.length > 0 && {
			quality: judged.reduce((sum, one) => sum + one, 0) / judged.length,
		}),
		signals: said?.signals ?? {},
	};
}
