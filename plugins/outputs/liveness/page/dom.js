// Elements. Texts that come from the bus are only ever set as text.

// element returns a new element with attributes and children.
export function element(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    e.setAttribute(name, value);
  }
  e.append(...children);
  return e;
}

// isolated returns a text that does not change the direction of what is around it.
export function isolated(text) {
  return element('bdi', {}, text);
}

// setText changes a text only if it is another one, so that nothing is laid out again or read again without need.
export function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

// setOptions makes the options of a select the given ones, after the first, and keeps what is chosen.
export function setOptions(select, values) {
  const known = [...select.options].slice(1).map((o) => o.value);
  if (JSON.stringify(known) === JSON.stringify(values)) {
    return;
  }
  const chosen = select.value;
  select.replaceChildren(select.options[0], ...values.map((v) => new Option(v, v)));
  select.value = values.includes(chosen) ? chosen : '';
}

// arrange makes a node's children the given ones, and moves only those that are elsewhere.
export function arrange(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) {
    if (!wanted.has(child)) {
      child.remove();
    }
  }
  let next = parent.firstElementChild;
  for (const child of children) {
    if (child === next) {
      next = next.nextElementSibling;
    } else {
      parent.insertBefore(child, next);
    }
  }
}
