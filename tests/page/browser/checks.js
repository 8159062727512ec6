// What a page looks like once it is laid out, as sentences about its faults: none where all is well.
// Looked at from within the page, by tests/page/browser/chrome.py.

window.lastclickChecks = (() => {
  const SLACK_PX = 1.5; // what rounding may do to a box

  const quoted = text => JSON.stringify(text.replace(/\s+/g, " ").trim().slice(0, 60));

  const place = node => {
    let element = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
    const names = [];
    for (; element && element !== document.body && names.length < 4; element = element.parentElement) {
      const name = element.id ? `#${element.id}` : element.getAttribute("class");
      names.unshift(element.localName + (name ? (element.id ? name : `.${name.split(" ")[0]}`) : ""));
    }
    return names.join(" > ");
  };

  // What only a screen reader is told has a box that nobody sees.
  const toldOnly = element => {
    for (; element; element = element.parentElement) {
      const style = getComputedStyle(element);
      if (style.clipPath.startsWith("inset(") || /^rect\((0px,? ?){3}0px\)$/.test(style.clip)) return true;
    }
    return false;
  };

  const seen = element =>
    element.checkVisibility({ visibilityProperty: true, opacityProperty: true, contentVisibilityAuto: true }) &&
    !toldOnly(element);

  const textNodes = root => {
    const found = [];
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode;
      if (!node.data.trim()) continue;
      if (node.parentElement.closest("script, style, template, noscript, title, desc, metadata")) continue;
      found.push(node);
    }
    return found;
  };

  const boxesOf = node => {
    const range = document.createRange();
    range.selectNodeContents(node);
    return [...range.getClientRects()].filter(box => box.width > 0 && box.height > 0);
  };

  const outside = (box, frame, sideways) =>
    sideways
      ? box.left < frame.left - SLACK_PX || box.right > frame.right + SLACK_PX
      : box.top < frame.top - SLACK_PX || box.bottom > frame.bottom + SLACK_PX;

  // Text that something cuts off, be it the window, a box that hides what is too much, or its picture.
  const cut = (node, box) => {
    const svg = node.parentElement.closest("svg");
    if (svg && outside(box, svg.getBoundingClientRect(), true)) return "its picture";
    // Letters have room above and below them that nobody misses.
    const ink = { top: box.top + box.height * 0.2, bottom: box.bottom - box.height * 0.2 };
    if (svg && outside(ink, svg.getBoundingClientRect(), false)) return "its picture";
    for (let above = svg || node.parentElement; above && above !== document.documentElement; above = above.parentElement) {
      const style = getComputedStyle(above);
      if (style.display === "inline" || style.display === "contents") continue;
      const frame = above.getBoundingClientRect();
      if (["auto", "scroll"].includes(style.overflowX)) return null; // can be scrolled to
      if (["hidden", "clip"].includes(style.overflowX) && outside(box, frame, true)) return place(above);
      if (["hidden", "clip"].includes(style.overflowY) && outside(ink, frame, false)) return place(above);
    }
    return outside(box, { left: 0, right: document.documentElement.clientWidth }, true) ? "the window" : null;
  };

  // What is out of sight until somebody scrolls to it lies on top of nothing.
  const scrolledAway = (node, box) => {
    for (let above = node.parentElement; above; above = above.parentElement) {
      if (!["auto", "scroll"].includes(getComputedStyle(above).overflowX)) continue;
      if (outside(box, above.getBoundingClientRect(), true)) return true;
    }
    return false;
  };

  const letterPx = element => {
    const px = parseFloat(getComputedStyle(element).fontSize);
    const matrix = element instanceof SVGElement && element.getScreenCTM ? element.getScreenCTM() : null;
    return matrix ? px * Math.sqrt(Math.abs(matrix.a * matrix.d - matrix.b * matrix.c)) : px;
  };

  const overlaps = lines => {
    const faults = [];
    const open = [];
    for (const line of [...lines].sort((a, b) => a.top - b.top)) {
      for (let i = open.length; i--; ) if (open[i].bottom <= line.top) open.splice(i, 1);
      for (const other of open) {
        const wide = Math.min(line.right, other.right) - Math.max(line.left, other.left);
        const high = Math.min(line.bottom, other.bottom) - line.top;
        if (other.node !== line.node && wide > SLACK_PX && high > 1)
          faults.push(`${quoted(other.node.data)} and ${quoted(line.node.data)} overlap in ${place(line.node)}`);
      }
      open.push(line);
    }
    return faults;
  };

  // What is too wide, cut off, on top of something else, or too small.
  const layout = leastPx => {
    const faults = [];
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth)
      faults.push(`the page is ${root.scrollWidth} px wide in a window of ${root.clientWidth} px`);
    const lines = [];
    const small = new Map();
    for (const node of textNodes(document.body)) {
      const element = node.parentElement;
      if (!seen(element)) continue;
      const boxes = boxesOf(node);
      const by = boxes.map(box => cut(node, box)).find(Boolean);
      if (by) faults.push(`${quoted(node.data)} in ${place(node)} is cut off by ${by}`);
      const px = letterPx(element);
      if (px < leastPx - 0.05) small.set(px.toFixed(1), [...(small.get(px.toFixed(1)) ?? []), node]);
      // The middle of a line: fonts have room above and below that may meet.
      for (const box of by ? [] : boxes.filter(box => !scrolledAway(node, box))) {
        const { left, right, top, bottom, height } = box;
        lines.push({ node, left, right, top: top + height * 0.25, bottom: bottom - height * 0.25 });
      }
    }
    for (const element of document.body.querySelectorAll("*")) {
      const style = getComputedStyle(element);
      const hides = side => ["hidden", "clip"].includes(side);
      if (element instanceof SVGElement || !seen(element)) continue;
      const wide = hides(style.overflowX) && element.scrollWidth > element.clientWidth + SLACK_PX;
      const high = hides(style.overflowY) && element.scrollHeight > element.clientHeight + SLACK_PX;
      if (wide || high) faults.push(`${place(element)} hides a part of ${quoted(element.textContent)}`);
    }
    for (const [px, [node, ...more]] of small)
      faults.push(`${quoted(node.data)} in ${place(node)} has letters of ${px} px, and ${more.length} more`);
    return [...faults, ...overlaps(lines)];
  };

  // Places that came out of a sum of nothing, words that only programs say, links that lead nowhere.
  const slips = () => {
    const faults = [];
    for (const element of document.body.querySelectorAll("svg *"))
      for (const { name, value } of element.attributes)
        if (/NaN|Infinity|undefined|None/.test(value) && !name.startsWith("data-") && !name.startsWith("aria-"))
          faults.push(`${place(element)} has ${name}=${quoted(value)}`);
    for (const node of textNodes(document.body))
      if (/\b(NaN|nan|None|null|undefined|inf|Infinity|True|False)\b/.test(node.data) && !node.parentElement.closest("bdi, code, pre"))
        faults.push(`${place(node)} says ${quoted(node.data)}`);
    for (const link of document.querySelectorAll("a[href^='#']"))
      if (!document.getElementById(link.hash.slice(1))) faults.push(`${place(link)} leads nowhere: ${link.hash}`);
    const named = [...document.querySelectorAll("[id]")].map(element => element.id);
    for (const twice of new Set(named.filter((id, place) => named.indexOf(id) !== place)))
      faults.push(`several elements are #${twice}`);
    return faults;
  };

  // Letters in pictures against what is painted under them: axe looks at HTML only.
  const channel = part => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
  const contrast = (one, two) => {
    const [low, high] = [luminance(one), luminance(two)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const colour = (css, opacity = 1) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = css;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return [r, g, b, (a / 255) * opacity];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((part, i) => part * a + under[i] * (1 - a));
  const ground = element => {
    const layers = [];
    for (; element; element = element.parentElement) layers.unshift(colour(getComputedStyle(element).backgroundColor));
    return layers.reduce((under, layer) => over(layer, under), colour(getComputedStyle(document.documentElement).colorScheme.includes("dark") && matchMedia("(prefers-color-scheme: dark)").matches ? "#121212" : "#fff").slice(0, 3));
  };
  const pictureContrast = () => {
    const faults = [];
    for (const svg of document.body.querySelectorAll("svg")) {
      const painted = [];
      for (const element of svg.querySelectorAll("rect, circle, text")) {
        if (!seen(element)) continue;
        const style = getComputedStyle(element);
        if (style.fill === "none" || style.fill.startsWith("url(")) continue;
        const fill = colour(style.fill, parseFloat(style.fillOpacity) * parseFloat(style.opacity));
        const box = element.getBoundingClientRect();
        if (element.localName !== "text") {
          painted.push({ fill, box });
          continue;
        }
        const x = (box.left + box.right) / 2;
        const y = (box.top + box.bottom) / 2;
        const within = ({ box }) => box.left <= x && x <= box.right && box.top <= y && y <= box.bottom;
        const under = painted.filter(within).reduce((below, { fill }) => over(fill, below), ground(svg));
        const ratio = contrast(over(fill, under), under);
        if (ratio < 4.5) faults.push(`${quoted(element.textContent)} in ${place(element)} has a contrast of ${ratio.toFixed(2)}`);
      }
    }
    return faults;
  };

  // Every number that the page says, with the place of its fact, and those that have none.
  const figures = () =>
    [...document.querySelectorAll("[data-figure]")].map(element => ({
      path: element.dataset.figure,
      value: element.getAttribute("value") ?? element.getAttribute("datetime"),
      text: element.textContent,
      place: place(element),
    }));

  const loose = () =>
    textNodes(document.body)
      .filter(node => /\p{Nd}/u.test(node.data.replaceAll("SHA-256", ""))) // a name, as those in bdi
      .filter(node => !node.parentElement.closest("data, time, bdi, text.axis"))
      .map(node => `${quoted(node.data)} in ${place(node)}`);

  // What is told by hovering or to a screen reader, with the numbers of the picture or table it is in.
  const told = () => {
    const found = [];
    for (const element of document.body.querySelectorAll("[aria-label], [title], [alt], svg title, svg desc")) {
      const texts = ["title", "desc"].includes(element.localName) ? [element.textContent] : [];
      for (const name of ["aria-label", "title", "alt"]) if (element.hasAttribute(name)) texts.push(element.getAttribute(name));
      for (const text of texts) if (/\p{Nd}/u.test(text)) found.push({ text, place: place(element) });
    }
    return found;
  };

  return { layout, slips, pictureContrast, figures, loose, told };
})();
