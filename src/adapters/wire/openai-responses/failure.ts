import type { Refusal } from "../../../kernel/outcome.ts";
import type { Json } from "../../../ports/translator.ts";
import { errorBody } from "../openai-family.ts";

/**
 * The end of a stream that broke off: the `error` event, which SDKs raise, and then
 * `response.failed`, which is all that Codex looks for. `number` is that of the first of the two,
 * `response` what is known of the answer.
 */
export function failureFrames(
	refusal: Refusal,
	number: number = 0,
	response: Json = { object: "response", output: [] },
): string {
	const { code, message, details } = refusal;
	// Codes that clients know: with others they would try again.
	const type = code.startsWith("credits/")
		? "insufficient_quota"
		: "server_error";
	const { error } = errorBody(type, refusal);
	const event = {
		type: "error",
		sequence_number: number,
		code,
		message,
		param: error.param,
		error,
	};
	const failed = {
		type: "response.failed",
		sequence_number: number + 1,
		response: {
			...response,
			status: "failed",
			error: { code: type, message, dos: { ...details, code } },
			incomplete_details: null,
			usage: null,
		},
	};
	return [event, failed]
		.map((each) => `event: ${each.type}\ndata: ${JSON.stringify(each)}\n\n`)
		.join("");
}
