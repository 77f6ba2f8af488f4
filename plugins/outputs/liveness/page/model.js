// What the server has said so far. Nothing here touches the document.

import { states, textOf } from './state.js';
import { duration } from './text.js';

// How many outputs that cannot publish, or are not known, are named.
const mostOutputs = 20;

// How long without a message until nothing counts as known, in seconds.
const silentServer = 5;

// keyOf returns a text that no other component has.
export function keyOf(component) {
  return JSON.stringify([component.watch ?? '', component.bus, component.name]);
}

export class Model {
  summary = null; // of the last message; null: none came
  components = new Map(); // by key
  gaps = [];
  events = []; // the newest first
  received = 0; // ms since the page was opened
  connected = false;

  // Take adds a message of the server. It returns the keys of the components that it changes.
  take(message, at) {
    if (message.full) {
      this.components.clear();
      this.events = [];
    }
    this.summary = message;
    this.received = at;
    this.connected = true;
    for (const component of message.components ?? []) {
      this.components.set(keyOf(component), component);
    }
    for (const component of message.removed ?? []) {
      this.components.delete(keyOf(component));
    }
    this.gaps = message.gaps ?? [];
    this.events = (message.events ?? []).concat(this.events).slice(0, 200);
  }

  // Now returns the server's time in seconds since the epoch, and 0 before it is known.
  now(at) {
    return this.summary ? this.summary.now + (at - this.received) / 1000 : 0;
  }

  // Lost says why nothing is known although the server may have said otherwise before; null: it is heard.
  lost(at) {
    if (!this.summary) {
      return 'no data came from the server yet';
    }
    if (!this.connected) {
      return 'the connection to the server is lost; does Telegraf run?';
    }
    return at - this.received > 1000 * silentServer ? 'the server does not answer; does Telegraf run?' : null;
  }

  // Reported returns when the last report of a component came, in seconds since the epoch; 0: none did.
  reported() {
    return (this.summary?.buses ?? []).reduce((last, bus) => Math.max(last, bus.reported), 0);
  }

  // State returns the state of a component to show.
  state(component, at) {
    return this.lost(at) ? 'unknown' : component.state;
  }

  // Counts returns the number of components with a name by state.
  counts(at) {
    if (!this.lost(at)) {
      return this.summary.counts;
    }
    let named = 0;
    for (const component of this.components.values()) {
      named += component.unnamed ? 0 : 1;
    }
    return named ? { unknown: named } : {};
  }

  // Verdict returns how it is on the whole: a look, a headline and what else is to be said.
  verdict(at) {
    const lost = this.lost(at);
    if (lost) {
      return { look: 'unknown', headline: 'Not known', text: lost };
    }
    const { look, headline, text } = this.#whole();
    const outputs = this.summary.outputs ?? [];
    const mute = outputs.filter((output) => output.known && !output.publishing).length;
    const of = outputs.length > 1 ? ` by ${mute} of ${outputs.length} outputs` : '';
    const unjudged = this.summary.buses.reduce((sum, bus) => sum + (bus.unjudged ?? 0), 0);
    return {
      look: unjudged && look === 'up' ? 'late' : look,
      headline,
      text: [text, unjudged && `${unjudged} cannot be judged`, mute && `gaps cannot be published${of}`].filter(Boolean).join('; '),
    };
  }

  #whole() {
    const { counts, known, problem } = this.summary;
    const bad = ['silent', 'flapping', 'unseen'].filter((s) => counts[s]);
    const headline = bad.map((s) => `${counts[s]} ${textOf(s)}`).join(', ');
    if (!known) {
      return headline
        ? { look: 'silent', headline: `${headline}, ${counts.unknown ?? 'others'} not known`, text: problem }
        : { look: 'unknown', headline: 'Not known', text: problem };
    }
    const all = Object.values(counts).reduce((a, b) => a + b, 0);
    const text = `of ${all} component${all === 1 ? '' : 's'}`;
    if (headline) {
      return { look: 'silent', headline, text };
    }
    if (counts.unknown) {
      return { look: 'unknown', headline: `${counts.unknown} not known`, text };
    }
    if (counts.late) {
      return { look: 'late', headline: `${counts.late} late`, text };
    }
    const quiet = ['killed', 'stopped'].filter((s) => counts[s]).map((s) => `${counts[s]} ${s} on purpose`);
    if (!counts.up) {
      return { look: 'unknown', headline: quiet.join(', ') || 'No components', text: '' };
    }
    return { look: 'up', headline: `${counts.up} up`, text: quiet.join(', ') || 'all components' };
  }

  // Delivery returns what the outputs that publish gaps say, as lines with a look. Those that can publish share one.
  delivery(at) {
    const outputs = this.lost(at) ? [] : this.summary.outputs ?? [];
    const able = outputs.filter((output) => output.known && output.publishing);
    const lines = outputs.filter((output) => !able.includes(output)).slice(0, mostOutputs).map((output) => {
      const name = outputs.length > 1 ? `The output of ${output.name}` : 'The output';
      return output.known
        ? { look: 'silent', text: `${name} cannot publish: nothing that it sends comes back from the bus; ${waiting(output.pending)}.` }
        : {
          look: 'unknown',
          text: `${name} ${output.publishing ? 'could' : 'could not'} publish when it was reported ${duration(this.now(at) - output.reported)} ago; not known now.`,
        };
    });
    if (able.length) {
      const all = waiting(able.reduce((sum, output) => sum + output.pending, 0));
      lines.push({ look: '', text: `${outputs.length > 1 ? `${able.length} of ${outputs.length} outputs` : 'The output'} can publish; ${all}.` });
    }
    return lines;
  }

  // List returns the components that a filter lets pass, in its order.
  list(filter, at) {
    const wanted = filter.search.toLowerCase();
    const found = [...this.components.entries()].filter(([, c]) =>
      (filter.unnamed || !c.unnamed)
      && (!filter.state || this.state(c, at) === filter.state)
      && (!filter.niche || c.niche === filter.niche)
      && (!filter.bus || busOf(c) === filter.bus)
      && (!wanted || `${c.name} ${c.niche ?? ''} ${c.bus} ${c.watch ?? ''}`.toLowerCase().includes(wanted)));
    const by = orders[filter.order];
    return found.sort(([, a], [, b]) => by(a, b) || compare(a.name, b.name) || compare(busOf(a), busOf(b)));
  }
}

function waiting(gaps) {
  return `${gaps || 'no'} gap${gaps === 1 ? '' : 's'} waiting`;
}

// busOf returns what a component is judged by, for people.
export function busOf(component) {
  return component.watch ? `watch ${component.watch}` : component.bus;
}

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

function place(c) {
  return (c.unnamed ? 1000 : 0) + 10 * (states[c.state]?.place ?? 3) + (states[c.reported_state]?.place ?? 3);
}

const orders = {
  worst: (a, b) => place(a) - place(b),
  name: () => 0,
  seen: (a, b) => a.last_seen - b.last_seen,
  availability: (a, b) => (a.availability ?? 2) - (b.availability ?? 2),
};
