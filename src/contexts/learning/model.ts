import type { DomainEvent } from "../../kernel/event.ts";
import type { MicroCredits } from "../../kernel/money.ts";
import type { Difficulty } from "../routing/index.ts";

/**
 * The words of this context: what is known of how good an answer was, and what was tried to find out. A quality is a
 * whole number of thousandths in the log, 0 to 1000, on the scale of the owner's grades; people and programs say 0 to 1.
 */

/** What somebody did with an answer. */
export type Verdict = "accepted" | "edited" | "rejected";

/** What somebody says of a call's answer. */
export interface Outcome {
	/** Who says it: a person, a program, a test. */
	readonly by: string;
	/** Thousandths. */
	readonly score?: number;
	readonly verdict?: Verdict;
	/** A word of theirs: `wrong-language`. */
	readonly label?: string;
	readonly note?: string;
}

/** What was seen of an answer here, without anybody saying so. */
export interface Signals {
	/** Whether it keeps the JSON schema that the request asked for. */
	readonly schema?: boolean;
	/** Whether every tool call names a tool that was offered, with arguments that fit it. */
	readonly tools?: boolean;
	/** The later call by which the client asked the same again soon. */
	readonly repeatedBy?: string;
}

/** One case of a suite, without its words. */
export interface CaseFacts {
	readonly id: string;
	readonly callType: string;
	readonly difficulty: Difficulty;
}

/** What a run of a suite is about. Its samples are every case × substrate × 1 to `samples`. */
export interface RunFacts {
	readonly run: string;
	/** The suite's name, and the hash of what it says: a run goes on with the same suite only. */
	readonly suite: string;
	readonly digest: string;
	readonly account: string;
	/** The key that all its calls are made with. */
	readonly key: string;
	readonly over: readonly string[];
	readonly samples: number;
	readonly judge?: string;
	readonly cases: readonly CaseFacts[];
}

/** One answer of one substrate to one case, and what came of checking it. */
export interface Sample {
	/** Places in the run's `cases` and `over`, from 0; samples count from 1. */
	readonly case: number;
	readonly substrate: number;
	readonly sample: number;
	readonly call?: string;
	/** Thousandths: the mean over its checks. Absent: there is no answer to judge. */
	readonly score?: number;
	/** Each of its checks is met. */
	readonly passed?: boolean;
	/** By check, in the suite's order: thousandths. */
	readonly checks?: readonly number[];
	/** What the answer cost, and what its judge cost beside it. */
	readonly cost: MicroCredits;
	readonly judgeCost?: MicroCredits;
	/** Milliseconds. */
	readonly latency?: number;
	readonly finish?: string;
	/** Why there is no answer to judge: a code. */
	readonly failed?: string;
}

export type LearningCommand =
	| ({
			readonly type: "record-outcome";
			readonly call: string;
			readonly account: string;
			readonly key?: string;
	  } & Outcome)
	| ({
			readonly type: "observe-answer";
			readonly call: string;
			readonly account: string;
	  } & Signals)
	| ({ readonly type: "start-bakeoff" } & RunFacts)
	| ({ readonly type: "record-sample"; readonly run: string } & Sample)
	| { readonly type: "end-bakeoff"; readonly run: string };

export type LearningEvent =
	| DomainEvent<
			"outcome-recorded",
			{ call: string; account: string; key?: string } & Outcome
	  >
	| DomainEvent<"answer-observed", { call: string; account: string } & Signals>
	| DomainEvent<"bakeoff-started", RunFacts>
	| DomainEvent<"bakeoff-sample-recorded", { run: string } & Sample>
	| DomainEvent<"bakeoff-ended", { run: string }>;
