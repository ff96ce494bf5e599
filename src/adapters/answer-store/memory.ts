import type { AnswerStore, KeptAnswer } from "../../ports/answer-store.ts";

/** Answers that are kept as long as the process lives. */
export function memoryAnswerStore(): AnswerStore {
	const answers = new Map<
		string,
		{ readonly answer: KeptAnswer; readonly expires: number }
	>();
	return {
		async keep(call, answer, expires) {
			answers.set(call, { answer: copy(answer), expires });
		},
		async find(call, now) {
			const kept = answers.get(call);
			return kept && kept.expires > now ? copy(kept.answer) : undefined;
		},
		async sweep(now) {
			const before = answers.size;
			for (const [call, { expires }] of answers)
				if (expires <= now) answers.delete(call);
			return before - answers.size;
		},
	};
}

/** Bytes of its own, so that whoever changes theirs does not change what is kept. */
function copy({ status, headers, body }: KeptAnswer): KeptAnswer {
	return { status, headers: { ...headers }, body: body.slice() };
}
