import { mockVendor } from "../support/studio.ts";
import {
	chatAnswer,
	chatFrames,
	sendFrames,
	sendJson,
	startUpstream,
} from "../support/upstream.ts";
import { type Answer, codeOf, mustBalance, openRig } from "./rig.ts";
import { must, mustEqual, type Scenario, sleep, until } from "./scenario.ts";

/** Prices of the mock vendor: micro-credits a token. */
const inputPrice = 100;
const outputPrice = 200;
const promptTokens = 20;
const connections = 256;

/** What a call truly costs is fixed by what it says of itself: its vendor and its client agree on it beforehand. */
interface Plan {
	readonly stream: boolean;
	readonly limit: number;
	readonly output: number;
	readonly fate: "good" | "error" | "hangs" | "resets";
}

function trueCost(output: number): number {
	return promptTokens * inputPrice + output * outputPrice;
}

const timeouts =
	"timeouts: { connect: 2s, firstByte: 700ms, idle: 700ms, total: 5s }\nretries: { attempts: 1 }\n";

/**
 * A vendor that does to each call what the call's plan says, within the output limit that reaches it: for an account
 * that is nearly empty the gateway lowers it. `served` takes note of the output it truly made.
 */
function startVendor(
	plans: ReadonlyMap<string, Plan>,
	served = new Map<string, number>(),
) {
	return startUpstream(async ({ body }, response) => {
		const { user, max_tokens } = JSON.parse(body) as {
			user: string;
			max_tokens: number;
		};
		const plan = plans.get(user) as Plan;
		const output = Math.min(plan.output, max_tokens);
		served.set(user, output);
		const usage = { prompt: promptTokens, completion: output };
		if (plan.fate === "error")
			return sendJson(response, 500, '{"error":{"message":"no"}}');
		if (!plan.stream) {
			if (plan.fate === "hangs") return;
			await sleep(5);
			if (plan.fate === "resets") return void response.destroy();
			return sendJson(response, 200, chatAnswer("Hello", usage));
		}
		const frames = chatFrames(
			Array.from({ length: 6 }, () => "word "),
			usage,
		);
		if (plan.fate === "good") return sendFrames(response, frames, 5);
		response.writeHead(200, { "content-type": "text/event-stream" });
		response.write(frames.slice(0, 4).join(""));
		await sleep(10);
		if (plan.fate === "resets") response.destroy();
	});
}

function requestOf(user: string, { stream, limit }: Plan): object {
	return {
		model: "mock/m",
		messages: [{ role: "user", content: "a prompt of some thirty bytes" }],
		max_tokens: limit,
		user,
		...(stream && { stream }),
	};
}

/** Many times what the account can pay, with everything that can end a call, and a kill -9 in the middle. */
export const overspend: Scenario = {
	name: "overspend",
	promise:
		"At 256 connections with aborts, vendor errors, timeouts and a kill -9, no account ever stands below zero, nothing goes uncollected, and each finished call costs what it truly used.",
	rounds: { long: 10, short: 1 },
	async play({ random, short }) {
		const plans = new Map<string, Plan>();
		const served = new Map<string, number>();
		const upstream = await startVendor(plans, served);
		const granted = random.between(400, 1_200) * 10_000;
		const rig = await openRig({
			config: mockVendor(
				upstream.url,
				"openai-chat",
				`${timeouts}holds: { wait: 300ms }\n`,
			),
			credits: String(granted / 1_000_000),
		});
		try {
			/** By call, what its vendor calls it. */
			const finished = new Map<string, string>();
			let refused = 0;
			let alive = true;
			let number = 0;
			let server = await rig.serve();

			async function callOnce(): Promise<Answer> {
				const user = `call-${number++}`;
				const limit = random.between(10, 120);
				const plan: Plan = {
					stream: random.chance(0.5),
					limit,
					output: random.between(1, limit),
					fate: random.chance(0.7)
						? "good"
						: random.pick(["error", "hangs", "resets"] as const),
				};
				plans.set(user, plan);
				const answer = await rig.call(server.url, {
					body: requestOf(user, plan),
					...(random.chance(0.15) && { leaveAfter: random.between(1, 60) }),
				});
				const call = answer.headers["x-dos-call-id"];
				if (answer.status === 402) refused++;
				if (
					answer.whole &&
					answer.status === 200 &&
					plan.fate === "good" &&
					typeof call === "string"
				)
					finished.set(call, user);
				return answer;
			}
			async function load(): Promise<void> {
				alive = true;
				await Promise.all(
					Array.from({ length: connections }, async () => {
						while (alive) {
							const { status } = await callOnce();
							if (status === 0) await sleep(50);
						}
					}),
				);
			}

			const first = load();
			await sleep(random.between(300, 1_200));
			server.process.kill("SIGKILL");
			await server.ended;
			alive = false;
			await first;
			server = await rig.serve();
			const second = load();
			await sleep(short ? 600 : 1_500);
			await until(
				() => refused > 0,
				"The account was never short: nothing was tried",
				20_000,
			);
			alive = false;
			await second;
			server.process.kill("SIGTERM");
			mustEqual((await server.ended).code, 0, "Exit code");

			const books = await rig.books();
			mustBalance(books);
			must(
				books.account.spent <= granted,
				`Spent ${books.account.spent} of ${granted}`,
			);
			mustEqual(books.uncollected, 0, "Uncollected micro-credits");
			must(
				upstream.received.length <= books.held.length,
				"More calls reached the vendor than were held for",
			);
			for (const [call, user] of finished) {
				const [one] = books.resolved.get(call) ?? [];
				mustEqual(
					one?.data.amount,
					trueCost(served.get(user) as number),
					`The charge for ${call}`,
				);
			}
			return `${books.held.length} held, ${finished.size} finished and exact, ${refused} refused, spent ${books.account.spent} of ${granted}`;
		} finally {
			await rig.close();
			await upstream.close();
		}
	},
};

/** An account that can just pay what its calls truly cost and what is fairly held for those in flight. */
export const falseRefusals: Scenario = {
	name: "false-refusals",
	promise:
		"At 256 connections no call is refused for credits while true spend plus fair holds stay under the cap.",
	rounds: { long: 10, short: 1 },
	async play({ random, short }) {
		const plans = new Map<string, Plan>();
		const count = short ? 800 : 2_000;
		let spend = 0;
		let largest = 0;
		for (let index = 0; index < count; index++) {
			const limit = random.between(10, 120);
			const plan: Plan = {
				stream: random.chance(0.5),
				limit,
				output: random.between(1, limit),
				fate: random.chance(0.9) ? "good" : "error",
			};
			plans.set(`call-${index}`, plan);
			if (plan.fate === "good") spend += trueCost(plan.output);
			largest = Math.max(largest, limit);
		}
		const upstream = await startVendor(plans);
		// A fair hold is the caller's own output limit, and input by its bound: one token for each byte.
		const inputBound = JSON.stringify(
			requestOf("call-9999", {
				stream: true,
				limit: largest,
				output: 1,
				fate: "good",
			}),
		).length;
		const fairHold = inputBound * inputPrice + largest * outputPrice;
		const granted =
			Math.ceil((spend + connections * fairHold) / 10_000) * 10_000;
		const rig = await openRig({
			config: mockVendor(upstream.url, "openai-chat", timeouts),
			credits: String(granted / 1_000_000),
		});
		try {
			const server = await rig.serve();
			const left = [...plans];
			const codes = new Map<string, number>();
			await Promise.all(
				Array.from({ length: connections }, async () => {
					for (let next = left.pop(); next; next = left.pop()) {
						const [user, plan] = next;
						const answer = await rig.call(server.url, {
							body: requestOf(user, plan),
						});
						const wanted = plan.fate === "good" ? 200 : 500;
						if (answer.status !== wanted) {
							const seen = `${answer.status} ${codeOf(answer)}`;
							codes.set(seen, (codes.get(seen) ?? 0) + 1);
						}
					}
				}),
			);
			mustEqual([...codes], [], "Answers that should not be");
			server.process.kill("SIGTERM");
			await server.ended;
			const books = await rig.books();
			mustBalance(books);
			mustEqual(books.account.spent, spend, "What was spent in all");
			return `${count} calls, none refused, spent exactly ${spend} of ${granted}`;
		} finally {
			await rig.close();
			await upstream.close();
		}
	},
};
