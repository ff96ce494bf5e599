import { answerStoreContract } from "../../ports/answer-store.contract.ts";
import { memoryAnswerStore } from "./memory.ts";

answerStoreContract("memory", memoryAnswerStore);
