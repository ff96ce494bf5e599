/** What a vendor of the OpenAI protocol answers, in the sizes that peers measure with. */

const content =
	"The ledger is balanced when every hold is settled, released or expired, and nothing is counted twice. ".repeat(
		8,
	);
const usage =
	'{"prompt_tokens":57,"completion_tokens":180,"total_tokens":237,"prompt_tokens_details":{"cached_tokens":0}}';

/** About 1.2 KB. */
export const plainAnswer: string = `{"id":"chatcmpl-bench","object":"chat.completion","created":1760000000,"model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"${content}","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":${usage},"system_fingerprint":"fp_bench"}`;

/** 34 frames: the role, 30 pieces of text, the reason it ended, usage, `[DONE]`. */
export const streamFrames: readonly string[] = [
	frame(
		'[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]',
	),
	...Array.from({ length: 30 }, (_, index) =>
		frame(
			`[{"index":0,"delta":{"content":" token${index}"},"finish_reason":null}]`,
		),
	),
	frame('[{"index":0,"delta":{},"finish_reason":"stop"}]'),
	frame("[]", usage),
	"data: [DONE]\n\n",
];

function frame(choices: string, counted = "null"): string {
	return `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1760000000,"model":"gpt-4o-mini","system_fingerprint":"fp_bench","choices":${choices},"usage":${counted}}\n\n`;
}

const question =
	"Explain in three sentences how a metered gateway settles a call that broke off. ";

export function requestBody(stream: boolean, promptBytes = 300): string {
	const prompt = question
		.repeat(Math.ceil(promptBytes / question.length))
		.slice(0, promptBytes);
	return `{"model":"gpt-4o-mini","messages":[{"role":"system","content":"You are brief."},{"role":"user","content":"${prompt}"}],"max_tokens":256${stream ? ',"stream":true,"stream_options":{"include_usage":true}' : ""}}`;
}
