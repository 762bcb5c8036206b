// English, by the Chinese words.
export const EN = {
