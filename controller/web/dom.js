// Making elements. Every text goes in as text: what another machine calls itself can never become markup.

/**
 * @param {string} tag
 * @param {{ class?: string, text?: string, title?: string }} [options]
 * @param {Node[]} [children]
 * @returns {HTMLElement}
 */
export function element(tag, options = {}, children = []) {
  const made = document.createElement(tag);
  if (options.class !== undefined) made.className = options.class;
  if (options.text !== undefined) made.textContent = options.text;
  if (options.title !== undefined) made.title = options.title;
  made.append(...children);
  return made;
}

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

/** Writes only what is new, so that nothing flickers and selections stay. @param {Element} target @param {string} text */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** A term and its value. @param {string} term @param {string} value @param {string} [className] */
export function pair(term, value, className = '') {
  return element('div', { class: className }, [
    element('dt', { text: term }),
    element('dd', { text: value }),
  ]);
}
