/** What an operation is for. */
export type Meaning =
	| "generate"
	| "embed"
	| "count-tokens"
	| "image"
	| "speech"
	| "transcription";

/** What of a request routing may look at: its shape, never its words. */
export interface RequestTraits {
	readonly means: Meaning;
	/** Bytes that can become input tokens, media left out. */
	readonly inputBytes: number;
	/** Turns: what one speaker says at a stretch is one, and system prompts are none. */
	readonly messages: number;
	/** Who speaks last; `tool` where the last turn brings results of tools. */
	readonly last: "user" | "assistant" | "tool" | "system";
	/** Tools that the model may call. */
	readonly tools: number;
	/** Model turns since the user last spoke: 0 on the first step of a loop. */
	readonly step: number;
	readonly images: number;
	readonly documents: number;
	readonly audio: number;
	/** An answer to a JSON schema is asked for. */
	readonly schema: boolean;
	readonly reasoning: "none" | "some" | "much";
	readonly logprobs: boolean;
	readonly stream: boolean;
	/** The caller's own limit of output tokens over all answers. */
	readonly outputLimit: number | undefined;
}
