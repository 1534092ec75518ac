// One board on one page, all of it drawn at once; `window.drawn` says when.
import { createTheme, dateTime, FieldType, ThemeContext } from "@grafana/data";
import { initPluginTranslations } from "@grafana/i18n";
import { GlobalStyles, PanelChrome } from "@grafana/ui";
import { createRoot } from "react-dom/client";
import "@fontsource/inter/400.css";
import "@fontsource/inter/500.css";
import "@fontsource/roboto-mono/400.css";
import "./page.css";
import { filled, series, settle, shownTime } from "./data.js";
import { Picture } from "./panels.jsx";

const COLUMNS = 24, ROW = 30, GAP = 8; // as Grafana's grid
const MARGIN = 16;
const theme = createTheme({ colors: { mode: "dark" } });

function place({ x, y, w, h }, width) {
  const column = (width - 2 * MARGIN + GAP) / COLUMNS;
  return { left: MARGIN + x * column, top: y * (ROW + GAP), width: w * column - GAP, height: h * (ROW + GAP) - GAP };
}

function Panel({ panel, data, failed, board, time, at }) {
  if (panel.type === "row") return <h2 className="heading" style={at}>⌄ {panel.title}</h2>;
  const words = (text) => filled(text, board, time);
  return (
    <div className="panel" style={at}>
      <PanelChrome width={at.width} height={at.height} title={words(panel.title ?? "")}
        description={panel.description} displayMode={panel.transparent ? "transparent" : "default"}
        statusMessage={failed}>
        {(width, height) => <Picture {...{ panel, data, theme, time, width, height, filled: words }} />}
      </PanelChrome>
    </div>
  );
}

function Board({ board, panels, time, width, about }) {
  const bottom = Math.max(...panels.map(({ at }) => at.top + at.height));
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <header>
        <h1>{board.title}</h1>
        <span>{dateTime(time.from * 1000).format("HH:mm:ss")} to {dateTime(time.to * 1000).format("HH:mm:ss")}</span>
      </header>
      <main style={{ width, height: bottom }}>
        {panels.map((each) => <Panel key={each.panel.id} {...{ board, time, ...each }} />)}
      </main>
      <footer>{about}</footer>
    </ThemeContext.Provider>
  );
}

/** Whether a frame has a value that can be seen. */
const shows = ({ fields }) =>
  fields.some(({ type, values }) =>
    type !== FieldType.time && values.some((value) => typeof value === "string" || Number.isFinite(value)));

async function looked(panel, board, time, width) {
  const at = place(panel.gridPos, width);
  try {
    return { panel, at, data: await series(panel, board, time, theme) };
  } catch (error) {
    return { panel, at, data: [], failed: String(error) };
  }
}

async function draw() {
  const { board, seconds, width, about } = await (await fetch("board.json")).json();
  await initPluginTranslations("yychat-preview");
  settle([board]);
  const time = shownTime(seconds);
  const panels = await Promise.all(board.panels.map((each) => looked(each, board, time, width)));
  createRoot(document.getElementById("board")).render(<Board {...{ board, panels, time, width, about }} />);
  window.drawn = panels.map(({ panel, data, failed }) => (
    { title: panel.title, type: panel.type, failed, seen: data.some(shows) }
  ));
}

draw();
