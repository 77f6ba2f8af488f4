// The states of components, as the page shows them.

// The worst first. The looks are those of style.css.
export const states = {
  silent: { look: 'silent', place: 0 },
  flapping: { look: 'silent', place: 1 },
  unseen: { look: 'late', place: 2, text: 'never seen' },
  unknown: { look: 'unknown', place: 3, text: 'not known' },
  late: { look: 'late', place: 4 },
  killed: { look: 'intended', place: 5 },
  stopped: { look: 'intended', place: 6 },
  up: { look: 'up', place: 7 },
  gone: { look: 'unknown', place: 8 },
};

// textOf returns how a state is written.
export function textOf(state) {
  return states[state]?.text ?? state;
}

// lookOf returns the class of a state.
export function lookOf(state) {
  return states[state]?.look ?? 'unknown';
}
