import { z } from "zod";
import type { Schema, Seen } from "./mind.ts";
import { must } from "./simulation.ts";

/** What both of OpenAI's protocols share. */
export const metadata: z.ZodType = z
	.record(z.string().max(64), z.string().max(512))
	.nullable();
export const effort: z.ZodType = z
	.enum(["none", "minimal", "low", "medium", "high", "xhigh", "max"])
	.nullable();
export const name: z.ZodType = z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/);
export const jsonSchema: z.ZodType = z.record(z.string(), z.unknown());

/** An error as OpenAI's API reference has it. */
export function errorBody(status: number, message: string): object {
	const type =
		status === 429
			? "rate_limit_error"
			: status >= 500
				? "server_error"
				: "invalid_request_error";
	const code = status === 429 ? "rate_limit_exceeded" : null;
	return { error: { message, type, param: null, code } };
}

/** Strict mode: every object closed, and all of its members required (platform.openai.com/docs/guides/structured-outputs). */
export function mustBeStrict(schema: Schema, at = "schema"): void {
	const { type, properties, required, additionalProperties } = schema;
	const inside: [string, unknown][] = [
		...Object.entries((properties ?? {}) as object),
		...Object.entries((schema.$defs ?? {}) as object),
		...((schema.anyOf ?? []) as unknown[]).map(
			(each, index): [string, unknown] => [`anyOf.${index}`, each],
		),
		...(schema.items ? ([["items", schema.items]] as [string, unknown][]) : []),
	];
	if ([type].flat().includes("object") || properties) {
		must(
			additionalProperties === false,
			`Invalid schema: ${at}: 'additionalProperties' is required to be supplied and to be false.`,
		);
		const names = Object.keys((properties ?? {}) as object);
		must(
			names.every((each) => (required as string[] | undefined)?.includes(each)),
			`Invalid schema: ${at}: 'required' is required to be supplied and to be an array including every key in properties.`,
		);
	}
	for (const [key, value] of inside)
		mustBeStrict(value as Schema, `${at}.${key}`);
}

export function mediaType(dataUrl: string): string {
	const type = /^data:([^;,]+);base64,[A-Za-z0-9+/]+=*$/.exec(dataUrl)?.[1];
	must(type, `Invalid data URL: ${dataUrl.slice(0, 40)}`);
	return type;
}

/** JSON mode is refused unless the word is said. */
export function mustSayJson({
	instructions,
	said,
}: Pick<Seen, "instructions" | "said">): void {
	must(
		/json/i.test([...instructions, said].join(" ")),
		"'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
	);
}
