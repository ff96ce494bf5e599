/**
 * The unmodified `openai` package against the gateway: only the address and the key are ours.
 *
 *     DOS_KEY=dos_sk_… npx node examples/openai-sdk.ts
 */
import OpenAI from "openai";

const client = new OpenAI({
	baseURL: `${process.env.DOS_URL ?? "http://127.0.0.1:4141"}/v1`,
	apiKey: process.env.DOS_KEY ?? "",
});
const question = {
	model: process.env.DOS_MODEL ?? "loopback/loopback",
	messages: [
		{ role: "user" as const, content: "Say hello in one short sentence." },
	],
	max_completion_tokens: 100,
};

const { data: answer, response } = await client.chat.completions
	.create(question)
	.withResponse();
console.log(answer.choices[0]?.message.content);
console.log(
	`call ${response.headers.get("x-dos-call-id")}: ${answer.usage?.total_tokens} tokens`,
);

let pieces = 0;
for await (const chunk of await client.chat.completions.create({
	...question,
	stream: true,
})) {
	process.stdout.write(chunk.choices[0]?.delta.content ?? "");
	pieces += 1;
}
console.log(`\nstreamed in ${pieces} pieces`);
