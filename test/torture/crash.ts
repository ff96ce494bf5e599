import { mockVendor } from "../support/studio.ts";
import {
	chatAnswer,
	chatFrames,
	sendFrames,
	sendJson,
	startUpstream,
} from "../support/upstream.ts";
import { mustBalance, openRig } from "./rig.ts";
import { must, mustEqual, type Scenario, sleep } from "./scenario.ts";

const killsOfACase = 5;

/** Five times: load, kill -9 at a moment that the seed says, restart, and look at the books. */
export const crash: Scenario = {
	name: "crash",
	promise:
		"After kill -9 under load every settled call is there once, every hold is resolved, the log verifies and the balances add up.",
	rounds: { long: 10, short: 1 },
	async play({ random, short }) {
		const usage = { prompt: 20, completion: 30 };
		const upstream = await startUpstream(async ({ body }, response) => {
			const { stream } = JSON.parse(body) as { stream?: boolean };
			if (!stream) {
				await sleep(random.below(40));
				return sendJson(response, 200, chatAnswer("Hello there", usage));
			}
			const words = Array.from({ length: 8 }, () => "word ");
			await sendFrames(response, chatFrames(words, usage), 10);
		});
		const rig = await openRig({ config: mockVendor(upstream.url) });
		try {
			const answered = new Map<string, number>();
			const statuses = new Map<number, number>();
			let killed = 0;
			const kills = short ? 2 : killsOfACase;
			for (let kill = 0; kill < kills; kill++) {
				const server = await rig.serve();
				const { holds } = await rig.books();
				mustEqual(holds, 0, "Holds that a restart left open");
				let alive = true;
				const clients = Array.from({ length: 24 }, async (_, index) => {
					while (alive) {
						const answer = await rig.call(server.url, {
							body: {
								model: "mock/m",
								messages: [{ role: "user", content: "hi" }],
								max_tokens: 50,
								...(index % 4 === 0 && { stream: true }),
							},
						});
						statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
						const credits = answer.headers["x-dos-credits"];
						if (answer.whole && answer.status === 200 && credits !== undefined)
							answered.set(
								answer.headers["x-dos-call-id"] as string,
								Number(credits),
							);
						if (answer.status === 0) return;
					}
				});
				await sleep(random.between(30, 900));
				server.process.kill("SIGKILL");
				await server.ended;
				alive = false;
				await Promise.all(clients);
				killed += (await rig.books()).holds;
			}
			await rig.serve();
			const books = await rig.books();
			mustBalance(books);
			for (const [call, credits] of answered) {
				const [one] = books.resolved.get(call) ?? [];
				must(
					one?.type === "credits-settled" && one.data.amount === credits,
					`${call} was answered whole for ${credits}, and the log says ${JSON.stringify(one)}`,
				);
			}
			must(
				answered.size > 0 && killed > 0,
				`Nothing was under way when it was killed: answers by status ${JSON.stringify([...statuses])}`,
			);
			must(
				upstream.received.length <= books.held.length,
				"More calls reached the vendor than were held for",
			);
			return `${kills} kills, ${answered.size} answered and settled, ${killed} in flight when killed`;
		} finally {
			await rig.close();
			await upstream.close();
		}
	},
};
