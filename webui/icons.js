// Line icons, hidden from screen readers: the text next to them, or the label of their button, is read.
import { html } from "./preact.js";

const PATHS = {
  chats: "M4 5h16v11H9l-5 4z",
  contacts: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 20c0-4 3.600-6 8-6s8 2 8 6z",
  tools: "M4 7h9M17 7h3M4 12h3M11 12h9M4 17h7M15 17h5M13 5v4M7 10v4M11 15v4",
  trace: "M4 5h16M4 10h10M4 15h16M4 20h7",
  switch: "M4 8h14l-4-4M20 16H6l4 4",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  search: "M11 18a7 7 0 1 1 0-14 7 7 0 0 1 0 14zM16 16l5 5",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  back: "M15 4l-8 8 8 8",
  close: "M5 5l14 14M19 5L5 19",
  emoji: "M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18zM8.500 10h.01M15.500 10h.01M8 14.500c2 2.500 6 2.500 8 0",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.500 9h.01",
  file: "M4 6h6l2 2h8v11H4z",
  card: "M4 5h16v14H4zM9 12a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM6 16c0-2 1.500-2.500 3-2.500s3 .5 3 2.500M15 10h3M15 14h3",
  token: "M14 10a4 4 0 1 1-4-4 4 4 0 0 1 4 4zM13 13l7 7M17 17l2-2",
  link: "M10 14a4 4 0 0 0 5.700 0l3.500-3.500a4 4 0 0 0-5.700-5.700L12 6.300M14 10a4 4 0 0 0-5.700 0l-3.500 3.500a4 4 0 0 0 5.700 5.700L12 17.700",
  down: "M6 9l6 6 6-6",
  qr: "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h2v2h-2zM18 18h2v2h-2z",
  event: "M4 12h15M13 6l6 6-6 6",
  call: "M20 12H5M11 6l-6 6 6 6",
  overview: "M4 13h6V4H4zM14 20h6v-9h-6zM4 20h6v-3H4zM14 7h6V4h-6z",
  tickets: "M4 5h16v11H9l-5 4z",
  groups: "M9 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM2.500 20c0-4 3-6 6.500-6s6.500 2 6.500 6M16 4.500a3.500 3.500 0 0 1 0 6.500M17.500 14.500c2.500.7 4 2.600 4 5.500",
  knowledge: "M5 4h11a3 3 0 0 1 3 3v13H8a3 3 0 0 1-3-3zM5 17a3 3 0 0 1 3-3h11M9 8h6",
  outreach: "M4 10v4h4l8 5V5L8 10zM19 9.500a4 4 0 0 1 0 5",
  connections: "M9 7V3M15 7V3M6 7h12v4a6 6 0 0 1-12 0zM12 17v4",
  records: "M6 3h9l4 4v14H6zM9 11h7M9 15h7",
  settings: "M4 7h9M17 7h3M4 12h3M11 12h9M4 17h7M15 17h5M15 5v4M9 10v4M13 15v4",
};

/** An icon by name. */
export function Icon({ name }) {
  return html`<svg class="icon ${name === "more" ? "heavy" : ""}" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    <path d=${PATHS[name]} /></svg>`;
}
