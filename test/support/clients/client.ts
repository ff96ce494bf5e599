import { z } from "zod";

/** What a user of any client can ask, in nobody's words. */
export interface Ask {
	readonly model: string;
	readonly said: string;
	readonly system?: string;
	/** Only in the protocols that have such messages. */
	readonly developer?: string;
	/** What was said before. */
	readonly before?: { readonly user: string; readonly assistant: string };
	readonly stop?: string;
	/** Base64. */
	readonly png?: string;
	readonly pdf?: string;
	readonly thinks?: boolean;
	/** The tool refuses to work. */
	readonly fails?: boolean;
}

/** What the client's user gets. */
export interface Told {
	readonly text: string;
	readonly reasoning?: string | undefined;
	/** Of the last request; `input` with what was cached, `output` with reasoning. */
	readonly usage?:
		| {
				readonly input: number;
				readonly output: number;
				readonly cached?: number | undefined;
		  }
		| undefined;
}

/** A client's SDK as its users use it; what it cannot do is absent. */
export interface Client {
	readonly name: string;
	/** The wire protocol it speaks, and a model that it knows by name. */
	readonly protocol: string;
	readonly model: string;
	readonly can: ReadonlySet<
		| "developer"
		| "stop"
		| "pdf"
		| "reasoning"
		| "carry-reasoning"
		| "tool-errors"
		| "stream-usage"
	>;
	ask(ask: Ask): Promise<Told>;
	stream(ask: Ask): Promise<Told>;
	/** Calls `weather` as often as the model wants, by the SDK's own loop. */
	loop(ask: Ask): Promise<Told>;
	/** The same, each answer streamed. Absent: it has no such loop. */
	streamedLoop?(ask: Ask): Promise<Told>;
	/** An object of `forecast`, parsed by the SDK. */
	shape(ask: Ask): Promise<unknown>;
	/** The status that its own typed error carries; undefined for anything else. */
	statusOf(fault: unknown): number | undefined;
}

export type Connect = (at: {
	readonly url: string;
	readonly key: string;
}) => Client;

/** What the tool says of a city. */
export function weatherIn(city: string, { fails = false }: Ask): string {
	if (fails) throw new Error("no signal");
	return `${city} is sunny`;
}

export const weather: {
	readonly name: "weather";
	readonly description: string;
	readonly input: z.ZodObject<{ city: z.ZodString }>;
} = {
	name: "weather",
	description: "The weather in a city.",
	input: z.object({ city: z.string().describe("Its name.") }),
};

export const forecast: z.ZodObject<{
	city: z.ZodString;
	degrees: z.ZodNumber;
	sky: z.ZodEnum<{ clear: "clear"; cloudy: "cloudy" }>;
	hours: z.ZodArray<z.ZodObject<{ rain: z.ZodBoolean }>>;
}> = z.object({
	city: z.string(),
	degrees: z.number(),
	sky: z.enum(["clear", "cloudy"]),
	hours: z.array(z.object({ rain: z.boolean() })),
});

export const png =
	"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
export const pdf: string = Buffer.from(
	"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n",
).toString("base64");
