// Times and numbers for people.

import { textOf } from './state.js';

// duration returns a number of seconds such as "4 s", "12 min" or "3 h 5 min".
export function duration(seconds) {
  if (seconds < 99.5) {
    return `${Math.max(0, Math.round(seconds))} s`;
  }
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) {
    return `${minutes} min`;
  }
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) {
    return `${Math.round(hours / 24)} d`;
  }
  return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
}

// exact returns a number of seconds with a decimal.
export function exact(seconds) {
  return seconds < 100 ? `${Math.round(seconds * 10) / 10} s` : duration(seconds);
}

// percent returns a share; one that is below all is never written as 100 %.
export function percent(share) {
  if (share === null || share === undefined) {
    return '–';
  }
  const digits = share > 0.999 ? 3 : share > 0.99 ? 2 : 1;
  const text = (100 * share).toFixed(digits);
  if (share === 0 || share === 1) {
    return `${100 * share} %`;
  }
  return `${Number(text) === 100 ? '> 99.99' : text} %`;
}

// clock returns a time of the server as local time; without the day if that is today's.
export function clock(epoch, now) {
  const time = new Date(1000 * epoch);
  const day = time.toDateString() === new Date(1000 * now).toDateString()
    ? '' : `${time.toLocaleDateString(undefined, { month: 'short', day: 'numeric' })} `;
  return day + time.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
}

// describe returns what an event says.
export function describe(event) {
  switch (event.kind) {
    case 'gap_opened':
      return `gap opened: ${event.text || event.gap_type}`;
    case 'gap_closed':
      return `gap closed (${event.text || event.gap_type})`;
    case 'state':
      return `${textOf(event.from)} → ${textOf(event.to)}`;
    default:
      return event.text;
  }
}
