/**
 * The first call, with nothing but `fetch`: an answer, what it cost, and its receipt.
 *
 *     DOS_KEY=dos_sk_… npx node examples/first-call.ts
 */
const url = process.env.DOS_URL ?? "http://127.0.0.1:4141";
const headers = {
	authorization: `Bearer ${process.env.DOS_KEY ?? ""}`,
	"content-type": "application/json",
};

const answer = await fetch(`${url}/v1/chat/completions`, {
	method: "POST",
	headers,
	body: JSON.stringify({
		model: process.env.DOS_MODEL ?? "loopback/loopback",
		messages: [{ role: "user", content: "Say hello in one short sentence." }],
		max_tokens: 100,
	}),
});
const text = await answer.text();
if (!answer.ok) throw new Error(`${answer.status} ${text}`);
console.log(JSON.parse(text).choices[0].message.content);

const call = answer.headers.get("x-dos-call-id");
const receipt = await fetch(`${url}/v1/receipts/${call}`, { headers });
if (!receipt.ok) throw new Error(`${receipt.status} ${await receipt.text()}`);
console.log(JSON.stringify(await receipt.json(), null, 2));

// A file with `await` at its top level says that it is a module.
export {};
